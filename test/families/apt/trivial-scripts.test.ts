import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BASE_RULES } from '../../../src/families/apt/configure/base-rules.ts';
import { installed, smallSystem } from '../../support/postinst.ts';

/**
 * A rule takes the place of what a maintainer wrote by hand. A later release may write nothing: then its package must be
 * configured as any other one with the same script, whatever the rule does for earlier releases.
 */

const SYSUSERS = `# Automatically added by dh_installsysusers/14.5
if [ "$1" = "configure" ]; then
   systemd-sysusers \${DPKG_ROOT:+--root="$DPKG_ROOT"} made.conf
fi
# End automatically added section
`;

/** What a package of that name leaves beside dpkg’s records. */
function left(name: string, script: string): string[] {
  const files = {
    'usr/bin/systemd-sysusers': '',
    'usr/lib/sysusers.d/made.conf': 'u messagebus - "System Message Bus" /nonexistent\n',
    'usr/share/zoneinfo/Etc/UTC': 'x',
    'usr/share/debianutils/shells': '/bin/sh\n',
  };
  const control = { preinst: script, postinst: script };
  const { tree, warnings } = installed([{ name, control, files }], smallSystem());
  assert.deepEqual(warnings, [], name);
  return [...tree.walk()].flatMap(({ path, inode }) => {
    if (path.startsWith('var/lib/dpkg/')) return [];
    const more = inode.kind === 'symlink' ? inode.target : inode.kind === 'file' ? tree.text(path) : '';
    return [`${path} ${inode.kind} ${inode.mode} ${inode.uid}:${inode.gid} ${more}`];
  });
}

for (const [kind, script] of [
  ['only what debhelper adds', `#!/bin/sh\nset -e\n${SYSUSERS}`],
  ['nothing at all', '#!/bin/sh\nset -e\n'],
] as const)
  test(`no rule acts where a script has ${kind}`, () => {
    const expected = left('any-other-package', script);
    const account = expected.some((line) => line.startsWith('etc/passwd ') && line.includes('messagebus'));
    assert.equal(account, script.includes('systemd-sysusers'));
    for (const name of Object.keys(BASE_RULES)) assert.deepEqual(left(name, script), expected, name);
  });

test('dbus of Debian 14: its account is one of systemd-sysusers', () => {
  const script = `#!/bin/sh\nset -e\n${SYSUSERS}`.replace('made.conf', 'dbus.conf');
  const files = {
    'usr/bin/systemd-sysusers': '',
    'usr/lib/sysusers.d/dbus.conf': 'u messagebus - "System Message Bus" /nonexistent\n',
  };
  const { tree } = installed([{ name: 'dbus-system-bus-common', control: { postinst: script }, files }]);
  assert.match(tree.text('etc/passwd')!, /^messagebus:x:999:999:System Message Bus:\/nonexistent:/m);
});
