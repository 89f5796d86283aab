import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { needs, ROOT, random, temporary, tool } from '../support/data.ts';
import { tar } from '../support/debs.ts';

/** The npm package as a user has it: packed, unpacked in an empty folder, with its dependencies and nothing else. */

/** Bytes of the tarball. */
const LARGEST = 1_500_000;
const skip = needs({ tools: ['npm', 'tar'] });
const cleanups: (() => void)[] = [];
const closing = { after: (fn: () => void) => void cleanups.push(fn) };
let folder: string;
let tarball: string;

function run(command: string, args: readonly string[], cwd = folder) {
  return spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } });
}

before(() => {
  if (skip !== false) return;
  folder = temporary(closing);
  const packed = run(tool('npm')!, ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], ROOT);
  assert.equal(packed.status, 0, packed.stderr);
  tarball = join(folder, (JSON.parse(packed.stdout) as { filename: string }[])[0]!.filename);
  const home = join(folder, 'node_modules/osbuilder');
  mkdirSync(home, { recursive: true });
  assert.equal(run('tar', ['-xzf', tarball, '-C', home, '--strip-components=1']).status, 0);
  const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
    dependencies: Record<string, string>;
  };
  // npm would fetch these; they are the ones that were installed here
  for (const name of Object.keys(manifest.dependencies)) {
    const path = join(folder, 'node_modules', name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), path);
  }
  mkdirSync(join(folder, 'node_modules/.bin'));
  symlinkSync(join(home, manifest.bin['osbuilder']!), join(folder, 'node_modules/.bin/osbuilder'));
});

test('the tarball is small and holds no sources, tests and maps', { skip }, () => {
  assert.ok(statSync(tarball).size < LARGEST, `${statSync(tarball).size} bytes`);
  const names = readdirSync(join(folder, 'node_modules/osbuilder'), { recursive: true, encoding: 'utf8' });
  for (const name of names)
    assert.doesNotMatch(name, /\.map$|(?<!\.d)\.ts$|^test\b|^dist\/(test|bench)\b|\.tsbuildinfo/);
  for (const name of ['README.md', 'LICENSE', 'CHANGELOG.md', 'docs/settings.md', 'docs/osbuilder.schema.json'])
    assert.ok(names.includes(name), name);
});

test('the command is found, prints its version and help, and builds with worker threads', { skip }, () => {
  const bin = join(folder, 'node_modules/.bin/osbuilder');
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  assert.equal(run(process.execPath, [bin, '--version']).stdout, `${version}\n`);
  assert.match(run(process.execPath, [bin, '--help']).stdout, /^Commands:$/m);
  assert.match(run(process.execPath, [bin, 'help', 'initrd']).stdout, /--compress-level N/);
  // large enough to be compressed and hashed in threads
  const numbers = random(1);
  const noise = Buffer.alloc(24 << 20);
  for (let i = 0; i < noise.length; i += 4) noise.writeUInt32LE(numbers.below(2 ** 32), i);
  writeFileSync(join(folder, 'rootfs.tar'), tar([{ name: 'noise', data: noise }]));
  const common = ['rootfs.tar', '--skip-rootfs-check', '--json'];
  const digests = ['1', '3'].map((jobs) => {
    const built = run(process.execPath, [bin, 'initrd', ...common, '--jobs', jobs, '-o', `${jobs}.img`]);
    assert.equal(built.status, 0, built.stderr);
    return (JSON.parse(built.stdout) as { outputs: { sha256: string }[] }).outputs[0]!.sha256;
  });
  assert.equal(digests[0], digests[1]);
  assert.equal(run(process.execPath, [bin, 'verify', '3.img']).status, 0);
});

test('an internal error names functions and files of the program', { skip }, () => {
  const bin = join(folder, 'node_modules/.bin/osbuilder');
  const broken = `const { stringify } = JSON;
JSON.stringify = () => { JSON.stringify = stringify; throw new TypeError('broken on purpose'); };
`;
  writeFileSync(join(folder, 'broken.cjs'), broken);
  const said = run(process.execPath, ['--require', join(folder, 'broken.cjs'), bin, 'distros', '--json']);
  assert.equal(said.status, 70);
  assert.match(said.stderr, /internal error; please report it/);
  assert.match(said.stderr, /at (async )?distros \((?:file:)?.*(parts|commands)\/distros[-\w]*\.js:\d+:\d+\)/);
});

test('README’s program uses the library with its types', { skip }, () => {
  const program = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))![1]!;
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'program.ts'), `${program}console.log(sha256);\n`);
  const types = join(folder, 'node_modules/@types');
  mkdirSync(types, { recursive: true });
  if (!existsSync(join(types, 'node'))) symlinkSync(join(ROOT, 'node_modules/@types/node'), join(types, 'node'));
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  // the folder may be below a project of its own
  const options = [
    '--ignoreConfig',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--types',
    'node',
    'program.ts',
  ];
  const compiled = run(process.execPath, [compiler, ...options]);
  assert.equal(compiled.status, 0, compiled.stdout);
  const said = run(process.execPath, ['program.js']);
  assert.equal(said.status, 0, said.stderr);
  assert.match(said.stdout, /^[0-9a-f]{64}\n$/);
  assert.ok(statSync(join(folder, 'root.ext4')).size > 0);
});

after(() => {
  for (const clean of cleanups) clean();
});
