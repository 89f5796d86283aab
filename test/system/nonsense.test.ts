import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memory } from '../../src/bytes/content.ts';
import { BuildError } from '../../src/errors/error.ts';
import { silent } from '../../src/events/events.ts';
import { debianContext } from '../../src/families/apt/architecture.ts';
import type { DebianWorld, KnownPackage } from '../../src/families/apt/commands/binding.ts';
import { debianCommands } from '../../src/families/apt/commands/commands.ts';
import { Interpreter } from '../../src/families/apt/commands/interpreter.ts';
import { Debconf } from '../../src/families/apt/configure/debconf.ts';
import { addDiversion, diversions, removeDiversion } from '../../src/families/apt/configure/diversions.ts';
import { addStatOverride, applyOverride, statOverrides } from '../../src/families/apt/configure/overrides.ts';
import { followSection } from '../../src/families/apt/configure/snippets.ts';
import { ucf, ucfPurge, ucfRegister, ucfUnregister } from '../../src/families/apt/configure/ucf.ts';
import type { AptPackage } from '../../src/families/apt/package.ts';
import type { Unpacked } from '../../src/fetch/package.ts';
import { Accounts } from '../../src/system/accounts.ts';
import { parseAcl } from '../../src/system/acl.ts';
import { Alternatives } from '../../src/system/alternatives.ts';
import { updateCatalog } from '../../src/system/catalog.ts';
import { configureCertificates, updateCertificates } from '../../src/system/certificates.ts';
import { parseCapabilities } from '../../src/system/commands/capabilities.ts';
import { globPaths } from '../../src/system/glob.ts';
import { rcDefaults } from '../../src/system/init-links.ts';
import { libraryClosure, loaderFolders, updateLoaderCache } from '../../src/system/loader.ts';
import { LoginDefs } from '../../src/system/login-defs.ts';
import { addSystemUser, userAdd } from '../../src/system/new-accounts.ts';
import { resolveOwner, settleOwners } from '../../src/system/owners.ts';
import { pamAuthUpdate } from '../../src/system/pam.ts';
import { addShell, updateShells } from '../../src/system/shells.ts';
import { systemdSysusers } from '../../src/system/sysusers.ts';
import { systemdTmpfiles } from '../../src/system/tmpfiles.ts';
import { disableUnit, enableUnit, presetUnit, unitState } from '../../src/system/units.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { NONSENSE, variations } from '../support/nonsense.ts';
import { smallSystem } from '../support/postinst.ts';

const context = debianContext({ architecture: 'amd64', epoch: 1_700_000_000, report: silent });
const ADMIN = 'var/lib/dpkg/alternatives';

/** Each file of a guest, a valid text of it, and the code that reads it. */
const READERS: Readonly<Record<string, readonly [path: string, valid: string, read: (tree: Tree) => unknown]>> = {
  passwd: ['etc/passwd', 'root:x:0:0:root:/root:/bin/sh\na:x:1:1::/:/bin/sh\n', accounts],
  group: ['etc/group', 'root:x:0:\na:x:1:root,a\n', accounts],
  shadow: ['etc/shadow', 'root:*:1::::::\n', accounts],
  gshadow: ['etc/gshadow', 'root:*::\n', accounts],
  'login.defs': ['etc/login.defs', 'UID_MIN 1000\nUID_MAX 60000\nHOME_MODE 0700\n', accounts],
  sysusers: ['usr/lib/sysusers.d/x.conf', 'u a 400:root "A" /x /bin/sh\nm a root\ng b -\nr - 500-600\n', sysusers],
  tmpfiles: [
    'usr/lib/tmpfiles.d/x.conf',
    'd /var/x 0755 root root -\nL /var/l - - - - /x\nf /var/f 0644 - - - a\\x20b\na+ /var/x - - - - d:group:adm:r-x\nZ /var/* 0700 - -\nt /var/x - - - - user.a=b\nc /var/c - - - - 1:3\nC /var/y - - - - /etc\n',
    (tree) => systemdTmpfiles(tree, context),
  ],
  unit: [
    'usr/lib/systemd/system/a@.service',
    '[Unit]\n[Install]\nWantedBy=x.target\nAlias=b@%i.service\nAlso=c.socket\nDefaultInstance=tty1\n',
    (tree) => {
      for (const name of ['a@.service', 'a@b.service']) {
        enableUnit(tree, context, name);
        unitState(tree, context, name);
        disableUnit(tree, name);
      }
    },
  ],
  preset: [
    'usr/lib/systemd/system-preset/x.preset',
    'enable a.service\ndisable *\n',
    (tree) => presetUnit(tree, context, 'a.service', 'system', 'full'),
  ],
  alternatives: [
    `${ADMIN}/x`,
    'auto\n/usr/bin/x\nx.1\n/usr/share/x.1\n\n/usr/bin/y\n10\n/usr/share/y.1\n\n',
    (tree) => {
      const alternatives = new Alternatives(tree, context, ADMIN);
      alternatives.auto('x');
      alternatives.install({ link: '/usr/bin/x', name: 'x', path: '/etc/passwd', priority: 1 });
      alternatives.set('x', '/etc/passwd');
      alternatives.remove('x', '/etc/passwd');
    },
  ],
  diversions: [
    'var/lib/dpkg/diversions',
    '/a\n/b\nc\n',
    (tree) => {
      addDiversion(tree, context, { from: '/x', to: '/y', package: 'p' }, true);
      for (const one of diversions(tree).slice(0, 20)) removeDiversion(tree, context, { from: one.from }, true);
    },
  ],
  statoverride: [
    'var/lib/dpkg/statoverride',
    'root root 4755 /etc/passwd\n#5 #6 644 /etc/group\n',
    (tree) => {
      for (const one of statOverrides(tree)) applyOverride(tree, context, one);
      addStatOverride(tree, context, { user: 'root', group: 'root', mode: '755', path: '/etc' }, true);
    },
  ],
  ucf: ['var/lib/ucf/hashfile', `${'a'.repeat(32)}  /etc/x\n`, ucfAll],
  'ucf registry': ['var/lib/ucf/registry', 'thing \t /etc/x\n', ucfAll],
  'init script': [
    'etc/init.d/x',
    '#!/bin/sh\n### BEGIN INIT INFO\n# Default-Start: 2 3\n# Default-Stop: 0\n### END INIT INFO\n',
    (tree) => rcDefaults(tree, context, 'x'),
  ],
  'ld.so.conf': [
    'etc/ld.so.conf',
    'include /etc/ld.so.conf.d/*.conf\n/usr/lib\nhwcap 1 x\n',
    (tree) => [loaderFolders(tree, context), updateLoaderCache(tree, context)],
  ],
  library: [
    'usr/lib/libx.so.1',
    '\x7fELF\x02\x01\x01',
    (tree) => [updateLoaderCache(tree, context), libraryClosure(tree, context, '/usr/lib/libx.so.1')],
  ],
  'pam profile': [
    'usr/share/pam-configs/x',
    'Name: x\nDefault: yes\nPriority: 256\nAuth-Type: Primary\nAuth:\n\t[success=end default=ignore]\tpam_x.so\n',
    (tree) => pamAuthUpdate(tree, context, true),
  ],
  'pam template': [
    'usr/share/pam/common-auth',
    '# here are the per-package modules\n',
    (tree) => pamAuthUpdate(tree, context),
  ],
  shells: ['etc/shells', '# comment\n/bin/sh\n', shells],
  'shells template': ['usr/share/debianutils/shells', '/bin/sh\n', shells],
  certificates: ['etc/ca-certificates.conf', 'mozilla/x.crt\n!mozilla/y.crt\n', certificates],
  certificate: [
    'usr/local/share/ca-certificates/x.crt',
    '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
    certificates,
  ],
  catalog: [
    'usr/lib/systemd/catalog/x.catalog',
    '-- 0123456789abcdef0123456789abcdef de\nSubject: x\n\ntext\n',
    (tree) => updateCatalog(tree, context),
  ],
};

function accounts(tree: Tree): void {
  new Accounts(tree, context).convertToShadow();
  addSystemUser(tree, context, { name: 'x', group: 'own' });
  userAdd(tree, context, { name: 'y', createHome: true, group: 'users' });
  userAdd(tree, context, { name: 'z', system: true });
  new LoginDefs(tree).ids('group', true);
  settleOwners(tree, context);
}

function sysusers(tree: Tree): void {
  systemdSysusers(tree, context);
}

function ucfAll(tree: Tree): void {
  ucf(tree, context, '/etc/passwd', '/etc/x');
  ucfRegister(tree, context, 'thing', '/etc/x');
  ucfUnregister(tree, context, 'thing', '/etc/x');
  ucfPurge(tree, context, '/etc/x');
}

function shells(tree: Tree): void {
  updateShells(tree, context);
  addShell(tree, context, ['/bin/x']);
}

function certificates(tree: Tree): void {
  configureCertificates(tree, context);
  updateCertificates(tree, context);
}

for (const [name, [path, valid, read]] of Object.entries(READERS))
  test(`nonsense in ${name}: no error but those with a code, and the tree stays readable`, () => {
    for (const text of variations(valid)) {
      const tree = smallSystem();
      tree.writeFile(path, memory(Buffer.from(text, 'utf8')));
      try {
        read(tree);
        for (const _ of tree.walk());
      } catch (error) {
        // such as a diversion of the top directory
        if (!(error instanceof BuildError))
          assert.fail(`${name} of ${JSON.stringify(text.slice(0, 60))}: ${String((error as Error).stack)}`);
      }
    }
  });

test('nonsense as names, owners, lists and patterns: no error but those with a code', () => {
  for (const text of NONSENSE) {
    const tree = smallSystem();
    const known = new Accounts(tree, context);
    for (const check of [
      () => parseAcl(text, known),
      () => parseAcl(`user:${text}:rwx,m::${text}`, known),
      () => parseCapabilities(text),
      () => resolveOwner(tree, context, text),
      () => globPaths(tree, text),
      () => globPaths(tree, `/etc/${text}`),
      () => enableUnit(tree, context, text),
      () => disableUnit(tree, text),
      () => addSystemUser(tree, context, { name: text, home: text, group: { name: text } }),
      () =>
        new Alternatives(tree, context, ADMIN).install({ link: text, name: text, path: '/etc/passwd', priority: 1 }),
      () => addDiversion(tree, context, { from: text, to: `${text}.x`, package: text }, true),
      () => addStatOverride(tree, context, { user: text, group: text, mode: '644', path: text }, true),
      () => ucf(tree, context, '/etc/passwd', text),
      ...['dh_installsystemd', 'dh_installalternatives', 'dh_installtmpfiles', 'dh_apparmor', 'dh_ucf', text].map(
        (tool) => () => followSection(tree, context, { tool, line: 1, text }),
      ),
    ])
      try {
        check();
      } catch (error) {
        if (!(error instanceof BuildError))
          assert.fail(`${check} of ${JSON.stringify(text.slice(0, 60))}: ${String((error as Error).stack)}`);
      }
  }
});

const world: DebianWorld = {
  ...{ tree: smallSystem(), context, debconf: new Debconf(), package: 'thing' },
  known: () => undefined,
  packages: () => [],
  trigger: () => {},
  leaveOut: () => {},
};

const KNOWN: KnownPackage = {
  ...{ name: 'thing', version: '1', architecture: 'amd64', status: 'installed' },
  files: () => ['/.', '/etc', '/etc/passwd'],
  controlFiles: () => ['postinst'],
  field: (name) => (name === 'Multi-Arch' ? 'same' : undefined),
};

/** Words in front of nonsense, so that it reaches each part of a command. */
const PREFIXES = `
  dpkg --compare-versions 1 lt|dpkg -S|dpkg-divert --add|dpkg-divert --rename --divert /x --add|dpkg-statoverride --update --add root root
  dpkg-statoverride --add root root 644|dpkg-query -W -f|dpkg-query -W -f "\${constructor} \${toString;9}\${"|dpkg-query -l|update-alternatives --install /usr/bin/x x /etc/passwd
  update-alternatives --install /x x|update-alternatives --set x|update-alternatives --query|useradd -u|useradd -e|useradd -G|useradd -d
  useradd -g|groupadd -g|usermod -l|usermod -G|usermod -e|groupmod -n x|groupmod -g|chage -E|chage -M|passwd -x|gpasswd -M|adduser --system
  adduser --uid|adduser --firstuid|deluser|systemctl enable|systemctl preset|systemctl set-default|systemd-sysusers --inline|systemd-tmpfiles --create
  update-rc.d|deb-systemd-helper enable|deb-systemd-helper update-state|setcap cap_chown+ep|setcap|update-locale|update-locale LANG=|su -c
  setpriv --reuid|ucf /etc/passwd|ucfr thing|ucfq -w|a2enmod|a2query -m|postconf -e|postconf -x|pg_conftool|helpztags|db_get|db_set
  db_subst x|db_metaget|debconf-set-selections|java -jar|locale`
  .split(/[|\n]/)
  .map((words) => words.trim())
  .filter((words) => words !== '');

test('nonsense as arguments of every emulated command: a status, never an error of ours', () => {
  const short = NONSENSE.filter((text) => text.length < 100 && !text.includes('\0'));
  const names = [...debianCommands(world).keys()];
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const lines = [...names, ...PREFIXES].map((words) =>
    short.map((text) => `${words} ${quote(text)} </etc/passwd >/dev/null 2>&1 || :`).join('\n'),
  );
  const tree = smallSystem({ 'etc/apache2/mods-available/x.load': '# Depends: x\n', 'etc/postfix/main.cf': 'a = b\n' });
  for (const text of lines) {
    const of = {
      package: { name: 'thing', version: '1', architecture: 'all' } as AptPackage,
      control: new Map([['postinst', { mode: 0o755, content: memory(Buffer.from(`#!/bin/sh\n${text}\n`)) }]]),
      entries: [],
    } as unknown as Unpacked<AptPackage>;
    const runner = new Interpreter({
      tree,
      context,
      debconf: new Debconf(),
      known: () => KNOWN,
      packages: () => [KNOWN],
    });
    assert.doesNotThrow(() => runner.interpret(of, 'postinst', ['configure', '']), text.slice(0, 200));
  }
  for (const { path } of tree.walk()) assert.ok(!String(path).split('/').includes('..'), path);
});
