import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silent } from '../../src/events/events.ts';
import { shadowConfig } from '../../src/system/accounts.ts';
import { passwordAges } from '../../src/system/password-ages.ts';
import { Tree } from '../../src/tree/tree.ts';

/** Rows seen with shadow 4.17 (Debian 13) and 4.20 (Debian 14), which ignores the least age: useradd and pwconv in a chroot. */
const ROWS: readonly (readonly [chage: string | undefined, defs: string, ages: readonly string[]])[] = [
  ['--mindays', 'PASS_MIN_DAYS 0\nPASS_MAX_DAYS 99999\nPASS_WARN_AGE 7\n', ['0', '99999', '7']],
  ['--maxdays', 'PASS_MIN_DAYS 0\nPASS_MAX_DAYS 99999\nPASS_WARN_AGE 7\n', ['', '99999', '7']],
  ['--mindays', 'PASS_MIN_DAYS 3\nPASS_MAX_DAYS 99999\nPASS_WARN_AGE 7\n', ['3', '99999', '7']],
  ['--maxdays', 'PASS_MIN_DAYS 3\nPASS_MAX_DAYS 99999\nPASS_WARN_AGE 7\n', ['', '99999', '7']],
  ['--mindays', 'PASS_WARN_AGE 0\n', ['', '', '0']],
  ['--maxdays', 'PASS_WARN_AGE 0\n', ['', '', '0']],
  [undefined, 'PASS_MIN_DAYS 1\n', ['1', '', '']],
];

for (const [chage, defs, ages] of ROWS)
  test(`ages of passwords: ${chage ?? 'no chage'}, ${JSON.stringify(defs)}`, () => {
    const tree = new Tree();
    if (chage !== undefined) tree.writeFile('usr/bin/chage', `\x7fELF ${chage} `);
    tree.writeFile('etc/login.defs', defs);
    tree.writeFile('etc/passwd', 'root:*:0:0:root:/root:/bin/sh\n');
    tree.writeFile('etc/group', 'root:*:0:\n');
    assert.deepEqual(passwordAges(tree), ages);
    shadowConfig(tree, { epoch: 1_700_000_000, report: silent } as never);
    assert.equal(tree.text('etc/shadow'), `root:*:19675:${ages.join(':')}:::\n`);
  });
