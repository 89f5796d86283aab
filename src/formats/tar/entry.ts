import type { Meta } from '../../tree/inode.ts';
import type { Losses } from '../../tree/losses.ts';
import { HeaderError, type RawHeader } from './header.ts';
import { type PaxRecords, paxSize, paxTime, paxXattrs } from './pax.ts';

const ID_LIMIT = 2 ** 32 - 1;

/** A header with the changes of the pax records applied. */
export type Settled = { -readonly [K in keyof RawHeader]: RawHeader[K] } & { nanoseconds?: number };

/** Applies the pax records of an entry to its header. */
export function settle(raw: RawHeader, { values }: PaxRecords): Settled {
  const header: Settled = { ...raw };
  for (const [keyword, value] of values) {
    if (value === '') continue; // taken back: the header's own field counts
    switch (keyword) {
      case 'path':
        header.name = value;
        break;
      case 'linkpath':
        header.link = value;
        break;
      case 'uname':
        header.user = value;
        break;
      case 'gname':
        header.group = value;
        break;
      case 'size':
        header.size = paxSize(value, keyword);
        break;
      case 'uid':
        header.uid = paxSize(value, keyword);
        break;
      case 'gid':
        header.gid = paxSize(value, keyword);
        break;
      case 'SCHILY.devmajor':
        header.major = paxSize(value, keyword);
        break;
      case 'SCHILY.devminor':
        header.minor = paxSize(value, keyword);
        break;
      case 'mtime':
        Object.assign(header, paxTime(value, keyword));
        break;
    }
  }
  const sparseName = values.get('GNU.sparse.name');
  if (sparseName) header.name = sparseName;
  return header;
}

/** The metadata of an entry of the archive `source`; what Linux does not support is noted in `losses`. */
export function metaFrom(header: Settled, records: PaxRecords | undefined, source: string, losses: Losses): Meta {
  const meta: Meta = { mode: header.mode & 0o7777, uid: header.uid, gid: header.gid, mtime: header.mtime };
  if (header.user !== '') meta.user = header.user;
  if (header.group !== '') meta.group = header.group;
  if (header.nanoseconds) meta.nanoseconds = header.nanoseconds;
  if (records === undefined) return meta;
  const idOf = (kind: 'user' | 'group', name: string): number | undefined => {
    if (name === 'root') return 0;
    if (kind === 'user') return name === header.user ? header.uid : undefined;
    return name === header.group ? header.gid : undefined;
  };
  const xattrs = paxXattrs(records.values, { source, path: header.name, losses, idOf });
  if (xattrs !== undefined) meta.xattrs = xattrs;
  return meta;
}

/** Rejects impossible values. */
export function checkHeader(header: Settled): void {
  if (header.name === '') throw new HeaderError('an entry without a name');
  if (header.size < 0) throw new HeaderError(`the size is ${header.size}`);
  for (const id of ['uid', 'gid'] as const)
    if (header[id] < 0 || header[id] > ID_LIMIT) throw new HeaderError(`the ${id} is ${header[id]}`);
  if (header.mode < 0) throw new HeaderError(`the mode is ${header.mode}`);
  if (header.major < 0 || header.minor < 0 || header.major > ID_LIMIT || header.minor > ID_LIMIT)
    throw new HeaderError('the device number is out of range');
}
