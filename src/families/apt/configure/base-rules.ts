import { installBaseAccounts, shadowConfig } from '../../../system/accounts.ts';
import { updateCatalog } from '../../../system/catalog.ts';
import { configureCertificates, updateCertificates } from '../../../system/certificates.ts';
import {
  type ConfigureContext,
  copyIfAbsent,
  ensureDirectory,
  lines,
  made,
  putLink,
  putText,
  touch,
  warn,
} from '../../../system/context.ts';
import { updateLoaderCache } from '../../../system/loader.ts';
import { addSystemUser } from '../../../system/new-accounts.ts';
import { own, resolveOwner } from '../../../system/owners.ts';
import { pamAuthUpdate } from '../../../system/pam.ts';
import { updateShells } from '../../../system/shells.ts';
import { systemdSysusers } from '../../../system/sysusers.ts';
import { enableUnit } from '../../../system/units.ts';
import { basename } from '../../../tree/path.ts';
import { addDiversion, divertedBy, removeDiversion } from './diversions.ts';
import { addStatOverride, statOverrides } from './overrides.ts';
import { NOTHING, type Rule, type Step } from './rules.ts';
import { followAlternatives } from './snippets.ts';
import { ucf, ucfRegister } from './ucf.ts';

/** Rules for the packages that every Debian guest starts with. */

/** Scripts whose only lasting effect is alternatives spelled out in their text. */
const ALTERNATIVES: Rule = {
  postinst: ({ tree, context, script }) => void followAlternatives(tree, context, script),
};

/** Diversions that a preinst declares without moving anything. */
function divert(step: Step, pairs: readonly (readonly [from: string, to: string])[], owner = step.package.name): void {
  for (const [from, to] of pairs) addDiversion(step.tree, step.context, { from, to, package: owner }, false);
}

/** Here-documents that a script writes to a missing file: `cat <<[-]EOF > FILE`, or the other way round. */
function hereDocuments({ tree, context, script }: Step): void {
  const rows = lines(script);
  for (let i = 0; i < rows.length; i++) {
    const command =
      /^\s*cat\s*<<(-?)\s*(['"]?)(\w+)\2\s*>\s*(\S+)\s*$/.exec(rows[i]!) ??
      reorder(/^\s*cat\s*>\s*(\S+)\s*<<(-?)\s*(['"]?)(\w+)\3\s*$/.exec(rows[i]!));
    if (command === null) continue;
    const [dash, word, path] = [command[1]!, command[3]!, command[4]!.replace(/^"?(\$\{?DPKG_ROOT\}?)?|"$/g, '')];
    const body: string[] = [];
    for (i++; i < rows.length; i++) {
      const row = dash === '-' ? rows[i]!.replace(/^\t+/, '') : rows[i]!;
      if (row === word) break;
      body.push(`${row}\n`);
    }
    if (!tree.has(path)) putText(tree, context, path, body.join(''), 0o644);
  }
}

function reorder(match: RegExpExecArray | null): string[] | null {
  return match === null ? null : [match[0], match[2]!, match[3]!, match[4]!, match[1]!];
}

function baseFiles({ tree, context, script }: Step): void {
  if (!tree.has('etc/dpkg/origins/default') && tree.has('etc/dpkg/origins/debian'))
    putLink(tree, context, 'etc/dpkg/origins/default', 'debian');
  for (const [, from, to] of script.matchAll(/^[ \t]*install_from_default (\S+)\s+(\/\S+)$/gm)) {
    if (from === 'info.dir' && (tree.stat('usr/share/info') === undefined || tree.has('usr/info/dir'))) continue;
    if (copyIfAbsent(tree, context, `usr/share/base-files/${from}`, to!) && from === 'info.dir')
      tree.file(to!)!.mode = 0o644;
  }
  for (const [, path, mode, group] of script.matchAll(/^ {2}install_directory (\S+)\s+(\d+) (\S+)$/gm))
    if (tree.stat(path!)?.kind !== 'directory') {
      const owner = resolveOwner(tree, context, `root:${group}`) ?? { uid: 0, gid: 0 };
      ensureDirectory(tree, context, path!, made(context, Number.parseInt(mode!, 8), 0, owner.gid ?? 0));
    }
  if (tree.lstat('var/spool/mail')?.kind !== 'symlink') putLink(tree, context, 'var/spool/mail', '../mail');
  for (const [, path, target] of script.matchAll(/^[ \t]*migrate_directory (\S+) (\S+)$/gm)) {
    const present = tree.lstat(path!);
    if (present?.kind === 'symlink') continue;
    if (present?.kind === 'directory' && present.children.size > 0) {
      warn(context, 'DIRECTORY_KEPT', { path: path!, target: target! });
      continue;
    }
    putLink(tree, context, path!, target!);
  }
  const staff = tree.has('etc/staff-group-for-usr-local');
  for (const [, path] of script.matchAll(/^[ \t]*install_local_dir (\/\S+)$/gm)) {
    ensureDirectory(tree, context, path!, made(context, 0o755));
    const inode = tree.stat(path!);
    if (!staff || inode === undefined) continue;
    own(inode, resolveOwner(tree, context, 'root:staff') ?? {});
    inode.mode = 0o2775;
  }
  putLink(tree, context, 'usr/local/man', 'share/man');
  for (const [, path, owner, mode] of script.matchAll(/^[ \t]*ensure_file_owner_mode (\S+) (\S+) (\d+)$/gm))
    ownedFile({ tree, context }, path!, owner!, Number.parseInt(mode!, 8));
  mergedLinks({ tree, context, script });
}

/** The folders beside /lib that a script of base-files processes; includes /lib64 where the loader is elsewhere. */
function librarySiblings(script: string): string[] {
  return /^\s*for d in (lib32(?: \w+)*); do$/m.exec(script)?.[1]?.split(' ') ?? [];
}

/** /lib32 and similar follow the contents of /usr. */
function mergedLinks({ tree, context, script }: Pick<Step, 'tree' | 'context' | 'script'>): void {
  for (const name of librarySiblings(script)) {
    const there = tree.stat(`usr/${name}`)?.kind === 'directory';
    const link = tree.lstat(name);
    if (there && link === undefined) putLink(tree, context, name, `usr/${name}`);
    else if (!there && link?.kind === 'symlink') tree.remove(name);
  }
  // remove the protection that glibc's preinst gave the loader's folder
  const folder = /^rtlddir="(\w+)"$/m.exec(script)?.[1];
  if (folder !== undefined) removeDiversion(tree, context, { from: `/${folder}`, package: 'base-files' }, false);
}

function ownedFile({ tree, context }: Pick<Step, 'tree' | 'context'>, path: string, owner: string, mode: number): void {
  touch(tree, context, path);
  const inode = tree.file(path);
  if (inode === undefined) return;
  own(inode, resolveOwner(tree, context, owner) ?? {});
  inode.mode = mode;
}

function chrony({ tree, context }: Step): void {
  addSystemUser(tree, context, {
    name: '_chrony',
    group: 'own',
    gecos: 'Chrony daemon',
    home: '/var/lib/chrony',
    createHome: false,
  });
  if (tree.has('usr/bin/ucf'))
    for (const name of ['chrony.conf', 'chrony.keys']) {
      ucf(tree, context, `/usr/share/chrony/${name}`, `/etc/chrony/${name}`, { threeWay: true });
      ucfRegister(tree, context, 'chrony', `/etc/chrony/${name}`);
    }
  // a configuration that names another user keeps its own owners
  if (/^\s*user\s/m.test(tree.text('etc/chrony/chrony.conf') ?? '')) return;
  for (const [user, mode, path] of [
    ['_chrony', '0750', '/var/lib/chrony'],
    ['_chrony', '0750', '/var/log/chrony'],
    ['root', '0640', '/etc/chrony/chrony.keys'],
  ] as const)
    addStatOverride(tree, context, { user, group: '_chrony', mode, path }, true);
}

/** bookworm's dash replaced /bin/sh by means of its own diversion. */
function dash(step: Step): void {
  const { tree, context, script } = step;
  const claims = !/drop_obsolete_diversion/.test(script);
  for (const [from, target, to] of [
    ['/bin/sh', 'dash', '/bin/sh.distrib'],
    ['/usr/share/man/man1/sh.1.gz', 'dash.1.gz', '/usr/share/man/man1/sh.distrib.1.gz'],
  ] as const) {
    if (from !== '/bin/sh' && tree.stat('usr/share/man/man1')?.kind !== 'directory') continue;
    const by = divertedBy(tree, from);
    if (by === 'dash' || by === 'LOCAL') continue;
    if (!claims && by !== 'bash') continue;
    if (by === 'bash') removeDiversion(tree, context, { from, package: 'bash' }, false);
    if (!claims) {
      putLink(tree, context, from, target);
      continue;
    }
    // remove the old name before adding the new link, so that nothing is moved
    addDiversion(tree, context, { from, to, package: 'dash' }, false);
    tree.remove(from);
    putLink(tree, context, from, target);
  }
}

function systemd({ tree, context }: Step): void {
  for (const unit of ['getty@tty1.service', 'remote-fs.target', 'systemd-pstore.service'])
    enableUnit(tree, context, unit);
  // an empty file: not a first boot, and each guest gets its own id
  if (!tree.has('etc/machine-id')) putText(tree, context, 'etc/machine-id', '', 0o644);
  ensureDirectory(tree, context, 'var/log/journal');
  updateCatalog(tree, context);
}

function timeZone({ tree, context, debconf, script }: Step): void {
  const area = debconf.get('tzdata/Areas') || 'Etc';
  const zone = debconf.get(`tzdata/Zones/${area}`) || 'UTC';
  putLink(tree, context, 'etc/localtime', `/usr/share/zoneinfo/${area}/${zone}`);
  const always = !/if test -f "\$DPKG_ROOT\/etc\/timezone"/.test(script);
  if (always || tree.has('etc/timezone')) putText(tree, context, 'etc/timezone', `${area}/${zone}\n`, 0o644);
}

function environmentFiles({ tree, context }: Step): void {
  if (!tree.has('etc/security/opasswd')) putText(tree, context, 'etc/security/opasswd', '', 0o600);
  if (!tree.has('etc/environment')) putText(tree, context, 'etc/environment', '', 0o644);
}

function messageBusUser({ tree, context, script }: Step): void {
  if (/systemd-sysusers/.test(script) && tree.has('usr/bin/systemd-sysusers'))
    systemdSysusers(tree, context, ['dbus.conf']);
  else addSystemUser(tree, context, { name: 'messagebus', group: 'own' });
}

function launchHelper({ tree, context }: Step): void {
  const path = '/usr/lib/dbus-1.0/dbus-daemon-launch-helper';
  if (statOverrides(tree).some((one) => one.path === path)) return;
  addStatOverride(tree, context, { user: 'root', group: 'messagebus', mode: '4754', path }, true);
}

function shells({ tree, context, script }: Step): void {
  copyIfAbsent(tree, context, 'usr/share/debianutils/shells', 'etc/shells');
  // usrmerge converts the tree when it is configured; until then both spellings are equivalent
  updateShells(tree, context, !tree.has('usr/lib/usrmerge/convert-usrmerge'));
  followAlternatives(tree, context, script);
}

function nativeArchitecture({ tree, context, script }: Step): void {
  if (/arch-native/.test(script))
    putText(tree, context, 'var/lib/dpkg/arch-native', `${context.architecture}\n`, 0o644);
  if (!tree.has('sbin/start-stop-daemon') && tree.stat('sbin')?.kind === 'directory')
    putLink(tree, context, 'sbin/start-stop-daemon', '/usr/sbin/start-stop-daemon');
}

function diversionsInText(step: Step): void {
  for (const [, options, path] of step.script
    .replace(/\\\n/g, ' ')
    .matchAll(/^[ \t]*dpkg-divert ([^\n$]*--divert [^\n$]*?)\s"?(\/[^\s"$]+)"?$/gm)) {
    const to = /--divert "?([^\s"]+)"?/.exec(options!)?.[1];
    const owner = /--package (\S+)/.exec(options!)?.[1] ?? step.package.name;
    if (to !== undefined && !options!.includes('--remove')) divert(step, [[path!, to]], owner);
  }
}

function librariesDiverted(prefix: string, names: readonly string[]) {
  return (step: Step) => {
    const folder = /\/lib\/[^/\s]+-linux-gnu[^/\s]*/.exec(step.script)?.[0];
    if (folder !== undefined)
      divert(
        step,
        names.map((name) => [`${folder}/${prefix}${name}`, `${folder}/${prefix}${name}.usr-is-merged`] as const),
      );
  };
}

/** Creates missing empty files that a script names, owned by root, 0644. */
function touched(...paths: readonly string[]) {
  return ({ tree, context }: { tree: Step['tree']; context: ConfigureContext }) => {
    for (const path of paths) touch(tree, context, path);
  };
}

/** Rules by package name. */
export const BASE_RULES: Readonly<Record<string, Rule>> = {
  adduser: NOTHING,
  apt: {
    postinst: ({ tree, context }) =>
      void addSystemUser(tree, context, { name: '_apt', home: '/nonexistent', createHome: false }),
  },
  'base-files': {
    preinst: (step) => {
      if (/\.usr-is-merged/.test(step.script))
        divert(
          step,
          librarySiblings(step.script).map((name) => [`/${name}`, `/.${name}.usr-is-merged`] as const),
        );
    },
    postinst: baseFiles,
    triggered: (step) => mergedLinks(step),
  },
  'base-passwd': {
    preinst: hereDocuments,
    postinst: (step) => {
      installBaseAccounts(step.tree, step.context);
      if (/subuid/.test(step.script)) touched('etc/subuid', 'etc/subgid')(step);
    },
  },
  bash: ALTERNATIVES,
  'ca-certificates': {
    postinst: ({ tree, context, trigger }) => {
      configureCertificates(tree, context);
      updateCertificates(tree, context, false);
      trigger('update-ca-certificates');
    },
    triggered: ({ tree, context }) => updateCertificates(tree, context),
  },
  chrony: { postinst: chrony },
  coreutils: {
    postinst: ({ tree, context }) => {
      if (!tree.has('usr/bin/touch')) putLink(tree, context, 'usr/bin/touch', '/bin/touch');
    },
  },
  dash: { postinst: dash },
  dbus: { postinst: launchHelper },
  // the machine's id is never created at build time
  'dbus-daemon': {
    postinst: ({ tree, context, leaveOut }) => {
      ensureDirectory(tree, context, 'var/lib/dbus');
      leaveOut('dbus-uuidgen', 'a machine’s id is its own: never made at build time');
    },
  },
  'dbus-system-bus-common': { postinst: messageBusUser },
  'debian-archive-keyring': NOTHING,
  debconf: NOTHING,
  debianutils: { postinst: shells, triggered: ({ tree, context }) => updateShells(tree, context) },
  dmsetup: { postinst: ({ trigger }) => trigger('update-initramfs') },
  dpkg: { postinst: nativeArchitecture },
  e2fsprogs: NOTHING,
  gzip: NOTHING,
  'init-system-helpers': NOTHING,
  iproute2: NOTHING,
  iptables: ALTERNATIVES,
  kmod: { postinst: hereDocuments },
  libc6: {
    preinst: diversionsInText,
    postinst: ({ trigger }) => trigger('libc-upgrade'),
  },
  'libc-bin': {
    postinst: ({ tree, context, trigger }) => {
      copyIfAbsent(tree, context, 'usr/share/libc-bin/nsswitch.conf', 'etc/nsswitch.conf');
      trigger('ldconfig');
    },
    triggered: ({ tree, context }) => updateLoaderCache(tree, context),
  },
  libext2fs2t64: { preinst: librariesDiverted('lib', ['e2p.so.2', 'e2p.so.2.3', 'ext2fs.so.2', 'ext2fs.so.2.4']) },
  libgcrypt20: NOTHING,
  'libgssapi-krb5-2': NOTHING,
  'libpam-modules': { postinst: environmentFiles },
  'libpam-runtime': { postinst: ({ tree, context }) => pamAuthUpdate(tree, context, true) },
  libpam0g: NOTHING,
  libselinux1: NOTHING,
  libtirpc3t64: { preinst: librariesDiverted('lib', ['tirpc.so.3', 'tirpc.so.3.0.0']) },
  login: {
    postinst: (step) => {
      if (/faillog/.test(step.script)) touched('var/log/faillog')(step);
      if (/subuid/.test(step.script)) touched('etc/subuid', 'etc/subgid')(step);
    },
  },
  'login.defs': NOTHING,
  netbase: { postinst: hereDocuments },
  openssl: {
    postinst: ({ tree, context }) => {
      if (!tree.has('usr/lib/ssl')) putLink(tree, context, 'usr/lib/ssl', '/etc/ssl');
    },
  },
  passwd: {
    postinst: ({ tree, context }) => shadowConfig(tree, context),
  },
  perl: NOTHING,
  procps: NOTHING,
  systemd: {
    postinst: systemd,
    triggered: ({ tree, context }, names) => {
      if (names.some((name) => basename(name) === 'catalog')) updateCatalog(tree, context);
    },
  },
  'systemd-sysv': {
    postinst: ({ tree, context, script }) => {
      if (/for n in halt poweroff shutdown/.test(script))
        for (const name of ['halt', 'poweroff', 'shutdown'])
          if (tree.lstat(`usr/sbin/${name}`) === undefined)
            putLink(tree, context, `usr/sbin/${name}`, '../bin/systemctl');
    },
  },
  tar: ALTERNATIVES,
  tzdata: { postinst: timeZone },
  ucf: {
    postinst: ({ tree, context }) => {
      for (const name of ['hashfile', 'registry']) touch(tree, context, `var/lib/ucf/${name}`);
    },
  },
  usrmerge: { postinst: ({ tree, context }) => updateShells(tree, context) },
  'util-linux': ALTERNATIVES,
};
