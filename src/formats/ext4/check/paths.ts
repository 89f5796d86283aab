import { latin1 } from '../../../bytes/struct.ts';
import { display } from '../../../tree/path.ts';
import { ROOT_INODE } from '../layout.ts';
import type { State } from './state.ts';

/** Parents above an inode that are looked up; a path of the kernel has 4096 bytes. */
const MOST_PARENTS = 2048;

/** A path of each of these inodes that has one, for messages. Reads the directories a second time. */
export function pathsOf(state: State, wanted: ReadonlySet<number>): Map<number, string> {
  const need = new Set<number>();
  for (const number of wanted) {
    need.add(number);
    let at = state.directories.get(number)?.parent ?? 0;
    for (let i = 0; at !== 0 && i < MOST_PARENTS && !need.has(at); i++) {
      need.add(at);
      at = state.directories.get(at)?.parent ?? 0;
    }
  }
  const names = new Map<number, { parent: number; name: string }>();
  // parents of files are known once their names are: then the parents' own names are looked for
  for (let round = 0; round < 2; round++) {
    readNames(state, need, names);
    const before = need.size;
    for (const { parent } of [...names.values()]) {
      let at = parent;
      for (let i = 0; at !== 0 && at !== ROOT_INODE && i < MOST_PARENTS && !need.has(at); i++) {
        need.add(at);
        at = state.directories.get(at)?.parent ?? 0;
      }
    }
    if (need.size === before) break;
  }
  const found = new Map<number, string>([[ROOT_INODE, '/']]);
  for (const number of wanted) {
    const parts: string[] = [];
    let at = number;
    for (let i = 0; at !== ROOT_INODE && i < MOST_PARENTS; i++) {
      const known = names.get(at);
      if (known === undefined) break;
      parts.unshift(known.name);
      at = known.parent;
    }
    if (parts.length > 0) found.set(number, `${at === ROOT_INODE ? '/' : '…/'}${parts.map(display).join('/')}`);
  }
  return found;
}

function readNames(
  state: State,
  need: ReadonlySet<number>,
  names: Map<number, { parent: number; name: string }>,
): void {
  const { volume } = state;
  volume.beginPass();
  const types = volume.features.has('filetype');
  const read = (bytes: Uint8Array, parent: number) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + 8 <= bytes.length; ) {
      const number = view.getUint32(at, true);
      const length = view.getUint16(at + 4, true);
      const nameLength = types ? view.getUint8(at + 6) : view.getUint16(at + 6, true);
      if (length < 12 || at + 8 + nameLength > bytes.length) return;
      if (need.has(number) && !names.has(number)) {
        const name = latin1(bytes.subarray(at + 8, at + 8 + nameLength));
        if (name !== '.' && name !== '..') names.set(number, { parent, name });
      }
      at += length;
    }
  };
  for (const { number, runs, inline, size } of state.directories.values())
    state.attempt(`directory ${number}`, number, () => {
      for (const [i, part] of (inline ?? []).entries()) read(i === 0 ? part.subarray(4) : part, number);
      const end = size / volume.blockSize;
      for (const { logical, physical, length } of runs ?? [])
        for (let i = 0; i < length && logical + i < end; i++) {
          volume.spend(1, `inode ${number}`);
          read(volume.block(physical + i, `directory ${number}`), number);
        }
    });
}
