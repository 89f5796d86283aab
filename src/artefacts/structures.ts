import type { RandomAccess } from '../bytes/file.ts';
import { DAX_HEADER_OFFSET, DAX_HEADER_SIZE, readDaxHeader } from '../formats/disk/dax.ts';
import { type GptTable, readGpt } from '../formats/disk/gpt.ts';
import { type MbrPartition, readMbr, SECTOR } from '../formats/disk/mbr.ts';
import { formatUuid } from '../formats/disk/uuid.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';

/** A structure on a disk: what it is, where it lies, and what it says. */
export interface Structure {
  readonly what: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly size: number;
  readonly facts: Readonly<Record<string, unknown>>;
  /** What is wrong with it; empty when every checksum agrees. */
  readonly faults: readonly string[];
  /** What it is made of, where each lies in the file. */
  readonly parts?: readonly { readonly what: string; readonly offset: number; readonly size: number }[];
}

/** Where file systems lie on a disk, in bytes. */
export interface Volume {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

const DAX_TABLE = 2 * 1024 * 1024;
const PROTECTIVE = 0xee;
const GPT_SECTORS = 33;

/** Partition tables and headers of a disk, in the order in which they lie. */
export function diskStructures(disk: RandomAccess): { readonly structures: Structure[]; readonly volumes: Volume[] } {
  const structures: Structure[] = [];
  const first = tableAt(disk, 0);
  const gpt = readGpt(disk);
  const dax = daxAt(disk);
  const inner = gpt === undefined ? tableAt(disk, DAX_TABLE) : undefined;
  // both MBRs of a disk for NVDIMM devices name the same partitions, and either says that the header belongs there
  const forNvdimm = dax !== undefined || (inner !== undefined && (first?.[0]?.start ?? 0) > DAX_TABLE);
  const mbrFaults: string[] = [];
  if (first === undefined && (gpt !== undefined || forNvdimm)) mbrFaults.push('there is no MBR where one should be');
  if (gpt !== undefined && first !== undefined) mbrFaults.push(...protectiveFaults(disk, first));
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

/** Partitions that an MBR at `offset` names, counted from the start of the disk; undefined where there is no MBR. */
function tableAt(disk: RandomAccess, offset: number): MbrPartition[] | undefined {
  if (offset + SECTOR > disk.size) return undefined;
  const sector = new Uint8Array(SECTOR);
  disk.readAt(offset, sector);
  const found = readMbr(sector);
  if (found === undefined || found.partitions.length === 0) return undefined;
  return found.partitions.map((one) => ({ ...one, start: one.start + offset }));
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
  for (const [i, { start, size, type }] of table.entries()) {
    // a protective entry of a disk beyond 2 TiB says 2^32 - 1 sectors
    if (start + size > disk.size && type !== PROTECTIVE)
      faults.push(`partition ${i + 1} ends at ${start + size}, the disk at ${disk.size}`);
    for (const [j, other] of table.entries())
      if (j < i && start < other.start + other.size && other.start < start + size)
        faults.push(`partitions ${j + 1} and ${i + 1} overlap`);
  }
  return { what, offset, size: SECTOR, facts: { partitions }, faults };
}

/** UEFI specification 2.10, table 5.3: one entry over everything behind it. Others beside it make a hybrid. */
function protectiveFaults(disk: RandomAccess, table: readonly MbrPartition[]): string[] {
  const entry = table.find(({ type }) => type === PROTECTIVE);
  if (entry === undefined) return ['it protects nothing: it has no entry of type 0xee'];
  const sectors = entry.size / SECTOR;
  const whole = Math.floor(disk.size / SECTOR) - 1;
  if (
    entry.start !== SECTOR ||
    (table.length === 1 && sectors !== Math.min(whole, 2 ** 32 - 1) && sectors !== 2 ** 32 - 1)
  )
    return [`its protective entry covers sectors ${entry.start / SECTOR}+${sectors}, not 1+${whole}`];
  return [];
}

function gptStructures(disk: RandomAccess, gpt: GptTable): Structure[] {
  const partitions = gpt.partitions.map((one) => ({ ...one, type: formatUuid(one.type), guid: formatUuid(one.guid) }));
  const facts = { disk: formatUuid(gpt.diskGuid), partitions };
  const size = GPT_SECTORS * SECTOR;
  return [
    { what: 'GPT', offset: SECTOR, size, facts, faults: gpt.faults, parts: gpt.parts },
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
      .filter(({ start }) => start < disk.size)
      .map(({ start, size }, i) => ({
        name: `partition ${i + 1}`,
        offset: start,
        size: Math.min(size, disk.size - start),
      }));
  return gpt.partitions.flatMap(({ name, start, size }, i) =>
    start + size <= disk.size ? [{ name: name === '' ? `partition ${i + 1}` : name, offset: start, size }] : [],
  );
}

/** Numbers of a tree. */
export interface TreeFacts {
  readonly entries: number;
  readonly files: number;
  readonly directories: number;
  readonly links: number;
  readonly others: number;
  /** Bytes of regular files, hard-linked ones once. */
  readonly bytes: number;
  /** The guest's own summary, where it has one, as it stands there. */
  readonly summary: string | undefined;
}

/** Counts what a tree holds. */
export function treeFacts(tree: Tree): TreeFacts {
  const count = { files: 0, directories: 0, links: 0, others: 0 };
  let entries = 0;
  let bytes = 0;
  const seen = new Set<unknown>();
  for (const { path, inode } of tree.walk()) {
    if (path !== '') entries++;
    if (inode.kind === 'file') {
      count.files++;
      if (!seen.has(inode)) bytes += inode.content.size;
      seen.add(inode);
    } else if (inode.kind === 'directory') count.directories++;
    else if (inode.kind === 'symlink') count.links++;
    else count.others++;
  }
  return { entries, ...count, bytes, summary: tree.text('var/lib/osbuilder/osbuilder.yaml') };
}

const LETTER = { file: '-', directory: 'd', symlink: 'l', char: 'c', block: 'b', fifo: 'p', socket: 's' } as const;

/** One line for each entry, like `tar -tv`'s with numbers for owners: mode, owner, size or device, time, path. */
export function* listing(tree: Tree): Generator<string> {
  for (const { path, inode } of tree.walk()) {
    if (path === '') continue;
    const what =
      inode.kind === 'file'
        ? String(inode.content.size)
        : inode.kind === 'char' || inode.kind === 'block'
          ? `${inode.major},${inode.minor}`
          : '0';
    const time = new Date(inode.mtime * 1000).toISOString().slice(0, 19).replace('T', ' ');
    const target = inode.kind === 'symlink' ? ` -> ${display(inode.target)}` : '';
    yield `${LETTER[inode.kind]}${permissions(inode.mode)} ${`${inode.uid}/${inode.gid}`.padEnd(9)} ${what.padStart(10)} ${time} ${display(path)}${target}`;
  }
}

function permissions(mode: number): string {
  const letters = ['r', 'w', 'x', 'r', 'w', 'x', 'r', 'w', 'x'].map((letter, i) =>
    mode & (0o400 >> i) ? letter : '-',
  );
  const special = (bit: number, at: number, set: string) => {
    if (mode & bit) letters[at] = letters[at] === 'x' ? set : set.toUpperCase();
  };
  special(0o4000, 2, 's');
  special(0o2000, 5, 's');
  special(0o1000, 8, 't');
  return letters.join('');
}
