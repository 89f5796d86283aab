import { basename } from 'node:path';
import type { Content } from '../bytes/content.ts';
import { slicesOf, spooled } from '../bytes/spool.ts';
import { compress, type WritableFormat } from '../compression/compress.ts';
import type { Report } from '../events/events.ts';
import { isCpio } from '../formats/cpio/head.ts';
import { isTar } from '../formats/tar/header.ts';
import type { Entry } from '../tree/entry.ts';
import { treeOf } from '../tree/overlay.ts';
import type { Tree } from '../tree/tree.ts';
import { validateCompression } from './compressions.ts';
import { entriesOf } from './entries.ts';
import { type Artefact, encoded, type ImageKind, stream } from './kind.ts';
import type { Probe } from './probe.ts';

/** How an archive is compressed. */
export interface ArchiveOptions {
  readonly compress: WritableFormat;
  /** The format's own level; a suitable one by default. */
  readonly level?: number;
}

/** Tar archives: everything but sockets. */
export const tar: ImageKind<ArchiveOptions> = {
  name: 'tar',
  features: { xattrs: true, sockets: false, nanoseconds: true },
  limits: { fileSize: Infinity, path: Infinity, target: Infinity, time: [-Infinity, Infinity] },
  open: async (file) => (isTar(file.head) ? archive(file, 'tar') : undefined),
  validate: validateCompression,
  async write(tree, options) {
    const { tarArchive } = await import('../formats/tar/emit.ts');
    return compressed(tarArchive(tree), options);
  },
};

/** Initrds: newc archives as the kernel unpacks them. */
export const initrd: ImageKind<ArchiveOptions> = {
  name: 'initrd',
  features: { xattrs: false, sockets: true, nanoseconds: false },
  limits: { fileSize: 2 ** 32 - 1, path: 4095, target: 4095, time: [0, 2 ** 32 - 1] },
  open: async (file) => (isCpio(file.head) ? archive(file, 'initrd') : undefined),
  validate: validateCompression,
  async write(tree, options, report) {
    const { cpioArchive } = await import('../formats/cpio/emit.ts');
    const archive = cpioArchive(tree, { report });
    return compressed(archive, options, archive.entries);
  },
};

function compressed(content: Content, options: ArchiveOptions, cuts?: Float64Array) {
  if (options.compress === 'none') return stream(() => content.open(), content.size);
  const how = { ...(options.level === undefined ? {} : { level: options.level }), ...(cuts && { cuts }) };
  return encoded(content, (source) => compress(source, options.compress, how));
}

/** Files at the top of an archive that may store an image of a container. */
const CONTAINER = ['manifest.json', 'oci-layout'];

/** Paths of such a file. */
const AT_TOP = /^(?:\.?\/)*(?:manifest\.json|oci-layout)$/;

async function listed(entries: AsyncIterable<Entry> | readonly Entry[]): Promise<readonly Entry[]> {
  const all: Entry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

function archive(file: Probe, kind: 'tar' | 'initrd'): Artefact {
  const { path, compression } = file;
  // no generator around the reader's: each costs a guest of thousands of files as much as its headers
  async function stored(): Promise<AsyncIterable<Entry> | readonly Entry[]> {
    if (kind === 'tar' && compression === 'none') {
      const { readTar } = await import('../formats/tar/read.ts');
      return readTar(file.raw(), path, slicesOf(file.file), reporting(file));
    }
    const spool = file.spool();
    // contents can be read once the spool is complete
    return listed(await unpacked(file, kind, spool));
  }
  /** The root file system of an image of a container, where the archive stores one. */
  const container = async (tree: Tree): Promise<Tree | undefined> =>
    kind === 'tar' && CONTAINER.some((name) => tree.lstat(name) !== undefined)
      ? (await import('./containers.ts')).containerRootfs(tree, path, file.options)
      : undefined;
  async function* entries(): AsyncIterable<Entry> {
    const all = await listed(await stored());
    const tree = all.some((entry) => AT_TOP.test(entry.path))
      ? await container(await treeOf(all, { source: basename(path) }))
      : undefined;
    yield* tree === undefined ? all : entriesOf(tree);
  }
  async function tree(): Promise<Tree> {
    const tree = await treeOf(await stored(), { source: basename(path), ...reporting(file) });
    return (await container(tree)) ?? tree;
  }
  return {
    ...file.properties(),
    kind,
    entries,
    tree,
    stored: async () => treeOf(await stored(), { source: basename(path), whiteouts: 'keep' }),
    structures: async () => [],
  };
}

/** Where a reader reports archive content that a tree cannot store. */
function reporting({ options: { report } }: Probe): { readonly report?: Report } {
  return report === undefined ? {} : { report };
}

async function unpacked(file: Probe, kind: 'tar' | 'initrd', spool: string): Promise<AsyncIterable<Entry>> {
  if (kind === 'tar') {
    const { readTar } = await import('../formats/tar/read.ts');
    return readTar(spooled(file.bounded(file.plain()), spool), file.path, slicesOf(spool), reporting(file));
  }
  const { plainInitrd, readCpio } = await import('../formats/cpio/read.ts');
  // an initrd may be several archives, each compressed in its own way
  return readCpio(
    spooled(file.bounded(plainInitrd(file.raw(), file.path)), spool),
    file.path,
    slicesOf(spool),
    reporting(file),
  );
}
