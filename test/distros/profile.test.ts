import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROFILES, profileFrom, profileNamed } from '../../src/distros/distros.ts';
import { architectureOf, releaseOf, repositoriesOf } from '../../src/distros/profile.ts';

test('releases are found by name, number and alias; the default is the newest long-term one', () => {
  const debian = profileNamed('debian');
  assert.equal(releaseOf(debian, '12').name, 'bookworm');
  assert.equal(releaseOf(debian, 'stable').name, 'trixie');
  assert.equal(releaseOf(debian, undefined).name, 'trixie');
  assert.equal(releaseOf(profileNamed('ubuntu'), undefined).name, 'resolute');
  assert.throws(() => releaseOf(debian, 'potato'), {
    code: 'RELEASE_UNKNOWN',
    message: /trixie, bookworm, forky, sid/,
  });
});

test('architectures go by anybody’s name for them', () => {
  const debian = profileNamed('debian');
  for (const name of ['x86_64', 'amd64', 'x64'])
    assert.deepEqual(architectureOf(debian, name), { uname: 'x86_64', own: 'amd64' });
  for (const name of ['aarch64', 'arm64'])
    assert.deepEqual(architectureOf(debian, name), { uname: 'aarch64', own: 'arm64' });
  assert.deepEqual(architectureOf(debian, 'ppc64el'), { uname: 'ppc64le', own: 'ppc64el' });
  assert.throws(() => architectureOf(debian, 'vax'), { code: 'ARCH_UNKNOWN' });
});

test('Ubuntu’s other processors come from the ports archive', () => {
  const ubuntu = profileNamed('ubuntu');
  const noble = releaseOf(ubuntu, '24.04');
  assert.deepEqual(
    repositoriesOf(ubuntu, noble, 'amd64').map((r) => `${r.urls[0]} ${r.suite}`),
    [
      'http://archive.ubuntu.com/ubuntu noble',
      'http://archive.ubuntu.com/ubuntu noble-updates',
      'http://security.ubuntu.com/ubuntu noble-security',
    ],
  );
  assert.deepEqual(
    new Set(repositoriesOf(ubuntu, noble, 's390x').flatMap((r) => r.urls)),
    new Set(['http://ports.ubuntu.com/ubuntu-ports']),
  );
});

test('Debian’s testing is forky, which has updates and a security suite', () => {
  const debian = profileNamed('debian');
  for (const name of ['testing', '14', 'forky'])
    assert.deepEqual(
      repositoriesOf(debian, releaseOf(debian, name), 'amd64').map((r) => r.suite),
      ['forky', 'forky-updates', 'forky-security'],
    );
});

test('sid has no updates and no security suite', () => {
  const debian = profileNamed('debian');
  assert.deepEqual(
    repositoriesOf(debian, releaseOf(debian, 'sid'), 'amd64').map((r) => r.suite),
    ['sid'],
  );
});

test('a profile of one’s own changes only what it says', () => {
  const mine = profileFrom({ like: 'debian', name: 'mine', packages: { always: ['bash'] } }, 'mine.yaml');
  assert.equal(mine.name, 'mine');
  assert.deepEqual(mine.packages.always, ['bash']);
  assert.deepEqual(mine.packages.systemd, ['init']);
  assert.throws(() => profileFrom({ like: 'debian', releases: 'all' }, 'mine.yaml'), {
    code: 'PROFILE_INVALID',
    message: /mine\.yaml.*releases/,
  });
  assert.throws(() => profileFrom({ like: 'debian', colour: 'red' }, 'mine.yaml'), { code: 'PROFILE_INVALID' });
  assert.throws(() => profileFrom('debian', 'mine.yaml'), { code: 'PROFILE_INVALID' });
  assert.throws(() => profileFrom({ like: 'nobody' }, 'mine.yaml'), { code: 'DISTRO_UNKNOWN' });
});

test('every built-in profile can be printed and read back as one’s own', () => {
  for (const profile of PROFILES.values())
    assert.deepEqual(profileFrom(JSON.parse(JSON.stringify(profile)), 'copy'), profile);
});
