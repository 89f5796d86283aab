import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { data, needs, random, temporary, tool } from '../../support/data.ts';
import type { Entry, Outcome } from './corpus-reader.ts';
import { run } from './reference-tools.ts';

/**
 * Images from other tools, valid and damaged, most of them from e2fsprogs' own tests. e2fsck decides which are valid:
 * those must be read, and as debugfs reads them. The damaged ones may be read or rejected; they must not crash, hang or
 * eat memory.
 */

const READER = fileURLToPath(
  new URL(`./corpus-reader${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
);
/** Far more time than they need on a busy machine, but bounded. */
const SECONDS = 300;
const MEBIBYTES = 512;

/** Reads images in a process that is ended when it takes too much time or memory. */
function readAll(paths: readonly string[]): Map<string, Outcome> {
  const result = spawnSync(process.execPath, [`--max-old-space-size=${MEBIBYTES}`, READER, ...paths], {
    encoding: 'utf8',
    timeout: SECONDS * 1000,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 28,
  });
  const lines = result.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { begun?: string; path?: string } & Outcome);
  const last = lines.at(-1);
  assert.equal(result.signal, null, `ended while reading ${last?.begun}`);
  assert.equal(result.status, 0, `while reading ${last?.begun}:\n${result.stderr.slice(-2000)}`);
  const found = new Map<string, Outcome>();
  for (const { path, read, verified, encrypted } of lines)
    if (path !== undefined) found.set(path, { read, verified, encrypted });
  assert.equal(found.size, paths.length);
  return found;
}

/** The images of e2fsprogs' tests, unpacked. */
function unpacked(t: TestContext): string[] {
  const folder = temporary(t);
  const source = data('ext4/e2fsprogs');
  const paths: string[] = [];
  for (const name of readdirSync(source).sort()) {
    const path = join(folder, name);
    if (existsSync(join(source, name, 'image.gz')))
      writeFileSync(path, gunzipSync(readFileSync(join(source, name, 'image.gz'))));
    else if (existsSync(join(source, name, 'image.bz2')) && tool('bzip2'))
      writeFileSync(
        path,
        spawnSync(tool('bzip2')!, ['-dc', join(source, name, 'image.bz2')], { maxBuffer: 1 << 30 }).stdout,
      );
    else continue;
    paths.push(path);
  }
  return paths;
}

/** What the e2fsck of e2fsprogs' own tests finds, which may be newer than the one here. */
function isDamagedFor(path: string): boolean {
  const expected = join(data('ext4/e2fsprogs'), basename(path), 'expect.1');
  return existsSync(expected) && /Exit status is [^0]/.test(readFileSync(expected, 'latin1'));
}

/** Some damage takes two runs to repair. */
function fixedBy(path: string): boolean {
  spawnSync(tool('e2fsck')!, ['-fy', path], { stdio: 'ignore', timeout: 5000 });
  return looksSound(path);
}

/** True when neither the local e2fsck nor the one whose results are next to the image finds anything to fix. */
function isSound(path: string): boolean {
  if (isDamagedFor(path)) return false;
  return looksSound(path);
}

function looksSound(path: string): boolean {
  const options = { encoding: 'latin1', timeout: 10_000, maxBuffer: 1 << 28 } as const;
  const { status, stdout } = spawnSync(tool('e2fsck')!, ['-fn', path], options);
  return status === 0 && !/\? no$/m.test(stdout);
}

/** Images on which e2fsck acts although nothing is wrong with them, and why. */
const NO_DAMAGE: Readonly<Record<string, string>> = {
  f_collapse_extent_tree: 'a tree of extents that could be smaller',
  f_quota_extent_opt: 'a tree of extents that could be smaller',
  f_ea_inode_fast_symlink: 'sound; e2fsck before 1.47.1 takes the target of the link for blocks',
  f_expandroot_create_lnf: 'lost+found is missing, which e2fsck creates',
  f_hurd: 'made by another system, whose files e2fsck counts anew',
  f_quota_shrinkdir: 'its test asks for smaller directories (-D)',
  f_unshare_blocks_no_space: 'its test asks to copy shared blocks (-E unshare_blocks)',
};

const KINDS: Readonly<Record<string, string>> = {
  '04': 'directory',
  '10': 'file',
  '12': 'symlink',
  '02': 'char',
  '06': 'block',
  '01': 'fifo',
  '14': 'socket',
};

/** Compares a tree with what debugfs sees of the same image. Returns the numbers of names and of contents compared. */
function compare(
  t: TestContext,
  path: string,
  entries: readonly Entry[],
  encrypted: readonly string[],
): { names: number; contents: number } {
  const plain = (name: string) => /^[\x21\x23-\x5b\x5d-\x7e]*$/.test(name);
  const folders = entries.filter(({ kind, path: name }) => kind === 'directory' && plain(name));
  const files = entries.filter(({ sha256, path: name }) => sha256 !== undefined && plain(name)).slice(0, 60);
  const out = join(temporary(t), 'out');
  mkdirSync(out);
  const script = join(out, 'script');
  const commands = [
    ...folders.flatMap(({ path: name }) => [`ls -p "/${name}"`]),
    ...files.map(({ path: name }, i) => `dump "/${name}" "${join(out, String(i))}"`),
  ];
  writeFileSync(script, `${commands.join('\n')}\n`);
  const result = run('debugfs', ['-f', script, path]);
  let names = 0;
  for (const part of result.split(/^debugfs: ls -p "/m).slice(1)) {
    const folder = part.slice(1, part.indexOf('"\n'));
    // `/inode/mode/uid/gid/name/size/`
    for (const [, inode, mode, uid, gid, name] of part.matchAll(
      /^\/(\d+)\/([0-7]{6})\/(\d+)\/(\d+)\/([^/]*)\/\d*\/\s*$/gm,
    )) {
      // it lists entries that were deleted, too
      if (inode === '0' || name === '.' || name === '..' || !plain(name!)) continue;
      const full = folder === '' || folder === '/' ? name! : `${folder}/${name}`;
      if (encrypted.some((one) => one.replace(/^\/+/, '') === full)) continue;
      const ours = entries.find((one) => one.path === full);
      assert.ok(ours, `${basename(path)}: debugfs has ${full}`);
      assert.deepEqual(
        [ours.kind, ours.mode, ours.uid, ours.gid],
        [KINDS[mode!.slice(0, 2)], Number.parseInt(mode!.slice(2), 8), Number(uid), Number(gid)],
        `${basename(path)}: ${full}`,
      );
      names++;
    }
  }
  for (const [i, { path: name, size, sha256 }] of files.entries()) {
    const bytes = readFileSync(join(out, String(i)));
    // debugfs prints all 60 bytes of a shorter file that is stored in its inode
    const behind = bytes.subarray(size);
    assert.ok(
      behind.length === 0 || (bytes.length === 60 && behind.every((byte) => byte === 0)),
      `${basename(path)}: ${name}`,
    );
    const theirs = createHash('sha256').update(bytes.subarray(0, size)).digest('hex');
    assert.equal(sha256, theirs, `${basename(path)}: ${name}`);
  }
  return { names, contents: files.length };
}

test("images of e2fsprogs' own tests: valid ones read as debugfs reads them, damaged ones never hang or crash", {
  skip: needs({ data: ['ext4/e2fsprogs'], tools: ['e2fsck', 'debugfs'] }),
}, (t) => {
  const paths = unpacked(t);
  assert.ok(paths.length > 100, `${paths.length} images`);
  const found = readAll(paths);
  const count = { sound: 0, rejected: 0, damaged: 0, noticed: 0, names: 0, contents: 0 };
  const codes: Record<string, number> = {};
  const missed: string[] = [];
  const expected: Record<string, string | number> = {
    f_desc_size_zero: 'EXT4_CORRUPT',
    f_detect_xfs: 'EXT4_NOT',
    f_extent_too_deep: 'EXT4_CORRUPT',
    f_extent_int_bad_csum: 'EXT4_CHECKSUM',
    f_htree_leaf_csum: 'EXT4_CHECKSUM',
    f_super_bad_csum: 'EXT4_CHECKSUM',
    f_dir_bad_csum: 'EXT4_CHECKSUM',
    f_dup_de: 'EXT4_CORRUPT',
    f_dirlink: 'EXT4_CORRUPT',
    f_zeroed_ext_header: 'EXT4_CORRUPT',
    i_zero_super: 'EXT4_NOT',
    j_recover_csum2_64bit: 'EXT4_JOURNAL',
  };
  for (const [path, { read, verified, encrypted }] of found) {
    const name = basename(path);
    if (typeof read === 'string') codes[read] = (codes[read] ?? 0) + 1;
    if (expected[name] !== undefined) assert.equal(read, expected[name], name);
    if (!isSound(path)) {
      count.damaged++;
      if (typeof read === 'string' || verified !== 0) count.noticed++;
      else if (NO_DAMAGE[name] === undefined) missed.push(name);
      continue;
    }
    count.sound++;
    if (typeof read === 'string') {
      count.rejected++;
      // valid, except for features that this reader reports as unsupported, or a journal that needs a replay
      assert.ok(['EXT4_UNSUPPORTED', 'EXT4_JOURNAL'].includes(read), `${name}: ${read}`);
      continue;
    }
    assert.equal(verified, 0, `${name}: e2fsck finds it sound`);
    const compared = compare(t, path, read, encrypted);
    count.names += compared.names;
    count.contents += compared.contents;
  }
  t.diagnostic(`${paths.length} images; ${JSON.stringify(count)}; errors ${JSON.stringify(codes)}`);
  assert.ok(count.sound - count.rejected > 10 && count.names > 50 && count.contents > 20);
  assert.deepEqual(missed, []);
  assert.ok(count.noticed >= 80, `${count.noticed} of ${count.damaged}`);
  for (const name of ['f_bad_bbitmap', 'f_bad_ibitmap', 'f_bad_bmap_csum'])
    assert.ok(
      (found.get(paths.find((path) => basename(path) === name)!)!.verified as number) > 0,
      `${name}: a bitmap's checksum`,
    );
});

test('the same images once e2fsck has fixed them: valid, and read as debugfs reads them', {
  skip: needs({ data: ['ext4/e2fsprogs'], tools: ['e2fsck', 'debugfs'] }),
}, (t) => {
  let beyond = 0;
  const repaired = unpacked(t).filter((path) => {
    // some wait for another mount of the file system
    const options = { stdio: 'ignore', timeout: 5000, env: { ...process.env, LC_ALL: 'C' } } as const;
    const { status } = spawnSync(tool('e2fsck')!, ['-fy', path], options);
    // a newer e2fsck would fix it, this one finds nothing
    if (status === 0 && isDamagedFor(path)) beyond++;
    else if (status !== null && status < 8) return looksSound(path) || fixedBy(path);
    return false;
  });
  const count = { rejected: 0, names: 0, contents: 0 };
  const corrupt: string[] = [];
  for (const [path, { read, verified, encrypted }] of readAll(repaired)) {
    if (typeof read === 'string') {
      count.rejected++;
      // e2fsck before 1.47.1 leaves names that lead to values of attributes
      const left = read === 'EXT4_CORRUPT' && /^f_ea_/.test(basename(path));
      assert.ok(left || read === 'EXT4_UNSUPPORTED' || read === 'EXT4_JOURNAL', `${basename(path)}: ${read}`);
      continue;
    }
    if (verified !== 0) corrupt.push(basename(path));
    const compared = compare(t, path, read, encrypted);
    count.names += compared.names;
    count.contents += compared.contents;
  }
  t.diagnostic(`${repaired.length} images, ${beyond} beyond this e2fsck; ${JSON.stringify(count)}`);
  assert.deepEqual(corrupt, []);
  assert.ok(repaired.length > 80 && count.rejected < repaired.length / 10 && count.names > 1000);
});

test('the same images with bytes changed at random: read or rejected, within the same bounds', {
  skip: needs({ data: ['ext4/e2fsprogs'] }),
}, (t) => {
  const seed = Number(process.env['OSBUILDER_EXT4_SEED'] ?? Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  const { below } = random(seed);
  const paths = unpacked(t).filter((_, i) => i % 2 === seed % 2);
  for (const path of paths) {
    const bytes = readFileSync(path);
    if (bytes.length < 4096) continue;
    for (let n = 1 + below(60); n > 0; n--)
      bytes[1024 + below(Math.min(bytes.length - 1024, below(2) === 0 ? 2048 : 400_000))] = below(256);
    writeFileSync(path, bytes);
  }
  const codes: Record<string, number> = {};
  for (const { read } of readAll(paths).values()) {
    const what = typeof read === 'string' ? read : 'read';
    codes[what] = (codes[what] ?? 0) + 1;
  }
  t.diagnostic(`${paths.length} images: ${JSON.stringify(codes)}`);
  assert.ok((codes['EXT4_CORRUPT'] ?? 0) > 5, JSON.stringify(codes));
});
