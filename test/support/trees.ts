import { createHash } from 'node:crypto';
import { type FileContent, memory } from '../../src/bytes/content.ts';
import { sparse } from '../../src/bytes/sparse.ts';
import { directory, file, type Inode, type Meta, symlink } from '../../src/tree/inode.ts';
import { display } from '../../src/tree/path.ts';
import { Tree } from '../../src/tree/tree.ts';
import { random } from './data.ts';

/** What a format or a checker cannot hold, so that a tree without it can be asked for. */
export interface TreeLimits {
  readonly xattrs?: boolean;
  readonly nanoseconds?: boolean;
  readonly devices?: boolean;
  readonly sockets?: boolean;
  readonly holes?: boolean;
  /** Names of any bytes; otherwise only UTF-8. */
  readonly anyBytes?: boolean;
  /** Hard links of symlinks and devices, not only of files. */
  readonly oddLinks?: boolean;
  /** Owners above 2^21, which ustar cannot hold. */
  readonly largeIds?: boolean;
  /** Times before 1970. */
  readonly negativeTimes?: boolean;
  /** Bytes of the longest target of a symbolic link. */
  readonly target?: number;
  /** The largest numbers of a device. */
  readonly major?: number;
  readonly minor?: number;
}

const ALL: Required<TreeLimits> = {
  xattrs: true,
  nanoseconds: true,
  devices: true,
  sockets: false,
  holes: true,
  anyBytes: true,
  oddLinks: true,
  largeIds: true,
  negativeTimes: true,
  target: 4000,
  major: 4095,
  minor: 2 ** 20 - 1,
};

const EPOCH = 1_700_000_000;

function meta(mode: number, mtime = EPOCH): Meta {
  return { mode, uid: 0, gid: 0, mtime };
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(size: number, seed = 1): Uint8Array {
  const { next } = random(seed);
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = next() * 256;
  return bytes;
}

/** A file of `size` bytes with data at the given places. */
export function holed(size: number, data: readonly (readonly [offset: number, size: number])[], seed = 1): FileContent {
  const extents = data.map(([offset, length]) => ({ offset, size: length }));
  const stored = extents.reduce((sum, extent) => sum + extent.size, 0);
  return sparse(memory(noise(stored, seed)), extents, size);
}

/** Trees that each stand for something that has gone wrong somewhere. `limits` leaves out what a checker cannot hold. */
export function sampleTrees(limits: TreeLimits = {}): [name: string, tree: Tree][] {
  const may = { ...ALL, ...limits };
  const trees: [string, Tree][] = [];
  const add = (name: string, build: (tree: Tree) => void) => {
    const tree = new Tree(directory(meta(0o755)));
    build(tree);
    trees.push([name, tree]);
  };
  const put = (tree: Tree, path: string, inode: Inode) => tree.set(path, inode);
  const folder = (tree: Tree, path: string, mode = 0o755) => tree.makeDirectory(path, meta(mode));

  add('empty', () => {});
  add('one file', (tree) => put(tree, 'a', file(memory('hello\n'), meta(0o644))));
  add('sizes around blocks', (tree) => {
    folder(tree, 's');
    for (const size of [0, 1, 3, 4, 5, 511, 512, 513, 4095, 4096, 4097, 65535, 65536, 65537, 262144, 262145])
      put(tree, `s/${size}`, file(memory(noise(size, size + 1)), meta(0o644)));
  });
  add('modes', (tree) => {
    for (const mode of [0o000, 0o400, 0o644, 0o777, 0o4755, 0o2755, 0o6711, 0o1777])
      put(tree, `f${mode.toString(8)}`, file(memory('x'), meta(mode)));
    for (const mode of [0o700, 0o755, 0o1777, 0o2775, 0o555]) folder(tree, `d${mode.toString(8)}`, mode);
  });
  add('names', (tree) => {
    for (const name of [' ', 'a b', '-rf', 'new\nline', '\\', '*', 'x'.repeat(255), 'TRAILER', '.hidden', '~', '%41'])
      put(tree, name, file(memory(name), meta(0o644)));
    put(tree, Buffer.from('grüße-日本.txt').toString('latin1'), file(memory('u'), meta(0o644)));
    if (may.anyBytes) {
      put(tree, '\xff\xfe\x80', file(memory('b'), meta(0o644)));
      put(tree, '\xfc'.repeat(255), file(memory('b'), meta(0o644)));
    }
  });
  add('long paths', (tree) => {
    let path = '';
    for (let i = 0; i < 9; i++) {
      path = path === '' ? 'd'.repeat(99) : `${path}/${String(i).repeat(99)}`;
      folder(tree, path);
      put(tree, `${path}/file`, file(memory(path), meta(0o600)));
    }
    for (const length of [97, 98, 99, 100, 101, 102, 153, 154, 155, 156]) {
      folder(tree, 'p'.repeat(length));
      for (const inner of [1, 97, 98, 99, 100, 101])
        put(tree, `${'p'.repeat(length)}/${'n'.repeat(inner)}`, file(memory('l'), meta(0o644)));
    }
  });
  add('links', (tree) => {
    const shared = file(memory('shared data\n'), meta(0o4755));
    for (const name of ['b', 'a', 'z/late', 'm/middle', `z/${'k'.repeat(180)}`]) put(tree, name, shared);
    const empty = file(memory(''), meta(0o644));
    for (const name of ['e1', 'e2']) put(tree, name, empty);
    put(tree, 'to-a', symlink('a', meta(0o777)));
    put(tree, 'dangling', symlink('../../nowhere', meta(0o777)));
    put(tree, 'absolute', symlink('/z/late', meta(0o777)));
    put(tree, 'loop', symlink('loop', meta(0o777)));
    put(tree, 'long-link', symlink('t/'.repeat(150), meta(0o777)));
    put(tree, 'longest-link', symlink('q'.repeat(Math.min(may.target, 4000)), meta(0o777)));
    put(tree, 'unicode-link', symlink(Buffer.from('zürich/日').toString('latin1'), meta(0o777)));
    if (may.oddLinks) {
      const link = symlink('target', meta(0o777));
      put(tree, 'link1', link);
      put(tree, 'link2', link);
    }
  });
  add('owners and times', (tree) => {
    put(tree, 'owned', file(memory('o'), { mode: 0o640, uid: 1000, gid: 65534, mtime: 0 }));
    put(tree, 'late', file(memory('o'), { mode: 0o640, uid: 0, gid: 0, mtime: 2 ** 32 - 1 }));
    if (may.largeIds) put(tree, 'big', file(memory('o'), { mode: 0o640, uid: 2 ** 32 - 2, gid: 2097152, mtime: 1 }));
    if (may.nanoseconds) {
      put(tree, 'fine', file(memory('o'), { ...meta(0o640), nanoseconds: 123456789 }));
      put(tree, 'finest', file(memory('o'), { ...meta(0o640), nanoseconds: 1 }));
    }
    if (may.negativeTimes) put(tree, 'early', file(memory('o'), { mode: 0o640, uid: 0, gid: 0, mtime: -2 }));
    if (may.negativeTimes && may.nanoseconds)
      put(tree, 'early-fine', file(memory('o'), { mode: 0o640, uid: 0, gid: 0, mtime: -2, nanoseconds: 250000000 }));
  });
  if (may.devices)
    add('devices', (tree) => {
      folder(tree, 'dev');
      put(tree, 'dev/null', { ...meta(0o666), kind: 'char', major: 1, minor: 3 });
      put(tree, 'dev/sda', { ...meta(0o660), kind: 'block', major: 8, minor: 0 });
      put(tree, 'dev/big', { ...meta(0o600), kind: 'char', major: may.major, minor: may.minor });
      put(tree, 'dev/pipe', { ...meta(0o600), kind: 'fifo' });
      if (may.sockets) put(tree, 'dev/log', { ...meta(0o666), kind: 'socket' });
      if (may.oddLinks) {
        const node: Inode = { ...meta(0o666), kind: 'char', major: 1, minor: 5 };
        put(tree, 'dev/zero', node);
        put(tree, 'dev/zero2', node);
      }
    });
  if (may.xattrs)
    add('xattrs', (tree) => {
      const xattrs = new Map([
        [
          'security.capability',
          Uint8Array.from([1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0xff, 0x80, 0, 10, 61, 0, 0, 0]),
        ],
        ['user.empty', new Uint8Array(0)],
        ['user.text', Buffer.from('5 user.x=y\n')],
        ['user.a=b%3D', Buffer.from('odd name')],
        ['user.large', noise(2500)],
      ]);
      put(tree, 'ping', { ...file(memory('elf'), meta(0o755)), xattrs });
      const held = folder(tree, 'held');
      held.xattrs = new Map([['user.on-directory', Buffer.from([0, 255, 0])]]);
      const linked = { ...file(memory('two'), meta(0o755)), xattrs: new Map([['user.x', Buffer.from('1')]]) };
      put(tree, 'l1', linked);
      put(tree, 'l2', linked);
    });
  if (may.holes)
    add('holes', (tree) => {
      put(tree, 'all-hole', file(holed(1 << 20, []), meta(0o644)));
      put(tree, 'middle', file(holed(300_000, [[100_000, 5000]]), meta(0o644)));
      put(
        tree,
        'ends',
        file(
          holed(300_001, [
            [0, 1],
            [300_000, 1],
          ]),
          meta(0o644),
        ),
      );
      put(tree, 'small', file(holed(600, [[300, 10]]), meta(0o644)));
      put(
        tree,
        'many',
        file(
          holed(
            4_000_000,
            Array.from({ length: 200 }, (_, i) => [i * 20_000, 17]),
          ),
          meta(0o644),
        ),
      );
      put(tree, 'full', file(holed(5000, [[0, 5000]]), meta(0o644)));
    });
  add('many small files', (tree) => {
    for (let d = 0; d < 10; d++) {
      folder(tree, `d${d}`);
      for (let i = 0; i < 60; i++) put(tree, `d${d}/f${i}`, file(memory(noise((i * 37) % 700, i)), meta(0o644)));
    }
  });
  return trees;
}

/** A tree of everything, decided by `seed` alone. */
export function randomTree(seed: number, limits: TreeLimits = {}): Tree {
  const may = { ...ALL, ...limits };
  const { below, pick, next } = random(seed);
  const tree = new Tree(directory(someMeta(0o755)));
  const directories = [''];
  const linkable: Inode[] = [];
  const sizes = [0, 1, 2, 3, 4, 5, 100, 511, 512, 513, 1024, 4096, 10_000, 70_000, 300_000];
  for (let i = 5 + below(60); i > 0; i--) {
    const parent = pick(directories);
    const path = parent === '' ? someName() : `${parent}/${someName()}`;
    if (path.length > 1500 || tree.lstat(path) !== undefined) continue;
    const kinds = ['file', 'file', 'file', 'directory', 'directory', 'symlink', 'link'];
    if (may.devices) kinds.push('char', 'block', 'fifo');
    if (may.sockets) kinds.push('socket');
    if (may.holes) kinds.push('hole');
    const kind = pick(kinds);
    let inode: Inode;
    switch (kind) {
      case 'directory':
        inode = directory(someMeta(0o755));
        directories.push(path);
        break;
      case 'symlink':
        inode = symlink(pick(['a', '/etc/x', '../up', someName(), 'l/'.repeat(1 + below(400))]), someMeta(0o777));
        inode.mode = 0o777;
        delete inode.xattrs;
        break;
      case 'char':
      case 'block':
        inode = { ...someMeta(0o660), kind, major: below(may.major + 1), minor: below(may.minor + 1) };
        break;
      case 'fifo':
      case 'socket':
        inode = { ...someMeta(0o600), kind };
        break;
      case 'hole': {
        const data: [number, number][] = [];
        let at = 0;
        for (let n = below(5); n > 0; n--) {
          at += below(200_000);
          const size = 1 + below(9000);
          data.push([at, size]);
          at += size + 1;
        }
        inode = file(holed(at + below(100_000), data, i), someMeta(0o644));
        break;
      }
      case 'link':
        if (linkable.length === 0) continue;
        inode = pick(linkable);
        break;
      default:
        inode = file(memory(noise(pick(sizes), seed + i)), someMeta(0o644));
    }
    tree.set(path, inode);
    if (inode.kind === 'file' || (may.oddLinks && inode.kind !== 'directory')) linkable.push(inode);
  }
  return tree;

  function someMeta(mode: number): Meta {
    const made: Meta = {
      mode: pick([mode, mode, mode, 0o4755, 0o2750, 0o1777, 0o000, below(0o10000)]),
      uid: pick([0, 0, 0, 1000, 65534, may.largeIds ? 2 ** 32 - 2 : 3]),
      gid: pick([0, 0, 5, 2097151, may.largeIds ? 2097152 : 4]),
      mtime: pick([EPOCH, 0, 1, 2 ** 31, 2 ** 32 - 1, may.negativeTimes ? -1 - below(1000) : 7]),
    };
    if (may.nanoseconds && below(3) === 0) made.nanoseconds = below(1_000_000_000);
    if (may.xattrs && below(4) === 0)
      made.xattrs = new Map([
        [pick(['user.a', 'security.capability', 'user.ä=%']).normalize(), noise(below(300), i2())],
      ]);
    return made;
  }

  function i2(): number {
    return Math.floor(next() * 1e9);
  }

  function someName(): string {
    const length = pick([1, 2, 5, 8, 12, 12, 100, 101, 255]);
    const alphabet = pick(
      may.anyBytes
        ? ['abc', 'etclibusr.-_', ' %=\\"\'\t', Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('')]
        : ['abc', 'etclibusr.-_', ' %=\\"\'\t'],
    ).replace(/[/\0]/g, '');
    let name = '';
    while (name.length < length) name += alphabet[below(alphabet.length)];
    if (!may.anyBytes && below(6) === 0 && name.length < 200) name += Buffer.from('日本ü').toString('latin1');
    return /^\.+$/.test(name) || name === 'TRAILER!!!' ? `x${name}`.slice(0, 255) : name;
  }
}

/** What {@link dump} leaves out. */
export interface DumpOptions {
  readonly xattrs?: boolean;
  readonly nanoseconds?: boolean;
  readonly extents?: boolean;
}

/** A tree as lines that say all of it: two trees are the same when their lines are. */
export function dump(tree: Tree, options: DumpOptions = {}): string[] {
  const seen = new Map<Inode, string>();
  const lines: string[] = [];
  for (const { path, inode } of tree.walk()) {
    const earlier = inode.kind === 'directory' ? undefined : seen.get(inode);
    if (earlier !== undefined) {
      lines.push(`${display(path)} = ${display(earlier)}`);
      continue;
    }
    seen.set(inode, path);
    const time = options.nanoseconds === false ? inode.mtime : `${inode.mtime}.${inode.nanoseconds ?? 0}`;
    const words: (string | number)[] = [
      display(path) || '/',
      inode.kind,
      inode.mode.toString(8),
      inode.uid,
      inode.gid,
      time,
    ];
    switch (inode.kind) {
      case 'file':
        words.push(
          inode.content.size,
          createHash('sha256').update(inode.content.readSync()).digest('hex').slice(0, 16),
        );
        if (options.extents !== false && inode.content.extents !== undefined)
          words.push(inode.content.extents.map(({ offset, size }) => `${offset}+${size}`).join(','));
        break;
      case 'symlink':
        words.push(`-> ${display(inode.target)}`);
        break;
      case 'char':
      case 'block':
        words.push(`${inode.major}:${inode.minor}`);
        break;
      default:
    }
    if (options.xattrs !== false && inode.xattrs !== undefined)
      for (const name of [...inode.xattrs.keys()].sort())
        words.push(`[${display(name)}=${Buffer.from(inode.xattrs.get(name)!).toString('hex')}]`);
    lines.push(words.join(' '));
  }
  return lines;
}

/** Number of names in a directory tree, for quick sanity. */
export function count(tree: Tree): number {
  let names = 0;
  for (const _ of tree.walk()) names++;
  return names;
}

/** Hands bytes on in pieces of `size`, each in the same buffer: what it gave before is overwritten. */
export async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    buffer.fill(0xaa);
    buffer.set(part);
    yield buffer.subarray(0, part.length);
  }
}
