import { type Content, collect, type FileContent, memory } from '../bytes/content.ts';
import { sha256, verified } from '../bytes/digest.ts';
import { hostFile } from '../bytes/file.ts';
import { makeFolders, pour } from '../bytes/pour.ts';
import { BuildError, isBuildError } from '../errors/error.ts';
import type { Found, Source, Target } from '../fetch/registry/repository.ts';
import {
  type Descriptor,
  type Encoded,
  hexOf,
  type Index,
  JSON_LIMIT,
  type Manifest,
  parseManifest,
  platformOf,
  TYPES,
} from '../formats/oci/manifest.ts';
import { DIGEST } from '../formats/oci/reference.ts';
import { tarArchive } from '../formats/tar/emit.ts';
import { file } from '../tree/inode.ts';
import { Tree } from '../tree/tree.ts';
import { DAMAGED_IMAGE } from './containers.ts';
import { type OpenOptions, spoolPath } from './probe.ts';

/*
 * OCI image layouts (https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md): a folder or its tar.
 */

const REF_NAME = 'org.opencontainers.image.ref.name';
const LAYOUT = '{"imageLayoutVersion":"1.0.0"}';

/** A layout that is read, from the tree of its folder or archive. */
export class Layout implements Source {
  readonly shown: string;
  private readonly tree: Tree;
  private listed: Index | undefined;

  constructor(tree: Tree, shown: string) {
    this.tree = tree;
    this.shown = shown;
  }

  private bytesOf(path: string): Uint8Array {
    const found = this.tree.file(path);
    if (found === undefined) throw new BuildError('NOT_FOUND', { url: `${this.shown}: ${path}` });
    if (found.content.size > JSON_LIMIT)
      throw new BuildError('OCI_MANIFEST_INVALID', {
        source: `${this.shown}: ${path}`,
        reason: `it has ${found.content.size} bytes, more than ${JSON_LIMIT}`,
      });
    return found.content.readSync();
  }

  /** What it lists. */
  index(): Index {
    if (this.listed !== undefined) return this.listed;
    const value = parseManifest(this.bytesOf('index.json'), `${this.shown}: index.json`);
    if (value.kind === 'index') return (this.listed = value);
    throw new BuildError('OCI_MANIFEST_INVALID', { source: this.shown, reason: 'index.json is no index' });
  }

  /**
   * What a tag or a digest names; the only thing that is about nothing else where neither is given. Of several the one for
   * the processor `architecture`, if that is given.
   */
  async top(reference: string | undefined, architecture?: string): Promise<Found> {
    if (reference !== undefined) return this.manifest(reference);
    const all = new Map<string, { readonly row: Descriptor; readonly found: Found }>();
    for (const row of this.index().manifests) {
      const found = await this.manifest(row.digest);
      expectSize(found, row, this.shown);
      if (found.value.kind === 'index' || found.value.subject === undefined) all.set(row.digest, { row, found });
    }
    const wanted = architecture === undefined ? undefined : platformOf(architecture);
    const fitting = [...all.values()].filter(
      ({ row: { platform } }) => platform?.os === wanted?.os && platform?.architecture === wanted?.architecture,
    );
    const images = all.size > 1 && wanted !== undefined && fitting.length === 1 ? fitting : [...all.values()];
    const [only] = images;
    if (only !== undefined && images.length === 1) return only.found;
    if (only === undefined)
      throw new BuildError('OCI_MANIFEST_INVALID', { source: this.shown, reason: 'it lists nothing' });
    const names = images.map(({ row: { annotations, digest, platform } }) => {
      const shown = platform === undefined ? '' : ` (${platform.os}/${platform.architecture})`;
      return annotations?.[REF_NAME] ?? digest + shown;
    });
    throw new BuildError('CONTAINER_SEVERAL', { path: this.shown, images: names });
  }

  async manifest(reference: string): Promise<Found> {
    if (!DIGEST.test(reference)) {
      const row = this.index().manifests.find(({ annotations }) => annotations?.[REF_NAME] === reference);
      if (row === undefined) throw new BuildError('NOT_FOUND', { url: `${this.shown}:${reference}` });
      const found = await this.manifest(row.digest);
      expectSize(found, row, this.shown);
      return found;
    }
    const digest = reference;
    const bytes = this.bytesOf(blobPath(digest));
    const actual = sha256(bytes);
    const source = `${this.shown}@${digest}`;
    if (actual !== hexOf(digest))
      throw new BuildError(
        'DIGEST_MISMATCH',
        { url: source, expected: hexOf(digest), actual },
        { hint: DAMAGED_IMAGE },
      );
    const value = parseManifest(bytes, source);
    return { value, bytes, descriptor: { mediaType: value.mediaType, digest, size: bytes.length } };
  }

  async blob({ digest, size }: Descriptor): Promise<Content> {
    const url = `${this.shown}: ${blobPath(digest)}`;
    const found = this.tree.file(blobPath(digest));
    if (found === undefined) throw new BuildError('NOT_FOUND', { url });
    const digests = { algorithm: 'sha256' as const, hex: hexOf(digest) };
    const expected = { url, size, digest: digests, hint: DAMAGED_IMAGE };
    return { size, open: () => verified(found.content.open(), expected) };
  }

  async referrers(digest: string): Promise<readonly Descriptor[]> {
    const found: Descriptor[] = [];
    for (const one of this.index().manifests) {
      const { value, descriptor } = await this.manifest(one.digest);
      if (value.kind !== 'manifest' || value.subject?.digest !== digest) continue;
      const artifactType = value.artifactType ?? value.config.mediaType;
      found.push({
        ...descriptor,
        artifactType,
        ...(value.annotations === undefined ? {} : { annotations: value.annotations }),
      });
    }
    return found;
  }
}

/** A manifest has the size that names it, as every other blob. Throws `CONTENT_SIZE`. */
export function expectSize({ bytes }: Found, { digest, size }: Descriptor, shown: string): void {
  if (bytes.length === size) return;
  throw new BuildError('CONTENT_SIZE', { path: `${shown}@${digest}`, declared: size, read: bytes.length });
}

function blobPath(digest: string): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** Where a layout that is written keeps its files. */
interface Files {
  has(path: string): boolean;
  put(path: string, content: Content): Promise<void>;
}

/** A layout that is written: a folder, where more is added to what it has, or an archive, which is made anew. */
export class LayoutTarget implements Target {
  readonly shown: string;
  private readonly files: Files;
  private readonly end: () => Promise<void>;
  private manifests: Descriptor[];
  private readonly existing: Layout | undefined;
  private readonly known = new Map<string, Found>();

  private constructor(shown: string, files: Files, existing: Layout | undefined, end: () => Promise<void>) {
    this.shown = shown;
    this.files = files;
    this.existing = existing;
    this.manifests = existing === undefined ? [] : [...existing.index().manifests];
    this.end = end;
  }

  /** A folder; `existing` is the layout that it has, if it has one. */
  static folder(path: string, existing: Layout | undefined): LayoutTarget {
    const written = new Set<string>();
    const files: Files = {
      // what an interrupted run left is poured again: only complete files have a name of a blob, but anybody may write there
      has: (name) => written.has(name),
      async put(name, content) {
        // not before: a source that fails leaves no empty layout
        if (written.size === 0) makeFolders(`${path}/blobs/sha256`);
        await pour(content.open(), `${path}/${name}`, { size: content.size });
        written.add(name);
      },
    };
    return new LayoutTarget(`oci:${path}`, files, existing, async () => {});
  }

  /** An archive, written when everything is there. */
  static archive(path: string, options: OpenOptions): LayoutTarget {
    const tree = new Tree();
    const files: Files = {
      has: (name) => tree.has(name),
      async put(name, content) {
        tree.makeDirectory(name.replace(/\/?[^/]*$/, ''));
        let stored = content as FileContent;
        if (!('readSync' in content)) {
          const spool = spoolPath(options, 'blob');
          await pour(content.open(), spool, { size: content.size });
          stored = hostFile(spool);
        }
        tree.set(name, file(stored));
      },
    };
    return new LayoutTarget(`oci-archive:${path}`, files, undefined, async () => {
      await pour(tarArchive(tree).open(), path);
    });
  }

  async putBlob({ digest, size }: Descriptor, content: Content): Promise<boolean> {
    const path = blobPath(digest);
    if (this.files.has(path)) return false;
    // a file of the host may have changed since its descriptor was made
    const hint = 'it changed while it was read: try again when nothing writes to it';
    const expected = { url: path, size, digest: { algorithm: 'sha256' as const, hex: hexOf(digest) }, hint };
    await this.files.put(path, { size, open: () => verified(content.open(), expected) });
    return true;
  }

  async putManifest({ bytes, descriptor }: Encoded, tag?: string): Promise<void> {
    await this.putBlob(descriptor, memory(bytes));
    const value = parseManifest(bytes, this.shown);
    this.known.set(descriptor.digest, { value, bytes, descriptor });
    if (tag === undefined) return;
    this.manifests = this.manifests.filter(({ annotations }) => annotations?.[REF_NAME] !== tag);
    this.manifests.push({ ...descriptor, annotations: { [REF_NAME]: tag } });
  }

  async attach(encoded: Encoded, _manifest: Manifest): Promise<void> {
    await this.putManifest(encoded);
    this.manifests = this.manifests.filter(({ digest }) => digest !== encoded.descriptor.digest);
    this.manifests.push(encoded.descriptor);
  }

  async current(tag: string): Promise<Found | undefined> {
    const row = this.manifests.find(({ annotations }) => annotations?.[REF_NAME] === tag);
    const digest = row?.digest ?? tag;
    const known = this.known.get(digest);
    return known ?? (this.existing === undefined ? undefined : manifestIfThere(this.existing, digest));
  }

  /** Writes its list of contents, last. */
  async finish(): Promise<void> {
    await this.files.put('oci-layout', memory(LAYOUT));
    const index = JSON.stringify({ schemaVersion: 2, mediaType: TYPES.index, manifests: this.manifests });
    await this.files.put('index.json', memory(index));
    await this.end();
  }
}

/** All bytes of a small blob. Throws `OCI_MANIFEST_INVALID` for one that is longer than `limit`. */
export async function smallBlob(source: Source, descriptor: Descriptor, limit = JSON_LIMIT): Promise<Uint8Array> {
  if (descriptor.size > limit)
    throw new BuildError('OCI_MANIFEST_INVALID', {
      source: source.shown,
      reason: `${descriptor.digest} has ${descriptor.size} bytes, more than ${limit}`,
    });
  return collect((await source.blob(descriptor)).open());
}

/** The manifest with a tag, or undefined where there is none. */
export async function manifestIfThere(source: Source, reference: string): Promise<Found | undefined> {
  try {
    return await source.manifest(reference);
  } catch (error) {
    if (isBuildError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}
