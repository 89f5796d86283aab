import { struct, u16, u32, u64 } from '../../../bytes/struct.ts';
import type { RawInode } from '../volume.ts';
import type { QuotaKind, State, Usage } from './state.ts';

/*
 * Quota files of version 1 (fs/quota/quota_tree.h, quotaio_v2.h): blocks of 1024 bytes; a tree of block numbers by the four
 * bytes of an id, and below it blocks of entries. Block 0 is the header, block 1 the root of the tree.
 */

const Header = struct('quota header', 32, {
  magic: u32,
  version: u32,
  blockGrace: u32,
  inodeGrace: u32,
  flags: u32,
  blocks: u32,
  freeBlock: u32,
  freeEntry: u32,
});

/** struct v2r1_disk_dqblk */
const Entry = struct('quota entry', 72, {
  id: u32,
  pad: u32,
  inodeHard: u64,
  inodeSoft: u64,
  inodes: u64,
  blockHard: u64,
  blockSoft: u64,
  bytes: u64,
  blockTime: u64,
  inodeTime: u64,
});

const LeafHead = struct('quota block', 16, { next: u32, previous: u32, entries: u16, pad: u16, more: u32 });

const BLOCK = 1024;
const DEPTH = 4;
const ROOT = 1;
const PER_LEAF = Math.floor((BLOCK - LeafHead.size) / Entry.size);

/** Adds an inode of `bytes` to the usage of its owners. */
export function addUsage(state: State, { record, extraSize }: RawInode, bytes: number): void {
  const add = (kind: QuotaKind, id: number) => {
    const used = state.usage[kind];
    const one = used.get(id);
    if (one === undefined) used.set(id, { bytes, inodes: 1 });
    else {
      one.bytes += bytes;
      one.inodes++;
    }
  };
  add('user', record.uid + record.uidHigh * 0x10000);
  add('group', record.gid + record.gidHigh * 0x10000);
  // i_projid is the last of 32 bytes
  add('project', extraSize >= 32 ? record.project : 0);
}

/** Compares a quota file with what the inodes use, as e2fsck does. */
export function checkQuota(state: State, inode: RawInode, what: string, magic: number, kind: QuotaKind): void {
  const { volume, findings } = state;
  const fault = (reason: string) => findings.fault(what, reason, inode.number);
  const runs = volume.mapping(inode);
  if (runs[0]?.logical !== 0) return fault('it is empty');
  findings.count('quota file');
  const blocks = Math.floor(inode.size / BLOCK);
  const read = (number: number): Uint8Array | undefined => {
    const at = number * BLOCK;
    const logical = Math.floor(at / volume.blockSize);
    const run = runs.find((one) => logical >= one.logical && logical < one.logical + one.length);
    if (number >= blocks || run === undefined) return undefined;
    volume.spend(1, what);
    const bytes = volume.block(run.physical + logical - run.logical, what);
    return bytes.subarray(at % volume.blockSize, (at % volume.blockSize) + BLOCK);
  };
  const first = read(0);
  if (first === undefined) return fault('it is empty');
  const header = Header.read(first);
  if (header.magic !== magic) return fault('it does not begin with its magic number');
  if (header.version > 1) return fault(`version ${header.version}`);
  if (volume.features.has('ea_inode') || header.version !== 1) {
    findings.unchecked.add('the usage that quota files state');
    return;
  }
  const stated = new Map<number, Usage>();
  // each block is in the tree once
  const seen = new Set<number>();
  const visit = (number: number, depth: number): void => {
    if (seen.has(number)) return fault(`block ${number} of it is twice in its tree`);
    seen.add(number);
    const block = read(number);
    if (block === undefined) return fault(`its tree names block ${number}, it has ${blocks}`);
    if (depth < DEPTH) {
      const view = new DataView(block.buffer, block.byteOffset, BLOCK);
      const below = new Set<number>();
      for (let at = 0; at < BLOCK; at += 4) below.add(view.getUint32(at, true));
      below.delete(0);
      // ids whose entries are in one block share it
      for (const one of below) if (depth + 1 < DEPTH || !seen.has(one)) visit(one, depth + 1);
      return;
    }
    for (let i = 0; i < PER_LEAF; i++) {
      const entry = Entry.read(block, LeafHead.size + i * Entry.size);
      const { id, bytes, inodes } = entry;
      // an entry that is not used is all zeros; root's says so by its times
      if (Object.values(entry).some((value) => value !== 0)) stated.set(id, { bytes, inodes });
    }
  };
  visit(ROOT, 0);
  const used = state.usage[kind];
  for (const [id, { bytes, inodes }] of used) {
    const one = stated.get(id);
    if (one === undefined) fault(`${kind} ${id} is missing in it`);
    else if (one.bytes !== bytes || one.inodes !== inodes)
      fault(`${kind} ${id} has ${one.bytes} bytes in ${one.inodes} inodes in it, ${bytes} in ${inodes} are right`);
  }
  for (const [id, { bytes, inodes }] of stated)
    if (!used.has(id) && (bytes !== 0 || inodes !== 0)) fault(`${kind} ${id} has ${bytes} bytes in it, and no inodes`);
}
