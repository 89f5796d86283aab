import { INODE_INLINE_DATA, RESIZE_INODE } from '../layout.ts';
import type { RawInode } from '../volume.ts';
import { mapOwner } from './inodes.ts';
import { walkMap } from './mapping.ts';
import { Marks } from './marks.ts';
import type { State } from './state.ts';

/** Blocks with several owners: finds who they are, and names them. Reads the maps of all inodes a second time. */
export function nameOwners(state: State): void {
  const { shared, volume, findings } = state;
  // files may share blocks where the file system says so; such a file system is read-only
  if (shared.size === 0 || volume.features.has('shared_blocks')) return;
  volume.beginPass();
  const owners = new Map<number, number[]>();
  for (const number of state.inUse()) {
    if (number === RESIZE_INODE) continue;
    state.attempt(`inode ${number}`, number, () => {
      const inode = volume.inode(number);
      for (const cluster of clustersOf(state, inode)) {
        const known = owners.get(cluster);
        if (known === undefined) owners.set(cluster, [number]);
        else if (known[known.length - 1] !== number && known.length < 10) known.push(number);
      }
    });
  }
  for (const cluster of [...shared].sort((a, b) => a - b)) {
    const block = volume.sb.firstDataBlock + cluster * state.ratio;
    const known = owners.get(cluster) ?? [];
    const others = (self: number) => known.filter((one) => one !== self).map((one) => `inode ${one}`);
    if (state.fixed.has(block))
      for (const number of known)
        findings.inode(number, `it uses block ${block}, which holds metadata of the file system`);
    else if (known.length > 1)
      for (const number of known)
        findings.inode(number, `it uses block ${block}, as does ${others(number).join(', ')}`);
    else if (known.length === 1) findings.inode(known[0]!, `it uses block ${block} twice`);
    else findings.fault(`block ${block}`, 'it is used twice');
  }
}

function clustersOf(state: State, inode: RawInode): Set<number> {
  const { volume, shared } = state;
  const found = new Set<number>();
  const visited = new Marks();
  const add = (block: number, count: number) => {
    const from = state.cluster(block);
    const to = state.cluster(block + count - 1);
    if (to - from > shared.size) {
      for (const cluster of shared) if (cluster >= from && cluster <= to) found.add(cluster);
    } else for (let cluster = from; cluster <= to; cluster++) if (shared.has(cluster)) found.add(cluster);
  };
  const acl = inode.record.fileAcl + inode.record.fileAclHigh * 2 ** 32;
  if (acl !== 0 && state.inRange(acl)) add(acl, 1);
  if (inode.record.flags & INODE_INLINE_DATA || !mapOwner(state, inode)) return found;
  walkMap(volume, inode, {
    fault: () => {},
    data(_logical, physical, length) {
      volume.spend(Math.ceil(length / 64), `inode ${inode.number}`);
      add(physical, length);
    },
    node(block) {
      volume.spend(1, `inode ${inode.number}`);
      add(block, 1);
      return visited.add(block) === undefined;
    },
  });
  return found;
}
