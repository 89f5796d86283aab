import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';
import { osbuilder } from '../support/cli.ts';
import { ROOT } from '../support/data.ts';
import { tar } from '../support/debs.ts';
import { makeDebian } from '../support/example-repository.ts';
import { type StaticServer, serve } from '../support/server.ts';

/** Every `@example` of the library is type-checked as a program of a user, and run in a folder with made files. */

interface Example {
  readonly name: string;
  readonly text: string;
  /** What its comments `// prints: …` say, in order. */
  readonly prints: readonly string[];
}

/** Compiled modules, whether the tests run from `dist` or from sources. */
const LIBRARY = fileURLToPath(new URL('../../src/index.js', import.meta.url));

/** What `src/index.ts` exports, with the declarations of each. */
function exported(): { readonly name: string; readonly symbol: ts.Symbol; readonly value: boolean }[] {
  const path = join(ROOT, 'src/index.ts');
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (file) => readFileSync(file, 'utf8'));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT);
  const program = ts.createProgram([path], { ...options, noEmit: true });
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(path)!)!;
  return checker.getExportsOfModule(module).map((found) => {
    const symbol = found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
    const isType = found.declarations?.some(
      (one) => ts.isExportSpecifier(one) && (one.isTypeOnly || one.parent.parent.isTypeOnly),
    );
    return { name: found.name, symbol, value: isType !== true && (symbol.flags & ts.SymbolFlags.Value) !== 0 };
  });
}

const EXPORTS = exported();

function examplesOf({ name, symbol }: (typeof EXPORTS)[number]): Example[] {
  return symbol.getJsDocTags().flatMap((tag, i) => {
    if (tag.name !== 'example') return [];
    const text = ts.displayPartsToString(tag.text);
    const code = /^```ts\n([\s\S]*?)\n```$/.exec(text.trim())?.[1];
    assert.ok(code !== undefined, `the example of ${name} is not a block of ts`);
    const prints = [...code.matchAll(/\/\/ prints: (.*)$/gm)].map((match) => match[1]!);
    return [{ name: i === 0 ? name : `${name}-${i}`, text: code, prints }];
  });
}

const EXAMPLES = EXPORTS.flatMap(examplesOf);

test('every export has a docstring, and every value an example', () => {
  assert.ok(EXPORTS.length > 100);
  for (const one of EXPORTS) {
    const doc = ts.displayPartsToString(one.symbol.getDocumentationComment(undefined));
    assert.match(doc, /\S/, `${one.name} has no docstring`);
    if (one.value) assert.ok(examplesOf(one).length > 0, `${one.name} has no example`);
  }
});

let folder: string;
let server: StaticServer;
let keyring: string;
const closing: (() => void | Promise<void>)[] = [];

/** The files that examples read: a rootfs in four forms, an agent, a disk. */
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'osbuilder-library-'));
  const files = join(folder, 'files');
  mkdirSync(files);
  const status = 'Package: base-files\nStatus: install ok installed\nEssential: yes\nVersion: 1\nArchitecture: all\n';
  writeFileSync(
    join(files, 'rootfs.tar'),
    tar([
      ...['etc/', 'sbin/', 'usr/', 'usr/bin/', 'var/', 'var/lib/', 'var/lib/dpkg/'].map((name) => ({ name })),
      { name: 'etc/hostname', data: 'kata' },
      { name: 'sbin/init', data: '#!/bin/sh\n', mode: 0o755 },
      { name: 'usr/bin/kata-agent', data: '#!/bin/sh\n', mode: 0o755 },
      { name: 'var/lib/dpkg/status', data: status },
    ]),
  );
  writeFileSync(join(files, 'kata-agent'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(files, 'notes.txt'), 'no rootfs');
  const pack = async (...words: string[]) => {
    const said = await osbuilder([...words, '--quiet'], { cwd: files });
    assert.equal(said.code, 0, said.stderr);
  };
  await pack('rootfs', 'rootfs.tar', '--rootfs-only', '-o', 'rootfs/');
  await pack('initrd', 'rootfs.tar', '--agent-init', '--rootfs-only');
  await pack('image', 'rootfs.tar', '--agent-init', '--rootfs-only', '--image-size-alignment-mb', '2');
  await pack(
    'image',
    'rootfs.tar',
    '--rootfs-only',
    '--partition-table',
    'gpt',
    '--image-size-alignment-mb',
    '2',
    '-o',
    'gpt.img',
  );
  keyring = await makeDebian(folder, join(folder, 'archive'));
  server = await serve({ after: (fn) => void closing.push(fn) }, join(folder, 'archive'));
});
after(async () => {
  for (const close of closing) await close();
  rmSync(folder, { recursive: true, force: true });
});

test('every example is right for the type checker, under its strict rules', () => {
  const sources = new Map(EXAMPLES.map(({ name, text }) => [join(ROOT, `example-${name}.ts`), text]));
  const options: ts.CompilerOptions = {
    ...{ strict: true, noUncheckedIndexedAccess: true, noUnusedLocals: true, noEmit: true, skipLibCheck: true },
    ...{ target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext, types: ['node'] },
    paths: { osbuilder: [LIBRARY.replace(/\.js$/, '.d.ts')] },
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => sources.has(path) || fileExists(path);
  host.readFile = (path) => sources.get(path) ?? readFile(path);
  host.getSourceFile = (path, ...rest) => {
    const text = sources.get(path);
    return text === undefined ? getSourceFile(path, ...rest) : ts.createSourceFile(path, text, ts.ScriptTarget.ES2023);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  const faults = ts.getPreEmitDiagnostics(program).map((one) => {
    const at = one.file === undefined ? '' : `${one.file.fileName.replace(/^.*example-/, '')}: `;
    return `${at}${ts.flattenDiagnosticMessageText(one.messageText, '\n')}`;
  });
  assert.deepEqual(faults, []);
});

for (const { name, text, prints } of EXAMPLES)
  test(`example of ${name}`, async () => {
    const cwd = join(folder, `run-${name}`);
    cpSync(join(folder, 'files'), cwd, { recursive: true });
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
    });
    const program = outputText.replaceAll(
      /from ['"]osbuilder['"]/g,
      `from ${JSON.stringify(pathToFileURL(LIBRARY).href)}`,
    );
    writeFileSync(join(cwd, 'example.mjs'), program);
    const env = {
      PATH: process.env['PATH'] ?? '',
      TMPDIR: tmpdir(),
      HOME: cwd,
      REPO_URL: `${server.url}/debian`,
      KEYRING: keyring,
      DISTRO: 'debian',
    };
    const child = spawn(process.execPath, ['example.mjs'], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (piece) => (out += String(piece)));
    child.stderr.on('data', (piece) => (err += String(piece)));
    const code = await new Promise((done) => child.on('close', done));
    assert.equal(code, 0, err);
    assert.deepEqual(out.split('\n').slice(0, -1), prints);
    rmSync(cwd, { recursive: true });
  });
