import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { completionScript } from '../../src/cli/completion.ts';
import { needs, temporary, tool } from '../support/data.ts';
import { Tmux } from '../support/tmux.ts';

/** Words on the command line, the last one unfinished, and what a shell must offer, and must not. */
const CASES: readonly (readonly [line: string, offered: readonly string[], not?: readonly string[]])[] = [
  ['ini', ['initrd'], ['image']],
  ['', ['rootfs', 'build', 'plan', 'inspect', 'help', 'completion']],
  ['initrd --distro ', ['debian', 'ubuntu', 'alpine']],
  ['initrd --distro de', ['debian'], ['ubuntu']],
  ['plan --os-version tr', ['trixie'], ['bookworm']],
  ['plan --os-version 24', ['24.04']],
  ['image --arch aar', ['aarch64'], ['x86_64']],
  ['initrd --compress ', ['gzip', 'zstd', 'lz4', 'none'], ['xz']],
  ['image --partition-table g', ['gpt'], ['mbr']],
  ['initrd --agent-in', ['--agent-init']],
  ['initrd --no-tr', ['--no-trim']],
  ['inspect --fs', [], ['--fs-uuid']],
  ['initrd --sel', ['--selinux'], []],
  ['cache ', ['info', 'clear']],
  ['completion ', ['bash', 'zsh', 'fish']],
  ['help pl', ['plan']],
  ['distros --show al', ['alpine']],
  ['inspect my', ['my file.img'], ['mine/']],
  ['verify a.img my', ['my file.img']],
  ['initrd --json my', ['my file.img']],
  ['image --overlay m', ['mine/', 'my file.img']],
  ['image --kernel-modules-dir m', ['mine/'], ['my file.img']],
  ['initrd --agent d', ['demo']],
  ['initrd -o m', ['my file.img', 'mine/']],
];

function folder(t: Parameters<typeof temporary>[0]): string {
  const path = temporary(t);
  writeFileSync(join(path, 'my file.img'), '');
  mkdirSync(join(path, 'mine'));
  for (const shell of ['bash', 'zsh', 'fish']) writeFileSync(join(path, `.${shell}`), completionScript(shell));
  return path;
}

function check(line: string, seen: readonly string[], offered: readonly string[], not: readonly string[] = []): void {
  const plain = seen.map((one) => one.trim());
  const has = (word: string) => plain.includes(word) || plain.includes(word.replace(/\/$/, ''));
  for (const word of offered) assert.ok(has(word), `"${line}" does not offer ${word}: ${plain.join(' | ')}`);
  for (const word of not) assert.ok(!has(word), `"${line}" offers ${word}`);
}

test('bash completes commands, flags, values and paths', { skip: needs({ tools: ['bash'] }) }, (t) => {
  const cwd = folder(t);
  const ask = `source ./.bash; complete -p osbuilder | grep -q _osbuilder || exit 9
COMP_WORDS=(osbuilder "$@"); COMP_CWORD=$#; _osbuilder; printf '%s\\n' "\${COMPREPLY[@]}"`;
  for (const [line, offered, not] of [
    ...CASES,
    // bash splits --flag=value into three words
    ['initrd --distro = de', ['debian'], ['ubuntu']] as const,
    ['initrd --distro =', ['debian', 'ubuntu']] as const,
  ]) {
    const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', ask, 'bash', ...line.split(' ')], {
      cwd,
      encoding: 'utf8',
    });
    assert.equal(stderr, '', line);
    assert.equal(status, 0, line);
    check(line, stdout.split('\n'), offered, not);
  }
});

test('fish completes commands, flags, values and paths', { skip: needs({ tools: ['fish'] }) }, (t) => {
  const cwd = folder(t);
  const HOME = cwd;
  const script = CASES.map(([line], i) => `echo "== ${i}"; complete -C 'osbuilder ${line}'`).join('\n');
  const { status, stdout, stderr } = spawnSync('fish', ['--no-config', '-c', `source ./.fish\n${script}`], {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', HOME, LC_ALL: 'C.UTF-8' },
  });
  assert.equal(stderr, '');
  assert.equal(status, 0);
  const answers = stdout.split(/^== \d+\n/m).slice(1);
  assert.equal(answers.length, CASES.length);
  CASES.forEach(([line, offered, not], i) => {
    check(
      line,
      // the description follows a tab; blanks are escaped
      answers[i]!.split('\n').map((one) => one.split('\t')[0]!.replaceAll('\\ ', ' ')),
      offered,
      not,
    );
  });
});

test('zsh completes commands, flags, values and paths', { skip: needs({ tools: ['zsh', 'tmux'] }) }, async (t) => {
  const cwd = folder(t);
  writeFileSync(
    join(cwd, '.zshrc'),
    `PS1='%% '; autoload -Uz compinit; compinit -D -u; source ./.zsh
zstyle ':completion:*' verbose no
setopt no_beep no_list_ambiguous list_rows_first
# the names alone, without descriptions, on a line of their own
zstyle ':completion:*' list-grouped no
echo ready\n`,
  );
  const env = { HOME: cwd, ZDOTDIR: cwd, LC_ALL: 'C.UTF-8', PATH: process.env['PATH'] ?? '' };
  const terminal = new Tmux(t, { columns: 400, rows: 60 }, [tool('zsh')!, '-i', '-d'], env, cwd);
  await terminal.until((rows) => rows.includes('ready'), 'the prompt');
  for (const [line, offered, not] of CASES) {
    // control-U and control-L begin a fresh line on an empty screen; control-D lists what could follow
    terminal.type('\x15\x0c');
    terminal.type(`osbuilder ${line}\x04`);
    // a mark behind the list shows that it is complete
    terminal.type('\x01: END\\; \x05');
    const seen = await terminal.until(
      (rows) => rows.includes(`% : END\\; osbuilder ${line}`.trimEnd()),
      `the answer to ${line}`,
    );
    const words = seen
      .slice(1)
      .flatMap((row) => row.split(/ {2,}|(?<=\S) +-- .*$/))
      .map((word) => word.replace(/\/$/, '').replaceAll('\\ ', ' '));
    // a unique match is not listed but would be inserted, so press tab for it
    if (offered.length === 1 && !words.includes(offered[0]!.replace(/\/$/, ''))) {
      terminal.type('\x15\x0c');
      terminal.type(`osbuilder ${line}\t`);
      const wanted = `% osbuilder ${line.replace(/[^ ]*$/, '')}${offered[0]!.replaceAll(' ', '\\ ')}`;
      await terminal.until((rows) => rows[0]?.startsWith(wanted) === true, `${wanted} (tab)`);
      continue;
    }
    check(
      line,
      words,
      offered.map((word) => word.replace(/\/$/, '')),
      not,
    );
  }
});
