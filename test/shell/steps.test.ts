import { match, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CORE_COMMANDS } from '../../src/shell/commands.ts';
import { LIMITS } from '../../src/shell/limits.ts';
import { runScript } from '../../src/shell/run.ts';
import { smallSystem } from './differential.ts';

/** Steps of a script, or the code of the limit that stopped it. */
function steps(script: string, input: string): number | string {
  const tree = smallSystem();
  tree.writeFile('work/in', input);
  const result = runScript(script, {
    ...{ tree, name: 's', cwd: '/work', time: 1_700_000_000, input },
    limits: { ...LIMITS, steps: 60_000_000 },
    dialect: 'bash',
  });
  return result.error?.code ?? result.steps;
}

const SMALL = 250;
const LARGE = 2000;

/** Input of `n` lines. */
const lines = (n: number) =>
  Array.from({ length: n }, (_, i) => `line ${(i * 7919) % n} k${i % 13} some text\n`).join('');

/** Scripts that read the file `in`, or use `$n`, the number of its lines. */
const CONSTRUCTS: readonly (readonly [string, string])[] = [
  ['a while loop', 'i=0; while [ $i -lt $n ]; do i=$((i+1)); done'],
  ['a for loop', 'for i in $(seq $n); do :; done'],
  ['read', 'while read a b; do :; done < in'],
  ['substitution', 'x=$(cat in); echo "$x" > out'],
  ['splitting', 'set -- $(cat in); echo $#'],
  ['case', 'x=$(cat in); case $x in *z*z) ;; *q*) ;; esac'],
  ['prefix', 'x=$(cat in); echo "${x##*z}" > out'],
  ['suffix', 'x=$(cat in); echo "${x%%z*}" > out'],
  ['replacement', 'x=$(cat in); echo "${x//line/L}" > out'],
  ['replacement of a pattern', 'x=$(cat in); echo "${x//[0-9]/N}" > out'],
  ['change of case', 'x=$(cat in); echo "${x^^}" > out'],
  ['substring', 'x=$(cat in); echo "${x:10:20}" > out'],
  ['array', 'a=($(cat in)); echo ${#a[@]} "${a[5]}" "${a[@]:5:3}"'],
  ['array in a loop', 'i=0; while ((i < n)); do a[i]=$i; ((i++)); done; echo ${#a[@]}'],
  ['array that grows', 'for i in $(seq $n); do a+=($i); done; echo ${#a[@]}'],
  ['associative array', 'declare -A m; while read a b c; do m[$b]=$c; done < in; echo "${!m[@]}" > out'],
  ['mapfile', 'mapfile -t a < in; echo ${#a[@]}'],
  ['regex', 'x=$(cat in); [[ $x =~ zzz+$ ]]'],
  ['extended pattern', 'x=$(head -c 300 in); [[ $x == *@(z|q) ]]'],
  ['braces', 'echo {1..250} > out'],
  ['arithmetic', 'x=$(seq -s+ $n); echo $((x))'],
  ['here-document', 'x=$(cat in); cat <<E > out\n$x\nE\n'],
  ['glob', 'for i in $(seq $n); do : > f$i; done; echo f* > out'],
  ['functions', 'f() { :; }; for i in $(seq $n); do f $i; done'],
  ['eval', 'eval "$(sed "s/.*/:/" in)"'],
  ['printf', 'printf "%s-" $(cat in) > out'],
  ['echo', 'echo $(cat in) > out'],
  ['append to a file', 'for i in $(seq $n); do echo $i >> out; done'],
  ['getopts', 'set -- $(seq $n | sed "s/^/-a/"); while getopts a: o; do :; done'],
  ['sed s', 'sed "s/[0-9]*/N/g" in > out'],
  ['sed hold', 'sed -n "H;\\${x;s/\\n/,/g;p}" in > out'],
  ['sed D', 'sed "\\$!N;P;D" in > out'],
  ['sed -i', 'sed -i "s/a/b/" in'],
  ['awk fields', "awk '{ s += $2; c[$3]++ } END { print s }' in"],
  ['awk gsub', 'awk \'{ gsub(/[a-z]/, "x"); print }\' in > out'],
  ['awk array', "awk '{ l[NR] = $0 } END { for (i = NR; i; i--) print l[i] }' in > out"],
  ['awk output', 'awk \'{ print > "out" }\' in'],
  ['awk getline', 'awk \'BEGIN { while ((getline x < "in") > 0) n++; print n }\''],
  ['awk pipe', 'awk \'{ print | "sort" }\' in > out'],
  ['awk RS', 'awk \'BEGIN { RS = "k[0-9]" } { n++ } END { print n }\' in'],
  ['find', 'for i in $(seq $n); do : > f$i; done; find . -name "f*" -newer in -size 0 -print > out'],
  ['find -exec +', 'for i in $(seq $n); do : > f$i; done; find . -name "f*" -exec ls {} + > out'],
  ['find -delete', 'for i in $(seq $n); do : > f$i; done; find . -name "f*" -delete'],
  ['ls -l', 'for i in $(seq $n); do : > f$i; done; ls -l > out'],
  ['cp -r', 'mkdir d; for i in $(seq $n); do : > d/f$i; done; cp -a d e'],
  ['rm -r', 'mkdir d; for i in $(seq $n); do : > d/f$i; done; rm -r d'],
  ['chmod -R', 'mkdir d; for i in $(seq $n); do : > d/f$i; done; chmod -R 700 d'],
  ['xargs', 'xargs < in > out'],
  ['xargs -n1', 'seq $n | xargs -n1 true'],
  ['diff', 'sed "5d" in > b; diff in b > out'],
  ['getopt', 'getopt -o a: -- $(seq $n | sed "s/^/-a/") > out'],
  ['du', 'mkdir d; for i in $(seq $n); do : > d/f$i; done; du -a --exclude="*9" d > out'],
  ['fmt -w', 'fmt -w 20 in > out'],
  ['a pipe that never ends', 'yes | head -n $n > out; head -c $((n * 100)) /dev/zero > out'],
  ['expr', 'expr "$(cat in)" : ".*x" > out'],
];

/** Arguments for commands that need them; without a row a command gets the file `in`. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  awk: "'{ print $2 }' in",
  basename: '-a $(cat in)',
  comm: 'in in',
  csplit: 'in /k1/ {*}',
  cut: '-d" " -f2 in',
  date: '-f in',
  dd: 'if=in of=out',
  diff: 'in in',
  dirname: '$(cat in)',
  egrep: "'k(1|2)+' in",
  factor: '$(seq $n)',
  fallocate: '-l $((n * 100)) in',
  fgrep: 'k12 in',
  find: 'in',
  gawk: "'{ print $2 }' in",
  getopt: 'a $(cat in)',
  grep: '-E "k[0-9]+ s" in',
  join: '-j 2 in in',
  mawk: "'{ print $2 }' in",
  'original-awk': "'{ print $2 }' in",
  numfmt: '--to=si --field=2 < in',
  paste: 'in in',
  sed: 's/k/K/ in',
  seq: '$n',
  shuf: '--random-source=in in',
  split: 'in',
  tr: 'a-z A-Z < in',
  tee: 'out < in',
  xargs: '< in',
};

/** Eight times the input may take eight times the steps, with a logarithm, and what the table of the system costs. */
function check(name: string, script: string): void {
  const [small, large] = [SMALL, LARGE].map((n) => steps(`n=${n}; { ${script}\n} > /dev/null 2>&1 < in`, lines(n)));
  if (typeof large === 'string' || typeof small === 'string') {
    match(String(large), /^SCRIPT_/, name);
    return;
  }
  ok(large! <= small! * 8 * 1.45 + 4000, `${name}: ${small} steps for ${SMALL} lines, ${large} for ${LARGE}`);
  ok(large! >= LARGE / 64 || /^(date|nothing)/.test(name), `${name}: ${large} steps are too few to have been counted`);
}

describe('counted steps grow no faster than n log n', () => {
  for (const [name, script] of CONSTRUCTS) test(name, () => check(name, script));

  for (const name of [...CORE_COMMANDS.keys()].sort())
    test(`command ${name}`, () => {
      const [small, large] = [SMALL, LARGE].map((n) =>
        steps(`n=${n}; ${name} ${ARGUMENTS[name] ?? 'in'} > /dev/null 2>&1 < in`, lines(n)),
      );
      if (typeof large === 'string' || typeof small === 'string') return match(String(large), /^SCRIPT_/);
      ok(large! <= small! * 8 * 1.45 + 4000, `${small} steps for ${SMALL} lines, ${large} for ${LARGE}`);
    });
});
