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

/** Links that the helper attributes to the unit: aliases and the units of `Also=` first, wants and requires last. */
function linkClosure(tree: Tree, unit: string, instance: Instance, seen: Set<string>): UnitLink[] {
  const file = findUnit(tree, unit, instance, helperFolders(instance));
  if (file === undefined) return [];
  const name = basename(file);
  const install = installSection(tree.text(file)!);
  const base = `/etc/systemd/${instance}`;
  const links: UnitLink[] = [];
  for (const other of install.also) {
    if (other === name || seen.has(other)) continue;
    seen.add(other);
    links.push(...linkClosure(tree, other, instance, seen));
  }
  for (const alias of install.alias) if (alias !== name) links.push({ path: `${base}/${alias}`, target: file });
  const linked =
    install.defaultInstance === undefined ? name : name.replace(/^(.*@)(\.\w+)$/, `$1${install.defaultInstance}$2`);
  for (const [targets, suffix] of [
    [install.wantedBy, 'wants'],
    [install.requiredBy, 'requires'],
  ] as const)
    for (const target of targets) links.push({ path: `${base}/${target}.${suffix}/${linked}`, target: file });
  return links;
}

/** `deb-systemd-helper enable`: by preset when systemctl is present, else by links of its own. */
export function dshEnable(tree: Tree, context: ConfigureContext, unit: string, instance: Instance = 'system'): void {
  const links = linkClosure(tree, unit, instance, new Set());
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
  const links = linkClosure(tree, unit, instance, new Set());
  ensureDirectory(tree, context, stateFolder(instance, 'enabled'));
  putText(tree, context, recordOf(unit, instance), links.map((link) => `${link.path}\n`).join(''));
}

/** `deb-systemd-helper was-enabled`: true for a unit unknown to the helper. */
export function dshWasEnabled(tree: Tree, unit: string, instance: Instance = 'system'): boolean {
  return lines(tree.text(recordOf(unit, instance)) ?? '').every((link) => tree.lstat(link)?.kind === 'symlink');
}

/** `deb-systemd-helper is-enabled`: all links exist. */
export function dshIsEnabled(tree: Tree, unit: string, instance: Instance = 'system'): boolean {
  return linkClosure(tree, unit, instance, new Set()).every((link) => tree.lstat(link.path)?.kind === 'symlink');
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
