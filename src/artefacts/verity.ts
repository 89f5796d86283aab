import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type RandomAccess, section } from '../bytes/file.ts';
import { readRegular } from '../bytes/regular.ts';
import { BuildError } from '../errors/error.ts';
import { checkTree, type WrongBlocks } from '../formats/verity/check.ts';
import { geometryOf, treeOffset } from '../formats/verity/geometry.ts';
import { ALGORITHMS, type HashFormat, readSuperblock, Superblock } from '../formats/verity/layout.ts';
import { type GivenRoot, parseRoot } from '../formats/verity/parameters.ts';
import { readSignature, SIGNATURE_SIZE } from '../formats/verity/signature.ts';
import { saltedDigest } from '../formats/verity/tree.ts';
import { fileSystemOn } from './filesystems.ts';
import type { MeasuredPart, Structure } from './kind.ts';
import { ownersOf } from './owners.ts';
import type { Volume } from './structures.ts';

/** Where a root hash was found. */
interface Root extends GivenRoot {
  readonly source: string;
}

/** A hash tree on a disk. */
interface FoundTree {
  readonly data: Volume;
  readonly hashes: Volume;
  /** Bytes of the superblock before the tree. */
  readonly lead: number;
  readonly numbers: { readonly format: HashFormat; readonly dataBlocks: number } | undefined;
  readonly root: Root | undefined;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly faults: readonly string[];
  readonly unchecked: readonly string[];
}

/** What opening a measured disk needs besides its bytes. */
export interface VerityContext {
  /** Path of the image on the build host, whose folder may hold the root hash. */
  readonly file: string;
  /** The root hash or Kata's line that the user gave. */
  readonly rootHash?: string;
}

/** Side files that are looked at, and their largest size in bytes. */
const SIDE_FILES = 100;
const SIDE_FILE_LIMIT = 4096;
/** Runs of wrong blocks that are named. */
const NAMED = 20;

/** The volumes that hold hash trees and signatures rather than file systems. */
export interface VerityVolumes {
  readonly structures: readonly Structure[];
  readonly taken: ReadonlySet<Volume>;
}

/**
 * Hash trees and signatures among the partitions of a disk: with a superblock, or without one in Kata's layout. `check`
 * compares every block with the root hash.
 */
export async function verityStructures(
  disk: RandomAccess,
  volumes: readonly Volume[],
  context: VerityContext,
  check: boolean,
): Promise<VerityVolumes> {
  const structures: Structure[] = [];
  const taken = new Set<Volume>();
  const signatures = volumes.filter(({ role }) => role === 'signature');
  for (const hashes of volumes) {
    const tree = treeIn(disk, volumes, hashes, context);
    if (tree === undefined) continue;
    taken.add(hashes);
    structures.push(await structureOf(disk, tree, check));
    for (const place of signatures) {
      if (taken.has(place)) continue;
      taken.add(place);
      structures.push(signatureStructure(disk, place, tree.root?.rootHash));
    }
  }
  return { structures, taken };
}

function signatureStructure(disk: RandomAccess, { name, offset, size }: Volume, root: string | undefined): Structure {
  const bytes = new Uint8Array(Math.min(size, 4 * SIGNATURE_SIZE));
  disk.readAt(offset, bytes);
  const { rootHash, fingerprint, faults } = readSignature(bytes);
  const others =
    root !== undefined && rootHash !== '' && rootHash !== root ? [`it signs ${rootHash}, not ${root}`] : [];
  return {
    what: `dm-verity signature in ${name}`,
    offset,
    size,
    facts: { rootHash, certificateFingerprint: fingerprint },
    faults: [...faults, ...others],
  };
}

function treeIn(
  disk: RandomAccess,
  volumes: readonly Volume[],
  hashes: Volume,
  context: VerityContext,
): FoundTree | undefined {
  const at = volumes.indexOf(hashes);
  const head = new Uint8Array(Math.min(Superblock.size, hashes.size));
  disk.readAt(hashes.offset, head);
  const superblock = readSuperblock(head);
  const data =
    hashes.role === 'verity' ? volumes.find(({ role }) => role === 'root') : at > 0 ? volumes[at - 1] : undefined;
  if (superblock === undefined)
    return data !== undefined && isKata(disk, volumes, hashes) ? kataTree(disk, data, hashes, context) : undefined;
  const none = { hashes, lead: 0, numbers: undefined, root: undefined, facts: {}, unchecked: [] };
  if (data === undefined)
    return { ...none, data: hashes, faults: ['there is no partition before it that it could be of'] };
  if ('reason' in superblock) return { ...none, data, faults: [superblock.reason] };
  const { format, dataBlocks, uuid } = superblock;
  const lead = treeOffset(format);
  const faults = boundsFaults(format, dataBlocks, data, hashes, lead);
  const fits = faults.length === 0;
  const root =
    given(context) ?? rootOfUuids(data, hashes, format) ?? rootBeside(disk, hashes, lead, { format }, context);
  faults.push(...contradictions(root, context));
  return {
    ...{ data, hashes, lead, root, faults },
    numbers: fits ? { format, dataBlocks } : undefined,
    facts: { uuid, ...factsOf(format, dataBlocks) },
    unchecked: root === undefined ? ['no root hash is known: give it, or put it beside the image'] : [],
  };
}

/** Kata's layout: two partitions, the first is active, and the second holds no file system. */
function isKata(disk: RandomAccess, volumes: readonly Volume[], hashes: Volume): boolean {
  return (
    volumes.length === 2 &&
    volumes[1] === hashes &&
    volumes[0]!.active === true &&
    fileSystemOn(section(disk, hashes.offset, hashes.size)) === undefined
  );
}

function kataTree(disk: RandomAccess, data: Volume, hashes: Volume, context: VerityContext): FoundTree {
  const root = given(context) ?? rootBeside(disk, hashes, 0, { data }, context);
  const lead = 0;
  const parameters = root?.parameters;
  if (parameters === undefined) {
    const line = 'give root_hash=…,salt=…, or put root_hash_VARIANT.txt beside the image';
    const unchecked = [`a tree without a superblock is checked with its salt and root hash: ${line}`];
    return { data, hashes, lead, numbers: undefined, root, facts: { superblock: 'none' }, faults: [], unchecked };
  }
  const { format, dataBlocks } = parameters;
  const faults = boundsFaults(format, dataBlocks, data, hashes, lead);
  return {
    ...{ data, hashes, lead, root, faults },
    numbers: faults.length === 0 ? { format, dataBlocks } : undefined,
    facts: { superblock: 'none', ...factsOf(format, dataBlocks) },
    unchecked: [],
  };
}

function factsOf(format: HashFormat, dataBlocks: number): Record<string, unknown> {
  const { algorithm, dataBlockSize, hashBlockSize, salt } = format;
  return { algorithm, dataBlocks, dataBlockSize, hashBlockSize, salt: Buffer.from(salt).toString('hex') };
}

function boundsFaults(format: HashFormat, dataBlocks: number, data: Volume, hashes: Volume, lead: number): string[] {
  const faults: string[] = [];
  const needed = dataBlocks * format.dataBlockSize;
  if (needed > data.size) faults.push(`it is of ${needed} bytes of data, ${data.name} has ${data.size}`);
  else {
    const tree = lead + geometryOf(dataBlocks, format).blocks * format.hashBlockSize;
    if (tree > hashes.size) faults.push(`it needs ${tree} bytes, its partition has ${hashes.size}`);
  }
  return faults;
}

function given({ rootHash }: VerityContext): Root | undefined {
  if (rootHash === undefined) return undefined;
  const parsed = parseRoot(rootHash);
  if ('reason' in parsed)
    throw new BuildError('USAGE', { reason: `the root hash "${rootHash}" cannot be used: ${parsed.reason}` });
  return { ...parsed, source: 'the caller' };
}

/** The discoverable partitions specification puts the halves of a root hash into the UUIDs of the two partitions. */
function rootOfUuids(data: Volume, hashes: Volume, format: HashFormat): Root | undefined {
  if (data.guid === undefined || hashes.guid === undefined || hashes.role !== 'verity') return undefined;
  if (ALGORITHMS[format.algorithm] !== 32) return undefined;
  const rootHash = Buffer.concat([data.guid, hashes.guid]).toString('hex');
  return { rootHash, source: 'the UUIDs of the partitions' };
}

/** The file that systemd takes the root hash of this very image from must not say another one. */
function contradictions(root: Root | undefined, { file }: VerityContext): string[] {
  const name = `${file.replace(/\.raw$/, '')}.roothash`;
  if (root === undefined || !existsSync(name)) return [];
  const beside = parseRoot(readSide(name));
  const found = 'reason' in beside ? 'none' : beside.rootHash;
  return found === root.rootHash
    ? []
    : [`the root hash from ${root.source} is ${root.rootHash}, that of ${basename(name)} is ${found}`];
}

/**
 * The root hash in a file beside the image. Of several, the one that the top of the tree agrees with; if there is none,
 * the only one that is of data of this size.
 */
function rootBeside(
  disk: RandomAccess,
  hashes: Volume,
  lead: number,
  want: { readonly data?: Volume; readonly format?: HashFormat },
  { file }: VerityContext,
): Root | undefined {
  const candidates: Root[] = [];
  for (const name of sideFiles(file)) {
    const parsed = parseRoot(readSide(join(dirname(file), name)));
    if ('reason' in parsed) continue;
    const { parameters } = parsed;
    const sizes = parameters && parameters.dataBlocks * parameters.format.dataBlockSize;
    if (want.data !== undefined && sizes !== want.data.size) continue;
    candidates.push({ ...parsed, source: name });
  }
  const fits = candidates.find(({ rootHash, parameters }) => {
    const format = want.format ?? parameters?.format;
    if (format === undefined || lead + format.hashBlockSize > hashes.size) return false;
    const top = new Uint8Array(format.hashBlockSize);
    disk.readAt(hashes.offset + lead, top);
    return saltedDigest(top, format).toString('hex') === rootHash;
  });
  return fits ?? (candidates.length === 1 ? candidates[0] : undefined);
}

function sideFiles(file: string): string[] {
  try {
    const names = readdirSync(dirname(file)).sort();
    return names.filter((name) => /^root_hash.*\.txt$|\.roothash$/.test(name)).slice(0, SIDE_FILES);
  } catch {
    return []; // a folder that may not be listed
  }
}

function readSide(path: string): string {
  try {
    return readRegular(path, SIDE_FILE_LIMIT).toString('latin1');
  } catch (error) {
    if (error instanceof BuildError) return '';
    throw error;
  }
}

async function structureOf(disk: RandomAccess, tree: FoundTree, check: boolean): Promise<Structure> {
  const { data, hashes, lead, numbers, root } = tree;
  const faults = [...tree.faults];
  let measures: MeasuredPart | undefined;
  const facts: Record<string, unknown> = {
    of: data.name,
    ...tree.facts,
    ...(root === undefined ? {} : { rootHash: root.rootHash, rootHashFrom: root.source }),
  };
  if (check && numbers !== undefined && root !== undefined) {
    const { format, dataBlocks } = numbers;
    const expected = Buffer.from(root.rootHash, 'hex');
    if (expected.length !== ALGORITHMS[format.algorithm])
      faults.push(`its digests are ${format.algorithm}, the root hash from ${root.source} is none`);
    else {
      const access = section(disk, data.offset, data.size);
      const hashed = section(disk, hashes.offset + lead, hashes.size - lead);
      const { wrong, unchecked, checked } = await checkTree(access, hashed, format, dataBlocks, expected);
      facts['checked'] = `${checked} blocks`;
      faults.push(...(await sentences(access, wrong, tree, root.source)));
      if (unchecked > 0)
        faults.push(`${unchecked} blocks of data cannot be checked, since the tree above them is wrong`);
      if (faults.length === 0) {
        const size = dataBlocks * format.dataBlockSize;
        measures = { of: data.name, offset: data.offset, size, rootHash: root.rootHash, from: root.source };
      }
    }
  }
  return {
    what: `dm-verity hash tree in ${hashes.name}`,
    offset: hashes.offset,
    size: hashes.size,
    facts,
    faults,
    ...(tree.unchecked.length === 0 ? {} : { unchecked: tree.unchecked }),
    ...(measures === undefined ? {} : { measures }),
  };
}

/** Says what is wrong, with the files that wrong data belongs to. */
async function sentences(
  access: RandomAccess,
  wrong: readonly WrongBlocks[],
  { data, hashes, lead, numbers }: FoundTree,
  source: string,
): Promise<string[]> {
  const { dataBlockSize } = numbers!.format;
  const runs = wrong.filter(({ level }) => level === 'data');
  const named = runs.slice(0, NAMED).map(({ offset, count }) => ({ offset, size: count * dataBlockSize }));
  const system = named.length === 0 ? undefined : fileSystemOn(access);
  // the first block of a damaged file system may be one of those that are wrong
  const owners = system === undefined ? [] : await ownersOf(system, access, data.name, named);
  return wrong.map(({ level, first, count, offset }) => {
    const blocks = count === 1 ? `block ${first}` : `blocks ${first} to ${first + count - 1}`;
    if (level === 'data') {
      const owner = owners[runs.findIndex((run) => run.first === first)];
      const part = owner === undefined ? '' : `, which ${count === 1 ? 'is' : 'begin'} in ${owner}`;
      return `data ${blocks} at byte ${data.offset + offset}${part}: another digest than the tree has`;
    }
    const top = level === geometryOf(numbers!.dataBlocks, numbers!.format).levels.length - 1;
    const than = top ? `the root hash from ${source}` : 'the digest above';
    return `hash ${blocks} of level ${level} at byte ${hashes.offset + lead + offset}: it does not have ${than}`;
  });
}
