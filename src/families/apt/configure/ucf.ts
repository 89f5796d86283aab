import { createHash } from 'node:crypto';
import { type ConfigureContext, copyIfAbsent, ensureDirectory, lines, putText } from '../../../system/context.ts';
import type { Tree } from '../../../tree/tree.ts';

/** ucf(1): configuration files that packages install by script, with a record of what was installed. */

const STATE = 'var/lib/ucf';
/** Larger files are cached only for three-way merges. */
const CACHE_LIMIT = 25600;

/** `ucf SOURCE DESTINATION`: copies to a missing destination; an existing file is kept. */
export function ucf(
  tree: Tree,
  context: ConfigureContext,
  source: string,
  destination: string,
  options: { readonly threeWay?: boolean } = {},
): boolean {
  const from = tree.file(source);
  if (from === undefined) return false;
  copyIfAbsent(tree, context, source, destination);
  const digest = createHash('md5').update(from.content.readSync()).digest('hex');
  const kept = lines(tree.text(`${STATE}/hashfile`) ?? '').filter((line) => line.slice(34) !== destination);
  ensureDirectory(tree, context, `${STATE}/cache`);
  putText(tree, context, `${STATE}/hashfile`, [...kept, `${digest}  ${destination}`].map((l) => `${l}\n`).join(''));
  if (options.threeWay || from.content.size < CACHE_LIMIT) {
    const cached = `${STATE}/cache/${destination.replaceAll('/', ':')}`;
    tree.remove(cached);
    copyIfAbsent(tree, context, source, cached);
  }
  return true;
}

/** `ucf --purge DESTINATION`. */
export function ucfPurge(tree: Tree, context: ConfigureContext, destination: string): void {
  const present = lines(tree.text(`${STATE}/hashfile`) ?? '');
  const kept = present.filter((line) => line.slice(34) !== destination);
  if (kept.length < present.length) putText(tree, context, `${STATE}/hashfile`, kept.map((l) => `${l}\n`).join(''));
  tree.remove(`${STATE}/cache/${destination.replaceAll('/', ':')}`);
}

/** `ucfr PACKAGE DESTINATION`: the file belongs to that package. */
export function ucfRegister(tree: Tree, context: ConfigureContext, name: string, destination: string): void {
  const kept = lines(tree.text(`${STATE}/registry`) ?? '').filter((line) => line.split(' \t ')[1] !== destination);
  putText(
    tree,
    context,
    `${STATE}/registry`,
    [...kept, `${name} \t ${destination}`].map((line) => `${line}\n`).join(''),
  );
}

/** `ucfr --purge PACKAGE DESTINATION`: the file no longer belongs to that package. */
export function ucfUnregister(tree: Tree, context: ConfigureContext, name: string, destination: string): void {
  const present = lines(tree.text(`${STATE}/registry`) ?? '');
  const kept = present.filter((line) => line !== `${name} \t ${destination}`);
  if (kept.length < present.length) putText(tree, context, `${STATE}/registry`, kept.map((row) => `${row}\n`).join(''));
}
