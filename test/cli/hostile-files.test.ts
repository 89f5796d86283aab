import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ANSWERS, COMMANDS, positionalsOf } from '../../src/cli/commands.ts';
import { SETTINGS } from '../../src/settings/table.ts';
import { needs, tool } from '../support/data.ts';
import { fakeGuest, fakeQemu } from '../support/fake-qemu.ts';
import { asNobody, mayChangeUser, nobodysFolder, openFolder } from '../support/other-user.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';
import type { Ended, Run } from './file-runner.ts';

/**
 * Every option and argument that names a file of the build host, with what is no such file, or hardly one: each ends with an
 * error that has a code, in bounded time and memory. The rows are checked against the tables of settings and commands, so a
 * new option without a row fails.
 */

const RUNNER = fileURLToPath(
  new URL(`./file-runner${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
);

/** What the file is. */
const KINDS = ['fifo', 'device', 'directory', 'missing', 'unreadable', 'growing', 'huge', 'empty'] as const;
type Kind = (typeof KINDS)[number];

/** Processor time for one run, and memory of the process that makes all of them one after another. */
const SECONDS = 30;
const MEBIBYTES = 900;

/** A row: the option, its command line (`@` is the file, `oci:@` a layout in it, `@.yaml` with that suffix), and
 * the kinds that it takes, with the reason. */
interface Row {
  readonly option: string;
  readonly args: readonly string[];
  readonly taken?: Partial<Record<Kind, string>>;
  /** Kinds that are not run, with the reason. */
  readonly without?: Partial<Record<Kind, string>>;
}

/** Options whose file is written, not read. */
const OUTPUTS = new Set(['--sbom', '--provenance', '--reference-values', ...['output', 'rootfs', 'initrd', 'image']]);
const WRITTEN = /^(\w[\w-]* --(output|rootfs|initrd|image|kernel)|drop-in folder)$/;

/** Bytes that this program only hands on. */
const LATER = 'QEMU and the kernel read it';

interface Ground {
  readonly source: string;
  readonly out: string;
  readonly packages: readonly string[];
  readonly initrd: string;
  readonly kernel: string;
  /** A private key. */
  readonly key: string;
}

function rows({ source, out, packages, initrd, kernel, key }: Ground): Row[] {
  const guest = (flag: string, taken: Row['taken'] = {}): Row => ({
    option: flag,
    args: ['initrd', source, '--skip-rootfs-check', '-o', join(out, 'i.img'), flag, '@'],
    taken,
  });
  const planned = (flag: string, taken: Row['taken'] = {}, command: readonly string[] = ['plan']): Row => ({
    option: flag,
    args: [...command, ...packages, flag, '@'],
    taken,
  });
  const dracut = ['rootfs', '--build-method', 'dracut', '--force', '-o', join(out, 'dracut.tar')];
  const measured = ['image', source, '--skip-rootfs-check', '--measured-rootfs', '--partition-table', 'gpt'];
  const disk = join(out, 'disk.img');
  const withoutUrl = packages.filter((arg, i) => arg !== '--repo-url' && packages[i - 1] !== '--repo-url');
  const folder = { directory: 'a folder may be named' };
  const rootfs = { directory: 'an empty folder is an empty rootfs' };
  return [
    planned('--profile'),
    planned('--repo', { directory: 'a folder of packages without any' }),
    { option: '--repo-url', args: ['plan', ...withoutUrl, '--repo-url', '@'] },
    planned('--keyring'),
    planned('--pin', { empty: 'no pins' }),
    planned('--preseed', { empty: 'no answers' }, ['plan', '--scripts']),
    planned('--cache-dir', folder),
    planned('--config', { empty: 'no settings' }),
    guest('--agent'),
    guest('--agent-policy-file', { empty: 'what a policy says is left to the agent' }),
    guest('--kernel-modules-dir', folder),
    guest('--guest-hooks-tarball', folder),
    guest('--coco-guest-components-tarball', folder),
    guest('--pause-image-tarball', folder),
    guest('--overlay', folder),
    guest('--keep'),
    {
      option: '--keep FILE',
      args: ['initrd', source, '--skip-rootfs-check', '-o', join(out, 'i.img'), '--keep', '@.yaml'],
    },
    {
      option: '--repo FILE',
      args: ['rootfs', '--distro', 'centos', '--repo-url', source, '-o', join(out, 'f.tar'), '--repo', '@.repo'],
      taken: { empty: 'no repository in it' },
    },
    { option: '--sysroot', args: [...dracut, '--sysroot', '@'] },
    { option: '--dracut-conf-dir', args: [...dracut, '--sysroot', source, '--dracut-conf-dir', '@'], taken: folder },
    { option: '--dracut-module', args: [...dracut, '--sysroot', source, '--dracut-module', '@'] },
    {
      option: '--verity-key',
      args: [...measured, '-o', join(out, 'k.img'), '--verity-key', '@', '--verity-cert', '@'],
    },
    {
      option: '--verity-cert',
      args: [...measured, '-o', join(out, 'k.img'), '--verity-key', key, '--verity-cert', '@'],
    },
    {
      option: '--sign-key',
      args: ['rootfs', source, '-o', join(out, 's.tar'), '--provenance', join(out, 's.json'), '--sign-key', '@'],
    },
    { option: '--lock', args: ['rootfs', '-o', join(out, 'l.tar'), '--lock', '@'] },
    { option: 'lock --update', args: ['lock', '--update', '--lock', '@'] },
    { option: 'verify --lock', args: ['verify', initrd, '--lock', '@'] },
    ...['rootfs', 'initrd', 'image', 'build', 'repro'].map((command): Row => {
      const output = command === 'build' ? ['--rootfs', join(out, 'b.tar')] : ['-o', join(out, `${command}.out`)];
      const args = [command, '@', '--skip-rootfs-check', ...(command === 'repro' ? [] : output)];
      return { option: `${command} source`, args, taken: rootfs };
    }),
    { option: 'extension sources', args: ['extension', 'x', '@', '-o', join(out, 'x.img')], taken: rootfs },
    { option: 'extension layer', args: ['extension', 'x', source, '@', '-o', join(out, 'x.img')], taken: rootfs },
    {
      option: 'extension --base',
      args: ['extension', 'x', source, '--base', '@', '-o', join(out, 'x.img')],
      taken: rootfs,
    },
    { option: 'lock what', args: ['lock', '@', '-o', join(out, 'x.lock.json')], taken: rootfs },
    { option: 'inspect file', args: ['inspect', '@'], taken: rootfs },
    { option: 'extract file', args: ['extract', '@', '-o', join(out, 'e.tar')], taken: rootfs },
    { option: 'diff a', args: ['diff', '@', initrd], taken: rootfs },
    { option: 'diff b', args: ['diff', '@', '@'], taken: rootfs },
    { option: 'verify files', args: ['verify', '@'], taken: rootfs },
    { option: 'verify --key', args: ['verify', initrd, '--key', '@'] },
    { option: 'verify --root-hash', args: ['verify', disk, '--root-hash', '@'] },
    { option: 'why artefact', args: ['why', 'base-files', '@'] },
    { option: 'which artefact', args: ['which', '/etc', '@'] },
    { option: 'boot artefact', args: ['boot', '@', '--kernel', kernel, '--timeout', '20'] },
    { option: 'boot --extension', args: ['boot', initrd, '--kernel', kernel, '--extension', 'x=@', '--timeout', '20'] },
    { option: 'boot --kernel', args: ['boot', initrd, '--kernel', '@', '--timeout', '20'] },
    {
      option: 'boot --first-stage',
      args: ['boot', disk, '--kernel', kernel, '--first-stage', '@', '--timeout', '20'],
      taken: { growing: LATER, huge: LATER, empty: LATER },
    },
    { option: '--ca-cert', args: ['pull', 'oci://127.0.0.1:9/a:1', '-o', join(out, 'pulled'), '--ca-cert', '@'] },
    {
      option: 'push files',
      args: ['push', `oci:${join(out, 'layout')}`, '@'],
      taken: { growing: 'the bytes it had when it was opened', empty: 'any file can be pushed' },
      without: { huge: 'every byte of it would be pushed' },
    },
    { option: 'pull --key', args: ['pull', `oci:${join(out, 'layout')}`, '-o', join(out, 'pulled'), '--key', '@'] },
    { option: 'pull reference', args: ['pull', 'oci:@', '-o', join(out, 'pulled')] },
    // the last: it makes a layout of the folder
    { option: 'push reference', args: ['push', 'oci:@', initrd], taken: folder },
  ];
}

test('every option that names a file has a row', () => {
  const ground = { source: '', out: '', packages: [], initrd: '', kernel: '', key: '' };
  const known = new Set(rows(ground).map(({ option }) => option));
  const flag = (key: string) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const missing: string[] = [];
  for (const [key, row] of Object.entries(SETTINGS)) {
    const value = row.kind.placeholder;
    if (!/FILE|DIR|TAR|WHAT|URL|^REPO|^PIN/.test(value) || OUTPUTS.has(flag(key)) || key === 'sourceRoot') continue;
    if (!known.has(flag(key))) missing.push(flag(key));
  }
  for (const [name, row] of Object.entries({ ...COMMANDS, ...ANSWERS })) {
    for (const [key, own] of Object.entries(row.own)) {
      const option = `${name} --${key}`;
      if (!/FILE|PATH/.test(own.value ?? '') || (WRITTEN.test(option) && name !== 'boot')) continue;
      // paths inside of an artefact
      if (option !== 'inspect --cat' && !known.has(option)) missing.push(option);
    }
    for (const { name: positional } of positionalsOf(row)) {
      const option = `${name} ${positional}`;
      const noFile =
        /^(extension name|why package|which path|help command|completion shell|cache action|matrix engine)$/.test(
          option,
        );
      if (!noFile && !WRITTEN.test(option) && !known.has(option)) missing.push(option);
    }
  }
  assert.deepEqual(missing, []);
});

/** Bytes of the file that grows: more than any file may have that is read completely. */
const LEAST = 17 << 20;

/** Makes the files of each kind in a folder that the user who reads them owns. */
function makeFiles(folder: string): Record<Kind, string> {
  const at = (name: string) => join(folder, name);
  execFileSync(tool('mkfifo')!, [at('fifo')]);
  nobodysFolder(at('directory'));
  // nobody can make it, either
  mkdirSync(at('closed'), { mode: 0o555 });
  writeFileSync(at('unreadable'), 'x', { mode: 0o000 });
  writeFileSync(at('growing'), Buffer.alloc(LEAST, '#\n'));
  writeFileSync(at('empty'), '');
  const fd = openSync(at('huge'), 'w');
  ftruncateSync(fd, 2 ** 40);
  closeSync(fd);
  // options that look at the name
  for (const kind of KINDS)
    for (const suffix of ['.yaml', '.repo'])
      if (kind !== 'missing') symlinkSync(kind === 'device' ? '/dev/zero' : at(kind), at(kind + suffix));
  return {
    ...{ fifo: at('fifo'), device: '/dev/zero', directory: at('directory'), missing: at('closed/missing') },
    ...{ unreadable: at('unreadable'), growing: at('growing'), huge: at('huge'), empty: at('empty') },
  };
}

/** Appends to a file, and shortens it again, until it is stopped. */
function keepGrowing(path: string): () => void {
  const fd = openSync(path, 'a');
  const piece = Buffer.alloc(65536, '#\n');
  let size = LEAST;
  const timer = setInterval(() => {
    size += writeSync(fd, piece);
    if (size > 64 << 20) ftruncateSync(fd, (size = LEAST));
  }, 5);
  return () => {
    clearInterval(timer);
    closeSync(fd);
  };
}

test('fifos, devices, folders, missing, unreadable, growing, huge and empty files: an error with a code', {
  skip: needs({ tools: ['mkfifo'] }) || (process.platform === 'linux' ? false : 'Linux alone'),
}, async (t) => {
  const folder = openFolder(t);
  const files = makeFiles(folder);
  const { root, keyring } = await smallRepository(folder);
  const { initrd, kernel } = await fakeGuest(folder);
  const bin = fakeQemu(folder);
  const source = join(folder, 'source');
  mkdirSync(join(source, 'etc'), { recursive: true });
  writeFileSync(join(source, 'etc/os-release'), 'ID=small\n');
  const out = nobodysFolder(join(folder, 'out'));
  const key = join(folder, 'key.pem');
  writeFileSync(
    key,
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  );
  for (const path of [initrd, kernel, keyring, key]) chmodSync(path, 0o644);
  const packages = smallFlags(root, keyring, nobodysFolder(join(folder, 'cache')));
  const table = rows({ source, out, packages, initrd, kernel, key });
  const disk = ['image', source, '--skip-rootfs-check', '--image-size-alignment-mb', '1', '-o', join(out, 'disk.img')];
  const runs: Run[] = [{ name: 'disk', args: disk }];
  for (const { option, args, without } of table)
    for (const kind of KINDS) {
      if (without?.[kind] !== undefined) continue;
      // the superuser may read everything
      if (kind === 'unreadable' && !mayChangeUser && process.getuid?.() === 0) continue;
      const own =
        option === '--profile' ? args.filter((arg, i) => arg !== '--distro' && args[i - 1] !== '--distro') : args;
      const named = (arg: string) =>
        /^(x=|oci:)?@$/.test(arg)
          ? arg.replace('@', files[kind])
          : arg.replace(/^@\./, `${kind === 'missing' ? files.missing : join(folder, kind)}.`);
      runs.push({ name: `${option}: ${kind}`, args: own.map(named) });
    }
  const list = join(folder, 'runs.json');
  writeFileSync(list, JSON.stringify(runs));
  const stop = keepGrowing(files.growing);
  const lines: (Partial<Ended> & { begun?: string; peak?: number })[] = [];
  let rest = '';
  let errors = '';
  const child = spawn(process.execPath, ['--max-old-space-size=512', RUNNER, list], {
    ...asNobody,
    cwd: out,
    env: { PATH: bin, TMPDIR: out, FAKE_QEMU: JSON.stringify([{ exit: 1 }]) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.on('data', (piece: Buffer) => {
    const parts = (rest + piece.toString()).split('\n');
    rest = parts.pop()!;
    lines.push(...parts.map((line) => JSON.parse(line) as (typeof lines)[number]));
  });
  child.stderr.on('data', (piece: Buffer) => (errors += piece.toString()));
  // a run that waits for a fifo would never end
  const watch = setTimeout(() => child.kill('SIGKILL'), 600_000);
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(watch);
  stop();
  const last = lines.findLast(({ begun }) => begun !== undefined)?.begun;
  assert.equal(signal, null, `ended during ${last}\n${errors}`);
  assert.equal(status, 0, `during ${last}: ${errors}`);
  const ended = new Map(lines.flatMap((line) => (line.name === undefined ? [] : [[line.name, line as Ended]])));
  assert.equal(ended.size, runs.length);
  assert.equal(ended.get('disk')!.code, 'done');
  const wrong: string[] = [];
  for (const { option, taken } of table)
    for (const kind of KINDS) {
      const found = ended.get(`${option}: ${kind}`);
      if (found === undefined) continue;
      const { code, exit, message, cpu } = found;
      const text = `${option}: ${kind}: ${code} ${message.split('\n')[0]}`;
      if (exit > 2 || code === 'BUG') wrong.push(`internal error: ${option}: ${kind}: ${message}`);
      else if (code === 'done' && taken?.[kind] === undefined) wrong.push(`accepted: ${text}`);
      // else another reason has ended it, and the file was not looked at
      const name = kind === 'device' ? /zero|device/ : new RegExp(kind);
      if (code !== 'done' && taken?.[kind] === undefined && !name.test(message)) wrong.push(`not about it: ${text}`);
      if (cpu > SECONDS * 1000) wrong.push(`${cpu} ms: ${text}`);
      if (code !== 'done' && !/^[A-Z0-9_]+$/.test(code)) wrong.push(text);
    }
  assert.deepEqual(wrong, []);
  const left = readdirSync(out, { withFileTypes: true });
  const begun = left.filter((entry) => entry.isDirectory() && readdirSync(join(out, entry.name)).length === 0);
  const parts = left.filter((entry) => entry.name.startsWith('.'));
  assert.deepEqual(
    [...begun, ...parts].map(({ name }) => name),
    [],
    'what failed left something',
  );
  const peak = lines.find((line) => line.peak !== undefined)!.peak!;
  t.diagnostic(`${runs.length} runs, peak ${Math.round(peak / 1024)} MiB`);
  assert.ok(peak < MEBIBYTES * 1024, `${Math.round(peak / 1024)} MiB`);
});
