import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compareWithDnf, dnf, RPM_SETS, type RpmComparison, rpm, rpmObstacle } from '../../parity/rpm.ts';
import { needsMirror, testHost } from '../../support/host.ts';
import { type RpmGuest, rpmGuest } from '../../support/rpm-guest.ts';

/** A distribution with systemd, of a hundred packages: as dnf and rpm install it, and as we do. */

describe('a bootable distribution', { skip: rpmObstacle() || (await needsMirror()) }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
  const closing: (() => void | Promise<void>)[] = [];
  let guest: RpmGuest;
  let both: RpmComparison;
  before(async () => {
    guest = await rpmGuest(testHost({ after: (close) => void closing.push(close) }));
    both = await compareWithDnf(guest, RPM_SETS[0]!, folder);
  });
  after(async () => {
    for (const close of closing) await close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('the same packages, and every path is as dnf made it or differs for a stated reason', () => {
    const { comparison } = both;
    assert.deepEqual(comparison.unexplained, []);
    assert.deepEqual(comparison.warnings, []);
    assert.ok(comparison.installed > 90, `${comparison.installed} packages`);
    assert.ok(comparison.equal > 2000, `${comparison.equal} paths`);
  });

  test('packages were installed in the order of rpm', () => {
    const order = (root: string) =>
      rpm(both.home, root, '-qa', '--qf', '%{DBINSTANCE} %{NAME}\n')
        .stdout.split('\n')
        .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
        .map((line) => line.replace(/^\d+ /, ''));
    assert.deepEqual(order(both.ours), order(both.theirs));
  });

  test('rpm finds nothing changed in our tree, and answers as of its own', () => {
    const { home, ours, theirs } = both;
    assert.equal(rpm(home, ours, '--verifydb').status, 0);
    // accounts, shells and defaults of logins are what scripts change
    const changed = (root: string) => rpm(home, root, '-Va', '--nomtime').stdout;
    assert.equal(changed(ours), changed(theirs));
    assert.match(changed(ours), /^S\.5\S* +c \/etc\/passwd$/m);
    for (const args of [
      ['-qa', '--qf', '%{NEVRA} %{SHA256HEADER} [%{FILESTATES} ]\n'],
      ['-qf', '/usr/bin/bash', '/usr/lib/systemd/systemd', '/etc/pki/tls/certs'],
      ['-q', '--whatprovides', 'libc.so.6()(64bit)', '/bin/sh', 'iptables-nft'],
      ['-q', '--whatrequires', 'shadow-utils'],
      ['-q', '--filetriggers', 'glibc', 'systemd', 'made-watcher'],
    ]) {
      const sorted = (root: string) =>
        rpm(home, root, ...args)
          .stdout.split('\n')
          .sort();
      assert.deepEqual(sorted(ours), sorted(theirs), args.join(' '));
      assert.ok(sorted(ours).length > 1, args.join(' '));
    }
  });

  test('dnf goes on with our tree: it adds a package, and its trigger runs', () => {
    const run = dnf(guest, both.home, both.ours, false, 'install', 'made-extra', 'gzip');
    assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
    assert.match(run.stdout, /Installing +: made-extra-1-1/);
    assert.match(rpm(both.home, both.ours, '-q', 'made-extra', 'gzip').stdout, /^made-extra-1-1.*\ngzip-/);
    assert.equal(rpm(both.home, both.ours, '--verifydb').status, 0);
  });
});
