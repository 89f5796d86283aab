import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './support/data.ts';

/** Rooms by floor, lowest first. A room may import from its own floor's other rooms only where `beside` allows it. */
const FLOORS: readonly (readonly string[])[] = [
  ['bytes', 'errors', 'events', 'workers'],
  ['tree', 'compression'],
  ['formats', 'shell'],
  ['packages'],
  ['distros', 'rootfs', 'images'],
  ['build'],
  ['settings', 'commands', 'report'],
  ['cli', 'index.ts'],
];
/** Rooms that take plain data from a room of the same floor, or (settings) are plain data themselves. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  bytes: ['errors', 'workers'],
  errors: [],
  events: [],
  workers: ['errors'],
  compression: ['tree'],
  packages: [],
  images: ['rootfs'],
  build: ['settings'],
  settings: [],
  commands: ['settings', 'report'],
  report: [],
  cli: [],
};

const SRC = join(ROOT, 'src');

function sources(): string[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort();
}

function imports(file: string): { readonly target: string; readonly text: string }[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => ({
    target: match[1]!,
    text: match[0],
  }));
}

const roomOf = (file: string) => file.split(sep)[0]!;
const floorOf = (room: string) => FLOORS.findIndex((rooms) => rooms.includes(room));

test('every room of src stands on a floor', () => {
  for (const name of readdirSync(SRC)) assert.ok(floorOf(name) >= 0, `src/${name} is on no floor`);
});

test('imports point down only', () => {
  const wrong: string[] = [];
  for (const file of sources()) {
    const room = roomOf(file);
    for (const { target } of imports(file)) {
      if (!target.startsWith('.')) continue;
      const other = roomOf(relative(SRC, resolve(SRC, dirname(file), target)));
      if (other === room) continue;
      const [from, to] = [floorOf(room), floorOf(other)];
      if (to < from || (BESIDE[room]?.includes(other) ?? false)) continue;
      wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/** Doors to the outside, and the rooms (or files) that may open them. */
const DOORS: readonly { readonly what: RegExp; readonly may: readonly RegExp[] }[] = [
  { what: /^(undici|node:https?|node:net|node:tls|node:dns.*)$/, may: [/^packages\/mirror/] },
  { what: /^node:child_process$/, may: [] },
  {
    what: /^node:fs(\/promises)?$/,
    may: [/^bytes\//, /^packages\/(cache|mirror)/, /^packages\/apt\/folder\.ts$/, /^build\//, /^commands\//, /^cli\//],
  },
  { what: /^node:os$/, may: [/^workers\/pool\.ts$/, /^commands\//, /^cli\//] },
];

test('network, files, processes and the machine are reached through their few doors', () => {
  const wrong: string[] = [];
  for (const file of sources())
    for (const { target } of imports(file))
      for (const { what, may } of DOORS)
        if (what.test(target) && !may.some((door) => door.test(file.replaceAll(sep, '/'))))
          wrong.push(`${file} imports ${target}`);
  assert.deepEqual(wrong, []);
});

test('the engine knows no clock, no chance, no environment', () => {
  const banned: readonly (readonly [RegExp, string])[] = [
    [/\bDate\.now\s*\(|new Date\(\s*\)|performance\.now\s*\(/, 'reads the clock'],
    [/\bMath\.random\s*\(|randomBytes\s*\(|randomUUID\s*\(/, 'takes chances'],
    [/\bprocess\.env\b|\bprocess\.argv\b/, 'reads the environment'],
    [/\bconsole\.|process\.std(out|err)\b/, 'prints'],
    [/\btoLocale\w+\s*\(|\bIntl\.|\blocaleCompare\s*\(/, 'depends on the locale'],
  ];
  const wrong: string[] = [];
  for (const file of sources()) {
    if (['cli', 'commands', 'report'].includes(roomOf(file))) continue;
    const code = readFileSync(join(SRC, file), 'utf8')
      .split('\n')
      .filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line))
      .join('\n');
    for (const [pattern, what] of banned) if (pattern.test(code)) wrong.push(`${file} ${what}`);
  }
  assert.deepEqual(wrong, []);
});
