import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { BASE_RULES } from '../../../../src/families/apt/configure/base-rules.ts';
import type { Tree } from '../../../../src/tree/tree.ts';
import { installed, smallSystem } from '../../../support/postinst.ts';

/** Found by comparison with real installations: one test for each kind of difference. */

/** Every file and link below a folder, with targets. */
function below(tree: Tree, folder: string): string[] {
  const found: string[] = [];
  for (const { path, inode } of tree.walk())
    if (path.startsWith(`${folder}/`) && inode.kind !== 'directory')
      found.push(path.slice(folder.length + 1) + (inode.kind === 'symlink' ? ` -> ${inode.target}` : ''));
  return found;
}

test('a built-in rule falls back to the interpreter when its script changed, without a warning', () => {
  const names = Object.keys(BASE_RULES);
  ok(names.includes('libc-bin') && names.includes('systemd') && names.includes('perl'));
  const { tree, warnings, scripts } = installed(
    names.map((name) => ({ name, control: { postinst: `#!/bin/sh\nset -e\necho new > /etc/${name}-note\n` } })),
  );
  for (const name of names) equal(tree.text(`etc/${name}-note`), 'new\n', name);
  deepEqual(warnings, []);
  for (const name of names)
    ok(
      scripts.some(({ package: of, outcome }) => of.name === name && outcome.kind === 'whole' && outcome.by !== 'rule'),
    );
});

test('lines of a changed script that cannot be followed are the only warnings', () => {
  const { warnings } = installed([
    { name: 'libc-bin', control: { postinst: '#!/bin/sh\nset -e\nldconfig\nfrobnicate --now\n' } },
  ]);
  deepEqual(
    warnings.map((one) => [one.code, one.package, one.line]),
    [['SCRIPT_LINE', 'libc-bin', 4]],
  );
});

test('ldconfig of libc-bin makes the cache, at configuration and when triggered', () => {
  const postinst = '#!/bin/sh\nset -e\nldconfig\n';
  const { tree } = installed([{ name: 'libc-bin', control: { postinst, triggers: 'interest-noawait ldconfig\n' } }]);
  ok(tree.has('etc/ld.so.cache'));
});

test('a config script in Perl: answers that its rule covers are no warning, others are reported by line', () => {
  const postinst =
    '#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\ndb_get postfix/mailname\necho "$RET" > /etc/got\n';
  const templates =
    'Template: postfix/mailname\nType: string\nDescription: x\n\nTemplate: postfix/colour\nType: string\nDescription: y\n';
  const head = "#!/usr/bin/perl -w\nuse Debconf::Client::ConfModule qw(:all);\n# set('postfix/colour', 'no');\n";
  const covered = `${head}set("postfix/mailname", "x");\nmy $set = get("postfix/colour"); my %set = (set => 1);\nopen my $fh, '<', "/etc/mailname";\n`;
  const run = (config: string) => installed([{ name: 'postfix', control: { postinst, config, templates } }]);
  const before = run(covered);
  deepEqual(before.warnings, []);
  equal(before.tree.text('etc/got'), 'localdomain\n');
  const after = run(
    `${covered}set("postfix/colour", "blue");\nsystem("rm -rf /etc/x");\nopen(my $out, '>', "/etc/new");\n`,
  );
  deepEqual(
    after.warnings.map((one) => [one.code, one.line]),
    [
      ['SCRIPT_LINE', 7],
      ['SCRIPT_LINE', 8],
      ['SCRIPT_LINE', 9],
    ],
  );
  match(
    after.warnings[0]!.message,
    /postfix\.config:7: not covered by the rule for this script: set\("postfix\/colour"/,
  );
});

test('a2enmod: modules are enabled with their dependencies, and the decision is recorded', () => {
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

test('update-locale: the file named by the program, variables on their lines', () => {
  const script = `#!/bin/sh
set -e
mkdir -p /etc/default
update-locale --no-checks LANG
[ "$(cat /etc/default/locale)" = '#  File generated by update-locale' ]
update-locale LANG=de_DE.UTF-8 LC_ALL=C
printf '# LC_TIME=x\\n' >> /etc/default/locale
update-locale LC_TIME=C LC_ALL
update-locale --locale-file=/etc/other LANG=C
`;
  const before = installed([{ name: 'locales', control: { postinst: script } }]);
  deepEqual(before.warnings, []);
  equal(
    before.tree.text('etc/default/locale'),
    '#  File generated by update-locale\nLANG=de_DE.UTF-8\n#LC_ALL=C\nLC_TIME=C\n',
  );
  equal(before.tree.text('etc/other'), '#  File generated by update-locale\nLANG=C\n');
  const { tree } = installed([
    {
      name: 'locales',
      files: { 'usr/sbin/update-locale': '#!/usr/bin/perl\nmy $locale_file  = "/etc/locale.conf";\n' },
      control: { postinst: '#!/bin/sh\nupdate-locale LANG=C\n' },
    },
  ]);
  equal(tree.text('etc/locale.conf'), '#  File generated by update-locale\nLANG=C\n');
});

test('what identifies one machine is left to the guest, and this is reported', () => {
  const postinst = `#!/bin/sh
set -e
ssh-keygen -q -f /etc/ssh/ssh_host_rsa_key -N '' -t rsa
ssh-keygen -q -f /etc/ssh/ssh_host_ed25519_key -N '' -t ed25519
make-ssl-cert generate-default-snakeoil
[ -z "$(pg_lsclusters -h)" ]
if pg_conftool /etc/cc.conf show -bs none; then exit 1; fi
[ "$(pg_conftool /etc/cc.conf show -bs create_main_cluster)" = on ]
mkdir -p /var/cache
pg_updatedicts
pg_createcluster -u postgres --no-status 17 main
[ "$(slappasswd -s secret)" = '{CRYPT}*' ]
slapadd -g -F /etc/ldap/slapd.d -l /tmp/x
mysql_install_db --rpm
`;
  const files = { 'etc/cc.conf': '#create = off\ncreate_main_cluster = true # yes\n' };
  const { tree, warnings } = installed([{ name: 'server', files, control: { postinst } }]);
  deepEqual(
    warnings.map((one) => [one.code, /"([^"]*)"/.exec(one.message)?.[1]]),
    [
      ['LEFT_TO_FIRST_BOOT', 'ssh-keygen -A'],
      ['LEFT_TO_FIRST_BOOT', 'make-ssl-cert generate-default-snakeoil'],
      ['LEFT_TO_FIRST_BOOT', 'pg_createcluster 17 main --start'],
      ['LEFT_TO_FIRST_BOOT', 'dpkg-reconfigure slapd'],
      ['LEFT_TO_FIRST_BOOT', 'mariadb-install-db --user=mysql'],
    ],
  );
  equal(tree.has('etc/ssh/ssh_host_rsa_key'), false);
  ok(tree.has('var/cache/postgresql/dicts'));
});

test('a package that awaits a trigger satisfies dependencies after all that need not wait for it', () => {
  const note = (name: string) => ({ postinst: `#!/bin/sh\necho ${name} >> /etc/order\n` });
  const order = (triggers: string) =>
    installed([
      {
        name: 'catalog',
        control: { ...note('catalog'), triggers: 'interest update-catalog\ninterest /usr/share/cat\n' },
      },
      { name: 'entries', control: { ...note('entries'), triggers } },
      { name: 'files', files: { 'usr/share/cat/x': '' }, control: note('files') },
      // dpkg's table has these in this order: user, files' reader, other
      { name: 'aa-user', depends: 'entries', control: note('aa-user') },
      { name: 'aa-reader', depends: 'files', control: note('aa-reader') },
      { name: 'zz-other', control: note('zz-other') },
      { name: 'zz-last', depends: 'zz-other', control: note('zz-last') },
    ]).configureOrder.filter((name) => name !== 'catalog');
  const last = (names: readonly string[]) => names.slice(-2).sort();
  deepEqual(last(order('activate update-catalog\n')), ['aa-reader', 'aa-user']);
  deepEqual(order('activate-noawait update-catalog\n').slice(-1), ['aa-reader']);
});

// expected ids are those of useradd and groupadd of shadow 4.13 on the same files
test('useradd and groupadd allocate the system id below the lowest used, or the highest free one', () => {
  const add = (users: string, groups: string, args: string) => {
    const tree = smallSystem({
      'etc/passwd': `root:x:0:0:::\n${users}`,
      'etc/group': `root:x:0:\nusers:x:100:\n${groups}`,
    });
    const postinst = `#!/bin/sh -e\nuseradd -r ${args} zz\ngroupadd -r gg\n`;
    const { warnings } = installed([{ name: 'server', control: { postinst } }], tree);
    deepEqual(warnings, []);
    return [/^zz:x:(\d+):/m.exec(tree.text('etc/passwd')!)![1], /^gg:x:(\d+):/m.exec(tree.text('etc/group')!)![1]];
  };
  deepEqual(add('', '', '-g users'), ['999', '999']);
  deepEqual(add('a:x:998:1:::\n', 'j:x:999:\n', '-g users'), ['997', '998']);
  deepEqual(add('a:x:998:1:::\n', 'j:x:999:\n', ''), ['997', '996']);
  deepEqual(add('a:x:100:1:::\nb:x:998:1:::\n', 'j:x:999:\n', ''), ['997', '996']);
  deepEqual(add('a:x:500:1:::\nb:x:998:1:::\n', 'j:x:999:\n', '-g users'), ['499', '998']);
  deepEqual(add('a:x:101:1:::\nb:x:998:1:::\n', 'j:x:999:\n', '-g users'), ['999', '998']);
});

test('a pipeline fails with any of its commands under pipefail; `bash PROGRAM` runs the program', () => {
  const postinst = `#!/bin/bash
set -e
false | true
set -o pipefail
if false | true; then exit 1; fi
set +o pipefail
false | true
[ "$(df --output=avail /var/lib | tail -n 1)" -gt 1000000 ]
bash /usr/bin/mariadb-install-db --user=mysql
`;
  const { warnings } = installed([
    { name: 'db', files: { 'usr/bin/mariadb-install-db': '#!/bin/sh\nexit 9\n' }, control: { postinst } },
  ]);
  deepEqual(
    warnings.map((one) => one.code),
    ['LEFT_TO_FIRST_BOOT'],
  );
});

test('postconf changes main.cf in place, replaces whole logical lines, and prints values', () => {
  const main = '# c\nmyhostname = a\nrelayhost =\n  one\n  two\n\nmyhostname = b\nlast = $myhostname\n';
  const postinst = `#!/bin/sh -e
[ "$(postconf -hx relayhost)" = " one two" ] || [ "$(postconf -hx relayhost)" = "one two" ]
[ "$(postconf -hx default_transport)" = smtp ]
[ "$(postconf -hx last)" = b ]
postconf -e "myhostname=c.d" new=x
postconf -# last
postconf -X relayhost
[ "$(postconf new)" = "new = x" ]
`;
  const { tree, warnings } = installed([
    { name: 'mail', files: { 'etc/postfix/main.cf': main }, control: { postinst } },
  ]);
  deepEqual(warnings, []);
  equal(tree.text('etc/postfix/main.cf'), '# c\nmyhostname = c.d\n\n#last = $myhostname\nnew = x\n');
});

test('a config script that is not written for the shell is never read as one', () => {
  const control = {
    config: '#!/usr/bin/perl -w\nuse strict;\nif (1) { echo(2); }\n',
    templates: 'Template: mail/kind\nType: string\nDefault: local\nDescription: d\n',
    postinst: '#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\ndb_get mail/kind\necho "$RET" > /etc/kind\n',
  };
  const { tree, warnings } = installed([{ name: 'mail', control }]);
  equal(tree.text('etc/kind'), 'local\n');
  deepEqual(
    warnings.map(({ message }) => message),
    ['mail.postinst: mail.config:1: written for perl, which is not interpreted: #!/usr/bin/perl -w'],
  );
});

test('the key store of Java holds the certificates that its package collects', () => {
  const pem = '-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n';
  const postinst = `#!/bin/sh
set -e
java -version 2> /dev/null
mkdir -p /etc/ssl/certs/java
printf '+/etc/one.pem\\n+/etc/none.pem\\n' | java -Xmx64m -jar /usr/share/x/ca-certificates-java.jar -storepass changeit
`;
  const made = { name: 'ca-certificates-java', files: { 'etc/one.pem': pem }, control: { postinst } };
  const { tree, warnings } = installed([made]);
  deepEqual(warnings, []);
  const store = tree.text('etc/ssl/certs/java/cacerts')!;
  equal(store.slice(0, 12), '\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01');
  ok(store.includes('debian:one.pem'));
  // an existing store would have to be read
  const again = installed([made], tree).warnings;
  deepEqual(
    again.map((one) => one.code),
    ['SCRIPT_LINE'],
  );
});

test('only the kernel’s file systems are mounted', () => {
  const postinst = '#!/bin/sh -e\nmountpoint -q /proc\nmountpoint -q /sys\nif mountpoint -q /boot; then exit 1; fi\n';
  deepEqual(installed([{ name: 'm', control: { postinst } }]).warnings, []);
});

test('caches left to the guest are reported once, and only if there is something to cache', () => {
  const postinst = `#!/bin/sh
set -e
/usr/lib/x/glib-compile-schemas /usr/share/glib-2.0/schemas || true
update-mime-database /usr/share/mime
locale-gen
gdk-pixbuf-query-loaders $(find /usr/lib/x -name '*.so') > /etc/loaders.cache || true
`;
  const codes = (files: Readonly<Record<string, string>>) =>
    installed([
      {
        name: 'desktop',
        files: { 'usr/lib/x/none': '', ...files },
        control: { postinst, triggers: 'interest /usr/share/x\n' },
      },
      { name: 'other', files: { 'usr/share/x/y': '' } },
    ]).warnings.map((one) => `${one.code} ${/"([a-z-]+)/.exec(one.message)?.[1]}`);
  deepEqual(codes({ 'etc/locale.gen': '# de_DE.UTF-8 UTF-8\n' }), []);
  deepEqual(
    codes({
      'etc/locale.gen': 'de_DE.UTF-8 UTF-8\n',
      'usr/share/glib-2.0/schemas/a.gschema.xml': '',
      'usr/share/mime/packages/a.xml': '',
      'usr/lib/x/a.so': '',
    }),
    ['glib-compile-schemas', 'update-mime-database', 'locale-gen', 'dpkg-trigger'].map(
      (name) => `LEFT_TO_FIRST_BOOT ${name}`,
    ),
  );
});

test("the index of Vim's help files", () => {
  const files = {
    'usr/share/vim/doc/b.txt': '*b.txt* *two*\n no*tag* *not a tag* |*x*| \t*one\\/x*\n',
    'usr/share/vim/doc/a.txt': '*two*\n',
    'usr/share/vim/doc/a.dex': '*zwei*\n',
  };
  const postinst = '#!/bin/sh -e\nhelpztags /usr/share/none /usr/share/vim/doc\n';
  const { tree, warnings } = installed([{ name: 'vim', files, control: { postinst } }]);
  deepEqual(warnings, []);
  equal(
    tree.text('usr/share/vim/doc/tags'),
    'b.txt\tb.txt\t/*b.txt*\none\\/x\tb.txt\t/*one\\\\/x*\ntwo\tb.txt\t/*two*\n',
  );
  equal(tree.text('usr/share/vim/doc/tags-de'), 'zwei\ta.dex\t/*zwei*\n');
});

test('scripts that are run for a kernel are left out, whoever runs them; those for anything else are reported', () => {
  const postinst = (line: string) => ({ postinst: `#!/bin/sh\nset -e\n${line}\n` });
  const run = 'run-parts --report --exit-on-error --arg=6.1 --arg=/boot/vmlinuz-6.1';
  const { warnings, scripts } = installed([
    { name: 'older', control: postinst(`DEB_MAINT_PARAMS="$*" ${run} /etc/kernel/postinst.d`) },
    { name: 'newer', control: postinst('linux-run-hooks image postinst 7.2 /boot/vmlinuz-7.2 -- "$@"') },
    { name: 'both', control: postinst(`${run} /etc/kernel/postinst.d /usr/share/kernel/postinst.d`) },
    { name: 'other', control: postinst('run-parts /etc/other.d') },
    { name: 'mixed', control: postinst('run-parts /etc/kernel/postinst.d /etc/other.d') },
    { name: 'empty', control: postinst('run-parts --test') },
  ]);
  deepEqual(warnings.map((one) => `${one.code} ${one.package}`).sort(), [
    'SCRIPT_LINE empty',
    'SCRIPT_LINE mixed',
    'SCRIPT_LINE other',
  ]);
  const left = scripts.flatMap(({ package: of, outcome }) =>
    outcome.kind === 'whole' ? outcome.leftOut.map(({ command }) => `${of.name} ${command}`) : [],
  );
  deepEqual(left.sort(), ['both run-parts', 'newer linux-run-hooks', 'older run-parts']);
});

test('a cycle is broken at a package without a postinst, else where dpkg finds it first', () => {
  const note = (name: string) => ({ postinst: `#!/bin/sh\necho ${name} >> /etc/order\n` });
  const order = (sieve: Readonly<Record<string, string>>, core: Readonly<Record<string, string>>) =>
    installed([
      { name: 'dovecot-core', depends: 'dovecot-sieve', control: core },
      { name: 'dovecot-sieve', depends: 'dovecot-core', control: sieve },
      { name: 'dovecot-imapd', depends: 'dovecot-core', control: note('imapd') },
      { name: 'ufw', control: note('ufw') },
    ]).configureOrder.filter((name) => name !== 'ufw');
  equal(order(note('sieve'), {})[0], 'dovecot-core');
  equal(order({}, note('core'))[0], 'dovecot-sieve');
});

test('an emulated program outside PATH is used unless it is a shell script', () => {
  const files = {
    'usr/share/nfs-common/nfsconvert.py': '#!/usr/bin/python3\nimport os\n',
    'usr/share/own/newaliases': '#!/bin/sh\necho own > /etc/own\n',
  };
  const postinst = '#!/bin/sh -e\n/usr/share/nfs-common/nfsconvert.py\n/usr/share/own/newaliases\n';
  const { tree, warnings } = installed([{ name: 'nfs', files, control: { postinst } }]);
  deepEqual(warnings, []);
  equal(tree.text('etc/own'), 'own\n');
});
