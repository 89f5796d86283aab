import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { apk, apkRepository, makeApkKey, testKey, writeFiles } from './apks.ts';
import { deb, type TarMember } from './debs.ts';
import { addDebs, makeKey } from './repository.ts';
import { createRepository, makeRpmKey, makeRpms, type RpmMember, signRpms } from './rpms.ts';

/** A small package in no family's words. */
export interface AbstractPackage {
  readonly name: string;
  readonly depends?: readonly string[];
  readonly conflicts?: readonly string[];
  /** Paths without a leading slash; folders end in one. */
  readonly files?: readonly TarMember[];
  /** Body of the shell script that runs after the package's files are installed. */
  readonly script?: string;
}

/** A repository made for a test. */
export interface MadeRepository {
  /** Folder to serve; its URL is the mirror's root. */
  readonly root: string;
  /** File of the keys that signed it, and one of a key that did not. */
  readonly keyring: string;
  readonly otherKeyring: string;
  /** Paths of the packages' archives below `root`, by package name. */
  readonly archives: ReadonlyMap<string, string>;
}

/** What the contract test needs to know of a family. */
export interface FamilyUnderTest {
  readonly family: string;
  /** Flags that choose the distribution, its release and the architecture. */
  readonly flags: readonly string[];
  /** A line of a script that makes the system user `made` with the number 321, without a home. */
  readonly makeUser: string;
  /** Name of the script that runs after installation. */
  readonly script: string;
  /** The flag that keeps the package manager's database, and its folder. */
  readonly keepDatabase: string;
  readonly database: string;
  /** Flags of other families that this one rejects. */
  readonly foreign: readonly (readonly string[])[];
  /** Whether `--preseed` and `--snapshot` act; a family for which they do not must reject them. */
  readonly acts: Readonly<Record<'preseed' | 'snapshot', boolean>>;
  readonly codes: Readonly<
    Record<'unknownPackage' | 'unknownRelease' | 'badSignature' | 'unsatisfiable' | 'corruptSignature', string>
  > & {
    /** Of an archive that is cut short, and of one with other bytes. */
    readonly corrupt: readonly [string, string];
  };
  make(folder: string, packages: readonly AbstractPackage[]): Promise<MadeRepository>;
  /** Files by path below the root whose signature has one wrong bit, in place of the good ones. */
  corruptSignature(made: MadeRepository): Readonly<Record<string, Uint8Array>>;
}

/** A file with one bit of the byte at `at` flipped. */
function flipped(path: string, at: (bytes: Buffer) => number, bit = 1): Buffer {
  const bytes = Buffer.from(readFileSync(path));
  bytes[at(bytes)]! ^= bit;
  return bytes;
}

const apt: FamilyUnderTest = {
  family: 'apt',
  flags: ['--distro', 'debian', '--os-version', 'trixie', '--arch', 'amd64'],
  makeUser: 'useradd -r -M -U -u 321 -d /nonexistent made',
  script: 'postinst',
  keepDatabase: '--keep-dpkg-db',
  database: 'var/lib/dpkg',
  foreign: [['--keep-apk-db'], ['--keep-rpm-db'], ['--repomd-sha256', '0'.repeat(64)], ['--module', 'a:1']],
  acts: { preseed: true, snapshot: true },
  codes: {
    unknownPackage: 'PACKAGE_NOT_FOUND',
    unknownRelease: 'RELEASE_UNKNOWN',
    corrupt: ['CONTENT_SIZE', 'DIGEST_MISMATCH'],
    badSignature: 'SIGNATURE_KEY_UNKNOWN',
    corruptSignature: 'SIGNATURE_BAD',
    unsatisfiable: 'UNSATISFIABLE',
  },
  async make(folder, packages) {
    const debs = join(folder, 'debs');
    mkdirSync(debs, { recursive: true });
    const paths = packages.map(({ name, depends = [], conflicts = [], files = [], script }) => {
      const path = join(debs, `${name}_1_amd64.deb`);
      const list = (field: string, names: readonly string[]) =>
        names.length === 0 ? '' : `${field}: ${names.join(', ')}\n`;
      const made = deb({
        name,
        fields: list('Depends', depends) + list('Conflicts', conflicts),
        files: files.map((one) => ({ ...one, name: `./${one.name}` })),
        ...(script === undefined ? {} : { control: { postinst: `#!/bin/sh\nset -e\n${script}\n` } }),
      });
      writeFileSync(path, made);
      return path;
    });
    const root = join(folder, 'repository');
    const suite = { suite: 'trixie', codename: 'trixie', architectures: ['amd64'] };
    const key = await makeKey();
    await addDebs(root, { ...suite, debs: paths, keys: [key] });
    const keyring = join(folder, 'keyring.gpg');
    writeFileSync(keyring, key.publicKey);
    const otherKeyring = join(folder, 'other.gpg');
    writeFileSync(otherKeyring, (await makeKey()).publicKey);
    return { root, keyring, otherKeyring, archives: archivesBelow(root, packages, /\/([^/_]+)_1_amd64\.deb$/) };
  },
  corruptSignature({ root }) {
    const path = 'dists/trixie/InRelease';
    // a letter of the signed text: another text with a good signature of the old one
    return { [path]: flipped(join(root, path), (bytes) => bytes.indexOf('Suite: trixie') + 8, 0x20) };
  },
};

const apkFamily: FamilyUnderTest = {
  family: 'apk',
  flags: ['--distro', 'alpine', '--os-version', '3.24', '--arch', 'x86_64'],
  makeUser: 'addgroup -S -g 321 made\nadduser -S -D -H -u 321 -G made made',
  script: 'post-install',
  keepDatabase: '--keep-apk-db',
  database: 'lib/apk/db',
  foreign: [['--keep-dpkg-db'], ['--keep-rpm-db'], ['--repomd-sha256', '0'.repeat(64)], ['--module', 'a:1']],
  acts: { preseed: false, snapshot: false },
  codes: {
    unknownPackage: 'APK_UNSOLVABLE',
    unknownRelease: 'RELEASE_UNKNOWN',
    corrupt: ['CONTENT_SIZE', 'DIGEST_MISMATCH'],
    badSignature: 'APK_SIGNATURE_UNKNOWN',
    corruptSignature: 'APK_SIGNATURE_BAD',
    unsatisfiable: 'APK_UNSOLVABLE',
  },
  async make(folder, packages) {
    const made = packages.map(({ name, depends = [], conflicts = [], files = [], script }) =>
      apk({
        name,
        // as Alpine's repositories have packages without programs
        ...(name === 'library' ? { architecture: 'noarch', listedAs: 'x86_64' } : {}),
        fields: { depend: [...depends, ...conflicts.map((one) => `!${one}`)] },
        files,
        ...(script === undefined ? {} : { scripts: { 'post-install': `#!/bin/sh\nset -e\n${script}\n` } }),
      }),
    );
    const root = join(folder, 'repository');
    writeFiles(root, apkRepository('v3.24/main/x86_64', made));
    const keyring = join(folder, testKey().name);
    writeFileSync(keyring, testKey().pem);
    const other = makeApkKey('other@example.org-6f6f6f6f.rsa.pub');
    const otherKeyring = join(folder, other.name);
    writeFileSync(otherKeyring, other.pem);
    return { root, keyring, otherKeyring, archives: archivesBelow(root, packages, /\/([^/]+)-1-r0\.apk$/) };
  },
  corruptSignature({ root }) {
    const path = 'v3.24/main/x86_64/APKINDEX.tar.gz';
    // the first gzip member is the signature; the second, its own header aside, what was signed: its last four bytes
    return { [path]: flipped(join(root, path), (bytes) => bytes.indexOf(Buffer.from([0x1f, 0x8b, 8]), 1) + 9) };
  },
};

const rpmFamily: FamilyUnderTest = {
  family: 'rpm',
  flags: ['--distro', 'cbl-mariner', '--os-version', '3.0', '--arch', 'x86_64'],
  makeUser: 'useradd -r -M -U -u 321 -d /nonexistent made',
  script: 'post',
  keepDatabase: '--keep-rpm-db',
  database: 'var/lib/rpm',
  foreign: [['--keep-dpkg-db'], ['--keep-apk-db']],
  acts: { preseed: false, snapshot: false },
  codes: {
    unknownPackage: 'PACKAGE_NOT_FOUND',
    unknownRelease: 'RELEASE_UNKNOWN',
    corrupt: ['CONTENT_SIZE', 'DIGEST_MISMATCH'],
    badSignature: 'SIGNATURE_KEY_UNKNOWN',
    corruptSignature: 'SIGNATURE_BAD',
    unsatisfiable: 'RPM_UNSOLVABLE',
  },
  async make(folder, packages) {
    // rpm packages name their owners, so every number gets an account in the package that has the account files
    const owners = new Set<number>();
    const groups = new Set<number>();
    for (const { uid = 0, gid = 0 } of packages.flatMap(({ files = [] }) => files)) {
      if (uid !== 0) owners.add(uid);
      if (gid !== 0) groups.add(gid);
    }
    const accounts: Readonly<Record<string, string>> = {
      'etc/passwd': [...owners].map((id) => `u${id}:x:${id}:${id}::/:/sbin/nologin\n`).join(''),
      'etc/group': [...groups].map((id) => `g${id}:x:${id}:\n`).join(''),
    };
    const member = ({ name, data, mode, uid = 0, gid = 0, type, link }: TarMember): RpmMember => ({
      name,
      data: accounts[name] === undefined ? (data ?? '') : `${data ?? ''}${accounts[name]}`,
      ...(mode === undefined ? {} : { mode }),
      ...(uid === 0 ? {} : { user: `u${uid}` }),
      ...(gid === 0 ? {} : { group: `g${gid}` }),
      ...(type === '2' ? { link: link! } : type === '1' ? { hard: link! } : {}),
    });
    const made = makeRpms(
      folder,
      packages.map(({ name, depends = [], conflicts = [], files = [], script }) => ({
        name,
        tags: {
          Requires: depends,
          Conflicts: conflicts,
          // rpmbuild makes every package with a script require its interpreter
          Provides: files.some((one) => one.name === 'etc/passwd') ? ['/bin/sh'] : [],
        },
        files: [
          ...files.map(member),
          // and rpm starts it
          ...(files.some((one) => one.name === 'etc/passwd') ? [{ name: 'bin/sh', data: 'shell', mode: 0o755 }] : []),
        ],
        // its first line is the one that other families have for the interpreter
        ...(script === undefined ? {} : { scripts: { post: `# ${name}\nset -e\n${script}` } }),
      })),
    );
    const key = makeRpmKey(join(folder, 'gpg'));
    signRpms([...made.values()], key);
    const root = join(folder, 'repository');
    const below = join(root, '3.0/prod/base/x86_64');
    mkdirSync(below, { recursive: true });
    for (const path of made.values()) copyFileSync(path, join(below, basename(path)));
    createRepository(below, key);
    const other = makeRpmKey(join(folder, 'other'), 'Other <other@example.org>');
    return {
      root,
      keyring: key.publicKey,
      otherKeyring: other.publicKey,
      archives: archivesBelow(root, packages, /\/([^/]+)-1-1\.noarch\.rpm$/),
    };
  },
  corruptSignature({ root }) {
    const path = '3.0/prod/base/x86_64/repodata/repomd.xml';
    return { [path]: flipped(join(root, path), (bytes) => bytes.indexOf('<revision>') + 10) };
  },
};

function archivesBelow(root: string, packages: readonly AbstractPackage[], name: RegExp): ReadonlyMap<string, string> {
  const found = readdirSync(root, { recursive: true, encoding: 'utf8' }).flatMap((path) => {
    const match = name.exec(`/${path}`);
    return match === null ? [] : [[match[1]!, path] as const];
  });
  if (found.length !== packages.length) throw new Error(`${found.length} of ${packages.length} archives below ${root}`);
  return new Map(found);
}

/** Every family that guests can be made of. */
export const FAMILIES_UNDER_TEST: readonly FamilyUnderTest[] = [apt, apkFamily, rpmFamily];
