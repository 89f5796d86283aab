import { crc32 } from 'node:zlib';
import { type Content, compose, copyOf, memory } from '../../bytes/content.ts';
import type { RandomAccess } from '../../bytes/file.ts';
import { at, raw, struct, text, u32, u64 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import { mbr, SECTOR } from './mbr.ts';
import { mixedEndian } from './uuid.ts';

// UEFI specification 2.10, section 5.3
const Header = struct('GPT header', 92, {
  signature: text(8),
  revision: u32,
  headerSize: at(12, u32),
  headerCrc: u32,
  reserved: u32,
  currentLba: at(24, u64),
  backupLba: u64,
  firstUsable: u64,
  lastUsable: u64,
  diskGuid: at(56, raw(16)),
  entriesLba: at(72, u64),
  entryCount: u32,
  entrySize: u32,
  entriesCrc: at(88, u32),
});

const Entry = struct('GPT partition entry', 128, {
  type: raw(16),
  guid: raw(16),
  first: at(32, u64),
  last: u64, // inclusive
  attributes: raw(8),
  name: at(56, raw(72)), // UTF-16LE
});

const SIGNATURE = 'EFI PART';
const ENTRIES = 128;
const TABLE = ENTRIES * Entry.size;

/** Sizes of a disk's logical sectors that tables are written for, and looked for in a file that does not say its own. */
const SECTOR_SIZES = [SECTOR, 4096] as const;

/** Sectors of the table at each end of the disk: a header and 16 KiB of entries. */
const tableSectors = (sectorSize: number) => 1 + TABLE / sectorSize;

/** Bytes that a table takes at the start of a disk, the protective MBR included. */
export function gptStart(sectorSize: number = SECTOR): number {
  return (1 + tableSectors(sectorSize)) * sectorSize;
}

/** A partition to create. UUIDs are 16 bytes in the order of their text form. */
export interface GptPartition {
  readonly name: string;
  readonly type: Uint8Array;
  readonly guid: Uint8Array;
  readonly content: Content;
  /** Eight bytes, little-endian; bit 60 read-only, 63 no automount. */
  readonly attributes?: Uint8Array;
}

/** A partition read from a table, in bytes. */
export interface GptFound {
  readonly name: string;
  readonly type: Uint8Array;
  readonly guid: Uint8Array;
  readonly start: number;
  readonly size: number;
  /** Bit 60 of its attributes. */
  readonly readOnly: boolean;
  /** Number of its entry, from 1 on; unused ones count. */
  readonly number: number;
}

/** A partition table that was read, and whether its parts are consistent. */
export interface GptTable {
  readonly diskGuid: Uint8Array;
  /** Bytes of a logical sector. */
  readonly sectorSize: number;
  readonly partitions: readonly GptFound[];
  /** Faults, as sentences; empty when all checksums are right and both copies agree. */
  readonly faults: readonly string[];
  /** Faults of the backup only. */
  readonly backupFaults: readonly string[];
  /** Where header and entries are, and those of the backup. */
  readonly parts: readonly TablePart[];
  readonly backupParts: readonly TablePart[];
}

/** A header, or a list of entries: where it is, in bytes. */
export interface TablePart {
  readonly what: string;
  readonly offset: number;
  readonly size: number;
}

/**
 * A disk with a GPT: protective MBR, table, partitions each on a multiple of `alignment` bytes (1 MiB), backup table.
 * `size` in bytes; the smallest possible when absent. `sectorSize` is 512 or, for disks with such logical sectors, 4096.
 *
 * @example
 * ```ts
 * import { ext4Image, gptDisk, parseUuid, pour, Tree } from 'osbuilder';
 *
 * const uuid = (text: string) => parseUuid(text) ?? new Uint8Array(16);
 * const disk = gptDisk(
 *   [
 *     {
 *       name: 'root',
 *       type: uuid('4f68bce3-e8cd-4db1-96e7-fbcaf984b709'),
 *       guid: uuid('6f1d3f3e-5a2b-4c1d-9e8f-0a1b2c3d4e5f'),
 *       content: ext4Image(new Tree()),
 *     },
 *   ],
 *   { diskGuid: uuid('0a1b2c3d-4e5f-4c1d-9e8f-6f1d3f3e5a2b') },
 * );
 * await pour(disk.open(), 'own.img', { sparse: true });
 * console.log(disk.size % 512); // prints: 0
 * ```
 */
export function gptDisk(
  partitions: readonly GptPartition[],
  options: {
    readonly diskGuid: Uint8Array;
    readonly alignment?: number;
    readonly size?: number;
    readonly sectorSize?: number;
  },
): Content {
  const sector = options.sectorSize ?? SECTOR;
  const tableSize = tableSectors(sector);
  const alignment = options.alignment ?? 1024 * 1024;
  if (partitions.length > ENTRIES) throw new RangeError(`a GPT has ${ENTRIES} partitions, not ${partitions.length}`);
  const up = (n: number, to: number) => Math.ceil(n / to) * to;
  let end = gptStart(sector);
  const laid = partitions.map((partition) => {
    const offset = up(end, alignment);
    end = offset + up(partition.content.size, sector);
    return { offset, size: end - offset, partition };
  });
  const least = end + tableSize * sector;
  const size = up(options.size ?? least, options.size === undefined ? alignment : sector);
  if (size < least || (options.size !== undefined && options.size % sector !== 0))
    throw new BuildError('DISK_TOO_SMALL', { size, needed: least });

  const entries = new Uint8Array(TABLE);
  for (const [i, { offset, size: bytes, partition }] of laid.entries()) {
    const name = Buffer.from(partition.name, 'utf16le');
    if (name.length > 72) throw new RangeError(`partition name "${partition.name}" is longer than 36 characters`);
    Entry.write(entries, i * Entry.size, {
      type: mixedEndian(partition.type),
      guid: mixedEndian(partition.guid),
      first: offset / sector,
      last: (offset + bytes) / sector - 1,
      attributes: partition.attributes ?? new Uint8Array(8),
      name,
    });
  }
  const sectors = size / sector;
  const header = (currentLba: number, backupLba: number, entriesLba: number) => {
    const bytes = new Uint8Array(sector);
    Header.write(bytes, 0, {
      signature: SIGNATURE,
      revision: 0x00010000,
      headerSize: Header.size,
      currentLba,
      backupLba,
      firstUsable: 1 + tableSize,
      lastUsable: sectors - tableSize - 1,
      diskGuid: mixedEndian(options.diskGuid),
      entriesLba,
      entryCount: ENTRIES,
      entrySize: Entry.size,
      entriesCrc: crc32(entries),
    });
    new DataView(bytes.buffer).setUint32(Header.offset.headerCrc, crc32(bytes.subarray(0, Header.size)), true);
    return bytes;
  };
  // the MBR counts logical sectors of any size
  const protective = mbr([{ start: SECTOR, size: Math.min(sectors - 1, 2 ** 32 - 1) * SECTOR, type: 0xee }]);
  return compose(size, [
    { offset: 0, content: memory(protective) },
    { offset: sector, content: memory(header(1, sectors - 1, 2)) },
    { offset: 2 * sector, content: memory(entries) },
    ...laid.map(({ offset, partition }) => ({ offset, content: partition.content })),
    { offset: size - tableSize * sector, content: memory(entries) },
    { offset: size - sector, content: memory(header(sectors - 1, 1, sectors - tableSize)) },
  ]);
}

interface Copy {
  readonly lba: number;
  readonly header: ReturnType<typeof Header.read>;
  readonly entries: Uint8Array;
  readonly faults: string[];
}

/**
 * Reads a disk's GPT, from its backup where the first copy is damaged; undefined when there is none.
 *
 * @example
 * ```ts
 * import { randomAccess, readGpt } from 'osbuilder';
 *
 * const table = readGpt(randomAccess('gpt.img'));
 * for (const { name, start } of table?.partitions ?? []) console.log(name, start); // prints: root 1048576
 * ```
 */
export function readGpt(disk: RandomAccess): GptTable | undefined {
  const tables = SECTOR_SIZES.map((size) => readTable(disk, size)).filter((table) => table !== undefined);
  return tables.find(({ faults }) => faults.length === 0) ?? tables[0];
}

function readTable(disk: RandomAccess, sectorSize: number): GptTable | undefined {
  const tableSize = tableSectors(sectorSize);
  if (disk.size < (2 + 2 * tableSize) * sectorSize) return undefined;
  const last = Math.floor(disk.size / sectorSize) - 1;
  const primary = readCopy(disk, 1, sectorSize, 'the primary table');
  const backup =
    readCopy(disk, primary?.header.backupLba ?? last, sectorSize, 'the backup table') ??
    readCopy(disk, last, sectorSize, 'the backup table');
  const good = [primary, backup].find((copy) => copy !== undefined && copy.faults.length === 0) ?? primary ?? backup;
  if (good === undefined) return undefined;
  const faults = [...(primary?.faults ?? ['the primary table is not there'])];
  const backupFaults = backup?.faults ?? ['the backup table is not there'];
  if (primary !== undefined && backup !== undefined && Buffer.compare(primary.entries, backup.entries) !== 0)
    faults.push('the two tables list different partitions');
  const partitions: GptFound[] = [];
  for (let at = 0; at + Entry.size <= good.entries.length; at += good.header.entrySize) {
    const entry = Entry.read(good.entries, at);
    if (entry.type.every((byte) => byte === 0)) continue;
    const padded = Buffer.from(entry.name).toString('utf16le');
    const end = padded.indexOf('\0');
    const name = end < 0 ? padded : padded.slice(0, end);
    const start = entry.first * sectorSize;
    const size = (entry.last - entry.first + 1) * sectorSize;
    if (size <= 0 || start + size > disk.size) faults.push(`partition "${name}" reaches out of the disk`);
    const readOnly = (entry.attributes[7]! & 0x10) !== 0;
    const number = at / good.header.entrySize + 1;
    const [type, guid] = [mixedEndian(entry.type), mixedEndian(entry.guid)];
    partitions.push({ name, type, guid, start, size, readOnly, number });
  }
  for (const [i, one] of partitions.entries())
    for (const other of partitions.slice(0, i))
      if (one.start < other.start + other.size && other.start < one.start + one.size)
        faults.push(`partitions "${other.name}" and "${one.name}" overlap`);
  return {
    diskGuid: mixedEndian(good.header.diskGuid),
    sectorSize,
    partitions,
    faults,
    backupFaults,
    parts: partsOf(primary, sectorSize),
    backupParts: partsOf(backup, sectorSize),
  };
}

function partsOf(copy: Copy | undefined, sectorSize: number): TablePart[] {
  if (copy === undefined) return [];
  const header = { what: 'header', offset: copy.lba * sectorSize, size: sectorSize };
  if (copy.entries.length === 0) return [header];
  const entries = { what: 'entries', offset: copy.header.entriesLba * sectorSize, size: copy.entries.length };
  return [header, entries].sort((a, b) => a.offset - b.offset);
}

function readCopy(disk: RandomAccess, lba: number, sectorSize: number, name: string): Copy | undefined {
  if (lba < 1 || (lba + 1) * sectorSize > disk.size) return undefined;
  const sector = new Uint8Array(sectorSize);
  disk.readAt(lba * sectorSize, sector);
  const header = Header.read(sector);
  if (header.signature !== SIGNATURE) return undefined;
  const faults: string[] = [];
  // bounds first: a hostile header must not make us read gigabytes
  if (
    header.headerSize < Header.size ||
    header.headerSize > sectorSize ||
    header.entrySize < Entry.size ||
    header.entrySize > 4096 ||
    header.entryCount > 1024
  )
    return {
      lba,
      header: { ...header, entrySize: Entry.size },
      entries: new Uint8Array(0),
      faults: [`${name} has impossible sizes`],
    };
  const bytes = header.entryCount * header.entrySize;
  if (header.entriesLba * sectorSize + bytes > disk.size)
    return { lba, header, entries: new Uint8Array(0), faults: [`${name} reaches out of the disk`] };
  const checked = copyOf(sector.subarray(0, header.headerSize));
  new DataView(checked.buffer).setUint32(Header.offset.headerCrc, 0, true);
  if (crc32(checked) !== header.headerCrc) faults.push(`${name}: the header's CRC is wrong`);
  if (header.currentLba !== lba) faults.push(`${name} says it is at sector ${header.currentLba}, it is at ${lba}`);
  const entries = new Uint8Array(bytes);
  disk.readAt(header.entriesLba * sectorSize, entries);
  if (crc32(entries) !== header.entriesCrc) faults.push(`${name}: the entries' CRC is wrong`);
  return { lba, header, entries, faults };
}
