import type { RandomAccess } from '../bytes/file.ts';
import { DAX_HEADER_OFFSET, DAX_HEADER_SIZE, readDaxHeader } from '../formats/disk/dax.ts';
import { discoverableRole } from '../formats/disk/discoverable.ts';
import { type GptTable, gptStart, readGpt } from '../formats/disk/gpt.ts';
import { isExtended, type MbrPartition, readLogical, readMbr, SECTOR } from '../formats/disk/mbr.ts';
import { formatUuid } from '../formats/disk/uuid.ts';
import type { Structure } from './kind.ts';

/** Offsets of file systems on a disk, in bytes. */
export interface Volume {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  /** Marked active in an MBR. */
  readonly active?: boolean;
  /** What the type of a GPT partition says that it holds, and its UUID. */
  readonly role?: ReturnType<typeof discoverableRole>;
  readonly guid?: Uint8Array;
}

const DAX_TABLE = 2 * 1024 * 1024;
const PROTECTIVE = 0xee;

/** Partition tables and headers of a disk, in order of their offset. */
export function diskStructures(disk: RandomAccess): { readonly structures: Structure[]; readonly volumes: Volume[] } {
  const structures: Structure[] = [];
  const first = tableAt(disk, 0);
  const gpt = readGpt(disk);
  const dax = daxAt(disk);
  const inner = gpt === undefined ? tableAt(disk, DAX_TABLE) : undefined;
  // both MBRs of a disk for NVDIMM devices name the same partitions, and either shows that the header belongs there
  const forNvdimm = dax !== undefined || (inner !== undefined && (first?.[0]?.start ?? 0) > DAX_TABLE);
  const mbrFaults: string[] = [];
  if (first === undefined && (gpt !== undefined || forNvdimm)) mbrFaults.push('there is no MBR where one should be');
  if (gpt !== undefined && first !== undefined) mbrFaults.push(...protectiveFaults(disk, first, gpt.sectorSize));
  if (first !== undefined || mbrFaults.length > 0)
    structures.push(mbrStructure(disk, gpt === undefined ? 'MBR' : 'protective MBR', 0, first ?? [], mbrFaults));
  if (gpt !== undefined) structures.push(...gptStructures(disk, gpt));
  if (dax !== undefined) structures.push(dax);
  else if (forNvdimm) {
    const faults = ['there is none, though an MBR at 2 MiB waits for it'];
    structures.push({ what: 'DAX header', offset: DAX_HEADER_OFFSET, size: DAX_HEADER_SIZE, facts: {}, faults });
  }
  if (forNvdimm) {
    const faults: string[] = [];
    if (inner === undefined) faults.push('there is no second MBR at 2 MiB for it');
    else if (first !== undefined && places(inner) !== places(first))
      faults.push(`the MBR at 2 MiB names partitions ${places(inner)}, the first one ${places(first)}`);
    structures.push(mbrStructure(disk, 'MBR for NVDIMM', DAX_TABLE, inner ?? [], faults));
  }
  return { structures, volumes: volumesOf(disk, gpt, first ?? (forNvdimm ? inner : undefined) ?? []) };
}

/** Partitions that an MBR at `offset` names, counted from the start of the disk; undefined if there is no MBR. */
function tableAt(disk: RandomAccess, offset: number): MbrPartition[] | undefined {
  if (offset + SECTOR > disk.size) return undefined;
  const sector = new Uint8Array(SECTOR);
  disk.readAt(offset, sector);
  const found = readMbr(sector);
  if (found === undefined || found.partitions.length === 0) return undefined;
  return found.partitions.flatMap((one) => {
    const partition = { ...one, start: one.start + offset };
    return isExtended(partition) ? [partition, ...readLogical(disk, partition)] : [partition];
  });
}

function places(table: readonly MbrPartition[]): string {
  return table.map(({ start, size, type }) => `${start}+${size} (0x${type.toString(16)})`).join(', ');
}

function mbrStructure(
  disk: RandomAccess,
  what: string,
  offset: number,
  table: readonly MbrPartition[],
  faults: string[],
): Structure {
  const partitions = table.map((one) => ({ ...one, type: `0x${one.type.toString(16)}` }));
  for (const [i, one] of table.entries()) {
    const { start, size, type, number = i + 1 } = one;
    // the protective entry of a disk larger than 2 TiB has 2^32 - 1 sectors
    if (start + size > disk.size && type !== PROTECTIVE)
      faults.push(`partition ${number} ends at ${start + size}, the disk at ${disk.size}`);
    for (const [j, other] of table.entries())
      if (j < i && start < other.start + other.size && other.start < start + size && !isWithin(one, other))
        faults.push(`partitions ${other.number ?? j + 1} and ${number} overlap`);
  }
  return { what, offset, size: SECTOR, facts: { partitions }, faults };
}

/** True for a logical partition that lies in the extended one. */
function isWithin(logical: MbrPartition, extended: MbrPartition): boolean {
  if (!isExtended(extended) || (logical.number ?? 0) < 5) return false;
  return logical.start > extended.start && logical.start + logical.size <= extended.start + extended.size;
}

/** UEFI specification 2.10, table 5.3: one entry covers everything after it. More entries make it a hybrid MBR. */
function protectiveFaults(disk: RandomAccess, table: readonly MbrPartition[], sectorSize: number): string[] {
  const entry = table.find(({ type }) => type === PROTECTIVE);
  if (entry === undefined) return ['it protects nothing: it has no entry of type 0xee'];
  const sectors = entry.size / SECTOR;
  const whole = Math.floor(disk.size / sectorSize) - 1;
  if (
    entry.start !== SECTOR ||
    (table.length === 1 && sectors !== Math.min(whole, 2 ** 32 - 1) && sectors !== 2 ** 32 - 1)
  )
    return [`its protective entry covers sectors ${entry.start / SECTOR}+${sectors}, not 1+${whole}`];
  return [];
}

function gptStructures(disk: RandomAccess, gpt: GptTable): Structure[] {
  const partitions = gpt.partitions.map((one) => ({ ...one, type: formatUuid(one.type), guid: formatUuid(one.guid) }));
  const { sectorSize } = gpt;
  const facts = { disk: formatUuid(gpt.diskGuid), ...(sectorSize === SECTOR ? {} : { sectorSize }), partitions };
  const size = gptStart(sectorSize) - sectorSize;
  return [
    { what: 'GPT', offset: sectorSize, size, facts, faults: gpt.faults, parts: gpt.parts },
    { what: 'backup GPT', offset: disk.size - size, size, facts: {}, faults: gpt.backupFaults, parts: gpt.backupParts },
  ];
}

function daxAt(disk: RandomAccess): Structure | undefined {
  if (disk.size < DAX_HEADER_OFFSET + DAX_HEADER_SIZE) return undefined;
  const block = new Uint8Array(DAX_HEADER_SIZE);
  disk.readAt(DAX_HEADER_OFFSET, block);
  const dax = readDaxHeader(block);
  if (dax === undefined) return undefined;
  const { dataOffset, align, sound } = dax;
  const faults = sound ? [] : ['its checksum is wrong'];
  return { what: 'DAX header', offset: DAX_HEADER_OFFSET, size: DAX_HEADER_SIZE, facts: { dataOffset, align }, faults };
}

function volumesOf(disk: RandomAccess, gpt: GptTable | undefined, table: readonly MbrPartition[]): Volume[] {
  if (gpt === undefined)
    return table
      .filter((one) => one.start < disk.size && !isExtended(one))
      .map(({ start, size, active = false, number }, i) => ({
        name: `partition ${number ?? i + 1}`,
        offset: start,
        size: Math.min(size, disk.size - start),
        active,
      }));
  return gpt.partitions.flatMap(({ name, start, size, type, guid, number }) => {
    // an entry may end before it begins
    if (size <= 0 || start + size > disk.size) return [];
    const role = discoverableRole(formatUuid(type));
    const named = name === '' ? `partition ${number}` : name;
    return [{ name: named, offset: start, size, guid, ...(role === undefined ? {} : { role }) }];
  });
}
