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
  ['system', 'lock'],
  ['families', 'dracut'],
  ['rootfs'],
  ['artefacts'],
  ['proof'],
  ['pipeline'],
  ['boot'],
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

/** Modules that reach outside the process, and the rooms (or files) that may import them. */
const DOORS: readonly { readonly what: RegExp; readonly may: readonly RegExp[] }[] = [
  { what: /^(undici(\/.*)?|node:https?|node:net|node:tls|node:dns.*)$/, may: [/^fetch\/mirror/] },
  { what: /^node:child_process$/, may: [/^boot\/process\.ts$/] },
  {
    what: /^node:fs(\/promises)?$/,
    may: [
      /^bytes\//,
      /^fetch\/(cache|mirror)/,
      /^families\/\w+\/folder\.ts$/,
      /^artefacts\//,
      /^pipeline\//,
      /^boot\/(boot|kvm|process)\.ts$/,
      /^commands\//,
      /^cli\//,
    ],
  },
  { what: /^node:os$/, may: [/^workers\/pool\.ts$/, /^commands\//, /^cli\//] },
];

test('network, files, processes and the machine are used in their few places only', () => {
  const wrong: string[] = [];
  for (const file of sources())
    for (const { target } of imports(file))
      for (const { what, may } of DOORS)
        if (what.test(target) && !may.some((place) => place.test(file.replaceAll(sep, '/'))))
          wrong.push(`${file} imports ${target}`);
  assert.deepEqual(wrong, []);
});

test('the engine uses no clock, no random numbers, no environment', () => {
  const banned: readonly (readonly [RegExp, string])[] = [
    [/\bDate\.now\s*\(|new Date\(\s*\)|performance\.now\s*\(/, 'reads the clock'],
    [/\bMath\.random\s*\(|randomBytes\s*\(|randomUUID\s*\(/, 'uses random numbers'],
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
      if (pattern.test(code) && !(what === 'uses random numbers' && file.replaceAll(sep, '/') === 'bytes/temporary.ts'))
        wrong.push(`${file} ${what}`);
  }
  assert.deepEqual(wrong, []);
});

test('no package family and no distribution is named in pipeline, artefacts and rootfs', () => {
  const families = readdirSync(join(SRC, 'families'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  const tools = new Set(['distros.ts', 'profile.ts', 'trim.ts', 'uname.ts']);
  const distros = readdirSync(join(SRC, 'distros'))
    .filter((name) => !tools.has(name))
    .map((name) => name.replace(/\.ts$/, ''));
  assert.ok(families.includes('apt') && distros.includes('debian'));
  const named = new RegExp(`\\b(${[...families, ...distros].join('|')})\\b`, 'i');
  const wrong: string[] = [];
  for (const file of sources().filter((name) => ['pipeline', 'artefacts', 'rootfs'].includes(roomOf(name))))
    readFileSync(join(SRC, file), 'utf8')
      .split('\n')
      .forEach((line, i) => {
        if (named.test(line)) wrong.push(`${file}:${i + 1}: ${line.trim()}`);
      });
  assert.deepEqual(wrong, []);
});

/** Files that may exceed 600 lines, and why. */
const LONG: Readonly<Record<string, string>> = {
  'fetch/keys/debian.ts': 'key data',
  'shell/commands/awk.ts': 'one interpreter, whose cases share its state',
  'shell/commands/awk-parser.ts': 'one recursive grammar',
};

test('no source file is longer than 600 lines', () => {
  const long = sources().filter((file) => readFileSync(join(SRC, file), 'utf8').split('\n').length > 601);
  assert.deepEqual(
    long.filter((file) => LONG[file.replaceAll(sep, '/')] === undefined),
    [],
  );
});

test('docs/architecture.md shows every room', () => {
  const page = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  const drawn = /## Rooms and floors[\s\S]*?```\n([\s\S]*?)```/.exec(page)![1]!;
  for (const room of FLOORS.flat()) assert.match(drawn, new RegExp(`(^|[ ·])${room.replace('.', '\\.')}\\b`, 'm'));
});

test('the memory of WebAssembly is read in its own byte order: numbers of it by a DataView, or by what the code exports', () => {
  for (const file of sources()) {
    const text = readFileSync(join(SRC, file), 'utf8');
    const wide = /new (?:Ui|I|BigUi|BigI)nt(?:16|32|64)Array\([^)]*memory|new Float(?:32|64)Array\([^)]*memory/.exec(
      text,
    );
    if (file !== join('bytes', 'ring.ts')) assert.equal(wide?.[0], undefined, `src/${file}`);
  }
});
