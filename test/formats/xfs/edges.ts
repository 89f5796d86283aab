import { memory } from '../../../src/bytes/content.ts';
import { encodeAcl } from '../../../src/formats/acl/acl.ts';
import { directory, file, type Inode, rootMeta, symlink } from '../../../src/tree/inode.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { noise } from '../../support/trees.ts';

/** Directories of sizes around the limits of each form, attributes of each form, files with many extents. */
export function edges(): Tree {
  const tree = new Tree();
  const meta = rootMeta(0o644, 1_700_000_000);
  const empty = file(memory(''), meta);
  const names = (path: string, count: number, name: (i: number) => string) => {
    tree.makeDirectory(path);
    for (let i = 0; i < count; i++) tree.set(`${path}/${name(i)}`, empty);
  };
  // short form to block to leaf to node, with names of few and many bytes
  for (const count of [0, 1, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29]) names(`short-${count}`, count, (i) => `n${i}`);
  for (const count of [125, 126, 127, 128, 129, 130, 131, 132]) names(`block-${count}`, count, (i) => `name-${i}`);
  for (const count of [490, 494, 496, 498, 500, 502, 504, 1000, 2000])
    names(`leaf-${count}`, count, (i) => `name-${i}`);
  for (const count of [30, 31, 400]) names(`long-${count}`, count, (i) => `${i}`.padEnd(255, 'x'));
  // names of one hash: they meet at the edges of leaves
  names('same-hash', 700, (i) => `${'abcdefgh'.slice(0, 1 + (i % 8))}${i >> 3}`);
  const attributed = (path: string, inode: Inode, xattrs: Record<string, Uint8Array>) => {
    inode.xattrs = new Map(Object.entries(xattrs));
    tree.set(path, inode);
  };
  const plain = (): Inode => file(memory('text'), meta);
  for (const size of [1, 100, 200, 255, 256, 260, 300, 3000, 3040, 3060, 3072, 4000, 65536])
    attributed(`attribute-${size}`, plain(), { 'user.a': noise(size, size) });
  // names of every length modulo 4, whose values are in their leaf, or just not
  for (const length of [1, 2, 3, 4, 5, 6, 7, 8, 254, 255])
    for (const size of [256, 3061 - length, 3069 - length, 3070 - length, 4040, 4041])
      attributed(`attribute-${size}-of-${length}`, plain(), { [`user.${'n'.repeat(length)}`]: noise(size, size) });
  for (const count of [2, 10, 50, 70, 130, 400, 1500])
    attributed(
      `attributes-${count}`,
      plain(),
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`user.${'n'.repeat(i % 50)}${i}`, noise(i % 60, i)])),
    );
  attributed('spaces', plain(), {
    'user.x': Buffer.from('u'),
    'trusted.x': Buffer.from('t'),
    'security.x': Buffer.from('s'),
    'security.selinux': Buffer.from('system_u:object_r:etc_t:s0\0'),
  });
  const acl = encodeAcl([
    { tag: 1, id: 0xffffffff, permissions: 7 },
    { tag: 2, id: 1000, permissions: 5 },
    { tag: 4, id: 0xffffffff, permissions: 5 },
    { tag: 0x10, id: 0xffffffff, permissions: 5 },
    { tag: 0x20, id: 0xffffffff, permissions: 0 },
  ]);
  attributed('acl', directory({ ...meta, mode: 0o755 }), {
    'system.posix_acl_access': acl,
    'system.posix_acl_default': acl,
  });
  for (const size of [10, 55, 56, 57, 150, 271, 272, 273, 336, 337, 1023])
    for (const value of [0, 5, 100, 230, 250, 300]) {
      const link = symlink('t'.repeat(size), { ...meta, mode: 0o777 });
      attributed(`links/${size}-${value}`, link, value === 0 ? {} : { 'trusted.a': noise(value, value) });
      const at = `directories/${size}-${value}`;
      attributed(at, directory({ ...meta, mode: 0o755 }), { 'user.a': noise(value, value) });
      for (let i = 0; i < size / 12; i++) tree.set(`${at}/name${i}`, empty);
    }
  for (const kind of ['fifo', 'socket'] as const) attributed(kind, { ...meta, kind }, { 'trusted.a': noise(290, 1) });
  attributed('null', { ...meta, kind: 'char', major: 1, minor: 3 }, { 'trusted.a': noise(400, 1) });
  tree.set('far', { ...meta, kind: 'block', major: 511, minor: 262143 });
  for (const count of [1, 11, 12, 13, 20, 21, 22, 250, 251, 252, 253, 600])
    attributed(`holes-${count}`, file(holes(count), meta), count % 2 ? { 'user.a': noise(100, 3) } : {});
  return tree;
}

/** A file of that many blocks with a hole behind each. */
function holes(count: number) {
  const bytes = new Uint8Array(count * 8192 - 4096);
  for (let i = 0; i < count; i++) bytes.fill((i % 250) + 1, i * 8192, i * 8192 + 4096);
  return {
    ...memory(bytes),
    extents: Array.from({ length: count }, (_, i) => ({ offset: i * 8192, size: 4096 })),
  };
}

/** One of each kind of structure. */
export function oneOfEach(): Tree {
  const all = edges();
  const tree = new Tree();
  for (const name of [
    'short-20',
    'block-125',
    'leaf-490',
    'leaf-504',
    'attribute-4000',
    'attributes-130',
    'attribute-100',
    'acl',
    'null',
    'far',
    'fifo',
    'holes-12',
    'holes-253',
  ])
    tree.set(name, all.lstat(name)!);
  for (const name of ['10-5', '336-0', '337-0', '271-230']) tree.set(`link-${name}`, all.lstat(`links/${name}`)!);
  return tree;
}
