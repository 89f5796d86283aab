/** Fuzz targets: images, archives, what is kept in a cache or beside a folder, and files of a guest. */
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, gzipSync } from 'node:zlib';
import { openArtefact } from '../../src/artefacts/open.ts';
import { verifyArtefact } from '../../src/artefacts/verify.ts';
import { collect, memory } from '../../src/bytes/content.ts';
import { randomAccessMemory } from '../../src/bytes/file.ts';
import { decompressAny } from '../../src/compression/decompress.ts';
import { readInstalled as apkInstalled } from '../../src/families/apk/installed.ts';
import { readInstalled as aptInstalled } from '../../src/families/apt/installed.ts';
import type { ReadInstalled } from '../../src/families/installed.ts';
import { installedReader as rpmInstalled } from '../../src/families/rpm/installed.ts';
import { runLua } from '../../src/families/rpm/lua/run.ts';
import { keptTree, openKeptTree } from '../../src/fetch/kept-tree.ts';
import { openSpool, spoolTail } from '../../src/fetch/spool-index.ts';
import { decodeAcl } from '../../src/formats/acl/acl.ts';
import { catalogDatabase } from '../../src/formats/catalog/emit.ts';
import { cpioArchive } from '../../src/formats/cpio/emit.ts';
import { daxHeader, readDaxHeader } from '../../src/formats/disk/dax.ts';
import { erofsImage } from '../../src/formats/erofs/emit.ts';
import { verifyErofs } from '../../src/formats/erofs/inspect.ts';
import { openErofs } from '../../src/formats/erofs/read.ts';
import { ext4Image } from '../../src/formats/ext4/emit.ts';
import { KernelModule, readModule } from '../../src/formats/kmod/module.ts';
import { storedModules, storeModules } from '../../src/formats/kmod/packed.ts';
import { readPackage } from '../../src/formats/rpm/package.ts';
import { readCompiled } from '../../src/formats/selinux/compiled.ts';
import { binaryAclFault, textAcl } from '../../src/formats/tar/acl.ts';
import { tarArchive } from '../../src/formats/tar/emit.ts';
import { COMPONENTS, checkComponents } from '../../src/rootfs/components.ts';
import { parseDate, parseStamp } from '../../src/shell/commands/date-text.ts';
import { headLine, inodeOf, linesByHost, lineText, readManifest } from '../../src/tree/directory-manifest.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { ociLayout } from '../support/containers.ts';
import { ROOT } from '../support/data.ts';
import { tar } from '../support/debs.ts';
import { madeModule } from '../support/modules.ts';
import { drain, type FuzzTarget, latin, smallTree, text, withFile } from './tool.ts';

const entriesOf = (tree: Tree): Entry[] => [...tree.walk()].map(({ path, inode }) => ({ path, inode }));

/** The main header of a package that rpmbuild made. */
function rpmHeader(): Uint8Array {
  const bytes = readFileSync(join(ROOT, 'fixtures', 'rpm', 'seed.rpm'));
  return readPackage((offset, length) => bytes.subarray(offset, offset + length), 'seed').main.bytes;
}

async function readErofs(input: Uint8Array): Promise<void> {
  let left = 8 << 20;
  const reader = await openErofs(randomAccessMemory(input));
  for (const { inode } of reader.tree().walk()) {
    if (inode.kind !== 'file' || (left -= inode.content.size) < 0) continue;
    await drain(inode.content.open());
  }
}

const erofsSeeds = () =>
  withFile(new Uint8Array(0), async (_, folder) =>
    Promise.all(
      [{}, { compression: 'lz4' as const }].map(async (options, i) =>
        collect((await erofsImage(smallTree(), { ...options, spool: () => join(folder, `spool-${i}`) })).open()),
      ),
    ),
  );

/** rpm's database with one package: its header without the magic. */
async function rpmDatabase(): Promise<Uint8Array> {
  const { default: initSqlJs } = await import('sql.js');
  const database = new (await initSqlJs()).Database();
  database.run('PRAGMA page_size = 1024');
  database.run("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)");
  database.run("INSERT INTO 'Packages' VALUES (1, ?)", [rpmHeader().subarray(8)]);
  return database.export();
}

/** Reads what a package manager left in a guest. */
function readDatabase(read: ReadInstalled, path: string, input: Uint8Array): void {
  const tree = new Tree();
  tree.writeFile(path, input);
  const found = read(tree);
  if (found !== undefined) for (const one of found.files()) void one;
}

/** Bytes of the foot of a kept tree. */
const KEPT_FOOT = 64;

/** A tree as the cache keeps it. */
function keptBytes(tree: Tree): Promise<Uint8Array> {
  return withFile(new Uint8Array(0), async (path) => {
    const fd = openSync(path, 'w');
    try {
      await keptTree(tree, new Map([['elsewhere', { key: 'there', sha256: '' }]]), { told: [] })!(fd);
    } finally {
      closeSync(fd);
    }
    return readFileSync(path);
  });
}

/** Targets by name. */
export const GUEST_TARGETS: Readonly<Record<string, FuzzTarget>> = {
  /** Any file that a command may be given: recognised, opened, checked, read. */
  artefact: {
    seeds: async () => [
      gzipSync(await collect(cpioArchive(smallTree()).open())),
      await collect(tarArchive(smallTree()).open()),
      await collect(ext4Image(smallTree(), { blockSize: 1024, features: { has_journal: false } }).open()),
      ...(await erofsSeeds()),
      tar(
        [...(await ociLayout([{ members: [{ name: 'etc/' }, { name: 'etc/x', data: 'x' }] }]))].map(([name, data]) => ({
          name,
          data,
        })),
      ),
    ],
    run: (input) =>
      withFile(input, async (path, folder) => {
        const workspace = join(folder, 'work');
        mkdirSync(workspace);
        const options = { workspace: () => workspace };
        const artefact = await openArtefact(path, options);
        await artefact.structures();
        if (artefact.kind !== 'file') await verifyArtefact(path, options);
      }),
  },
  erofs: { seeds: erofsSeeds, run: readErofs },
  'erofs-check': { seeds: erofsSeeds, run: (input) => verifyErofs(randomAccessMemory(input)) },
  container: {
    seeds: async () => {
      const files = await ociLayout([{ members: [{ name: 'etc/' }, { name: 'etc/x', data: 'x' }] }]);
      return [tar([...files].map(([name, data]) => ({ name, data })))];
    },
    run: (input) =>
      withFile(input, async (path, folder) => {
        const artefact = await openArtefact(path, { workspace: () => folder });
        if (artefact.kind === 'tar') await artefact.tree();
      }),
  },
  lzma: {
    // `printf 'hello hello hello hello\n' | xz --format=lzma`, and the same by lzip
    seeds: () => [
      Buffer.from('5d00008000ffffffffffffffff00341949ee8de9560ac1b620b7ffffba340000', 'hex'),
      Buffer.from('4c5a4950010c00341949ee8de9560ac1b620b7ffffba3400000088590b18000000000000002d00000000000000', 'hex'),
    ],
    run: (input) => drain(decompressAny(memory(input).open(), 'input')),
  },
  dax: {
    seeds: () => [daxHeader()],
    run: (input) => {
      if (input.length >= 4096) readDaxHeader(input.subarray(0, 4096));
    },
  },
  acl: {
    seeds: () => [
      Buffer.from('0200000001000600ffffffff02000400e803000004000400ffffffff10000600ffffffff20000400ffffffff', 'hex'),
      text('user::rw-,user:1000:r--,group::r--,mask::rw-,other::r--'),
    ],
    run: (input) => {
      decodeAcl(input);
      binaryAclFault(input);
      textAcl(latin(input), () => undefined);
    },
  },
  manifest: {
    seeds: () => {
      const lines = [...smallTree().walk()].map(({ path, inode }) => lineText(path, inode, undefined, undefined));
      return [Buffer.from(headLine(true) + lines.join(''))];
    },
    run: (input) => {
      const manifest = readManifest(input, 'input');
      for (const line of manifest.lines) inodeOf(line);
      linesByHost(manifest);
    },
  },
  /** The index of an unpacked package in the cache; the sum over it is right, as in one that somebody planted. */
  spool: {
    seeds: () => {
      const tail = Buffer.from(spoolTail(0, 'a'.repeat(64), new Map(), entriesOf(smallTree())));
      const start = tail.indexOf('{"control"');
      return [tail.subarray(start, tail.length - 40)];
    },
    run: (input) => {
      const foot = Buffer.from(spoolTail(0, '', new Map(), [])).subarray(-40);
      foot.writeUInt32LE(crc32(input), 20);
      foot.writeBigUInt64LE(0n, 24);
      foot.writeBigUInt64LE(BigInt(input.length), 32);
      return withFile(Buffer.concat([input, foot]), async (path) => {
        const spool = openSpool(path);
        for (const { content } of spool?.control.values() ?? []) if (content.size < 1 << 20) content.readSync();
        for (const entry of spool?.entries ?? [])
          if ('inode' in entry && entry.inode.kind === 'file' && entry.inode.content.size < 1 << 20)
            await drain(entry.inode.content.open());
      });
    },
  },
  /** A kept tree in the cache; the sum over its table is right, as in one that somebody planted. */
  'kept-tree': {
    seeds: async () => [await keptBytes(smallTree()), await keptBytes(new Tree())],
    run: (input) => {
      const bytes = Buffer.from(input);
      const foot = bytes.length - KEPT_FOOT;
      if (foot >= 0) {
        const table = Number(bytes.readBigUInt64LE(foot + 24));
        if (table <= foot) bytes.writeUInt32LE(crc32(bytes.subarray(table, foot)), foot + 20);
      }
      return withFile(bytes, async (path) => {
        const kept = openKeptTree(path, ({ key }) => (key === 'there' ? { path, size: bytes.length } : undefined));
        for (const { inode } of kept?.tree.walk() ?? [])
          if (inode.kind === 'file' && inode.content.size < 1 << 20) await drain(inode.content.open());
      });
    },
  },
  /** Kept facts of kernel modules in the cache. */
  'kept-modules': {
    seeds: () => {
      const made = ['a', 'b'].map(
        (name) =>
          readModule(
            randomAccessMemory(madeModule({ info: [`alias=${name}`], exports: [name, 'x'], needs: ['printk'] })),
            name,
          ).data,
      );
      return [storeModules(made), storeModules([]), storeModules(made.slice(1))];
    },
    run: (input) => {
      for (const data of storedModules(input) ?? []) {
        const module = new KernelModule(data);
        if (module.exports.join('').length > input.length) throw new RangeError('more names than bytes');
      }
    },
  },
  'dpkg-status': {
    seeds: () => [
      text(
        'Package: a',
        'Status: install ok installed',
        'Version: 1:2-3',
        'Architecture: amd64',
        'Depends: b (>= 1) | c',
      ),
    ],
    run: (input) => readDatabase(aptInstalled, 'var/lib/dpkg/status', input),
  },
  'apk-installed': {
    seeds: () => [
      text(
        'C:Q1p78yvTLG094tHE1+dToJGbmYzQE=',
        'P:musl',
        'V:1.2.5-r0',
        'A:x86_64',
        'D:b>1 !c',
        'p:so:x=1',
        'F:lib',
        'M:0:0:755',
        'R:x',
      ),
    ],
    run: (input) => readDatabase(apkInstalled, 'lib/apk/db/installed', input),
  },
  'rpm-database': {
    seeds: async () => [await rpmDatabase()],
    run: async (input) => readDatabase(await rpmInstalled(), 'var/lib/rpm/rpmdb.sqlite', input),
  },
  'journal-catalog': {
    seeds: () => [
      text(
        '-- 0123456789abcdef0123456789abcdef',
        'Subject: s',
        'Defined-By: d',
        '',
        'body @X@',
        '',
        '-- f0123456789abcdef0123456789abcdef de',
        'x',
      ),
    ],
    run: (input) => catalogDatabase([{ name: 'x.de.catalog', text: latin(input) }]),
  },
  lua: {
    seeds: () => [
      text(
        'local f = io.open("/etc/passwd") for line in f:lines() do print(line:match("^(.-):")) end f:close()',
        'posix.mkdir("/a") posix.symlink("a", "/b") rpm.execute("true") os.remove("/b")',
        'print(string.format("%5d %s", 3, ("x"):rep(3)), ("a,b"):gsub(",", "."), #arg, rpm.vercmp("1", "2"))',
      ),
    ],
    run: (input) => {
      const tree = new Tree();
      tree.writeFile('etc/passwd', 'root:x:0:0::/:/bin/sh\n');
      const context = { tree, epoch: 0, machine: 'x86_64', environment: { PATH: '/bin' }, commands: new Map() };
      runLua({ title: 'fuzz.post', text: latin(input), args: ['1'], input: '' }, context, []);
    },
  },
  date: {
    seeds: () => [
      text('2026-01-02 03:04:05.678 +0100'),
      text('last friday 3 days ago'),
      text('@1700000000'),
      text('1 Jan 2026 12pm'),
      text('202601020304.05'),
    ],
    run: (input) => {
      parseDate(latin(input).trim(), 1_700_000_000);
      parseStamp(latin(input).trim(), 1_700_000_000);
    },
  },
  'compiled-contexts': {
    seeds: () => [readFileSync(join(ROOT, 'fixtures', 'selinux', 'file_contexts.6.bin')).subarray(0)],
    run: (input) => readCompiled(input, 'fuzz'),
  },
  components: {
    seeds: () => [
      text(
        'schema_version = 1',
        '[paths]',
        'a = "bin"',
        '[[process]]',
        'id = "x"',
        'level = 1',
        'path = "bin/x"',
        'args = ["${extension_root}", "\\u00e9"]',
        'optional_args = [{ when = "x", args = [] }]',
        'env = { A = "${cdh_socket}" }',
        '[process.variants.default]',
        'path = "bin/x"',
      ),
    ],
    run: (input) => {
      const tree = new Tree();
      tree.writeFile('bin/x', '', rootMeta(0o755));
      tree.writeFile(COMPONENTS, input);
      return checkComponents(tree, 'x');
    },
  },
};
