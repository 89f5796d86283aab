import { device } from '../tree/inode.ts';
import type { Tree } from '../tree/tree.ts';
import { ours } from './guest.ts';

/** Device nodes that the kernel needs before /dev is mounted: name, mode, group, major, minor. */
const NODES: readonly (readonly [string, number, number, number, number])[] = [
  ['console', 0o600, 5, 5, 1],
  ['tty', 0o666, 5, 5, 0],
  ['null', 0o666, 0, 1, 3],
  ['zero', 0o666, 0, 1, 5],
  ...[0, 1, 2, 3].map((n) => [`ttyS${n}`, 0o660, 20, 4, 64 + n] as const),
];

/**
 * The few device nodes without which process 1 has no stdin, stdout and stderr: an initrd has no devtmpfs until
 * it is mounted, and the kernel opens /dev/console before that.
 */
export function provideDevices(tree: Tree, epoch: number): void {
  const time = { epoch };
  tree.makeDirectory('dev', ours(time, 0o755));
  for (const [name, mode, gid, major, minor] of NODES)
    if (tree.lstat(`dev/${name}`) === undefined)
      tree.set(`dev/${name}`, device('char', major, minor, { ...ours(time, mode), gid }));
  if (tree.lstat('dev/fd') === undefined) tree.symlink('dev/fd', '/proc/self/fd', ours(time, 0o777));
}
