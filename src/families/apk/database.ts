import { createHash } from 'node:crypto';
import { memory } from '../../bytes/content.ts';
import { device, directory, file, rootMeta } from '../../tree/inode.ts';
import type { Tree } from '../../tree/tree.ts';
import { dependencyText, parseDependency } from './dependency.ts';
import type { Installed, OwnedDirectory, OwnedFile } from './install.ts';

/** The folder with the database of installed packages. */
export const DATABASE = 'lib/apk/db';

/** Scripts of a package, in the order in which apk keeps them. */
const SCRIPTS = [
  'pre-install',
  'post-install',
  'pre-deinstall',
  'post-deinstall',
  'pre-upgrade',
  'post-upgrade',
  'trigger',
] as const;

/** What `apk add --initdb` creates in an empty root, before any package. */
export function initialise(tree: Tree, architecture: string, epoch: number): void {
  const devices: [string, number, number, number][] = [
    ['null', 0o666, 1, 3],
    ['zero', 0o666, 1, 5],
    ['random', 0o666, 1, 8],
    ['urandom', 0o666, 1, 9],
    ['console', 0o600, 5, 1],
  ];
  tree.root.mtime = epoch;
  for (const path of ['dev', 'etc/apk', DATABASE, 'var/cache/apk', 'var/cache/misc'])
    tree.makeDirectory(path, rootMeta(0o755, epoch));
  tree.set('tmp', directory(rootMeta(0o1777, epoch)));
  tree.set('proc', directory(rootMeta(0o555, epoch)));
  for (const [name, mode, major, minor] of devices)
    tree.set(`dev/${name}`, device('char', major, minor, rootMeta(mode, epoch)));
  tree.set('etc/apk/arch', file(memory(`${architecture}\n`), rootMeta(0o644, epoch)));
  tree.set('etc/apk/world', file(memory(''), rootMeta(0o644, epoch)));
  tree.set(`${DATABASE}/lock`, file(memory(''), rootMeta(0o600, epoch)));
}

/** The world, repositories and keys for the guest's apk. */
export interface WorldFiles {
  /** Requests, as the user wrote them. */
  readonly world: readonly string[];
  /** Lines of /etc/apk/repositories; none: the file is not written. */
  readonly repositories?: readonly string[];
  /** Public keys to add to those that packages installed: name and text. */
  readonly keys?: readonly { readonly name: string; readonly pem: string }[];
}

/** Writes the database as apk would: installed, scripts.tar, triggers, world, repositories and keys. */
export function recordDatabase(tree: Tree, packages: readonly Installed[], files: WorldFiles, epoch: number): void {
  const write = (path: string, data: string | Uint8Array) =>
    tree.set(path, file(memory(typeof data === 'string' ? Buffer.from(data, 'latin1') : data), rootMeta(0o644, epoch)));
  const sorted = [...packages].sort((a, b) => order(a.unpacked.package.name, b.unpacked.package.name));
  write(`${DATABASE}/installed`, sorted.map(installedText).join(''));
  write(`${DATABASE}/scripts.tar`, scriptsTar(packages, epoch));
  write(`${DATABASE}/triggers`, triggersText(packages));
  write('etc/apk/world', worldText(files.world));
  if (files.repositories !== undefined && files.repositories.length > 0)
    write('etc/apk/repositories', files.repositories.map((line) => `${line}\n`).join(''));
  for (const { name, pem } of files.keys ?? [])
    if (tree.stat(`etc/apk/keys/${name}`) === undefined) write(`etc/apk/keys/${name}`, pem);
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function worldText(world: readonly string[]): string {
  const requests = world.flatMap((text) => parseDependency(text, true) ?? []);
  requests.sort((a, b) => order(a.name, b.name));
  return requests.map((one) => `${dependencyText(one)}\n`).join('');
}

/** Fields of an index entry in the order of the database. */
const FIELDS = 'CPVASITULomtckDpi';

/** The lines of an index entry that the database keeps, in its order. */
export function databaseLines(stanza: string): string[] {
  const lines = stanza.split('\n').filter((line) => line !== '' && FIELDS.includes(line[0]!));
  return lines.sort((a, b) => FIELDS.indexOf(a[0]!) - FIELDS.indexOf(b[0]!));
}

function installedText(one: Installed): string {
  const { package: self, info } = one.unpacked;
  const lines = databaseLines(self.stanza);
  if (info.replaces.length > 0) lines.push(`r:${info.replaces.join(' ')}`);
  if (info.replacesPriority > 0) lines.push(`q:${info.replacesPriority}`);
  if (one.tag !== undefined) lines.push(`s:${one.tag}`);
  for (const directory of one.directories.values()) directoryLines(directory, lines);
  return `${lines.join('\n')}\n\n`;
}

function directoryLines(directory: OwnedDirectory, lines: string[]): void {
  lines.push(`F:${directory.path}`);
  const acl = aclText(directory, 0o755);
  if (acl !== undefined) lines.push(`M:${acl}`);
  for (const one of directory.files.values()) {
    lines.push(`R:${one.name}`);
    const own = aclText(one, 0o644);
    if (own !== undefined) lines.push(`a:${own}`);
    if (one.sha1 !== undefined) lines.push(`Z:${q1(Buffer.from(one.sha1, 'hex'))}`);
  }
}

const q1 = (sha1: Buffer) => `Q1${sha1.toString('base64')}`;

/** `UID:GID:MODE`, with the checksum of attributes where there are any; undefined for the usual values. */
function aclText(
  { mode, uid, gid, xattrs }: Pick<OwnedFile, 'mode' | 'uid' | 'gid' | 'xattrs'>,
  usual: number,
): string | undefined {
  if (mode === usual && uid === 0 && gid === 0 && (xattrs === undefined || xattrs.size === 0)) return undefined;
  const text = `${uid}:${gid}:${mode.toString(8)}`;
  if (xattrs === undefined || xattrs.size === 0) return text;
  const hash = createHash('sha1');
  for (const [name, value] of [...xattrs].sort(([a], [b]) => order(a, b))) {
    hash.update(`${name}\0`, 'latin1');
    hash.update(value);
  }
  return `${text}:${q1(hash.digest())}`;
}

function triggersText(packages: readonly Installed[]): string {
  return packages
    .filter((one) => one.unpacked.info.triggers.length > 0)
    .map((one) => `${one.unpacked.package.identity} ${one.unpacked.info.triggers.join(' ')}\n`)
    .join('');
}

/** All scripts in one tar, named for their package: the headers are those that apk writes (GNU magic, no NUL after sizes). */
function scriptsTar(packages: readonly Installed[], epoch: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const { unpacked } of packages) {
    const { name, version, identity } = unpacked.package;
    for (const script of SCRIPTS) {
      const found = unpacked.control.get(`.${script}`);
      if (found === undefined) continue;
      const bytes = found.content.readSync();
      blocks.push(scriptHeader(`${name}-${version}.${identity}.${script}`, bytes.length, epoch), bytes);
      const rest = bytes.length % 512;
      if (rest > 0) blocks.push(new Uint8Array(512 - rest));
    }
  }
  blocks.push(new Uint8Array(1024));
  return Buffer.concat(blocks);
}

function scriptHeader(name: string, size: number, mtime: number): Uint8Array {
  const header = Buffer.alloc(512);
  const octal = (value: number, at: number, digits: number) =>
    header.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  header.write(name.slice(0, 100), 0, 'latin1');
  octal(0o755, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(size, 124, 12);
  octal(mtime, 136, 12);
  header.fill(' ', 148, 156);
  header.write('0', 156);
  header.write('ustar  \0', 257, 'latin1');
  header.write('root', 265);
  header.write('root', 297);
  const sum = header.reduce((total, byte) => total + byte, 0);
  octal(sum, 148, 6);
  header.write('\0 ', 154, 'latin1');
  return header;
}
