import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { TYPE_BITS } from '../../src/tree/inode.ts';
import type { Tree } from '../../src/tree/tree.ts';

/** Two sums over a tree that a shell script in a booted guest computes too, so that both can be compared. */
export interface Sums {
  /** Over the SHA-256 and path of every regular file. */
  readonly content: string;
  /** Over mode, owner, time, link count, device, path, and link target of every entry, the root's too. */
  readonly meta: string;
  /** Lines of the second: every entry, and every symbolic link once more. */
  readonly lines: number;
}

/** The sums of a tree as the scripts below print them. `skip` leaves out paths. */
export async function sumsOf(tree: Tree, skip: (path: string) => boolean = () => false): Promise<Sums> {
  const { files, meta } = await linesOf(tree, skip);
  const digest = (lines: string[]) => {
    const hash = createHash('sha256');
    for (const line of lines) hash.update(Buffer.from(`${line}\n`, 'latin1'));
    return hash.digest('hex');
  };
  return { content: digest(files), meta: digest(meta), lines: meta.length };
}

/** The sorted lines that are summed: to be shown where sums differ. */
export async function linesOf(
  tree: Tree,
  skip: (path: string) => boolean = () => false,
): Promise<{ files: string[]; meta: string[] }> {
  const links = new Map<unknown, number>();
  for (const { inode } of tree.walk()) links.set(inode, (links.get(inode) ?? 0) + 1);
  const files: string[] = [];
  const meta: string[] = [];
  for (const { path, inode } of tree.walk()) {
    if (skip(path)) continue;
    const name = path === '' ? '.' : `./${path}`;
    const mode = (TYPE_BITS[inode.kind] | inode.mode).toString(16);
    const owner = `${inode.uid} ${inode.gid} ${inode.mtime}`;
    if (inode.kind === 'directory') meta.push(`${mode} ${owner} - - ${name}`);
    else {
      const device =
        inode.kind === 'char' || inode.kind === 'block'
          ? `${inode.major.toString(16)},${inode.minor.toString(16)}`
          : '0,0';
      meta.push(`${mode} ${owner} ${links.get(inode)} ${device} ${name}`);
    }
    // stat quotes names, each program in its own way: quotes are left out on both sides
    if (inode.kind === 'symlink') meta.push(`L ${name} -> ${inode.target}`.replaceAll("'", ''));
    if (inode.kind === 'file') {
      const hash = createHash('sha256');
      for await (const piece of inode.content.open()) hash.update(piece);
      files.push(`${hash.digest('hex')}  ${name}`);
    }
  }
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return { files: files.sort(order), meta: meta.sort(order) };
}

/**
 * The same with busybox, in a guest, on the file system of the folder `$1` alone; further words are conditions for
 * `find` (`! -path ./x`). It leaves the lines in /.check/files and /.check/meta.
 */
export const SUM_SCRIPT = `B=/.check/busybox
cd "$1" || exit 1
shift
$B find . -xdev "$@" -type f -exec $B sha256sum {} + | $B sort > /.check/files
{
  $B find . -xdev "$@" ! -type d -exec $B stat -c '%f %u %g %Y %h %t,%T %n' {} +
  $B find . -xdev "$@" -type d -exec $B stat -c '%f %u %g %Y - - %n' {} +
  $B find . -xdev "$@" -type l -exec $B stat -c 'L %N' {} + | $B sed "s/'//g"
} | $B sort > /.check/meta
$B sha256sum < /.check/files | $B sed 's/^/CHECK-CONTENT /'
$B sha256sum < /.check/meta | $B sed 's/^/CHECK-META /'
echo "CHECK-LINES $($B wc -l < /.check/meta)"
`;

/** The same with GNU's programs, on a folder of this machine. */
export function gnuLines(folder: string): { files: string[]; meta: string[] } {
  const run = (script: string) =>
    execFileSync('/bin/bash', ['-c', `set -o pipefail; ${script}`], {
      cwd: folder,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', QUOTING_STYLE: 'literal' },
      maxBuffer: 1 << 28,
    })
      .toString('latin1')
      .split('\n')
      .filter((line) => line !== '');
  return {
    // sha256sum escapes names with a backslash in them unless lines end in NUL
    files: run(`find . -xdev -type f -exec sha256sum -z {} + | tr '\\0' '\\n' | sort`),
    meta: run(`{ find . -xdev ! -type d -exec stat -c '%f %u %g %Y %h %t,%T %n' {} +
      find . -xdev -type d -exec stat -c '%f %u %g %Y - - %n' {} +
      find . -xdev -type l -exec stat -c 'L %N' {} + | sed "s/'//g"; } | sort`),
  };
}
