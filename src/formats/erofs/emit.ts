import { type Bytes, type Content, type FileContent, PIECE } from '../../bytes/content.ts';
import { crc32c } from '../../bytes/crc32c.ts';
import { fileSlice } from '../../bytes/file.ts';
import { Gatherer } from '../../bytes/gather.ts';
import { blockRanges } from '../../bytes/ranges.ts';
import { fromLatin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import { type Inode, TYPE_BITS } from '../../tree/inode.ts';
import { pathIn } from '../../tree/names.ts';
import { display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { erofsCensus } from './census.ts';
import { indexBytes } from './cluster-index.ts';
import { type CompressedFile, compressFiles } from './compress.ts';
import { directoryBytes, storedNames } from './directory.ts';
import { isPlain } from './extents.ts';
import {
  BLOCK,
  COMPAT,
  CompactInode,
  EXTENDED,
  ExtendedInode,
  FILE_TYPE,
  INCOMPAT,
  LAYOUT,
  MAGIC,
  MapHeader,
  NO_BLOCK,
  SLOT,
  SUPERBLOCK_OFFSET,
  Superblock,
} from './layout.ts';
import { type ErofsOptions, settingsOf } from './options.ts';
import { chunksOf, compressible, type Placed, type Plan, planErofs } from './plan.ts';
import { xattrCount } from './xattr.ts';

/**
 * An EROFS file system with this tree. Without compression nothing is read here. With it, contents are compressed into
 * the file `spool` first, over all threads, since sizes decide the layout; the image is then read from there.
 */
export async function erofsImage(
  tree: Tree,
  options: ErofsOptions & { readonly spool?: () => string } = {},
): Promise<Content & { readonly plan: Plan }> {
  const census = erofsCensus(tree);
  const files = compressible(census, settingsOf(options));
  let plan: Plan;
  if (files.length === 0) plan = planErofs(tree, options, census);
  else {
    if (options.spool === undefined) throw new TypeError('compression needs a spool');
    const spool = options.spool();
    const done = await compressFiles(
      files.map(({ content }) => content),
      settingsOf(options),
      spool,
    );
    const byDigest = new Map(files.map(({ content }, i) => [content.sha256, done[i]]));
    const byInode = new Map<Inode, CompressedFile | undefined>(files.map((inode, i) => [inode, done[i]]));
    const results = new Map(
      census.nodes.flatMap(({ inode }) => {
        if (inode.kind !== 'file') return [];
        const { sha256 } = inode.content;
        return [[inode, sha256 === undefined ? byInode.get(inode) : byDigest.get(sha256)] as const];
      }),
    );
    plan = planErofs(tree, options, census, { files: results, spool });
  }
  return { size: plan.blocks * BLOCK, open: () => emitErofs(plan), plan };
}

/** Pours a planned file system, front to back. */
export async function* emitErofs(plan: Plan): Bytes {
  yield* emitZone(plan);
  yield* emitData(plan);
}

/** Superblock, inodes and what follows them. The checksum is over the whole first block. */
function* emitZone(plan: Plan): Generator<Uint8Array> {
  const first = new Uint8Array(BLOCK);
  const gather = new Gatherer();
  let at = 0;
  const put = function* (bytes: Uint8Array): Generator<Uint8Array> {
    const head = Math.min(bytes.length, Math.max(0, BLOCK - at));
    if (head > 0) first.set(bytes.subarray(0, head), at);
    if (at < BLOCK && at + head === BLOCK) {
      seal(plan, first);
      yield* gather.put(first);
    }
    if (head < bytes.length) yield* gather.put(bytes.subarray(head));
    at += bytes.length;
  };
  const fill = function* (to: number): Generator<Uint8Array> {
    while (at < to) yield* put(new Uint8Array(Math.min(to - at, BLOCK - (at % BLOCK))));
  };
  const shared = { at: plan.xattrStart, bytes: () => plan.xattrs.shared };
  const objects: { at: number; bytes(): Uint8Array }[] = plan.placed.map((one) => ({
    at: one.at,
    bytes: () => inodeBytes(plan, one),
  }));
  if (plan.xattrs.shared.length > 0) objects.push(shared);
  objects.sort((a, b) => a.at - b.at);
  for (const object of objects) {
    yield* fill(object.at);
    yield* put(object.bytes());
  }
  yield* fill(plan.zoneBlocks * BLOCK);
  yield* gather.flush();
}

function seal(plan: Plan, block: Uint8Array): void {
  const { settings, placed, epoch, incompat } = plan;
  const big = (incompat & INCOMPAT.compr_cfgs) !== 0;
  const compressed = (incompat & INCOMPAT.zero_padding) !== 0;
  Superblock.write(block, SUPERBLOCK_OFFSET, {
    magic: MAGIC,
    compat: COMPAT.sb_chksum | COMPAT.mtime,
    blockBits: 12,
    rootNid: placed[0]!.at / SLOT,
    inodes: placed.length,
    epoch: epoch.seconds,
    epochNanoseconds: epoch.nanoseconds,
    blocks: plan.blocks,
    uuid: plan.uuid,
    label: Buffer.from(settings.label ?? '', 'utf8'),
    incompat,
    // with configurations a set of algorithms, of which lz4 is the first; else the largest distance of lz4
    compression: big ? 1 : compressed ? 65535 : 0,
  });
  if (big) {
    const view = new DataView(block.buffer, SUPERBLOCK_OFFSET + Superblock.size);
    view.setUint16(0, 14, true);
    view.setUint16(2, 65535, true);
    view.setUint16(4, settings.clusterSize / BLOCK, true);
  }
  const checksum = crc32c(0xffffffff, block, SUPERBLOCK_OFFSET);
  new DataView(block.buffer).setUint32(SUPERBLOCK_OFFSET + Superblock.offset.checksum, checksum, true);
}

/** An inode with attributes and what follows them. */
function inodeBytes(plan: Plan, one: Placed): Uint8Array {
  const { inode, size, layout } = one;
  const table = one.extended ? ExtendedInode : CompactInode;
  const attributes = table.size;
  const behind = attributes + one.xattrSize;
  // an index is aligned to 8 bytes; a table of chunks to 4, as attributes are
  const tailAt = layout === LAYOUT.compactIndex ? Math.ceil(behind / 8) * 8 : behind;
  const into = new Uint8Array(tailAt + one.tail);
  const fields = {
    format: (one.extended ? EXTENDED : 0) | (layout << 1),
    xattrCount: xattrCount(one.xattrSize),
    mode: TYPE_BITS[inode.kind] | inode.mode,
    links: one.links,
    size,
    u: placeOf(one),
    ino: one.index,
    uid: inode.uid,
    gid: inode.gid,
  };
  if (one.extended)
    ExtendedInode.write(into, 0, { ...fields, mtime: inode.mtime, nanoseconds: inode.nanoseconds ?? 0 });
  else CompactInode.write(into, 0, fields);
  into.set(plan.xattrs.encode(one.xattrs, plan.xattrStart), attributes);
  if (layout === LAYOUT.inline) into.set(inlineTail(plan, one), tailAt);
  else if (one.compressed !== undefined) {
    const big = plan.settings.clusterSize > BLOCK;
    const start = (one.at + tailAt + MapHeader.size) % 32;
    // no block is looked for when all of it is behind the index
    const first = one.block === NO_BLOCK ? 0 : one.block;
    into.set(indexBytes(one.compressed.extents, size, first, start, big, one.packed), tailAt);
    if (one.packed > 0) into.set(packedEnd(plan, one.compressed), into.length - one.packed);
  } else if (layout === LAYOUT.chunks) into.set(chunkTable(one), tailAt);
  return into;
}

/** The last extent of a compressed file. In its block in the spool, encoded bytes are at the end, plain ones at the start. */
function packedEnd(plan: Plan, { offset, blocks, end, extents }: CompressedFile): Uint8Array {
  const at = offset + (isPlain(extents.at(-1)!) ? (blocks - 1) * BLOCK : blocks * BLOCK - end);
  return fileSlice(plan.spool!, at, end).readSync();
}

/** The field `u` of an inode: a block, a count of blocks, a device, or the form of chunks. */
function placeOf(one: Placed): number {
  const { inode } = one;
  if (inode.kind === 'char' || inode.kind === 'block')
    return ((inode.minor & 0xff) | (inode.major << 8) | ((inode.minor & ~0xff) << 12)) >>> 0;
  if (one.layout === LAYOUT.compactIndex) return one.blocks;
  if (one.layout === LAYOUT.chunks) return one.chunkBits!;
  return one.block;
}

function chunkTable(one: Placed): Uint8Array {
  const { inode, chunkBits = 0 } = one;
  const into = new Uint8Array(one.tail).fill(0xff);
  if (inode.kind !== 'file') return into;
  const view = new DataView(into.buffer);
  let block = one.block;
  for (const chunk of chunksOf(blockRanges(inode.content, BLOCK), chunkBits)) {
    view.setUint32(4 * chunk, block, true);
    block += 2 ** chunkBits;
  }
  return into;
}

/** All data of a directory or symbolic link. */
function metadataBytes(plan: Plan, one: Placed): Uint8Array {
  const { inode } = one;
  if (inode.kind === 'symlink') return fromLatin1(inode.target);
  if (inode.kind !== 'directory') throw new TypeError(`a ${inode.kind} has no entries`);
  const parent = one.parent === undefined ? one : plan.places.get(one.parent.inode)!;
  const entries = storedNames(one.names).map((name) => {
    const to = name === '.' ? one : name === '..' ? parent : plan.places.get(inode.children.get(name)!)!;
    return { name, nid: to.at / SLOT, type: FILE_TYPE[to.inode.kind] };
  });
  return directoryBytes(entries, one.ends!, one.size);
}

function inlineTail(plan: Plan, one: Placed): Uint8Array {
  const { inode, size, tail } = one;
  if (inode.kind !== 'file') return metadataBytes(plan, one).subarray(size - tail);
  // small files only: a larger one is read as a stream, and its end must be known here
  const bytes = endOf(inode.content, tail);
  if (bytes.length !== tail) throw wrongSize(plan, one, size - tail + bytes.length);
  return bytes;
}

function endOf(content: FileContent, tail: number): Uint8Array {
  if (content.place !== undefined && content.extents === undefined)
    return fileSlice(content.place.file, content.place.offset + content.size - tail, tail).readSync();
  return content.readSync().subarray(content.size - tail);
}

function wrongSize(plan: Plan, one: Placed, read: number): BuildError<'CONTENT_SIZE'> {
  const root = plan.placed[0]!.inode;
  const path = root.kind === 'directory' ? pathIn(root, one.inode) : display('?');
  return new BuildError('CONTENT_SIZE', { path: `/${path}`, declared: one.size, read });
}

/** Blocks of directories, long targets and files, in the order of inodes. */
async function* emitData(plan: Plan): Bytes {
  const gather = new Gatherer();
  for (const one of plan.placed) {
    if (one.blocks === 0 || one.same !== undefined) continue;
    const { inode } = one;
    const bytes = one.blocks * BLOCK;
    if (inode.kind !== 'file') {
      const data = metadataBytes(plan, one);
      yield* gather.put(data.subarray(0, bytes));
      if (data.length < bytes) yield* gather.put(new Uint8Array(bytes - data.length));
    } else if (one.compressed !== undefined) {
      for await (const piece of fileSlice(plan.spool!, one.compressed.offset, bytes).open()) yield* gather.put(piece);
    } else if (one.layout === LAYOUT.chunks) {
      yield* gather.flush();
      yield* chunkData(plan, one);
    } else if (inode.content.size <= PIECE && inode.content.extents === undefined && one.layout === LAYOUT.plain) {
      if (!gather.fits(bytes)) yield gather.letGo();
      const read = gather.read(inode.content, bytes);
      if (read !== inode.content.size) throw wrongSize(plan, one, read);
    } else {
      yield* gather.flush();
      yield* flatData(plan, one);
    }
  }
  yield* gather.flush();
}

/** The full blocks of a file; its end may be stored inline. */
async function* flatData(plan: Plan, one: Placed): Bytes {
  if (one.inode.kind !== 'file') return;
  const { content } = one.inode;
  const bytes = one.blocks * BLOCK;
  let at = 0;
  for await (const piece of content.open()) {
    const part = piece.subarray(0, Math.max(0, Math.min(content.size, bytes) - at));
    if (part.length > 0) yield part;
    at += piece.length;
  }
  if (at !== content.size) throw wrongSize(plan, one, at);
  if (at < bytes) yield new Uint8Array(bytes - at);
}

/** The chunks of a sparse file that hold data. */
async function* chunkData(plan: Plan, one: Placed): Bytes {
  if (one.inode.kind !== 'file') return;
  const { content } = one.inode;
  const chunkSize = BLOCK * 2 ** one.chunkBits!;
  const chunks = chunksOf(blockRanges(content, BLOCK), one.chunkBits!);
  let index = 0;
  let at = 0;
  for await (const piece of content.open()) {
    for (let from = 0; from < piece.length; ) {
      const here = at + from;
      const chunk = chunks[index];
      if (chunk === undefined) break;
      if (here < chunk * chunkSize) {
        from = Math.min(piece.length, from + chunk * chunkSize - here);
        continue;
      }
      const part = piece.subarray(from, Math.min(piece.length, from + (chunk + 1) * chunkSize - here));
      yield part;
      from += part.length;
      if (at + from === (chunk + 1) * chunkSize) index++;
    }
    at += piece.length;
  }
  if (at !== content.size) throw wrongSize(plan, one, at);
  const last = chunks[chunks.length - 1]!;
  if ((last + 1) * chunkSize > at) yield new Uint8Array((last + 1) * chunkSize - at);
}
