import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isBuildError } from '../../src/errors/error.ts';
import { runScript } from '../../src/shell/run.ts';
import { wayTo } from '../../src/tree/links.ts';
import { Tree } from '../../src/tree/tree.ts';

/**
 * Lists that are longer than the arguments of a function may be (some 120,000 in Node): a script has no such limit for
 * words that no program is started with, and a link in an archive has as many parts as its maker likes.
 */
const MANY = 300_000;

describe('a command takes as many words as there are', () => {
  for (const [script, expected] of [
    ['set -- $(seq 1 MANY); echo $# ${MANY}', 'MANY MANY'],
    ['echo $(seq 1 MANY) | wc -w', 'MANY'],
    ['x=$(seq 1 MANY); printf "%s\\n" $x | tail -n 1', 'MANY'],
    ['x=$(seq 1 MANY); for i in $x; do :; done; echo $i', 'MANY'],
    ['f() { echo $#; }; f $(seq 1 MANY)', 'MANY'],
    ['export $(seq -f "v=%g" 1 MANY); echo $v', 'MANY'],
    ['eval "set -- $(seq -s " " 1 MANY)"; echo $#', 'MANY'],
    ['set -- $(seq 1 MANY); set -- a "$@" b; echo $#', 'MORE'],
    ['getopt a -- -a $(seq 1 MANY) | wc -w', 'WITH'],
    ['#!/bin/bash\na=($(seq 1 MANY)); b=("${a[@]}" x y); echo ${#b[@]}', 'MORE'],
    ['#!/bin/bash\na=({1..MANY}); set -- {1..MANY}; echo ${#a[@]} $#', 'MANY MANY'],
    ['#!/bin/bash\necho {1..MANY..2} {9..9} | wc -w', 'HALF'],
    ['#!/bin/bash\necho {1..900000000000000}', ''],
    ['#!/bin/bash\necho {1..99999999999999999999}', '{1..99999999999999999999}'],
    ['#!/bin/bash\nmapfile -t a < <(seq 1 MANY); echo ${#a[@]}', 'MANY'],
  ] as const)
    test(script, () => {
      const tree = new Tree();
      for (const path of ['tmp', 'dev', 'usr/bin']) tree.makeDirectory(path);
      const text = script.replaceAll('MANY', String(MANY));
      const { status, stdout, stderr, error } = runScript(text, { tree, name: 'many', time: 0 });
      const out = expected
        .replaceAll('MANY', String(MANY))
        .replaceAll('MORE', String(MANY + 2))
        .replaceAll('WITH', String(MANY + 2))
        .replaceAll('HALF', String(MANY / 2 + 1));
      // a limit that says its name is an answer as well; an overflow of our own stack is none
      if (error !== undefined) assert.match(error.code, /^SCRIPT_(STEPS|OUTPUT)$/, error.message);
      else assert.deepEqual([status, stdout.trim(), stderr], [0, out, '']);
    });
});

test('a link has as many parts as it likes', () => {
  const tree = new Tree();
  tree.makeDirectory('etc/a');
  tree.writeFile('etc/found', 'x');
  tree.symlink('etc/long', `${'a/../'.repeat(MANY)}found`);
  assert.equal(tree.stat('etc/long')?.kind, 'file');
  assert.equal(wayTo(tree, 'etc/long').path, 'etc/found');
  for (const script of ['readlink -f /etc/long', 'realpath /etc/long', 'cat /etc/long', 'cd /etc/long'])
    try {
      const { error } = runScript(script, { tree, name: 'many', time: 0 });
      assert.notEqual(error?.code, 'SCRIPT_DEPTH', script);
    } catch (error) {
      assert.ok(isBuildError(error, 'PATH_LOOP'), String(error));
    }
});
