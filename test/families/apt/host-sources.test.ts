import assert from 'node:assert/strict';
import { test } from 'node:test';
import { debian } from '../../../src/distros/debian.ts';
import { type ProfileData, parseProfile, releaseOf, repositoriesOf } from '../../../src/distros/profile.ts';
import { ubuntu } from '../../../src/distros/ubuntu.ts';
import { BuildError } from '../../../src/errors/error.ts';
import { hostArchives, hostSourcePaths, parseHostSources } from '../../../src/families/apt/host-sources.ts';
import { snapshotArchive, snapshotTime } from '../../../src/families/apt/snapshot.ts';

const list = (text: string) => [{ path: '/etc/apt/sources.list', text }];
const deb822 = (text: string) => [{ path: '/etc/apt/sources.list.d/x.sources', text }];

test('files are read in the order of apt', () => {
  const names = ['b.list', 'a.sources', 'c.list.save', '.hidden.list', 'readme', 'a b.list', 'd.list~'];
  const asked: string[] = [];
  const paths = hostSourcePaths((folder) => {
    asked.push(folder);
    return names;
  });
  assert.deepEqual(asked, ['/etc/apt/sources.list.d']);
  assert.deepEqual(paths, [
    '/etc/apt/sources.list',
    '/etc/apt/sources.list.d/a.sources',
    '/etc/apt/sources.list.d/b.list',
  ]);
});

test('one-line sources', () => {
  const text = `
# deb http://old.example.org/debian trixie main
deb http://ftp.de.debian.org/debian/ bookworm main contrib # the near one
deb [ arch=amd64 signed-by=/usr/share/keyrings/x.gpg ] https://mirror.example.org/pub/debian bookworm-updates main
deb-src http://source.example.org/debian bookworm main
deb [trusted=yes] http://security.debian.org/debian-security bookworm-security main
deb http://security.debian.org/ buster/updates main
deb cdrom:[Debian]/ bookworm main
deb mirror+file:/etc/apt/mirrors.txt bookworm main
deb https://packages.example.com/apt stable main
deb https://download.docker.com/linux/debian bookworm stable
deb https://deb.nodesource.com/node_20.x nodistro main
deb https://repo.example.com/debian/ ./
deb http://ftp.de.debian.org/debian bookworm-backports main
garbage
deb
`;
  assert.deepEqual(hostArchives(list(text), debian.hostArchives, 'amd64'), {
    main: ['http://ftp.de.debian.org/debian', 'https://mirror.example.org/pub/debian'],
    security: ['http://security.debian.org/debian-security', 'http://security.debian.org'],
  });
  assert.deepEqual(hostArchives(list(text), ubuntu.hostArchives, 'amd64'), { main: [], security: [] });
  assert.deepEqual(parseHostSources('deb [a=b  c=d] http://h/debian trixie main contrib', 'x.list'), [
    { uri: 'http://h/debian', suite: 'trixie', components: ['main', 'contrib'] },
  ]);
});

test('deb822 sources: comments between fields, several URIs, folded lines, disabled stanzas', () => {
  const text = `Types: deb
# http://snapshot.example.org/archive/debian/20250520T000000Z
URIs: http://ftp.debian.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

types: deb deb-src
uris: http://a.example.org/debian
# in between
 http://b.example.org/debian/
suites: trixie
components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY
 -----END PGP PUBLIC KEY BLOCK-----


Types: deb
URIs: http://ftp.debian.org/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example.org/debian
Suites: trixie
Components: main

Types: deb-src
URIs: http://src.example.org/debian
Suites: trixie
Components: main

Types: deb
URIs: https://vendor.example.com/debian
Suites: stable
Components: nightly
`;
  for (const form of [text, text.replaceAll('\n', '\r\n')])
    assert.deepEqual(hostArchives(deb822(form), debian.hostArchives, 'amd64'), {
      main: ['http://ftp.debian.org/debian', 'http://a.example.org/debian', 'http://b.example.org/debian'],
      security: ['http://ftp.debian.org/debian-security'],
    });
  assert.deepEqual(hostArchives(deb822(''), debian.hostArchives, 'amd64'), { main: [], security: [] });
  assert.deepEqual(hostArchives(deb822('not a field\n: x\n # y\n'), debian.hostArchives, 'amd64'), {
    main: [],
    security: [],
  });
});

test("Ubuntu's archives and ports; personal archives are ignored", () => {
  const text = `
deb http://de.archive.ubuntu.com/ubuntu/ noble main restricted universe multiverse
deb http://security.ubuntu.com/ubuntu noble-security main
deb http://ports.ubuntu.com/ubuntu-ports noble main
deb https://ppa.launchpadcontent.net/team/name/ubuntu noble main
deb http://ftp.debian.org/debian trixie main
`;
  assert.deepEqual(hostArchives(list(text), ubuntu.hostArchives, 'amd64'), {
    main: ['http://de.archive.ubuntu.com/ubuntu'],
    security: ['http://security.ubuntu.com/ubuntu'],
  });
  assert.deepEqual(hostArchives(list(text), ubuntu.hostArchives, 'arm64').main, [
    'http://ports.ubuntu.com/ubuntu-ports',
  ]);
  assert.deepEqual(hostArchives(list(text), debian.hostArchives, 'amd64').main, ['http://ftp.debian.org/debian']);
});

test('snapshot times and archives', () => {
  for (const text of [
    '20240131T000000Z',
    '2024-01-31',
    '20240131',
    '2024-01-31T00:00:00Z',
    '2024-01-31 00:00',
    '2024-01-31T00:00:00.000Z',
  ])
    assert.equal(snapshotTime(text), '20240131T000000Z', text);
  assert.equal(snapshotTime('2024-02-29T23:59:58Z'), '20240229T235958Z');
  for (const text of [
    '',
    'yesterday',
    '2024-02-30',
    '2024-13-01',
    '2024-01-01T24:30:00',
    '2024',
    '2024-01-01T00:00:00+02:00',
    '1700000000',
  ])
    assert.throws(
      () => snapshotTime(text),
      (error: BuildError) => error instanceof BuildError && error.code === 'SNAPSHOT_TIME',
      text,
    );
  const archives = (data: ProfileData, release: string, architecture: string) => {
    const profile = parseProfile(data, 'test');
    return repositoriesOf(profile, releaseOf(profile, release), architecture).map((one) =>
      snapshotArchive(one, '2024-01-31'),
    );
  };
  const debianArchive = 'https://snapshot.debian.org/archive/debian/20240131T000000Z';
  assert.deepEqual(archives(debian, 'trixie', 'amd64'), [
    debianArchive,
    debianArchive,
    debianArchive.replace('/debian/', '/debian-security/'),
  ]);
  for (const architecture of ['amd64', 'arm64'])
    assert.deepEqual(
      new Set(archives(ubuntu, 'noble', architecture)),
      new Set(['https://snapshot.ubuntu.com/ubuntu/20240131T000000Z']),
    );
  assert.throws(
    () => snapshotArchive({ name: 'main' }, '2024-01-31'),
    (error: BuildError) => error.code === 'SETTING_CONFLICT' && /no snapshots.*"main"/.test(error.message),
  );
});
