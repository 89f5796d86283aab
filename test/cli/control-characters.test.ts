import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';

/** Sets the title of a terminal, colours, C1's way to begin a sequence, and text that runs backwards. */
const EVIL = '\x1b]0;title\x07\x1b[31m\u009b31m\u202ex\x7f';

/** What a terminal may act on, besides line ends and tabs. */
const RAW = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** A guest whose names and texts all have control characters: files, links, accounts, units, packages of two families. */
function evilGuest(folder: string): void {
  const put = (path: string, text: string) => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  put('sbin/init', '#!/bin/sh\n');
  chmodSync(join(folder, 'sbin/init'), 0o755);
  put(`etc/${EVIL}`, 'x\n');
  put(`etc/d${EVIL}/f`, 'y\n');
  symlinkSync(`/${EVIL}`, join(folder, `etc/l${EVIL}`));
  put('etc/os-release', `NAME="a${EVIL}"\nPRETTY_NAME="p${EVIL}"\nID=d${EVIL}\nVERSION_ID=1${EVIL}\n`);
  put('etc/passwd', `u${EVIL}:x:1:1:g${EVIL}:/${EVIL}:/bin/sh${EVIL}\n`);
  put(`etc/systemd/system/a${EVIL}.service`, `[Unit]\nDescription=${EVIL}\n`);
  put(
    'var/lib/dpkg/status',
    `Package: p${EVIL}\nStatus: install ok installed\nVersion: 1${EVIL}\nArchitecture: amd64\n\n`,
  );
  put(`var/lib/dpkg/info/p${EVIL}.list`, `/etc/${EVIL}\n`);
  put('lib/apk/db/installed', `C:Q1${EVIL}\nP:q${EVIL}\nV:1${EVIL}\nA:x86_64\nL:MIT${EVIL}\n\n`);
}

/** Command lines on the guest `evil`, the guest `good`, and what earlier lines made; with their exit codes. */
const GUEST = ['--agent', 'demo', '--agent-init', 'yes'];
const LINES: readonly (readonly [code: number, ...args: string[]])[] = [
  [0, 'initrd', 'evil', '-o', `i${EVIL}.img`, ...GUEST],
  [0, 'image', 'evil', '-o', `k${EVIL}.img`, ...GUEST],
  [0, 'rootfs', 'evil', '-o', `folder${EVIL}/`, '--rootfs-only'],
  [0, 'extension', 'n', 'evil', '-o', `e${EVIL}.img`],
  [0, 'inspect', `i${EVIL}.img`],
  [0, 'inspect', `i${EVIL}.img`, '--list'],
  [0, 'verify', `i${EVIL}.img`],
  [1, 'diff', `i${EVIL}.img`, 'good'],
  [0, 'which', `/etc/${EVIL}`, `i${EVIL}.img`],
  [1, 'why', `p${EVIL}`, `i${EVIL}.img`],
  [0, 'extract', `i${EVIL}.img`, '-o', `x${EVIL}.tar`],
  [0, 'lock', 'good', '-o', `l${EVIL}.lock`, ...GUEST],
  [0, 'push', 'oci:layout:t', `i${EVIL}.img`],
  [0, 'inspect', 'oci:layout:t'],
  [0, 'pull', 'oci:layout:t', '-o', `pulled${EVIL}`],
  [0, 'drop-in', `drop${EVIL}`],
  [1, 'inspect', `none${EVIL}`],
  [1, 'verify', `none${EVIL}`],
  [1, 'initrd', 'good', '-o', 'g.img', ...GUEST, '--keep', `/none${EVIL}`],
  [2, 'initrd', 'good', `--flag${EVIL}`],
  [2, `command${EVIL}`],
  [2, 'completion', `shell${EVIL}`],
];

test('no command writes a control character to a terminal, as text or as JSON', async (t) => {
  const cwd = temporary(t);
  evilGuest(join(cwd, 'evil'));
  mkdirSync(join(cwd, 'good/sbin'), { recursive: true });
  writeFileSync(join(cwd, 'good/sbin/init'), '#!/bin/sh\n', { mode: 0o755 });
  for (const [code, ...args] of LINES)
    for (const json of [false, true]) {
      const force = json && args.includes(`folder${EVIL}/`) ? ['--force'] : [];
      const whole = [...args, ...(json ? ['--json', ...force] : [])];
      const said = await osbuilder(whole, { cwd });
      const what = JSON.stringify(whole);
      assert.equal(RAW.exec(said.stdout)?.[0], undefined, `${what}: ${JSON.stringify(said.stdout)}`);
      assert.equal(RAW.exec(said.stderr)?.[0], undefined, `${what}: ${JSON.stringify(said.stderr)}`);
      assert.equal(said.code, code, `${what}: ${said.stderr}`);
      if (json && said.stdout !== '') JSON.parse(said.stdout);
    }
  // what is escaped in JSON is still the same value
  const { stdout } = await osbuilder(['inspect', `i${EVIL}.img`, '--json'], { cwd });
  assert.ok(JSON.stringify(JSON.parse(stdout)).includes(JSON.stringify(EVIL.slice(0, 15)).slice(1, -1)), stdout);
});
