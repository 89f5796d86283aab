import { memory } from '../../bytes/content.ts';
import { hostFile } from '../../bytes/file.ts';
import type { Report } from '../../events/events.ts';
import { type Descriptor, EMPTY, encodeManifest, TYPES } from '../../formats/oci/manifest.ts';
import type { RemoteCache, Want } from '../mirror.ts';
import { RemoteTrouble } from '../remote-trouble.ts';
import type { Repository } from './repository.ts';

/** Type of the artifact that a kept file is. */
const KEPT_TYPE = 'application/vnd.kata-containers.osbuilder.cache.v1';

/**
 * Packages by their digests in a repository of a registry. Only downloads are kept there: their digest is known from signed
 * metadata or a lock, so that a registry cannot change them. Of unpacked packages nothing would prove that they are the
 * packages', so they are made here. What goes wrong costs time, and is one warning.
 */
export class RegistryCache implements RemoteCache {
  private readonly repository: Repository;
  private readonly write: boolean;
  private readonly trouble: RemoteTrouble;

  constructor(repository: Repository, { write, report }: { readonly write: boolean; readonly report: Report }) {
    this.repository = repository;
    this.write = write;
    this.trouble = new RemoteTrouble(repository.shown, report);
  }

  async find({ digest, size, category }: Want): Promise<Want | undefined> {
    if (this.trouble.lost || digest.algorithm !== 'sha256' || size === undefined || category !== 'archives')
      return undefined;
    try {
      return await this.repository.blobWant(`sha256:${digest.hex}`, size);
    } catch (error) {
      this.failed(error);
      return undefined;
    }
  }

  failed(error: unknown): void {
    this.trouble.note(error);
  }

  async keep({ digest, category, urls }: Want, path: string): Promise<void> {
    if (!this.write || this.trouble.lost || digest.algorithm !== 'sha256' || category !== 'archives') return;
    const content = hostFile(path);
    const name = (urls[0] ?? '').replace(/[?#].*/, '').replace(/^.*\//, '');
    const layer: Descriptor = {
      ...{ mediaType: 'application/octet-stream', digest: `sha256:${digest.hex}`, size: content.size },
      annotations: { 'org.opencontainers.image.title': name },
    };
    try {
      await this.repository.putBlob(layer, content);
      await this.repository.putBlob(EMPTY.descriptor, memory(EMPTY.bytes));
      // registries drop blobs that no manifest names
      const manifest = encodeManifest({
        ...{ mediaType: TYPES.manifest, artifactType: KEPT_TYPE, config: EMPTY.descriptor, layers: [layer] },
      });
      await this.repository.putManifest(manifest, `archive-${digest.hex}`);
    } catch (error) {
      this.failed(error);
    }
  }
}
