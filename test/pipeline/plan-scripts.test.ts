import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import type { SmallDeb } from '../support/debs.ts';
import { SMALL_PACKAGES, smallFlags, smallRepository } from '../support/small-guest.ts';

const postinst = (name: string, text: string, more: Partial<SmallDeb> = {}): SmallDeb => ({
  name,
  files: [],
  ...more,
  control: { postinst: text, ...more.control },
});

/** Packages whose scripts are followed in every way there is. */
const PACKAGES: readonly SmallDeb[] = [
  ...SMALL_PACKAGES,
  postinst('clear', '#!/bin/sh\nset -e\nmkdir -p /etc/clear\n'),
  postinst('thing', '#!/bin/sh\nset -e\n\nfrobnicate --all "$1"\nif frobnicate; then :; fi\n. /usr/lib/thing.sh\n', {
    files: [
      { name: './usr/bin/frobnicate', data: '\x7fELF', mode: 0o755 },
      { name: './usr/lib/thing.sh', data: '# read by the script\nfrobnicate twice\n' },
    ],
  }),
  postinst('perlish', '#!/usr/bin/perl -w\nprint 1;\n'),
  postinst('boom', '#!/bin/sh\nset -e\necho before\ngrep nothing /etc/nosuch\necho after\n'),
  postinst('endless', '#!/bin/sh\ntouch /etc/begun\nwhile :; do :; done\n'),
  postinst('indexed', '#!/bin/sh\nset -e\nmandb --quiet\nmandb again\n'),
  // there is a rule for a package of this name, but not for this script
  postinst('libpam-runtime', '#!/bin/sh\nset -e\ncat > /etc/networks <<EOF\nloopback 127.0.0.0\nEOF\n'),
  postinst(
    'asking',
    '#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\ndb_get asking/port\necho "$RET" > /etc/port\n',
    {
      control: {
        config: '#!/bin/sh\n. /usr/share/debconf/confmodule\ndb_input high asking/port || true\ndb_go\n',
        templates: 'Template: asking/port\nType: string\nDefault: 80\nDescription: port\n',
      },
    },
  ),
  // debhelper's own words are known to rules
  postinst('debconf', '#!/bin/sh\nset -e\n'),
];
const ALL = 'clear thing perlish boom endless indexed libpam-runtime debconf';

const LINES = [
  'thing.postinst:4: not emulated: frobnicate: frobnicate --all "$1"',
  'thing.postinst: /usr/lib/thing.sh:2: not emulated: frobnicate: frobnicate twice',
  'perlish.postinst:1: written for perl, which is not interpreted: #!/usr/bin/perl -w',
];
const FAILURES = [
  /^boom\.postinst:4: dpkg would have left the package unconfigured, as its script ends with status 2: grep: /,
  /^endless\.postinst:3: dpkg would have left .* stopped after 6000000 steps/,
];

describe('scripts, reported before and during a build', () => {
  let folder: string;
  let flags: (packages: string, cache?: string) => string[];
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
    const { root, keyring } = await smallRepository(folder, {}, PACKAGES);
    flags = (packages, cache = 'cache') => [
      ...smallFlags(root, keyring, join(folder, cache)),
      ...['--extra-pkgs', packages],
    ];
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('plan fetches no package; plan --scripts fetches them and writes to the cache alone', async () => {
    const packages = () => {
      const archives = join(folder, 'c1', 'archives');
      return existsSync(archives) ? readdirSync(archives, { recursive: true }).length : 0;
    };
    const home = join(folder, 'empty');
    const plain = await osbuilder(['plan', ...flags(ALL, 'c1'), '--json']);
    assert.equal(plain.code, 0, plain.stderr);
    assert.equal('scripts' in JSON.parse(plain.stdout), false);
    assert.equal(packages(), 0);
    const planned = await osbuilder(['plan', ...flags(ALL, 'c1'), '--scripts', '--quiet']);
    assert.equal(planned.code, 0, planned.stderr);
    assert.ok(packages() > 0);
    assert.equal(existsSync(home), false);
    assert.deepEqual(readdirSync(folder).sort(), ['c1', 'debs', 'keyring.gpg', 'repository']);
  });

  test('as text: each script with what of it is not followed', async () => {
    const { code, stdout, stderr } = await osbuilder(['plan', ...flags(ALL), '--scripts', '--quiet']);
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split('\n');
    assert.match(stdout, /^clear\.postinst +interpreted whole$/m);
    assert.match(stdout, /^thing\.postinst +in part$/m);
    assert.match(stdout, /^perlish\.postinst +not at all$/m);
    assert.match(stdout, /^boom\.postinst +ends in an error: grep: /m);
    assert.match(stdout, /^endless\.postinst +ends in an error: stopped after 6000000 steps/m);
    assert.match(stdout, /^indexed\.postinst +interpreted whole\n {4}leaves out mandb: an index of documentation/m);
    assert.match(stdout, /^libpam-runtime\.postinst +interpreted whole$/m);
    assert.match(stdout, /^debconf\.postinst +by a rule, verified against this script/m);
    for (const line of LINES) assert.ok(lines.includes(`    ${line}`), line);
    assert.equal(
      lines.at(-1),
      '12 packages: 4 without scripts, 3 interpreted whole, 1 followed by a rule (1 of 1 scripts are the verified ones), 1 followed in part, 2 with a script that ends in an error, 1 not followed at all',
    );
  });

  test('as JSON, the same', async () => {
    const { code, stdout, stderr } = await osbuilder(['plan', ...flags(ALL), '--scripts', '--json']);
    assert.equal(code, 0, stderr);
    const { scripts, packages, warnings } = JSON.parse(stdout);
    assert.equal(packages.length, 12);
    const of = (name: string) => scripts.find((one: { package: string }) => one.package === name);
    assert.deepEqual(of('clear'), {
      ...{ package: 'clear', version: '1', script: 'postinst', followed: 'whole', by: 'interpreter' },
      ...{ digest: null, verified: null, failure: null, lines: [], leftOut: [] },
    });
    assert.equal(of('thing').followed, 'partial');
    assert.deepEqual(of('thing').lines, [
      { line: 4, source: 'frobnicate --all "$1"', reason: 'not emulated: frobnicate', file: null },
      { line: 2, source: 'frobnicate twice', reason: 'not emulated: frobnicate', file: '/usr/lib/thing.sh' },
    ]);
    assert.equal(of('perlish').followed, 'none');
    assert.equal(of('boom').followed, 'failed');
    assert.deepEqual([of('libpam-runtime').by, of('libpam-runtime').verified], ['interpreter', null]);
    assert.deepEqual([of('debconf').by, of('debconf').verified], ['rule', true]);
    assert.equal(of('indexed').leftOut[0].command, 'mandb');
    assert.equal(scripts.length, 8);
    assert.deepEqual(warnings.map((one: { code: string; package: string }) => `${one.code} ${one.package}`).sort(), [
      ...['SCRIPT_FAILED boom', 'SCRIPT_FAILED endless', 'SCRIPT_LINE perlish'],
      ...['SCRIPT_LINE thing', 'SCRIPT_LINE thing'],
    ]);
  });

  test('a build warns of each line with package and line, and continues; notes report what is left out', async () => {
    const out = join(folder, 'guest.tar');
    const { code, stdout, stderr } = await osbuilder([
      ...['rootfs', ...flags(ALL), '--rootfs-only', '--no-trim', '--json', '-o', out],
    ]);
    assert.equal(code, 0, stderr);
    for (const line of LINES) assert.ok(stderr.includes(`warning: ${line}\n`), line);
    const { warnings, notes } = JSON.parse(stdout);
    const messages: string[] = warnings.map((one: { message: string }) => one.message);
    for (const line of LINES) assert.ok(messages.includes(line), line);
    for (const failure of FAILURES)
      assert.ok(
        messages.some((one) => failure.test(one)),
        String(failure),
      );
    const first = warnings.find((one: { package: string }) => one.package === 'thing');
    const { context, ...place } = first;
    assert.deepEqual(place, { code: 'SCRIPT_LINE', message: LINES[0], package: 'thing', line: 4 });
    assert.equal(context.reason, 'not emulated: frobnicate');
    assert.ok(notes.some((one: string) => one.startsWith('indexed.postinst: mandb is left out: ')));
    // what was done before the failure is kept, and the rest of the guest is complete
    const listed = await osbuilder(['inspect', out, '--list']);
    for (const path of ['etc/clear', 'etc/begun', 'usr/bin/tool'])
      assert.ok(listed.stdout.includes(` ${path}\n`), path);
    rmSync(out);
  });

  test('--strict reports all lines in one error, and writes nothing', async () => {
    const out = join(folder, 'strict.tar');
    for (const command of [
      ['rootfs', ...flags(ALL), '--rootfs-only', '--strict', '--json', '-o', out],
      ['plan', ...flags(ALL), '--scripts', '--strict', '--json'],
    ]) {
      const { code, stdout, stderr } = await osbuilder(command);
      assert.equal(code, 1, stderr);
      const { error } = JSON.parse(stdout);
      assert.equal(error.code, 'SCRIPTS_NOT_UNDERSTOOD');
      for (const line of LINES) assert.ok(error.context.lines.includes(line), line);
      for (const failure of FAILURES)
        assert.ok(
          error.context.lines.some((one: string) => failure.test(one)),
          String(failure),
        );
      assert.match(error.message, /^5 lines of maintainer scripts cannot be followed:/);
      assert.equal(existsSync(out), false);
    }
    const fine = await osbuilder(['plan', ...flags('clear indexed debconf'), '--scripts', '--strict']);
    assert.equal(fine.code, 0, fine.stderr);
    const changed = await osbuilder(['plan', ...flags('libpam-runtime'), '--scripts', '--strict']);
    assert.equal(changed.code, 0, changed.stderr);
  });

  test('--preseed answers the questions of packages; an invalid line is an error, an unused answer a warning', async () => {
    const preseed = join(folder, 'preseed');
    const out = join(folder, 'asked.tar');
    const build = (...more: string[]) =>
      osbuilder(['rootfs', ...flags('asking'), '--rootfs-only', '--json', '-o', out, ...more]);
    const port = async () => (await osbuilder(['inspect', out, '--cat', 'etc/port'])).stdout;
    assert.equal((await build()).code, 0);
    assert.equal(await port(), '80\n');
    writeFileSync(
      preseed,
      '# comment\n\nasking asking/port string \\\n8080\nasking asking/port seen true\nother other/question select a, b\n',
    );
    const { code, stdout, stderr } = await build('--preseed', preseed);
    assert.equal(code, 0, stderr);
    assert.equal(await port(), '8080\n');
    assert.deepEqual(JSON.parse(stdout).notes, ['preseed: no package of the guest asks "other/question"']);
    writeFileSync(preseed, 'asking asking/port\n');
    const rejected = await build('--preseed', preseed);
    assert.equal(rejected.code, 1);
    assert.match(JSON.parse(rejected.stdout).error.message, /preseed:1/);
    rmSync(out);
    rmSync(preseed);
  });
});
