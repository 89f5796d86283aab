import type { Inode, Kind } from '../../tree/inode.ts';
import { type Call, type Command, options } from '../command.ts';
import { compilePattern, matches } from '../pattern.ts';
import { compileRegex } from '../regex.ts';
import { applyMode, groupId, userId } from './owners.ts';

interface Found {
  readonly path: string;
  readonly name: string;
  readonly inode: Inode;
  readonly depth: number;
}

/** State of `find` during its walk. */
interface Walk {
  prune: boolean;
  quit: boolean;
  status: number;
  readonly batches: { command: string[]; paths: string[] }[];
}

type Predicate = (found: Found, walk: Walk) => boolean;

const KINDS: Readonly<Record<string, Kind>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  b: 'block',
  c: 'char',
  p: 'fifo',
  s: 'socket',
};

class Expression {
  readonly #call: Call;
  readonly #args: readonly string[];
  #at = 0;
  #acts = false;
  least = 0;
  most = Number.POSITIVE_INFINITY;
  depthFirst = false;
  readonly batches: Walk['batches'] = [];

  constructor(call: Call, args: readonly string[]) {
    this.#call = call;
    this.#args = args;
  }

  parse(): Predicate {
    const all = this.#at < this.#args.length ? this.#or() : () => true;
    if (this.#at < this.#args.length) throw new Error(`paths must precede expression: '${this.#args[this.#at]}'`);
    if (this.#acts) return all;
    return (found, walk) => all(found, walk) && this.#print(found, '\n');
  }

  #print(found: Found, end: string): boolean {
    this.#call.out(found.path + end);
    return true;
  }

  #or(): Predicate {
    let left = this.#and();
    while (['-o', '-or', ','].includes(this.#args[this.#at] ?? '')) {
      const comma = this.#args[this.#at++] === ',';
      const before = left;
      const right = this.#and();
      left = (f, w) => {
        const first = before(f, w);
        return comma || !first ? right(f, w) : first;
      };
    }
    return left;
  }

  #and(): Predicate {
    let left = this.#primary();
    for (;;) {
      const next = this.#args[this.#at];
      if (next === undefined || [')', '-o', '-or', ','].includes(next)) return left;
      if (next === '-a' || next === '-and') this.#at++;
      const before = left;
      const right = this.#primary();
      left = (f, w) => before(f, w) && right(f, w);
    }
  }

  #value(): string {
    const value = this.#args[this.#at++];
    if (value === undefined) throw new Error(`missing argument to '${this.#args[this.#at - 2]}'`);
    return value;
  }

  #compare(text: string): (n: number) => boolean {
    const number = Number.parseInt(text.replace(/^[-+]/, ''), 10) || 0;
    return text.startsWith('+') ? (n) => n > number : text.startsWith('-') ? (n) => n < number : (n) => n === number;
  }

  #primary(): Predicate {
    const { files, shell } = this.#call;
    const { budget } = shell;
    const word = this.#value();
    switch (word) {
      case '!':
      case '-not': {
        const body = budget.deeper(() => this.#primary());
        return (f, w) => !body(f, w);
      }
      case '(': {
        const body = budget.deeper(() => this.#or());
        if (this.#value() !== ')') throw new Error("expected ')'");
        return body;
      }
      case '-name':
      case '-iname':
      case '-path':
      case '-wholename':
      case '-ipath':
      case '-lname': {
        const fold = word === '-iname' || word === '-ipath';
        const text = this.#value();
        const pattern = compilePattern(fold ? text.toLowerCase() : text, budget);
        return ({ name, path, inode }) => {
          const subject = word.endsWith('lname')
            ? inode.kind === 'symlink'
              ? inode.target
              : ''
            : word.endsWith('name') && word !== '-wholename'
              ? name
              : path;
          return matches(pattern, fold ? subject.toLowerCase() : subject, budget);
        };
      }
      case '-regex':
      case '-iregex': {
        const regex = compileRegex(`^\\(${this.#value()}\\)$`, budget, { ignoreCase: word === '-iregex' });
        return ({ path }) => regex.test(path, budget);
      }
      case '-type':
      case '-xtype': {
        const kinds = this.#value()
          .split(',')
          .map((letter) => KINDS[letter]);
        return ({ path, inode }) => kinds.includes((word === '-xtype' ? (files.find(path) ?? inode) : inode).kind);
      }
      case '-perm': {
        const text = this.#value();
        const bits = applyMode(text.replace(/^[-/]/, ''), 0, false, 0) ?? 0;
        if (text.startsWith('-')) return ({ inode }) => (inode.mode & bits) === bits;
        if (text.startsWith('/')) return ({ inode }) => bits === 0 || (inode.mode & bits) !== 0;
        return ({ inode }) => inode.mode === bits;
      }
      case '-user':
      case '-uid': {
        const uid = userId(files, this.#value());
        return ({ inode }) => inode.uid === uid;
      }
      case '-group':
      case '-gid': {
        const gid = groupId(files, this.#value());
        return ({ inode }) => inode.gid === gid;
      }
      case '-nouser':
      case '-nogroup':
        return () => false;
      case '-empty':
        return ({ inode }) =>
          inode.kind === 'file' ? inode.content.size === 0 : inode.kind === 'directory' && inode.children.size === 0;
      case '-size': {
        const text = this.#value();
        const unit = { c: 1, w: 2, b: 512, k: 1024, M: 1 << 20, G: 1 << 30 }[text.at(-1)!] ?? 512;
        const fits = this.#compare(text);
        return ({ inode }) => fits(Math.ceil((inode.kind === 'file' ? inode.content.size : 0) / unit));
      }
      case '-mtime':
      case '-ctime':
      case '-atime':
      case '-mmin': {
        const fits = this.#compare(this.#value());
        const unit = word === '-mmin' ? 60 : 86400;
        return ({ inode }) => fits(Math.floor((files.time - inode.mtime) / unit));
      }
      case '-newer': {
        const than = files.find(this.#value())?.mtime ?? 0;
        return ({ inode }) => inode.mtime > than;
      }
      case '-maxdepth':
        this.most = Number(this.#value());
        return () => true;
      case '-mindepth':
        this.least = Number(this.#value());
        return () => true;
      case '-depth':
        this.depthFirst = true;
        return () => true;
      case '-xdev':
      case '-mount':
      case '-noleaf':
      case '-true':
      case '-follow':
      case '-daystart':
      case '-ignore_readdir_race':
        return () => true;
      case '-false':
        return () => false;
      case '-links':
        this.#value();
        return () => true;
      case '-prune':
        return (_, walk) => (walk.prune = true);
      case '-quit':
        this.#acts = true;
        return (_, walk) => (walk.quit = true);
      case '-print':
        this.#acts = true;
        return (found) => this.#print(found, '\n');
      case '-print0':
        this.#acts = true;
        return (found) => this.#print(found, '\0');
      case '-printf': {
        this.#acts = true;
        const format = this.#value();
        return (found) => {
          const { inode } = found;
          this.#call.out(
            format.replace(/%[pfhPsmuglyd%]|\\[nt0\\]/g, (code) => {
              const known: Record<string, string> = {
                '%p': found.path,
                '%f': found.name,
                '%h': found.path.replace(/\/[^/]*$/, ''),
                '%P': found.path
                  .split('/')
                  .slice(-found.depth || Number.POSITIVE_INFINITY)
                  .join('/'),
                '%s': String(inode.kind === 'file' ? inode.content.size : 0),
                '%m': inode.mode.toString(8),
                '%u': String(inode.uid),
                '%g': String(inode.gid),
                '%l': inode.kind === 'symlink' ? inode.target : '',
                '%y': Object.keys(KINDS).find((letter) => KINDS[letter] === inode.kind) ?? 'U',
                '%d': String(found.depth),
                '%%': '%',
                '\\n': '\n',
                '\\t': '\t',
                '\\0': '\0',
                '\\\\': '\\',
              };
              return known[code] ?? code;
            }),
          );
          return true;
        };
      }
      case '-delete':
        this.#acts = true;
        this.depthFirst = true;
        return ({ path, inode }, walk) => {
          if (inode.kind === 'directory' && inode.children.size > 0) {
            this.#call.complain(`cannot delete '${path}': Directory not empty`);
            walk.status = 1;
            return false;
          }
          return this.#call.attempt(path, () => files.unlink(path, true));
        };
      case '-exec':
      case '-execdir':
      case '-ok': {
        this.#acts = true;
        const command: string[] = [];
        for (let arg = this.#value(); arg !== ';'; arg = this.#value()) {
          if (arg === '+' && command.at(-1) === '{}') {
            const batch = { command: command.slice(0, -1), paths: [] as string[] };
            this.batches.push(batch);
            return ({ path }) => {
              batch.paths.push(path);
              return true;
            };
          }
          command.push(arg);
        }
        return ({ path, name }) => {
          const spelled = word === '-execdir' ? `./${name}` : path;
          const { cwd } = files;
          if (word === '-execdir') files.cwd = files.absolute(path).replace(/\/[^/]*$/, '') || '/';
          const status = shell.invoke(command.map((arg) => arg.replaceAll('{}', spelled)));
          files.cwd = cwd;
          return status === 0;
        };
      }
      default:
        throw new Error(`unknown predicate '${word}'`);
    }
  }
}

function find(call: Call): number {
  const { files } = call;
  let args = [...call.args];
  let follow = false;
  while (/^-[HLPO]/.test(args[0] ?? '')) follow = args.shift() === '-L' || follow;
  let first = args.findIndex((arg) => /^[-!(),]/.test(arg));
  if (first < 0) first = args.length;
  const starts = first === 0 ? ['.'] : args.slice(0, first);
  args = args.slice(first);
  let expression: Expression;
  let predicate: Predicate;
  try {
    expression = new Expression(call, args);
    predicate = expression.parse();
  } catch (error) {
    if (error instanceof Error && error.constructor === Error) return call.fail(error.message);
    throw error;
  }
  const walk: Walk = { prune: false, quit: false, status: 0, batches: expression.batches };
  const visit = (path: string, name: string, inode: Inode, depth: number): void => {
    if (walk.quit) return;
    files.budget.spend(4);
    const found = { path, name, inode, depth };
    const look = () => depth >= expression.least && predicate(found, walk);
    walk.prune = false;
    if (!expression.depthFirst) look();
    const within = follow && inode.kind === 'symlink' ? files.find(path) : inode;
    if (
      within?.kind === 'directory' &&
      depth < expression.most &&
      !(walk.prune && !expression.depthFirst) &&
      depth < 200
    ) {
      const names = [...within.children.keys()].sort((a, b) => (a < b ? -1 : 1));
      for (const child of names) {
        const below = within.children.get(child);
        if (below !== undefined)
          visit(`${path === '/' ? '' : path.replace(/\/$/, '')}/${child}`, child, below, depth + 1);
      }
    }
    if (expression.depthFirst && !walk.quit) look();
  };
  for (const start of starts) {
    const inode = files.find(start, follow);
    if (inode === undefined) {
      call.complain(`'${start}': No such file or directory`);
      walk.status = 1;
    } else visit(start, start.replace(/\/+$/, '').split('/').pop() || '/', inode, 0);
  }
  for (const { command, paths } of walk.batches)
    if (paths.length > 0 && call.shell.invoke([...command, ...paths]) !== 0) walk.status = 1;
  return walk.status;
}

/** Splits standard input into words as xargs does: at blanks, respecting quotes and backslashes. */
function xargsWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"' || c === "'") {
      const end = text.indexOf(c, i + 1);
      word = (word ?? '') + text.slice(i + 1, end < 0 ? text.length : end);
      i = end < 0 ? text.length : end;
    } else if (c === '\\') word = (word ?? '') + (text[++i] ?? '');
    else if (c === ' ' || c === '\t' || c === '\n') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + c;
  }
  if (word !== undefined) words.push(word);
  return words;
}

function xargs(call: Call): number {
  const given = options(
    call.args,
    '+0rn:I:L:d:tpP:s:E:xa:',
    'null no-run-if-empty max-args= replace=? max-lines=? delimiter= max-procs= verbose arg-file=',
  );
  const text = given.has('a', 'arg-file') ? call.read(given.last('a', 'arg-file')!) : call.input();
  const replace = given.last('I') ?? (given.has('replace') ? given.last('replace') || '{}' : undefined);
  const delimiter = given.has('0', 'null')
    ? '\0'
    : given.last('d', 'delimiter')?.replace('\\n', '\n').replace('\\0', '\0');
  let items: string[];
  if (delimiter !== undefined) {
    items = text.split(delimiter);
    if (items.at(-1) === '') items.pop();
  } else if (replace !== undefined || given.has('L'))
    items = text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  else items = xargsWords(text);
  const command = given.operands.length === 0 ? ['echo'] : given.operands;
  const size =
    replace !== undefined ? 1 : Number(given.last('n', 'max-args') ?? given.last('L') ?? items.length) || items.length;
  if (items.length === 0) {
    if (given.has('r', 'no-run-if-empty') || replace !== undefined) return 0;
    return call.shell.invoke(command) === 0 ? 0 : 123;
  }
  let status = 0;
  for (let i = 0; i < items.length; i += size) {
    const batch = items.slice(i, i + size);
    const words = given.has('L') ? batch.flatMap((line) => xargsWords(line)) : batch;
    const args =
      replace === undefined ? [...command, ...words] : command.map((arg) => arg.replaceAll(replace, batch[0]!));
    const ended = call.shell.invoke(args);
    if (ended === 255) return 124;
    if (ended !== 0) status = 123;
  }
  return status;
}

/** Commands that search for files and run other commands on them. */
export const FIND_COMMANDS: Readonly<Record<string, Command>> = { find, xargs };
