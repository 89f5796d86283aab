import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { COMMAND_NAMES } from '../../src/commands/commands.ts';
import { commandSettings } from '../../src/commands/settings.ts';
import { BuildError } from '../../src/errors/error.ts';
import { flagOf, rowOf, SETTING_KEYS, type SettingKey } from '../../src/settings/table.ts';
import { UPSTREAM_VARIABLES } from '../../src/settings/upstream.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

/** A value of each setting that is not its default. */
function sample(key: SettingKey): string {
  const { kind, fallback } = rowOf(key);
  if (kind.name === 'yes-no') return fallback === true ? 'no' : 'yes';
  if (kind.name === 'number') return key === 'compressLevel' ? '7' : '1024';
  if (kind.choices !== undefined) return kind.choices.find((one) => one !== fallback)!;
  return `${key}-value`;
}

/** Every command in every situation that decides about settings. */
const SITUATIONS = [
  { command: 'rootfs', positional: [], own: { output: 'o.tar' } },
  { command: 'rootfs', positional: ['tree'], own: { output: 'o.tar' } },
  { command: 'initrd', positional: [], own: {} },
  { command: 'initrd', positional: ['tree'], own: {} },
  { command: 'image', positional: [], own: {} },
  { command: 'image', positional: ['tree'], own: {} },
  { command: 'build', positional: [], own: { initrd: 'i', image: 'm' } },
  { command: 'build', positional: ['tree'], own: { rootfs: 'r.tar' } },
  { command: 'lock', positional: [], own: {} },
  { command: 'lock', positional: ['tree'], own: { initrd: 'i' } },
  { command: 'plan', positional: [], own: {} },
  { command: 'plan', positional: [], own: { scripts: true } },
  { command: 'why', positional: ['package'], own: {} },
  { command: 'why', positional: ['package', 'f'], own: {} },
  { command: 'which', positional: ['/path'], own: {} },
  { command: 'which', positional: ['/path', 'f'], own: {} },
  { command: 'inspect', positional: ['f'], own: {} },
  { command: 'extract', positional: ['f'], own: { output: 'o/' } },
  { command: 'verify', positional: ['f'], own: {} },
  { command: 'distros', positional: [], own: {} },
  { command: 'modules', positional: [], own: {} },
  { command: 'cache', positional: ['info'], own: {} },
  { command: 'extension', positional: ['x'], own: { base: 'b' } },
  { command: 'extension', positional: ['x', 'tree'], own: { base: 'b' } },
  { command: 'diff', positional: ['a', 'b'], own: {} },
  { command: 'repro', positional: [], own: {} },
  { command: 'repro', positional: ['tree'], own: {} },
  { command: 'boot', positional: ['f'], own: {} },
  { command: 'boot', positional: ['f'], own: { kernel: 'k' } },
  { command: 'drop-in', positional: ['d'], own: {} },
  { command: 'matrix', positional: ['slurm'], own: {} },
  { command: 'push', positional: ['r', 'f'], own: {} },
  { command: 'pull', positional: ['r'], own: {} },
  { command: 'verify', positional: ['f'], own: { rebuild: true } },
  { command: 'lock', positional: [], own: { update: true } },
] as const;

type From = 'flag' | 'environment' | 'file';

/** What becomes of one setting from one source. */
function outcome(key: SettingKey, from: From, situation: (typeof SITUATIONS)[number]): string {
  const value = sample(key);
  const call = { ...situation, flags: new Map<SettingKey, string[]>(from === 'flag' ? [[key, [value]]] : []) };
  const environment = from === 'environment' ? { [rowOf(key).environment[0]!]: value } : {};
  const config = from === 'file' ? { name: 'osbuilder.yaml', values: { [flagOf(key)]: value } } : undefined;
  try {
    const { events, given, settings } = commandSettings(call, environment, config);
    assert.equal(given.get(key)?.from, from);
    assert.notDeepEqual(settings[key], rowOf(key).fallback);
    const name = given.get(key)!.name;
    const about = events.filter((event) => 'message' in event && event.message.includes(name));
    assert.equal(about.length, events.length, 'a message about something else');
    return about.length === 0 ? 'acts' : about[0]!.kind;
  } catch (error) {
    assert.ok(error instanceof BuildError, String(error));
    assert.ok(JSON.stringify([error.message, error.context]).includes(flagOf(key)) || error.message.includes(key));
    return error.code;
  }
}

/** Settings that act in a situation: written down here a second time, by hand, as a user would expect them. */
const CHOOSING =
  'distro osVersion arch profile packages extraPkgs recommends repoUrl repoComponents repoSuites repo keyring allowUnauthenticated snapshot repomdSha256 module pin seccomp selinux agentInit rootfsOnly keep sourceDateEpoch lock frozen cacheDir offline mirrorTimeout jobs maxPackageSize maxUnpackedSize cacheSize verifyCache registryPlainHttp caCert remoteCache';
const PROVISIONING =
  'agent agentPolicy agentPolicyFile kernelModulesDir drivers guestHooksTarball cocoGuestComponentsTarball pauseImageTarball confidentialGuest osbuilderVersion overlay remove';
const INSTALLING = 'kernelPackage trim preseed keepDpkgDb keepApkDb keepRpmDb force';
const PACKING =
  'maxPackageSize maxUnpackedSize arch agentInit selinux rootfsOnly keep sourceDateEpoch lock frozen jobs sourceRoot sourceOwner force';
const INITRD = 'compress compressLevel';
const IMAGE =
  'blockSize rootFreeSpace imageSizeAlignmentMb skipDaxHeader partitionTable sectorSize measuredRootfs fsType fsUuid fsLabel fsFeatures fsOptions skipRootfsCheck';
/** The form of an extension is fixed, and it is measured by default. */
const EXTENSION =
  'blockSize rootFreeSpace imageSizeAlignmentMb skipDaxHeader sectorSize measuredRootfs fsUuid fsLabel fsFeatures fsOptions kernelCompat buildVariant veritySalt';
const ALWAYS = 'strict json quiet verbose';
/** What chooses and fetches one package, of a kernel. */
const KERNEL =
  'distro osVersion arch profile repoUrl repoComponents repoSuites repo keyring allowUnauthenticated snapshot repomdSha256 module pin kernelPackage cacheDir offline mirrorTimeout jobs maxPackageSize maxUnpackedSize cacheSize verifyCache registryPlainHttp caCert remoteCache';
/** What is written about outputs: the others need one of these. */
const PROOF = 'sbom provenance referenceValues push';
const FULL = `${CHOOSING} ${PROVISIONING} ${INSTALLING} buildMethod`;
const ACTING: readonly string[] = [
  `${FULL} ${PROOF}`,
  `${PACKING} ${PROVISIONING} ${PROOF}`,
  `${FULL} ${INITRD} skipRootfsCheck ${PROOF}`,
  `${PACKING} ${PROVISIONING} ${INITRD} skipRootfsCheck ${PROOF}`,
  `${FULL} ${IMAGE} ${PROOF}`,
  `${PACKING} ${PROVISIONING} ${IMAGE} ${PROOF}`,
  `${FULL} ${INITRD} ${IMAGE} ${PROOF}`,
  `${PACKING} ${PROVISIONING} ${PROOF}`,
  `${FULL} ${INITRD} ${IMAGE}`.replace(' force', ''),
  `${PACKING} ${PROVISIONING} ${INITRD} skipRootfsCheck`.replace(' force', ''),
  CHOOSING,
  `${CHOOSING} preseed`,
  CHOOSING,
  '',
  FULL.replace(/ force| buildMethod/g, ''),
  '',
  'sbom',
  'jobs force maxPackageSize maxUnpackedSize',
  'lock',
  '',
  'sysroot dracutModule',
  'cacheDir cacheSize verifyCache',
  `${FULL} ${EXTENSION}`,
  `${PACKING} ${PROVISIONING} ${EXTENSION}`,
  '',
  `${FULL} ${INITRD} ${IMAGE}`.replace(' force', ''),
  `${PACKING} ${PROVISIONING} ${INITRD} ${IMAGE}`.replace(' force', ''),
  KERNEL,
  'arch',
  '',
  '',
  'arch sourceDateEpoch registryPlainHttp caCert signKey cacheDir cacheSize verifyCache offline mirrorTimeout',
  'arch registryPlainHttp caCert cacheDir cacheSize verifyCache offline mirrorTimeout',
  `${FULL} ${INITRD} ${IMAGE}`.replace(' force', ''),
  `${FULL} ${INITRD} ${IMAGE}`.replace(' force', ''),
];
const UNSUPPORTED = new Set<SettingKey>([]);
/** Settings of one kind of artefact: a script may give them for every kind. */
const ARTEFACT = new Set(`${INITRD} ${IMAGE} kernelCompat buildVariant veritySalt verityKey verityCert`.split(' '));
const LENIENT = new Set<SettingKey>(['cacheDir', 'offline', 'mirrorTimeout', 'jobs', 'skipRootfsCheck']);

test('every command is in the table', () => {
  assert.deepEqual([...new Set(SITUATIONS.map(({ command }) => command as string))].sort(), [...COMMAND_NAMES].sort());
  assert.equal(ACTING.length, SITUATIONS.length);
});

for (const [i, situation] of SITUATIONS.entries()) {
  const { command, positional, own } = situation;
  test(`every setting acts, warns or is an error: ${command} ${[...positional, ...Object.keys(own)].join(' ')}`, () => {
    const acting = new Set(`${ACTING[i]} ${ALWAYS}`.split(' '));
    for (const key of SETTING_KEYS)
      for (const from of ['flag', 'environment', 'file'] as const) {
        const found = outcome(key, from, situation);
        const where = `${key} from ${from}`;
        if (UNSUPPORTED.has(key)) assert.equal(found, 'NOT_SUPPORTED', where);
        else if (acting.has(key)) assert.equal(found, 'acts', where);
        else if ((command === 'plan' || command === 'why') && positional[1] === undefined)
          assert.ok(found === 'note' || found === 'warning', `${where}: ${found}`);
        else if (from === 'flag')
          assert.ok(
            found === 'USAGE' ||
              (found === 'warning' && (LENIENT.has(key) || ARTEFACT.has(key) || sample(key) === 'no')),
            `${where}: ${found}`,
          );
        else if (from === 'environment')
          assert.ok(found === 'warning' || (found === 'note' && LENIENT.has(key)), `${where}: ${found}`);
        else assert.ok(found === 'warning' || found === 'note', `${where}: ${found}`);
      }
  });
}

test('a file’s settings for the packages of a guest are a warning when an existing rootfs is packed, one for all', () => {
  const values = { distro: 'debian', 'extra-pkgs': 'nano', 'fs-label': 'x' };
  const call = { command: 'initrd', positional: ['tree'], own: {}, flags: new Map() };
  const { events } = commandSettings(call, {}, { name: 'osbuilder.yaml', values });
  assert.deepEqual(
    events.map((event) => [event.kind, 'message' in event ? event.message : '']),
    [
      [
        'warning',
        'osbuilder.yaml: distro and osbuilder.yaml: extra-pkgs have no effect: "tree" is given as an existing rootfs, so no packages are chosen',
      ],
      ['note', 'osbuilder.yaml: fs-label has no effect: no image is made'],
    ],
  );
});

test('no name, file or folder is empty, neither of a setting nor of a command', async () => {
  for (const key of SETTING_KEYS) {
    const { kind, fallback } = rowOf(key);
    // words that are added to others
    if (kind.name !== 'text' || fallback === '' || key === 'cmdline' || key === 'dracutOptions') continue;
    const rejected = (error: unknown) => error instanceof BuildError && error.code === 'SETTING_INVALID';
    const call = { command: 'build', positional: [], own: { image: 'm' }, flags: new Map([[key, ['']]]) };
    assert.throws(() => commandSettings(call, {}, undefined), rejected, key);
    const config = { name: 'osbuilder.yaml', values: { [flagOf(key)]: '' } };
    assert.throws(() => commandSettings({ ...call, flags: new Map() }, {}, config), rejected, key);
    // an empty variable is not set
    const variable = rowOf(key).environment[0]!;
    assert.ok(!commandSettings({ ...call, flags: new Map() }, { [variable]: '' }, undefined).given.has(key));
  }
  for (const args of [
    ['image', 'tree', '-o', ''],
    ['image', ''],
    ['build', 'tree', '--initrd', ''],
    ['boot', 'f', '--until', ''],
    ['diff', 'a', ''],
  ]) {
    const { code, stderr } = await osbuilder(args);
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, /empty.*\[USAGE\]/, args.join(' '));
  }
});

test('the form of a kernel that is not written has no effect', () => {
  const flags = new Map<SettingKey, string[]>([
    ['kernelPackage', ['linux']],
    ['kernelFormat', ['vmlinux']],
  ]);
  const events = (command: string, own: Record<string, string>) =>
    commandSettings({ command, positional: [], own, flags }, {}, undefined).events.map((event) =>
      'message' in event ? event.message : '',
    );
  const unused = ['--kernel-format has no effect: no "kernel" is written'];
  assert.deepEqual(events('initrd', {}), unused);
  assert.deepEqual(events('repro', {}), unused);
  assert.deepEqual(events('initrd', { kernel: 'k' }), []);
  // builds from the lock may write it
  assert.deepEqual(events('lock', {}), []);
});

test('variables of Kata’s osbuilder that are no settings warn or are errors where a guest is made', () => {
  const build = { command: 'build', positional: [], own: { initrd: 'i' }, flags: new Map() };
  for (const { name, fatal } of UPSTREAM_VARIABLES) {
    if (fatal)
      assert.throws(
        () => commandSettings(build, { [name]: 'x' }, undefined),
        (error) => {
          assert.ok(error instanceof BuildError && error.code === 'NOT_SUPPORTED', String(error));
          return error.message.includes(name);
        },
      );
    else {
      const { events } = commandSettings(build, { [name]: 'yes' }, undefined);
      assert.ok(
        events.some((event) => event.kind === 'warning' && event.message.startsWith(`$${name} `)),
        name,
      );
    }
    const inspect = { command: 'inspect', positional: ['f'], own: {}, flags: new Map() };
    assert.deepEqual(commandSettings(inspect, { [name]: 'x' }, undefined).events, []);
  }
  assert.deepEqual(commandSettings(build, { AGENT_BIN: 'kata-agent', USE_DOCKER: 'no' }, undefined).events, []);
});

test('IMAGE and INITRD_IMAGE name an output where no flag does', () => {
  const environment = { IMAGE: 'a.img', INITRD_IMAGE: 'b.img' };
  const files = (command: string, own: Record<string, string> = {}) =>
    commandSettings({ command, positional: [], own, flags: new Map() }, environment, undefined).files;
  assert.deepEqual(files('image'), [{ kind: 'image', path: 'a.img' }]);
  assert.deepEqual(files('initrd'), [{ kind: 'initrd', path: 'b.img' }]);
  assert.deepEqual(files('image', { output: 'c.img' }), [{ kind: 'image', path: 'c.img' }]);
});

test('the program: misuse ends with 2, warnings are in the document, another architecture and unmatched patterns are reported', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  mkdirSync(join(folder, 'tree'));
  writeFileSync(join(folder, 'tree/hello'), 'hello');
  const run = (args: readonly string[], env: Record<string, string> = {}) => osbuilder(args, { cwd: folder, env });
  const pack = ['rootfs', 'tree', '--rootfs-only', '-o', 'o.tar'];
  for (const more of [
    ['--extra-pkgs', 'nano'],
    ['--distro', 'debian', '--snapshot', '20260301T000000Z'],
    ['--packages', 'nano'],
    ['--jobs', 'many'],
    ['--quiet', '--verbose'],
  ]) {
    const { code, stdout, stderr } = await run([...pack, ...more, '--json']);
    assert.equal(code, 2, `${more.join(' ')}: ${stderr}`);
    assert.ok(JSON.parse(stdout).error.code.length > 0);
  }
  const other = await run([...pack, '--fs-label', 'x', '--json']);
  assert.equal(other.code, 0, other.stderr);
  assert.equal(JSON.parse(other.stdout).warnings[0].code, 'SETTING_UNUSED');
  assert.equal((await run(['plan', '--distro', 'debain'])).code, 2);
  const warned = await run([...pack, '--remove', '/nowhere/*', '--json'], { DISTRO: 'debian' });
  assert.equal(warned.code, 0, warned.stderr);
  const { warnings } = JSON.parse(warned.stdout) as { warnings: { code: string; message: string }[] };
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ['SETTING_UNUSED', 'REMOVE_UNMATCHED'],
  );
  assert.match(warned.stderr, /warning: \$DISTRO has no effect: "tree" is given as an existing rootfs/);
  assert.equal((await run([...pack, '--strict'], { DISTRO: 'debian' })).code, 1);
  const flags = smallFlags(root, keyring, join(folder, 'cache'));
  const planned = await run(['plan', ...flags, '--agent', 'demo', '--source-date-epoch', '1700000000', '--json']);
  assert.equal(planned.code, 0, planned.stderr);
  assert.equal(JSON.parse(planned.stdout).sourceDateEpoch, 1700000000);
  assert.deepEqual(JSON.parse(planned.stdout).warnings, []);
  assert.deepEqual(JSON.parse(planned.stdout).notes, [
    '--agent has no effect: "osbuilder plan" only decides on packages, which it does not change',
  ]);
  // the flags of a build can be tried with plan, --strict too
  const strict = await run(['plan', ...flags, '--agent', 'demo', '--compress', 'zstd', '--no-trim', '--strict'], {
    AGENT_INIT: 'yes',
  });
  assert.equal(strict.code, 0, strict.stderr);
  assert.doesNotMatch(strict.stderr, /--agent|no effect/);
  const verbose = await run(['plan', ...flags, '--agent', 'demo', '--verbose']);
  assert.match(verbose.stderr, /^--agent has no effect/m);
});

test('an error is JSON when the environment or the config file asks for it', async (t) => {
  const folder = temporary(t);
  const missing = ['inspect', 'nowhere.img'];
  const byVariable = await osbuilder(missing, { cwd: folder, env: { OSBUILDER_JSON: 'yes' } });
  assert.equal(JSON.parse(byVariable.stdout).error.code, 'READ_FAILED');
  writeFileSync(join(folder, 'osbuilder.yml'), 'json: yes\n');
  assert.equal(JSON.parse((await osbuilder(missing, { cwd: folder })).stdout).error.code, 'READ_FAILED');
  assert.equal(JSON.parse((await osbuilder(['inspekt'], { cwd: folder })).stdout).error.code, 'USAGE');
  assert.equal((await osbuilder([...missing, '--no-json'], { cwd: folder })).stdout, '');
  writeFileSync(join(folder, 'osbuilder.yaml'), '');
  assert.match(
    (await osbuilder(missing, { cwd: folder })).stderr,
    /osbuilder\.yml: osbuilder\.yaml exists as well.*\[CONFIG_INVALID\]/,
  );
});
