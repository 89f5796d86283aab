import { withoutEnding } from '../../bytes/ending.ts';
import type { Inode } from '../../tree/inode.ts';
import type { Call, Command } from '../command.ts';
import { UsageError } from '../given.ts';
import { Expression, FindError, type Walk } from './find-expression.ts';
import type { Found } from './found.ts';

/** Deepest folder that is visited; the limit of the shell's own nesting. */
const DEEPEST = 1000;

function find(call: Call): number {
  const { files } = call;
  let args = [...call.args];
  let follow = 'P';
  while (/^-([HLP]|O[0-9]*|D)$/.test(args[0] ?? '')) {
    const option = args.shift()!;
    if (option === '-D') return call.unsupported('find -D');
    if (/^-[HLP]$/.test(option)) follow = option[1]!;
  }
  let first = args.findIndex((arg) => /^(-.|[!(),]$)/.test(arg));
  if (first < 0) first = args.length;
  const starts = first === 0 ? ['.'] : args.slice(0, first);
  args = args.slice(first);
  const expression = new Expression(call, args, follow === 'L');
  let predicate: (found: Found, walk: Walk) => boolean;
  try {
    predicate = expression.parse();
  } catch (error) {
    if (!(error instanceof FindError)) throw error;
    if (error.unsupported !== undefined) {
      call.complain(error.message);
      return call.unsupported(`find ${error.unsupported}`);
    }
    if (error.unknown?.startsWith('-')) throw new UsageError(error.message, error.unknown, false, 1);
    return call.fail(error.message);
  }
  const walk: Walk = { prune: false, quit: false, status: 0, batches: expression.batches };
  const look = (found: Found) => {
    if (found.depth >= expression.least) predicate(found, walk);
  };
  const visit = (found: Found): void => {
    if (walk.quit) return;
    files.budget.spend(4);
    walk.prune = false;
    if (!expression.depthFirst) look(found);
    const pruned = walk.prune && !expression.depthFirst;
    const { inode, path, depth } = found;
    if (inode.kind === 'directory' && depth < expression.most && !pruned && !walk.quit && depth < DEEPEST) {
      const names = [...inode.children.keys()].sort((a, b) => (a < b ? -1 : 1));
      const base = path.endsWith('/') ? path : `${path}/`;
      for (const name of names) {
        const child = inode.children.get(name);
        if (child === undefined) continue;
        const at = base + name;
        // with -L a link is what it leads to, unless it leads nowhere or back to a folder that is being visited
        const seen = expression.follows && child.kind === 'symlink' ? (files.find(at) ?? child) : child;
        if (seen !== child && seen.kind === 'directory' && loops(call, found, seen, at)) {
          walk.status = 1;
          continue;
        }
        const below: Found = { path: at, name, inode: seen, depth: depth + 1, start: found.start, above: found };
        if (seen.kind === 'directory') files.budget.deeper(() => visit(below));
        else visit(below);
      }
    }
    if (expression.depthFirst && !walk.quit) look(found);
  };
  for (const start of starts) {
    const inode = (follow === 'P' && !expression.follows ? undefined : files.find(start)) ?? files.find(start, false);
    if (inode === undefined) {
      call.complain(`'${start}': No such file or directory`);
      walk.status = 1;
      continue;
    }
    const name = withoutEnding(start, '/').split('/').pop() || (start.startsWith('/') ? '/' : start);
    visit({ path: start, name, inode, depth: 0, start, above: undefined });
  }
  for (const batch of walk.batches) batch.flush(walk);
  return walk.status;
}

function loops(call: Call, from: Found, inode: Inode, path: string): boolean {
  for (let at: Found | undefined = from; at !== undefined; at = at.above)
    if (at.inode === inode) {
      call.complain(`File system loop detected; '${path}' is part of the same file system loop as '${at.path}'.`);
      return true;
    }
  return false;
}

/** Searching directories. */
export const FIND_COMMANDS: Readonly<Record<string, Command>> = { find };
