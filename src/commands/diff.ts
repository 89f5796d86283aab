import { closeSync, readSync } from 'node:fs';
import { digestOf } from '../bytes/digest.ts';
import { hostFile } from '../bytes/file.ts';
import { openRegular } from '../bytes/regular.ts';
import { type ArtefactDifference, difference, isSame, type NamedDifference } from '../proof/difference.ts';
import { type LockChange, lockChanges } from '../proof/lock-changes.ts';
import type { PathDifference } from '../proof/tree-difference.ts';
import { EXIT } from '../report/errors.ts';
import { printable } from '../report/escape.ts';
import { type Context, withHost } from './context.ts';
import { changeTable } from './lock.ts';
import { readLock } from './locked-settings.ts';

/** Lines of a text difference that are printed for each file. */
const LINES = 40;

/** `osbuilder diff A B`: two artefacts, or two locks. Ends with 1 when they differ. */
export async function diff(context: Context): Promise<void> {
  const { terminal, call } = context;
  const [a, b] = call.positional as [string, string];
  if (looksLikeJson(a) && looksLikeJson(b)) {
    const changes = lockChanges(readLock(a), readLock(b));
    show(context, { a, b, same: changes.length === 0, changes }, () => printChanges(context, changes));
    return;
  }
  const every = await withHost(context, (host) => difference(a, b, host));
  const bytes = await sameBytes(a, b);
  // beside one of them may be a file with its root hash
  const found = bytes === true ? { ...every, structures: [] } : every;
  const trees = isSame(found);
  const same = trees && bytes !== false;
  show(context, { a, b, same, ...found }, () => {
    for (const line of differenceLines(found)) terminal.out(`${printable(line)}\n`);
    if (same) terminal.out(`${a} and ${b} are the same\n`);
    else if (trees) terminal.out('the trees are the same, the files are not: they were written in another way\n');
  });
}

function show(
  context: Context,
  document: { readonly same: boolean } & Readonly<Record<string, unknown>>,
  print: () => void,
): void {
  if (context.settings.json) context.terminal.out(`${JSON.stringify(document, null, 2)}\n`);
  else print();
  // as diff(1): a difference is no error, and scripts ask for it
  if (!document.same) process.exitCode = EXIT.error;
}

function printChanges({ terminal }: Context, changes: readonly LockChange[]): void {
  for (const line of changeTable(changes)) terminal.out(`${printable(line)}\n`);
  if (changes.length === 0) terminal.out('the locks are the same\n');
}

/** Lines for the user: what is only in the first (-), only in the second (+), and different (~). */
export function differenceLines({ structures, packages, units, accounts, paths }: ArtefactDifference): string[] {
  return [
    ...namedLines('', structures),
    ...namedLines('package ', packages),
    ...namedLines('unit ', units),
    ...namedLines('', accounts),
    ...paths.flatMap(pathLines),
  ];
}

function namedLines(what: string, rows: readonly NamedDifference[]): string[] {
  return rows.map(({ name, from, to }) => {
    if (from === undefined) return `+ ${what}${name}: ${to}`;
    return to === undefined ? `- ${what}${name}: ${from}` : `~ ${what}${name}: ${from} -> ${to}`;
  });
}

function pathLines({ path, change, fields, text }: PathDifference): string[] {
  if (change !== 'changed') {
    const facts = fields.map(({ from, to }) => (change === 'added' ? to : from)).join(', ');
    return [`${change === 'added' ? '+' : '-'} ${path} (${facts})`];
  }
  const lines = fields.map(({ field, from, to }) => `~ ${path}: ${field}: ${from} -> ${to}`);
  const shown = (text ?? []).slice(0, LINES).map((line) => `    ${line}`);
  const left = (text?.length ?? 0) - shown.length;
  return [...lines, ...shown, ...(left > 0 ? [`    … and ${left} more lines`] : [])];
}

/** True for a file that begins like a lock or a statement: with `{`, which no artefact begins with. */
export function looksLikeJson(path: string): boolean {
  try {
    const { fd } = openRegular(path);
    try {
      const head = Buffer.alloc(64);
      return head
        .subarray(0, readSync(fd, head, 0, head.length, 0))
        .toString('latin1')
        .trimStart()
        .startsWith('{');
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

/** Whether two files have the same bytes; undefined for folders, which have no bytes of their own, and images of registries. */
async function sameBytes(a: string, b: string): Promise<boolean | undefined> {
  try {
    const [first, second] = [hostFile(a), hostFile(b)];
    return first.size === second.size && (await digestOf(first)) === (await digestOf(second));
  } catch {
    return undefined;
  }
}
