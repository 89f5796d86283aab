import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Bytes } from '../bytes/content.ts';
import { hostFile, type RandomAccess, randomAccess } from '../bytes/file.ts';
import { reasonOf } from '../bytes/pour.ts';
import { slicesOf, spooled } from '../bytes/spool.ts';
import { decompress } from '../compression/decompress.ts';
import { detect, type Format } from '../compression/format.ts';
import { BuildError } from '../errors/error.ts';
import { isCpio, plainInitrd, readCpio } from '../formats/cpio/read.ts';
import { hasDaxHeader } from '../formats/disk/dax.ts';
import { readGpt } from '../formats/disk/gpt.ts';
import { readMbr, SECTOR } from '../formats/disk/mbr.ts';
import { isTar, readTar } from '../formats/tar/read.ts';
import type { Entry } from '../tree/entry.ts';
import { treeOf } from '../tree/overlay.ts';
import { type Artefact, entriesOf } from './open.ts';

const HEAD = 4096;

/** Recognises a file of `size` bytes by its content. */
export async function openFile(path: string, size: number, workspace: () => string): Promise<Artefact> {
  const compression = detect(head(path));
  const plainHead =
    compression === 'none' ? head(path) : await upTo(decompress(hostFile(path).open(), compression, path), HEAD);
  let access: RandomAccess | undefined;
  const random = async (): Promise<RandomAccess> => {
    access ??= compression === 'none' ? randomAccess(path) : randomAccess(await spoolOf(path, compression, workspace));
    return access;
  };
  const base = { path, compression, size, access: random };
  if (isTar(plainHead)) return archive({ ...base, kind: 'tar' }, readTar, workspace);
  if (isCpio(plainHead)) return archive({ ...base, kind: 'initrd' }, readCpio, workspace);
  const kind = await diskKind(plainHead, random);
  const tree = async () => (await import('./open-image.ts')).treeOfImage(path, kind, await random());
  return {
    ...base,
    kind,
    tree,
    async *entries() {
      yield* entriesOf(await tree());
    },
  };
}

async function diskKind(first: Uint8Array, random: () => Promise<RandomAccess>): Promise<'disk' | 'ext4' | 'file'> {
  // s_magic of the superblock, which lies at 1024 whatever the block size
  if (first.length >= 1082 && first[1080] === 0x53 && first[1081] === 0xef) return 'ext4';
  if (first.length < SECTOR) return 'file';
  const mbr = readMbr(first.subarray(0, SECTOR));
  if (mbr !== undefined && mbr.partitions.length > 0) return 'disk';
  const disk = await random();
  // a disk whose first table is lost is told by the others that it has
  return readGpt(disk) === undefined && !hasDaxHeader(disk) ? 'file' : 'disk';
}

type ReadArchive = (source: Bytes, path: string, contentAt: ReturnType<typeof slicesOf>) => AsyncIterable<Entry>;

function archive(base: Omit<Artefact, 'entries' | 'tree'>, read: ReadArchive, workspace: () => string): Artefact {
  const { path, compression, kind } = base;
  async function* entries(): AsyncIterable<Entry> {
    const source = hostFile(path).open();
    const plain =
      kind === 'initrd'
        ? plainInitrd(source, path)
        : compression === 'none'
          ? source
          : decompress(source, compression, path);
    if (kind === 'tar' && compression === 'none') {
      yield* read(plain, path, slicesOf(path));
      return;
    }
    const spool = spoolPath(path, workspace);
    // contents can be read when the spool is whole
    const all: Entry[] = [];
    for await (const entry of read(spooled(plain, spool), path, slicesOf(spool))) all.push(entry);
    yield* all;
  }
  return {
    ...base,
    entries,
    tree: () => treeOf(entries(), { source: basename(path) }),
  };
}

let spools = 0;

function spoolPath(path: string, workspace: () => string): string {
  return join(workspace(), `${++spools}-${basename(path)}`);
}

async function spoolOf(path: string, compression: Format, workspace: () => string): Promise<string> {
  const spool = spoolPath(path, workspace);
  for await (const _ of spooled(decompress(hostFile(path).open(), compression, path), spool));
  return spool;
}

function head(path: string): Uint8Array {
  const bytes = new Uint8Array(HEAD);
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw new BuildError('READ_FAILED', { path, reason: reasonOf(error) });
  }
  try {
    if (!fstatSync(fd).isFile())
      throw new BuildError('READ_FAILED', { path, reason: 'it is neither a file nor a folder' });
    return bytes.subarray(0, readSync(fd, bytes, 0, HEAD, 0));
  } finally {
    closeSync(fd);
  }
}

async function upTo(source: Bytes, size: number): Promise<Uint8Array> {
  const out = new Uint8Array(size);
  let done = 0;
  for await (const piece of source) {
    const part = piece.subarray(0, size - done);
    out.set(part, done);
    done += part.length;
    if (done === size) break;
  }
  return out.subarray(0, done);
}
