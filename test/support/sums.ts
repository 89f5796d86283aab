import { createHash } from 'node:crypto';
import { TYPE_BITS } from '../../src/tree/inode.ts';
import type { Tree } from '../../src/tree/tree.ts';

/** Two sums over a tree that a shell script in a booted guest computes too, so that both can be compared. */
export interface Sums {
  /** Over the SHA-256 of every regular file. */
  readonly content: string;
  /** Over mode, owner, time, link count, device, path, and link target of every entry but the root. */
  readonly meta: string;
  readonly entries: number;
}

const bytes = (text: string) => Buffer.from(text, 'latin1');

/** The sums of a tree as {@link SUM_SCRIPT} prints them. `skip` leaves out paths the guest adds by itself. */
export async function sumsOf(tree: Tree, skip: (path: string) => boolean = () => false): Promise<Sums> {
  const links = new Map<unknown, number>();
  for (const { inode } of tree.walk()) links.set(inode, (links.get(inode) ?? 0) + 1);
  const files: string[] = [];
  const meta: string[] = [];
  for (const { path, inode } of tree.walk()) {
    if (path === '' || skip(path)) continue;
    const mode = (TYPE_BITS[inode.kind] | inode.mode).toString(16);
    const owner = `${inode.uid} ${inode.gid} ${inode.mtime}`;
    if (inode.kind === 'directory') meta.push(`${mode} ${owner} - - ./${path}`);
    else {
      const device =
        inode.kind === 'char' || inode.kind === 'block'
          ? `${inode.major.toString(16)},${inode.minor.toString(16)}`
          : '0,0';
      meta.push(`${mode} ${owner} ${links.get(inode)} ${device} ./${path}`);
    }
    if (inode.kind === 'symlink') meta.push(`L ./${path} -> ${inode.target}`);
    if (inode.kind === 'file') {
      const hash = createHash('sha256');
      for await (const piece of inode.content.open()) hash.update(piece);
      files.push(`${hash.digest('hex')}  ./${path}`);
    }
  }
  const digest = (lines: string[]) => {
    const hash = createHash('sha256');
    for (const line of lines.map((one) => bytes(`${one}\n`)).sort(Buffer.compare)) hash.update(line);
    return hash.digest('hex');
  };
  return { content: digest(files), meta: digest(meta), entries: meta.length };
}

/**
 * The same with busybox, in a guest: mounts nothing, stays on the file system it is started in. `$1` is the folder to
 * sum, `$2` an extended regular expression of paths to leave out.
 */
export const SUM_SCRIPT = `B=/.check/busybox
cd "$1" || exit 1
$B find . -xdev -mindepth 1 | $B grep -vE "$2" > /.check/all
while IFS= read -r p; do
  [ -L "$p" ] && continue
  [ -f "$p" ] && printf '%s\\0' "$p"
done < /.check/all | $B xargs -0 $B sha256sum | $B sort | $B sha256sum | $B sed 's/^/CHECK-CONTENT /'
{
  while IFS= read -r p; do [ -L "$p" ] || [ ! -d "$p" ] && printf '%s\\0' "$p"; done < /.check/all | $B xargs -0 $B stat -c '%f %u %g %Y %h %t,%T %n'
  while IFS= read -r p; do [ -L "$p" ] || { [ -d "$p" ] && printf '%s\\0' "$p"; }; done < /.check/all | $B xargs -0 $B stat -c '%f %u %g %Y - - %n'
  while IFS= read -r p; do [ -L "$p" ] && printf '%s\\0' "$p"; done < /.check/all | $B xargs -0 $B stat -c 'L %N' | $B sed "s/'//g"
} | $B sort > /.check/meta
$B wc -l < /.check/meta | $B sed 's/^/CHECK-ENTRIES /'
$B sha256sum < /.check/meta | $B sed 's/^/CHECK-META /'
`;
