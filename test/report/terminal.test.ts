import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Event } from '../../src/events/events.ts';
import { Collected } from '../../src/report/collect.ts';
import { amount, cells, clock, progressLine, shortened } from '../../src/report/progress-line.ts';
import { type Loudness, terminalReport } from '../../src/report/terminal.ts';
import { FakeTerminal } from '../support/fake-terminal.ts';

const MIB = 1024 * 1024;

/** A terminal and its reporter. */
function reporter(columns: number, loudness: Loudness = 'normal', isTerminal = true) {
  const terminal = new FakeTerminal(columns);
  const report = terminalReport(terminal.screen(isTerminal), loudness);
  const at = (seconds: number, event: Event) => {
    terminal.time = seconds * 1000;
    report(event);
  };
  return { terminal, at };
}

test('a phase of known size has a bar with percentage, bytes, rate, remaining time and name', () => {
  const { terminal, at } = reporter(120);
  at(0, { kind: 'phase', phase: 'write', bytes: 100 * MIB, item: 'out/kata.img' });
  assert.deepEqual(terminal.rows(), [`Writing        0 % [${'-'.repeat(24)}] 0 B of 100.0 MiB  out/kata.img`]);
  at(1, { kind: 'progress', phase: 'write', bytes: 10 * MIB, item: 'out/kata.img' });
  at(2, { kind: 'progress', phase: 'write', bytes: 50 * MIB, item: 'out/kata.img' });
  assert.deepEqual(terminal.rows(), [
    `Writing       50 % [${'#'.repeat(12)}${'-'.repeat(12)}] 50.0 MiB of 100.0 MiB 25.0 MiB/s 0:02 left  out/kata.img`,
  ]);
  at(4, { kind: 'ended', phase: 'write', bytes: 100 * MIB, item: 'out/kata.img' });
  assert.deepEqual(terminal.rows(), ['Writing         4.0 s   100.0 MiB  25.0 MiB/s  out/kata.img']);
});

test('the rate is that of the last seconds, not of the whole phase', () => {
  const { terminal, at } = reporter(120);
  at(0, { kind: 'phase', phase: 'unpack', bytes: 100 * MIB });
  at(1, { kind: 'progress', phase: 'unpack', bytes: 50 * MIB });
  for (let second = 2; second <= 12; second++)
    at(second, { kind: 'progress', phase: 'unpack', bytes: (50 + second) * MIB, item: 'libc6' });
  assert.match(terminal.rows()[0]!, / 1\.0 MiB\/s 0:38 left {2}libc6$/);
});

test('in 40 columns percentage, bar, rate and remaining time are left', () => {
  const { terminal, at } = reporter(40);
  at(0, { kind: 'phase', phase: 'write', bytes: 100 * MIB, item: 'out/a-long-name-of-an-image.img' });
  at(2, { kind: 'progress', phase: 'write', bytes: 50 * MIB, item: 'out/a-long-name-of-an-image.img' });
  assert.deepEqual(terminal.rows(), ['Writing  50 % [###----] 25.0 MiB/s 0:02']);
});

test('no status line is wider than the terminal, whatever the numbers and names are', () => {
  const name = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 90 }),
    fc.string({
      unit: fc.constantFrom('漢', 'ガ', '한', '🐧', 'e\u0301', 'a', '/', '\x1b', '\u202e', '\n'),
      maxLength: 90,
    }),
  );
  const progress = fc.record({
    title: fc.constantFrom('Planning', 'Writing', 'Provisioning'),
    bytes: fc.double({ min: 0, max: 1e13, noNaN: true }),
    total: fc.option(fc.double({ min: 0, max: 1e13, noNaN: true }), { nil: undefined }),
    rate: fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }), { nil: undefined }),
    item: fc.option(name, { nil: undefined }),
  });
  fc.assert(
    fc.property(progress, fc.integer({ min: 1, max: 200 }), (one, columns) => {
      const line = progressLine(one, columns);
      assert.ok(cells(line) <= columns, `${cells(line)} columns of ${columns}: ${line}`);
      assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      const known = one.total !== undefined && one.total > 0;
      if (columns >= 20 && known) assert.match(line, /^\S+ +\d+ %/);
      // the rate has space in 40 columns, and the time as far as it is known
      if (columns >= 39 && (one.rate ?? 0) > 0) assert.match(line, /B\/s/);
      const seconds = known && (one.rate ?? 0) > 0 ? (one.total! - one.bytes) / one.rate! : Infinity;
      if (columns >= 39 && seconds < 6000) assert.match(line, / \d+:\d\d/);
      if (columns >= 39 && known && (one.rate ?? 0) === 0) assert.match(line, /\[[#-]{6,}\]/);
    }),
    { numRuns: 2000 },
  );
});

test('wide characters take two columns, marks none; a long name keeps its end', () => {
  assert.equal(cells('漢字ab'), 6);
  assert.equal(cells('e\u0301'), 1);
  assert.equal(cells('🐧'), 2);
  assert.equal(shortened('out/kata-containers.img', 12), '…tainers.img');
  assert.equal(shortened('漢字漢字', 6), '…漢字');
  assert.equal(shortened('漢字漢字', 5), '…漢字');
  assert.equal(shortened('abc', 0), '');
});

test('a terminal that becomes narrower keeps no rest of the bar, and none of the lines above is lost', () => {
  for (const [from, to] of [
    [120, 40],
    [120, 7],
    [80, 79],
    [40, 120],
    [100, 50],
  ] as const) {
    const { terminal, at } = reporter(from);
    at(0, { kind: 'phase', phase: 'plan' });
    at(1, { kind: 'ended', phase: 'plan' });
    at(1, { kind: 'phase', phase: 'write', bytes: 10 * MIB, item: 'out/kata-containers.img' });
    at(2, { kind: 'progress', phase: 'write', bytes: 5 * MIB, item: 'out/kata-containers.img' });
    terminal.columns = to;
    at(3, { kind: 'progress', phase: 'write', bytes: 6 * MIB, item: 'out/kata-containers.img' });
    const rows = terminal.rows();
    assert.equal(rows.slice(0, -1).join(''), 'Planning        1.0 s', `${from} to ${to}`);
    assert.ok(cells(rows.at(-1)!) < to || to < 8, `${from} to ${to}: ${rows.at(-1)}`);
    at(4, { kind: 'ended', phase: 'write', bytes: 10 * MIB });
    assert.doesNotMatch(terminal.rows().join(''), /[#[]/);
  }
});

test('warnings appear above the bar, whole', () => {
  const { terminal, at } = reporter(60);
  at(0, { kind: 'phase', phase: 'unpack', bytes: 10 });
  at(1, { kind: 'warning', code: 'HOOK_SKIPPED', message: 'something to know', context: {} });
  assert.deepEqual(terminal.rows(), ['warning: something to know']);
  at(2, { kind: 'progress', phase: 'unpack', bytes: 5 });
  assert.equal(terminal.rows()[0], 'warning: something to know');
  assert.match(terminal.rows()[1]!, /^Unpacking +50 %/);
});

test('without a terminal there are lines only, and no control sequences; quiet has not even lines', () => {
  const events: readonly Event[] = [
    { kind: 'phase', phase: 'plan' },
    { kind: 'expected', url: 'http://m/Packages.xz', size: 1000 },
    { kind: 'progress', phase: 'fetch', bytes: 1000, item: 'http://m/Packages.xz' },
    { kind: 'ended', phase: 'plan' },
    { kind: 'phase', phase: 'fetch', bytes: 3 * MIB },
    { kind: 'fetched', url: 'http://m/a.deb', size: MIB, cached: true },
    { kind: 'progress', phase: 'fetch', bytes: 1000 + 2 * MIB, item: 'http://m/b.deb' },
    { kind: 'ended', phase: 'fetch' },
    { kind: 'phase', phase: 'write', bytes: 10, item: 'a\x1b[31m\nb' },
    { kind: 'ended', phase: 'write', bytes: 10, item: 'a\x1b[31m\nb' },
  ];
  for (const [loudness, terminals] of [
    ['normal', [false]],
    ['quiet', [false, true]],
  ] as const)
    for (const isTerminal of terminals) {
      const { terminal, at } = reporter(80, loudness, isTerminal);
      events.forEach((event, i) => {
        at(i, event);
      });
      assert.doesNotMatch(terminal.written, /[\r\x1b]/);
      assert.deepEqual(
        terminal.rows(),
        loudness === 'quiet'
          ? []
          : [
              'Planning        3.0 s      1000 B  333 B/s',
              'Fetching        3.0 s     3.0 MiB  682.7 KiB/s  2.0 MiB of it now',
              'Writing         1.0 s        10 B  10 B/s  a\\x1b[31m\\nb',
            ],
      );
    }
});

test('downloads count in the phase they belong to: with what was cached, without what came before', () => {
  const terminal = new FakeTerminal(120);
  const report = terminalReport(terminal.screen(), 'normal');
  const collected = new Collected(() => terminal.time);
  const at = (seconds: number, event: Event) => {
    terminal.time = seconds * 1000;
    report(event);
    collected.report(event);
  };
  at(0, { kind: 'phase', phase: 'plan' });
  at(0, { kind: 'expected', url: 'http://m/main/Packages.xz', size: 8 * MIB });
  at(1, { kind: 'progress', phase: 'fetch', bytes: 2 * MIB, item: 'http://m/main/Packages.xz' });
  assert.match(terminal.rows()[0]!, /^Planning +25 % .* 2\.0 MiB of 8\.0 MiB 2\.0 MiB\/s 0:03 left {2}Packages\.xz$/);
  at(2, { kind: 'progress', phase: 'fetch', bytes: 8 * MIB, item: 'http://m/main/Packages.xz' });
  at(2, { kind: 'ended', phase: 'plan' });
  at(2, { kind: 'phase', phase: 'fetch', bytes: 20 * MIB });
  at(2, { kind: 'fetched', url: 'http://m/a.deb', size: 10 * MIB, cached: true });
  // 4 MiB of b.deb were there from an earlier build, which broke off
  at(3, { kind: 'progress', phase: 'fetch', bytes: 13 * MIB, received: 9 * MIB, item: 'http://m/b.deb' });
  assert.match(terminal.rows().at(-1)!, /^Fetching +75 % .* 15\.0 MiB of 20\.0 MiB 1\.0 MiB\/s 0:05 left {2}b\.deb$/);
  at(8, { kind: 'progress', phase: 'fetch', bytes: 18 * MIB, received: 14 * MIB, item: 'http://m/b.deb' });
  at(8, { kind: 'ended', phase: 'fetch' });
  assert.match(terminal.rows().at(-1)!, /^Fetching +6\.0 s +20\.0 MiB {2}1\.0 MiB\/s {2}6\.0 MiB of it now$/);
  assert.deepEqual(collected.timings, [
    { phase: 'plan', seconds: 2, bytes: 8 * MIB },
    { phase: 'fetch', seconds: 6, bytes: 6 * MIB },
  ]);
});

test('a phase inside another one takes the bar, and gives it back', () => {
  const { terminal, at } = reporter(100);
  at(0, { kind: 'phase', phase: 'write', item: 'a.img' });
  at(0, { kind: 'phase', phase: 'hash', bytes: 100 });
  at(1, { kind: 'progress', phase: 'hash', bytes: 50 });
  assert.match(terminal.rows()[0]!, /^Hashing +50 %/);
  at(2, { kind: 'ended', phase: 'hash', bytes: 100 });
  at(2, { kind: 'phase', phase: 'write', bytes: 1000, item: 'a.img' });
  at(3, { kind: 'progress', phase: 'write', bytes: 900 });
  assert.match(terminal.rows()[0]!, /^Writing +90 % .*a\.img$/);
  at(4, { kind: 'ended', phase: 'write', bytes: 1000, item: 'a.img' });
  assert.deepEqual(terminal.rows(), ['Writing         4.0 s      1000 B  250 B/s  a.img']);
});

test('durations and sizes', () => {
  assert.deepEqual([0, 0.2, 59, 60, 3599, 3600, 3723].map(clock), [
    '0:00',
    '0:01',
    '0:59',
    '1:00',
    '59:59',
    '1:00:00',
    '1:02:03',
  ]);
  assert.deepEqual([0, 1023, 1024, 1024 * 1023.99, 5 * 2 ** 40].map(amount), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.0 MiB',
    '5120.0 GiB',
  ]);
});
