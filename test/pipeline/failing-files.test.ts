import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sha256 } from '../../src/bytes/digest.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import type { FailingResult, FailingRun } from '../support/failing-program.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';
import { noise } from '../support/trees.ts';

/*
 * Every place of the program that calls the file system of the build host fails once: the command ends with a coded error
 * that names a path, or does without that operation and gives the same result. Nothing incomplete stays behind.
 */

const suffix = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const support = (name: string) => fileURLToPath(new URL(`../support/${name}${suffix}`, import.meta.url));

/** Every kind of failure in turn; `OSBUILDER_TEST_ALL=1` tries all of them at each place, at its first and second call. */
const CODES = ['ENOSPC', 'EIO', 'EROFS', 'EACCES', 'EMFILE'];
const ALL = process.env['OSBUILDER_TEST_ALL'] === '1';

/** Images are as small as possible, since each is written a hundred times. */
const SMALL = ['--skip-rootfs-check', '--image-size-alignment-mb', '1', '--skip-dax-header'];

/** Operations that clean up, and so leave something when they fail. */
const CLEANING = new Set(['rmSync', 'closeSync']);

class Program {
  private readonly child: ChildProcess;
  constructor() {
    const env = { ...process.env, NODE_OPTIONS: '' };
    this.child = fork(support('failing-program'), { execArgv: ['--import', support('failing-files')], env });
  }
  async run(job: FailingRun): Promise<FailingResult> {
    const stop = new AbortController();
    const answered = once(this.child, 'message', { signal: stop.signal }) as Promise<[FailingResult]>;
    const ended = once(this.child, 'exit', { signal: stop.signal });
    this.child.send(job);
    try {
      return await Promise.race([
        answered.then(([answer]) => answer),
        ended.then(([code, signal]) =>
          assert.fail(`the process ended with ${code ?? signal} after ${job.args.join(' ')}`),
        ),
      ]);
    } finally {
      stop.abort();
      await Promise.allSettled([answered, ended]);
    }
  }
  close(): void {
    this.child.kill();
  }
}

/** A command, with what is there before it runs. */
interface Scene {
  readonly name: string;
  args(home: string): readonly string[];
  /** A run without failures before: it fills the cache, or writes what is replaced. */
  readonly before?: (home: string) => readonly string[];
  readonly skip?: string | false;
}

const closing: (() => void)[] = [];
after(() => {
  for (const close of closing.reverse()) close();
});
const inputs = temporary({ after: (close) => void closing.push(close) });
const program = new Program();
closing.push(() => program.close());

/** Files and folders that the scenes read. */
async function makeInputs(): Promise<void> {
  const { root, keyring } = await smallRepository(inputs);
  const overlay = join(inputs, 'overlay');
  mkdirSync(join(overlay, 'etc'), { recursive: true });
  writeFileSync(join(overlay, 'etc/motd'), 'hello\n');
  writeFileSync(join(overlay, 'etc/large'), noise(400_000, 3));
  writeFileSync(join(overlay, 'etc/sparse'), 'x');
  truncateSync(join(overlay, 'etc/sparse'), 1 << 20);
  symlinkSync('motd', join(overlay, 'etc/link'));
  mkdirSync(join(inputs, 'debs-alone'));
  for (const one of readdirSync(join(inputs, 'debs')).slice(0, 1))
    cpSync(join(inputs, 'debs', one), join(inputs, 'debs-alone', one));
  writeFileSync(join(inputs, 'preseed'), 'x x/y string z\n');
  const outputs = ['--rootfs', 'rootfs.tar', '--initrd', 'initrd.img', '--image', 'disk.img'];
  const made = await osbuilder(
    [
      'build',
      ...smallFlags(root, keyring, join(inputs, 'cache')),
      ...['--agent', 'demo', '--agent-init', '--keep-dpkg-db', '--overlay', overlay, ...SMALL, ...outputs],
    ],
    { cwd: inputs },
  );
  assert.equal(made.code, 0, made.stderr);
  for (const [args, name] of [
    [['extract', 'rootfs.tar', '-o', 'folder/'], 'folder'],
    [['image', 'rootfs.tar', '--fs-type', 'erofs', ...SMALL, '-o', 'erofs.img'], 'erofs.img'],
    [['extract', 'rootfs.tar', '-o', 'rootfs.tar.zst'], 'rootfs.tar.zst'],
  ] as const) {
    const result = await osbuilder(args, { cwd: inputs });
    assert.equal(result.code, 0, result.stderr);
    assert.ok(existsSync(join(inputs, name)));
  }
}
const ready = makeInputs();

const at = (name: string) => join(inputs, name);
const debian = (home: string) => smallFlags(at('repository'), at('keyring.gpg'), join(home, 'cache'));
const everything = (home: string) => [
  ...['build', ...debian(home), '--agent', 'demo', '--agent-init', ...SMALL, '--overlay', at('overlay')],
  ...['--repo', at('debs-alone')],
  ...['--preseed', at('preseed'), '--keep-dpkg-db', '--rootfs', 'r.tar', '--initrd', 'i.img', '--image', 'k.img'],
];
const SCENES: readonly Scene[] = [
  { name: 'build with an empty cache', args: everything },
  { name: 'build with a filled cache', before: everything, args: everything },
  {
    name: 'build with a verified cache into a folder',
    before: everything,
    args: (home) => ['rootfs', ...debian(home), '--agent', 'demo', '--skip-rootfs-check', '--verify-cache', '-o', 'r/'],
  },
  { name: 'plan', args: (home) => ['plan', ...debian(home)] },
  { name: 'plan --scripts', args: (home) => ['plan', ...debian(home), '--scripts'] },
  { name: 'why', args: () => ['why', 'extra', at('rootfs.tar')] },
  { name: 'which', args: () => ['which', '/etc/motd', at('disk.img')] },
  { name: 'cache info', before: everything, args: (home) => ['cache', 'info', '--cache-dir', join(home, 'cache')] },
  { name: 'cache verify', before: everything, args: (home) => ['cache', 'verify', '--cache-dir', join(home, 'cache')] },
  { name: 'cache clear', before: everything, args: (home) => ['cache', 'clear', '--cache-dir', join(home, 'cache')] },
  { name: 'extract a tar into a folder', args: () => ['extract', at('rootfs.tar'), '-o', 'r/'] },
  {
    name: 'extract an image into a folder that is there',
    before: () => ['extract', at('rootfs.tar'), '-o', 'r/'],
    args: () => ['extract', at('disk.img'), '-o', 'r/'],
  },
  { name: 'extract an initrd into an archive', args: () => ['extract', at('initrd.img'), '-o', 'r.tar.gz'] },
  {
    name: 'convert a folder into an initrd',
    args: () => ['initrd', at('folder'), '--skip-rootfs-check', '-o', 'i.img'],
  },
  {
    name: 'convert a compressed tar into an image',
    args: () => ['image', at('rootfs.tar.zst'), ...SMALL, '-o', 'k.img'],
  },
  {
    name: 'convert an EROFS image',
    args: () => ['image', at('erofs.img'), '--fs-type', 'erofs', ...SMALL, '-o', 'k.img'],
  },
  { name: 'verify an image', args: () => ['verify', at('disk.img'), at('erofs.img')] },
  { name: 'verify an initrd and an archive', args: () => ['verify', at('initrd.img'), at('rootfs.tar.zst')] },
  { name: 'verify a folder', args: () => ['verify', at('folder')] },
  { name: 'inspect', args: () => ['inspect', at('disk.img')] },
  { name: 'inspect --list', args: () => ['inspect', at('rootfs.tar.zst'), '--list'] },
  { name: 'inspect --cat', args: () => ['inspect', at('folder'), '--cat', '/etc/motd'] },
];

/** Paths below a folder. Links are not followed: those of a guest lead into the machine. */
function* below(folder: string, prefix = ''): Generator<string> {
  for (const entry of readdirSync(join(folder, prefix), { withFileTypes: true })) {
    const path = join(prefix, entry.name);
    yield path;
    if (entry.isDirectory()) yield* below(folder, path);
  }
}

/** Every file below a folder that a command left: path and digest. */
function remains(home: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of below(home)) {
    if (name === 'cache' || name.startsWith('cache/') || name === 'tmp') continue;
    const stat = lstatSync(join(home, name));
    if (stat.isFile()) found.set(name, sha256(readFileSync(join(home, name))));
    else found.set(name, stat.isSymbolicLink() ? `link to ${readlinkSync(join(home, name))}` : 'folder');
  }
  return found;
}

const unfinished = (folder: string) =>
  [...below(folder)].filter((name) => /\.[0-9a-f]{16}\.(part|download)$/.test(name));

let homes = 0;
let rounds = 0;
/** Places that an earlier scene has tried. */
const tried = new Set<string>();
async function play(scene: Scene, plan?: Omit<NonNullable<FailingRun['plan']>, 'folder'>) {
  const home = join(inputs, 'homes', String(++homes));
  const tmp = join(home, 'tmp');
  mkdirSync(tmp, { recursive: true });
  const common = { cwd: home, temporary: tmp };
  if (scene.before !== undefined) {
    const { error } = await program.run({ ...common, args: scene.before(home) });
    assert.equal(error, undefined);
  }
  const before = remains(home);
  const run = () => program.run({ ...common, args: scene.args(home) });
  const result =
    plan === undefined
      ? await run()
      : await program.run({ ...common, args: scene.args(home), plan: { ...plan, folder: inputs } });
  return { home, tmp, before, result, run };
}

for (const scene of SCENES)
  test(`${scene.name}: whatever file operation fails, the error has a code and names a path`, {
    skip: scene.skip ?? false,
  }, async (t) => {
    await ready;
    const record = join(inputs, 'places');
    writeFileSync(record, '');
    const usual = await play(scene, { record });
    assert.equal(usual.result.error, undefined, usual.result.error?.stack);
    const expected = remains(usual.home);
    const places = [...new Set(readFileSync(record, 'utf8').trim().split('\n'))].map((line) => line.split(' '));
    const wrong: string[] = [];
    let failed = 0;
    for (const [i, [operation = '', place = '']] of places.entries()) {
      if (!ALL && tried.has(`${operation} ${place}`)) continue;
      tried.add(`${operation} ${place}`);
      for (const code of ALL ? CODES : [CODES[i % CODES.length]!])
        for (const after of ALL ? [0, 1] : [0]) {
          const { home, tmp, before, result, run } = await play(scene, { fault: { operation, place, code, after } });
          const { error } = result;
          if (result.failed === 0) continue;
          failed++;
          const what = `${operation} at ${place}: ${code}`;
          const say = (text: string) => wrong.push(`${what}: ${text}`);
          const left = remains(home);
          if (error !== undefined) {
            if (error.code === undefined) say(`internal error: ${error.stack.split('\n').slice(0, 3).join(' | ')}`);
            else if (
              !error.message.includes(inputs) &&
              !/ (r|\.r\.old\.\S+|r\.tar|r\.tar\.gz|i\.img|k\.img|r\.manifest\.jsonl)[/:]/.test(error.message)
            )
              say(`names no path: ${error.message} [${error.code}]`);
          } else if (result.out.replaceAll(home, '') !== usual.result.out.replaceAll(usual.home, ''))
            say(`another result`);
          if (!CLEANING.has(operation)) {
            // a thread may be about to remove what it wrote when another has failed
            for (let i = 0; i < 1000 && unfinished(home).length > 0; i++) await sleep(20);
            const parts = unfinished(home);
            if (parts.length > 0) say(`left ${parts.join(' ')}`);
            if (readdirSync(tmp).length > 0) say(`left in the temporary folder: ${readdirSync(tmp).join(' ')}`);
            for (const [name, bytes] of left)
              if (bytes !== expected.get(name) && bytes !== before.get(name)) say(`${name} is not what it should be`);
          }
          rounds++;
          if (!ALL && rounds % 4 > 0) continue;
          const again = await run();
          if (again.error !== undefined) say(`afterwards: ${again.error.stack}`);
          else
            for (const [name, bytes] of expected)
              if (bytes !== remains(home).get(name)) say(`afterwards ${name} is not what it should be`);
        }
    }
    rmSync(join(inputs, 'homes'), { recursive: true, force: true });
    t.diagnostic(`${failed} failures at ${places.length} places`);
    assert.deepEqual(wrong, []);
  });
