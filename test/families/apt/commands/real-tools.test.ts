import { deepEqual, equal, ok } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { memory } from '../../../../src/bytes/content.ts';
import { silent } from '../../../../src/events/events.ts';
import { debianContext } from '../../../../src/families/apt/architecture.ts';
import { Interpreter } from '../../../../src/families/apt/commands/interpreter.ts';
import { Debconf } from '../../../../src/families/apt/configure/debconf.ts';
import type { AptPackage } from '../../../../src/families/apt/package.ts';
import type { Unpacked } from '../../../../src/fetch/package.ts';
import { encodeCapabilities, parseCapabilities } from '../../../../src/system/commands/capabilities.ts';
import { Tree } from '../../../../src/tree/tree.ts';
import { needs, random, temporary, tool } from '../../../support/data.ts';

/** A command with its arguments. */
type Step = readonly [string, ...string[]];

/** Options of the real tools that name the root folder. */
type Rooted = (root: string, step: Step) => { args: readonly string[]; env?: Readonly<Record<string, string>> };

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Runs steps with the real tools in a folder and with ours in a tree: statuses and files must be the same. */
function compareRuns(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  steps: readonly Step[],
  rooted: Rooted,
  options: { readonly compare: readonly string[]; readonly clean?: (path: string, text: string) => string },
): void {
  const root = temporary(t);
  const tree = new Tree();
  for (const [path, text] of Object.entries(files)) {
    if (path.endsWith('/')) {
      mkdirSync(join(root, path), { recursive: true });
      tree.makeDirectory(path.slice(0, -1));
      continue;
    }
    mkdirSync(dirname(join(root, path)), { recursive: true });
    const mode = path.endsWith('shadow') ? 0o640 : 0o644;
    writeFileSync(join(root, path), text, { mode });
    tree.writeFile(path, memory(Buffer.from(text))).mode = mode;
  }
  const script = `#!/bin/sh\n${steps.map((step) => `${step.map(quote).join(' ')} >/dev/null 2>&1; echo $?\n`).join('')}`;
  const of = {
    package: { name: 'thing', version: '1', architecture: 'all' } as AptPackage,
    control: new Map([['postinst', { mode: 0o755, content: memory(script) }]]),
    entries: [],
  } as Unpacked<AptPackage>;
  const context = debianContext({ architecture: 'amd64', epoch: 1_700_000_000, report: silent });
  const result = new Interpreter({ tree, context, debconf: new Debconf() }).interpret(of, 'postinst', [
    'configure',
    '',
  ]);
  equal(result?.outcome.kind, 'whole', JSON.stringify(result?.outcome));
  const ours = result.stdout.trimEnd().split('\n');
  const printed = (list: readonly Step[]) => list.map((step) => step.join(' ')).join('\n');
  for (const [i, step] of steps.entries()) {
    const { args, env = {} } = rooted(root, step);
    const done = spawnSync(tool(step[0])!, args, {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', DPKG_MAINTSCRIPT_PACKAGE: 'thing', ...env },
      encoding: 'utf8',
    });
    equal(ours[i], String(done.status), `${printed(steps.slice(0, i + 1))}\n${done.stderr}`);
  }
  const { compare, clean = (_, text) => text } = options;
  const real = new Map<string, string>();
  const walk = (path: string): void => {
    const full = join(root, path);
    const stat = lstatSync(full, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (stat.isSymbolicLink()) real.set(path, `-> ${readlinkSync(full)}`);
    else if (stat.isDirectory()) for (const name of readdirSync(full)) walk(`${path}/${name}`);
    else real.set(path, `${(stat.mode & 0o7777).toString(8)} ${clean(path, readFileSync(full, 'utf8'))}`);
  };
  for (const path of compare) walk(path);
  const mine = new Map<string, string>();
  for (const { path, inode } of tree.walk()) {
    const text = String(path);
    if (!compare.some((one) => text === one || text.startsWith(`${one}/`))) continue;
    if (inode.kind === 'symlink') mine.set(text, `-> ${inode.target}`);
    else if (inode.kind === 'file')
      mine.set(
        text,
        `${inode.mode.toString(8)} ${clean(text, Buffer.from(inode.content.readSync()).toString('utf8'))}`,
      );
  }
  const backup = /(-old|-|\.dpkg-tmp|\.lock)$/;
  const sorted = (map: Map<string, string>) => [...map].filter(([path]) => !backup.test(path)).sort();
  deepEqual(sorted(mine), sorted(real), printed(steps));
}

const ROUNDS = 40;

/** login.defs with other ages of passwords, with some of them, with none. */
const withAges = (text: string, seed: number): string =>
  ['PASS_MIN_DAYS', 'PASS_MAX_DAYS', 'PASS_WARN_AGE'].reduce((all, name, i) => {
    const value = [undefined, '', '0', '30', '-1'][(seed + i * (1 + (seed % 3))) % 5];
    return value === undefined
      ? all
      : all.replace(new RegExp(`^${name}.*$`, 'm'), value === '' ? '' : `${name}\t${value}`);
  }, text);

describe('emulated helpers against the real ones', () => {
  test('update-alternatives: random sequences of installing, choosing and removing', {
    skip: needs({ tools: ['update-alternatives'] }),
  }, (t) => {
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const dice = random(seed);
      const files: Record<string, string> = { 'etc/alternatives/': '', 'var/lib/dpkg/alternatives/': '' };
      for (const name of ['a', 'b', 'c', 'd']) {
        files[`usr/bin/${name}`] = name;
        if (name !== 'd') files[`usr/share/man/man1/${name}.1`] = name;
      }
      const steps = Array.from({ length: 8 }, (): Step => {
        const path = `/usr/bin/${dice.pick(['a', 'b', 'c', 'd', 'nosuch'])}`;
        const slaves = dice.pick([
          [],
          ['--slave', '/usr/share/man/man1/e.1', 'e.1', path.replace('bin', 'share/man/man1').concat('.1')],
          ['--slave', '/usr/bin/eye', 'eye', path],
        ]);
        const tool = 'update-alternatives';
        switch (dice.below(7)) {
          case 0:
            return [tool, '--set', 'e', path];
          case 1:
            return [tool, '--auto', 'e'];
          case 2:
            return [tool, '--remove', 'e', path];
          case 3:
            return [tool, '--remove-all', 'e'];
          default:
            return [tool, '--install', '/usr/bin/e', 'e', path, String(dice.pick([10, 20, 20, 30])), ...slaves];
        }
      });
      compareRuns(
        t,
        files,
        steps,
        (root, [, ...args]) => ({ args: ['--root', root, '--log', '/dev/null', '--quiet', ...args] }),
        { compare: ['usr', 'etc/alternatives', 'var/lib/dpkg/alternatives'] },
      );
    }
  });

  test('dpkg-divert: random sequences, with and without moving files', {
    skip: needs({ tools: ['dpkg-divert'] }),
  }, (t) => {
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const dice = random(seed * 7);
      const steps = Array.from({ length: 6 }, (): Step => {
        const path = `/usr/bin/${dice.pick(['a', 'b', 'nosuch'])}`;
        const owner = dice.pick([['--local'], ['--package', 'thing'], ['--package', 'other'], []]);
        const to = dice.pick([[], ['--divert', `${path}.away`], ['--divert', `${path}.distrib`]]);
        const rename = dice.pick(['--rename', '--no-rename']);
        return ['dpkg-divert', ...owner, ...to, rename, dice.pick(['--add', '--add', '--remove']), path];
      });
      compareRuns(
        t,
        { 'usr/bin/a': 'a', 'usr/bin/b': 'b', 'var/lib/dpkg/diversions': '', 'var/lib/dpkg/status': '' },
        steps,
        (root, [, ...args]) => ({ args: ['--root', root, ...args] }),
        { compare: ['usr', 'var/lib/dpkg/diversions'] },
      );
    }
  });

  test('dpkg-statoverride: adding, forcing, removing', { skip: needs({ tools: ['dpkg-statoverride'] }) }, (t) => {
    if (process.getuid?.() !== 0) return t.skip('owners are set by root alone');
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const dice = random(seed * 11);
      const steps = Array.from({ length: 6 }, (): Step => {
        const path = `/usr/bin/${dice.pick(['a', 'b', 'nosuch'])}`;
        if (dice.below(4) === 0) return ['dpkg-statoverride', '--quiet', '--remove', path];
        if (dice.below(5) === 0) return ['dpkg-statoverride', '--list', dice.pick([path, '/usr/bin/*', '/none'])];
        const more = dice.pick([[], ['--update'], ['--force-statoverride-add', '--update']]);
        return [
          ...(['dpkg-statoverride', ...more, '--add'] as const),
          ...[dice.pick(['root', '#0']), dice.pick(['adm', 'root', '#4']), dice.pick(['4755', '0750', '644']), path],
        ];
      });
      compareRuns(
        t,
        {
          'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
          'etc/group': 'root:x:0:\nadm:x:4:\n',
          ...{ 'usr/bin/a': 'a', 'usr/bin/b': 'b', 'var/lib/dpkg/statoverride': '' },
        },
        steps,
        (root, [, ...args]) => ({ args: ['--root', root, ...args] }),
        { compare: ['usr', 'var/lib/dpkg/statoverride'] },
      );
    }
    return undefined;
  });

  test('deb-systemd-helper: units enabled, masked and purged', {
    skip: needs({ tools: ['deb-systemd-helper'] }),
  }, (t) => {
    for (let seed = 1; seed <= 8; seed++) {
      const dice = random(seed * 13);
      const unit = (install: string) => `[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n[Install]\n${install}`;
      const steps = Array.from({ length: 5 }, (): Step => {
        const action = dice.pick([
          ...['enable', 'enable', 'update-state', 'disable', 'mask', 'unmask', 'was-enabled', 'debian-installed'],
          ...['purge', 'reenable', 'is-enabled'],
        ]);
        return ['deb-systemd-helper', action, dice.pick(['a.service', 'b.service', 'c.socket'])];
      });
      compareRuns(
        t,
        {
          'usr/lib/systemd/system/a.service': unit('WantedBy=multi-user.target\nAlias=alias.service\n'),
          'usr/lib/systemd/system/b.service': unit('RequiredBy=a.target b.target\nAlso=c.socket\n'),
          'usr/lib/systemd/system/c.socket': unit('WantedBy=sockets.target\n'),
          'etc/systemd/system/': '',
          'var/lib/systemd/': '',
        },
        steps,
        (root, [, ...args]) => ({ args, env: { DPKG_ROOT: root, _DEB_SYSTEMD_HELPER_PURGE: '0' } }),
        { compare: ['etc/systemd', 'var/lib/systemd'] },
      );
    }
  });

  test('deb-systemd-helper: lines of [Install] in any order', {
    skip: needs({ tools: ['deb-systemd-helper'] }),
  }, (t) => {
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const dice = random(seed * 19);
      const names = ['a.service', 'b.service', 'c.socket', 'd@.service'];
      const line = () =>
        dice.pick([
          `Also=${dice.pick(names)}`,
          `Also=${dice.pick(names)} "${dice.pick(names)}"`,
          `Alias=alias-${dice.below(4)}.service`,
          `WantedBy=${dice.pick(['multi-user.target', 'x.target y.target', '"z.target"'])}`,
          `RequiredBy=${dice.pick(['multi-user.target', 'x.target'])}`,
          `DefaultInstance=${dice.pick(['tty1', '"one"'])}`,
          '# a comment',
          '',
        ]);
      const unit = () =>
        `[Unit]\nDescription=x\n[Install]\n${Array.from({ length: 1 + dice.below(6) }, line).join('\n')}\n`;
      compareRuns(
        t,
        {
          ...Object.fromEntries(names.map((name) => [`usr/lib/systemd/system/${name}`, unit()])),
          'etc/systemd/system/': '',
          'var/lib/systemd/': '',
        },
        ['enable', 'update-state', 'enable'].map((action): Step => ['deb-systemd-helper', action, dice.pick(names)]),
        (root, [, ...args]) => ({ args, env: { DPKG_ROOT: root, _DEB_SYSTEMD_HELPER_PURGE: '0' } }),
        { compare: ['etc/systemd', 'var/lib/systemd'] },
      );
    }
  });

  test('useradd, groupadd, usermod, userdel: the four files', {
    skip: needs({ tools: ['useradd', 'groupadd', 'usermod', 'userdel', 'groupdel'] }),
  }, (t) => {
    if (process.getuid?.() !== 0) return t.skip('accounts are made by root alone');
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const dice = random(seed * 17);
      const name = () => dice.pick(['one', 'two', 'three']);
      const steps = Array.from({ length: 6 }, (): Step => {
        switch (dice.below(6)) {
          case 0:
            return ['groupadd', ...dice.pick([[], ['-r'], ['-g', '300'], ['-f']]), name()];
          case 1:
            return [
              'usermod',
              ...dice.pick([['-a', '-G', 'adm'], ['-s', '/bin/x'], ['-c', 'Some One'], ['-L'], ['-d', '/y']]),
              name(),
            ];
          case 2:
            return dice.below(2) === 0 ? ['userdel', name()] : ['groupdel', name()];
          default:
            return [
              'useradd',
              ...dice.pick([['-r'], ['-r', '-u', '250'], ['-r', '-g', 'adm'], ['-M'], ['-M', '-N'], ['-r', '-U']]),
              ...dice.pick([[], ['-d', '/var/lib/x'], ['-s', '/usr/sbin/nologin'], ['-c', 'Name']]),
              name(),
            ];
        }
      });
      compareRuns(
        t,
        {
          'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
          'etc/group': 'root:x:0:\nadm:x:4:\nusers:x:100:\n',
          'etc/shadow': 'root:*:19000:0:99999:7:::\n',
          'etc/gshadow': 'root:*::\nadm:*::\nusers:*::\n',
          'etc/login.defs': withAges(readFileSync('/etc/login.defs', 'utf8'), seed),
          'etc/subuid': '',
          'etc/subgid': '',
          'etc/default/useradd': 'SHELL=/bin/sh\n',
        },
        steps,
        (root, [, ...args]) => ({ args: ['--prefix', root, ...args] }),
        {
          compare: ['etc/passwd', 'etc/group', 'etc/shadow', 'etc/gshadow'],
          clean: (path, text) =>
            // modes of shadow files belong to the distribution; the day is the current one
            path.endsWith('shadow') ? text.replace(/^((?!root)[^:]*:[^:]*):\d+:/gm, '$1:DAY:') : text,
        },
      );
    }
    return undefined;
  });

  test('usermod, groupmod, gpasswd, chage, passwd: the four files', {
    skip: needs({ tools: ['useradd', 'usermod', 'groupmod', 'gpasswd', 'chage', 'passwd'] }),
  }, (t) => {
    if (process.getuid?.() !== 0) return t.skip('accounts are made by root alone');
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const dice = random(seed * 23);
      const name = () => dice.pick(['one', 'two', 'three']);
      const steps = Array.from({ length: 8 }, (): Step => {
        switch (dice.below(6)) {
          case 0:
            return [
              'gpasswd',
              ...dice.pick([
                ['-a', 'one'],
                ['-d', 'one'],
                ['-M', 'one,two'],
                ['-d', 'none'],
              ]),
              'staffs',
            ];
          case 1:
            return [
              'chage',
              ...dice.pick([
                ['-E', '2030-01-02'],
                ['-E', '-1'],
                ['-d', '0'],
                ['-M', '90'],
                ['-m', '1'],
                ['-W', '3'],
                ['-I', '5'],
              ]),
              name(),
            ];
          case 2:
            return [
              'groupmod',
              ...dice.pick([
                ['-g', '2004'],
                ['-g', '700'],
                ['-n', 'four'],
                ['-n', 'staffs'],
                ['-o', '-g', '2004'],
              ]),
              dice.pick(['one', 'people', 'four']),
            ];
          case 3:
            return [
              'passwd',
              ...dice.pick([['-l'], ['-u'], ['-d'], ['-e'], ['-x', '40'], ['-n', '2'], ['-i', '3']]),
              name(),
            ];
          default:
            return [
              'usermod',
              ...dice.pick([
                ['-G', 'staffs,people'],
                ['-G', ''],
                ['-a', '-G', 'people'],
                ['-r', '-G', 'staffs'],
                ['-g', 'people'],
                ['-g', '2004'],
                ['-l', 'renamed'],
                ['-L'],
                ['-U'],
                ['-e', '2031-05-06'],
                ['-f', '9'],
                ['-p', 'hash'],
                ['-s', '/bin/x', '-c', 'Some One'],
                ['-g', 'none'],
              ]),
              name(),
            ];
        }
      });
      compareRuns(
        t,
        {
          'etc/passwd':
            'root:x:0:0:root:/root:/bin/sh\none:x:1001:1001::/home/one:/bin/sh\ntwo:x:1002:2100::/home/two:/bin/sh\n',
          'etc/group': 'root:x:0:\nstaffs:x:2004:two\npeople:x:2100:\none:x:1001:\n',
          'etc/shadow': 'root:*:19000:0:99999:7:::\none:!:19000:0:99999:7:::\ntwo:secret:19000:0:99999:7:::\n',
          'etc/gshadow': 'root:*::\nstaffs:*::two\npeople:*::\none:!::\n',
          'etc/login.defs': readFileSync('/etc/login.defs', 'utf8'),
        },
        steps,
        // with --prefix usermod looks up the groups of the host
        (root, [command, ...args]) => ({ args: [command === 'gpasswd' ? '-Q' : '--root', root, ...args] }),
        {
          compare: ['etc/passwd', 'etc/group', 'etc/shadow', 'etc/gshadow'],
          clean: (path, text) => (path.endsWith('shadow') ? text.replace(/^(\w+:[^:]*):\d{5}:/gm, '$1:DAY:') : text),
        },
      );
    }
  });

  test('setcap: any set of capabilities, as getcap reads it', { skip: needs({ tools: ['setcap', 'getcap'] }) }, (t) => {
    if (process.getuid?.() !== 0) return t.skip('capabilities are set by root alone');
    const folder = temporary(t);
    const path = join(folder, 'file');
    let compared = 0;
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const dice = random(seed * 19);
      writeFileSync(path, '');
      const clause = () =>
        `${dice.pick(['cap_net_raw', 'cap_net_raw,cap_chown', 'cap_sys_admin', 'cap_bpf,cap_net_bind_service', 'all'])}${dice.pick(['+', '='])}${dice.pick(['ep', 'p', 'eip', 'i'])}`;
      const text = dice.below(3) === 0 ? `${clause()} ${clause()}` : clause();
      const real = spawnSync(tool('setcap')!, [text, path], { encoding: 'utf8' });
      const read = spawnSync(tool('getcap')!, [path], { encoding: 'utf8' });
      const tree = new Tree();
      tree.writeFile('file', '');
      const script = `#!/bin/sh\nsetcap ${quote(text)} /file; echo $?; getcap /file\n`;
      const of = {
        package: { name: 'thing', version: '1', architecture: 'all' } as AptPackage,
        control: new Map([['postinst', { mode: 0o755, content: memory(script) }]]),
        entries: [],
      } as Unpacked<AptPackage>;
      const context = debianContext({ architecture: 'amd64', epoch: 1, report: silent });
      const done = new Interpreter({ tree, context, debconf: new Debconf() }).interpret(of, 'postinst', [
        'configure',
        '',
      ]);
      // a file system without attributes cannot be compared
      if (/Operation not supported/.test(real.stderr)) return t.skip('this file system keeps no capabilities');
      equal(done?.stdout.split('\n')[0], String(real.status === 0 ? 0 : 1), `${text}: ${real.stderr}`);
      if (real.status !== 0) continue;
      // getcap may print the same in several ways
      const kept = Buffer.from(tree.file('file')!.xattrs!.get('security.capability')!).toString('hex');
      const encoded = encodeCapabilities(parseCapabilities(read.stdout.slice(path.length).trim())!);
      equal(kept, Buffer.from(encoded).toString('hex'), text);
      compared++;
    }
    ok(compared > ROUNDS / 2);
    return undefined;
  });
});
