import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { CORE_COMMANDS } from '../../src/shell/commands.ts';
import { parseOptions, UsageError } from '../../src/shell/given.ts';
import { runScript } from '../../src/shell/run.ts';
import { needs, tool } from '../support/data.ts';
import { smallSystem } from './differential.ts';

/** Commands that take every word as it is, like the real ones, or whose words have another form. */
const FREE = new Set(['expr', 'yes', 'dd', 'chroot', 'dnsdomainname', 'domainname', 'logname', 'stty']);
/** Real programs whose --help is not the list of their options, or that are not the same program. */
const OTHER = new Set([
  ...FREE,
  ...[
    'awk',
    'gawk',
    'mawk',
    'original-awk',
    'bash',
    'dash',
    'sh',
    'find',
    'which',
    'tempfile',
    'getent',
    'iconv',
    'usleep',
  ],
  ...['clear', 'hostname', 'chrt', 'ionice', 'logger', 'setsid', 'rev', 'column', 'arch'],
]);
/** Commands that run another program, whose name comes after the options. */
const COMMAND_LINES: Readonly<Record<string, string>> = { find: 'find .', sed: "sed '' " };

function run(script: string) {
  return runScript(script, { tree: smallSystem(), name: 'opt.postinst', cwd: '/work', time: 0 });
}

describe('every emulated command checks its options', () => {
  const names = [...CORE_COMMANDS.keys()].filter((name) => !FREE.has(name)).sort();

  for (const name of names)
    test(`${name}: an option that nobody has is an error with its command, name and line`, () => {
      for (const option of ['--no-such-option', '-\x01']) {
        // an awk program or an expression of find comes first, so that the option is not taken for one
        const { status, unknown, stderr } = run(`:\n${COMMAND_LINES[name] ?? name} ${option} '{}' x y </dev/null`);
        notEqual(status, 0, `${name} ${option}`);
        notEqual(stderr, '', `${name} ${option}`);
        if (/^(awk|gawk|mawk|original-awk)$/.test(name) && option.startsWith('--')) continue;
        const found = unknown.find((one) => one.line === 2);
        ok(found !== undefined, `${name} ${option}: ${stderr}`);
        match(found.command, new RegExp(`^${name.replace('original-', '(original-)?')} `));
        equal(found.tested, false);
      }
    });

  test('in a condition too: the report names it', () => {
    const { unknown, status } = run('if sort --no-such-option; then :; fi\nls --dired || true');
    equal(status, 0);
    deepEqual(
      unknown.map(({ line, command, tested }) => `${line} ${command} ${tested}`),
      ['1 sort --no-such-option false', '2 ls --dired false'],
    );
  });

  test('every option that the real program documents is known, implemented or reported', {
    skip: needs({ tools: ['ls', 'sort', 'getopt', 'xargs', 'diff', 'grep', 'sed'] }),
  }, () => {
    const missing: string[] = [];
    for (const name of names) {
      if (OTHER.has(name) || tool(name) === undefined) continue;
      const help = spawnSync(tool(name)!, ['--help'], { encoding: 'utf8', env: { LC_ALL: 'C' } }).stdout;
      for (const [, option, value] of help.matchAll(/^ {1,8}(?:-\w(?: \S+)?, )?(--[a-z][a-z0-9-]+)(\[?=\S*)?/gm)) {
        const text = `${option}${value === undefined || value.startsWith('[') ? '' : '=1'}`;
        const { stderr } = run(`${name} ${text} x </dev/null`);
        if (/unrecognized option|invalid option|doesn't allow/.test(stderr)) missing.push(`${name} ${text}`);
      }
      for (const [, option, value] of help.matchAll(/^ {1,4}(-[A-Za-z0-9])(?:, | {2,}|(?:[ =]\w+))/gm)) {
        // the description of lists of fields looks like an option
        if (option === '-M' && (name === 'cut' || name === 'numfmt')) continue;
        const { stderr } = run(`${name} ${option}${value ?? ''} 1 x </dev/null`);
        if (/unrecognized option|invalid option/.test(stderr)) missing.push(`${name} ${option}`);
      }
    }
    deepEqual(missing, []);
  });
});

describe('parsing options', () => {
  const taken = { known: 'a,all n,number= color=? colour=? x', missing: 'z,zero=' };

  test('clusters, values, abbreviations, operands between options', () => {
    const given = parseOptions(['-an5', 'op', '--num=6', '--color', '--', '-a'], taken);
    deepEqual(given.order, [
      { name: 'a', value: '' },
      { name: 'n', value: '5' },
      { name: 'n', value: '6' },
      { name: 'color', value: '' },
    ]);
    deepEqual(given.operands, ['op', '-a']);
  });

  test('what is wrong is an error that names the option', () => {
    for (const [args, option, missing] of [
      [['-q'], '-q', false],
      [['--nope=1'], '--nope', false],
      [['--col'], '--col', false],
      [['-n'], '-n', false],
      [['--all=x'], '--all', false],
      [['-az', '1'], '-z', true],
      [['--help'], '--help', true],
    ] as const) {
      let thrown: unknown;
      try {
        parseOptions(args, taken);
      } catch (error) {
        thrown = error;
      }
      ok(thrown instanceof UsageError, args.join(' '));
      deepEqual([thrown.option, thrown.missing], [option, missing]);
    }
  });
});
