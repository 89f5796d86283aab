import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { sha256 } from '../../../src/bytes/digest.ts';
import { isRefusal } from '../../../src/errors/error.ts';
import type { Event } from '../../../src/events/events.ts';
import { silent } from '../../../src/events/events.ts';
import { Cache } from '../../../src/packages/cache.ts';
import { controlFields } from '../../../src/packages/apt/deb.ts';
import { unpackAll, type UnpackedDeb } from '../../../src/packages/apt/unpack.ts';
import type { Entry } from '../../../src/tree/entry.ts';
import type { Inode } from '../../../src/tree/inode.ts';
import { closePool } from '../../../src/workers/shared.ts';
import { data, needs, temporary } from '../../support/data.ts';
import { ar, deb, packageOf, tar } from '../../support/debs.ts';

after(closePool);

interface Golden {
  readonly control: string;
  readonly list: readonly string[];
  readonly fsys_tar_sha256: string;
  readonly fsys_tar_bytes: number;
}

const GOLDEN = 'deb/golden-dpkg-deb.json.gz';

function modeText(inode: Inode): string {
  const bits = 'rwxrwxrwx';
  let text = { file: '-', directory: 'd', symlink: 'l', char: 'c', block: 'b', fifo: 'p', socket: 's' }[inode.kind];
  for (let i = 0; i < 9; i++) text += inode.mode & (1 << (8 - i)) ? bits[i] : '-';
  const special = (at: number, bit: number, on: string, off: string) => {
    if (inode.mode & bit) text = text.slice(0, at) + (text[at] === 'x' ? on : off) + text.slice(at + 1);
  };
  special(3, 0o4000, 's', 'S');
  special(6, 0o2000, 's', 'S');
  special(9, 0o1000, 't', 'T');
  return text;
}

/** A line of `dpkg-deb -c`, blanks made one. */
function listing(entry: Entry, earlier: ReadonlyMap<string, Inode>): string {
  const inode = 'link' in entry ? earlier.get(entry.link)! : entry.inode;
  const size = inode.kind === 'file' && !('link' in entry) ? inode.content.size : 0;
  const time = new Date(inode.mtime * 1000).toISOString().slice(0, 16).replace('T', ' ');
  const mode = 'link' in entry ? `h${modeText(inode).slice(1)}` : modeText(inode);
  const suffix =
    'link' in entry ? ` link to ${entry.link}` : inode.kind === 'symlink' ? ` -> ${inode.target}` : '';
  const owner = `${inode.user ?? inode.uid}/${inode.group ?? inode.gid}`;
  return `${mode} ${owner} ${size} ${time} ${entry.path}${suffix}`;
}

function linesOf(deb: UnpackedDeb): string[] {
  const earlier = new Map<string, Inode>();
  return deb.entries.map((entry) => {
    const line = listing(entry, earlier);
    if ('inode' in entry) earlier.set(entry.path, entry.inode);
    return line;
  });
}

test('packages of every compressor and age read as dpkg-deb reads them', { skip: needs({ data: [GOLDEN] }) }, async (t) => {
  const golden = JSON.parse(gunzipSync(readFileSync(data(GOLDEN))).toString()) as Record<string, Golden>;
  const folders = ['deb/real/bookworm-amd64', 'deb/compressors', 'deb/odd', 'deb/diffoscope'];
  const files = folders.flatMap((folder) =>
    readdirSync(data(folder))
      .filter((name) => name.endsWith('.deb'))
      .map((name) => `${folder}/${name}`),
  );
  const cache = new Cache(temporary(t));
  const unpacked = await unpackAll(
    files.map((file) => {
      const fields = controlFields((golden[file] ?? golden[basename(file)])!.control);
      return {
        package: packageOf(data(file), fields.get('Version')!, fields.get('Package')!),
        archive: data(file),
      };
    }),
    cache,
    silent,
  );
  let compared = 0;
  for (const [i, file] of files.entries()) {
    const expected = golden[file] ?? golden[basename(file)];
    assert.ok(expected, `no golden for ${file}`);
    const one = unpacked[i]!;
    const control = Buffer.from(one.control.get('control')!.content.readSync()).toString();
    assert.deepEqual([...controlFields(control)], [...controlFields(expected.control)], file);
    assert.equal(one.payload, expected.fsys_tar_sha256, file);
    const squeeze = (line: string) => line.replace(/\s+/g, ' ').trim();
    assert.deepEqual(linesOf(one).map(squeeze), expected.list.map(squeeze), file);
    for (const entry of one.entries)
      if ('inode' in entry && entry.inode.kind === 'file')
        assert.equal(sha256(entry.inode.content.readSync()), entry.inode.content.sha256, entry.path);
    compared++;
  }
  assert.ok(compared >= 20, `${compared} packages were compared`);
});
