import { compilePattern, matches } from '../shell/pattern.ts';
import { basename } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { type ConfigureContext, ensureDirectory, lines, putLink, warn } from './context.ts';

/**
 * systemctl enable, disable, mask and preset on a tree that is not running: systemctl(1), systemd.unit(5) [Install],
 * systemd.preset(5).
 */

/** Units of the system manager or of users' managers. */
export type Instance = 'system' | 'user';

/** The settings of an [Install] section. */
export interface InstallSection {
  readonly wantedBy: string[];
  readonly requiredBy: string[];
  readonly upheldBy: string[];
  readonly alias: string[];
  readonly also: string[];
  readonly defaultInstance: string | undefined;
}

/** A link created by enabling a unit: its path and the unit it points to. */
export interface UnitLink {
  readonly path: string;
  readonly target: string;
}

/** First release whose Debian package no longer looks in /lib, by the number in libsystemd-shared's name. */
const MERGED_USR_SINCE = 255;

/** Folders where systemctl looks for units, in order, as it spells them. */
export function unitFolders(tree: Tree, instance: Instance): readonly string[] {
  const vendor = `/usr/lib/systemd/${instance}`;
  const own = [`/etc/systemd/${instance}`, `/run/systemd/${instance}`, `/usr/local/lib/systemd/${instance}`];
  return release(tree) < MERGED_USR_SINCE && instance === 'system'
    ? [...own, `/lib/systemd/${instance}`, vendor]
    : [...own, vendor];
}

/** The release of the tree's systemd; infinity when it cannot be determined. */
function release(tree: Tree): number {
  const folders = [
    'usr/lib/systemd',
    ...tree
      .list('usr/lib')
      .filter((n) => n.includes('-linux-'))
      .map((n) => `usr/lib/${n}/systemd`),
  ];
  for (const folder of folders)
    for (const name of tree.list(folder)) {
      const found = /^libsystemd-shared-(\d+)\b.*\.so$/.exec(name);
      if (found !== null) return Number(found[1]);
    }
  return Number.POSITIVE_INFINITY;
}

/** Where a unit's file is: its absolute path, and for `name@instance.type` that of the template. */
export function findUnit(
  tree: Tree,
  unit: string,
  instance: Instance = 'system',
  folders: readonly string[] = unitFolders(tree, instance),
): string | undefined {
  for (const name of unit === templateOf(unit) ? [unit] : [unit, templateOf(unit)])
    for (const folder of folders) {
      const path = `${folder}/${name}`;
      if (tree.file(path) !== undefined) return path;
    }
  return undefined;
}

/** True when the name has the suffix of a unit's type. */
export function isUnitName(name: string): boolean {
  return /\.(service|socket|target|timer|path|mount|automount|swap|slice|scope|device)$/.test(name);
}

/** `getty@.service` for `getty@tty1.service`; any other name unchanged. */
function templateOf(unit: string): string {
  return unit.replace(/@[^@]*(\.[a-z]+)$/, '@$1');
}

/** Reads a unit file's [Install] section. */
export function installSection(text: string): InstallSection {
  const section: InstallSection & { defaultInstance: string | undefined } = {
    wantedBy: [],
    requiredBy: [],
    upheldBy: [],
    alias: [],
    also: [],
    defaultInstance: undefined,
  };
  const lists: Record<string, string[]> = {
    WantedBy: section.wantedBy,
    RequiredBy: section.requiredBy,
    UpheldBy: section.upheldBy,
    Alias: section.alias,
    Also: section.also,
  };
  let inside = false;
  for (const line of lines(text.replace(/\\\n/g, ' '))) {
    const row = line.trim();
    if (row.startsWith('#') || row.startsWith(';')) continue;
    if (row.startsWith('[')) {
      inside = row === '[Install]';
      continue;
    }
    const assignment = inside ? /^(\w+)\s*=\s*(.*)$/.exec(row) : null;
    if (assignment === null) continue;
    const [, key, value] = assignment as unknown as [string, string, string];
    if (key === 'DefaultInstance') section.defaultInstance = value;
    const list = Object.hasOwn(lists, key) ? lists[key] : undefined;
    if (value === '') list?.splice(0);
    else for (const word of value.split(/\s+/)) list?.push(word.replace(/^(["'])(.*)\1$/, '$2'));
  }
  return section;
}

/** Links created by enabling `unit`, including those of the units named by `Also=`. */
export function linksOf(
  tree: Tree,
  context: ConfigureContext,
  unit: string,
  instance: Instance = 'system',
): UnitLink[] {
  const links: UnitLink[] = [];
  const seen = new Set<string>();
  const add = (name: string) => {
    if (seen.has(name)) return;
    seen.add(name);
    const file = findUnit(tree, name, instance);
    if (file === undefined) {
      warn(context, 'UNIT_MISSING', { unit: name });
      return;
    }
    const install = installSection(tree.text(file)!);
    const base = `/etc/systemd/${instance}`;
    let linked = name;
    const template = /@(\.[a-z]+)$/.exec(name);
    if (template !== null && install.defaultInstance !== undefined)
      linked = name.replace(/@(\.[a-z]+)$/, `@${install.defaultInstance}$1`);
    const stem = /@([^.]*)\.[a-z]+$/.exec(linked)?.[1] ?? '';
    const expand = (text: string) =>
      text.replaceAll('%i', stem).replaceAll('%j', stem).replaceAll('%n', linked).replaceAll('%%', '%');
    for (const alias of install.alias) {
      const path = `${base}/${expand(alias)}`;
      if (path !== file) links.push({ path, target: file });
    }
    // a template without an instance cannot be started by itself
    if (template === null || install.defaultInstance !== undefined)
      for (const [targets, suffix] of [
        [install.wantedBy, 'wants'],
        [install.requiredBy, 'requires'],
        [install.upheldBy, 'upholds'],
      ] as const)
        for (const target of targets)
          links.push({ path: `${base}/${expand(target)}.${suffix}/${linked}`, target: file });
    for (const other of install.also) add(expand(other));
  };
  add(unit);
  return links;
}

/** `systemctl enable`: false when the unit does not exist. */
export function enableUnit(
  tree: Tree,
  context: ConfigureContext,
  unit: string,
  instance: Instance = 'system',
): boolean {
  if (findUnit(tree, unit, instance) === undefined) return false;
  for (const link of linksOf(tree, context, unit, instance)) {
    if (tree.lstat(link.path) !== undefined) continue;
    putLink(tree, context, link.path, link.target);
  }
  return true;
}

/** `systemctl disable`: removes every link under /etc that points to the unit or has its name. */
export function disableUnit(tree: Tree, unit: string, instance: Instance = 'system'): void {
  const base = `etc/systemd/${instance}`;
  const names = new Set([unit]);
  const file = findUnit(tree, unit, instance);
  if (file !== undefined) for (const name of installSection(tree.text(file)!).alias) names.add(name);
  for (const name of tree.list(base)) {
    const path = `${base}/${name}`;
    const inode = tree.lstat(path);
    if (inode?.kind === 'symlink') {
      if (inode.target !== '/dev/null' && basename(inode.target) === unit) tree.remove(path);
    } else if (inode?.kind === 'directory' && /\.(wants|requires|upholds)$/.test(name)) {
      for (const one of [...inode.children.keys()]) {
        const link = inode.children.get(one)!;
        if (link.kind === 'symlink' && (names.has(one) || basename(link.target) === unit)) inode.children.delete(one);
      }
      if (inode.children.size === 0) tree.remove(path);
    }
  }
}

/** `systemctl mask`: the unit can no longer be started. */
export function maskUnit(tree: Tree, context: ConfigureContext, unit: string, instance: Instance = 'system'): void {
  ensureDirectory(tree, context, `etc/systemd/${instance}`);
  putLink(tree, context, `etc/systemd/${instance}/${unit}`, '/dev/null');
}

/** `systemctl unmask`. */
export function unmaskUnit(tree: Tree, unit: string, instance: Instance = 'system'): void {
  const path = `etc/systemd/${instance}/${unit}`;
  const inode = tree.lstat(path);
  if (inode?.kind === 'symlink' && inode.target === '/dev/null') tree.remove(path);
}

/** `systemctl is-enabled`, as far as files show. */
export function unitState(
  tree: Tree,
  context: ConfigureContext,
  unit: string,
  instance: Instance = 'system',
): 'enabled' | 'disabled' | 'masked' | 'static' | 'absent' {
  const link = tree.lstat(`etc/systemd/${instance}/${unit}`);
  if (link?.kind === 'symlink' && link.target === '/dev/null') return 'masked';
  if (findUnit(tree, unit, instance) === undefined) return 'absent';
  const links = linksOf(tree, context, unit, instance);
  if (links.length === 0) return 'static';
  return links.some((one) => tree.lstat(one.path) !== undefined) ? 'enabled' : 'disabled';
}

/** The preset of a unit; no match means enable. A list of instances may follow a template's name. */
export function presetOf(
  tree: Tree,
  unit: string,
  instance: Instance = 'system',
  rules: readonly PresetRule[] = presetRules(tree, instance),
): { readonly action: 'enable' | 'disable' | 'ignore'; readonly instances: readonly string[] } {
  const template = templateOf(unit);
  for (const { action, pattern, instances } of rules)
    if (matches(pattern, unit) || (template !== unit && matches(pattern, template))) return { action, instances };
  return { action: 'enable', instances: [] };
}

/** A line of a preset file. */
interface PresetRule {
  readonly action: 'enable' | 'disable' | 'ignore';
  readonly pattern: ReturnType<typeof compilePattern>;
  readonly instances: readonly string[];
}

/** The lines of all preset files, in the order in which they count. */
function presetRules(tree: Tree, instance: Instance): PresetRule[] {
  const files = new Map<string, string>();
  // the first folder that has a name wins
  for (const folder of [
    `etc/systemd/${instance}-preset`,
    `run/systemd/${instance}-preset`,
    `usr/local/lib/systemd/${instance}-preset`,
    `usr/lib/systemd/${instance}-preset`,
  ])
    for (const name of tree.list(folder))
      if (name.endsWith('.preset') && !files.has(name)) files.set(name, `${folder}/${name}`);
  const rules: PresetRule[] = [];
  for (const name of [...files.keys()].sort())
    for (const line of lines(tree.text(files.get(name)!) ?? '')) {
      const rule = /^\s*(enable|disable|ignore)\s+(\S+)\s*(.*)$/.exec(line);
      if (rule === null) continue;
      const [, action, pattern, instances] = rule as unknown as [string, 'enable', string, string];
      rules.push({
        action,
        // fnmatch(3) with FNM_NOESCAPE, as systemd reads presets
        pattern: compilePattern(pattern, undefined, true),
        instances: instances.split(/\s+/).filter((word) => word !== ''),
      });
    }
  return rules;
}

/** What presets may do: `systemctl preset --preset-mode=MODE`. */
export type PresetMode = 'full' | 'enable-only' | 'disable-only';

/** `systemctl preset --preset-mode=MODE`. */
export function presetUnit(
  tree: Tree,
  context: ConfigureContext,
  unit: string,
  instance: Instance = 'system',
  mode: PresetMode = 'enable-only',
  rules?: readonly PresetRule[],
): void {
  const preset = presetOf(tree, unit, instance, rules);
  if (preset.action === 'disable' && mode !== 'enable-only') disableUnit(tree, unit, instance);
  if (preset.action !== 'enable' || mode === 'disable-only') return;
  if (preset.instances.length === 0) enableUnit(tree, context, unit, instance);
  for (const one of preset.instances) enableUnit(tree, context, unit.replace(/@(\.[a-z]+)$/, `@${one}$1`), instance);
}

/**
 * `systemctl preset-all`: presets for every unit file there is. Names that are links to another unit, and units that are
 * masked, are left alone, as systemd does.
 */
export function presetAll(
  tree: Tree,
  context: ConfigureContext,
  instance: Instance = 'system',
  mode: PresetMode = 'full',
): void {
  const names = new Set<string>();
  for (const folder of unitFolders(tree, instance))
    for (const name of tree.list(folder)) if (isUnitName(name)) names.add(name);
  const enabled: string[] = [];
  const rules = presetRules(tree, instance);
  for (const name of [...names].sort()) {
    const file = findUnit(tree, name, instance);
    if (file === undefined || tree.lstat(file)?.kind !== 'file') continue;
    const masked = tree.lstat(`etc/systemd/${instance}/${name}`);
    if (masked?.kind === 'symlink' && masked.target === '/dev/null') continue;
    // what is disabled goes first: a link may belong to another unit that is enabled
    if (presetOf(tree, name, instance, rules).action === 'enable') enabled.push(name);
    else presetUnit(tree, context, name, instance, mode, rules);
  }
  for (const name of enabled) presetUnit(tree, context, name, instance, mode, rules);
}
