import { equal } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runScript } from '../../src/shell/run.ts';
import { Tree } from '../../src/tree/tree.ts';
import { data, needs, ROOT, random, tool } from '../support/data.ts';
import { AS_ROOT, ROOTLESS } from './differential.ts';
import { randomScript } from './grammar.ts';

/** The results of dash and of our shell for a script, in an empty folder of a minimal system. */
function both(script: string): { ours: string; dashs: string } {
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
  const [command, ...words] = [...AS_ROOT!, tool('dash')!, '-c', script];
  const reference = spawnSync(command, words, {
    cwd: folder,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C' },
    timeout: 10_000,
    encoding: 'latin1',
    input: '',
  });
  rmSync(folder, { recursive: true });
  const tree = new Tree();
  for (const path of ['work', 'root', 'usr/bin', 'etc', 'tmp']) tree.makeDirectory(path);
  tree.stat('tmp')!.mode = 0o1777;
  tree.writeFile('etc/passwd', 'root:x:0:0:root:/root:/bin/bash\n');
  const result = runScript(`cd /work; unset OLDPWD\n${script}`, {
    tree,
    name: 'dash',
    environment: { HOME: '/root' },
    time: 1_700_000_000,
  });
  const show = (status: number | null, out: string) => `status ${status}\n${out}`;
  return { ours: show(result.status, result.stdout), dashs: show(reference.status, reference.stdout) };
}

/** Scripts of a list in which each script ends where dash considers it complete. */
function completeScripts(text: string): string[] {
  const found: string[] = [];
  let script = '';
  for (const line of text.split('\n')) {
    script += script === '' ? line : `\n${line}`;
    if (script === '') continue;
    const open = /<<X/.test(script) && !/^X$/m.test(script);
    if (open || spawnSync(tool('dash')!, ['-n'], { input: `${script}\n` }).status !== 0) continue;
    found.push(script);
    script = '';
  }
  return script === '' ? found : [...found, script];
}

const divided = (text: string) => text.split('\n===\n').map((script) => script.replace(/\n(===\n)?$/, ''));

describe('the shell agrees with dash', () => {
  test('published one-liners, first list', {
    skip: ROOTLESS || needs({ data: ['shell/micro-1.list'], tools: ['dash'] }),
  }, () => {
    // two users may run this at once
    const list = readFileSync(data('shell/micro-1.list'), 'latin1').replaceAll('/tmp/jbt', `/tmp/jbt-${process.pid}`);
    const scripts = completeScripts(list);
    equal(scripts.length > 50, true);
    for (const script of scripts) {
      const { ours, dashs } = both(script);
      equal(ours, dashs, script);
    }
  });

  test('published one-liners, second list', {
    skip: ROOTLESS || needs({ data: ['shell/micro-2.list'], tools: ['dash'] }),
  }, () => {
    for (const script of divided(readFileSync(data('shell/micro-2.list'), 'latin1'))) {
      const { ours, dashs } = both(script);
      equal(ours, dashs, script);
    }
  });

  test('our own list: each rule of the language, each tool', {
    skip: ROOTLESS || needs({ tools: ['dash', 'awk', 'sed', 'getopt'] }),
  }, () => {
    for (const script of divided(readFileSync(join(ROOT, 'test/shell/dash.list'), 'latin1'))) {
      const { ours, dashs } = both(script);
      equal(ours, dashs, script);
    }
  });

  test('random scripts', { skip: ROOTLESS || needs({ tools: ['dash'] }) }, () => {
    for (let seed = 1; seed <= 300; seed++) {
      const script = randomScript(random(seed));
      const { ours, dashs } = both(script);
      equal(ours, dashs, `seed ${seed}:\n${script}`);
    }
  });
});
