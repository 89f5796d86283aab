import { match, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BuildError } from '../../src/errors/error.ts';
import { CORE_COMMANDS } from '../../src/shell/commands.ts';
import { LIMITS } from '../../src/shell/limits.ts';
import { runScript } from '../../src/shell/run.ts';
import { random } from '../support/data.ts';
import { smallSystem } from './differential.ts';
import { randomScript } from './grammar.ts';

const SMALL = { ...LIMITS, steps: 100_000, string: 1 << 20, written: 4 << 20, inodes: 1000 };
const DIALECTS = ['dash', 'bash', 'bash-posix'] as const;

/** Runs a script and fails when anything but a limit of the shell comes out. */
function survives(script: string, dialect: (typeof DIALECTS)[number], name: string): void {
  const tree = smallSystem();
  tree.writeFile('work/f', 'a b\nc d 1\n');
  try {
    const { error } = runScript(script, {
      tree,
      name: 'f',
      cwd: '/work',
      time: 1e9,
      limits: SMALL,
      dialect,
      input: 'in\n',
    });
    if (error !== undefined) match(error.code, /^SCRIPT_/);
  } catch (error) {
    ok(error instanceof BuildError, `${name}: ${String((error as Error).stack)}\n${JSON.stringify(script)}`);
  }
}

/** Pieces that random text is made of. */
const PIECES =
  '$ ${ } ( ) (( )) [[ ]] [ ] { ; & | && || < > << <<< <( >( \' " ` \\ # ! * ? ~ = += == =~ : , . / % ^ @ - + 0 1 9 x y a[1] a[@] ${x ${a[ ${!x ${x//a/b} ${x:1:2} $((1+ $(echo \n \t if then fi else elif while do done for in case esac function local declare -A -i -n read printf %s %d %q echo eval set unset shift trap exit return break getopts E EOF ;; ;& é \xff \x00'.split(
    ' ',
  );

describe('nothing but the errors of the shell comes out', () => {
  test('random scripts of the grammar in every language', () => {
    for (let seed = 1; seed <= 250; seed++)
      for (const dialect of DIALECTS) survives(randomScript(random(seed)), dialect, `seed ${seed}`);
  });

  test('random pieces of the languages', () => {
    const from = random(7);
    for (let n = 0; n < 4000; n++) {
      const script = Array.from({ length: 1 + from.below(14) }, () => from.pick(PIECES)).join(
        from.below(3) === 0 ? '' : ' ',
      );
      survives(script, from.pick(DIALECTS), `piece ${n}`);
    }
  });

  test('random arguments of every command', () => {
    const from = random(11);
    const words =
      "f missing - -- -1 +1 0 9999999999999999999 -n -e -i -r -s -f -d '' ' ' * [ ] ( ) ! \\ s/a/b/ s/\\(/ y/a/ {print} '{ print $1 ' BEGIN /a [[:x:]] a{1 %s %q %d %99999999d %(%Y)T @99999999999999 2020-13-01 u+x 0777 +x root:root :: 1,2 2-1 k1.2 -k1 a=b --x=y {} ; + -exec -name -size 1G".split(
        ' ',
      );
    for (const name of CORE_COMMANDS.keys())
      for (let n = 0; n < 25; n++) {
        const args = Array.from({ length: from.below(5) }, () => from.pick(words));
        const quoted = args.map((arg) => `'${arg.replaceAll("'", '')}'`).join(' ');
        survives(`${name} ${quoted} < f`, 'dash', `${name} ${quoted}`);
      }
  });

  test('awk and sed programs of random pieces', () => {
    const from = random(13);
    const awk =
      '{ } ( ) [ ] BEGIN END print printf getline while for if else in delete function f x a[1] $1 $NF $ NF "s" "%d" /re/ / ~ !~ + - * / % ^ ++ -- = += == < > >> | , ; ? : && || ! 1 -1 1e999 substr split gsub sub match length close system sprintf exit next return \n'.split(
        ' ',
      );
    const sed =
      's/a/b/ s/ / \\( \\) \\1 & g p w out d D N n P G H h x y/ab/cd/ : b t T a i c = l q 1 $ , ! { } /x/ 0,/x/ ~2 +1 \n ; # r R F z e \\n [ ] * \\{ \\}'.split(
        ' ',
      );
    for (let n = 0; n < 2500; n++) {
      const pieces = n % 2 === 0 ? awk : sed;
      const program = Array.from({ length: 1 + from.below(12) }, () => from.pick(pieces)).join(
        from.below(2) === 0 ? '' : ' ',
      );
      const quoted = `'${program.replaceAll("'", '')}'`;
      survives(
        `${n % 2 === 0 ? 'awk' : `sed ${from.pick(['', '-n', '-E', '-s', '-z'])}`} ${quoted} f`,
        'dash',
        `program ${n}`,
      );
    }
  });

  test('deep nesting ends with a clear error', () => {
    const deep = 20_000;
    const shapes: readonly string[] = [
      ...[
        '(',
        '{ ',
        '$(',
        '`',
        '${x:-',
        '$((',
        '[[ (',
        '((',
        'if ',
        'while ',
        '! ',
        'f() { ',
        'case x in x) ',
        'a=(',
      ].map((one) => one.repeat(deep)),
      `echo ${'{a,'.repeat(deep)}`,
      `echo ${'@('.repeat(deep)}`,
      `echo $((${'-'.repeat(deep)}1))`,
      `echo $((${'1?'.repeat(deep)}1))`,
      `echo $((${'x='.repeat(deep)}1))`,
      `echo $((${'2**'.repeat(deep)}1))`,
      `[ ${'! '.repeat(deep)} ]`,
      `[ ${'( '.repeat(deep)} ]`,
      `expr ${"'(' ".repeat(deep)}`,
      `find . ${"'(' ".repeat(deep)}`,
      `find . ${'! '.repeat(deep)}`,
      `echo a | grep -E '${'('.repeat(deep)}'`,
      `echo a | sed '${'{'.repeat(deep)}'`,
      `awk '${'{'.repeat(deep)}'`,
      `awk 'BEGIN { x = ${'('.repeat(deep)}`,
      `awk 'BEGIN { x = ${'-'.repeat(deep)}1 }'`,
      `awk 'BEGIN { x = ${'!'.repeat(deep)}1 }'`,
      `awk 'BEGIN { x = ${'1^'.repeat(deep)}1 }'`,
      `awk 'BEGIN { x = ${'$'.repeat(deep)}1 }'`,
      `awk 'BEGIN { x = ${'++'.repeat(deep)}y }'`,
      `awk 'BEGIN { ${'if (1) '.repeat(deep)}x }'`,
      `awk 'BEGIN { ${'a['.repeat(deep)}`,
      `x=1; for i in $(seq 300); do x="($x)"; done; declare -i y; y=$x; echo $y`,
      'declare -n a=b; declare -n b=a; a=1; echo $a',
      `x=x; echo $((x))`,
    ];
    for (const shape of shapes) for (const dialect of DIALECTS) survives(shape, dialect, shape.slice(0, 40));
  });
});
