import { BuildError } from '../../errors/error.ts';
import { type Kind, kindOf } from '../../tree/inode.ts';
import { display, safePath } from '../../tree/path.ts';
import type { Header } from './header.ts';
import { DIGESTS, TAG } from './layout.ts';

/** Bits of a file's flags (rpm: include/rpm/rpmfiles.h, RPMFILE_…). */
export const FILE = {
  config: 1,
  doc: 2,
  missingOk: 8,
  noReplace: 16,
  ghost: 64,
  licence: 128,
  readme: 256,
  pubkey: 2048,
  artifact: 4096,
} as const;

/** A row of the file table. */
export interface RpmFile {
  /** Path in the guest, without a leading slash. */
  readonly path: string;
  readonly kind: Kind;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly size: number;
  readonly mtime: number;
  readonly user: string;
  readonly group: string;
  /** `FILE` bits. */
  readonly flags: number;
  /** Target of a symbolic link, else empty. */
  readonly target: string;
  /** Digest of the content in lower-case hex; empty: none. */
  readonly digest: string;
  /** Device numbers of a device. */
  readonly major: number;
  readonly minor: number;
  /** Hard links of one file have the same number; 0: it has no other name. */
  readonly links: number;
  /** Languages it is for, `|` between; empty: all. */
  readonly language: string;
  /** 0 none, 1 ELF of 32 bits, 2 ELF of 64 bits. */
  readonly colour: number;
  /** Capabilities as text (`cap_net_raw=ep`); empty: none. */
  readonly capabilities: string;
}

/** The files of a package, in the header's order. */
export interface FileTable {
  readonly files: readonly RpmFile[];
  /** Name of the digest of contents, as node:crypto calls it. */
  readonly algorithm: string;
}

/** Reads the file table of a main header. Paths are made safe: none leaves the root. */
export function fileTable(header: Header): FileTable {
  const names = header.strings(TAG.baseNames);
  if (names.length === 0) {
    if (header.has(TAG.oldFileNames))
      throw new BuildError('RPM_UNSUPPORTED', { path: header.path, what: 'the file list of rpm 3 (OLDFILENAMES)' });
    return { files: [], algorithm: 'md5' };
  }
  const column = <T>(values: T[], tag: number, what: string): T[] => {
    if (values.length !== names.length)
      throw header.corrupt(0, `${values.length} ${what} (tag ${tag}) for ${names.length} files`);
    return values;
  };
  const optional = <T>(tag: number, what: string, values: T[]): T[] | undefined =>
    header.has(tag) ? column(values, tag, what) : undefined;
  const folders = header.strings(TAG.dirNames);
  const folderOf = column(header.numbers(TAG.dirIndexes), TAG.dirIndexes, 'directory indexes');
  const long = header.has(TAG.longFileSizes);
  const sizeTag = long ? TAG.longFileSizes : TAG.fileSizes;
  const sizes = column(header.numbers(sizeTag), sizeTag, 'sizes');
  const modes = column(header.numbers(TAG.fileModes), TAG.fileModes, 'modes');
  const mtimes = column(header.numbers(TAG.fileMtimes), TAG.fileMtimes, 'times');
  const users = column(header.strings(TAG.fileUserName), TAG.fileUserName, 'users');
  const groups = column(header.strings(TAG.fileGroupName), TAG.fileGroupName, 'groups');
  const flags = column(header.numbers(TAG.fileFlags), TAG.fileFlags, 'flags');
  const targets = optional(TAG.fileLinkTos, 'link targets', header.strings(TAG.fileLinkTos));
  const digests = optional(TAG.fileDigests, 'digests', header.strings(TAG.fileDigests));
  const rdevs = optional(TAG.fileRdevs, 'device numbers', header.numbers(TAG.fileRdevs));
  const languages = optional(TAG.fileLangs, 'languages', header.strings(TAG.fileLangs));
  const colours = optional(TAG.fileColors, 'colours', header.numbers(TAG.fileColors));
  const capabilities = optional(TAG.fileCaps, 'capabilities', header.strings(TAG.fileCaps));
  const seen = new Set<string>();
  const links = linkSets(header, modes, flags);
  const files = names.map((name, i): RpmFile => {
    const folder = folders[folderOf[i]!];
    if (folder === undefined) throw header.corrupt(0, `directory ${folderOf[i]} of ${folders.length}`);
    if (name.includes('/')) throw header.corrupt(0, `the file name "${display(name)}"`);
    const path = safePath(`${folder}${name}`, header.path);
    if (seen.has(path)) throw header.corrupt(0, `"/${display(path)}" stands twice in its file list`);
    seen.add(path);
    const kind = kindOf(modes[i]!);
    if (kind === undefined)
      throw header.corrupt(0, `"/${display(path)}" is of no known kind (mode ${modes[i]!.toString(8)})`);
    const rdev = rdevs?.[i] ?? 0;
    return {
      path,
      kind,
      mode: modes[i]! & 0o7777,
      size: sizes[i]!,
      mtime: mtimes[i]!,
      user: users[i]!,
      group: groups[i]!,
      flags: flags[i]!,
      target: kind === 'symlink' ? (targets?.[i] ?? '') : '',
      digest: digests?.[i]?.toLowerCase() ?? '',
      major: rdev >>> 8,
      minor: rdev & 0xff,
      links: links[i]!,
      language: languages?.[i] ?? '',
      colour: colours?.[i] ?? 0,
      capabilities: capabilities?.[i] ?? '',
    };
  });
  const number = header.number(TAG.fileDigestAlgo) ?? 1;
  const algorithm = DIGESTS[number];
  if (algorithm === undefined)
    throw new BuildError('RPM_UNSUPPORTED', { path: header.path, what: `the digest ${number} of its files` });
  return { files, algorithm };
}

/** Numbers the sets of hard links: regular files with one device and inode, ghosts left out. */
function linkSets(header: Header, modes: readonly number[], flags: readonly number[]): number[] {
  const inodes = header.numbers(TAG.fileInodes);
  const devices = header.numbers(TAG.fileDevices);
  const sets = new Array<number>(modes.length).fill(0);
  if (inodes.length === 0) return sets;
  if (inodes.length !== modes.length) throw header.corrupt(0, `${inodes.length} inodes for ${modes.length} files`);
  const first = new Map<string, number>();
  let last = 0;
  for (let i = 0; i < modes.length; i++) {
    if (kindOf(modes[i]!) !== 'file' || (flags[i]! & FILE.ghost) !== 0) continue;
    const key = `${devices[i] ?? 0}:${inodes[i]}`;
    const earlier = first.get(key);
    if (earlier === undefined) {
      first.set(key, i);
      continue;
    }
    if (sets[earlier] === 0) sets[earlier] = ++last;
    sets[i] = sets[earlier]!;
  }
  return sets;
}
