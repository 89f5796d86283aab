import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { collect } from '../../src/bytes/content.ts';
import { slicesOfMemory } from '../../src/bytes/spool.ts';
import { decompress } from '../../src/compression/decompress.ts';
import { detect } from '../../src/compression/format.ts';
import { BuildError } from '../../src/errors/error.ts';
import { readAr } from '../../src/formats/ar/read.ts';
import { isCpio, readCpio } from '../../src/formats/cpio/read.ts';
import { isTar, readTar } from '../../src/formats/tar/read.ts';
import { readDirectory } from '../../src/tree/directory-read.ts';
import { writeDirectory } from '../../src/tree/directory-write.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { overlayEntries } from '../../src/tree/overlay.ts';
import { Tree } from '../../src/tree/tree.ts';
import { data, needs, temporary } from '../support/data.ts';
import { dump, inPieces } from '../support/trees.ts';

/** Archives from other tools, with their listing by bsdtar 3.6.2 (`bsdtar -tvv`, UTC). */
interface Golden {
  readonly rc: number | 'timeout';
  readonly list?: readonly string[];
  readonly err?: string;
}

const GOLDEN = 'archives/golden-bsdtar.json.gz';
const golden: Record<string, Golden> = existsSync(data(GOLDEN))
  ? JSON.parse(gunzipSync(readFileSync(data(GOLDEN))).toString())
  : {};

/** Where we differ from bsdtar, and why. */
const DIFFERENT: Record<string, string> = {
  'archives/go-tar/pax-bad-mtime-file.tar': 'a time that is not a number is rejected; bsdtar takes it for 0',
  'archives/libarchive/test_read_format_tar_pax_timestamps.tar': 'a time that is not a number is rejected',
  'archives/node-tar/bad-cksum.tar': 'a wrong checksum is rejected; bsdtar looks for the next header',
  'archives/libarchive/test_read_format_tar_V_negative_size.tar': 'a volume label of negative size is rejected',
  'archives/libarchive/test_read_format_mtree_nomagic.mtree': 'mtree is not a format of ours',
  'archives/libarchive/test_read_format_mtree_nomagic2.mtree': 'mtree is not a format of ours',
  'archives/libarchive/test_read_format_cpio_svr4_bzip2_rpm.rpm': 'rpm packages are opened elsewhere',
};

/** Rejected or warned about by bsdtar, but read here: what it reports is not an error, or matters only to bsdtar. */
const READ_ANYWAY: Record<string, string> = {
  'archives/libarchive/test_pax_filename_encoding.tar': 'names are bytes here, whatever the locale',
  'archives/go-tar/pax-multi-hdrs.tar': 'two headers for one file are joined',
};

async function plain(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array = readFileSync(data(path));
  for (let depth = 0; depth < 3; depth++) {
    const format = detect(bytes.subarray(0, 64));
    if (format === 'none') return bytes;
    bytes = await collect(decompress(inPieces(bytes, 65536), format, path, { trailing() {} }), 64 << 20);
  }
  return bytes;
}

async function read(bytes: Uint8Array, path: string, chunk: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  const source = inPieces(bytes, chunk);
  const at = slicesOfMemory(bytes);
  const first = bytes.subarray(0, 512);
  const empty = bytes.length === 0 || bytes.every((byte) => byte === 0);
  const reader =
    isTar(first) || empty ? readTar(source, path, at) : isCpio(first) ? readCpio(source, path, at) : undefined;
  if (reader === undefined) throw new BuildError('ARCHIVE_UNSUPPORTED', { path, offset: 0, what: 'what is here' });
  for await (const entry of reader) entries.push(entry);
  return entries;
}

const KINDS = { file: '-', directory: 'd', symlink: 'l', char: 'c', block: 'b', fifo: 'p', socket: 's' };

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v', '\\': '\\' };

/** The bytes of what bsdtar printed: it escapes what its locale does not show. */
function unescaped(text: string): string {
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/\\([0-7]{3}|.)/g, (_, code: string) =>
      code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (ESCAPES[code] ?? code),
    );
}

function permissions(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, i) => (mode & (0o400 >> i) ? letter : '-'));
  if (mode & 0o4000) letters[2] = letters[2] === 'x' ? 's' : 'S';
  if (mode & 0o2000) letters[5] = letters[5] === 'x' ? 's' : 'S';
  if (mode & 0o1000) letters[8] = letters[8] === 'x' ? 't' : 'T';
  return letters.join('');
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The columns of bsdtar's listing that an entry decides: kind, mode, owner, size, day, name and target. */
function line(entry: Entry): string {
  if ('link' in entry) return `h ${entry.path} link to ${entry.link}`;
  const { inode } = entry;
  const date = new Date(inode.mtime * 1000);
  const day = `${MONTHS[date.getUTCMonth()]} ${date.getUTCDate()} ${date.getUTCFullYear()}`;
  const size = inode.kind === 'file' ? inode.content.size : 0;
  const target = inode.kind === 'symlink' ? ` -> ${inode.target}` : '';
  const device = inode.kind === 'char' || inode.kind === 'block' ? `${inode.major},${inode.minor}` : size;
  return `${KINDS[inode.kind]}${permissions(inode.mode)} ${inode.uid} ${inode.gid} ${device} ${day} ${entry.path}${target}`;
}

/** The same of a line that bsdtar printed. */
function goldenLine(text: string): string {
  const match = /^(.)([^ +]{9})\+? +\d+ +(\d+) +(\d+) +(\d+(?:,\d+)?) (\w+) +(\d+) +([\d:]+) (.*)$/s.exec(text);
  assert.ok(match, `a line of the listing: ${text}`);
  const [, kind, mode, uid, gid, size, month, day, year] = match;
  const name = unescaped(match[9]!);
  if (kind === 'h') return `h ${name}`;
  return `${kind}${mode} ${uid} ${gid} ${size} ${month} ${day} ${year} ${name}`;
}

test('every reference archive is available', { skip: needs({ data: [GOLDEN] }) }, () => {
  assert.equal(Object.keys(golden).length, 124);
});

for (const [path, result] of Object.entries(golden))
  test(`${path} reads as bsdtar lists it, or is rejected`, async () => {
    const rejection = async (chunk: number) =>
      assert.rejects(
        async () => {
          const bytes = await plain(path);
          await read(bytes, path, chunk);
        },
        (error) => error instanceof BuildError,
      );
    if (path in DIFFERENT || result.rc === 'timeout') return rejection(1000);
    const expected = (result.list ?? []).filter((text) => !text.startsWith('Archive Format:'));
    if (result.rc !== 0 && !(path in READ_ANYWAY)) {
      return rejection(1000);
    }
    const bytes = await plain(path);
    for (const chunk of bytes.length > 100_000 ? [65536] : [321, 65536]) {
      const entries = await read(bytes, path, chunk);
      const lines = entries.map(line);
      if (result.rc === 0) assert.deepEqual(lines.slice(0, 400), expected.map(goldenLine).slice(0, 400));
      else assert.deepEqual(lines, expected.map(goldenLine));
    }
  });

for (const path of Object.keys(golden).filter((name) => name.includes('/malicious/')))
  test(`${path} never extracts outside its directory`, async (t) => {
    const folder = temporary(t);
    const outside = join(folder, 'outside');
    const out = join(folder, 'a', 'b', 'out');
    mkdirSync(outside);
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    writeFileSync(join(outside, 'something-important'), 'untouched');
    const before = dump(readDirectory(folder));
    let entries: Entry[] = [];
    try {
      entries = await read(await plain(path), path, 65536);
    } catch (error) {
      assert.ok(error instanceof BuildError);
      return;
    }
    for (const entry of entries) {
      const tree = new Tree();
      try {
        overlayEntries(tree, entries.slice(0, entries.indexOf(entry) + 1), {
          source: path,
          root: 'take',
          labels: 'keep',
        });
      } catch (error) {
        assert.ok(error instanceof BuildError, String(error));
        assert.match(error.code, /^(PATH_ESCAPES|PATH_LOOP|LINK_TARGET_|ENTRY_CONFLICT|NOT_A_DIRECTORY|PATH_INVALID)/);
        break;
      }
    }
    const tree = new Tree();
    // each entry alone, without rejected ones: what remains must not escape either
    for (const entry of entries)
      try {
        overlayEntries(tree, [entry], { source: path, root: 'take', labels: 'keep' });
      } catch (error) {
        assert.ok(error instanceof BuildError, String(error));
      }
    await writeDirectory(tree, out);
    assert.deepEqual(dump(readDirectory(out)), dump(tree), 'all of it is inside');
    execFileSync('rm', ['-rf', join(folder, 'a')]);
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    const after = dump(readDirectory(folder));
    const still = (lines: string[]) => lines.filter((text) => text.startsWith('outside'));
    assert.deepEqual(still(after), still(before));
    assert.equal(existsSync('/tmp/evil.txt'), false);
  });

const DEBS = 'deb/golden-dpkg-deb.json.gz';
const debs: Record<string, { list: string[]; fsys_tar_sha256: string; fsys_tar_bytes: number }> = existsSync(data(DEBS))
  ? JSON.parse(gunzipSync(readFileSync(data(DEBS))).toString())
  : {};

/** Where a package of the golden list is stored. */
function debFile(name: string): string | undefined {
  return [name, `deb/compressors/${name}`, `deb/real/bookworm-amd64/${name}`].find((path) => existsSync(data(path)));
}

test('deb: dpkg-deb and we see the same members and files in every package', {
  skip: needs({ data: [DEBS] }),
}, async () => {
  let checked = 0;
  for (const [name, result] of Object.entries(debs)) {
    const path = debFile(name);
    if (path === undefined || name.includes('old0939')) continue;
    const names: string[] = [];
    for await (const member of readAr(inPieces(readFileSync(data(path)), 10_000), path)) {
      names.push(member.name);
      if (!member.name.startsWith('data.tar')) continue;
      const packed = await collect(member.data);
      const tar = await collect(decompress(inPieces(packed, 65536), detect(packed), path), 64 << 20);
      assert.equal(tar.length, result.fsys_tar_bytes);
      assert.equal(createHash('sha256').update(tar).digest('hex'), result.fsys_tar_sha256, name);
      const entries = await read(tar, path, 65536);
      const listed = entries.map((entry) => {
        const target =
          'link' in entry
            ? ` link to ${entry.link}`
            : entry.inode.kind === 'symlink'
              ? ` -> ${entry.inode.target}`
              : '';
        return Buffer.from(entry.path + target, 'latin1').toString();
      });
      const expected = result.list.map((text) => /^\S+ \S+ +[\d,]+ [\d-]+ [\d:]+ (.*)$/.exec(text)![1]!);
      assert.deepEqual(listed, expected, name);
      checked++;
    }
    assert.equal(names[0], 'debian-binary', name);
  }
  assert.ok(checked >= 12, `${checked} packages were there`);
});
