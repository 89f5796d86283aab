import type { Tree } from '../tree/tree.ts';

/** Bytes of an os-release file that are read at most. */
const LIMIT = 1 << 16;

/** Places of the file, the first one goes first (os-release(5)). */
const PLACES = ['etc/os-release', 'usr/lib/os-release'];

/** Fields of a guest's os-release: `ID`, `VERSION_ID`. Empty where it has no such file, or one that is none. */
export function osRelease(tree: Tree): ReadonlyMap<string, string> {
  const path = PLACES.find((one) => tree.file(one) !== undefined);
  const fields = new Map<string, string>();
  if (path === undefined || tree.file(path)!.content.size > LIMIT) return fields;
  for (const line of tree.text(path)!.split('\n')) {
    const [, name, , value] = /^([A-Z0-9_]+)=(["']?)(.*?)\2\s*$/.exec(line) ?? [];
    if (name !== undefined) fields.set(name, value!.replace(/\\([$"'\\`])/g, '$1'));
  }
  return fields;
}
