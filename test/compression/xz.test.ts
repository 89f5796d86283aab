import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Cursor } from '../../src/bytes/cursor.ts';
import { decompress } from '../../src/compression/decompress.ts';
import { detect } from '../../src/compression/format.ts';
import { Reading } from '../../src/compression/reading.ts';
import { readXz } from '../../src/compression/xz/container.ts';
import { Window } from '../../src/compression/xz/window.ts';
import { data, needs, random } from '../support/data.ts';
import { must, noise, outcome, pieces, run, sample } from './samples.ts';

function xz(packed: Uint8Array, size = 65536) {
  return outcome(readXz(new Reading(new Cursor(pieces(packed, size), 'x'), 'xz', 'x')));
}

test("the xz project's own files come out as their names say", {
  skip: needs({ data: ['compress/xz'], tools: ['xz'] }),
}, async () => {
  const names = readdirSync(data('compress/xz'));
  assert.ok(names.length > 40);
  for (const name of names) {
    const packed = readFileSync(join(data('compress/xz'), name));
    const format = name.endsWith('.xz') ? 'xz' : name.endsWith('.lzma') ? 'lzma' : 'lzip';
    for (const size of [1, 7, 321]) {
      // lzip allows anything after the last member
      const trailing = format === 'lzip' ? { trailing: () => {} } : {};
      const read = await outcome(decompress(pieces(packed, size), format, name, trailing));
      if (name.startsWith('good')) {
        assert.equal(read.code, undefined, name);
        const theirs = run('xz', ['-dc', `--format=${format}`], packed);
        if (theirs.status === 0) assert.ok(read.bytes.equals(theirs.out), name);
        assert.equal(detect(packed), format, name);
      } else if (name.startsWith('unsupported')) assert.equal(read.code, 'COMPRESSED_UNSUPPORTED', name);
      else assert.match(read.code ?? 'accepted', /^COMPRESSED_(CORRUPT|TRUNCATED|TRAILING)$/, name);
    }
  }
});

/** Bytes with many branch instructions, the target of the branch filters. */
function branches(seed: number, size: number): Uint8Array {
  const dice = random(seed);
  const out = noise(seed, size);
  const patterns = [
    [0xe8, 0, 0, 0, 0],
    [0xe9, 1, 2, 3, 0xff],
    [0xe8, 0xe8, 0xe8, 0, 0xff, 0, 0],
    [1, 2, 3, 0xeb],
    [3, 0xf1, 7, 0xf9],
    [0x48, 1, 2, 1],
    [0x40, 1, 2, 3],
    [0x7f, 0xff, 2, 3],
    [1, 2, 3, 0x94],
    [4, 5, 0, 0x90],
    [0x16, 0, 0, 0x50, 1, 2, 3, 0x50, 0, 0, 5, 0x28],
    [0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x50],
  ];
  for (let hits = size / 12; hits > 0; hits--) {
    const pattern = dice.pick(patterns);
    const place = dice.below(size - 20);
    out.set(pattern, dice.below(3) > 0 ? place & ~15 : place);
  }
  return out;
}

const FILTERS = ['x86', 'powerpc', 'ia64', 'arm', 'armthumb', 'arm64', 'sparc'];

test('every branch filter is undone, from any start, in pieces of any size', {
  skip: needs({ tools: ['xz'] }),
}, async () => {
  for (const [i, filter] of FILTERS.entries())
    for (const start of ['', '=start=4096', '=start=2147483648', '=start=4294963200']) {
      const plain = branches(20 + i, 60_000 + i);
      const packed = must('xz', ['-c', `--${filter}${start}`, '--lzma2=preset=0'], plain);
      // the filter did something, else this proves nothing
      assert.ok(!Buffer.from(packed).equals(must('xz', ['-c', '--lzma2=preset=0'], plain)), filter);
      for (const size of [321, 65536]) {
        const read = await xz(packed, size);
        assert.equal(read.code, undefined, filter + start);
        assert.ok(read.bytes.equals(plain), filter + start);
      }
    }
});

test('a real program goes through the x86 filter', { skip: needs({ tools: ['xz', 'bash'] }) }, async () => {
  const plain = readFileSync('/bin/bash').subarray(0, 3 << 20);
  const read = await xz(must('xz', ['-c', '--x86', '--lzma2=preset=0'], plain));
  assert.ok(read.bytes.equals(plain));
});

test('delta and chains of filters are undone', { skip: needs({ tools: ['xz'] }) }, async () => {
  const plain = branches(30, 50_000);
  for (const chain of [
    ['--delta=dist=1'],
    ['--delta=dist=256'],
    ['--delta=dist=3', '--x86'],
    ['--arm', '--delta=dist=4', '--delta=dist=7'],
    ['--x86', '--powerpc', '--sparc'],
  ])
    for (const check of ['none', 'crc32', 'crc64', 'sha256']) {
      const packed = must('xz', ['-c', `--check=${check}`, ...chain, '--lzma2=preset=0'], plain);
      const read = await xz(packed, 1000);
      assert.ok(read.bytes.equals(plain), `${chain.join(' ')} ${check}`);
    }
});

test('all presets, settings and sizes', { skip: needs({ tools: ['xz'] }) }, async () => {
  const plain = Buffer.concat([sample(31, 400_000), noise(32, 200_000), sample(31, 300_000)]);
  for (const args of [
    ['-0'],
    ['-6'],
    ['-9e', '-T1'],
    ['--lzma2=preset=1,lc=0,lp=4,pb=0'],
    ['--lzma2=preset=1,lc=4,lp=0,pb=4'],
    ['--lzma2=preset=1,lc=1,lp=3,pb=1'],
    ['--lzma2=preset=0,dict=4KiB'],
    ['--lzma2=preset=0,dict=128MiB'],
    ['-1', '--block-size=100000'],
    ['-1', '--check=none'],
    ['-1', '--check=sha256'],
  ]) {
    const packed = must('xz', ['-c', ...args], plain);
    const read = await xz(packed);
    assert.equal(read.code, undefined, args.join(' '));
    assert.ok(read.bytes.equals(plain), args.join(' '));
  }
});

test('.lzma with all settings', { skip: needs({ tools: ['xz'] }) }, async () => {
  const plain = Buffer.concat([sample(33, 500_000), noise(34, 100_000), sample(33, 200_000)]);
  for (const args of [
    'preset=0',
    'preset=6',
    'lc=0,lp=4,pb=4',
    'lc=4,lp=0,pb=0',
    'preset=0,dict=4KiB',
    'preset=0,dict=1GiB,nice=8,mf=hc3',
  ]) {
    const packed = must('xz', ['-c', '--format=lzma', `--lzma1=${args}`], plain);
    assert.ok((await outcome(decompress(pieces(packed, 12345), 'lzma', 'x'))).bytes.equals(plain), args);
    // the same with the size in the header: then the marker may stay, or the size must be right
    for (const [by, code] of [
      [0, undefined],
      [-1, 'COMPRESSED_CORRUPT'],
      [1, 'COMPRESSED_CORRUPT'],
    ] as const) {
      const sized = Uint8Array.from(packed);
      new DataView(sized.buffer, sized.byteOffset).setUint32(5, plain.length + by, true);
      new DataView(sized.buffer, sized.byteOffset).setUint32(9, 0, true);
      assert.equal((await outcome(decompress(pieces(sized), 'lzma', 'x'))).code, code, `${args}, size ${by}`);
    }
  }
});

test('what is cut off or damaged is rejected, and nothing hangs', {
  skip: needs({ tools: ['xz'] }),
}, async () => {
  const plain = Buffer.from(sample(35, 5000));
  const packed = must('xz', ['-0c'], plain);
  for (let size = 0; size < packed.length; size++)
    assert.equal((await xz(packed.subarray(0, size))).code, 'COMPRESSED_TRUNCATED', `${size} bytes`);
  const dice = random(36);
  for (let round = 0; round < 500; round++) {
    const broken = Uint8Array.from(packed);
    broken[dice.below(broken.length)]! ^= 1 << dice.below(8);
    assert.notEqual((await xz(broken)).code, undefined, `round ${round}`);
  }
});

test('damaged data without a check gives what xz gives, and is rejected where xz rejects it', {
  skip: needs({ tools: ['xz'] }),
}, async () => {
  // the noise is stored as it is, where damage shows nowhere but in the content
  const plain = Buffer.concat([sample(37, 3000), noise(39, 200_000), sample(37, 2000)]);
  const dice = random(38);
  let accepted = 0;
  for (const settings of ['preset=0', 'preset=6,lc=0,lp=2,pb=0', 'preset=1,dict=4KiB,lc=4,pb=4']) {
    const packed = must('xz', ['-c', '--check=none', `--lzma2=${settings}`], plain);
    for (let round = 0; round < 60; round++) {
      const broken = Uint8Array.from(packed);
      for (let hits = 1 + dice.below(3); hits > 0; hits--)
        broken[24 + dice.below(dice.below(2) === 0 ? 2000 : broken.length - 60)]! ^= 1 << dice.below(8);
      const read = await xz(broken);
      const theirs = run('xz', ['-dc'], broken);
      assert.equal(read.code === undefined, theirs.status === 0, `${settings}, round ${round}: ${read.code}`);
      if (theirs.status === 0) {
        accepted++;
        assert.ok(read.bytes.equals(theirs.out), `${settings}, round ${round}`);
      }
    }
  }
  assert.ok(accepted > 20, `${accepted} were accepted`);
});

test('history is kept and found while the window moves, from one chunk to the next', {
  skip: needs({ tools: ['xz'] }),
}, async () => {
  // each part comes again at distances just within and just beyond the dictionary
  const parts = Array.from({ length: 9 }, (_, i) => noise(60 + i, 60_000 + 1000 * i));
  const dice = random(70);
  const plain = Buffer.concat(Array.from({ length: 150 }, () => dice.pick(parts)));
  for (const dictionary of ['4KiB', '64KiB', '100000', '256KiB', '1MiB', '16MiB'])
    for (const more of ['', ',lc=0,lp=4,pb=4']) {
      const packed = must('xz', ['-c', `--lzma2=preset=1,dict=${dictionary}${more}`], plain);
      const read = await xz(packed, 50_000);
      assert.equal(read.code, undefined, dictionary);
      assert.ok(read.bytes.equals(plain), dictionary);
    }
});

test('positions in the window stay numbers of 32 bits however long the stream is', () => {
  const dictionary = 100_000;
  const memory = {
    buffer: new ArrayBuffer(1 << 17),
    grow(pages: number) {
      this.buffer = new ArrayBuffer(this.buffer.byteLength + (pages << 16));
      return 0;
    },
  };
  const window = new Window(memory, 4096, dictionary);
  let total = 0;
  for (let step = 0; total < 2 ** 33; step++) {
    const size = (1 << 21) - (step % 17);
    window.reserve(size);
    assert.ok(window.at + size <= window.bytes.length);
    window.at += size;
    total += size;
    const known = window.at - window.start;
    assert.ok(known >= Math.min(total, dictionary) && known < 2 ** 31);
    // models go by the position modulo 16
    assert.equal(known % 16, total % 16);
  }
  assert.ok(memory.buffer.byteLength < 8 << 20);
});

test('streams with padding between and behind them', { skip: needs({ tools: ['xz'] }) }, async () => {
  const one = must('xz', ['-0c'], Buffer.from('one '));
  const two = must('xz', ['-c', '--check=sha256', '--x86', '--lzma2'], Buffer.from('two'));
  const packed = Buffer.concat([one, new Uint8Array(8), two, one, new Uint8Array(4096)]);
  for (const size of [1, 7, 321]) assert.equal((await xz(packed, size)).bytes.toString(), 'one twoone ');
  assert.equal((await xz(packed.subarray(0, -1))).code, 'COMPRESSED_CORRUPT');
});

test('many decodings at once do not disturb each other', { skip: needs({ tools: ['xz'] }) }, async () => {
  const samples = Array.from({ length: 8 }, (_, i) => sample(40 + i, 200_000));
  const reads = samples.map((plain) => xz(must('xz', ['-0c'], plain), 5000));
  for (const [i, read] of (await Promise.all(reads)).entries()) assert.ok(read.bytes.equals(samples[i]!));
});
