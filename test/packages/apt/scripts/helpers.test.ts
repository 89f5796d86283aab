import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { Tree } from '../../../../src/tree/tree.ts';
import { installed } from '../../../support/postinst.ts';

/** What comparisons with real installations found: one test for each kind of lack. */

/** Every file and link below a folder, with targets. */
function below(tree: Tree, folder: string): string[] {
  const found: string[] = [];
  for (const { path, inode } of tree.walk())
    if (path.startsWith(`${folder}/`) && inode.kind !== 'directory')
      found.push(path.slice(folder.length + 1) + (inode.kind === 'symlink' ? ` -> ${inode.target}` : ''));
  return found;
}

test('a built-in rule gives way to the interpreter when its script changed, if the script can be followed', () => {
  const { tree, warnings, scripts } = installed([
    { name: 'perl', control: { postinst: '#!/bin/sh\nset -e\necho new > /etc/perl-note\n' } },
    { name: 'libc-bin', control: { postinst: '#!/bin/sh\nset -e\necho new > /etc/libc-note\n' } },
  ]);
  equal(tree.text('etc/perl-note'), 'new\n');
  equal(tree.text('etc/libc-note'), undefined);
  deepEqual(
    warnings.map((one) => [one.code, one.package]),
    [['RULE_UNVERIFIED', 'libc-bin']],
  );
  ok(scripts.some((one) => one.package.name === 'perl' && one.outcome.kind === 'whole'));
});

test('a2enmod: modules come with what they depend on, and the decision is noted', () => {
  const { tree, warnings } = installed([
    {
      name: 'apache2',
      files: {
        'etc/apache2/mods-available/auth.load': '# Depends: core  base\nLoadModule auth\n',
        'etc/apache2/mods-available/core.load': '# Depends: base\nLoadModule core\n',
        'etc/apache2/mods-available/core.conf': 'x\n',
        'etc/apache2/mods-available/base.load': 'LoadModule base\n# Depends: never\n',
        'etc/apache2/mods-available/rival.load': '# Conflicts: core\n',
        'etc/apache2/mods-available/cgi.load': '',
        'etc/apache2/mods-available/cgid.load': '',
        'etc/apache2/mods-available/mpm_event.load': '',
        'etc/apache2/sites-available/000-default.conf': '',
        'etc/apache2/mods-enabled/.keep': '',
        'etc/apache2/sites-enabled/.keep': '',
      },
      control: {
        postinst: `#!/bin/bash
set -e
a2enmod -m -q auth
a2enmod -m -q mpm_event
a2enmod -q cgi
a2ensite -q 000-default.conf
if a2enmod -m -q rival; then exit 3; fi
if a2dismod -m -q base; then exit 4; fi
if a2enmod -m -q nothing; then exit 5; fi
a2enmod -m -q auth
a2dismod -m -q mpm_event
`,
      },
    },
  ]);
  deepEqual(warnings, []);
  deepEqual(below(tree, 'etc/apache2/mods-enabled'), [
    '.keep',
    'auth.load -> ../mods-available/auth.load',
    'base.load -> ../mods-available/base.load',
    'cgid.load -> ../mods-available/cgid.load',
    'core.conf -> ../mods-available/core.conf',
    'core.load -> ../mods-available/core.load',
  ]);
  deepEqual(below(tree, 'var/lib/apache2'), [
    'module/disabled_by_maint/mpm_event',
    'module/enabled_by_admin/cgid',
    'module/enabled_by_maint/auth',
    'module/enabled_by_maint/base',
    'module/enabled_by_maint/core',
    'site/enabled_by_admin/000-default',
  ]);
});
