/** What the rows of several tables of fuzz targets share. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memory } from '../../src/bytes/content.ts';
import { forgetFile } from '../../src/bytes/file.ts';
import { directory, file } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { noise } from '../support/trees.ts';

/** A parser to be fuzzed. */
export interface FuzzTarget {
  /** Valid inputs, made by this program or by hand. */
  seeds(): Promise<readonly Uint8Array[]> | readonly Uint8Array[];
  run(input: Uint8Array): unknown;
}

export const text = (...lines: string[]): Buffer => Buffer.from(`${lines.join('\n')}\n`, 'latin1');
export const latin = (input: Uint8Array): string => Buffer.from(input).toString('latin1');

/** Reads a stream to its end, or to more bytes than a target needs. */
export async function drain(source: AsyncIterable<unknown>): Promise<void> {
  let left = 64 << 20;
  for await (const piece of source) {
    if (piece instanceof Uint8Array) left -= piece.length;
    // a bomb is not the parser's fault: its callers have limits
    if (left < 0) return;
  }
}

/** Parsers of small languages reject a program with a plain error, which their command reports to the script. */
export function rejecting(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    const internal = [TypeError, RangeError, ReferenceError, SyntaxError, EvalError, URIError];
    if (!(error instanceof Error) || internal.some((kind) => error instanceof kind)) throw error;
  }
}

/** Runs a parser that reads a file of the build host; `folder` is removed afterwards. */
export async function withFile<T>(
  input: Uint8Array,
  work: (path: string, folder: string) => Promise<T> | T,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-fuzz-'));
  const path = join(folder, 'input');
  try {
    writeFileSync(path, input);
    return await work(path, folder);
  } finally {
    forgetFile(path);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A tree with every kind of inode that all formats hold. */
export function smallTree(): Tree {
  const tree = new Tree(directory({ mode: 0o755, uid: 0, gid: 0, mtime: 1000 }));
  tree.writeFile('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n');
  tree.writeFile('a/deep/folder/file', noise(3000, 1));
  tree.root.children.set('link', { kind: 'symlink', mode: 0o777, uid: 0, gid: 0, mtime: 0, target: 'etc/passwd' });
  tree.root.children.set('pipe', { kind: 'fifo', mode: 0o644, uid: 7, gid: 7, mtime: 0 });
  const many = tree.makeDirectory('many');
  for (let i = 0; i < 80; i++) many.children.set(`entry number ${i}`, file(memory(Buffer.from(String(i)))));
  const attributed = file(memory(Buffer.from('x')));
  attributed.xattrs = new Map([
    ['user.small', Buffer.from('value')],
    ['user.large', Buffer.from(noise(400, 2))],
  ]);
  tree.root.children.set('attributes', attributed);
  return tree;
}
