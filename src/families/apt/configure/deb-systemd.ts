import { type ConfigureContext, ensureDirectory, lines, putLink, putText, touch } from '../../../system/context.ts';
import { findUnit, type Instance, installSection, maskUnit, presetUnit, type UnitLink } from '../../../system/units.ts';
import { basename, dirname } from '../../../tree/path.ts';
import type { Tree } from '../../../tree/tree.ts';

/**
 * deb-systemd-helper(1p): what debhelper's snippets call to enable units, and the record it keeps of what it enabled
 * under /var/lib/systemd.
 */

function stateFolder(instance: Instance, kind: 'enabled' | 'masked'): string {
  return `/var/lib/systemd/deb-systemd-${instance === 'user' ? 'user-' : ''}helper-${kind}`;
}

function recordOf(unit: string, instance: Instance): string {
  return `${stateFolder(instance, 'enabled')}/${basename(unit)}.dsh-also`;
}

/** The helper looks in /lib before /usr/lib, unlike systemd. */
function helperFolders(instance: Instance): readonly string[] {
  return [`/etc/systemd/${instance}`, `/lib/systemd/${instance}`, `/usr/lib/systemd/${instance}`];
}

/** Units of `Also=` that are followed for one unit: units that all name each other have more ways than anybody could go. */
const MOST_UNITS = 10_000;

/**
 * Links that the helper attributes to the unit: aliases and those of the units of `Also=`, in the order of their lines, then
 * wants and requires. It knows no sections and joins no lines, and what it keeps of the line is lost where a name has quotes: such
 * a folder has no ending, and such an alias is a quote. Several aliases in a line are one.
 */
function linkClosure(
  tree: Tree,
  unit: string,
  instance: Instance,
  above: ReadonlySet<string> = new Set(),
  work = { left: MOST_UNITS },
): UnitLink[] {
  // the units above are known to the helper, those beside are not: a unit that two of them name is there twice
  const seen = new Set(above);
  const file = findUnit(tree, unit, instance, helperFolders(instance));
  if (file === undefined) return [];
  const name = basename(file);
  const base = `/etc/systemd/${instance}`;
  const links: UnitLink[] = [];
  const folders: string[] = [];
  let linked = name;
  for (const line of lines(tree.text(file)!)) {
    const [, key = '', value = ''] = /^\s*(WantedBy|RequiredBy|Also|Alias|DefaultInstance)=(.+)$/i.exec(line) ?? [];
    const names = value.split(/\s+/).flatMap((word) => {
      const [, quote, name = word] = /^(["'])(.*)\1$/.exec(word) ?? [];
      return name === '' ? [] : [{ name, quote }];
    });
    switch (key.toLowerCase()) {
      case 'wantedby':
      case 'requiredby':
        for (const target of names) {
          const ending = key === 'WantedBy' ? '.wants' : key === 'RequiredBy' ? '.requires' : '';
          folders.push(`${base}/${target.name}${target.quote === undefined ? ending : ''}`);
        }
        break;
      case 'also':
        for (const { name: other } of names) {
          if (other === name || seen.has(other) || work.left-- <= 0) continue;
          seen.add(other);
          for (const link of linkClosure(tree, other, instance, seen, work)) links.push(link);
        }
        break;
      case 'alias':
        for (const alias of names)
          if (alias.name !== name) links.push({ path: `${base}/${alias.quote ?? value}`, target: file });
        break;
      case 'defaultinstance':
        linked = name.replace(/^(.*@)(\.\w+)$/, `$1${names[0]?.name ?? ''}$2`);
    }
  }
  for (const folder of folders) links.push({ path: `${folder}/${linked}`, target: file });
  return links;
}

/** `deb-systemd-helper enable`: by preset when systemctl is present, else by links of its own. */
export function dshEnable(tree: Tree, context: ConfigureContext, unit: string, instance: Instance = 'system'): void {
  const links = linkClosure(tree, unit, instance);
  let create = true;
  if (tree.has('usr/bin/systemctl') || tree.has('bin/systemctl')) {
    if (dshInstalled(tree, unit, instance)) {
      create = links.some((link) => tree.lstat(link.path)?.kind === 'symlink');
    } else {
      presetUnit(tree, context, unit, instance);
      create = false;
    }
  }
  const record = recordOf(unit, instance);
  const recorded = lines(tree.text(record) ?? '');
  for (const link of links) {
    if (!recorded.includes(link.path)) recorded.push(link.path);
    const state = link.path.replace(`/etc/systemd/${instance}/`, `${stateFolder(instance, 'enabled')}/`);
    if (tree.has(state)) continue;
    if (create && tree.lstat(link.path) === undefined) putLink(tree, context, link.path, link.target);
    touch(tree, context, state);
  }
  if (links.length > 0) putText(tree, context, record, recorded.map((line) => `${line}\n`).join(''));
}

/** `deb-systemd-helper update-state`: records the links a unit would have. */
export function dshUpdateState(
  tree: Tree,
  context: ConfigureContext,
  unit: string,
  instance: Instance = 'system',
): void {
  const links = linkClosure(tree, unit, instance);
  ensureDirectory(tree, context, stateFolder(instance, 'enabled'));
  putText(tree, context, recordOf(unit, instance), links.map((link) => `${link.path}\n`).join(''));
}

/** `deb-systemd-helper was-enabled`: true for a unit unknown to the helper. */
export function dshWasEnabled(tree: Tree, unit: string, instance: Instance = 'system'): boolean {
  return lines(tree.text(recordOf(unit, instance)) ?? '').every((link) => tree.lstat(link)?.kind === 'symlink');
}

/** `deb-systemd-helper is-enabled`: all links exist. */
export function dshIsEnabled(tree: Tree, unit: string, instance: Instance = 'system'): boolean {
  return linkClosure(tree, unit, instance).every((link) => tree.lstat(link.path)?.kind === 'symlink');
}

/** `deb-systemd-helper debian-installed`: the helper has a record of the unit. */
export function dshInstalled(tree: Tree, unit: string, instance: Instance = 'system'): boolean {
  return tree.file(recordOf(unit, instance)) !== undefined;
}

/** `deb-systemd-helper disable`, or `purge`. */
export function dshDisable(tree: Tree, unit: string, instance: Instance = 'system', purge = false): void {
  const record = recordOf(unit, instance);
  const recorded = lines(tree.text(record) ?? '');
  if (purge) tree.remove(record);
  for (const link of recorded) {
    const present = tree.lstat(link)?.kind === 'symlink';
    if (purge || present)
      tree.remove(link.replace(`/etc/systemd/${instance}/`, `${stateFolder(instance, 'enabled')}/`));
    if (present) tree.remove(link);
    removeEmpty(tree, dirname(link));
  }
  const file = findUnit(tree, unit, instance, helperFolders(instance));
  if (file !== undefined)
    for (const other of installSection(tree.text(file)!).also)
      if (other !== basename(unit)) dshDisable(tree, other, instance, purge);
  const folder = stateFolder(instance, 'enabled');
  for (const name of tree.list(folder)) removeEmpty(tree, `${folder}/${name}`);
  removeEmpty(tree, folder);
}

/** `deb-systemd-helper mask`: with a record, so that only its own masks are removed again. */
export function dshMask(tree: Tree, context: ConfigureContext, unit: string, instance: Instance = 'system'): void {
  if (tree.lstat(`/etc/systemd/${instance}/${basename(unit)}`) !== undefined) return;
  maskUnit(tree, context, basename(unit), instance);
  touch(tree, context, `${stateFolder(instance, 'masked')}/${basename(unit)}`);
}

/** `deb-systemd-helper unmask`. */
export function dshUnmask(tree: Tree, unit: string, instance: Instance = 'system'): void {
  const link = `/etc/systemd/${instance}/${basename(unit)}`;
  const inode = tree.lstat(link);
  const state = `${stateFolder(instance, 'masked')}/${basename(unit)}`;
  if (inode?.kind !== 'symlink' || inode.target !== '/dev/null' || !tree.has(state)) return;
  tree.remove(link);
  tree.remove(state);
  removeEmpty(tree, stateFolder(instance, 'masked'));
}

function removeEmpty(tree: Tree, path: string): void {
  const inode = tree.lstat(path);
  if (inode?.kind === 'directory' && inode.children.size === 0) tree.remove(path);
}
