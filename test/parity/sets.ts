/** Sets of packages in docs/parity.md: servers, languages, the base of desktops, tools. */
export const SETS: readonly (readonly [suite: string, packages: string])[] = [
  'openssh-server sudo rsyslog cron logrotate',
  'apache2 nginx php-fpm',
  'postgresql redis-server memcached',
  'mariadb-server',
  'postfix bind9 dnsmasq',
  'exim4 samba ntpsec',
  'docker.io podman nfs-common lvm2 mdadm cryptsetup',
  'python3 perl ruby php-cli nodejs golang-go default-jre-headless',
  'man-db vim git bash-completion locales console-setup keyboard-configuration tzdata',
  'apparmor udev systemd-resolved systemd-timesyncd libpam-systemd ifupdown nftables',
]
  .flatMap((packages): [string, string][] => [
    ['trixie', packages],
    ['bookworm', packages],
  ])
  .concat([
    ['trixie', 'dbus-x11 xserver-xorg-core libgtk-3-0t64 fontconfig polkitd network-manager'],
    ['bookworm', 'dbus-x11 xserver-xorg-core libgtk-3-0 fontconfig polkitd network-manager'],
    ['trixie', 'haproxy dovecot-imapd vsftpd unbound fail2ban ufw wireguard-tools openvpn'],
    ['trixie', 'cups avahi-daemon bluez upower udisks2 pipewire flatpak'],
    ['trixie', 'emacs-nox docbook-xml wamerican hunspell-en-us aspell python3-pip'],
    ['trixie', 'libvirt-daemon-system lxc tor prometheus-node-exporter nfs-kernel-server slapd'],
  ]);
