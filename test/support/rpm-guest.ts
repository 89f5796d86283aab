import { createHash, X509Certificate } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apt } from '../../src/families/apt/apt.ts';
import type { UnpackedDeb } from '../../src/families/apt/unpack.ts';
import type { Host } from '../../src/fetch/host.ts';
import { orderOf } from '../../src/pipeline/order.ts';
import type { Inode } from '../../src/tree/inode.ts';
import { safePath, toText } from '../../src/tree/path.ts';
import { TEST_CACHE } from './data.ts';
import { settings } from './host.ts';
import {
  ADDITIONS,
  type Addition,
  DROPPED,
  FOLDERS,
  GROUPS,
  OWN_PACKAGES,
  PAYLOADS,
  RENAMED,
  SEEDS,
  SKIPPED,
  WITH_DOC,
} from './rpm-guest-recipe.ts';
import {
  createRepository,
  makeRpmKey,
  makeRpms,
  RPM_TOOLS,
  type RpmKey,
  type RpmMember,
  type SmallRpm,
  signRpms,
} from './rpms.ts';

/** Tools that making the distribution needs. */
export const GUEST_TOOLS: readonly string[] = [...RPM_TOOLS, 'rpm'];

/** A signed repository of an rpm distribution that boots: files of Debian packages, wrapped into rpms. */
export interface RpmGuest {
  /** Folder of packages with repodata and a signed repomd.xml. */
  readonly repository: string;
  /** File of the public key. */
  readonly keyring: string;
  readonly key: RpmKey;
}

/**
 * Makes the distribution, or takes the one that was made of the same parts before: rpmbuild needs a minute. It is kept
 * in the tests' cache under the digest of its recipe.
 */
export async function rpmGuest(host: Host): Promise<RpmGuest> {
  const order = orderOf({
    settings: settings({
      ...{ distro: 'debian', osVersion: 'trixie', repoSuites: 'trixie', arch: 'amd64' },
      packages: SEEDS.join(' '),
    }),
    hostArchitecture: 'x86_64',
  });
  const plan = await apt.plan(order, host);
  const folder = join(TEST_CACHE, `rpm-guest-${recipeDigest(plan.chosen.map(({ package: one }) => one.sha256))}`);
  const made = { repository: join(folder, 'repository'), keyring: join(folder, 'public.asc'), key: keyIn(folder) };
  if (existsSync(folder)) return made;
  const archives = await apt.fetch(plan, host);
  const unpacked = await apt.unpack(
    plan.chosen.map(({ package: one }, i) => ({ package: one, archive: archives[i]! })),
    host,
  );
  const part = mkdtempSync(`${folder}.`);
  try {
    build(part, recipes(unpacked));
    renameSync(part, folder);
  } catch (error) {
    // another test file was faster
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return made;
}

const keyIn = (folder: string): RpmKey => ({
  home: join(folder, 'gpg'),
  name: 'Made <made@example.org>',
  publicKey: join(folder, 'public.asc'),
});

/** Changes with the packages, and with what is done with them. */
function recipeDigest(packages: readonly string[]): string {
  const hash = createHash('sha256').update(packages.join('\n'));
  for (const name of ['rpm-guest', 'rpm-guest-recipe', 'rpms']) {
    const path = fileURLToPath(new URL(`./${name}${import.meta.url.slice(-3)}`, import.meta.url));
    hash.update(readFileSync(path));
  }
  return hash.digest('hex').slice(0, 20);
}

/** Builds, signs and indexes the packages in a fresh folder. */
function build(folder: string, packages: readonly SmallRpm[]): void {
  const payloadOf = (name: string) =>
    Object.entries(PAYLOADS).find(([, names]) => names.split(' ').includes(name))?.[0] ?? 'w3.zstdio';
  const paths: string[] = [];
  for (const payload of ['w3.zstdio', ...Object.keys(PAYLOADS)]) {
    const some = packages.filter(({ name }) => payloadOf(name) === payload);
    paths.push(...makeRpms(join(folder, payload), some, { payload }).values());
  }
  const key = makeRpmKey(join(folder, 'gpg'));
  copyFileSync(key.publicKey, join(folder, 'public.asc'));
  signRpms(paths, key);
  const repository = join(folder, 'repository');
  mkdirSync(repository);
  for (const path of paths) renameSync(path, join(repository, basename(path)));
  createRepository(repository, key);
  for (const payload of ['w3.zstdio', ...Object.keys(PAYLOADS)]) rmSync(join(folder, payload), { recursive: true });
}

/** The wrapped packages, and those that there are only here. */
function recipes(unpacked: readonly UnpackedDeb[]): SmallRpm[] {
  const kept = unpacked.filter(({ package: one }) => !DROPPED.has(one.name));
  // Debian's names of packages and of what they provide, as names here
  const names = new Map<string, string>();
  const renamed = (name: string) => RENAMED[name] ?? name;
  for (const { package: one } of kept)
    for (const [provided] of one.provides.matchAll(/[a-z0-9][a-z0-9.+-]+(?=\s*(\(|,|$))/g))
      if (!names.has(provided)) names.set(provided, renamed(one.name));
  for (const { package: one } of kept) names.set(one.name, renamed(one.name));
  const wrapped = kept.map((one) => wrap(one, renamed(one.package.name), names));
  const known = new Set(wrapped.map((one) => one.name));
  for (const name of Object.keys(ADDITIONS)) if (!known.has(name)) throw new Error(`no package ${name} to add to`);
  return [...wrapped, ...OWN_PACKAGES];
}

function wrap({ package: one, entries }: UnpackedDeb, name: string, names: ReadonlyMap<string, string>): SmallRpm {
  const addition: Addition = ADDITIONS[name] ?? {};
  const requires = new Set(['filesystem']);
  for (const field of [one.preDepends, one.depends])
    for (const clause of field.split(',')) {
      const target = clause
        .split('|')
        .map((word) => names.get(/[a-z0-9][a-z0-9.+-]*/.exec(word)?.[0] ?? ''))
        .find((found) => found !== undefined && found !== name);
      if (target !== undefined) requires.add(target);
    }
  const { tags = {}, scripts = {} } = addition;
  const [, epoch, version] = /^(?:(\d+):)?(.*)$/.exec(one.version)!;
  const files = [...membersOf(entries, name, addition), ...(addition.files ?? [])];
  if (name === 'ca-certificates') files.push(trustStore(entries));
  return {
    name,
    version: version!.replace(/[^A-Za-z0-9._+~]/g, '_'),
    ...(epoch === undefined ? {} : { epoch: Number(epoch) }),
    architecture: one.architecture === 'all' ? 'noarch' : 'x86_64',
    tags: { ...tags, Requires: [...requires, ...(tags['Requires'] ?? [])] },
    files,
    scripts,
  };
}

/** Files of a Debian package as `%files` has them, /usr merged. */
function membersOf(entries: UnpackedDeb['entries'], name: string, { files = [], changed = {} }: Addition): RpmMember[] {
  const members: RpmMember[] = [];
  const replaced = new Set(files.map((one) => one.name));
  const merged = (path: string) => toText(safePath(path, name)).replace(/^(bin|sbin|lib|lib64)(?=\/)/, 'usr/$1');
  for (const entry of entries) {
    const path = merged(entry.path);
    const doc = path.startsWith('usr/share/doc/');
    if (path === '' || SKIPPED.test(path) || (doc && !WITH_DOC.has(name)) || /[^\x20-\x7e]/.test(path)) continue;
    if (FOLDERS.includes(path) || /^(bin|sbin|lib|lib64|tmp|root|var\/tmp)$/.test(path) || replaced.has(path)) continue;
    const flags = doc ? '%doc' : '';
    if ('link' in entry) members.push({ name: path, hard: merged(entry.link), flags });
    else {
      const member = memberOf(path, entry.inode);
      const config = member.data !== undefined && path.startsWith('etc/') ? '%config(noreplace)' : flags;
      members.push({ ...member, flags: config, ...changed[path] });
    }
  }
  for (const path of Object.keys(changed))
    if (!members.some((one) => one.name === path)) throw new Error(`${name} has no /${path}`);
  // a hard link says what the file is like
  const first = new Map(members.map((one) => [one.name, one]));
  return members.map((one) => {
    if (one.hard === undefined) return one;
    const { data: _, ...meta } = first.get(one.hard)!;
    return { ...meta, name: one.name, hard: one.hard };
  });
}

function memberOf(path: string, inode: Inode): RpmMember {
  const group = GROUPS.get(inode.gid);
  if (inode.uid !== 0 || group === undefined) throw new Error(`/${path} belongs to ${inode.uid}:${inode.gid}`);
  const { mode } = inode;
  switch (inode.kind) {
    case 'directory':
      return { name: `${path}/`, mode, group };
    case 'symlink':
      return { name: path, link: toText(inode.target) };
    case 'file':
      return { name: path, data: inode.content.readSync(), mode, group };
    default:
      throw new Error(`/${path} is a ${inode.kind}`);
  }
}

/** Debian's certificates in the form of p11-kit's stores: some are distrusted, some for mail alone. */
function trustStore(entries: UnpackedDeb['entries']): RpmMember {
  let text = '';
  let count = 0;
  for (const entry of entries) {
    if (!('inode' in entry) || entry.inode.kind !== 'file' || !/\/mozilla\/[\x20-\x7e]*\.crt$/.test(entry.path))
      continue;
    const pem = Buffer.from(entry.inode.content.readSync()).toString('latin1').trim();
    const label = basename(entry.path, '.crt').replaceAll('_', ' ');
    const trust = ++count % 8 === 0 ? 'x-distrusted: true' : 'trusted: true';
    text += `[p11-kit-object-v1]\nlabel: "${label}"\n${trust}\nnss-mozilla-ca-policy: true\nmodifiable: false\n${pem}\n\n`;
    if (count % 5 !== 0) continue;
    // SEQUENCE { extendedKeyUsage, critical, OCTET STRING { SEQUENCE { emailProtection } } }
    const usage = '0%16%06%03U%1d%25%01%01%ff%04%0c0%0a%06%08+%06%01%05%05%07%03%04';
    const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'pem' });
    text += `[p11-kit-object-v1]\nlabel: "${label}"\nclass: x-certificate-extension\nobject-id: 2.5.29.37\nvalue: "${usage}"\nmodifiable: false\n${key}\n`;
  }
  return { name: 'usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit', data: text, mode: 0o644 };
}

/** A metalink with the digest of a repository's table of contents, and one place that has it. */
export function metalinkOf(repomd: Uint8Array, base: string): string {
  const sum = (algorithm: string) => createHash(algorithm).update(repomd).digest('hex');
  return `<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files>
  <file name="repomd.xml">
   <mm0:timestamp>1700000000</mm0:timestamp>
   <size>${repomd.length}</size>
   <verification>
    <hash type="sha256">${sum('sha256')}</hash>
    <hash type="sha512">${sum('sha512')}</hash>
   </verification>
   <resources maxconnections="1">
    <url protocol="http" type="http" location="US" preference="100">${base}repodata/repomd.xml</url>
   </resources>
  </file>
 </files>
</metalink>
`;
}
