import { Alternatives } from '../../../system/alternatives.ts';
import { type ConfigureContext, ensureDirectory, lines, made, touch } from '../../../system/context.ts';
import { rcDefaults } from '../../../system/init-links.ts';
import { systemdSysusers } from '../../../system/sysusers.ts';
import { systemdTmpfiles } from '../../../system/tmpfiles.ts';
import type { Tree } from '../../../tree/tree.ts';
import { dshEnable, dshUnmask, dshUpdateState, dshWasEnabled } from './deb-systemd.ts';
import { ucf, ucfRegister } from './ucf.ts';

/** Where dpkg's update-alternatives keeps its state. */
export const ALTERNATIVES = 'var/lib/dpkg/alternatives';

/**
 * The parts of maintainer scripts that debhelper generates: they name their tool, and have a fixed form. What
 * a maintainer wrote by hand is kept separate.
 */

/** A generated part of a script. */
export interface Section {
  /** `dh_installsystemd`, … */
  readonly tool: string;
  /** First line in the script, from 1. */
  readonly line: number;
  readonly text: string;
}

/** A line that is not generated. */
export interface OwnLine {
  readonly line: number;
  readonly text: string;
}

const BEGIN = /^# Automatically added by (dh_[a-z0-9_]+)/;
const END = /^# End automatically added section/;

/** Splits a script into its parts. */
export function splitScript(script: string): {
  readonly sections: readonly Section[];
  readonly own: readonly OwnLine[];
} {
  const sections: Section[] = [];
  const own: OwnLine[] = [];
  let open: { tool: string; line: number; text: string[] } | undefined;
  for (const [i, text] of lines(script).entries()) {
    const begin = BEGIN.exec(text);
    if (open === undefined && begin !== null) open = { tool: begin[1]!, line: i + 1, text: [] };
    else if (open !== undefined && END.test(text)) {
      sections.push({ tool: open.tool, line: open.line, text: open.text.join('\n') });
      open = undefined;
    } else if (open !== undefined) open.text.push(text);
    else own.push({ line: i + 1, text });
  }
  // a section without an end marker is not one
  if (open !== undefined) for (const [i, text] of open.text.entries()) own.push({ line: open.line + 1 + i, text });
  return { sections, own };
}

/** Tools whose parts change nothing on a fresh installation: caches, menus, moved configuration files. */
const WITHOUT_EFFECT = new Set([
  'dh_installdeb', // dpkg-maintscript-helper: renames and removals from earlier versions
  'dh_installmenu',
  'dh_installdebconf', // db_purge on removal
  'dh_icons',
  'dh_makeshlibs', // ldconfig, done once by its trigger
  'dh_python3', // byte-compiled modules are a cache
  'dh_python2',
  'dh_pysupport',
  'dh_installxfonts',
  'dh_installinfo',
  'dh_installmime',
  'dh_desktop',
  'dh_gconf',
  'dh_systemd_start', // starts and restarts
  'dh_installudev',
  'dh_bugfiles',
  'dh_usrlocal',
]);

/** Performs a generated part of a postinst at first configuration; false when the tool is not known. */
export function followSection(tree: Tree, context: ConfigureContext, section: Section): boolean {
  const { text } = section;
  switch (section.tool) {
    case 'dh_installsystemd':
    case 'dh_systemd_enable':
    case 'dh_installsystemduser':
      followUnits(tree, context, text);
      return true;
    case 'dh_installinit':
      for (const match of text.matchAll(/update-rc\.d (\S+) (defaults-disabled|defaults)\b/g)) {
        const name = match[1]!;
        if ((tree.stat(`etc/init.d/${name}`)?.mode ?? 0) & 0o111)
          rcDefaults(tree, context, name, match[2] !== 'defaults');
      }
      return true;
    case 'dh_installsysusers':
      for (const match of text.matchAll(/systemd-sysusers\b([^\n|&;]*)/g))
        systemdSysusers(tree, context, filesIn(match[1]!));
      return true;
    case 'dh_installtmpfiles':
      if (tree.has('usr/bin/systemd-tmpfiles') || tree.has('bin/systemd-tmpfiles'))
        for (const match of text.matchAll(/systemd-tmpfiles\b([^\n|&;]*--create[^\n|&;]*)/g))
          systemdTmpfiles(tree, context, filesIn(match[1]!));
      return true;
    case 'dh_apparmor':
      followApparmor(tree, context, text);
      return true;
    case 'dh_installalternatives':
      followAlternatives(tree, context, text);
      return true;
    case 'dh_ucf':
      for (const match of text.matchAll(/^[ \t]*ucf(r?) (\S+) "?([^\s"]+)"?$/gm))
        if (match[1] === 'r') ucfRegister(tree, context, match[2]!, match[3]!);
        else ucf(tree, context, match[2]!.replaceAll('"', ''), match[3]!);
      return true;
    default:
      return WITHOUT_EFFECT.has(section.tool);
  }
}

/** Names of files in a command's arguments: no options, no expansions. */
function filesIn(words: string): string[] {
  return words
    .replace(/>\S*/g, '')
    .split(/\s+/)
    .filter((word) => word !== '' && !word.startsWith('-') && !word.startsWith('$'))
    .map((word) => word.replace(/^(["'])(.*)\1$/, '$2'));
}

function followUnits(tree: Tree, context: ConfigureContext, text: string): void {
  const helper = (action: string) =>
    [...text.matchAll(new RegExp(`deb-systemd-helper((?: --\\w+)*) ${action} '?([^'\\s;]+)'?`, 'g'))].map((match) => ({
      unit: match[2]!,
      instance: match[1]!.includes('--user') ? ('user' as const) : ('system' as const),
    }));
  // a unit that matters only after an administrator enabled it
  const guarded = new Set(helper('debian-installed').map((one) => one.unit));
  for (const { unit, instance } of helper('was-enabled')) {
    if (guarded.has(unit)) continue;
    dshUnmask(tree, unit, instance);
    if (dshWasEnabled(tree, unit, instance)) dshEnable(tree, context, unit, instance);
    else dshUpdateState(tree, context, unit, instance);
  }
  for (const { unit, instance } of helper('update-state'))
    if (guarded.has(unit)) dshUpdateState(tree, context, unit, instance);
}

function followApparmor(tree: Tree, context: ConfigureContext, text: string): void {
  const profile = /^[ \t]*APP_PROFILE="([^"]+)"/m.exec(text)?.[1];
  const local = /LOCAL_APP_PROFILE="([^"]+)"/.exec(text)?.[1];
  if (profile === undefined || local === undefined || tree.file(profile) === undefined) return;
  ensureDirectory(tree, context, local.slice(0, local.lastIndexOf('/')));
  touch(tree, context, local, made(context, 0o644));
}

/** Runs every `update-alternatives --install` of a text whose words are plain; returns their number. */
export function followAlternatives(tree: Tree, context: ConfigureContext, text: string): number {
  let count = 0;
  const alternatives = new Alternatives(tree, context, ALTERNATIVES);
  for (const command of text.replace(/\\\n/g, ' ').split('\n')) {
    const found = /(?:^|[\s;&|])update-alternatives\s+(?:--quiet\s+|--force\s+)*(--install\s.*)$/.exec(command);
    if (found === null) continue;
    const words = found[1]!
      .replace(/(\|\||&&|;|>).*$/, '')
      .trim()
      .split(/\s+/)
      .map((word) => word.replace(/^(["'])(.*)\1$/, '$2'));
    if (words.some((word) => word.includes('$'))) continue;
    const [, link, name, path, priority, ...rest] = words;
    if (priority === undefined) continue;
    const slaves = [];
    for (let i = 0; i + 3 < rest.length && rest[i] === '--slave'; i += 4)
      slaves.push({ link: rest[i + 1]!, name: rest[i + 2]!, path: rest[i + 3]! });
    alternatives.install({ link: link!, name: name!, path: path!, priority: Number(priority), slaves });
    count++;
  }
  return count;
}
