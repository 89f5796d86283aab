import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { copySkeleton } from '../../../src/system/homes.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { needs, temporary, tool } from '../../support/data.ts';
import { base, DNF_TOOLS, DnfRepository, folders, libraries, listing } from '../../support/dnf-root.ts';
import { makeRpms, type SmallRpm } from '../../support/rpms.ts';

/** Accounts that scripts of packages make with the programs of shadow, as dnf runs them and as we do. */

const PROGRAMS = 'useradd groupadd usermod groupmod gpasswd userdel groupdel chage'.split(' ');

/** shadow's programs, configured as Fedora and Azure Linux do. */
function shadow(): SmallRpm {
  const paths = PROGRAMS.map((name) => tool(name)!);
  const needed = new Set(paths.flatMap(libraries));
  // PAM asks nothing of root where it is not configured to
  const pam = PROGRAMS.map((name) => ({
    name: `etc/pam.d/${name}`,
    data: 'auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n',
  }));
  const module = ['/lib/x86_64-linux-gnu/security/pam_permit.so'];
  return {
    name: 'shadow',
    architecture: 'x86_64',
    tags: { Requires: ['busybox'], Provides: PROGRAMS.map((name) => `/usr/sbin/${name}`) },
    files: [
      ...PROGRAMS.map((name, i) => ({ name: `usr/sbin/${name}`, data: readFileSync(paths[i]!), mode: 0o755 })),
      ...[...needed, ...module]
        .filter((path) => !/\/(libc\.so\.6|ld-linux\S*)$/.test(path))
        .map((path) => ({ name: `usr${path.replace(/^\/usr/, '')}`, data: readFileSync(path), mode: 0o755 })),
      ...pam,
      {
        name: 'etc/login.defs',
        mode: 0o644,
        data: 'MAIL_DIR /var/spool/mail\nPASS_MAX_DAYS 99999\nPASS_MIN_DAYS 0\nPASS_WARN_AGE 7\nUID_MIN 1000\nUID_MAX 60000\nSYS_UID_MIN 201\nSYS_UID_MAX 999\nGID_MIN 1000\nGID_MAX 60000\nSYS_GID_MIN 201\nSYS_GID_MAX 999\nCREATE_HOME yes\nUSERGROUPS_ENAB yes\nENCRYPT_METHOD SHA512\nUMASK 022\nHOME_MODE 0700\n',
      },
      {
        name: 'etc/default/useradd',
        mode: 0o600,
        data: 'GROUP=100\nHOME=/home\nINACTIVE=-1\nEXPIRE=\nSHELL=/bin/bash\nSKEL=/etc/skel\nCREATE_MAIL_SPOOL=yes\n',
      },
      ...folders('etc/skel', 'home', 'var/spool', 'var/spool/mail'),
      { name: 'etc/skel/.profile', data: 'skel' },
      { name: 'etc/skel/.config/', mode: 0o700 },
      { name: 'etc/skel/.link', link: '.profile' },
    ],
  };
}

const SCRIPTS: readonly string[] = [
  'groupadd -r alpha',
  'useradd -r -g alpha -d / -s /sbin/nologin -c "Alpha daemon" alpha',
  'groupadd -g 47 fixed && useradd -u 47 -g fixed -M -r fixed',
  'useradd -r -U -G alpha,mail both',
  'groupadd -f -r alpha && groupadd -r alpha; echo "status $?" >> /status',
  'usermod -aG mail,fixed alpha',
  'usermod -G mail alpha',
  'usermod -L both && usermod -s /bin/false -d /srv -c changed both',
  'usermod -l renamed both',
  'groupmod -n alphas alpha && groupmod -g 55 fixed',
  'gpasswd -a renamed fixed && gpasswd -d renamed mail',
  'gpasswd -M alpha,renamed mail',
  'gpasswd -A alpha -M renamed fixed',
  'useradd human',
  'useradd -m -k /etc/skel -s /bin/sh -u 1500 -g mail -G alphas,fixed second',
  'useradd -r -o -u 47 twin',
  'useradd -N -r nogroup; useradd -r nogroup; echo "status $?" >> /status',
  'useradd -g missing -r x; echo "status $?" >> /status; groupadd -g 55 y; echo "status $?" >> /status; usermod -aG missing alpha; echo "status $?" >> /status',
  'useradd -u 48 lowly && useradd -r -u 49 lower && useradd -u 70000 high',
  'userdel -r lowly; usermod -l tall high',
  'userdel twin; groupdel mail; echo "status $?" >> /status',
  'usermod -u 1600 -g fixed second',
  'usermod -p "*" -e 2030-01-02 -f 5 second; chage -M 30 -d 1 renamed',
];

for (const databases of [['shadow', 'gshadow'], ['shadow']])
  describe(`accounts with ${databases.join(' and ')}`, {
    skip: needs({ tools: [...DNF_TOOLS, ...PROGRAMS], root: true }),
  }, () => {
    let ours: string;
    let theirs: string;
    const closing: (() => void)[] = [];
    before(async () => {
      const folder = temporary({ after: (fn) => void closing.push(fn) });
      const gshadow = {
        name: 'etc/gshadow',
        data: 'root:::\ndaemon:::\nmail:::\n',
        mode: 0,
        flags: '%config(noreplace)',
      };
      const packages = base().map(
        (one): SmallRpm =>
          one.name === 'setup' && databases.includes('gshadow') ? { ...one, files: [...one.files!, gshadow] } : one,
      );
      const steps = SCRIPTS.map(
        (text, i): SmallRpm => ({
          name: `step-${String(i).padStart(2, '0')}`,
          tags: { 'Requires(pre)': ['shadow', ...(i === 0 ? [] : [`step-${String(i - 1).padStart(2, '0')}`])] },
          files: [{ name: `usr/share/step-${i}`, data: 'x', user: 'alpha', group: 'fixed' }],
          scripts: {
            pre: `${text}\nfor f in passwd group shadow gshadow; do echo "${i} $f" >> /states; cat /etc/$f >> /states; done\nexit 0`,
          },
        }),
      );
      const made = new DnfRepository(folder, [...makeRpms(folder, [...packages, shadow(), ...steps]).values()]);
      const wanted = steps.map(({ name }) => name);
      theirs = join(folder, 'theirs');
      const run = made.dnf(theirs, 'install', ...wanted);
      assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
      ours = join(folder, 'ours');
      const built = await made.build(ours, wanted, '--json');
      assert.equal(built.code, 0, built.stderr);
      assert.doesNotMatch(built.stdout, /SCRIPT_LINE/);
    });
    after(() => {
      for (const close of closing) close();
    });

    test('the files of accounts are the same after each script', () => {
      // passwords change on the day of the build for one, and on that of the epoch for the other
      const states = (root: string) =>
        readFileSync(join(root, 'states'), 'utf8')
          .replace(/^([^:\n]+:[^:\n]*:)\d{5}:/gm, '$1DAY:')
          .split(/^(?=\d+ \w+$)/m);
      assert.deepEqual(states(ours), states(theirs));
      assert.equal(readFileSync(join(ours, 'status'), 'utf8'), readFileSync(join(theirs, 'status'), 'utf8'));
    });

    test('every path is as dnf made it', () => {
      const shown = (root: string) =>
        listing(root).filter(
          (line) => !/^(states|etc\/(shadow|gshadow|\.pwd\.lock|(passwd|group|shadow|gshadow)-)) /.test(line),
        );
      assert.deepEqual(shown(ours), shown(theirs));
    });
  });

test('a skeleton that the home is in is copied once, without it', () => {
  const tree = new Tree();
  tree.writeFile('srv/a', 'a');
  tree.makeDirectory('srv/deep/home');
  const context = { epoch: 0, machine: 'x86_64', defaultLibraryFolders: [], report: () => undefined };
  copySkeleton(tree, context, 'srv', 'srv/deep/home', { uid: 5, gid: 6 });
  const paths = [...tree.walk()].map(({ path, inode }) => `${path} ${inode.uid}:${inode.gid}`);
  assert.deepEqual(paths.slice(1), [
    'srv 0:0',
    'srv/a 0:0',
    'srv/deep 0:0',
    'srv/deep/home 0:0',
    'srv/deep/home/a 5:6',
    'srv/deep/home/deep 5:6',
  ]);
});
