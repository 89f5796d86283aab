import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { PROFILES } from '../../src/distros/distros.ts';
import { isUnsupported, supportedChoices } from '../../src/settings/unsupported.ts';
import { treeOf } from '../support/big-guest.ts';
import { needs, ROOT, temporary, tool } from '../support/data.ts';
import { Closing, type MadeArchive, madeArchive, Newcomer } from '../support/newcomer.ts';

/** Every console block of README.md: its commands are run as an ordinary user types them, or checked in another way. */

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
  scripts: Record<string, string>;
};

/** A command of the page, on one line, and the output that the page shows. */
interface Shown {
  readonly command: string;
  readonly output: string;
}

function shownCommands(): Shown[] {
  return [...README.matchAll(/```console\n([\s\S]*?)```/g)].flatMap(([, block]) =>
    block!
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const [, command, output] = /^((?:.*\\\n)*.*)\n?([\s\S]*)$/.exec(text)!;
        return { command: command!.replace(/\\\n\s*/g, ''), output: output!.trim() };
      }),
  );
}

const closing = new Closing();
let archive: MadeArchive;
before(async () => {
  archive = await madeArchive(closing);
});
after(() => closing.close());

const isTyped = needs({ tools: ['script', 'stty'] });

/** What `npm start` runs after installing: the same program, as the user has it in the path. */
function startCommand(): string {
  const [install, run] = MANIFEST.scripts['start']!.split(' && ');
  assert.equal(install, 'npm ci --loglevel=error');
  return run!.replace('node dist/bundle/cli/main.js', 'osbuilder');
}

/** The kind of each line of a build, and the file that it names. */
const shapeOf = (lines: readonly string[]) =>
  lines.map((line) => [/^\w+/.exec(line)?.[0], / {2}(out\/\S+)$/.exec(line)?.[1]]);

test('npm start makes what the page shows, in the shape that it shows', { skip: isTyped }, async (t) => {
  const someone = new Newcomer(t, archive);
  const [start] = shownCommands();
  assert.equal(start!.command, 'npm start');
  const typed = await someone.type(startCommand(), { columns: 120 });
  assert.equal(typed.code, 0, typed.lines.join('\n'));
  assert.deepEqual(shapeOf(typed.lines), shapeOf(start!.output.split('\n')));
  const tree = await treeOf(join(someone.home, 'out/kata-rootfs.tar'), temporary(t));
  // what the pages about booting name
  assert.ok(
    tree.has('usr/lib/systemd/system/kata-containers.target') || tree.has('etc/systemd/system/kata-containers.target'),
  );
  assert.equal(statSync(join(someone.home, 'out/kata-containers.img')).size % (128 * 1024 * 1024), 0);
});

test('the build for another architecture is as it is shown', { skip: isTyped }, async (t) => {
  const someone = new Newcomer(t, archive);
  const { command } = shownCommands().find((one) => one.command.startsWith('npx osbuilder build'))!;
  writeFileSync(join(someone.home, 'kata-agent'), '#!/bin/sh\n');
  chmodSync(join(someone.home, 'kata-agent'), 0o755);
  mkdirSync(join(someone.home, 'my-files/etc'), { recursive: true });
  writeFileSync(join(someone.home, 'my-files/etc/motd'), 'hello\n');
  const typed = await someone.type(command, { columns: 80 });
  assert.equal(typed.code, 0, typed.lines.join('\n'));
  const tree = await treeOf(join(someone.home, 'kata-containers-initrd.img'), temporary(t));
  assert.equal(tree.text('etc/motd'), 'hello\n');
  assert.ok(tree.has('usr/share/strace/file') && tree.has('usr/share/iproute2/file'));
});

test('npm test is there', () => {
  assert.ok(shownCommands().some(({ command }) => command === 'npm test'));
  for (const [, name] of README.matchAll(/`npm run ([\w:]+)`/g)) assert.ok(MANIFEST.scripts[name!], name);
});

for (const shell of ['bash', 'zsh', 'fish'])
  test(`the line for completion in ${shell} works`, { skip: needs({ tools: [shell] }) }, (t) => {
    const someone = new Newcomer(t, archive);
    const { command } = shownCommands().find((one) => one.command.includes(`completion ${shell}`))!;
    const before = shell === 'zsh' ? 'autoload -Uz compinit; compinit -D -u; ' : '';
    const asked = {
      bash: 'complete -p osbuilder',
      zsh: 'print $_comps[osbuilder]',
      fish: 'complete -C "osbuilder pl"',
    };
    const { stdout, stderr } = spawnSync(tool(shell)!, ['-c', `${before}${command}\n${asked[shell as 'bash']}`], {
      encoding: 'utf8',
      env: { ...someone.environment, HOME: temporary(t) },
    });
    assert.equal(stderr, '');
    assert.match(stdout, /_osbuilder|plan/);
  });

/** Commands that need a machine to boot; test/boot runs such ones. Here: do they name what a build makes? */
const BOOTS = /^(qemu-system-x86_64|linux\.uml|npx osbuilder boot) /;

/** Commands that other tests of this folder run. */
const ELSEWHERE = [
  ...['npm start', 'npm test', 'npm pack', `npm install -g ./osbuilder-${MANIFEST.version}.tgz`, 'osbuilder --version'],
  ...['source <(osbuilder completion bash)', 'source <(osbuilder completion zsh)'],
  'osbuilder completion fish | source',
];

test('every command of the page is run or checked', () => {
  const made = [...startCommand().matchAll(/out\/\S+/g)].map(([path]) => path);
  for (const { command } of shownCommands()) {
    if (BOOTS.test(command)) {
      for (const [path] of command.matchAll(/out\/[\w.-]+/g)) assert.ok(made.includes(path), `${command}: ${path}`);
      // it finds all else by itself
      if (command.startsWith('npx')) continue;
      assert.match(command, /systemd\.unit=kata-containers\.target/);
      // a kernel finds its root in the first partition, or in the initrd
      assert.match(command, /-initrd |root=\/dev\/(vda1|ubda1|pmem0p1) /);
    } else if (!command.startsWith('npx osbuilder build')) assert.ok(ELSEWHERE.includes(command), command);
  }
});

test('what the page links to is there', () => {
  for (const [, path] of README.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) assert.ok(statSync(join(ROOT, path!)), path);
});

test('the table of what is supported names every distribution, and says of nothing that works that it does not', () => {
  const table = README.slice(README.indexOf('## What is supported'));
  for (const { title } of PROFILES.values()) assert.ok(table.includes(title.replace(/ [(].*/, '')), title);
  for (const choice of supportedChoices('fsType')!) assert.match(table, new RegExp(`^\\| artefacts .*${choice}`, 'im'));
  const missing = /^Not supported yet, .*$/m.exec(table)![0];
  for (const key of ['fsType', 'compress', 'buildMethod'] as const)
    for (const choice of supportedChoices(key)!) assert.doesNotMatch(missing, new RegExp(`\\b${choice}\\b`, 'i'));
  for (const [key, name] of [
    ['selinux', 'SELinux'],
    ['measuredRootfs', 'measured rootfs'],
    ['lock', 'lock files'],
  ] as const)
    assert.equal(missing.includes(name), isUnsupported(key), name);
});
