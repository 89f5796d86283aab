import type { RpmMember, SmallRpm } from './rpms.ts';

/**
 * What makes an rpm distribution of Debian's files: which packages, how they are called, and what rpm distributions have
 * that Debian lacks: scripts, triggers, accounts, presets. The scripts do what those of the distributions do, and
 * are written for this test.
 */

/** Debian packages to wrap, besides those that they depend on. */
export const SEEDS: readonly string[] = [
  ...['bash', 'coreutils', 'grep', 'sed', 'gawk', 'findutils', 'util-linux', 'mount', 'hostname', 'procps'],
  ...['systemd', 'udev', 'dbus', 'chrony', 'iptables', 'kmod', 'libseccomp2', 'openssl'],
  ...[
    'cryptsetup-bin',
    'libelf1t64',
    'irqbalance',
    'tzdata',
    'zlib1g',
    'passwd',
    'login',
    'p11-kit',
    'ca-certificates',
  ],
];

/** Debian's own tools, and what only they need. */
export const DROPPED: ReadonlySet<string> = new Set([
  ...['adduser', 'apt', 'base-files', 'base-passwd', 'dash', 'debconf', 'debian-archive-keyring', 'debianutils'],
  ...['diffutils', 'dpkg', 'gcc-14-base', 'init-system-helpers', 'libapt-pkg7.0', 'libdebconfclient0', 'liblz4-1'],
  ...[
    'libpam-runtime',
    'libstdc++6',
    'libtext-charwidth-perl',
    'libtext-wrapi18n-perl',
    'libxxhash0',
    'mawk',
    'perl-base',
  ],
  ...['runit-helper', 'sensible-utils', 'sqv', 'sysvinit-utils', 'ucf', 'bsdutils', 'libdb5.3t64', 'libsqlite3-0'],
  ...['ncurses-bin', 'readline-common', 'openssl-provider-legacy', 'dbus-session-bus-common', 'netbase'],
]);

/** Names that rpm distributions have for Debian's packages. */
export const RENAMED: Readonly<Record<string, string>> = {
  libc6: 'glibc',
  'libc-bin': 'glibc-common',
  zlib1g: 'zlib',
  libelf1t64: 'elfutils-libelf',
  libseccomp2: 'libseccomp',
  passwd: 'shadow-utils',
  udev: 'systemd-udev',
  'cryptsetup-bin': 'cryptsetup',
  'dbus-system-bus-common': 'dbus-common',
};

/** Folders that nothing in a guest reads; documentation of these packages stays, to be left out by what is tested. */
export const SKIPPED =
  /^(usr\/share\/(man|info|locale|lintian|bug|bash-completion|zsh|gcc|gdb|perl5|zoneinfo\/right|doc-base|debconf|applications|metainfo|ca-certificates|reportbug)|etc\/(init\.d|default\/(chrony|irqbalance)|ca-certificates|cron\.daily|logcheck|ufw|apparmor\.d|dhcp|NetworkManager|ppp|network|chrony|pam\.d|X11|ssl\/certs|modules|modules-load\.d)|usr\/lib\/(udev\/hwdb\.d|chrony|init|networkd-dispatcher|modprobe\.d|dhcpcd)|usr\/sbin\/update-ca-certificates|usr\/lib\/systemd\/system\/chrony.*|usr\/bin\/sh)(\/|$)/;
export const WITH_DOC: ReadonlySet<string> = new Set(['bash', 'glibc', 'iptables', 'systemd']);

/** Numbers of Debian's groups that own files, by name. */
export const GROUPS: ReadonlyMap<number, string> = new Map([
  [0, 'root'],
  [4, 'adm'],
  [5, 'tty'],
  [6, 'disk'],
  [8, 'mail'],
  [42, 'shadow'],
  [43, 'utmp'],
  [50, 'staff'],
]);

/** What is added to a wrapped package, or changed. */
export interface Addition {
  readonly tags?: SmallRpm['tags'];
  readonly scripts?: SmallRpm['scripts'];
  readonly files?: readonly RpmMember[];
  /** By path: what else `%files` says of a file. */
  readonly changed?: Readonly<Record<string, Partial<RpmMember>>>;
}

const account = (user: string, group: string, numbers: string, home: string, comment: string) =>
  [
    `getent group ${group} >/dev/null || groupadd -r ${numbers === '' ? '' : `-g ${numbers} `}${group}`,
    `getent passwd ${user} >/dev/null || \\`,
    `    useradd -r ${numbers === '' ? '' : `-u ${numbers} `}-g ${group} -d ${home} -s /sbin/nologin -c "${comment}" ${user}`,
    'exit 0',
  ].join('\n');

/** What the macro %systemd_post leaves in a package. */
const presets = (...units: string[]) =>
  `\nif [ $1 -eq 1 ] && [ -x "/usr/lib/systemd/systemd-update-helper" ]; then\n    # Initial installation\n    /usr/lib/systemd/systemd-update-helper install-system-units ${units.join(' ')} || :\nfi\n`;

const SHELL = { 'Requires(post)': ['bash'] };

const UPDATE_HELPER = `#!/usr/bin/bash
set -eu
command="$1"
shift
case "$command" in
    install-system-units)
        systemctl --no-reload preset "$@"
        ;;
    install-user-units)
        systemctl --no-reload preset --global "$@"
        ;;
esac
`;

/** The alternatives of chkconfig for the one thing that is asked of it here: a first --install. */
const ALTERNATIVES = `#!/usr/bin/bash
[ "$1" = --install ] || exit 2
facility=$2 title=$3 target=$4 priority=$5
shift 5
mkdir -p /etc/alternatives /var/lib/alternatives
state=/var/lib/alternatives/$title
printf 'auto\\n%s\\n' "$facility" > $state
ln -sf "$target" "/etc/alternatives/$title"
ln -sf "/etc/alternatives/$title" "$facility"
targets=
while [ $# -ge 4 ]; do
    printf '%s\\n%s\\n' "$3" "$2" >> $state
    ln -sf "$4" "/etc/alternatives/$3"
    ln -sf "/etc/alternatives/$3" "$2"
    targets="$targets$4\\n"
    shift 4
done
printf '\\n%s\\n%s\\n' "$target" "$priority" >> $state
printf "$targets" >> $state
`;

const UPDATE_CA_TRUST = `#!/usr/bin/bash
DEST=/etc/pki/ca-trust/extracted
trust extract --format=pem-bundle --filter=ca-anchors --overwrite --comment --purpose server-auth $DEST/pem/tls-ca-bundle.pem
trust extract --format=pem-bundle --filter=ca-anchors --overwrite --comment --purpose email $DEST/pem/email-ca-bundle.pem
trust extract --format=pem-bundle --filter=ca-anchors --overwrite --comment --purpose code-signing $DEST/pem/objsign-ca-bundle.pem
`;

const CHRONYD = `[Unit]
Description=NTP client/server
After=sntp.service ntpd.service
Conflicts=ntpd.service systemd-timesyncd.service

[Service]
Type=forking
ExecStart=/usr/sbin/chronyd -f /etc/chrony.conf
PIDFile=/run/chrony/chronyd.pid
RuntimeDirectory=chrony
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
`;

const IPTABLES = (tool: string) => ['', '-restore', '-save'].map((end) => `${tool}${end}`);

/** Additions by the rpm's name. */
export const ADDITIONS: Readonly<Record<string, Addition>> = {
  glibc: {
    tags: {
      Provides: ['libc.so.6()(64bit)', 'libc.so.6(GLIBC_2.34)(64bit)'],
      Requires: ['filesystem', 'setup', 'glibc-common'],
      'Requires(post)': [],
    },
    // Debian's ldconfig does not look there by itself
    files: [{ name: 'etc/ld.so.conf.d/lib64.conf', data: '/lib64\n', mode: 0o644, flags: '%config(noreplace)' }],
    scripts: {
      'post -p <lua>': [
        '-- the first package with programs: nothing else can be counted on',
        'local function call(path, ...)',
        '  if posix.access(path, "x") then return rpm.execute(path, ...) end',
        'end',
        'local conf = "/etc/ld.so.conf"',
        'if not posix.stat(conf) then',
        '  local file = io.open(conf, "w")',
        '  file:write("include ld.so.conf.d/*.conf\\n")',
        '  file:close()',
        'end',
        'call("/usr/sbin/ldconfig")',
      ].join('\n'),
      'transfiletriggerin -P 2000000 -p <lua> -- /lib /usr/lib /lib64 /usr/lib64':
        'if posix.access("/usr/sbin/ldconfig", "x") then rpm.execute("/usr/sbin/ldconfig") end',
    },
  },
  'glibc-common': {
    files: [
      {
        name: 'etc/nsswitch.conf',
        data: 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n',
        mode: 0o644,
        flags: '%config(noreplace)',
      },
      { name: 'etc/ld.so.cache', data: '', mode: 0o644, flags: '%ghost' },
      { name: 'var/cache/ldconfig/', mode: 0o700 },
    ],
  },
  bash: {
    tags: { Provides: ['/bin/sh', '/bin/bash'], Requires: ['libc.so.6(GLIBC_2.34)(64bit)'] },
    files: [{ name: 'usr/bin/sh', link: 'bash' }],
    scripts: {
      'post -p <lua>': [
        'nl = "\\n"',
        'sh = "/bin/sh" .. nl',
        'bash = "/bin/bash" .. nl',
        'f = io.open("/etc/shells", "a+")',
        'if f then',
        '  local shells = nl .. f:read("*all") .. nl',
        '  if not shells:find(nl .. sh) then f:write(sh) end',
        '  if not shells:find(nl .. bash) then f:write(bash) end',
        '  f:close()',
        'end',
      ].join('\n'),
    },
  },
  coreutils: { tags: { Provides: ['coreutils-bin', '/bin/ls'] } },
  'util-linux': {
    tags: { Provides: ['util-linux-bin'], 'Requires(post)': ['coreutils', 'bash'] },
    scripts: {
      post: 'if [ ! -d /var/log ]; then mkdir /var/log; fi\ntouch /var/log/lastlog\nchown root:root /var/log/lastlog\nchmod 0644 /var/log/lastlog',
    },
    files: [{ name: 'var/log/lastlog', data: '', mode: 0o644, flags: '%ghost %verify(not md5 size mtime)' }],
  },
  kmod: { tags: { Provides: ['kmod-bin'] } },
  libudev1: { tags: { Provides: ['libudev0-shim'] } },
  libseccomp: { tags: { Provides: ['libseccomp-lib'] } },
  tzdata: {
    tags: { Requires: ['filesystem'] },
  },
  'shadow-utils': {
    tags: { 'Requires(post)': ['bash', 'grep'], Requires: ['setup', 'login.defs'] },
    changed: {
      // a capability in place of the bit for the group shadow
      'usr/bin/expiry': { mode: 0o755, group: 'root', flags: '%caps(cap_dac_read_search=ep)' },
    },
    scripts: {
      post: 'if [ -f /etc/login.defs ]; then grep -q "^UMASK" /etc/login.defs || echo "UMASK 022" >> /etc/login.defs; fi',
    },
  },
  systemd: {
    tags: {
      Provides: ['system-units = 1', 'syslog'],
      Requires: ['/usr/bin/mount', '(kmod if bash)', 'dbus'],
      Recommends: ['systemd-udev'],
      'Requires(post)': ['bash', 'coreutils', 'grep', 'shadow-utils'],
    },
    files: [
      { name: 'usr/sbin/init', link: '../lib/systemd/systemd' },
      ...['halt', 'poweroff', 'reboot', 'shutdown'].map((name) => ({
        name: `usr/sbin/${name}`,
        link: '../bin/systemctl',
      })),
      { name: 'usr/lib/systemd/systemd-update-helper', data: UPDATE_HELPER, mode: 0o755 },
      {
        name: 'usr/lib/systemd/system-preset/90-default.preset',
        data: [
          '# services of a small machine',
          ...['chronyd.service', 'dbus.socket', 'dbus.service', 'irqbalance.service', 'getty@.service'],
          ...['remote-fs.target', 'systemd-networkd.service', 'reboot.target'],
        ]
          .map((line) => (line.startsWith('#') ? line : `enable ${line}`))
          .join('\n')
          .concat('\n'),
        mode: 0o644,
      },
      { name: 'usr/lib/systemd/system-preset/99-default-disable.preset', data: 'disable *\n', mode: 0o644 },
      { name: 'etc/machine-id', data: '', mode: 0o444, flags: '%ghost %config(noreplace)' },
      { name: 'var/log/wtmp', data: '', mode: 0o664, group: 'utmp', flags: '%ghost %config(noreplace)' },
    ],
    scripts: {
      post: [
        'systemd-machine-id-setup &>/dev/null || :',
        'if [ $1 -eq 1 ]; then',
        '    systemctl preset-all &>/dev/null || :',
        '    systemctl --global preset-all &>/dev/null || :',
        'fi',
        'systemctl daemon-reexec &>/dev/null || :',
        'exit 0',
      ].join('\n'),
      'filetriggerin -P 1000700 -- /usr/lib/sysusers.d': 'systemd-sysusers || :',
      'transfiletriggerin -P 1000500 -- /usr/lib/tmpfiles.d': 'systemd-tmpfiles --create &>/dev/null || :',
      'transfiletriggerin -P 1000100 -p <lua> -- /usr/lib/systemd/system /etc/systemd/system': [
        'if posix.access("/run/systemd/system") then',
        '  pid = posix.fork()',
        '  if pid == 0 then',
        '    assert(posix.exec("/usr/bin/systemctl", "daemon-reload"))',
        '  elseif pid > 0 then',
        '    posix.wait(pid)',
        '  end',
        'end',
      ].join('\n'),
    },
  },
  'systemd-udev': {
    tags: SHELL,
    files: [
      {
        name: 'usr/lib/udev/hwdb.d/20-made.hwdb',
        data: 'pci:v0000ABCD*\n ID_VENDOR_FROM_DATABASE=Made\n',
        mode: 0o644,
      },
    ],
    scripts: {
      post: presets('systemd-udevd.service', 'systemd-udev-settle.service', 'systemd-udev-trigger.service'),
      'transfiletriggerin -P 1000300 -- /usr/lib/udev/hwdb.d': 'systemd-hwdb update &>/dev/null || :',
    },
  },
  'dbus-common': {
    tags: { 'Requires(pre)': ['shadow-utils', 'glibc-common', 'setup', 'bash'], 'Requires(post)': ['systemd'] },
    scripts: {
      pre: account('messagebus', 'messagebus', '81', '/', 'System Message Bus'),
      post: presets('dbus.socket'),
    },
  },
  dbus: {
    tags: { 'Requires(pre)': ['dbus-common'] },
    changed: { 'usr/lib/dbus-1.0/dbus-daemon-launch-helper': { mode: 0o4750, group: 'messagebus' } },
  },
  chrony: {
    tags: {
      'Requires(pre)': ['shadow-utils', 'glibc-common', 'setup', 'bash'],
      ...SHELL,
      Supplements: ['(systemd and irqbalance)'],
    },
    files: [
      {
        name: 'etc/chrony.conf',
        data: 'pool 2.example.org iburst\ndriftfile /var/lib/chrony/drift\nmakestep 1.0 3\nrtcsync\n',
        mode: 0o644,
        flags: '%config(noreplace)',
      },
      { name: 'etc/chrony.keys', data: '# keys\n', mode: 0o640, group: '_chrony', flags: '%config(noreplace)' },
      { name: 'usr/lib/systemd/system/chronyd.service', data: CHRONYD, mode: 0o644 },
      { name: 'var/lib/chrony/', mode: 0o750, user: '_chrony', group: '_chrony' },
      { name: 'var/lib/chrony/drift', data: '', mode: 0o644, user: '_chrony', group: '_chrony', flags: '%ghost' },
    ],
    scripts: {
      pre: account('_chrony', '_chrony', '', '/var/lib/chrony', 'chrony system user'),
      post: presets('chronyd.service', 'chrony-wait.service'),
    },
  },
  irqbalance: { tags: SHELL, scripts: { post: presets('irqbalance.service') } },
  iptables: {
    tags: {
      Provides: ['iptables-nft = 1', 'iptables-bin'],
      Requires: ['(libnetfilter-conntrack3 or iptables-legacy)'],
      'Requires(post)': ['alternatives', 'bash'],
    },
    files: ['iptables', 'ip6tables'].flatMap((tool) =>
      IPTABLES(tool).map((name) => ({ name: `usr/sbin/${name}`, data: '', mode: 0o755, flags: '%ghost' })),
    ),
    scripts: {
      post: [
        'pfx=/usr/sbin/iptables',
        'pfx6=/usr/sbin/ip6tables',
        '/usr/sbin/update-alternatives --install \\',
        '    $pfx iptables $pfx-nft 10 \\',
        '    --slave $pfx6 ip6tables $pfx6-nft \\',
        '    --slave $pfx-restore iptables-restore $pfx-nft-restore \\',
        '    --slave $pfx-save iptables-save $pfx-nft-save \\',
        '    --slave $pfx6-restore ip6tables-restore $pfx6-nft-restore \\',
        '    --slave $pfx6-save ip6tables-save $pfx6-nft-save',
      ].join('\n'),
    },
  },
  'p11-kit': {
    changed: {
      'usr/share/p11-kit/modules/p11-kit-trust.module': {
        data: [
          ...['module: p11-kit-trust.so', 'priority: 1', 'trust-policy: yes', 'disable-in: p11-kit-proxy'],
          'x-init-reserved: paths="/etc/pki/ca-trust/source:/usr/share/pki/ca-trust-source"',
          '',
        ].join('\n'),
      },
    },
  },
  'ca-certificates': {
    tags: { 'Requires(post)': ['bash', 'p11-kit'], Requires: ['p11-kit-modules'] },
    files: [
      { name: 'usr/bin/update-ca-trust', data: UPDATE_CA_TRUST, mode: 0o755 },
      ...['', 'source/', 'source/anchors/', 'source/blocklist/', 'extracted/', 'extracted/pem/'].map((name) => ({
        name: `etc/pki/ca-trust/${name}`,
        mode: 0o755,
      })),
      { name: 'etc/pki/tls/certs/', mode: 0o755 },
      { name: 'etc/pki/tls/cert.pem', link: '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem' },
      { name: 'etc/pki/tls/certs/ca-bundle.crt', link: '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem' },
      { name: 'etc/ssl/certs', link: '../pki/tls/certs' },
    ],
    scripts: {
      'pretrans -p <lua>': [
        'if posix.readlink("/etc/ssl/certs") == "/etc/nowhere" then os.remove("/etc/ssl/certs") end',
        'return 0',
      ].join('\n'),
      post: 'if [ -x /usr/bin/ln ]; then\n    /usr/bin/update-ca-trust\nfi',
      posttrans: 'if [ -x /usr/bin/update-ca-trust ]; then\n    /usr/bin/update-ca-trust\nfi',
    },
  },
};

const PASSWD = [
  'root:x:0:0:root:/root:/bin/bash',
  'bin:x:1:1:bin:/bin:/sbin/nologin',
  'daemon:x:2:2:daemon:/sbin:/sbin/nologin',
  'mail:x:8:12:mail:/var/spool/mail:/sbin/nologin',
  'nobody:x:65534:65534:Kernel Overflow User:/:/sbin/nologin',
];
const GROUP = [
  ...['root:x:0:', 'bin:x:1:', 'daemon:x:2:', 'sys:x:3:', 'adm:x:4:', 'tty:x:5:', 'disk:x:6:', 'lp:x:7:', 'mem:x:8:'],
  ...['kmem:x:9:', 'wheel:x:10:', 'cdrom:x:11:', 'mail:x:12:', 'dialout:x:18:', 'floppy:x:19:', 'games:x:20:'],
  ...['tape:x:33:', 'video:x:39:', 'shadow:x:42:', 'utmp:x:43:', 'staff:x:50:', 'lock:x:54:', 'audio:x:63:'],
  ...['users:x:100:', 'input:x:104:', 'render:x:105:', 'sgx:x:106:', 'kvm:x:36:', 'clock:x:103:', 'nobody:x:65534:'],
];
const text = (lines: readonly string[]) => `${lines.join('\n')}\n`;
const config = '%config(noreplace)';

/** Folders of the package filesystem: no other package has them. */
export const FOLDERS: readonly string[] = [
  ...['boot', 'dev', 'etc', 'etc/opt', 'etc/profile.d', 'etc/default', 'home', 'media', 'mnt', 'opt', 'proc', 'run'],
  ...['srv', 'sys', 'usr', 'usr/bin', 'usr/games', 'usr/include', 'usr/lib', 'usr/lib64', 'usr/libexec', 'usr/local'],
  ...['usr/local/bin', 'usr/sbin', 'usr/share', 'usr/share/doc', 'usr/share/man', 'usr/share/misc', 'usr/src'],
  ...['usr/lib/x86_64-linux-gnu', 'var', 'var/cache', 'var/lib', 'var/lib/misc', 'var/local', 'var/log', 'var/opt'],
  ...['var/spool', 'var/spool/mail', 'etc/alternatives', 'etc/ssl', 'etc/pki', 'etc/pki/tls', 'usr/lib/sysimage'],
];

const LINKS: readonly (readonly [string, string])[] = [
  ['bin', 'usr/bin'],
  ['sbin', 'usr/sbin'],
  ['lib', 'usr/lib'],
  ['lib64', 'usr/lib64'],
  ['var/run', '../run'],
  ['var/lock', '../run/lock'],
];

/** The packages that Debian has no counterpart of. */
export const OWN_PACKAGES: readonly SmallRpm[] = [
  {
    name: 'made-release',
    version: '3.0',
    tags: { Provides: ['system-release = 3.0', 'system-release(releasever) = 3.0'] },
    files: [
      {
        name: 'usr/lib/os-release',
        data: 'NAME="Made"\nID=made\nVERSION_ID=3.0\nPRETTY_NAME="Made 3.0"\n',
        mode: 0o644,
      },
      { name: 'etc/os-release', link: '../usr/lib/os-release' },
      { name: 'etc/made-release', data: 'Made release 3.0\n', mode: 0o644, flags: '%config' },
    ],
  },
  {
    name: 'setup',
    tags: { Requires: ['system-release'] },
    files: [
      { name: 'etc/passwd', data: text(PASSWD), mode: 0o644, flags: config },
      { name: 'etc/group', data: text(GROUP), mode: 0o644, flags: config },
      {
        name: 'etc/shadow',
        data: text(PASSWD.map((line) => `${line.split(':')[0]}:*:19000:0:99999:7:::`)),
        mode: 0,
        flags: config,
      },
      { name: 'etc/gshadow', data: text(GROUP.map((line) => `${line.split(':')[0]}:::`)), mode: 0, flags: config },
      { name: 'etc/shells', data: '/usr/bin/sh\n/usr/bin/bash\n', mode: 0o644, flags: config },
      { name: 'etc/hosts', data: '127.0.0.1 localhost\n::1 localhost\n', mode: 0o644, flags: config },
      { name: 'etc/profile', data: 'PATH=/usr/sbin:/usr/bin\nexport PATH\n', mode: 0o644, flags: config },
      { name: 'etc/fstab', data: '', mode: 0o644, flags: '%ghost %config(noreplace)' },
      { name: 'etc/motd', data: '', mode: 0o644, flags: config },
    ],
  },
  {
    name: 'filesystem',
    architecture: 'x86_64',
    tags: { Requires: ['setup'], 'Requires(pre)': ['setup'] },
    files: [
      ...FOLDERS.map((name) => ({ name: `${name}/`, mode: name === 'proc' || name === 'sys' ? 0o555 : 0o755 })),
      { name: 'root/', mode: 0o550 },
      { name: 'tmp/', mode: 0o1777 },
      { name: 'var/tmp/', mode: 0o1777 },
      ...LINKS.map(([name, link]) => ({ name, link })),
    ],
    scripts: {
      'pretrans -p <lua>': [
        '-- links of a merged /usr have to be there before anything is unpacked',
        'posix.mkdir("/usr")',
        'for i, dir in ipairs({"bin", "sbin", "lib", "lib64"}) do',
        '  posix.mkdir("/usr/" .. dir)',
        '  if not posix.stat("/" .. dir, "mode") then posix.symlink("usr/" .. dir, "/" .. dir) end',
        'end',
        'posix.mkdir("/proc")',
        'posix.mkdir("/sys")',
        'posix.chmod("/proc", 0555)',
        'posix.chmod("/sys", 0555)',
        'st = posix.stat("/var/lock")',
        'if st and st.type == "directory" then os.rename("/var/lock", "/var/lock.rpmmoved") end',
        'return 0',
      ].join('\n'),
    },
  },
  {
    name: 'alternatives',
    version: '1.30',
    tags: { Requires: ['/bin/sh', 'coreutils'], Provides: ['/usr/sbin/update-alternatives'] },
    files: [
      { name: 'usr/sbin/alternatives', data: ALTERNATIVES, mode: 0o755 },
      { name: 'usr/sbin/update-alternatives', link: 'alternatives' },
      { name: 'var/lib/alternatives/', mode: 0o755 },
    ],
  },
  {
    name: 'crypto-policies',
    tags: { Requires: ['filesystem'] },
    files: [
      { name: 'etc/crypto-policies/', mode: 0o755 },
      ...['back-ends', 'state', 'policies', 'local.d'].map((name) => ({
        name: `etc/crypto-policies/${name}/`,
        mode: 0o755,
      })),
      { name: 'etc/crypto-policies/config', data: '', mode: 0o644, flags: '%ghost %config(missingok,noreplace)' },
      ...['gnutls', 'openssl', 'krb5', 'nss'].map((name) => ({
        name: `usr/share/crypto-policies/DEFAULT/${name}.txt`,
        data: `# ${name}\n`,
        mode: 0o644,
      })),
    ],
    scripts: {
      'post -p <lua>': [
        'if not posix.access("/etc/crypto-policies/config") then',
        '  local policy = "DEFAULT"',
        '  local cf = io.open("/proc/sys/crypto/fips_enabled", "r")',
        '  if cf then',
        '    if cf:read() == "1" then policy = "FIPS" end',
        '    cf:close()',
        '  end',
        '  cf = io.open("/etc/crypto-policies/config", "w")',
        '  if cf then cf:write(policy .. "\\n"); cf:close() end',
        '  cf = io.open("/etc/crypto-policies/state/current", "w")',
        '  if cf then cf:write(policy .. "\\n"); cf:close() end',
        '  local dir = "/usr/share/crypto-policies/" .. policy .. "/"',
        '  for fn in posix.files(dir) do',
        '    local backend = fn:match("^([^%.]+).*")',
        '    if backend then',
        '      posix.symlink(dir .. fn, "/etc/crypto-policies/back-ends/" .. backend .. ".config")',
        '    end',
        '  end',
        'end',
      ].join('\n'),
    },
  },
  {
    name: 'made-demo',
    version: '1.2',
    epoch: 3,
    tags: {
      Requires: ['crypto-policies', '(bash with /bin/sh)', '(irqbalance unless no-balance)'].slice(0, 2),
      'Requires(pre)': ['shadow-utils', 'bash'],
      'Requires(post)': ['bash'],
      Suggests: ['made-extra'],
      Recommends: ['made-extra'],
    },
    files: [
      { name: 'usr/bin/demo', data: '#!/bin/sh\n', mode: 0o4755 },
      { name: 'usr/bin/mailer', data: 'mail', mode: 0o2755, group: 'mail' },
      { name: 'usr/bin/raw', data: 'raw', mode: 0o755, flags: '%caps(cap_net_raw=ep)' },
      { name: 'usr/share/demo/', mode: 0o755 },
      { name: 'usr/share/demo/one', data: 'linked', mode: 0o644 },
      { name: 'usr/share/demo/two', hard: 'usr/share/demo/one', mode: 0o644 },
      { name: 'usr/share/demo/big', data: 'big\n'.repeat(200_000), mode: 0o600, user: 'demo', group: 'demo' },
      { name: 'etc/demo.conf', data: 'a=1\n', mode: 0o640, group: 'demo', flags: config },
      { name: 'var/log/demo.log', data: '', mode: 0o600, flags: '%ghost' },
      { name: 'usr/share/doc/demo/README', data: 'read me', mode: 0o644, flags: '%doc' },
    ],
    scripts: {
      pre: account('demo', 'demo', '', '/', 'Demo'),
      post: 'for i in 1 2 3; do echo $i; done > /var/lib/demo-numbers\nmkdir -p /var/lib/{left,right}',
    },
  },
  {
    name: 'made-watcher',
    tags: { 'Requires(post)': ['bash', 'coreutils'], OrderWithRequires: ['made-demo'] },
    files: [{ name: 'usr/bin/watcher', data: 'w', mode: 0o755 }],
    scripts: {
      'triggerin -- made-demo, tzdata': 'echo "triggerin $1 $2" >> /var/log/events',
      'filetriggerin -- /usr/share/demo /usr/lib/udev/rules.d': '{ echo "filetriggerin $1"; sort; } >> /var/log/events',
      'transfiletriggerin -- /usr/sbin': '{ echo "transfiletriggerin $1"; sort; } >> /var/log/events',
      posttrans: 'echo "posttrans $1" >> /var/log/events',
    },
  },
  { name: 'made-extra', tags: { Requires: ['bash'] }, files: [{ name: 'usr/bin/extra', data: 'e', mode: 0o755 }] },
];

/** Payloads other than zstd, by package. */
export const PAYLOADS: Readonly<Record<string, string>> = {
  'w2.xzdio': 'tzdata kmod libkmod2 grep',
  'w6.gzdio': 'sed made-demo zlib iptables',
  'w9.bzdio': 'findutils hostname made-watcher',
};
