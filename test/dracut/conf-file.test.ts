import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readConfFile, splitArguments } from '../../src/dracut/conf-file.ts';
import { isBuildError } from '../../src/errors/error.ts';
import { needs, random, temporary, tool } from '../support/data.ts';

const read = (text: string, known: Record<string, string> = {}) => {
  const variables = new Map(Object.entries(known));
  const file = readConfFile(text, 'x.conf', variables);
  return { values: Object.fromEntries(variables), ...file };
};

/** Texts and the variables that they set. */
const ACCEPTED: readonly (readonly [text: string, values: Record<string, string>])[] = [
  ['', {}],
  ['# only a comment', {}],
  ['a=b', { a: 'b' }],
  ['a=b # comment', { a: 'b' }],
  ['a=b#c', { a: 'b#c' }],
  ['a=""', { a: '' }],
  ['a=', { a: '' }],
  ['a="x y"  b=\'p q\';c=1', { a: 'x y', b: 'p q', c: '1' }],
  ['a="x"\'y\'z', { a: 'xyz' }],
  ['a="\\"\\$\\\\\\`\\n"', { a: '"$\\`\\n' }],
  ["a='\\'", { a: '\\' }],
  ['a=x\\ y', { a: 'x y' }],
  ['a=x\\\ny', { a: 'xy' }],
  ['a="x \\\n y"', { a: 'x  y' }],
  ['a="x\ny"', { a: 'x\ny' }],
  ['export a=1\n\n\texport b="2"', { a: '1', b: '2' }],
  ['drivers="b"\ndrivers+="a"', { drivers: 'ba' }],
  ['drivers=" b "\ndrivers+=" a "', { drivers: ' b  a ' }],
  ['drivers+=" a "', { drivers: ' a ' }],
  ['a=1\nb="$a-${a}$a"', { a: '1', b: '1-11' }],
  ['install_items=(a "b c" # note\n d)\ninstall_items+=(e)', { install_items: 'a b c d e' }],
  ['a="100$"', { a: '100$' }],
  ['a=[x]*?{1,2}', { a: '[x]*?{1,2}' }],
];

for (const [text, values] of ACCEPTED)
  test(`read: ${JSON.stringify(text)}`, () => assert.deepEqual(read(text).values, values));

/** Lines that need bash: the text, and the number of the line that is named. */
const REJECTED: readonly (readonly [text: string, line: number, reason: RegExp])[] = [
  ['a=$(uname -r)', 1, /runs a command in \$\( \)/],
  ['a=1\n\nb=`id`', 3, /has "`"/],
  ['a="`id`"', 1, /runs a command/],
  ['a=${b:-c}', 1, /has "\$\{"/],
  ['a=$1', 1, /has "\$1"/],
  ['if true; then', 1, /no assignment/],
  ['a=1\n[[ $a ]] && b=2', 2, /no assignment/],
  ['. /etc/x.conf', 1, /no assignment/],
  ['source x', 1, /no assignment/],
  ['f() { :; }', 1, /no assignment/],
  ['a=1 | cat', 1, /no assignment/],
  ['a=1|cat', 1, /has "\|" outside/],
  ['a=1 && b=2', 1, /no assignment/],
  ['a=1>x', 1, /has ">"/],
  ['a=~/x', 1, /begins with "~"/],
  ['a="x', 1, /" is never closed/],
  ["a='x", 1, /' is never closed/],
  ['a=(x', 1, /"\(" is never closed/],
  ['a=(x|y)', 1, /has "\|"/],
  ['a="$later"', 1, /uses \$later, which no configuration file sets before/],
  ["a=$'x'", 1, /has "\$'"/],
  ['a=x\\', 1, /ends with a backslash/],
  ['a[1]=x', 1, /no assignment/],
];

for (const [text, line, reason] of REJECTED)
  test(`rejected with its line: ${JSON.stringify(text)}`, () =>
    assert.throws(
      () => read(text),
      (error) =>
        isBuildError(error, 'DRACUT_CONF_LINE') &&
        error.message.startsWith(`x.conf:${line}: `) &&
        reason.test(error.message) &&
        error.message.includes('needs bash'),
    ));

test('what may be used as a variable', () => {
  assert.equal(read('initrdname="initrd-$kernel"', { kernel: '6.1' }).values['initrdname'], 'initrd-6.1');
});

test('values that join words with those before them are found, as dracut finds them', () => {
  const { unspaced } = read('a+="x"\nb+=" y "\nc+=" z"\nd="x"\n# e+="x"\nf+="x "');
  assert.deepEqual(
    unspaced.map(({ line }) => line),
    [1, 3, 6],
  );
});

test('arguments are split as a shell splits them', () => {
  assert.deepEqual(splitArguments(`--add "a b" -o 'c d'e --x=\\"y`, 'x'), ['--add', 'a b', '-o', 'c de', '--x="y']);
  assert.throws(() => splitArguments('a) b', 'x'), { code: 'DRACUT_CONF_LINE' });
});

test('a long file is read in time that grows with its length', () => {
  const text = 'drivers+=" one two "\n'.repeat(40_000);
  assert.equal(read(text).assignments.length, 40_000);
  assert.throws(() => read('a=1\n'.repeat(400_000)), { code: 'DRACUT_CONF_LINE' });
});

test('what is accepted has the values that bash gives it', { skip: needs({ tools: ['bash'] }) }, (t) => {
  const folder = temporary(t);
  const { below, pick } = random(7);
  const pieces = [
    ...['a', 'b1', '"x y"', "'p q'", '""', "'\\'", '\\ ', '\\\n', '"\\$\\""', '$v', '${v}', '"$v z"', '#', ' #c\n'],
    ...[' ', '\n', ';', '+=', '=', '(', ')', '$', '"', "'", '\t', '-', '/', '*'],
  ];
  const texts = ACCEPTED.map(([text]) => text);
  for (let i = 0; i < 1500; i++) {
    let text = `v="1 2"\n${pick(['a=', 'a+=', 'a=(', 'export a='])}`;
    for (let n = below(8); n >= 0; n--) text += pick(pieces);
    texts.push(text.startsWith('v="1 2"\na=(') && below(3) > 0 ? `${text})` : text);
  }
  let compared = 0;
  const script: string[] = [];
  const expected: string[] = [];
  const checked: string[] = [];
  for (const [i, text] of texts.entries()) {
    let ours: Record<string, string>;
    try {
      ours = read(text).values;
    } catch (error) {
      assert.ok(isBuildError(error, 'DRACUT_CONF_LINE'), String(error));
      continue;
    }
    const file = join(folder, `${i}.conf`);
    writeFileSync(file, `${text}\n`, 'latin1');
    // patterns are expanded later, against the system
    script.push(`( set -f; . ${file} >/dev/null 2>&1 || :; printf '%s\\0' "\${a[*]}" )`);
    expected.push(ours['a'] ?? '');
    checked.push(text);
    compared++;
  }
  const bash = spawnSync(tool('bash')!, ['--norc', '-c', script.join('\n')], { cwd: folder, env: { LC_ALL: 'C' } });
  const theirs = bash.stdout.toString('latin1').split('\0').slice(0, -1);
  assert.ok(compared > 300, `${compared} compared`);
  for (const [i, value] of expected.entries()) assert.equal(value, theirs[i], JSON.stringify(checked[i]));
});

test('values that double with every line are an error', () => {
  for (const line of ['x="$x$x"\n', 'x+="$x"\n', `x=\${x}$x\n`, 'x=($x $x)\n', 'y=$x x="$y$y"\n'])
    assert.throws(() => read(`x=a\n${line.repeat(60)}`), { code: 'DRACUT_CONF_LINE' }, line);
  assert.equal(read(`x=a\n${'x="$x$x"\n'.repeat(16)}`).values['x']!.length, 65536);
});
