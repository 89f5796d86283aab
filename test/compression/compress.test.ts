import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, test } from 'node:test';
import { collect } from '../../src/bytes/content.ts';
import { sha256 } from '../../src/bytes/digest.ts';
import { checkWritable, compress, WRITERS, type WritableFormat } from '../../src/compression/compress.ts';
import { decompressAny } from '../../src/compression/decompress.ts';
import { detect } from '../../src/compression/format.ts';
import { blockBound, decodeBlock } from '../../src/compression/lz4.ts';
import { encodeBlock } from '../../src/compression/lz4-block.ts';
import { BuildError } from '../../src/errors/error.ts';
import { taskModule } from '../../src/workers/pool.ts';
import { closePool, pool, setJobs } from '../../src/workers/shared.ts';
import { needs, random } from '../support/data.ts';
import { must, noise, outcome, pieces, sample } from './samples.ts';

after(closePool);

const FORMATS = ['gzip', 'zstd', 'lz4'] as const;
const REFERENCE_TOOLS = { gzip: 'gzip', zstd: 'zstd', lz4: 'lz4' } as const;

const INPUTS: readonly (readonly [string, Uint8Array])[] = [
  ['nothing', new Uint8Array(0)],
  ['one byte', Uint8Array.of(7)],
  ['twelve bytes', Buffer.from('twelve bytes')],
  ['thirteen bytes', new Uint8Array(13)],
  ['a block of deflate', sample(60, 256 * 1024)],
  ['a block and a byte', sample(61, 256 * 1024 + 1)],
  ['a megabyte', sample(62, 1_000_003)],
  ['noise', noise(63, 600_000)],
  ['zeros', new Uint8Array(3_000_000)],
];

for (const format of FORMATS) {
  const reference = REFERENCE_TOOLS[format];

  test(`${format}: ${reference} reads it, and so do we`, { skip: needs({ tools: [reference] }) }, async () => {
    for (const [name, plain] of INPUTS)
      for (const level of [WRITERS[format].lowest, undefined, Math.min(WRITERS[format].highest, 9)]) {
        const packed = await collect(compress(pieces(plain, 9999), format, level === undefined ? {} : { level }));
        assert.equal(detect(packed), format === 'lz4' ? 'lz4-legacy' : format);
        const what = `${name}, level ${level}`;
        assert.ok(Buffer.from(plain).equals(must(reference, ['-dc'], packed)), what);
        must(reference, ['-t'], packed);
        const own = await outcome(decompressAny(pieces(packed, 7777), 'x'));
        assert.ok(own.bytes.equals(plain), `${what}, read by ourselves (${own.code})`);
      }
  });

  test(`${format}: the bytes do not depend on threads or pieces`, async () => {
    const plain = Buffer.concat([
      sample(64, 900_000),
      noise(65, 9_000_000).subarray(0, 8_500_000),
      sample(64, 400_000),
    ]);
    const digests = new Set<string>();
    for (const [jobs, size] of [
      [1, 65536],
      [3, 65536],
      [2, 321],
      [2, 10_000_000],
    ] as const) {
      await setJobs(jobs);
      digests.add(sha256(await collect(compress(pieces(plain, size), format, { level: 1 }))));
    }
    assert.equal(digests.size, 1);
  });
}

/** Fixed permanently: a change here changes every image that users have built. */
const GOLDEN: Readonly<Record<string, string>> = {
  plain: 'df0517327c75795c',
  'gzip 1': '418b7dcaf4cb2c3e',
  'gzip 4': 'e98d2d125e415a27',
  'gzip 6': 'ed1ea133cf3467f8',
  'gzip 9': 'bb74f2644c782883',
  'zstd 1': '3bab0c48668c16ff',
  'zstd 3': '542f5c325592b6f2',
  'zstd 12': '4fd2b5e94876bab1',
  'lz4 1': '207eb4b9d77e1256',
  'lz4 5': 'ba86e6e581625fa9',
  'lz4 9': 'a40627b04fa95efa',
};

test('the bytes are the same on every Node, processor and day', async () => {
  const plain = Buffer.concat([sample(66, 700_000), noise(67, 50_000), sample(68, 300_000)]);
  const digests: Record<string, string> = { plain: sha256(plain) };
  for (const [format, level] of [
    ['gzip', 1],
    ['gzip', 4],
    ['gzip', 6],
    ['gzip', 9],
    ['zstd', 1],
    ['zstd', 3],
    ['zstd', 12],
    ['lz4', 1],
    ['lz4', 5],
    ['lz4', 9],
  ] as const)
    digests[`${format} ${level}`] = sha256(await collect(compress(pieces(plain), format, { level }))).slice(0, 16);
  digests['plain'] = digests['plain']!.slice(0, 16);
  assert.deepEqual(digests, GOLDEN);
});

test('gzip: one member, no time, no name', async () => {
  const packed = await collect(compress(pieces(sample(69, 700_000)), 'gzip'));
  assert.deepEqual([...packed.subarray(0, 10)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
  const best = await collect(compress(pieces(new Uint8Array(1)), 'gzip', { level: 9 }));
  assert.equal(best[8], 2);
});

/** Where frames of zstd end, as bytes of what they hold; `zstd` says which occurrences of the magic number begin a frame. */
function frameEnds(packed: Uint8Array): number[] {
  const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
  const bytes = Buffer.from(packed);
  const ends: number[] = [];
  for (let at = bytes.indexOf(magic, 1); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    const { status, stdout } = spawnSync('zstd', ['-dc'], { input: bytes.subarray(0, at), maxBuffer: 2 ** 30 });
    if (status === 0) ends.push(stdout.length);
  }
  return ends;
}

/** A stream of parts, given as often as is said. */
async function* repeated(...parts: readonly (readonly [Uint8Array, number])[]): AsyncGenerator<Uint8Array> {
  for (const [part, times] of parts) for (let i = 0; i < times; i++) yield part;
}

test('zstd: what is short is one frame; frames end where they may', { skip: needs({ tools: ['zstd'] }) }, async () => {
  const short = await collect(compress(pieces(sample(70, 3_000_000)), 'zstd'));
  assert.deepEqual(frameEnds(short), []);
  const { below } = random(98);
  const plain = Buffer.concat(Array.from({ length: 30 }, (_, i) => sample(99 + (i % 3), 1_000_000)));
  const cuts: number[] = [];
  for (let at = 0; at < plain.length - 200; at += 110 + below(3_000_000)) cuts.push(at);
  cuts.push(plain.length - 200);
  const packed = await collect(compress(pieces(plain, 99_999), 'zstd', { level: 1, cuts: Float64Array.from(cuts) }));
  assert.ok(plain.equals(must('zstd', ['-dc'], packed)));
  const ends = frameEnds(packed);
  assert.ok(ends.length >= 2, `${ends.length + 1} frames`);
  for (const end of ends) assert.ok(cuts.includes(end), `a frame ends at ${end}, within an entry`);
  assert.ok(!ends.includes(plain.length - 200), 'the end mark of an archive is a frame of its own');
  const anywhere = frameEnds(await collect(compress(pieces(plain, 65_536), 'zstd', { level: 1 })));
  assert.ok(anywhere.length >= 2 && anywhere.every((end) => end % 4096 === 0), String(anywhere));
});

test('zstd: an entry longer than what is held in memory stays one frame', {
  skip: needs({ tools: ['zstd'] }),
}, async () => {
  const zeros = new Uint8Array(1 << 20);
  const text = sample(71, 1 << 20);
  // an entry of 9 MiB, one of 150 MiB, one of 1 MiB, the end mark; then the same with the longest last
  for (const sizes of [
    [9, 150, 1],
    [9, 1, 150],
  ]) {
    const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0) * 2 ** 20);
    const total = 160 * 2 ** 20;
    const source = repeated([text, sizes[0]!], [zeros, 151], [text.subarray(0, 124), 1]);
    const packed = await collect(compress(source, 'zstd', { level: 1, cuts: Float64Array.of(...starts, total) }));
    const ends = frameEnds(packed);
    assert.deepEqual(ends, sizes[1] === 150 ? [9 * 2 ** 20, 159 * 2 ** 20] : [9 * 2 ** 20]);
    assert.equal(must('zstd', ['-dc'], packed).length, total + 124);
  }
});

test('two streams at a time do not disturb each other', async () => {
  for (const format of FORMATS) {
    const samples = [sample(71, 1_500_000), sample(72, 1_200_000)];
    const alone: string[] = [];
    for (const plain of samples) alone.push(sha256(await collect(compress(pieces(plain), format))));
    const together = await Promise.all(
      samples.map(async (plain) => sha256(await collect(compress(pieces(plain), format)))),
    );
    assert.deepEqual(together, alone);
  }
});

test('a stream left in the middle lets its source go', async () => {
  for (const format of FORMATS) {
    let returned = false;
    const source = (async function* () {
      try {
        for (let seed = 73; ; seed++) yield noise(seed, 50_000);
      } finally {
        returned = true;
      }
    })();
    let size = 0;
    for await (const piece of compress(source, format)) if ((size += piece.length) > 400_000) break;
    assert.ok(returned, format);
  }
});

test('a failing source fails with its own error', async () => {
  for (const format of FORMATS) {
    const source = (async function* () {
      yield noise(74, 500_000);
      throw new RangeError('the well is dry');
    })();
    await assert.rejects(collect(compress(source, format)), /the well is dry/);
  }
});

test('lz4 blocks: every small size, and odd patterns, go there and back', () => {
  const dice = random(75);
  const back = (plain: Uint8Array, level: number) => {
    const packed = encodeBlock(plain, level);
    assert.ok(packed.length <= blockBound(plain.length));
    const out = new Uint8Array(plain.length);
    assert.equal(decodeBlock(packed, out, 0, 0), plain.length, `${plain.length} bytes`);
    assert.ok(Buffer.from(out).equals(plain), `${plain.length} bytes`);
  };
  for (const level of [1, 2, 5, 9]) {
    for (let size = 1; size < 80; size++) {
      back(new Uint8Array(size), level);
      back(sample(size, size), level);
      back(
        Uint8Array.from({ length: size }, () => dice.below(2)),
        level,
      );
    }
    // matches as far away as they can be, and one byte farther
    for (const distance of [65534, 65535, 65536]) {
      const plain = noise(76, distance + 100);
      plain.copyWithin(distance, 0, 100);
      back(plain, level);
    }
  }
});

test('lz4: blocks at the edges of 8 MiB', { skip: needs({ tools: ['lz4'] }) }, async () => {
  const whole = Buffer.concat([noise(77, 1 << 20), sample(78, 1 << 20)]);
  for (const size of [(8 << 20) - 1, 8 << 20, (8 << 20) + 1, (16 << 20) + 5]) {
    const plain = Buffer.concat(Array.from({ length: 9 }, () => whole)).subarray(0, size);
    const packed = await collect(compress(pieces(plain, 1 << 20), 'lz4', { level: 1 }));
    assert.ok(plain.equals(must('lz4', ['-dc'], packed)), `${size} bytes`);
  }
});

test('formats and levels that are not there are rejected', () => {
  const rejected = (code: string) => (error: unknown) => error instanceof BuildError && error.code === code;
  assert.throws(() => compress(pieces(new Uint8Array(1)), 'xz' as WritableFormat), rejected('COMPRESSION_UNKNOWN'));
  assert.throws(
    () => compress(pieces(new Uint8Array(1)), 'toString' as WritableFormat),
    rejected('COMPRESSION_UNKNOWN'),
  );
  for (const level of [0, 10, 1.5, Number.NaN])
    assert.throws(() => compress(pieces(new Uint8Array(1)), 'gzip', { level }), rejected('COMPRESSION_LEVEL'));
});

test('none passes everything through', async () => {
  const plain = sample(79, 10_000);
  assert.ok(Buffer.from(plain).equals(await collect(compress(pieces(plain, 7), 'none'))));
});

test('decompressing works inside worker threads', {
  skip: needs({ tools: ['gzip', 'xz', 'zstd', 'bzip2', 'lz4'] }),
}, async () => {
  const plain = sample(80, 300_000);
  const task = taskModule('./decompress-task', import.meta.url);
  const made = [
    must('gzip', ['-c'], plain),
    must('xz', ['-0c'], plain),
    must('xz', ['-c', '--x86', '--lzma2'], plain),
    must('zstd', ['-qc'], plain),
    must('bzip2', ['-c'], plain),
    must('lz4', ['-qc'], plain),
  ];
  const digests = await Promise.all([...made, ...made].map((packed) => pool().run<string>(task, packed)));
  assert.deepEqual(new Set(digests), new Set([sha256(plain)]));
});

test('zstd lets signals through between its blocks, also at its highest level', async () => {
  const plain = sample(81, 3 << 20);
  let turns = 0;
  let done = false;
  const turn = () => {
    turns++;
    if (!done) setImmediate(turn);
  };
  setImmediate(turn);
  await collect(compress(pieces(plain), 'zstd', { level: 19 }));
  done = true;
  // blocks of 256 KiB
  assert.ok(turns >= 12, `${turns} turns of the event loop`);
});

test('what cannot be written where numbers have another byte order is said, with what can', () => {
  for (const format of ['gzip', 'lz4', 'none', 'zstd'] as const)
    assert.doesNotThrow(() => checkWritable(format, false));
  for (const format of ['gzip', 'lz4', 'none'] as const) assert.doesNotThrow(() => checkWritable(format, true));
  assert.throws(
    () => checkWritable('zstd', true),
    (error: Error & { code?: string }) => error.code === 'NOT_SUPPORTED' && /gzip or lz4/.test(error.message),
  );
});
