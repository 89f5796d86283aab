import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { memory } from '../../src/bytes/content.ts';
import type { Event } from '../../src/events/events.ts';
import { readTar } from '../../src/formats/tar/read.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { needs, temporary, tool } from '../support/data.ts';

/** A header block with this text as its size, and its checksum. */
function header(size: string, type = '0'): Buffer {
  const block = Buffer.alloc(512);
  block.write('f', 0);
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(size.slice(0, 12), 124, 'latin1');
  block.write('00000000000\0', 136);
  block.write(type, 156);
  block.write('ustar\x0000', 257, 'latin1');
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

async function read(bytes: Uint8Array, report: (event: Event) => void = () => {}): Promise<Entry[]> {
  const found: Entry[] = [];
  const contentAt = (_at: number, size: number) => memory(new Uint8Array(size));
  for await (const entry of readTar(memory(bytes).open(), 'a.tar', contentAt, { report })) found.push(entry);
  return found;
}

const SIZES = [
  '00000000012\0',
  '  000000012\0',
  '\x0000000000012',
  '\0 0000000012',
  '\0\x000000000012',
  '\0\0\0\x0000000012',
  '\x000 000000012',
  '00000000012 ',
  '12         \0',
];

test('sizes with NULs and blanks in front are read as GNU tar reads them', {
  skip: needs({ tools: ['tar'] }),
}, async (t) => {
  const path = join(temporary(t), 'a.tar');
  for (const size of SIZES) {
    const bytes = Buffer.concat([header(size), Buffer.alloc(512, 'x'), Buffer.alloc(1024)]);
    writeFileSync(path, bytes);
    const env = { ...process.env, LC_ALL: 'C' };
    const { stdout } = spawnSync(tool('tar')!, ['tvf', path], { encoding: 'utf8', env });
    const theirs = Number(/0\/0\s+(\d+)/.exec(stdout)?.[1]);
    // a size of 0 leaves data where a header should be
    const [entry] = await read(bytes).catch(() => [undefined]);
    const ours = entry !== undefined && 'inode' in entry && entry.inode.kind === 'file' ? entry.inode.content.size : 0;
    assert.equal(ours, theirs, JSON.stringify(size));
  }
});

test('a Solaris access control list in front of a file is reported, and the file is read', async () => {
  const events: Event[] = [];
  const acl = Buffer.alloc(512);
  acl.write('1000004\0user::rw-\0');
  const bytes = Buffer.concat([header('00000000022\0', 'A'), acl, header('00000000000\0'), Buffer.alloc(1024)]);
  const entries = await read(bytes, (event) => events.push(event));
  assert.equal(entries.length, 1);
  assert.match(JSON.stringify(events), /ACL_LEFT_OUT/);
});

test('pax headers and long names of megabytes are rejected', async () => {
  for (const type of ['x', 'g', 'L', 'K']) {
    const size = 2 << 20;
    const bytes = Buffer.concat([header(`${size.toString(8).padStart(11, '0')}\0`, type), Buffer.alloc(size, 'a')]);
    await assert.rejects(read(bytes), { code: 'TAR_CORRUPT' }, type);
  }
});
