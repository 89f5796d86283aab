import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { includesIn, withIncludes } from '../../src/dracut/includes.ts';
import type { Lock } from '../../src/lock/lock.ts';
import { roleOf } from '../../src/settings/role.ts';
import { flagOf, rowOf, SETTING_KEYS, type SettingKey } from '../../src/settings/table.ts';
import { osbuilder, type Result } from '../support/cli.ts';
import { needs, temporary } from '../support/data.ts';
import { deb, tar } from '../support/debs.ts';
import { elfFile } from '../support/elves.ts';
import { makeKey } from '../support/repository.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';
import { SYSTEM } from '../support/systems.ts';

/**
 * Every file and folder of the build host that has an influence on a guest is an input of its lock: unchanged it gives the
 * same bytes, and a changed one is named. The rows are checked against the table of settings, so a new setting that names
 * a file fails until it has a row here, or a reason in `WITHOUT`.
 */

/** What is built: from packages, an existing rootfs, or files of a system. */
const BASES = {
  packages: ['--agent', 'demo', '--agent-init'],
  source: ['r.tar', '--skip-rootfs-check'],
  system: ['--build-method', 'dracut', '--sysroot', 'system', '--agent', 'demo'],
} as const;

interface Row {
  readonly base: keyof typeof BASES;
  /** Flags that name the input; `@` is the folder of inputs. */
  readonly flags: readonly string[];
  /** Flags of both builds that a lock does not keep. */
  readonly always?: readonly string[];
  /** Path of the file that is changed, below the folder of inputs. */
  readonly file: string;
  readonly text: string | Uint8Array;
  /** Its text afterwards; a line is appended unless it is given. */
  readonly changed?: string | Uint8Array;
  /** Further files of the row, by path. */
  readonly more?: Readonly<Record<string, string>>;
  /** What the error names: the setting and the input. The setting itself and the file’s name unless given. */
  readonly named?: readonly [setting: string, name: string];
  readonly output?: 'rootfs' | 'image';
  readonly skip?: string | false;
}

const archive = (text: string) => tar([{ name: './etc/' }, { name: './etc/added', data: text }]);
const layer = (key: SettingKey): Row => ({
  base: 'packages',
  flags: [`--${flagOf(key)}`, '@layer.tar'],
  file: 'layer.tar',
  text: archive('a'),
  changed: archive('b'),
});

/** A row, or several, for each setting with the role `input`, and for those that name inputs among other things. */
function rows(ground: {
  readonly keys: readonly Uint8Array[];
}): Partial<Record<SettingKey | 'source', readonly Row[]>> {
  const [key, other] = ground.keys;
  return {
    source: [
      {
        base: 'source',
        flags: [],
        file: '../r.tar',
        text: archive('a'),
        changed: archive('b'),
        named: ['source', 'r.tar'],
      },
    ],
    profile: [
      { base: 'packages', flags: ['--profile', '@p.yaml'], file: 'p.yaml', text: 'like: debian\nname: mine\n' },
    ],
    keyring: [{ base: 'packages', flags: ['--keyring', '@k.gpg'], file: 'k.gpg', text: key!, changed: other! }],
    sysroot: [{ base: 'system', flags: [], file: '../system/etc/hosts', text: 'a\n', named: ['sysroot', 'system'] }],
    dracutConfDir: [
      {
        ...{ base: 'system', flags: ['--dracut-conf-dir', '@conf'], file: 'conf/1.conf', text: 'drivers=""\n' },
        named: ['dracut-conf-dir', 'conf'],
      },
    ],
    dracutOptions: [
      {
        ...{ base: 'system', flags: ['--dracut-options=--include @a\\ file.txt /etc/named'] },
        ...{ file: 'a file.txt', text: 'a\n' },
      },
      {
        ...{
          base: 'system',
          flags: ['--dracut-options=--no-kernel -i @folder /etc/named'],
          file: 'folder/x',
          text: 'a\n',
        },
        named: ['dracut-options', 'folder'],
      },
    ],
    dracutModule: [
      {
        ...{ base: 'system', flags: ['--dracut-module', '@m.yaml'], file: 'm.yaml' },
        text: 'name: own\ntexts:\n  etc/own: {text: "x"}\n',
      },
    ],
    agent: [
      {
        ...{ base: 'packages', flags: ['--agent', '@agent'], file: 'agent' },
        text: '#!/bin/sh\n',
      },
    ],
    agentPolicyFile: [
      { base: 'packages', flags: ['--agent-policy-file', '@p.rego'], file: 'p.rego', text: 'package agent_policy\n' },
    ],
    kernelModulesDir: [
      {
        ...{ base: 'packages', flags: ['--kernel-modules-dir', '@6.1.0'], file: '6.1.0/modules.builtin', text: '' },
        named: ['kernel-modules-dir', '6.1.0'],
      },
    ],
    guestHooksTarball: [layer('guestHooksTarball')],
    cocoGuestComponentsTarball: [layer('cocoGuestComponentsTarball')],
    pauseImageTarball: [layer('pauseImageTarball')],
    overlay: [
      layer('overlay'),
      {
        ...{ base: 'packages', flags: ['--overlay', '@folder'], file: 'folder/etc/added', text: 'a\n' },
        named: ['overlay', 'folder'],
      },
    ],
    keep: [
      { base: 'source', flags: ['--keep', '@k.yaml'], file: 'k.yaml', text: 'keep: [/etc/**]\n' },
      { base: 'source', flags: ['--keep', '@k.json'], file: 'k.json', text: '[{"name": "etc/added"}]' },
      {
        ...{ base: 'source', flags: ['--keep', '@k.yaml', '--keep', '/etc/**'], file: 'lists/l.json' },
        text: '[{"name": "etc/added"}]\n',
        more: { 'k.yaml': 'from-json: [{file: lists/l.json}]\n' },
      },
    ],
    preseed: [{ base: 'packages', flags: ['--preseed', '@p'], file: 'p', text: 'a a/b string c\n' }],
    verityCert: [
      {
        ...{ base: 'source', output: 'image', file: 'c.pem', text: '', changed: '' },
        flags: ['--arch', 'x86_64', '--measured-rootfs', '--partition-table', 'gpt', '--verity-cert', '@c.pem'],
        always: ['--verity-key', '@key.pem'],
        skip: needs({ tools: ['openssl'] }),
      },
    ],
  };
}

/** Other settings that name files, and why their bytes are no inputs of a lock. */
const WITHOUT: Partial<Record<SettingKey, string>> = {
  packages: 'a package in a file is a package of the lock',
  extraPkgs: 'a package in a file is a package of the lock',
  repoUrl: 'packages have their digests, wherever they come from',
  repo: 'packages have their digests, wherever they come from',
  pin: 'it decides which packages are chosen, and these are in the lock',
  verityKey: 'nothing of a secret is in a lock',
  signKey: 'nothing of a secret is in a lock',
  caCert: 'it decides whom to trust on the way, and digests prove what came',
  lock: 'it is the lock',
  cacheDir: 'everything from it has its digest',
  sbom: 'it is written',
  provenance: 'it is written',
  referenceValues: 'it is written',
  sourceRoot: 'a folder in the source',
  agentPolicy: 'yes or no',
  sbomFormat: 'a form of what is written',
};

const isNamed = (key: SettingKey): boolean =>
  /FILE|DIR|TAR|PATH|WHAT|REPO\b/.test(rowOf(key).kind.placeholder) ||
  /\b(?:a|for a) (?:file|folder)\b(?! system)|\bfiles?:/.test(rowOf(key).description);

const errorOf = ({ stdout, stderr }: Result): { code: string; message: string } => {
  assert.notEqual(stdout, '', stderr);
  return (JSON.parse(stdout) as { error: { code: string; message: string } }).error;
};
const sums = ({ code, stdout, stderr }: Result): string[] => {
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as { outputs: { sha256: string }[] }).outputs.map((one) => one.sha256);
};

test('every setting that names a file has a row here, or a reason for having none', () => {
  const known = rows({ keys: [] });
  for (const key of SETTING_KEYS) {
    if (roleOf(key) === 'input') assert.ok(known[key] !== undefined, `${key} needs a row`);
    else if (isNamed(key)) assert.ok(known[key] !== undefined || WITHOUT[key] !== undefined, `${key} names a file`);
  }
});

describe('a build of a lock whose input has changed names it', () => {
  const closing: (() => void)[] = [];
  const hook = { after: (fn: () => void) => void closing.push(fn) };
  let top: string;
  let where: string[];
  let keys: Uint8Array[];
  before(async () => {
    top = temporary(hook);
    const { root, keyring, key } = await smallRepository(top);
    const flags = smallFlags(root, keyring, join(top, 'cache'));
    where = flags.slice(0, flags.indexOf('--keyring'));
    keys = [key, await makeKey()].map((one) => Buffer.from(one.publicKey));
  });
  after(() => {
    for (const close of closing) close();
  });

  /** Makes the files of a row in a fresh folder; a run there. */
  const prepare = (row: Row, cwd: string) => {
    const at = (path: string) => join(cwd, 'inputs', path);
    const write = (path: string, text: string | Uint8Array) => {
      mkdirSync(dirname(at(path)), { recursive: true });
      writeFileSync(at(path), text);
    };
    mkdirSync(join(cwd, 'inputs'), { recursive: true });
    writeFileSync(join(cwd, 'r.tar'), archive('a'));
    if (row.base === 'system')
      for (const [path, what] of Object.entries(SYSTEM)) {
        const to = join(cwd, 'system', path);
        mkdirSync(dirname(to), { recursive: true });
        if (typeof what === 'string' && what.startsWith('->')) execFileSync('ln', ['-s', what.slice(2), to]);
        else writeFileSync(to, typeof what === 'string' ? what : elfFile(what), { mode: 0o755 });
      }
    write(row.file, row.text);
    for (const [path, text] of Object.entries(row.more ?? {})) write(path, text);
    const certify = (name: string) =>
      execFileSync('openssl', [
        ...['req', '-x509', '-key', at('key.pem'), '-subj', `/CN=${name}`, '-days', '9', '-out', at('c.pem')],
      ]);
    if (row.file === 'c.pem') {
      execFileSync('openssl', ['genrsa', '-out', at('key.pem'), '2048'], { stdio: 'ignore' });
      certify('first');
    }
    const change = () => {
      if (row.file === 'c.pem') certify('second');
      else if (row.changed === undefined) appendFileSync(at(row.file), '\n');
      else write(row.file, row.changed);
    };
    const fill = (flags: readonly string[]) => flags.map((one) => one.replaceAll('@', join(cwd, 'inputs/')));
    const run = (args: readonly string[]) =>
      osbuilder([...fill(args), '--cache-dir', join(top, 'cache'), '--json'], { cwd, env: { http_proxy: '' } });
    return { change, run };
  };

  for (const [key, list] of Object.entries(rows({ keys: [] })))
    for (const [i, shape] of list.entries())
      test(`${key}${list.length === 1 ? '' : ` ${i + 1}`}`, { skip: shape.skip ?? false }, async (t) => {
        const row = rows({ keys })[key as SettingKey]![i]!;
        const cwd = temporary(t);
        const { change, run } = prepare(row, cwd);
        const output = row.output === 'image' ? ['--image', 'g.img'] : ['--rootfs', 'g.tar'];
        const distro = key === 'profile' ? ['--arch', 'amd64', '--packages', 'extra', ...where.slice(-2)] : where;
        const trusted = key === 'keyring' ? [] : ['--keyring', join(top, 'keyring.gpg')];
        const base = row.base === 'packages' ? [...distro, ...trusted] : [];
        const given = BASES[row.base].filter(
          (one, n, all) => key !== 'agent' || (one !== '--agent' && all[n - 1] !== '--agent'),
        );
        const always = row.always ?? [];
        const made = sums(
          await run(['lock', ...given, ...base, ...row.flags, ...always, ...output, '-o', 'inputs/l.json']),
        );
        const text = readFileSync(join(cwd, 'inputs/l.json'), 'utf8');
        const lock = JSON.parse(text) as Lock;
        const [setting, name] = row.named ?? [flagOf(key), basename(row.file)];
        assert.ok(
          lock.inputs.some((one) => one.setting === setting && one.name === name),
          `${setting} ${name} is an input: ${JSON.stringify(lock.inputs)}`,
        );
        assert.ok(!text.includes(cwd) && !text.includes(top), 'no folder of this machine');
        // what is not beside the lock is given again
        const source = row.base === 'source' ? ['r.tar', '--skip-rootfs-check'] : [];
        const outside = [
          ...source,
          ...(row.base === 'system' ? ['--sysroot', 'system'] : []),
          ...(row.base === 'packages' && key !== 'keyring' ? trusted : []),
          ...always,
        ];
        const again = () => run(['build', ...outside, '--lock', 'inputs/l.json', '--frozen', '--offline', ...output]);
        assert.deepEqual(sums(await again()), made, 'unchanged, found beside the lock');
        change();
        const { code, message } = errorOf(await again());
        assert.equal(code, 'LOCK_INPUT_CHANGED', message);
        assert.ok(message.includes(setting) && message.includes(name), message);
        // an output never takes the place of an input
        const target =
          row.base === 'system' && row.file.startsWith('../') ? join(cwd, 'system') : join(cwd, 'inputs', row.file);
        if (key === 'keyring' || key === 'profile') return;
        const over = errorOf(
          await run(['build', ...given, ...base, ...row.flags, ...always, '--rootfs', target, '--force']),
        );
        assert.match(
          over.code,
          /^(OUTPUT_IS_INPUT|OUTPUT_INSIDE_INPUT|WRITE_FAILED|SETTING_CONFLICT|USAGE)$/,
          over.message,
        );
        assert.ok(existsSync(target));
      });
});

test('a package in a file, and pins in a file, are found beside the lock, which names no folder', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  mkdirSync(join(folder, 'inputs'));
  const own = (version: string) =>
    deb({ name: 'own', version, files: [{ name: './usr/' }, { name: './usr/own', data: version }] });
  writeFileSync(join(folder, 'inputs/own_1_amd64.deb'), own('1'));
  writeFileSync(join(folder, 'inputs/pins'), 'Package: *\nPin: release n=trixie\nPin-Priority: 700\n');
  const run = (...args: string[]) => osbuilder([...args, '--json'], { cwd: folder, env: { http_proxy: '' } });
  const flags = smallFlags(root, keyring, 'cache');
  const output = ['--rootfs', 'g.tar', '--rootfs-only'];
  const made = sums(
    await run(
      ...['lock', ...flags, '--extra-pkgs', `${folder}/inputs/own_1_amd64.deb`, '--pin', `${folder}/inputs/pins`],
      ...[...output, '-o', 'inputs/l.json'],
    ),
  );
  const text = readFileSync(join(folder, 'inputs/l.json'), 'utf8');
  assert.ok(!text.includes(folder), text);
  const lock = JSON.parse(text) as Lock;
  assert.deepEqual([lock.settings['extra-pkgs'], lock.settings['pin']], [['./own_1_amd64.deb'], ['./pins']]);
  const again = (cache: string, ...more: string[]) =>
    run(
      ...['build', '--lock', 'inputs/l.json', '--frozen', '--rootfs', 'g.tar', '--cache-dir', cache],
      ...['--repo-url', root, '--keyring', keyring, ...more],
    );
  assert.deepEqual(sums(await again('empty-1')), made, 'beside the lock');
  const updated = await run(
    ...['lock', '--update', '-o', 'inputs/l.json', '--repo-url', root, '--keyring', keyring, '--cache-dir', 'cache'],
  );
  assert.equal(updated.code, 0, updated.stderr);
  assert.deepEqual((JSON.parse(updated.stdout) as { changes: unknown[] }).changes, []);
  assert.equal(readFileSync(join(folder, 'inputs/l.json'), 'utf8'), text, 'nothing has moved: outputs stay');
  mkdirSync(join(folder, 'elsewhere'));
  copyFileSync(join(folder, 'inputs/own_1_amd64.deb'), join(folder, 'elsewhere/own_1_amd64.deb'));
  writeFileSync(join(folder, 'inputs/own_1_amd64.deb'), own('2'));
  const changed = errorOf(await again('empty-2'));
  assert.equal(changed.code, 'LOCKED_PACKAGE_MISSING');
  assert.match(changed.message, /^own 1 /);
  assert.deepEqual(sums(await again('empty-3', '--repo', 'elsewhere')), made, 'in a folder that is named');
});

test('what --include of dracut names is found in its options, and gets another name there', () => {
  const cases: [string, string[], string][] = [
    ['', [], ''],
    ['--add "a b"', [], '--add "a b"'],
    ['--include /x/a /etc/a --add b', ['/x/a'], '--include a /etc/a --add b'],
    ['--include=/x/a /etc/a', ['/x/a'], '--include=a /etc/a'],
    ["-i '/x/a b' /c -i /d/e /f", ['/x/a b', '/d/e'], "-i 'a b' /c -i e /f"],
    ['--include "/x/it\'s" /c', ["/x/it's"], "--include 'it'\\''s' /c"],
    ['--include', [], '--include'],
  ];
  for (const [text, found, renamed] of cases) {
    assert.deepEqual(includesIn(text), found, text);
    assert.equal(withIncludes(text, basename), renamed, text);
    assert.deepEqual(
      includesIn(renamed),
      found.map((one) => basename(one)),
      renamed,
    );
  }
});
