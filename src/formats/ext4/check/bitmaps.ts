import { crc32c } from '../../../bytes/crc32c.ts';
import { GROUP_BLOCK_UNINIT, GROUP_INODE_UNINIT } from '../layout.ts';
import { popCount } from './marks.ts';
import { KIND, type State } from './state.ts';

/** The file system's own counts of what is free and in use, beside what was found. */
interface Totals {
  freeClusters: number;
  freeInodes: number;
}

/** Bitmaps and counts of every group, and the totals, against what the files and directories use. */
export function checkBitmaps(state: State): void {
  const { volume, findings } = state;
  const { sb, features } = volume;
  const directories = new Map<number, number>();
  for (const number of state.directories.keys()) {
    const group = Math.floor((number - 1) / sb.inodesPerGroup);
    directories.set(group, (directories.get(group) ?? 0) + 1);
  }
  const totals: Totals = { freeClusters: 0, freeInodes: 0 };
  for (let group = 0; group < volume.groups; group++)
    state.attempt(`group ${group}`, undefined, () => checkGroup(state, group, directories.get(group) ?? 0, totals));
  const high = (value: number) => (features.has('64bit') ? value * 2 ** 32 : 0);
  const freeBlocks = sb.freeBlocks + high(sb.freeBlocksHigh);
  // descriptors count clusters, the superblock counts blocks
  const right = totals.freeClusters * state.ratio;
  if (freeBlocks !== right)
    findings.fault('superblock', `it says that ${freeBlocks} blocks are free, ${right} is right`);
  if (sb.freeInodes !== totals.freeInodes)
    findings.fault('superblock', `it says that ${sb.freeInodes} inodes are free, ${totals.freeInodes} is right`);
}

function checkGroup(state: State, group: number, directories: number, totals: Totals): void {
  const { volume, findings } = state;
  const { sb, descriptorSize } = volume;
  const { record, blockBitmap, inodeBitmap } = volume.groupOf(group);
  const wide = descriptorSize >= 64;
  const join = (low: number, high: number) => (wide ? high * 2 ** 16 : 0) + low;
  const at = `descriptor of group ${group}`;

  const clusters = Math.min(state.clustersPerGroup, Math.ceil((volume.blocks - state.groupStart(group)) / state.ratio));
  const used = new Uint8Array(volume.blockSize);
  const fits = state.clustersPerGroup <= volume.blockSize * 8;
  if (fits) {
    state.used.copy(group * state.clustersPerGroup, clusters, used);
    // what is behind the end of the file system counts as used
    fill(used, clusters);
    const uninitialised = state.lazy && (record.flags & GROUP_BLOCK_UNINIT) !== 0;
    if (!uninitialised)
      compare(state, group, used, {
        name: 'block bitmap',
        block: blockBitmap,
        bits: state.clustersPerGroup,
        stored: join(record.blockBitmapChecksum, record.blockBitmapChecksumHigh),
        what: (bit) => {
          const block = state.groupStart(group) + bit * state.ratio;
          return state.ratio === 1 ? `block ${block}` : `cluster of block ${block}`;
        },
      });
    const free = clusters - popCount(used, clusters);
    totals.freeClusters += free;
    const stored = join(record.freeBlocks, record.freeBlocksHigh);
    if (stored !== free) findings.fault(at, `it says that ${stored} blocks are free, ${free} is right`);
  }

  const uninitialised = state.lazy && (record.flags & GROUP_INODE_UNINIT) !== 0;
  const inodes = new Uint8Array(volume.blockSize);
  const first = group * sb.inodesPerGroup + 1;
  for (let i = 0; i < sb.inodesPerGroup; i++)
    if (state.kind(first + i) !== KIND.unused || first + i < volume.firstInode) inodes[i >> 3]! |= 1 << (i & 7);
  fill(inodes, sb.inodesPerGroup);
  if (!uninitialised)
    compare(state, group, inodes, {
      name: 'inode bitmap',
      block: inodeBitmap,
      bits: sb.inodesPerGroup,
      stored: join(record.inodeBitmapChecksum, record.inodeBitmapChecksumHigh),
      what: (bit) => `inode ${first + bit}`,
    });
  const free = sb.inodesPerGroup - popCount(inodes, sb.inodesPerGroup);
  totals.freeInodes += free;
  const stored = join(record.freeInodes, record.freeInodesHigh);
  if (stored !== free) findings.fault(at, `it says that ${stored} inodes are free, ${free} is right`);
  const counted = join(record.directories, record.directoriesHigh);
  if (counted !== directories)
    findings.fault(at, `it says that it has ${counted} directories, ${directories} is right`);
}

/** Sets all bits from `bits` on. */
function fill(bytes: Uint8Array, bits: number): void {
  for (let bit = bits; (bit & 7) !== 0 && bit >> 3 < bytes.length; bit++) bytes[bit >> 3]! |= 1 << (bit & 7);
  bytes.fill(0xff, (bits + 7) >> 3);
}

interface Bitmap {
  readonly name: string;
  readonly block: number;
  /** Bits that belong to the group; those behind are ones. */
  readonly bits: number;
  /** The checksum in the descriptor. */
  readonly stored: number;
  what(bit: number): string;
}

/** Differences that are listed for one bitmap. */
const MOST_DIFFERENCES = 5;

function compare(state: State, group: number, expected: Uint8Array, bitmap: Bitmap): void {
  const { volume, findings } = state;
  const at = `${bitmap.name} of group ${group}`;
  if (!state.inRange(bitmap.block)) return;
  findings.count('bitmap');
  const bytes = volume.block(bitmap.block, at);
  if (volume.checksums) {
    const crc = crc32c(volume.seed, bytes, 0, bitmap.bits / 8);
    findings.sum('bitmap checksum', at, {
      stored: bitmap.stored,
      computed: volume.descriptorSize >= 64 ? crc : crc & 0xffff,
    });
  }
  if (Buffer.compare(bytes, expected) === 0) return;
  let differences = 0;
  for (let byte = 0; byte < bytes.length; byte++) {
    if (bytes[byte] === expected[byte]) continue;
    for (let bit = byte * 8; bit < byte * 8 + 8; bit++) {
      const is = (bytes[byte]! >> (bit & 7)) & 1;
      if (is === ((expected[byte]! >> (bit & 7)) & 1)) continue;
      if (bit >= bitmap.bits) {
        findings.fault(at, `what follows its ${bitmap.bits} bits is not all ones`);
        break;
      }
      if (differences++ < MOST_DIFFERENCES)
        findings.fault(at, `${bitmap.what(bit)} is ${is ? 'free, but marked as used' : 'used, but marked as free'}`);
    }
  }
  if (differences > MOST_DIFFERENCES) findings.fault(at, `${differences - MOST_DIFFERENCES} more bits are wrong`);
}
