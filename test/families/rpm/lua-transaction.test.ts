import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { needs, temporary } from '../../support/data.ts';
import { base, DNF_TOOLS, DnfRepository, listing } from '../../support/dnf-root.ts';
import { makeRpms, type SmallRpm } from '../../support/rpms.ts';

/** What a failure of a script in Lua means for its package, and what one finds in a root that is empty: as dnf makes it. */

const FAILING: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'pretrans-fails': { 'pretrans -p <lua>': 'posix.mkdir("/by-pretrans") error("no")' },
  'pre-fails': { 'pre -p <lua>': 'posix.mkdir("/by-pre") error("no")' },
  'pre-exits': { 'pre -p <lua>': 'os.exit(0)' },
  'post-fails': { 'post -p <lua>': 'posix.mkdir("/by-post") error("no")' },
  'posttrans-fails': { 'posttrans -p <lua>': 'posix.mkdir("/by-posttrans") error("no")' },
};

const GOING_ON: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'pre-returns': { 'pre -p <lua>': 'return 1' },
  'pre-returns-false': { 'pre -p <lua>': 'return false' },
  'child-fails': {
    'pre -p <lua>': 'local p = posix.fork() if p == 0 then error("in the child") end posix.wait(p)',
  },
};

const EMPTY: SmallRpm = {
  name: 'early',
  scripts: {
    'pretrans -p <lua>': [
      'local function text(...) local all = {} for i = 1, select("#", ...) do all[i] = tostring((select(i, ...))) end return table.concat(all, " ") end',
      'local lines = {',
      '  text(posix.stat("/none", "type")), text(posix.access("/bin/sh")), text(posix.dir("/none")),',
      '  text(os.execute("true")), text(rpm.execute("true")), text(rpm.execute("/bin/sh", "-c", "exit 0")), text(io.popen("true")),',
      '  text(posix.symlink("usr/share", "/early-link")), text(posix.mkdir("/early/folder")), text(posix.mkdir("/early")),',
      '  text(posix.chmod("/early", "r-xr-xr-x")), text(posix.getcwd()), text(arg[2]), text(os.rename("/early", "/earlier")),',
      '}',
      'local p = posix.fork() if p == 0 then posix.exec("/bin/true") os.exit(1) end posix.wait(p)',
      'local f = io.open("/early-log", "w") f:write(table.concat(lines, "\\n"), "\\n") f:close()',
    ].join('\n'),
  },
};

const made = (from: typeof FAILING): SmallRpm[] =>
  Object.entries(from).map(([name, scripts]) => ({
    name,
    tags: { Requires: ['filesystem'], 'Requires(pre)': ['filesystem'] },
    files: [{ name: `usr/share/${name}`, data: name, mode: 0o644 }],
    scripts: { 'posttrans -p <lua>': `posix.mkdir("/end-of-${name}")`, ...scripts },
  }));

describe('scripts in Lua in a transaction', { skip: needs({ tools: DNF_TOOLS, root: true }) }, () => {
  const names = [...Object.keys(FAILING), ...Object.keys(GOING_ON), 'early'];
  let repository: DnfRepository;
  let theirs: string;
  let ours: string;
  let written: string;
  const closing: (() => void)[] = [];
  before(async () => {
    const folder = temporary({ after: (fn) => void closing.push(fn) });
    const packages = [...base(), ...made(FAILING), ...made(GOING_ON), EMPTY];
    repository = new DnfRepository(folder, [...makeRpms(join(folder, 'made'), packages).values()]);
    theirs = join(folder, 'theirs');
    // it fails, since packages are left out
    repository.dnf(theirs, 'install', ...names);
    ours = join(folder, 'ours');
    const built = await repository.build(ours, names, '--json');
    assert.equal(built.code, 0, built.stderr);
    written = built.stdout;
  });
  after(() => {
    for (const close of closing) close();
  });

  test('every path is as dnf made it', () => {
    const log = (root: string) => readFileSync(join(root, 'early-log'), 'utf8').split('\n');
    assert.deepEqual(log(ours), log(theirs));
    assert.deepEqual(listing(ours), listing(theirs));
  });

  test('the same packages are installed', () => {
    const installed = (root: string) => repository.rpm(root, '-qa').stdout.split('\n').sort();
    assert.deepEqual(installed(ours), installed(theirs));
    assert.equal(installed(ours).includes('pre-fails-1-1.noarch'), false);
    assert.equal(installed(ours).includes('post-fails-1-1.noarch'), true);
  });

  test('each failure is said, with the package that is left out', () => {
    for (const name of Object.keys(FAILING)) {
      const script = name.replace(/-.*/, '');
      const left = script.startsWith('pre') ? `; rpm does not install ${name} then` : '';
      assert.ok(
        new RegExp(`${name}\\.${script}:1: the script ended with status 1: [^"]*${left}`).test(written),
        `${name}: ${written}`,
      );
    }
    assert.match(written, /child-fails\.pre:1: a child process ended with an error: in the child/);
    for (const name of ['pre-returns', 'pre-returns-false']) assert.doesNotMatch(written, new RegExp(`${name}\\.pre`));
  });
});
