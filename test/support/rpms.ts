import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tool } from './data.ts';

/** Makers of rpm packages and repositories for tests, by rpmbuild, rpmsign and createrepo_c. */

/** A file of a made package. */
export interface RpmMember {
  /** Path without a leading slash; folders end in one. */
  readonly name: string;
  readonly data?: string | Uint8Array;
  readonly mode?: number;
  /** `root` when left out. */
  readonly user?: string;
  readonly group?: string;
  /** Target of a symbolic link. */
  readonly link?: string;
  /** Path of an earlier file of the package that this is another name of. */
  readonly hard?: string;
  /** `%config(noreplace)`, `%ghost`, `%doc`, `%caps(cap_net_raw=ep)`, `%lang(de)` … */
  readonly flags?: string;
}

/** A package to make. */
export interface SmallRpm {
  readonly name: string;
  /** `1` when left out. */
  readonly version?: string;
  readonly release?: string;
  readonly epoch?: number;
  /** `noarch` when left out, else that of {@link BuildRpms}. */
  readonly architecture?: string;
  /** `Requires`, `Requires(post)`, `Provides`, `Recommends`, `OrderWithRequires` …: lines of the spec. */
  readonly tags?: Readonly<Record<string, readonly string[]>>;
  readonly files?: readonly RpmMember[];
  /** By section: `post`, `pre -p <lua>`, `triggerin -- other`, `filetriggerin -- /usr/lib`. */
  readonly scripts?: Readonly<Record<string, string>>;
}

/** Tools that the makers need, for `needs`. */
export const RPM_TOOLS: readonly string[] = ['rpmbuild', 'rpmsign', 'createrepo_c', 'gpg'];

/** How packages are made. */
export interface BuildRpms {
  /** `w3.zstdio` when left out; `w6.xzdio`, `w9.gzdio`, `w9.bzdio`, `w.ufdio`, `w6.lzdio`. */
  readonly payload?: string;
  /** Of packages that are not `noarch`; `x86_64` when left out. */
  readonly target?: string;
  readonly macros?: Readonly<Record<string, string>>;
}

const EPOCH = '1700000000';

/** Builds packages, several at once with one run of rpmbuild. Paths by name. */
export function makeRpms(
  folder: string,
  packages: readonly SmallRpm[],
  { payload = 'w3.zstdio', target = 'x86_64', macros = {} }: BuildRpms = {},
): Map<string, string> {
  const parts = join(folder, 'parts');
  const output = join(folder, 'rpms');
  mkdirSync(parts, { recursive: true });
  const spec: string[] = [
    'Name: made-source',
    'Version: 1',
    'Release: 1',
    'Summary: made',
    'License: none',
    'AutoReqProv: no',
    '%description',
    'made',
  ];
  const install: string[] = ['%install', 'mkdir -p %{buildroot}'];
  for (const [i, one] of packages.entries()) {
    const own = join(parts, String(i));
    mkdirSync(own, { recursive: true });
    writeMembers(own, one.files ?? []);
    install.push(`cp -a '${own}/.' %{buildroot}/`);
    spec.push(
      `%package -n ${one.name}`,
      'Summary: made',
      `Version: ${one.version ?? '1'}`,
      `Release: ${one.release ?? '1'}`,
    );
    if (one.epoch !== undefined) spec.push(`Epoch: ${one.epoch}`);
    // any other architecture is the one that rpmbuild builds for
    if ((one.architecture ?? 'noarch') === 'noarch') spec.push('BuildArch: noarch');
    spec.push('AutoReqProv: no');
    for (const [tag, values] of Object.entries(one.tags ?? {}))
      for (const value of values) spec.push(`${tag}: ${value}`);
    spec.push(`%description -n ${one.name}`, 'made');
    for (const [section, body] of Object.entries(one.scripts ?? {})) {
      const [head, ...rest] = section.split(' ');
      spec.push(`%${head} -n ${one.name} ${rest.join(' ')}`, body);
    }
    spec.push(`%files -n ${one.name}`, ...(one.files ?? []).map(fileLine));
  }
  spec.splice(8, 0, ...install);
  const file = join(folder, 'made.spec');
  writeFileSync(file, `${spec.join('\n')}\n`, 'latin1');
  const defines: Record<string, string> = {
    _topdir: join(folder, 'build'),
    _rpmdir: output,
    _rpmfilename: '%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm',
    _buildshell: '/bin/bash',
    _binary_payload: payload,
    _buildhost: 'made',
    _build_id_links: 'none',
    __os_install_post: '%{nil}',
    __spec_install_post: '%{nil}',
    debug_package: '%{nil}',
    use_source_date_epoch_as_buildtime: '1',
    clamp_mtime_to_source_date_epoch: '1',
    _unpackaged_files_terminate_build: '0',
    ...macros,
  };
  execFileSync('rpmbuild', ['-bb', '--quiet', '--target', target, ...definitions(defines), file], {
    env: { ...process.env, HOME: folder, SOURCE_DATE_EPOCH: EPOCH },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const made = readdirSync(output);
  return new Map(
    packages.map(({ name, version = '1', release = '1' }) => {
      const start = `${name}-${version}-${release}.`;
      const found = made.find((one) => one.startsWith(start));
      if (found === undefined) throw new Error(`rpmbuild made no ${start}rpm`);
      return [name, join(output, found)];
    }),
  );
}

const definitions = (macros: Readonly<Record<string, string>>) =>
  Object.entries(macros).flatMap(([name, value]) => ['--define', `${name} ${value}`]);

function writeMembers(root: string, files: readonly RpmMember[]): void {
  for (const { name, data = '', mode, link, hard } of files) {
    const path = join(root, name);
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (link !== undefined) symlinkSync(link, path);
    else if (hard !== undefined) linkSync(join(root, hard), path);
    else if (!name.endsWith('/')) writeFileSync(path, data);
    if (link === undefined && mode !== undefined) chmodSync(path, mode);
  }
}

function fileLine({ name, mode, user = 'root', group = 'root', flags = '', link }: RpmMember): string {
  const folder = name.endsWith('/');
  const bits = link !== undefined || mode === undefined ? '-' : mode.toString(8).padStart(4, '0');
  // names are patterns here: `[` stands in brackets, and a backslash has no spelling but any character
  const path = `/${name.replace(/\/$/, '')}`.replaceAll('%', '%%').replace(/[[*?]/g, '[$&]').replaceAll('\\', '?');
  return `%attr(${bits},${user},${group}) ${folder ? '%dir ' : ''}${flags === '' ? '' : `${flags} `}"${path}"`;
}

/** A signing key in a GnuPG home of its own. */
export interface RpmKey {
  readonly home: string;
  readonly name: string;
  /** File of the armoured public key. */
  readonly publicKey: string;
}

/** Makes a key; `folder` is fresh. GnuPG's sockets need a short path, so the folder should be one of `temporary`. */
export function makeRpmKey(folder: string, name = 'Made <made@example.org>'): RpmKey {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const run = (...args: string[]) =>
    execFileSync('gpg', ['--homedir', folder, '--batch', '--quiet', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  run('--pinentry-mode', 'loopback', '--passphrase', '', '--quick-gen-key', name, 'rsa2048', 'sign', 'never');
  const publicKey = join(folder, 'public.asc');
  writeFileSync(publicKey, run('--armor', '--export'));
  return { home: folder, name, publicKey };
}

/** Signs packages in place; throws when one of them is not signed afterwards. */
export function signRpms(paths: readonly string[], key: RpmKey): void {
  const macros = { __gpg: tool('gpg')!, _gpg_name: key.name, _gpg_path: key.home, _signature: 'gpg' };
  execFileSync('rpmsign', [...definitions(macros), '--addsign', ...paths], {
    env: { ...process.env, HOME: key.home, GNUPGHOME: key.home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const path of paths) {
    const signed = execFileSync('rpm', ['-qp', '--qf', '%{RSAHEADER:pgpsig}', path], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (!/Key ID/i.test(signed)) throw new Error(`${path} was not signed`);
  }
}

/** Makes the metadata of a folder of packages, with a detached signature if there is a key. */
export function createRepository(folder: string, key?: RpmKey, args: readonly string[] = []): void {
  execFileSync('createrepo_c', ['--quiet', '--revision', EPOCH, '--set-timestamp-to-revision', ...args, folder], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (key === undefined) return;
  const repomd = join(folder, 'repodata/repomd.xml');
  const signature = execFileSync(
    'gpg',
    ['--homedir', key.home, '--batch', '--quiet', '--armor', '--detach-sign', '--output', '-', repomd],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  writeFileSync(`${repomd}.asc`, signature);
}

/** SHA-256 pinned by tests: the bytes of a repository's table of contents. */
export const repomdOf = (folder: string) => readFileSync(join(folder, 'repodata/repomd.xml'));
