import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { memory } from '../../../src/bytes/content.ts';
import { type Event, silent } from '../../../src/events/events.ts';
import { debianContext } from '../../../src/families/apt/architecture.ts';
import { BASE_RULES } from '../../../src/families/apt/configure/base-rules.ts';
import { Debconf, readPreseed } from '../../../src/families/apt/configure/debconf.ts';
import { ALTERNATIVES } from '../../../src/families/apt/configure/snippets.ts';
import { certificatesOf, subjectHash } from '../../../src/formats/x509/certificate.ts';
import { compilePattern, matches } from '../../../src/shell/pattern.ts';
import { Accounts, shadowConfig } from '../../../src/system/accounts.ts';
import { Alternatives } from '../../../src/system/alternatives.ts';
import { updateCertificates } from '../../../src/system/certificates.ts';
import { rcDefaults } from '../../../src/system/init-links.ts';
import { addSystemUser, addToGroup, userAdd } from '../../../src/system/new-accounts.ts';
import { systemdSysusers } from '../../../src/system/sysusers.ts';
import { systemdTmpfiles } from '../../../src/system/tmpfiles.ts';
import { disableUnit, enableUnit, maskUnit, presetUnit, unitState } from '../../../src/system/units.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { needs, temporary, tool } from '../../support/data.ts';

const context = debianContext({ architecture: 'amd64', epoch: 1_700_000_000, report: silent });

function treeOf(files: Readonly<Record<string, string>>): Tree {
  const tree = new Tree();
  for (const [path, text] of Object.entries(files)) tree.writeFile(path, memory(Buffer.from(text, 'latin1')));
  return tree;
}

const PASSWD = 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n';
const GROUP = 'root:x:0:\nadm:x:4:\nshadow:x:42:\nusers:x:100:\nnogroup:x:65534:\n';

test('base-files: siblings of /lib are read from its script, which differs by architecture', () => {
  const run = (kind: 'preinst' | 'postinst' | 'triggered', tree: Tree, script: string) =>
    BASE_RULES['base-files']![kind]!(
      { tree, context, script, package: { name: 'base-files' }, trigger() {} } as never,
      [],
    );
  const script = (folders: string, loader: string) =>
    `rtlddir="${loader}"\n  for d in ${folders}; do\n    dpkg-divert --divert "/.$d.usr-is-merged" "/$d"\n  done\n`;
  const diverted = (tree: Tree) =>
    (tree.text('var/lib/dpkg/diversions') ?? '').split('\n').filter((_, i) => i % 3 === 0);
  for (const [folders, loader, left] of [
    ['lib32 libo32 libx32', 'lib64', ['/lib32', '/libo32', '/libx32']],
    ['lib32 lib64 libo32 libx32', '', ['/lib32', '/lib64', '/libo32', '/libx32']],
  ] as const) {
    const tree = treeOf({ 'usr/lib64/x': '', 'usr/bin/x': '' });
    const text = script(folders, loader);
    run('preinst', tree, text);
    assert.deepEqual(diverted(tree).filter(Boolean).sort(), left);
    run('triggered', tree, text);
    assert.deepEqual(diverted(tree).filter(Boolean).sort(), left, 'what base-files itself protects stays');
    assert.equal(tree.lstat('lib64')?.kind, loader === '' ? 'symlink' : undefined);
    assert.equal(tree.lstat('lib32'), undefined);
  }
});

test('accounts: adduser allocates ids upwards, user and group separately; sysusers and useradd downwards', () => {
  const tree = treeOf({
    'etc/passwd': PASSWD,
    'etc/group': GROUP,
    'etc/login.defs': 'PASS_MIN_DAYS 0\nPASS_MAX_DAYS 99999\nPASS_WARN_AGE 7\n',
    'usr/lib/sysusers.d/x.conf':
      '# comment\nu first - "The First" /var/lib/first\nu! locked 400:nogroup -\ng lonely -\nm first adm\nu taken 0 -\n',
  });
  shadowConfig(tree, context);
  systemdSysusers(tree, context, ['x.conf']);
  addSystemUser(tree, context, { name: '_one', group: 'own', gecos: 'One', home: '/var/lib/one' });
  addSystemUser(tree, context, { name: '_two' });
  userAdd(tree, context, { name: 'three', system: true });
  userAdd(tree, context, { name: 'four', createHome: true });
  assert.ok(addToGroup(tree, context, '_two', 'adm'));
  assert.ok(!addToGroup(tree, context, 'nobody-there', 'adm'));
  const accounts = new Accounts(tree, context);
  const ids = (name: string) => [accounts.user(name)?.uid, accounts.user(name)?.gid];
  assert.deepEqual(accounts.group('lonely')?.gid, 999);
  assert.deepEqual(ids('first'), [998, 998]);
  assert.deepEqual(ids('locked'), [400, 65534]);
  assert.deepEqual(ids('_one'), [100, 101]);
  assert.deepEqual(ids('_two'), [101, 65534]);
  // 999 is free as a user, but not as a group
  assert.deepEqual(ids('three'), [999, 996]);
  assert.deepEqual(ids('four'), [1000, 1000]);
  assert.deepEqual(accounts.group('adm')?.members, ['first', '_two']);
  const shadow = tree.text('etc/shadow')!;
  assert.match(shadow, /^root:x:19675:0:99999:7:::$/m);
  assert.match(shadow, /^locked:!\*:19675:::::1:$/m);
  assert.match(shadow, /^_one:!:19675::::::$/m);
  assert.match(tree.text('etc/gshadow')!, /^adm:x::first,_two$/m);
  assert.deepEqual([tree.stat('etc/shadow')!.mode, tree.stat('etc/shadow')!.gid], [0o640, 42]);
  assert.equal(tree.stat('home/four')!.uid, 1000);
  assert.equal(tree.stat('var/lib/one')!.uid, 100);
});

test('accounts: since adduser 3.157 a system user and its group have one id, or it has that of another group where it is free', () => {
  // seen in guests of Debian 13 (3.152) and 14 (3.159) that mmdebstrap made
  const made = (adduser: string) => {
    const tree = treeOf({
      'etc/passwd': `${PASSWD}first:x:101:65534::/:/bin/sh\n`,
      'etc/group': `${GROUP}postgres:x:150:\nlogs:x:104:\n`,
      'usr/sbin/adduser': adduser,
    });
    shadowConfig(tree, context);
    for (const [name, group] of [
      ['_one', 'own'],
      ['_two', undefined],
      ['_three', 'own'],
      ['postgres', 'own'],
      ['_four', { name: 'logs' }],
      ['_five', { name: 'adm' }],
    ] as const)
      addSystemUser(tree, context, { name, ...(group === undefined ? {} : { group }) });
    const accounts = new Accounts(tree, context);
    return ['_one', '_two', '_three', 'postgres', '_four', '_five'].map((name) => {
      const { uid, gid } = accounts.user(name)!;
      return `${uid}:${gid}`;
    });
  };
  assert.deepEqual(made("'comment:s'"), ['100:101', '102:65534', '103:102', '104:150', '105:104', '106:4']);
  assert.deepEqual(made("'comment:s' sys uidgid= preferred_uid"), [
    ...['102:102', '100:65534', '103:103', '105:150', '104:104', '106:4'],
  ]);
});

test('alternatives: files and links equal those of update-alternatives', {
  skip: needs({ tools: ['update-alternatives'] }),
}, (t) => {
  const root = temporary(t);
  const tree = new Tree();
  for (const path of [
    'usr/bin/vim',
    'usr/bin/nano',
    'usr/bin/ed',
    'usr/share/man/man1/vim.1.gz',
    'usr/share/man/man1/nano.1.gz',
  ]) {
    tree.writeFile(path, path);
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), path);
  }
  for (const path of ['etc/alternatives', 'var/lib/dpkg/alternatives', 'var/log'])
    mkdirSync(join(root, path), { recursive: true });
  const real = (...args: string[]) =>
    execFileSync(tool('update-alternatives')!, ['--root', root, '--log', join(root, 'log'), '--quiet', ...args], {
      stdio: 'pipe',
    });
  const slave = (name: string) => ({
    link: '/usr/share/man/man1/editor.1.gz',
    name: 'editor.1.gz',
    path: `/usr/share/man/man1/${name}.1.gz`,
  });
  const offer = (name: string, priority: number, manual: boolean) => {
    const slaves = manual ? [slave(name)] : [];
    new Alternatives(tree, context, ALTERNATIVES).install({
      link: '/usr/bin/editor',
      name: 'editor',
      path: `/usr/bin/${name}`,
      priority,
      slaves,
    });
    real(
      '--install',
      '/usr/bin/editor',
      'editor',
      `/usr/bin/${name}`,
      String(priority),
      ...slaves.flatMap((s) => ['--slave', s.link, s.name, s.path]),
    );
    same(`after offering ${name}`);
  };
  const same = (when: string) => {
    for (const folder of ['etc/alternatives', 'usr/bin', 'usr/share/man/man1', 'var/lib/dpkg/alternatives']) {
      const theirs = readdirSync(join(root, folder), { withFileTypes: true })
        .map(
          (entry) =>
            `${entry.name} ${entry.isSymbolicLink() ? readlinkSync(join(root, folder, entry.name)) : readFileSync(join(root, folder, entry.name), 'utf8')}`,
        )
        .sort();
      const ours = tree
        .list(folder)
        .map((name) => {
          const inode = tree.lstat(`${folder}/${name}`)!;
          return `${name} ${inode.kind === 'symlink' ? inode.target : tree.text(`${folder}/${name}`)}`;
        })
        .sort();
      assert.deepEqual(ours, theirs, `${when}: ${folder}`);
    }
  };
  offer('nano', 40, true);
  offer('vim', 30, true);
  offer('ed', 40, false);
  offer('ed', 50, false);
  new Alternatives(tree, context, ALTERNATIVES).set('editor', '/usr/bin/vim');
  real('--set', 'editor', '/usr/bin/vim');
  same('after choosing by hand');
  offer('nano', 90, true);
  new Alternatives(tree, context, ALTERNATIVES).remove('editor', '/usr/bin/vim');
  real('--remove', 'editor', '/usr/bin/vim');
  same('after removing the choice');
  for (const name of ['nano', 'ed']) {
    new Alternatives(tree, context, ALTERNATIVES).remove('editor', `/usr/bin/${name}`);
    real('--remove', 'editor', `/usr/bin/${name}`);
  }
  same('after removing all');
  const events: Event[] = [];
  const reporting = { ...context, report: (event: Event) => events.push(event) };
  assert.equal(
    new Alternatives(tree, reporting, ALTERNATIVES).install({
      link: '/usr/bin/x',
      name: 'x',
      path: '/usr/bin/none',
      priority: 1,
    }),
    false,
  );
  assert.equal(events.length, 1);
});

test('units: enabling follows [Install], presets and templates; masking takes precedence', () => {
  const tree = treeOf({
    'usr/lib/systemd/system/a.service':
      '[Unit]\nWantedBy=not.here\n[Install]\nWantedBy=multi-user.target \\\n  other.target\nAlias=b.service\nAlso=a.socket\n',
    'usr/lib/systemd/system/a.socket': '[Install]\nRequiredBy=sockets.target\nAlso=a.service\n',
    'usr/lib/systemd/system/t@.service': '[Install]\nWantedBy=multi-user.target\nDefaultInstance=one\n',
    'usr/lib/systemd/system/static.service': '[Service]\n',
    'usr/lib/systemd/system-preset/90-x.preset': 'disable static.*\ndisable off*\nenable t@.service two three\n',
    'usr/lib/systemd/system/offline.service': '[Install]\nWantedBy=multi-user.target\n',
  });
  const links = () =>
    [...tree.walk()].flatMap(({ path, inode }) =>
      inode.kind === 'symlink' && path.startsWith('etc/systemd')
        ? [`${path.slice(19)} ${inode.target.replace('/usr/lib/systemd/system/', '')}`]
        : [],
    );
  assert.ok(enableUnit(tree, context, 'a.service'));
  assert.deepEqual(links(), [
    'b.service a.service',
    'multi-user.target.wants/a.service a.service',
    'other.target.wants/a.service a.service',
    'sockets.target.requires/a.socket a.socket',
  ]);
  assert.equal(unitState(tree, context, 'a.service'), 'enabled');
  disableUnit(tree, 'a.service');
  disableUnit(tree, 'a.socket');
  assert.deepEqual(links(), []);
  enableUnit(tree, context, 't@.service');
  enableUnit(tree, context, 't@x.service');
  presetUnit(tree, context, 't@.service');
  presetUnit(tree, context, 'offline.service');
  assert.deepEqual(
    links(),
    ['one', 'three', 'two', 'x'].map((i) => `multi-user.target.wants/t@${i}.service t@.service`),
  );
  assert.equal(unitState(tree, context, 'static.service'), 'static');
  assert.equal(unitState(tree, context, 'offline.service'), 'disabled');
  maskUnit(tree, context, 'offline.service');
  assert.equal(unitState(tree, context, 'offline.service'), 'masked');
  assert.equal(enableUnit(tree, context, 'none.service'), false);
});

test('tmpfiles: persistent paths are created, volatile ones are not', () => {
  const tree = treeOf({
    'etc/passwd': PASSWD,
    'etc/group': GROUP,
    'var/keep/x': 'kept',
    'usr/lib/tmpfiles.d/x.conf': [
      'd /var/lib/x 0750 nobody adm -',
      'd /run/x 0755',
      'd! /var/boot 0755',
      'd /var/%m 0755',
      'L+ /etc/mtab - - - - ../proc/self/mounts',
      'L /var/keep/x - - - - /nowhere',
      'f /etc/made 0600 - - - two words\\x21',
      'f /var/keep/x 0600 :nobody',
      'z /var/keep 0700 nobody -',
      'a+ /var/keep - - - - d:group:adm:r-x,group:adm:r-X',
      'd /var/lib/y - _gone -',
      'Q /srv/deep/er :0700 :nobody',
    ].join('\n'),
  });
  const events: Event[] = [];
  systemdTmpfiles(tree, { ...context, report: (event) => events.push(event) }, ['x.conf', 'none.conf']);
  assert.deepEqual(
    [tree.stat('var/lib/x')!.mode, tree.stat('var/lib/x')!.uid, tree.stat('var/lib/x')!.gid],
    [0o750, 65534, 4],
  );
  for (const path of ['run/x', 'var/boot', 'var/%m', 'var/lib/y']) assert.equal(tree.has(path), false, path);
  assert.equal(tree.lstat('etc/mtab')?.kind, 'symlink');
  assert.equal(tree.text('etc/made'), 'two words!');
  assert.deepEqual(
    [tree.text('var/keep/x'), tree.stat('var/keep/x')!.mode, tree.stat('var/keep/x')!.uid],
    ['kept', 0o600, 0],
  );
  assert.deepEqual([tree.stat('srv/deep/er')!.mode, tree.stat('srv/deep/er')!.uid], [0o700, 65534]);
  // rwx for the owner, r-x for adm, the mask in place of the group bits
  assert.equal(
    Buffer.from(tree.stat('var/keep')!.xattrs!.get('system.posix_acl_access')!).toString('hex'),
    '0200000001000700ffffffff04000000ffffffff080005000400000010000500ffffffff20000000ffffffff',
  );
  assert.equal(tree.stat('var/keep')!.mode, 0o750);
  assert.deepEqual(
    events.map((event) => (event.kind === 'warning' ? event.code : '')),
    ['FILE_MISSING', 'OWNER_UNKNOWN'],
  );
});

test('run levels are read from the LSB header', () => {
  const tree = treeOf({
    'etc/init.d/x': '#!/bin/sh\n### BEGIN INIT INFO\n# Default-Start: 2 3 S\n# Default-Stop:\t0\n### END INIT INFO\n',
  });
  rcDefaults(tree, context, 'x');
  const links = [...tree.walk()].filter(({ inode }) => inode.kind === 'symlink').map(({ path }) => path);
  assert.deepEqual(links, ['etc/rc0.d/K01x', 'etc/rc2.d/S01x', 'etc/rc3.d/S01x', 'etc/rcS.d/S01x']);
});

test('certificates: hashes equal those of openssl', { skip: needs({ tools: ['openssl'] }) }, (t) => {
  const folder = temporary(t);
  const subjects = [
    '/C=DE/O=  A   Name with   Blanks /CN=UPPER lower',
    '/CN=Größe é/O=Ünïcode',
    '/O=Two+OU=Parts/CN=x',
    '/CN=*.example.org/emailAddress=Someone@Example.ORG',
    '/O=' + 'long '.repeat(10) + '/CN=end',
  ];
  const tree = new Tree();
  const hashes: string[] = [];
  for (const [i, subject] of subjects.entries()) {
    const file = join(folder, `${i}.crt`);
    execFileSync(
      tool('openssl')!,
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:1024',
        '-nodes',
        '-keyout',
        join(folder, 'key'),
        '-out',
        file,
        '-utf8',
        '-subj',
        subject,
        '-days',
        '9',
        '-multivalue-rdn',
      ],
      { stdio: 'pipe' },
    );
    const expected = execFileSync(tool('openssl')!, ['x509', '-hash', '-noout', '-in', file], {
      encoding: 'utf8',
    }).trim();
    const pem = readFileSync(file, 'latin1');
    assert.equal(subjectHash(certificatesOf(pem)[0]!), expected, subject);
    tree.writeFile(`usr/local/share/ca-certificates/a (${i}), b.crt`, pem);
    hashes.push(`${expected}.0`);
  }
  // one subject twice, and one certificate twice
  const twin = tree.text('usr/local/share/ca-certificates/a (0), b.crt')!;
  tree.writeFile('usr/local/share/ca-certificates/twin.crt', twin);
  updateCertificates(tree, context);
  const names = tree.list('etc/ssl/certs');
  assert.deepEqual(
    names.filter((name) => /^[0-9a-f]{8}\.\d$/.test(name)),
    hashes.sort(),
  );
  assert.ok(names.includes('a_=0=__b.pem') && names.includes('twin.pem'));
  assert.equal(
    tree.text('etc/ssl/certs/ca-certificates.crt')!.match(/BEGIN CERTIFICATE/g)!.length,
    subjects.length + 1,
  );
  const before = names;
  updateCertificates(tree, context);
  assert.deepEqual(tree.list('etc/ssl/certs'), before);
});

test('damaged certificates are skipped, never read beyond their end', () => {
  for (const bytes of [
    [],
    [0x30],
    [0x30, 0x84, 255, 255, 255, 255],
    [0x30, 3, 0x30, 1, 0],
    [0x1f, 0x81, 0],
    Array(64).fill(0x30),
  ])
    assert.equal(subjectHash(Uint8Array.from(bytes)), undefined);
});

test('debconf answers come from the preseed, then from the template', () => {
  const debconf = new Debconf(readPreseed('# comment\ntzdata tzdata/Areas select Europe\nx x/y string two words\n'));
  debconf.load(
    memory(
      'Template: tzdata/Areas\nType: select\nChoices: a, b\nDefault: Etc\nDescription: what\n long\n\nTemplate: q/bool\nType: boolean\n',
    ),
  );
  assert.equal(debconf.get('tzdata/Areas'), 'Europe');
  assert.equal(debconf.get('q/bool'), 'false');
  assert.equal(debconf.get('x/y'), 'two words');
  assert.equal(debconf.get('none'), undefined);
  debconf.set('q/bool', 'true');
  assert.equal(debconf.get('q/bool'), 'true');
  debconf.reset('q/bool');
  assert.equal(debconf.get('q/bool'), 'false');
  assert.equal(debconf.meta('tzdata/Areas', 'Choices'), 'a, b');
});

test('shell patterns', () => {
  for (const [pattern, yes, no] of [
    ['*.service', 'a.service', 'a.socket'],
    ['sys?em[a-c]*', 'systemb', 'systemd'],
    ['[!a]x', 'bx', 'ax'],
    ['a.b', 'a.b', 'aXb'],
    ['(x)+', '(x)+', 'xx'],
  ] as const) {
    assert.ok(matches(compilePattern(pattern, undefined, true), yes), `${pattern} ${yes}`);
    assert.ok(!matches(compilePattern(pattern, undefined, true), no), `${pattern} ${no}`);
  }
});
