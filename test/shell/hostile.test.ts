import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { LIMITS } from '../../src/shell/limits.ts';
import { type RunResult, runScript } from '../../src/shell/run.ts';
import { Tree } from '../../src/tree/tree.ts';
import { ROOT } from '../support/data.ts';

function system(): Tree {
  const tree = new Tree();
  for (const path of ['etc', 'tmp', 'usr/bin', 'dev', 'proc', 'root']) tree.makeDirectory(path);
  tree.writeFile('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n');
  tree.writeFile('usr/bin/keep', 'kept');
  return tree;
}

function run(script: string, tree = system(), limits = LIMITS): RunResult {
  return runScript(script, { tree, name: 'bad.postinst', time: 1_700_000_000, limits });
}

/** How many steps one operation may overrun: those for reading a string of maximum length byte by byte. */
const SLACK = 5_000_000;
/** Scripts whose endless loop is never reached, because an error ends them first. */
const ENDED: readonly string[] = ['bad redirects', 'syntax errors'];

/** Small limits, so that reaching them takes no time. */
const SMALL = { ...LIMITS, steps: 50_000, string: 1 << 20, written: 4 << 20, inodes: 1000 };

describe('hostile scripts are stopped, by name', () => {
  const endless: readonly (readonly [string, string, RegExp])[] = [
    ['a named fork bomb', 'bomb() { bomb | bomb & }; bomb', /SCRIPT_(DEPTH|STEPS)/],
    ['an endless loop', 'while :; do :; done', /SCRIPT_STEPS/],
    ['an endless loop of substitutions', 'while x=$(echo a); do :; done', /SCRIPT_STEPS/],
    ['endless recursion', 'f() { f; }; f', /SCRIPT_DEPTH/],
    ['endless evaluation', 'x=\'eval "$x"\'; eval "$x"', /SCRIPT_DEPTH/],
    ['a file that sources itself', 'echo . /tmp/s > /tmp/s; . /tmp/s', /SCRIPT_DEPTH/],
    ['a script that runs itself', "printf '#!/bin/sh\\n/tmp/s\\n' > /tmp/s; chmod +x /tmp/s; /tmp/s", /SCRIPT_DEPTH/],
    ['sh in sh', 'f=\'sh -c "$f"\'; export f; sh -c "$f"', /SCRIPT_DEPTH/],
    ['deep nesting', `${'( '.repeat(5000)}:${' )'.repeat(5000)}`, /SCRIPT_DEPTH/],
    ['deep substitution', `echo ${'$(echo '.repeat(3000)}x${')'.repeat(3000)}`, /SCRIPT_DEPTH/],
    ['deep arithmetic', `echo $((${'('.repeat(3000)}1${')'.repeat(3000)}))`, /SCRIPT_DEPTH/],
    ['deep arithmetic of minuses', `echo $((${'- '.repeat(3000)}1))`, /SCRIPT_DEPTH/],
    ['a string that doubles', 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done', /SCRIPT_(OUTPUT|STEPS)/],
    [
      'a file that doubles',
      'echo aaaaaaaa > /tmp/a; while :; do cat /tmp/a /tmp/a > /tmp/b; mv /tmp/b /tmp/a; done',
      /SCRIPT_(OUTPUT|STEPS)/,
    ],
    [
      'output without end',
      'while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done',
      /SCRIPT_(OUTPUT|STEPS)/,
    ],
    ['directories without end', 'i=0; while :; do i=$((i+1)); mkdir /tmp/d$i; done', /SCRIPT_STEPS/],
    ['a loop of sed', "echo a | sed ':a;s/a/a/;ta'", /SCRIPT_STEPS/],
    ['a line of sed that grows', "echo a | sed ':a;s/.*/&&/;ta'", /SCRIPT_(OUTPUT|STEPS)/],
    ['a loop of awk', 'awk \'BEGIN { while (1) x = x "a" }\'', /SCRIPT_(STEPS|OUTPUT)/],
    ['recursion of awk', "awk 'function f(n) { return f(n + 1) } BEGIN { f(0) }'", /SCRIPT_DEPTH/],
    ['numbers without end', 'seq 1 100000000000', /SCRIPT_STEPS/],
    ['zeros without end', 'dd if=/dev/zero of=/tmp/z', /SCRIPT_OUTPUT/],
    ...[
      ...['cat /dev/zero > /tmp/z', 'wc -c < /dev/zero', 'read x < /dev/zero', 'sort /dev/zero'],
      ...[
        'head -c -1 /dev/zero',
        'head -n 1 /dev/zero',
        'head -c 99G /dev/zero',
        'cat /dev/zero | wc',
        'yes | sort | head -n 1',
      ],
      ...[
        'yes | sed s/y/n/',
        'yes | tail -n 1',
        'yes | cat | cat | grep z',
        'yes > /tmp/y',
        'x=$(yes)',
        'dd count=1G bs=9 < /dev/zero',
      ],
      ...[
        'yes | while read x; do :; done',
        'yes | head -n 999999999',
        'grep -z x /dev/zero',
        'cmp /dev/zero /dev/zero',
        'yes | awk 1',
      ],
    ].map((script) => [`endless input: ${script}`, script, /SCRIPT_(OUTPUT|STEPS)/] as const),
    ['factors of a product of large primes', 'factor 1000000000000000012000000000000000027', /SCRIPT_STEPS/],
    ['fmt of words without end', 'while :; do seq 100000 | fmt -w 2500; done', /SCRIPT_(STEPS|OUTPUT)/],
    ['parts without end', 'seq 100000 | csplit - 1 "{*}"', /SCRIPT_/],
    ['a file without end', 'fallocate -l 100G /tmp/z', /SCRIPT_OUTPUT/],
    [
      'folders that are counted again and again',
      'mkdir -p /tmp/a/b/c; while :; do du -a /; done',
      /SCRIPT_(STEPS|OUTPUT)/,
    ],
    ['a wide printf', "printf '%1000000s' a > /tmp/a; while :; do cat /tmp/a; done", /SCRIPT_(OUTPUT|STEPS)/],
    [
      'globs over globs',
      'for i in 1 2 3 4 5 6 7 8 9; do mkdir -p /tmp/g/$i/$i; done; while :; do echo /tmp/g/*/*/../../*/*/../../*/* ; done',
      /SCRIPT_(STEPS|OUTPUT)/,
    ],
    ['a link to itself', 'ln -s /tmp/l /tmp/l; while ! cat /tmp/l; do :; done', /SCRIPT_STEPS/],
    ['a trap that exits endlessly', "trap 'exit 1' EXIT; while :; do (exit); done", /SCRIPT_STEPS/],
    ['an alias of itself', 'alias a="a a"\nwhile a; do :; done\nwhile :; do a; done', /SCRIPT_STEPS/],
  ];
  for (const [name, script, code] of endless)
    test(name, () => {
      const result = run(script, system(), SMALL);
      match(result.error?.code ?? `none, status ${result.status}: ${result.stderr.slice(0, 200)}`, code);
      match(result.error?.message ?? '', /^bad\.postinst: stopped/);
    });

  test('every known way of wasting time and memory ends', () => {
    const scripts = readFileSync(join(ROOT, 'test/shell/hostile.list'), 'latin1').split('\n===\n');
    ok(scripts.length > 160);
    const ended: string[] = [];
    for (const script of scripts) {
      const name = script.slice(0, script.indexOf('\n'));
      const { error, steps } = run(script, system(), SMALL);
      ok(steps <= SMALL.steps + SLACK, `${name}: ${steps} steps`);
      if (error !== undefined) match(error.message, /^bad\.postinst: stopped/, name);
      else if (/while :; do/.test(script)) ended.push(name.slice(2));
    }
    // an endless loop is stopped, unless an error ended the script first
    deepEqual(ended, ENDED);
  });

  test('what would make builds differ, or what a tree does not have, is reported with its reason', () => {
    for (const [script, reason] of [
      ['shuf /etc/passwd', /shuf without --random-source: the same build must give the same guest/],
      ['stat -f /', /stat -f: a guest has no file system before its image is made/],
    ] as const) {
      const { unknown } = run(script);
      match(unknown.map(({ command }) => command).join(), reason);
    }
  });

  test('the classic fork bomb is a syntax error, as in dash', () => {
    const result = run(':() { :|:& }; :; echo on');
    equal(result.status, 2);
    match(result.stderr, /Bad function name/);
  });

  test('expressions with exponential time in other engines end within the limits', () => {
    const long = 'a'.repeat(4000);
    for (const script of [
      `echo ${long} | grep -E '^(a|a)*b$'`,
      `echo ${long} | grep -E '(a*)*(a*)*(a*)*b'`,
      `echo ${long} | sed -E 's/((a+)+)+b/x/'`,
      `case ${long} in *a*a*a*a*a*a*a*a*b) echo bad;; esac`,
      `x=${long}; echo \${x%%*a*a*a*a*b} | wc -c`,
      `echo ${long} | sed 's/\\(a*\\)*\\1b/x/'`,
    ]) {
      const { error, steps } = run(script);
      ok(error === undefined || error.code === 'SCRIPT_STEPS', script);
      ok(steps <= LIMITS.steps + 100_000);
    }
  });
});

describe('nothing outside the tree can be reached', () => {
  test('rm -rf / is rejected, as in GNU', () => {
    const tree = system();
    const result = run('rm -rf /; rm -rf //; rm -rf /tmp/..; rm -rf /.; cd /; rm -rf .', tree);
    match(result.stderr, /dangerous/);
    equal(tree.text('usr/bin/keep'), 'kept');
  });

  test('paths do not climb out of the root', () => {
    const tree = system();
    run(
      'echo x > ../../../../../../../tmp/escape1; ln -s ../../../../../../etc /tmp/l; echo y > /tmp/l/escape2; cp /etc/passwd /../../stolen',
      tree,
    );
    equal(tree.text('tmp/escape1'), 'x\n');
    equal(tree.text('etc/escape2'), 'y\n');
    ok(tree.has('stolen'));
  });

  test('host files do not exist', () => {
    for (const path of [process.execPath, import.meta.filename]) equal(run(`cat '${path}'`).stdout, '', path);
    equal(run('cat /proc/self/environ /proc/cpuinfo /etc/hostname; ls /proc').stdout, '');
  });

  test('the environment, the clock, the process and the host name are hidden', () => {
    process.env['OSBUILDER_SECRET_OF_THE_HOST'] = 'secret';
    const { stdout } = run('env; set; date +%s; hostname; uname -n; echo $$; id -un');
    delete process.env['OSBUILDER_SECRET_OF_THE_HOST'];
    ok(!stdout.includes('secret'));
    match(stdout, /^1700000000$/m);
    match(stdout, /^localhost$/m);
    ok(!stdout.split('\n').includes(String(process.pid)));
    equal(stdout, run('env; set; date +%s; hostname; uname -n; echo $$; id -un').stdout);
  });

  test('devices are neither read nor written, except the null device', () => {
    const tree = system();
    const script = `mknod /dev/sda b 8 0; mknod /dev/mem c 1 1; mknod /dev/urandom c 1 9; echo x > /dev/sda; cat /dev/mem
head -c 4 /dev/urandom; echo gone > /dev/null; cat /dev/null; dd if=/dev/sda of=/tmp/copy; exec 5<>/dev/mem`;
    const result = run(script, tree);
    equal(result.stdout, '');
    match(result.stderr, /No such device or address/);
    equal(tree.stat('dev/sda')?.kind, 'block');
    equal(tree.has('tmp/copy'), false);
  });

  test('programs of the tree that are not shell scripts are never run', () => {
    const tree = system();
    const elf = tree.writeFile('usr/bin/elf', '\x7fELF');
    elf.mode = 0o755;
    const perl = tree.writeFile('usr/bin/perlish', '#!/usr/bin/perl\nprint 1;\n');
    perl.mode = 0o755;
    const result = run(
      'elf; /usr/bin/perlish --now\nif elf; then echo yes; fi; elf || echo failed; echo $(perlish) end',
      tree,
    );
    equal(result.stdout, 'failed\nend\n');
    equal(result.status, 0);
    const known = result.unknown.map(({ line, command, tested }) => `${line} ${command} ${tested}`);
    equal(known.join(', '), '1 elf false, 1 /usr/bin/perlish false, 2 elf true, 2 elf true, 2 perlish false');
    equal(result.unknown[0]?.text, 'elf; /usr/bin/perlish --now');
  });

  test('other processes cannot be reached, and there is no network', () => {
    equal(run('kill -9 1').status, 1);
    equal(run(`kill -9 ${process.ppid}; echo here`).stdout, 'here\n');
    for (const command of ['wget', 'curl', 'nc', 'apt-get', 'ssh', 'node', 'python3', 'perl'])
      equal(run(`${command} http://example.org || echo none`).stdout, 'none\n', command);
  });
});
