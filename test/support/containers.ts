import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { sha256 } from '../../src/bytes/digest.ts';
import { type TarMember, tar } from './debs.ts';

/** A layer of a made image: its members, and how it is stored. */
export interface MadeLayer {
  readonly members: readonly TarMember[];
  readonly compress?: 'none' | 'gzip' | ((plain: Uint8Array) => Promise<Uint8Array>);
  /** Media type in place of the right one. */
  readonly type?: string;
  /** Digest of the plain archive, in place of the right one. */
  readonly plain?: string;
}

/** Files of an OCI image layout (image-spec v1.1) with one image, by path. */
export async function ociLayout(
  layers: readonly MadeLayer[],
  options: { readonly images?: number; readonly nested?: boolean; readonly platforms?: readonly string[] } = {},
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>([['oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')]]);
  const blob = (mediaType: string, bytes: Uint8Array) => {
    const hex = sha256(bytes);
    files.set(`blobs/sha256/${hex}`, bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (mediaType: string, value: object) => blob(mediaType, Buffer.from(JSON.stringify(value)));
  const descriptors: object[] = [];
  const diffs: string[] = [];
  for (const { members, compress = 'gzip', type, plain } of layers) {
    const bytes = tar(members);
    diffs.push(`sha256:${plain ?? sha256(bytes)}`);
    const [stored, suffix] =
      compress === 'none'
        ? [bytes, '']
        : compress === 'gzip'
          ? [gzipSync(bytes), '+gzip']
          : [await compress(bytes), '+zstd'];
    descriptors.push(blob(type ?? `application/vnd.oci.image.layer.v1.tar${suffix}`, stored));
  }
  const platform = { architecture: 'amd64', os: 'linux' };
  const config = json('application/vnd.oci.image.config.v1+json', {
    ...platform,
    config: {},
    rootfs: { type: 'layers', diff_ids: diffs },
    history: diffs.map(() => ({ created_by: 'a test' })),
  });
  const manifestOf = (more: object) =>
    json('application/vnd.oci.image.manifest.v1+json', {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config,
      layers: descriptors,
      ...more,
    });
  const manifest = manifestOf({});
  const named = Array.from({ length: options.images ?? 1 }, (_, i) => ({
    ...(i === 0 ? manifest : manifestOf({ annotations: { number: String(i) } })),
    ...(options.platforms === undefined ? {} : { platform: { os: 'linux', architecture: options.platforms[i] } }),
    annotations: { 'org.opencontainers.image.ref.name': i === 0 ? 'latest' : `other-${i}` },
  }));
  const attestation = { ...manifest, annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } };
  const index = { schemaVersion: 2, manifests: options.nested ? [{ ...manifest, platform }, attestation] : named };
  const top = options.nested
    ? { schemaVersion: 2, manifests: [json('application/vnd.oci.image.index.v1+json', index)] }
    : index;
  files.set('index.json', Buffer.from(JSON.stringify(top)));
  return files;
}

/** Writes files by path below a folder. */
export function writeLayout(folder: string, files: ReadonlyMap<string, Uint8Array>): string {
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  for (const [path, bytes] of files) writeFileSync(join(folder, path), bytes);
  return folder;
}
