import { copyOf } from '../../bytes/content.ts';
import type { RandomAccess } from '../../bytes/file.ts';
import { array, at, raw, struct, u8, u16, u32 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';

/** Bytes of a sector, the unit of partition tables. */
export const SECTOR = 512;

const Entry = struct('MBR partition entry', 16, {
  status: u8, // 0x80: active
  firstChs: raw(3),
  type: at(4, u8),
  lastChs: raw(3),
  start: at(8, u32), // sectors
  sectors: at(12, u32),
});

const Mbr = struct('master boot record', SECTOR, {
  code: raw(440),
  signature: at(440, u32), // disk id
  reserved: u16,
  entries: at(
    446,
    array(4, {
      size: Entry.size,
      empty: new Uint8Array(Entry.size),
      read: (bytes: Uint8Array, _: DataView, offset: number) => copyOf(bytes.subarray(offset, offset + Entry.size)),
      write: (bytes: Uint8Array, _: DataView, offset: number, value: Uint8Array) => bytes.set(value, offset),
    }),
  ),
  magic: at(510, u16),
});

const MAGIC = 0xaa55;
/** The largest number of sectors that 32 bits hold. */
const SECTORS_MAX = 2 ** 32 - 1;

/** A partition of an MBR, in bytes. */
export interface MbrPartition {
  readonly start: number;
  readonly size: number;
  /** 0x83 Linux, 0xee GPT protective. */
  readonly type: number;
  readonly active?: boolean;
  /** As Linux counts: entries of the table from 1 to 4, logical partitions from 5; set by readers. */
  readonly number?: number;
}

/** Cylinder, head and sector of a sector number, for the conventional geometry of 255 heads and 63 sectors. */
function chs(sector: number): Uint8Array {
  const cylinder = Math.floor(sector / (255 * 63));
  if (cylinder > 1023) return Uint8Array.of(0xfe, 0xff, 0xff);
  const head = Math.floor(sector / 63) % 255;
  return Uint8Array.of(head, (sector % 63) + 1 + ((cylinder >> 8) << 6), cylinder & 0xff);
}

/** The 512 bytes of a master boot record. Starts and sizes are whole sectors; up to four partitions. */
export function mbr(partitions: readonly MbrPartition[], signature = 0): Uint8Array {
  if (partitions.length > 4) throw new RangeError(`an MBR has 4 partitions, not ${partitions.length}`);
  const entries = partitions.map(({ start, size, type, active }) => {
    const first = start / SECTOR;
    const sectors = size / SECTOR;
    if (!Number.isInteger(first) || !Number.isInteger(sectors) || sectors < 1)
      throw new RangeError(`a partition of ${size} bytes at ${start} is not a whole number of sectors`);
    if (first > SECTORS_MAX || sectors > SECTORS_MAX)
      throw new BuildError(
        'DISK_TOO_LARGE',
        { size: start + size, limit: SECTORS_MAX * SECTOR, table: 'MBR' },
        { hint: 'a GPT holds larger disks: set `partitionTable` to "gpt"' },
      );
    const protective = type === 0xee;
    return Entry.bytes({
      status: active ? 0x80 : 0,
      // UEFI requires 0x000200 and 0xffffff as the ends of the protective entry
      firstChs: protective ? Uint8Array.of(0, 2, 0) : chs(first),
      type,
      lastChs: protective ? Uint8Array.of(0xff, 0xff, 0xff) : chs(first + sectors - 1),
      start: first,
      sectors,
    });
  });
  return Mbr.bytes({ signature, entries, magic: MAGIC });
}

/** Reads a master boot record; undefined when the magic is not there or an entry is impossible. */
export function readMbr(
  sector: Uint8Array,
): { readonly signature: number; readonly partitions: MbrPartition[] } | undefined {
  const table = Mbr.read(sector);
  if (table.magic !== MAGIC) return undefined;
  const partitions: MbrPartition[] = [];
  for (const [i, bytes] of table.entries.entries()) {
    const entry = Entry.read(bytes);
    // boot sectors of file systems carry the magic too, with program text where entries would be
    if (entry.status !== 0 && entry.status !== 0x80) return undefined;
    if (entry.type === 0 || entry.sectors === 0) continue;
    partitions.push({
      start: entry.start * SECTOR,
      size: entry.sectors * SECTOR,
      type: entry.type,
      active: entry.status === 0x80,
      number: i + 1,
    });
  }
  return { signature: table.signature, partitions };
}

/** Types of a partition with further tables in it. */
const EXTENDED: readonly number[] = [0x05, 0x0f, 0x85];
/** As many as Linux reads on a disk (its minors of old). */
const LOGICAL_MAX = 60;

/** True for a partition that only holds logical ones. */
export function isExtended({ type }: MbrPartition): boolean {
  return EXTENDED.includes(type);
}

/**
 * The logical partitions in an extended one, in bytes from the start of the disk. Each has a table of its own: the first
 * entry counts from that table, the second leads to the next table and counts from the start of the extended partition.
 */
export function readLogical(disk: RandomAccess, extended: MbrPartition): MbrPartition[] {
  const found: MbrPartition[] = [];
  const sector = new Uint8Array(SECTOR);
  const end = Math.min(extended.start + extended.size, disk.size);
  const seen = new Set<number>();
  for (let at = extended.start; at + SECTOR <= end && !seen.has(at) && found.length < LOGICAL_MAX; ) {
    seen.add(at);
    disk.readAt(at, sector);
    const partitions = readMbr(sector)?.partitions ?? [];
    const next = partitions.find(isExtended);
    for (const one of partitions)
      if (!isExtended(one)) found.push({ ...one, start: at + one.start, number: 5 + found.length });
    if (next === undefined) break;
    at = extended.start + next.start;
  }
  return found;
}
