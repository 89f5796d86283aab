import type { DracutModule } from '../module.ts';

/** The network at the start of a system. Kata's agent sets up a guest's network itself; other guests may want one. */

const UNITS = 'usr/lib/systemd/system';
const NETWORKS = [
  ...['80-6rd-tunnel.network', '80-container-host0.network', '80-container-vb.network', '80-container-ve.network'],
  ...['80-container-vz.network', '80-vm-vt.network', '80-wifi-adhoc.network', '98-default-mac-none.link'],
  '99-default.link',
];
const WAIT = 'systemd-networkd-wait-online.service';

export const NETWORK: readonly DracutModule[] = [
  {
    name: 'network',
    title: 'a network, set up by systemd-networkd',
    dracut: '106',
    order: 40,
    dependsOnFirst: ['systemd-networkd'],
  },
  {
    name: 'network',
    title: 'network at the start of a system',
    dracut: '059',
    order: 40,
    rejected: 'the agent sets up a guest’s network; take the programs that you need with install_items, such as ip',
  },
  {
    name: 'net-lib',
    title: 'dracut’s shell functions for networks, with ip, awk and grep',
    dracut: '106',
    order: 45,
    needs: ['ip', 'awk', 'grep'],
    depends: ['base'],
    programs: ['ip', 'awk', 'grep'],
    optionalPrograms: ['arping', 'arping2'],
    own: { 'netroot.sh': 'sbin/netroot', 'net-lib.sh': 'lib/net-lib.sh' },
    hooks: {
      'ifname-genrules.sh': 'pre-udev/50-ifname-genrules.sh',
      'dhcp-root.sh': 'cmdline/91-dhcp-root.sh',
    },
    texts: { 'lib/dracut/need-initqueue': { text: '', mode: 0o644 } },
  },
  {
    name: 'kernel-network-modules',
    title: 'kernel modules for network cards without radio, bridges, bonds and VLANs',
    order: 90,
    special: ['network-drivers'],
    drivers: [
      ...['=drivers/net/mdio', '=drivers/net/phy', '=drivers/net/team', '=drivers/net/ethernet', 'ecb', 'arc4'],
      ...['bridge', 'stp', 'llc', 'ipv6', 'bonding', '8021q', 'ipvlan', 'macvlan', 'af_packet', 'virtio_net'],
      'xennet',
    ],
  },
  {
    name: 'systemd-networkd',
    title: 'systemd’s own network service, with DHCP on every card',
    dracut: '106',
    order: 1,
    needs: [
      'ip',
      'usr/lib/systemd/systemd-networkd',
      'usr/lib/systemd/systemd-network-generator',
      'usr/lib/systemd/systemd-networkd-wait-online',
    ],
    depends: ['net-lib', 'kernel-network-modules', 'systemd-sysusers', 'systemd', 'bash'],
    files: [
      'usr/lib/sysusers.d/systemd-network.conf',
      'usr/lib/tmpfiles.d/systemd-network.conf',
      'usr/share/dbus-1/system.d/org.freedesktop.network1.conf',
      'usr/share/dbus-1/system-services/org.freedesktop.network1.service',
      'usr/lib/systemd/networkd.conf',
      'usr/lib/systemd/networkd.conf.d/*.conf',
      'usr/lib/systemd/systemd-networkd',
      'usr/lib/systemd/systemd-network-generator',
      'usr/lib/systemd/systemd-networkd-wait-online',
      ...NETWORKS.map((name) => `usr/lib/systemd/network/${name}`),
    ],
    units: [
      'systemd-networkd.service',
      'systemd-networkd.socket',
      'systemd-network-generator.service',
      WAIT,
      'systemd-networkd-wait-online@.service',
    ],
    optionalPrograms: ['ip', 'sed', 'grep'],
    own: {
      '99-wait-online-dracut.conf': `${UNITS}/${WAIT}.d/99-dracut.conf`,
      '99-default.network': 'etc/systemd/network/zzzz-dracut-default.network',
    },
    hooks: {
      'networkd-config.sh': 'cmdline/99-networkd-config.sh',
      'networkd-run.sh': 'initqueue/settled/99-networkd-run.sh',
    },
    links: {
      'etc/systemd/system/dbus-org.freedesktop.network1.service': `/${UNITS}/systemd-networkd.service`,
      'etc/systemd/system/multi-user.target.wants/systemd-networkd.service': `/${UNITS}/systemd-networkd.service`,
      'etc/systemd/system/sockets.target.wants/systemd-networkd.socket': `/${UNITS}/systemd-networkd.socket`,
      'etc/systemd/system/sysinit.target.wants/systemd-network-generator.service': `/${UNITS}/systemd-network-generator.service`,
      [`etc/systemd/system/network-online.target.wants/${WAIT}`]: `/${UNITS}/${WAIT}`,
      [`etc/systemd/system/initrd.target.wants/${WAIT}`]: `/${UNITS}/${WAIT}`,
    },
  },
];
