import { crc32c } from '../../../bytes/crc32c.ts';
import { latin1 } from '../../../bytes/struct.ts';
import { xattrBlockSums } from '../checksums.ts';
import {
  INODE_EA_INODE,
  OLD_INODE_SIZE,
  XATTR_MAGIC,
  XATTR_REFERENCES_MAX,
  XattrEntry,
  XattrHeader,
} from '../layout.ts';
import type { RawInode } from '../volume.ts';
import { entryHash } from '../xattr.ts';
import { walkMap } from './mapping.ts';
import type { State } from './state.ts';

/** The largest value, XATTR_SIZE_MAX of the kernel. */
const VALUE_MAX = 65536;
/** The name under which a file's data is stored in its inode. */
const INDEX_SYSTEM = 7;
/** Encryption contexts, with their length by version (fscrypt_context). */
const INDEX_ENCRYPTION = 9;
const CONTEXT_SIZE: Readonly<Record<number, number>> = { 1: 28, 2: 40 };

/** What the extended attributes of an inode mean for the inode. */
export interface FoundXattrs {
  /** Clusters that i_blocks counts for them: their block, and values in inodes of their own. */
  clusters: number;
  /** The part of inline data behind the inode's own 60 bytes; undefined when there is none. */
  inline: Uint8Array | undefined;
  /** True when one of them says how the inode is encrypted. */
  encryption: boolean;
}

/** Checks the extended attributes of an inode, in the inode and in a block of their own. */
export function checkXattrs(state: State, inode: RawInode): FoundXattrs {
  const { volume, findings } = state;
  const { record, number, extraSize, bytes } = inode;
  const all: FoundXattrs = { clusters: 0, inline: undefined, encryption: false };
  const start = OLD_INODE_SIZE + extraSize;
  if (extraSize > 0 && start + 4 <= bytes.length) {
    const area = bytes.subarray(start);
    if (new DataView(area.buffer, area.byteOffset).getUint32(0, true) === XATTR_MAGIC)
      entries(state, inode, area, 4, 4, all);
  }
  const block = record.fileAcl + record.fileAclHigh * 2 ** 32;
  if (block === 0) return all;
  if (record.fileAclHigh !== 0 && !volume.features.has('64bit'))
    findings.inode(number, 'i_file_acl_high is set without 64bit');
  if (!volume.features.has('ext_attr'))
    findings.inode(number, 'it has a block of attributes without the feature ext_attr');
  if (!state.inRange(block)) {
    findings.inode(number, `its attributes are in block ${block} of ${volume.blocks}`);
    return all;
  }
  xattrBlock(state, inode, block, all);
  return all;
}

/** Checks a block of attributes the first time, and counts how often it is used. */
function xattrBlock(state: State, inode: RawInode, block: number, all: FoundXattrs): void {
  const { volume, findings } = state;
  const known = state.xattrBlocks.get(block);
  all.clusters++;
  if (known !== undefined) {
    known.found++;
    all.clusters += known.clusters;
    return;
  }
  const at = `extended attributes in block ${block}`;
  const bytes = volume.block(block, at);
  const header = XattrHeader.read(bytes);
  const shared = { found: 1, stored: header.references, first: inode.number, clusters: 0 };
  state.xattrBlocks.set(block, shared);
  const cluster = state.cluster(block);
  if (state.used.add(cluster) !== undefined) state.shared.add(cluster);
  findings.count('attribute block');
  if (header.magic !== XATTR_MAGIC) {
    findings.fault(at, 'there are none', inode.number);
    return;
  }
  if (header.blocks !== 1) findings.fault(at, `they say that they take ${header.blocks} blocks`, inode.number);
  if (header.references > XATTR_REFERENCES_MAX) findings.fault(at, `${header.references} references`, inode.number);
  if (volume.checksums) findings.sum('xattrs', at, xattrBlockSums(bytes, block, volume.seed), inode.number);
  const before = all.clusters;
  entries(state, inode, bytes, XattrHeader.size, 0, all);
  shared.clusters = all.clusters - before;
}

/** Entries from `first` on; offsets of values count from `base`. */
function entries(state: State, inode: RawInode, area: Uint8Array, first: number, base: number, all: FoundXattrs): void {
  const fault = (reason: string) => state.findings.inode(inode.number, reason);
  const taken: [start: number, end: number, what: string][] = [];
  const inInode = base > 0;
  let entry = first;
  const view = new DataView(area.buffer, area.byteOffset, area.length);
  // four zero bytes end the list
  for (; entry + 4 <= area.length && view.getUint32(entry, true) !== 0; ) {
    if (entry + XattrEntry.size > area.length) {
      fault('the list of its attributes has no end');
      return;
    }
    const found = XattrEntry.read(area, entry);
    const end = entry + XattrEntry.size + ((found.nameLength + 3) & ~3);
    if (end > area.length) {
      fault('the name of an attribute is cut off');
      return;
    }
    const name = latin1(area.subarray(entry + XattrEntry.size, entry + XattrEntry.size + found.nameLength));
    const what = `attribute ${found.nameIndex}:${JSON.stringify(name)}`;
    entry = end;
    if (found.nameLength === 0 && (found.nameIndex === 1 || found.nameIndex === 4 || found.nameIndex === 6))
      fault(`${what} has no name`);
    if (found.valueSize > VALUE_MAX) {
      fault(`${what} has ${found.valueSize} bytes`);
      continue;
    }
    if (found.valueInode !== 0) {
      all.clusters += valueInode(state, inode, found.valueInode, found.valueSize, what);
      continue;
    }
    const start = base + found.valueOffset;
    if (start + found.valueSize > area.length || (found.valueSize > 0 && (found.valueOffset & 3) !== 0)) {
      fault(`${what} has its value at ${found.valueOffset}+${found.valueSize}, outside of its place`);
      continue;
    }
    const value = found.valueSize === 0 ? new Uint8Array(0) : area.subarray(start, start + found.valueSize);
    if (found.valueSize > 0) taken.push([start, start + found.valueSize, what]);
    if (found.nameIndex === INDEX_SYSTEM && name === 'data') all.inline = value;
    if (found.nameIndex === INDEX_ENCRYPTION) {
      all.encryption = true;
      // later versions may have any length
      const length = CONTEXT_SIZE[value[0] ?? 0];
      if (length !== undefined && length !== value.length)
        fault('the attribute that says how it is encrypted is damaged');
    }
    // hashes in inodes are zero when the kernel does not keep them
    const skipped = inInode && found.hash === 0;
    // the hash is made of whole words, whatever is behind the value
    const one = { name, value: area.subarray(start, start + ((value.length + 3) & ~3)) };
    if (!skipped && found.hash !== entryHash(one) && found.hash !== entryHash(one, true))
      fault(`${what} has hash 0x${found.hash.toString(16)}, 0x${entryHash(one).toString(16)} is right`);
  }
  taken.push([0, entry + 4, 'the list of attributes']);
  taken.sort((a, b) => a[0] - b[0]);
  for (let i = 1; i < taken.length; i++)
    if (taken[i]![0] < taken[i - 1]![1] && !(i === 1 && taken[i]![0] >= entry))
      fault(`${taken[i]![2]} overlaps ${taken[i - 1]![2]}`);
}

/** A value in an inode of its own: it exists, has the size, and its hash is right. Returns the clusters it takes. */
function valueInode(state: State, inode: RawInode, number: number, size: number, what: string): number {
  const { volume, findings } = state;
  const fault = (reason: string): number => {
    findings.inode(inode.number, `${what}: ${reason}`);
    return 0;
  };
  if (number < 1 || number > volume.sb.inodes) return fault(`its value is in inode ${number} of ${volume.sb.inodes}`);
  const value = volume.inode(number);
  if ((value.record.flags & INODE_EA_INODE) === 0) return fault(`inode ${number} is not the value of an attribute`);
  if (value.size !== size) return fault(`${size} bytes, but inode ${number} has ${value.size}`);
  // Lustre's form has no count and no hash: i_mtime and i_generation name the only inode that uses it
  if (value.record.mtime >>> 0 === inode.number && value.record.generation === inode.record.generation) {
    state.valueInodes.set(number, { stored: 1, uses: 1 });
    return 0;
  }
  // i_ctime and i_version hold the count of uses, i_atime the hash
  const stored = (value.record.ctime >>> 0) * 2 ** 32 + value.record.version;
  const known = state.valueInodes.get(number);
  if (known !== undefined) known.uses++;
  else {
    state.valueInodes.set(number, { stored, uses: 1 });
    const bytes = new Uint8Array(size);
    const visitor = { node: () => true, fault: () => {} };
    walkMap(volume, value, {
      ...visitor,
      data(logical, physical, length) {
        const from = logical * volume.blockSize;
        if (from < size)
          volume.access.readAt(
            physical * volume.blockSize,
            bytes.subarray(from, Math.min(size, from + length * volume.blockSize)),
          );
      },
    });
    if (crc32c(volume.seed, bytes) !== value.record.atime >>> 0) fault(`the value in inode ${number} has another hash`);
  }
  return Math.ceil(size / (volume.blockSize * state.ratio));
}
