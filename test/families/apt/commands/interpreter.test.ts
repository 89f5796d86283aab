import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memory } from '../../../../src/bytes/content.ts';
import { silent } from '../../../../src/events/events.ts';
import { debianContext } from '../../../../src/families/apt/architecture.ts';
import { Interpreter } from '../../../../src/families/apt/commands/interpreter.ts';
import { Debconf } from '../../../../src/families/apt/configure/debconf.ts';
import type { AptPackage } from '../../../../src/families/apt/package.ts';
import type { Unpacked } from '../../../../src/fetch/package.ts';
import { Tree } from '../../../../src/tree/tree.ts';

const context = debianContext({ architecture: 'arm64', epoch: 1_700_000_000, report: silent });

function system(): Tree {
  const tree = new Tree();
  for (const path of ['etc', 'tmp', 'usr/bin', 'usr/sbin', 'var/lib/dpkg/alternatives']) tree.makeDirectory(path);
  tree.writeFile('etc/passwd', 'root:x:0:0:root:/root:/bin/bash\n');
  tree.writeFile('etc/group', 'root:x:0:\nadm:x:4:\n');
  tree.writeFile('etc/shadow', 'root:*:1::::::\n');
  tree.writeFile('etc/gshadow', 'root:*::\n');
  return tree;
}

/** Runs a postinst (and the package’s other scripts) as dpkg does on first installation. */
function configure(
  postinst: string,
  more: Readonly<Record<string, string>> = {},
  tree = system(),
  preseed = new Map<string, string>(),
) {
  const control = new Map(
    Object.entries({ postinst, ...more }).map(([name, text]) => [name, { mode: 0o755, content: memory(text) }]),
  );
  const of = {
    package: { name: 'thing', version: '1', architecture: 'all' } as AptPackage,
    control,
    entries: [],
  } as Unpacked<AptPackage>;
  const triggers: string[] = [];
  const interpreter = new Interpreter({
    tree,
    context,
    debconf: new Debconf(preseed),
    trigger: (name) => triggers.push(name),
  });
  const result = interpreter.interpret(of, 'postinst', ['configure', ''])!;
  return { ...result, tree, triggers };
}

describe('maintainer scripts', () => {
  test("arguments and environment are dpkg's", () => {
    const { stdout, outcome } = configure(
      '#!/bin/sh -e\necho "$1|$2|$#|$DPKG_MAINTSCRIPT_PACKAGE|$DPKG_MAINTSCRIPT_NAME|$DPKG_MAINTSCRIPT_ARCH|$DPKG_ROOT|$DEBIAN_FRONTEND"; dpkg --print-architecture; uname -m\n',
    );
    equal(stdout, 'configure||2|thing|postinst|all||noninteractive\narm64\naarch64\n');
    deepEqual(outcome, { kind: 'whole', by: 'interpreter', leftOut: [] });
  });

  test('a line that is not understood is reported, and the script continues', () => {
    const { outcome, stdout } = configure(
      '#!/bin/sh\nset -e\n\nfrobnicate --all "$1"\nif frobnicate; then echo no; fi\nfrobnicate || true\necho on\n',
    );
    equal(stdout, 'on\n');
    deepEqual(outcome, {
      kind: 'partial',
      lines: [{ line: 4, source: 'frobnicate --all "$1"', reason: 'not emulated: frobnicate' }],
      leftOut: [],
    });
  });

  test('a failing script and one in another language are reported', () => {
    deepEqual(configure('#!/bin/sh\nset -e\n(false) || :\ntrap "(false) || exit 4" EXIT\nls /nosuch\n').outcome, {
      ...{ kind: 'failed', status: 4, line: 5, reason: "ls: cannot access '/nosuch': No such file or directory" },
      ...{ lines: [], leftOut: [] },
    });
    const perl = configure('#!/usr/bin/perl\nprint 1;\n').outcome;
    match(JSON.stringify(perl), /written for perl/);
    const endless = configure('#!/bin/sh\nwhile :; do :; done\n').outcome;
    match(JSON.stringify(endless), /does not come to an end/);
  });

  test('versions: nothing is earlier than everything, except with -nl', () => {
    for (const [args, status] of [
      ['"" lt 1', 0],
      ['"" lt-nl 1', 1],
      ['"" gt-nl 1', 0],
      ['1 lt ""', 1],
      ['1 lt-nl ""', 0],
      ['"" eq ""', 0],
      ['1.0 lt 1.0-1', 0],
      ['1~rc1 lt 1', 0],
      ['1 ge 1', 0],
      ['2 gt 1', 0],
      ['1 bad 2', 2],
    ] as const)
      equal(configure(`#!/bin/sh\ndpkg --compare-versions ${args} && exit 0; exit $?\n`).status, status, args);
  });

  test('accounts: adduser counts from 100, useradd from 999', () => {
    const { tree, stdout } = configure(`#!/bin/sh -e
addgroup --system --quiet lib
adduser --system --group --quiet --home /var/lib/one --gecos 'One' one
adduser --quiet one adm
adduser --system --ingroup lib --no-create-home two
useradd -r -d /nonexistent -s /usr/sbin/nologin three
usermod -c 'The third' -a -G adm three
chown one:lib /etc/group
getent passwd one three
id -gn one; stat -c '%U:%G' /var/lib/one /etc/group
`);
    equal(stdout.split('\n').filter((line) => line.includes(':x:')).length, 2);
    match(tree.text('etc/passwd')!, /^one:x:100:101:One(,,,)?:\/var\/lib\/one:\/usr\/sbin\/nologin$/m);
    match(tree.text('etc/passwd')!, /^three:x:999:999:The third:\/nonexistent:\/usr\/sbin\/nologin$/m);
    match(tree.text('etc/group')!, /^adm:x:4:one,three$/m);
    match(stdout, /one\none:one\none:lib\n$/);
  });

  test('debconf: the config script comes first, answers are defaults or preseeded', () => {
    const files = {
      config:
        '#!/bin/sh -e\n. /usr/share/debconf/confmodule\ndb_input high thing/port || echo "input $?" >&2\ndb_go\ndb_get thing/port; db_set thing/chosen "$RET+1"\n',
      templates:
        'Template: thing/port\nType: string\nDefault: 80\nDescription: port\n\nTemplate: thing/chosen\nType: string\nDescription: c\n\nTemplate: thing/choice\nType: select\nChoices: a, b\nDescription: d\n',
    };
    const script = `#!/bin/sh -e
echo started >> /tmp/starts
. /usr/share/debconf/confmodule
db_get thing/chosen
echo "$RET" > /etc/thing.conf
db_get thing/none || echo "none: $?" >> /etc/thing.conf
db_metaget thing/choice choices
echo "$RET" >> /etc/thing.conf
db_stop
`;
    const plain = configure(script, files);
    equal(plain.tree.text('etc/thing.conf'), '80+1\nnone: 10\na, b\n');
    match(plain.stderr, /input 30/);
    // the frontend starts the script again, so lines before confmodule run twice, as in debconf
    equal(plain.tree.text('tmp/starts'), 'started\nstarted\n');
    const seeded = configure(script, files, system(), new Map([['thing/port', '8080']]));
    equal(seeded.tree.text('etc/thing.conf'), '8080+1\nnone: 10\na, b\n');
  });

  test('alternatives, also in a loop, with slaves', () => {
    const tree = system();
    for (const path of ['usr/bin/a.one', 'usr/bin/a.two', 'usr/bin/b.one']) tree.writeFile(path, '');
    const { stdout } = configure(
      `#!/bin/sh -e
for i in a b; do update-alternatives --quiet --install /usr/bin/$i $i /usr/bin/$i.one 10; done
update-alternatives --install /usr/bin/a a /usr/bin/a.two 20
readlink -f /usr/bin/a /usr/bin/b
update-alternatives --set a /usr/bin/a.one; readlink /etc/alternatives/a
update-alternatives --query a | sed -n 's/^Status: //p'
update-alternatives --install /usr/bin/c c /usr/bin/nosuch 1 || echo missing
`,
      {},
      tree,
    );
    equal(stdout, '/usr/bin/a.two\n/usr/bin/b.one\n/usr/bin/a.one\nmanual\nmissing\n');
  });

  test('units: enabled by deb-systemd-helper, not by a running system', () => {
    const tree = system();
    tree.writeFile(
      'usr/lib/systemd/system/thing.service',
      '[Unit]\nDescription=x\n[Install]\nWantedBy=multi-user.target\n',
    );
    const { stdout } = configure(
      `#!/bin/sh -e
if [ -d /run/systemd/system ]; then echo running; fi
deb-systemd-helper unmask thing.service >/dev/null || true
if deb-systemd-helper --quiet was-enabled thing.service; then deb-systemd-helper enable thing.service >/dev/null || true; else deb-systemd-helper update-state thing.service; fi
systemctl is-active thing || echo "$?"
systemctl daemon-reload; invoke-rc.d thing start; deb-systemd-invoke start thing.service
readlink /etc/systemd/system/multi-user.target.wants/thing.service
`,
      {},
      tree,
    );
    equal(stdout, 'inactive\n3\n/usr/lib/systemd/system/thing.service\n');
  });

  test('setcap writes the attribute in the kernel’s format', () => {
    const tree = system();
    tree.writeFile('usr/bin/pinger', '');
    const { stdout } = configure(
      '#!/bin/sh -e\nsetcap cap_net_raw+ep /usr/bin/pinger\ngetcap /usr/bin/pinger\nsetcap cap_bogus+ep /usr/bin/pinger || echo refused\n',
      {},
      tree,
    );
    equal(
      Buffer.from(tree.file('usr/bin/pinger')!.xattrs!.get('security.capability')!).toString('hex'),
      '0100000200200000000000000000000000000000',
    );
    equal(stdout, '/usr/bin/pinger cap_net_raw=ep\nrefused\n');
  });

  test('triggers and the loader cache are deferred to the end', () => {
    deepEqual(configure('#!/bin/sh -e\ndpkg-trigger --no-await update-things\nldconfig\n').triggers, [
      'update-things',
      'ldconfig',
    ]);
  });

  test('overrides and diversions', () => {
    const tree = system();
    tree.writeFile('usr/bin/tool', 'x');
    const { stdout } = configure(
      `#!/bin/sh -e
if ! dpkg-statoverride --list /usr/bin/tool >/dev/null; then dpkg-statoverride --update --add root adm 4754 /usr/bin/tool; fi
dpkg-statoverride --list /usr/bin/tool
stat -c '%a %G' /usr/bin/tool
dpkg-divert --package thing --add --rename --divert /usr/bin/tool.real /usr/bin/tool >/dev/null
dpkg-divert --truename /usr/bin/tool; ls /usr/bin
`,
      {},
      tree,
    );
    equal(stdout, 'root adm 4754 /usr/bin/tool\n4754 adm\n/usr/bin/tool.real\ntool.real\n');
  });

  test('ucf copies once; keys are never created', () => {
    const tree = system();
    tree.writeFile('usr/share/thing/thing.conf', 'new\n');
    const { outcome } = configure(
      '#!/bin/sh -e\nucf --three-way /usr/share/thing/thing.conf /etc/thing.conf\nucfr thing /etc/thing.conf\nssh-keygen -q -f /etc/ssh_host_key -N ""\n',
      {},
      tree,
    );
    equal(tree.text('etc/thing.conf'), 'new\n');
    ok(!tree.has('etc/ssh_host_key'));
    equal(outcome.kind, 'whole');
  });

  test("a script's own path is that of dpkg", () => {
    equal(configure('#!/bin/sh\necho "$0"\n').stdout, '/var/lib/dpkg/info/thing.postinst\n');
  });

  test('files created as another user belong to that user, later ones to root', () => {
    const tree = system();
    tree.writeFile('etc/passwd', 'root:x:0:0:root:/root:/bin/bash\nweb:x:33:34:w:/var/www:/usr/sbin/nologin\n');
    tree.stat('tmp')!.mode = 0o1777;
    configure(
      `#!/bin/sh -e
su web -s /bin/sh -c 'echo x > /tmp/su'
su - web -c 'ln -s x /tmp/link'
runuser -u web -- mkdir /tmp/dir
setpriv --reuid web --regid adm --init-groups -- touch /tmp/priv
su nobody-there -c 'touch /tmp/never' || touch /tmp/root
`,
      {},
      tree,
    );
    const owner = (path: string) => `${tree.lstat(path)?.uid}:${tree.lstat(path)?.gid}`;
    deepEqual(
      ['su', 'link', 'dir', 'priv', 'root'].map((name) => owner(`tmp/${name}`)),
      [...['33:34', '33:34', '33:34', '33:4', '0:0']],
    );
    ok(!tree.has('tmp/never'));
  });

  test('tests of permissions use the user who runs them', () => {
    const tree = system();
    tree.writeFile('etc/passwd', 'root:x:0:0:root:/root:/bin/bash\nweb:x:33:34:w:/var/www:/usr/sbin/nologin\n');
    tree.writeFile('etc/secret', '').mode = 0o640;
    tree.writeFile('etc/tool', '').mode = 0o750;
    // postgresql-common changes the owner of its home only if this fails
    const { stdout } = configure(
      `#!/bin/sh
mkdir /var/own
for user in root web; do
  for file in /var/own /etc/secret /etc/tool /etc/passwd; do
    su -s /bin/sh $user -c "for t in -O -G -r -w -x; do test \\$t $file && printf '%s ' \\$t; done"
    echo "$user $file"
  done
done
`,
      {},
      tree,
    );
    deepEqual(stdout.split('\n'), [
      '-O -G -r -w -x root /var/own',
      '-O -G -r -w root /etc/secret',
      '-O -G -r -w -x root /etc/tool',
      '-O -G -r -w root /etc/passwd',
      '-r -x web /var/own',
      'web /etc/secret',
      'web /etc/tool',
      '-r web /etc/passwd',
      '',
    ]);
  });

  test('commands left out on purpose, or not emulated without effect, are reported', () => {
    const tree = system();
    tree.writeFile('usr/bin/warm-caches', '\x7fELF').mode = 0o755;
    tree.writeFile('usr/share/glib-2.0/schemas/a.gschema.xml', '<schemalist/>');
    const { outcome } = configure(
      `#!/bin/sh -e
mandb -q
warm-caches || true
not-in-the-guest || true
/usr/lib/glib/glib-compile-schemas /usr/share/glib-2.0/schemas || true
/usr/lib/glib/glib-compile-schemas /usr/share/empty || true
`,
      {},
      tree,
    );
    deepEqual(outcome, {
      kind: 'whole',
      by: 'interpreter',
      leftOut: [
        { command: 'mandb', reason: 'an index of documentation, which is made on demand' },
        { command: 'glib-compile-schemas', reason: 'made in the guest: a warning says how' },
        { command: 'warm-caches', reason: 'not emulated; the script goes on without it' },
      ],
    });
  });

  test('keys are left out, including those that sshd looks for', () => {
    const script =
      '#!/bin/sh -e\nfor key in $(sshd -G | sed -n "s/^hostkey //p"); do ssh-keygen -q -f "$key" -N ""; done\n';
    const { outcome, tree } = configure(script);
    deepEqual(outcome.kind === 'whole' && outcome.leftOut.map((one) => one.command), ['ssh-keygen']);
    equal(tree.has('etc/ssh'), false);
  });

  test('locale settings: a new file, a variable added, a variable removed', () => {
    const tree = system();
    tree.writeFile('usr/sbin/update-locale', 'my $locale_file  = "/etc/locale.conf";\n');
    configure(
      '#!/bin/sh -e\nupdate-locale LANG=C.UTF-8 LC_TIME=C; update-locale --no-checks LC_TIME LANG=de_DE\n',
      {},
      tree,
    );
    equal(tree.text('etc/locale.conf'), '#  File generated by update-locale\nLANG=de_DE\n#LC_TIME=C\n');
  });

  test('modules of Apache enable their dependencies and reject those they conflict with', () => {
    const tree = system();
    for (const [name, text] of [
      ['a.load', '# Depends: b\nLoadModule a\n'],
      ['a.conf', ''],
      ['b.load', '# Conflicts: c\nLoadModule b\n# Depends: nosuch\n'],
      ['c.load', '# Conflicts: b\n'],
      ['loop.load', '# Depends: loop\n'],
    ])
      tree.writeFile(`etc/apache2/mods-available/${name}`, text!);
    tree.makeDirectory('etc/apache2/mods-enabled');
    const { stdout } = configure(
      `#!/bin/sh
a2enmod -m -q a; echo $?
a2enmod c; echo $?
a2query -m b; echo $?; a2query -m c; echo $?
a2dismod b; echo $?
a2dismod -f b; echo $?
a2query -m b; echo $?
ls /etc/apache2/mods-enabled
find /var/lib/apache2 -type f
`,
      {},
      tree,
    );
    equal(
      stdout,
      '0\n1\n0\n1\n1\n0\n32\n/var/lib/apache2/module/disabled_by_admin/a\n/var/lib/apache2/module/disabled_by_admin/b\n',
    );
    match(JSON.stringify(configure('#!/bin/sh\na2enmod loop\n', {}, tree).outcome), /nested/);
  });

  test('the iSCSI initiator name is left to the daemon of each guest', () => {
    const tree = system();
    const name = 'open-iscsi';
    const postinst =
      '#!/bin/sh -e\n[ -e /etc/iscsi/initiatorname.iscsi ] || { iscsi-iname > /etc/iscsi/initiatorname.iscsi; }\n';
    const of = {
      package: { name, version: '1', architecture: 'all' } as AptPackage,
      control: new Map([['postinst', { mode: 0o755, content: memory(postinst) }]]),
      entries: [],
    } as Unpacked<AptPackage>;
    const outcome = new Interpreter({ tree, context, debconf: new Debconf() }).run(of, 'postinst', ['configure', '']);
    deepEqual(outcome.kind === 'whole' && outcome.leftOut.map((one) => one.command), ['iscsi-iname']);
    equal(tree.text('etc/iscsi/initiatorname.iscsi'), 'GenerateName=yes\n');
    equal(tree.file('etc/iscsi/initiatorname.iscsi')?.mode, 0o600);
  });
});
