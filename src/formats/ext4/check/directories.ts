import { latin1 } from '../../../bytes/struct.ts';
import { display } from '../../../tree/path.ts';
import { directoryBlockSums } from '../checksums.ts';
import { GROUP_INODE_UNINIT, INODE_ENCRYPTED, INODE_INDEX, ROOT_INODE } from '../layout.ts';
import { unusedInodes } from './groups.ts';
import { HashTree } from './htree.ts';
import { type FoundDirectory, KIND, type State } from './state.ts';

const INODE_CASEFOLD = 0x40000000;
/** Names of one directory that are compared for duplicates. */
const MOST_NAMES = 1_000_000;

/** Reads the blocks of every directory: entries, names, file types, index. Counts the names of each inode. */
export function checkDirectories(state: State): void {
  for (const directory of state.directories.values())
    state.attempt(`directory ${directory.number}`, directory.number, () => new DirectoryCheck(state, directory).run());
}

class DirectoryCheck {
  private readonly state: State;
  private readonly directory: FoundDirectory;
  private readonly names = new Set<string>();
  private readonly tree: HashTree | undefined;
  private readonly types: boolean;
  /** Encrypted directories that ignore case have a hash behind each name. */
  private readonly hashed: boolean;

  constructor(state: State, directory: FoundDirectory) {
    this.state = state;
    this.directory = directory;
    this.types = state.volume.features.has('filetype');
    this.hashed = (directory.flags & INODE_ENCRYPTED) !== 0 && (directory.flags & INODE_CASEFOLD) !== 0;
    if (directory.flags & INODE_INDEX && directory.runs !== undefined) this.tree = new HashTree(state, directory);
  }

  private fault(reason: string): void {
    this.state.findings.inode(this.directory.number, reason);
  }

  run(): void {
    const { directory, state } = this;
    state.findings.count('directory');
    if (directory.runs === undefined) return this.inline(directory.inline ?? []);
    const { volume } = state;
    const end = directory.size / volume.blockSize;
    let next = 0;
    for (const { logical, physical, length } of directory.runs) {
      if (logical !== next && next < end) this.fault(`block ${next} of the directory is a hole`);
      next = logical + length;
      for (let i = 0; i < length && logical + i < end; i++) {
        volume.spend(1, `inode ${directory.number}`);
        this.block(volume.block(physical + i, `directory ${directory.number}`), logical + i);
      }
    }
    if (next < end) this.fault(`block ${next} of the directory is a hole`);
    this.tree?.finish(Math.min(Math.ceil(end), next));
  }

  /** A directory in its inode: the number of the parent in place of "." and "..", then records. */
  private inline(parts: readonly Uint8Array[]): void {
    const { directory, state } = this;
    const [first, rest] = parts;
    if (first === undefined) return;
    directory.dotDot = new DataView(first.buffer, first.byteOffset).getUint32(0, true);
    state.addName(directory.number);
    if (directory.dotDot >= 1 && directory.dotDot <= state.volume.sb.inodes) state.addName(directory.dotDot);
    this.records(first.subarray(4), first.length - 4, 'its inode');
    if (rest !== undefined) this.records(rest, rest.length, 'its inode');
  }

  private block(bytes: Uint8Array, logical: number): void {
    const { state, directory } = this;
    const { volume } = state;
    const at = `block ${logical}`;
    const indexed = this.tree !== undefined;
    state.findings.count('directory block');
    let end = bytes.length;
    const index = this.tree?.node(bytes, logical) ?? false;
    if (volume.checksums) {
      const sums = directoryBlockSums(bytes, directory.seed, indexed, logical === 0);
      state.findings.sum('directory checksum', `directory ${directory.number}, ${at}`, sums, directory.number);
      // the checksum looks like an entry without inode
      if (sums !== undefined && !index) end -= 12;
    }
    if (logical === 0) {
      if (!this.dots(bytes)) return;
    }
    // an index looks like an entry without inode over the whole block
    if (index) return;
    const hashes = this.records(bytes, end, at, logical === 0 ? this.afterDots(bytes) : 0);
    if (hashes !== undefined) this.tree?.leaf(logical, hashes);
  }

  private length(view: DataView, at: number): number {
    const stored = view.getUint16(at + 4, true);
    // 65536 does not fit the field
    return view.byteLength >= 65536 && (stored === 65535 || stored === 0) ? view.byteLength - at : stored;
  }

  /** "." and ".." begin the first block. False when what follows cannot be read. */
  private dots(bytes: Uint8Array): boolean {
    const { directory, state } = this;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    for (const name of ['.', '..']) {
      const number = view.getUint32(at, true);
      const length = this.length(view, at);
      const nameLength = this.types ? view.getUint8(at + 6) : view.getUint16(at + 6, true);
      if (length < 12 || (length & 3) !== 0 || at + length > bytes.length) {
        this.fault(`the entry for "${name}" has ${length} bytes`);
        return false;
      }
      if (nameLength !== name.length || latin1(bytes.subarray(at + 8, at + 8 + nameLength)) !== name) {
        this.fault(
          `entry ${name.length} is "${display(latin1(bytes.subarray(at + 8, at + 8 + Math.min(nameLength, length - 8))))}", not "${name}"`,
        );
        return false;
      }
      if (bytes[at + 8 + nameLength] !== 0) this.fault(`"${name}" does not end with a zero byte`);
      if (name === '.' && number !== directory.number) this.fault(`"." is inode ${number}`);
      if (name === '.' && length !== 12) this.fault(`the entry for "." has ${length} bytes`);
      if (name === '..') directory.dotDot = number;
      this.type(view, at, number, name);
      if (number >= 1 && number <= state.volume.sb.inodes) state.addName(number);
      at += length;
      if (name === '.' && at + 12 > bytes.length) {
        this.fault('there is no entry for ".."');
        return false;
      }
    }
    return true;
  }

  private afterDots(bytes: Uint8Array): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const first = this.length(view, 0);
    return first + this.length(view, first);
  }

  /** Checks the records of one block; returns the hashes of its names if the directory has an index. */
  private records(bytes: Uint8Array, end: number, at: string, start = 0): number[] | undefined {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const hashes: number[] = [];
    const extra = this.hashed ? 8 : 0;
    for (let record = start; record < end; ) {
      const length = record + 8 <= end ? this.length(view, record) : 0;
      const number = length === 0 ? 0 : view.getUint32(record, true);
      if (length < 12 || (length & 3) !== 0 || record + length > end) {
        this.fault(`${at} has an entry of ${length} bytes at ${record}`);
        return undefined;
      }
      const nameLength = this.types ? view.getUint8(record + 6) : view.getUint16(record + 6, true);
      if (nameLength + 8 + (number === 0 ? 0 : extra) > length || nameLength > 255) {
        this.fault(`${at} has a name of ${nameLength} bytes in an entry of ${length} at ${record}`);
        return undefined;
      }
      if (number !== 0) {
        const name = latin1(bytes.subarray(record + 8, record + 8 + nameLength));
        this.entry(view, record, number, name);
        const hash = this.tree?.hash(name);
        if (hash !== undefined) hashes.push(hash);
      }
      record += length;
    }
    return hashes;
  }

  private entry(view: DataView, record: number, number: number, name: string): void {
    const { state, directory } = this;
    const { volume } = state;
    const shown = `"${display(name)}"`;
    state.findings.count('entry');
    if (name === '') this.fault('an entry without a name');
    else if (name === '.' || name === '..') this.fault(`a second entry ${shown}`);
    else if ((directory.flags & INODE_ENCRYPTED) === 0 && /[/\0]/.test(name)) this.fault(`the name ${shown}`);
    if (this.names.size < MOST_NAMES) {
      if (this.names.has(name)) this.fault(`the name ${shown} twice`);
      this.names.add(name);
    } else state.findings.unchecked.add(`names beyond the first ${MOST_NAMES} of a directory, for duplicates`);
    if (number > volume.sb.inodes || (number < volume.firstInode && number !== ROOT_INODE))
      return this.fault(`${shown} is inode ${number}${number > volume.sb.inodes ? ` of ${volume.sb.inodes}` : ''}`);
    if (number === ROOT_INODE) return this.fault(`${shown} is the root`);
    const kind = state.kind(number);
    if (kind === KIND.unused) return this.fault(`${shown} is inode ${number}, which is not in use${this.why(number)}`);
    if (kind === KIND.value) return this.fault(`${shown} is inode ${number}, the value of an attribute`);
    if (directory.flags & INODE_ENCRYPTED) this.encrypted(number, name, kind);
    this.type(view, record, number, name);
    state.addName(number);
    const child = state.directories.get(number);
    if (child === undefined) return;
    if (child.parent !== 0) this.fault(`${shown} is directory ${number}, which has a name already`);
    else child.parent = directory.number;
  }

  /** An encrypted name is padded to sixteen bytes, and what it names is encrypted, too. */
  private encrypted(number: number, name: string, kind: number): void {
    if (name.length < 16) this.fault(`the encrypted name "${display(name)}" has ${name.length} bytes`);
    const must = kind === KIND.file || kind === KIND.directory || kind === KIND.symlink;
    if (must && !this.state.encrypted.has(number))
      this.fault(`it is encrypted, but what "${display(name)}" names, inode ${number}, is not`);
  }

  /** Why an inode was not looked at. */
  private why(number: number): string {
    const { state } = this;
    const { inodesPerGroup } = state.volume.sb;
    const group = Math.floor((number - 1) / inodesPerGroup);
    if (!state.lazy) return '';
    if (state.volume.groupOf(group).record.flags & GROUP_INODE_UNINIT) return ` (group ${group} is not initialised)`;
    const index = (number - 1) % inodesPerGroup;
    return index >= inodesPerGroup - unusedInodes(state, group) ? ' (it is behind the used part of its table)' : '';
  }

  private type(view: DataView, record: number, number: number, name: string): void {
    const stored = view.getUint8(record + 7);
    // without the feature this is the upper half of the name's length, which was compared already
    if (!this.types) return;
    const expected = this.state.type(number);
    // 0 says that the type is not known, which every reader accepts
    if (stored !== 0 && expected !== 0 && stored !== expected)
      this.fault(`"${display(name)}" has file type ${stored}, its inode ${number} has ${expected}`);
  }
}
