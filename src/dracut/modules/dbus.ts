import type { DracutModule, Steps } from '../module.ts';

/** The message bus: the units of systemd's own bus clients expect one in a guest. */

const PARTS = ['', 'interfaces', 'services', 'session.d', 'system.d', 'system-services'];
const FOLDERS = ['usr/share/dbus-1', 'etc/dbus-1'].flatMap((folder) =>
  PARTS.map((name) => (name === '' ? folder : `${folder}/${name}`)),
);
const EARLY = ['DefaultDependencies=no', '        Conflicts=shutdown.target', '        Before=shutdown.target'];
const SYSTEM = 'usr/lib/systemd/system';
const SOCKET: Steps['edits'] = [
  { path: `${SYSTEM}/dbus.socket`, after: '[Unit]', lines: EARLY },
  { path: `${SYSTEM}/dbus.socket`, after: '[Socket]', lines: ['RemoveOnStop=yes'] },
  {
    path: `${SYSTEM}/systemd-tmpfiles-setup.service`,
    begins: 'After',
    replace: 'local-fs.target ',
    by: '-.mount ',
  },
];
const SHARED = [
  'usr/share/dbus-1/system.conf',
  'usr/share/dbus-1/system.d/org.freedesktop.systemd1.conf',
  'etc/dbus-1/services/org.freedesktop.systemd1.service',
  'usr/share/dbus-1/system-services/org.freedesktop.systemd1.service',
];
const DAEMON = {
  name: 'dbus-daemon',
  title: 'the reference message bus',
  order: 6,
  needs: ['busctl', 'dbus-daemon', 'dbus-send'],
  depends: ['systemd'],
  folders: FOLDERS,
  files: SHARED,
  optionalPrograms: ['busctl', 'dbus-send', 'dbus-daemon'],
  edits: [{ path: `${SYSTEM}/dbus.service`, after: '[Unit]', lines: EARLY }, ...SOCKET],
  users: ['dbus', 'messagebus'],
  groups: ['dbus', 'messagebus'],
} satisfies DracutModule;

const BROKER = {
  name: 'dbus-broker',
  title: 'the message bus dbus-broker',
  order: 6,
  needs: ['busctl', 'dbus-broker', 'dbus-broker-launch'],
  depends: ['systemd', 'systemd-sysusers'],
  folders: FOLDERS,
  files: [
    'usr/share/dbus-1/session.conf',
    ...SHARED,
    'usr/lib/sysusers.d/dbus.conf',
    'usr/lib/systemd/catalog/dbus-broker.catalog',
    'usr/lib/systemd/catalog/dbus-broker-launch.catalog',
    'usr/lib/systemd/user/dbus-broker.service',
    'usr/lib/systemd/user/dbus.socket',
    'usr/lib/systemd/user/sockets.target.wants/dbus.socket',
  ],
  units: ['dbus-broker.service', 'dbus.socket', 'sockets.target.wants/dbus.socket', 'dbus.target.wants'],
  optionalPrograms: ['busctl', 'dbus-broker', 'dbus-broker-launch'],
  edits: SOCKET,
  links: { 'etc/systemd/system/dbus.service': `/${SYSTEM}/dbus-broker.service` },
} satisfies DracutModule;

export const DBUS: readonly DracutModule[] = [
  {
    ...DAEMON,
    dracut: '106',
    units: [
      'dbus.service',
      'dbus.socket',
      'dbus.target.wants',
      'multi-user.target.wants/dbus.service',
      'sockets.target.wants/dbus.socket',
    ],
  },
  { ...DAEMON, dracut: '059', units: ['dbus.service', 'dbus.socket', 'dbus.target.wants'] },
  BROKER,
  {
    name: 'dbus',
    title: 'a message bus: dbus-broker if the system has it, else dbus-daemon',
    order: 9,
    dependsOnFirst: ['dbus-broker', 'dbus-daemon'],
  },
];
