import { LINKS_MAX, ROOT_INODE } from '../layout.ts';
import { isSpecial } from './special.ts';
import { KIND, type State } from './state.ts';

/** Every directory leads to the root by its parents, and ".." is that parent. */
export function checkTree(state: State): void {
  const { findings } = state;
  const connected = new Set<number>([ROOT_INODE]);
  for (const directory of state.directories.values()) {
    const { number, parent, dotDot } = directory;
    const expected = number === ROOT_INODE ? ROOT_INODE : parent;
    if (number === ROOT_INODE && parent !== 0) findings.inode(number, 'the root has a name');
    if (expected === 0) findings.inode(number, 'no directory names it');
    else if (dotDot !== expected && dotDot !== 0)
      findings.inode(number, `".." is inode ${dotDot}, its parent is ${expected}`);
    if (expected !== 0 && dotDot === 0) findings.inode(number, 'there is no entry ".."');
    const way: number[] = [];
    const seen = new Set<number>();
    let at = number;
    while (at !== 0 && !connected.has(at) && !seen.has(at)) {
      seen.add(at);
      way.push(at);
      at = state.directories.get(at)?.parent ?? 0;
    }
    if (seen.has(at)) {
      findings.inode(number, 'it is below itself');
      // reported once for the circle
      for (const one of way) connected.add(one);
    } else if (connected.has(at)) for (const one of way) connected.add(one);
  }
}

/** Each inode in use has a name, and as many names as it says. */
export function checkLinks(state: State): void {
  const { findings, volume } = state;
  for (const number of state.inUse()) {
    const kind = state.kind(number);
    if (kind === KIND.reserved || kind === KIND.value || isSpecial(state, number)) continue;
    const names = state.names(number);
    const stored = state.links(number);
    // a directory without a parent was reported, and has at least the name "."
    if (names === 0) findings.inode(number, 'no directory names it');
    const many = kind === KIND.directory && names > LINKS_MAX && volume.features.has('dir_nlink');
    const expected = many ? 1 : names;
    if (names > 0 && stored !== expected && !(kind === KIND.directory && stored === 1 && many))
      findings.inode(number, `it says that it has ${stored} links, ${expected} is right`);
  }
  for (const [block, { found, stored, first }] of state.xattrBlocks)
    if (found !== stored)
      findings.fault(
        `extended attributes in block ${block}`,
        `they say that ${stored} inodes use them, not ${found}`,
        first,
      );
  for (const [number, { stored, uses }] of state.valueInodes)
    if (stored !== uses)
      findings.inode(number, `as the value of an attribute it says that it is used ${stored} times, not ${uses}`);
  for (const number of state.inUse())
    if (state.kind(number) === KIND.value && !state.valueInodes.has(number))
      findings.inode(number, 'it is the value of an attribute that no inode has');
}
