import type { Call, Command } from '../../../shell/command.ts';
import { spendFile } from '../../../system/commands/counted.ts';
import { type ConfigureContext, putLink, putText, warn } from '../../../system/context.ts';
import type { Tree } from '../../../tree/tree.ts';

/**
 * `alternatives` of chkconfig, as rpm distributions have it; its state files differ from those of Debian's
 * update-alternatives (written from chkconfig's manual page and the format of its files).
 *
 *     auto | manual
 *     FACILITY
 *     follower's title, follower's facility …
 *     (empty line)
 *     path, [@family@]priority[ initscript], one line for each follower …
 */
interface State {
  mode: 'auto' | 'manual';
  facility: string;
  readonly followers: { readonly title: string; readonly facility: string }[];
  readonly choices: Choice[];
  /** In manual mode the chosen path; it is where /etc/alternatives/TITLE leads. */
  current: string | undefined;
}

interface Choice {
  readonly path: string;
  priority: number;
  family: string;
  initscript: string;
  /** Paths of the followers by title; absent: none. */
  followers: Map<string, string>;
}

const ADMIN = 'var/lib/alternatives';
const LINKS = 'etc/alternatives';

/** The command under both of its names. */
export function alternatives(tree: Tree, context: ConfigureContext): Command {
  return (call) => {
    const words = call.args.filter((word) => word !== '--verbose' && word !== '--quiet');
    const [verb, ...rest] = words;
    switch (verb) {
      case '--install':
        return install(call, tree, context, rest);
      case '--set':
        return set(call, tree, context, rest);
      case '--auto': {
        const state = readState(call, tree, rest[0] ?? '');
        if (state === undefined) return call.fail(`cannot access /${ADMIN}/${rest[0]}: No such file or directory`, 2);
        state.mode = 'auto';
        return apply(tree, context, rest[0]!, state);
      }
      case '--remove':
      case '--remove-all':
        return remove(call, tree, context, rest, verb === '--remove-all');
      case '--display':
      case '--list':
        return 0;
      default:
        return call.shell.unknown(`${call.name} ${verb ?? ''}`);
    }
  };
}

function install(call: Call, tree: Tree, context: ConfigureContext, words: readonly string[]): number {
  const [facility, title, path, number] = words;
  const priority = Number(number);
  if (facility === undefined || title === undefined || path === undefined || !Number.isInteger(priority))
    return call.fail('usage: alternatives --install <link> <name> <path> <priority>', 2);
  if (!safeTitle(title)) return call.fail(`name ${title} must not contain a slash`, 2);
  const choice: Choice = { path, priority, family: '', initscript: '', followers: new Map() };
  const state = readState(call, tree, title) ?? {
    mode: 'auto',
    facility,
    followers: [],
    choices: [],
    current: undefined,
  };
  const known = state.choices.length > 0;
  for (let at = 4; at < words.length; ) {
    const word = words[at]!;
    if (word === '--slave' || word === '--follower') {
      const [link, name, target] = words.slice(at + 1, at + 4);
      if (target === undefined || !safeTitle(name!)) return call.fail(`${word} needs a link, a name and a path`, 2);
      choice.followers.set(name!, target);
      if (!state.followers.some((one) => one.title === name)) state.followers.push({ title: name!, facility: link! });
      at += 4;
    } else if (word === '--initscript' || word === '--family') {
      if (word === '--family') choice.family = words[at + 1] ?? '';
      else choice.initscript = words[at + 1] ?? '';
      at += 2;
    } else if (word === '--keep-missing' || word === '--keep-foreign') at++;
    else return call.shell.unknown(`${call.name} ${word}`);
  }
  // the first call's order stays; when others are merged in, followers are sorted by their links
  if (known) state.followers.sort((a, b) => (a.facility < b.facility ? -1 : a.facility > b.facility ? 1 : 0));
  const there = state.choices.findIndex((one) => one.path === path);
  if (there < 0) state.choices.push(choice);
  else state.choices[there] = choice;
  return apply(tree, context, title, state);
}

function set(call: Call, tree: Tree, context: ConfigureContext, [title = '', wanted = '']: readonly string[]): number {
  const state = readState(call, tree, title);
  if (state === undefined) return call.fail(`cannot access /${ADMIN}/${title}: No such file or directory`, 2);
  const choice = state.choices.find((one) => one.path === wanted || (one.family !== '' && one.family === wanted));
  if (choice === undefined) return call.fail(`${wanted} has not been configured as an alternative for ${title}`, 2);
  state.mode = 'manual';
  state.current = choice.path;
  return apply(tree, context, title, state);
}

function remove(
  call: Call,
  tree: Tree,
  context: ConfigureContext,
  [title = '', path = '']: readonly string[],
  all: boolean,
): number {
  const state = readState(call, tree, title);
  if (state === undefined) return all ? 0 : call.fail(`cannot access /${ADMIN}/${title}: No such file or directory`, 2);
  const left = all ? [] : state.choices.filter((one) => one.path !== path && one.family !== path);
  state.choices.splice(0, state.choices.length, ...left);
  if (state.choices.length > 0) {
    if (!state.choices.some((one) => one.path === state.current)) state.mode = 'auto';
    return apply(tree, context, title, state);
  }
  for (const { title: name, facility } of [{ title, facility: state.facility }, ...state.followers]) {
    tree.remove(`${LINKS}/${name}`);
    if (tree.lstat(facility)?.kind === 'symlink') tree.remove(facility);
  }
  tree.remove(`${ADMIN}/${title}`);
  return 0;
}

/** Writes the state, and the links that it asks for. */
function apply(tree: Tree, context: ConfigureContext, title: string, state: State): number {
  // best: the highest priority, the first among equals
  let best = state.choices[0]!;
  for (const one of state.choices) if (one.priority > best.priority) best = one;
  const manual = state.mode === 'manual' ? state.choices.find((one) => one.path === state.current) : undefined;
  const chosen = manual ?? best;
  const rows = [state.mode, state.facility];
  for (const one of state.followers) rows.push(one.title, one.facility);
  rows.push('');
  for (const one of state.choices) {
    const family = one.family === '' ? '' : `@${one.family}@`;
    rows.push(one.path, `${family}${one.priority}${one.initscript === '' ? '' : ` ${one.initscript}`}`);
    for (const { title: name } of state.followers) rows.push(one.followers.get(name) ?? '');
  }
  putText(tree, context, `${ADMIN}/${title}`, `${rows.join('\n')}\n`, 0o644);
  link(tree, context, title, state.facility, chosen.path);
  for (const { title: name, facility } of state.followers) {
    const target = chosen.followers.get(name);
    if (target !== undefined) link(tree, context, name, facility, target);
    else {
      tree.remove(`${LINKS}/${name}`);
      if (tree.lstat(facility)?.kind === 'symlink') tree.remove(facility);
    }
  }
  return 0;
}

/** FACILITY → /etc/alternatives/TITLE → target; what is no link is left as it is. */
function link(tree: Tree, context: ConfigureContext, title: string, facility: string, target: string): void {
  putLink(tree, context, `${LINKS}/${title}`, target);
  const present = tree.lstat(facility);
  if (present !== undefined && present.kind !== 'symlink')
    warn(context, 'ALTERNATIVE_BLOCKED', { name: title, link: facility });
  else putLink(tree, context, facility.replace(/^\/+/, ''), `/${LINKS}/${title}`);
}

function readState(call: Call, tree: Tree, title: string): State | undefined {
  if (!safeTitle(title)) return undefined;
  spendFile(call, tree, `${ADMIN}/${title}`);
  const text = tree.text(`${ADMIN}/${title}`);
  if (text === undefined) return undefined;
  const rows = text.split('\n');
  const [mode, facility = ''] = rows;
  const followers: State['followers'] = [];
  let at = 2;
  for (; at < rows.length && rows[at] !== ''; at += 2)
    followers.push({ title: rows[at]!, facility: rows[at + 1] ?? '' });
  const choices: Choice[] = [];
  for (at++; at < rows.length && rows[at] !== ''; at += 2 + followers.length) {
    const [, family = '', priority, initscript = ''] =
      /^(?:@([^@]*)@)?(-?\d+)(?: (.*))?$/.exec(rows[at + 1] ?? '') ?? [];
    const targets = new Map<string, string>();
    for (const [i, one] of followers.entries()) {
      const target = rows[at + 2 + i] ?? '';
      if (target !== '') targets.set(one.title, target);
    }
    choices.push({ path: rows[at]!, priority: Number(priority ?? 0), family, initscript, followers: targets });
  }
  const present = tree.lstat(`${LINKS}/${title}`);
  const current = present?.kind === 'symlink' ? present.target : undefined;
  return { mode: mode === 'manual' ? 'manual' : 'auto', facility, followers, choices, current };
}

function safeTitle(title: string): boolean {
  return title !== '' && title !== '.' && title !== '..' && !title.includes('/');
}
