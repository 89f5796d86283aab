import type { RandomAccess } from '../bytes/file.ts';
import { DAX_HEADER_OFFSET, DAX_HEADER_SIZE, readDaxHeader } from '../formats/disk/dax.ts';
import { readGpt } from '../formats/disk/gpt.ts';
import { readMbr, SECTOR } from '../formats/disk/mbr.ts';
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
}

/** Where file systems lie on a disk, in bytes. */
export interface Volume {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

const DAX_TABLE = 2 * 1024 * 1024;

/** Partition tables and headers of a disk, in the order in which they lie. */
export function diskStructures(disk: RandomAccess): { readonly structures: Structure[]; readonly volumes: Volume[] } {
  const structures: Structure[] = [];
  const volumes: Volume[] = [];
  const sector = new Uint8Array(SECTOR);
  const table = (offset: number, what: string) => {
    if (offset + SECTOR > disk.size) return undefined;
    disk.readAt(offset, sector);
    const found = readMbr(sector);
    if (found === undefined || found.partitions.length === 0) return undefined;
    const partitions = found.partitions.map((one) => ({
      ...one,
      start: one.start + offset,
      type: `0x${one.type.toString(16)}`,
    }));
    const faults = partitions.flatMap((one, i) =>
      one.start + one.size > disk.size
        ? [`partition ${i + 1} ends at ${one.start + one.size}, the disk at ${disk.size}`]
        : [],
    );
    structures.push({ what, offset, size: SECTOR, facts: { partitions }, faults });
    return found.partitions.map((one) => ({ ...one, start: one.start + offset }));
  };
  const mbr = table(0, 'MBR');
  const gpt = readGpt(disk);
  if (gpt !== undefined) {
    const partitions = gpt.partitions.map((one) => ({
      ...one,
      type: formatUuid(one.type),
      guid: formatUuid(one.guid),
    }));
    structures.push({
      what: 'GPT',
      offset: SECTOR,
      size: 33 * SECTOR,
      facts: { disk: formatUuid(gpt.diskGuid), partitions },
      faults: gpt.faults,
    });
    for (const [i, { name, start, size }] of gpt.partitions.entries())
      if (start + size <= disk.size)
        volumes.push({ name: name === '' ? `partition ${i + 1}` : name, offset: start, size });
  } else
    for (const [i, { start, size }] of (mbr ?? []).entries())
      volumes.push({ name: `partition ${i + 1}`, offset: start, size: Math.min(size, disk.size - start) });
  if (disk.size >= DAX_HEADER_OFFSET + DAX_HEADER_SIZE) {
    const block = new Uint8Array(DAX_HEADER_SIZE);
    disk.readAt(DAX_HEADER_OFFSET, block);
    const dax = readDaxHeader(block);
    if (dax !== undefined) {
      const { dataOffset, align, sound } = dax;
      structures.push({
        what: 'DAX header',
        offset: DAX_HEADER_OFFSET,
        size: DAX_HEADER_SIZE,
        facts: { dataOffset, align },
        faults: sound ? [] : ['its checksum is wrong'],
      });
      const inner = table(DAX_TABLE, 'MBR for NVDIMM');
      const fault =
        inner === undefined
          ? 'there is no second MBR at 2 MiB for it'
          : inner[0]?.start !== mbr?.[0]?.start
            ? `the MBR at 2 MiB names a partition at ${inner[0]?.start}, the first one at ${mbr?.[0]?.start}`
            : undefined;
      if (fault !== undefined)
        structures.push({ what: 'MBR for NVDIMM', offset: DAX_TABLE, size: SECTOR, facts: {}, faults: [fault] });
    }
  }
  return { structures, volumes };
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
