import { whereChosen, whereMachine, whereMethod, whereNamed, whereRead } from './scope.ts';
import { choice, setting, text, texts, words, yesNo } from './setting.ts';

const DISTRIBUTION = 'Distribution and packages';
const REPOSITORY = 'Where packages come from';

/** Rows of the table of settings: the distribution, its packages, and where they come from. */
export const PACKAGE_SETTINGS = {
  distro: setting(DISTRIBUTION, whereNamed, text('NAME'), 'DISTRO', 'distribution of the guest', 'ubuntu'),
  osVersion: setting(
    DISTRIBUTION,
    whereRead,
    text('VERSION'),
    'OS_VERSION',
    'release or suite (default: the newest long-term one)',
  ),
  arch: setting(
    DISTRIBUTION,
    whereMachine,
    text('ARCH'),
    'ARCH',
    'architecture of the guest, as `uname -m` says it or in the distribution’s words (default: this machine’s)',
  ),
  profile: setting(
    DISTRIBUTION,
    whereRead,
    text('FILE'),
    'OSBUILDER_PROFILE',
    'a distribution of your own: a YAML file like those `osbuilder distros --show NAME` prints',
  ),
  packages: setting(
    DISTRIBUTION,
    whereChosen,
    words('"A B"'),
    'PACKAGES',
    'instead of the profile’s own list; the base set stays',
  ),
  extraPkgs: setting(
    DISTRIBUTION,
    whereChosen,
    words('"A B"'),
    'EXTRA_PKGS',
    'more packages: `name`, `name=version`, `name/suite`, `name-` to keep one out, `./name.deb` for a file',
  ),
  recommends: setting(
    DISTRIBUTION,
    whereChosen,
    yesNo,
    'OSBUILDER_RECOMMENDS',
    'also install what packages recommend',
    false,
  ),
  repoUrl: setting(
    REPOSITORY,
    whereRead,
    texts('URL'),
    'REPO_URL',
    'the archive: http, https, file: or a folder; several are tried in order',
  ),
  repoComponents: setting(REPOSITORY, whereRead, words('"main …"'), 'REPO_COMPONENTS', 'components of the archive'),
  repoSuites: setting(
    REPOSITORY,
    whereRead,
    words('"S …"'),
    'REPO_SUITES',
    'suites of the archive (default: the release, its updates and security updates; with --repo-url: the release alone)',
  ),
  repo: setting(
    REPOSITORY,
    whereRead,
    texts('REPO'),
    'EXTRA_REPOS',
    'a further repository: `[options] URL SUITE COMPONENT…` (apk: `[options] [@TAG] URL`; rpm: `[options] URL` or FILE.repo), or a folder of packages; repeatable',
  ),
  keyring: setting(
    REPOSITORY,
    whereRead,
    texts('FILE'),
    'KEYRING',
    'trust these OpenPGP (apk: RSA) keys instead of the built-in ones; repeatable',
  ),
  allowUnauthenticated: setting(
    REPOSITORY,
    whereRead,
    yesNo,
    'ALLOW_UNAUTHENTICATED',
    'take repositories that nobody signed, or whose signature fails',
    false,
  ),
  repomdSha256: setting(
    REPOSITORY,
    whereRead,
    texts('SHA256'),
    'OSBUILDER_REPOMD_SHA256',
    'rpm: the SHA-256 that repomd.xml must have where it is not signed; repeatable, one for each repository',
  ),
  module: setting(
    REPOSITORY,
    whereRead,
    texts('NAME:STREAM'),
    'OSBUILDER_MODULE',
    'rpm: make this stream of a module active instead of the default one; its packages are there then, and take the place of others of their names (to install a profile, name `@NAME:STREAM/PROFILE` as a package); repeatable',
  ),
  pin: setting(
    REPOSITORY,
    whereRead,
    texts('PIN'),
    'OSBUILDER_PIN',
    'apt preferences: `Package: x; Pin: release a=…; Pin-Priority: N`, or a file of them; repeatable',
  ),
  snapshot: setting(
    REPOSITORY,
    whereRead,
    text('TIME'),
    'SNAPSHOT',
    'the archive as it was at that time (20260301T000000Z or an ISO date)',
  ),
  buildMethod: setting(
    DISTRIBUTION,
    whereMethod,
    choice('distro', 'dracut'),
    'BUILD_METHOD',
    'make the rootfs from packages, or like dracut from the files of an existing system that a guest needs',
    'distro' as const,
  ),
};
