import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './support/data.ts';

/** Rooms by floor, lowest first; docs/architecture.md draws them. A room imports from floors below its own only. */
const FLOORS: readonly (readonly string[])[] = [
  ['errors'],
  ['events', 'settings', 'workers'],
  ['bytes'],
  ['tree'],
  ['compression'],
  ['formats'],
  ['distros'],
  ['shell'],
  ['fetch'],
  ['system'],
  ['families'],
  ['rootfs'],
  ['artefacts'],
  ['pipeline'],
  ['report'],
  ['commands'],
  ['cli', 'index.ts'],
];

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
      if (floorOf(other) < floorOf(room)) continue;
      wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/** Groups of files that import each other, directly or by way of others (Tarjan's strongly connected components). */
function cycles(): string[][] {
  const graph = new Map<string, string[]>();
  for (const file of sources())
    graph.set(
      file,
      imports(file)
        .filter(({ target }) => target.startsWith('.'))
        .map(({ target }) => relative(SRC, resolve(SRC, dirname(file), target))),
    );
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): void => {
    index.set(file, index.size);
    low.set(file, index.get(file)!);
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!index.has(next)) {
        visit(next);
        low.set(file, Math.min(low.get(file)!, low.get(next)!));
      } else if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, index.get(next)!));
    }
    if (low.get(file) !== index.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1 || (graph.get(file) ?? []).includes(file)) found.push(group.sort());
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found;
}

test('no files import each other in a cycle, inside a room either', () => {
  assert.deepEqual(cycles(), []);
});

/** Host to the outside, and the rooms (or files) that may open them. */
const DOORS: readonly { readonly what: RegExp; readonly may: readonly RegExp[] }[] = [
  { what: /^(undici|node:https?|node:net|node:tls|node:dns.*)$/, may: [/^fetch\/mirror/] },
  { what: /^node:child_process$/, may: [] },
  {
    what: /^node:fs(\/promises)?$/,
    may: [
      /^bytes\//,
      /^fetch\/(cache|mirror)/,
      /^families\/\w+\/folder\.ts$/,
      /^artefacts\//,
      /^pipeline\//,
      /^commands\//,
      /^cli\//,
    ],
  },
  { what: /^node:os$/, may: [/^workers\/pool\.ts$/, /^commands\//, /^cli\//] },
];

test('network, files, processes and the machine are reached through their few host', () => {
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
    // names of temporary files must not be guessable; no output holds them
    for (const [pattern, what] of banned)
      if (pattern.test(code) && !(what === 'takes chances' && file.replaceAll(sep, '/') === 'bytes/temporary.ts'))
        wrong.push(`${file} ${what}`);
  }
  assert.deepEqual(wrong, []);
});
