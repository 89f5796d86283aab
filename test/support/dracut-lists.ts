import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Inode } from '../../src/tree/inode.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { data } from './data.ts';

/** Lists of files that dracut made, and of ours, in a form in which they can be compared. */

/** By path: type, mode, a link's target, a device's number. */
export type FileList = ReadonlyMap<string, string>;

/** What may differ between our lists and dracut's. */
export interface Difference {
  /** A sentence of docs/dracut.md, whatever its line breaks. */
  readonly said: string;
  /** Lines that may differ: `- PATH …` (only theirs), `+ PATH …` (only ours), `! PATH … => …`. */
  readonly lines: RegExp;
  /** The settings where it may. */
  readonly settings?: RegExp;
}

const KINDS: Readonly<Partial<Record<Inode['kind'], string>>> = {
  file: 'f',
  directory: 'd',
  symlink: 'l',
  char: 'c',
};

/** Names without the version of the kernel and of libraries, which are newer in the archive than in the lists. */
function unversioned(path: string): string {
  return path.replace(/(lib\/modules\/)[^/]+/, '$1RELEASE').replace(/(\.so\.\d+)(?:\.\d+)+$/, '$1.MINOR');
}

/**
 * The list of a file of data/dracut. Those whose name ends in `-after` have a module in their first column: rows of the
 * modules `without` are left out.
 */
export function dracutList(name: string, without: readonly string[] = []): Map<string, string> {
  const list = new Map<string, string>();
  for (const line of gunzipSync(readFileSync(data(`dracut/${name}.tsv.gz`)))
    .toString('latin1')
    .trim()
    .split('\n')) {
    const columns = line.split('\t');
    const module = name.endsWith('-after') ? columns.shift()! : '';
    if (without.includes(module)) continue;
    const [path, kind, mode, rest] = columns as [string, string, string, string];
    const named = kind === 'l' || kind === 'c' ? unversioned(rest) : '';
    // h: one more name of a file
    list.set(unversioned(path), `${kind === 'h' ? 'f' : kind} ${mode} ${named}`.trim());
  }
  return list;
}

/** The list of a tree of ours. */
export function listOf(tree: Tree): Map<string, string> {
  const list = new Map<string, string>();
  for (const { path, inode } of tree.walk()) {
    const { kind, mode } = inode;
    const named =
      kind === 'symlink' ? unversioned(inode.target) : kind === 'char' ? `${inode.major}:${inode.minor}` : '';
    list.set(unversioned(path === '' ? '.' : path), `${KINDS[kind] ?? kind} ${mode.toString(8)} ${named}`.trim());
  }
  return list;
}

/** Lines of what differs and is no named difference. Those that are add their names to `used`. */
export function unnamedLines(
  setting: string,
  theirs: FileList,
  mine: FileList,
  differences: readonly Difference[],
  used: Set<Difference>,
): string[] {
  const lines: string[] = [];
  for (const [path, what] of theirs) {
    const here = mine.get(path);
    if (here === undefined) lines.push(`- ${path} ${what}`);
    else if (here !== what) lines.push(`! ${path} ${what} => ${here}`);
  }
  for (const [path, what] of mine) if (!theirs.has(path)) lines.push(`+ ${path} ${what}`);
  return lines.filter((line) => {
    const named = differences.find((one) => one.lines.test(line) && one.settings?.test(setting) !== false);
    if (named !== undefined) used.add(named);
    return named === undefined;
  });
}
