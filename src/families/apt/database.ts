import { createHash } from 'node:crypto';
import { memory } from '../../bytes/content.ts';
import { withoutEnding } from '../../bytes/ending.ts';
import type { Unpacked } from '../../fetch/package.ts';
import { type ConfigureContext, ensureDirectory, lines, made, putText } from '../../system/context.ts';
import type { Tree } from '../../tree/tree.ts';
import type { DebianContext } from './architecture.ts';
import { controlFields } from './archive.ts';
import { controlText } from './configure/control.ts';
import { interests } from './configure/triggers.ts';
import type { Configured } from './configure.ts';
import type { AptPackage } from './package.ts';
import { parseRelations, printAlternatives } from './relations.ts';

/** dpkg's database of installed packages, as dpkg would have written it: dpkg(1), deb-triggers(5), and its sources. */

const ADMIN = 'var/lib/dpkg';

/** Fields of a status stanza in dpkg's order; others follow in the order of the control file. */
const ORDER = [
  'Package',
  'Essential',
  'Protected',
  'Status',
  'Priority',
  'Section',
  'Installed-Size',
  'Origin',
  'Maintainer',
  'Bugs',
  'Architecture',
  'Multi-Arch',
  'Source',
  'Version',
  'Config-Version',
  'Replaces',
  'Provides',
  'Depends',
  'Pre-Depends',
  'Recommends',
  'Suggests',
  'Breaks',
  'Conflicts',
  'Enhances',
  'Conffiles',
  'Triggers-Pending',
  'Triggers-Awaited',
  'Description',
] as const;

/** Of these, the fields that hold relations. */
const RELATIONS: ReadonlySet<string> = new Set(ORDER.slice(ORDER.indexOf('Replaces'), ORDER.indexOf('Conffiles')));

/** Fields of a control file that dpkg does not keep. */
const DROPPED: ReadonlySet<string> = new Set(['Filename', 'Size', 'MD5sum', 'SHA256']);

/** Writes the whole database: status, info, triggers, architectures. */
export function recordDatabase(configured: Configured, context: DebianContext): void {
  const { tree } = configured;
  ensureDirectory(tree, context, `${ADMIN}/info`);
  putText(tree, context, `${ADMIN}/info/format`, '1\n');
  putText(tree, context, `${ADMIN}/arch`, `${context.architecture}\n`);
  for (const one of configured.unpackOrder) recordInfo(tree, context, one, configured.installation.lost(one.package));
  recordTriggers(tree, context, configured.unpackOrder);
  const stanzas = configured.unpackOrder
    .map((one) => ({ name: one.package.name, architecture: one.package.architecture, text: stanza(tree, one) }))
    .sort((a, b) => compare(a.name, b.name) || compare(a.architecture, b.architecture));
  putText(tree, context, `${ADMIN}/status`, stanzas.map((one) => `${one.text}\n`).join(''));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The base name of a package's files: with the architecture where several may be installed together. */
function infoName({ name, architecture }: AptPackage, multiArch: string | undefined): string {
  return multiArch === 'same' ? `${name}:${architecture}` : name;
}

function recordInfo(tree: Tree, context: ConfigureContext, one: Unpacked<AptPackage>, lost: ReadonlySet<string>): void {
  const fields = controlFields(controlText(one, 'control') ?? '');
  const base = `${ADMIN}/info/${infoName(one.package, fields.get('Multi-Arch'))}`;
  for (const [name, { mode, content }] of one.control)
    if (name !== 'control') tree.writeFile(`${base}.${name}`, content, made(context, mode & 0o777));
  // paths as the archive spells them, regardless of links such as /bin
  const paths = one.entries.flatMap((entry) => {
    const path = withoutEnding(entry.path.replace(/^\.?\/*/, ''), '/');
    return lost.has(path) ? [] : path === '' ? '/.\n' : `/${path}\n`;
  });
  tree.writeFile(`${base}.list`, memory(Buffer.from(paths.join(''), 'latin1')), made(context, 0o644));
}

function recordTriggers(tree: Tree, context: ConfigureContext, packages: readonly Unpacked<AptPackage>[]): void {
  const files: string[] = [];
  const named = new Map<string, string[]>();
  for (const one of packages) {
    const fields = controlFields(controlText(one, 'control') ?? '');
    const name = infoName(one.package, fields.get('Multi-Arch'));
    for (const interest of interests(controlText(one, 'triggers') ?? '')) {
      const suffix = interest.await ? '' : '/noawait';
      if (interest.name.startsWith('/')) files.push(`${interest.name} ${name}${suffix}\n`);
      else named.set(interest.name, [...(named.get(interest.name) ?? []), `${name}${suffix}\n`]);
    }
  }
  ensureDirectory(tree, context, `${ADMIN}/triggers`);
  putText(tree, context, `${ADMIN}/triggers/File`, files.join(''));
  putText(tree, context, `${ADMIN}/triggers/Unincorp`, '');
  tree.writeFile(`${ADMIN}/triggers/Lock`, new Uint8Array(0), made(context, 0o600));
  for (const [name, rows] of named) putText(tree, context, `${ADMIN}/triggers/${name}`, rows.join(''));
}

/** A package's stanza in the status file. */
function stanza(tree: Tree, one: Unpacked<AptPackage>): string {
  const fields = controlFields(controlText(one, 'control') ?? '');
  const byName = new Map([...fields].map(([name, value]) => [name.toLowerCase(), { name, value }]));
  const rows: string[] = [];
  for (const name of ORDER) {
    const value = byName.get(name.toLowerCase())?.value;
    byName.delete(name.toLowerCase());
    if (name === 'Status') rows.push('Status: install ok installed');
    else if (name === 'Conffiles') {
      const conffiles = conffilesOf(tree, one);
      if (conffiles !== '') rows.push(`Conffiles:${conffiles}`);
    } else if (value === undefined || value === '') continue;
    else if ((name === 'Essential' || name === 'Protected' || name === 'Multi-Arch') && value === 'no') continue;
    else if (RELATIONS.has(name)) rows.push(`${name}: ${normalised(value)}`);
    else rows.push(`${name}: ${value}`);
  }
  for (const { name, value } of byName.values()) if (!DROPPED.has(name)) rows.push(`${name}: ${value}`);
  return `${rows.join('\n')}\n`;
}

function normalised(relations: string): string {
  return parseRelations(relations.replace(/\n/g, ' ')).map(printAlternatives).join(', ');
}

/** Configuration files with the digests they were shipped with. */
function conffilesOf(tree: Tree, one: Unpacked<AptPackage>): string {
  let text = '';
  const shipped = new Map(
    one.entries.flatMap((entry) =>
      'inode' in entry && entry.inode.kind === 'file'
        ? [[entry.path.replace(/^\.?\/*/, ''), entry.inode.content] as const]
        : [],
    ),
  );
  for (const line of lines(controlText(one, 'conffiles') ?? '')) {
    const flag = /^remove-on-upgrade\s+(\S.*)$/.exec(line.trim());
    const path = (flag?.[1] ?? line).trim();
    if (path === '') continue;
    if (flag !== null) {
      text += `\n ${path} newconffile remove-on-upgrade`;
      continue;
    }
    const content = shipped.get(path.slice(1)) ?? tree.file(path)?.content;
    const digest = content === undefined ? 'newconffile' : createHash('md5').update(content.readSync()).digest('hex');
    text += `\n ${path} ${digest}`;
  }
  return text;
}

/** Removes everything that only dpkg and debconf read: for guests in which no package is ever installed. */
export function dropDatabase(tree: Tree): void {
  tree.remove(ADMIN);
  for (const path of [
    'var/lib/ucf',
    'var/lib/pam',
    'var/lib/shells.state',
    'var/cache/debconf',
    'var/lib/apt',
    'var/cache/apt',
  ])
    tree.remove(path);
  for (const instance of ['', 'user-'])
    for (const kind of ['enabled', 'masked']) tree.remove(`var/lib/systemd/deb-systemd-${instance}helper-${kind}`);
}
