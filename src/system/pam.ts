import type { Tree } from '../tree/tree.ts';
import { type ConfigureContext, lines, putText, warn } from './context.ts';

/** pam-auth-update(8): the common-* stacks, generated from the profiles of packages. */

const PROFILES = 'usr/share/pam-configs';
const TEMPLATES = 'usr/share/pam';
const STATE = 'var/lib/pam';
const TYPES = ['auth', 'account', 'password', 'session', 'session-noninteractive'] as const;

const PRIMARY = '# here are the per-package modules (the "Primary" block)';
const FALLBACK = "# here's the fallback if no module succeeds";
const ADDITIONAL = '# and here are more per-package modules (the "Additional" block)';
const END = '# end of pam-auth-update config';
/** Content of the primary block when no profile has a primary module. */
const PERMIT = '[default=1]\t\t\tpam_permit.so';

interface PamProfile {
  readonly name: string;
  readonly fields: ReadonlyMap<string, string>;
}

function readProfile(tree: Tree, name: string): PamProfile {
  const fields = new Map<string, string>();
  let key: string | undefined;
  for (const line of lines(tree.text(`${PROFILES}/${name}`) ?? '')) {
    const head = /^(\S+):\s*(.*)$/.exec(line);
    if (head !== null) {
      key = head[1]!.replace(/-Final$/, '');
      fields.set(key, head[2]!);
    } else if (key !== undefined && /^\s+\S/.test(line)) {
      fields.set(key, `${fields.get(key)}\n${line.trim()}`);
    }
  }
  if (fields.get('Session-Interactive-Only') !== 'yes')
    for (const part of ['', '-Type', '-Initial']) {
      const value = fields.get(`Session${part}`);
      if (value !== undefined) fields.set(`Session-noninteractive${part}`, value);
    }
  return { name, fields };
}

/** `pam-auth-update --package`, with every profile in its default state. */
export function pamAuthUpdate(tree: Tree, context: ConfigureContext, force = false): void {
  const profiles = tree
    .list(PROFILES)
    .filter((name) => !name.endsWith('~') && !/^#.*#$/.test(name))
    .map((name) => readProfile(tree, name))
    .sort(
      (a, b) =>
        Number(b.fields.get('Priority') ?? 0) - Number(a.fields.get('Priority') ?? 0) ||
        (a.name < b.name ? 1 : a.name > b.name ? -1 : 0),
    );
  const enabled: PamProfile[] = [];
  for (const profile of profiles) {
    if (profile.fields.get('Default') !== 'yes') continue;
    const conflicts = (one: PamProfile, other: PamProfile) =>
      (one.fields.get('Conflicts') ?? '').split(/[,\s]+/).includes(other.name);
    if (!enabled.some((one) => conflicts(one, profile) || conflicts(profile, one))) enabled.push(profile);
  }
  for (const type of TYPES) writeStack(tree, context, type, enabled, force);
  putText(tree, context, `${STATE}/seen`, profiles.map((profile) => `${profile.name}\n`).join(''));
}

/** Lines of a profile for a type and block: `-Initial` for the first of the block. */
function modulesOf(
  enabled: readonly PamProfile[],
  type: string,
  block: 'Primary' | 'Additional',
): { profile: string; rows: string[] }[] {
  const key = type[0]!.toUpperCase() + type.slice(1);
  const found: { profile: string; rows: string[] }[] = [];
  for (const profile of enabled) {
    if (profile.fields.get(`${key}-Type`) !== block) continue;
    const initial = found.length === 0 ? profile.fields.get(`${key}-Initial`) : undefined;
    const text = initial ?? profile.fields.get(key) ?? '';
    found.push({ profile: profile.name, rows: text.split('\n').filter((row) => row !== '') });
  }
  return found;
}

function writeStack(
  tree: Tree,
  context: ConfigureContext,
  type: (typeof TYPES)[number],
  enabled: readonly PamProfile[],
  force: boolean,
): void {
  const template = tree.text(`${TEMPLATES}/common-${type}`);
  if (template === undefined) return;
  const target = `etc/pam.d/common-${type}`;
  const present = tree.text(target);
  const markers = [PRIMARY, FALLBACK, ADDITIONAL, END];
  if (present !== undefined && !force && !markers.every((marker) => present.includes(marker))) {
    warn(context, 'PAM_LOCAL', { path: `/${target}` });
    return;
  }
  const primary = modulesOf(enabled, type, 'Primary');
  const additional = modulesOf(enabled, type, 'Additional');
  const word = type.replace('-noninteractive', '');
  const blockOf = (modules: readonly { rows: string[] }[], offset: number): string => {
    const rows = modules.flatMap((module) => module.rows);
    return rows
      .map((row, i) => {
        // "end" skips the rest of the block
        const left = String(rows.length - i - offset);
        const match = /^(\[[^\]]*\]|\S+)\s+(\S+)\s*(.*)$/.exec(row);
        if (match === null) return `${word}\t${row}\n`;
        const control = match[1]!.replace(/=end\b/g, `=${left}`);
        return `${word}\t${control}\t${match[2]} ${match[3]!.split(/\s+/).join(' ')}\n`;
      })
      .join('');
  };
  const primaryText = primary.length === 0 ? `${word}\t${PERMIT}\n` : blockOf(primary, 0);
  const additionalText = blockOf(additional, 1);
  let text = replaceBetween(template, PRIMARY, FALLBACK, primaryText);
  text = replaceBetween(text, ADDITIONAL, END, additionalText);
  putText(tree, context, target, text);

  let state = '';
  for (const module of primary) state += `Module: ${module.profile}\n${module.rows.join('\n')}\n`;
  if (primary.length === 0) state += `Module: null\n${PERMIT}\n`;
  for (const module of additional) state += `Module: ${module.profile}\n${module.rows.join('\n')}\n`;
  putText(tree, context, `${STATE}/${type}`, state);
}

function replaceBetween(text: string, from: string, to: string, block: string): string {
  const start = text.indexOf(`${from}\n`);
  const end = text.indexOf(to, start);
  if (start < 0 || end < 0) return text;
  return text.slice(0, start + from.length + 1) + block + text.slice(end);
}
