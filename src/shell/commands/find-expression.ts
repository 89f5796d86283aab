import type { Inode } from '../../tree/inode.ts';
import type { Call } from '../command.ts';
import { compilePattern, matches } from '../pattern.ts';
import { compileRegex, RegexError } from '../regex.ts';
import { parseDate } from './date-text.ts';
import { formatFound } from './find-format.ts';
import { FIND_KINDS, type Found } from './found.ts';
import { sizeOf } from './modes.ts';
import { accountRows, applyMode, groupId, userId } from './owners.ts';

/** State of `find` during its walk. */
export interface Walk {
  prune: boolean;
  quit: boolean;
  status: number;
  readonly batches: readonly Batch[];
}

type Predicate = (found: Found, walk: Walk) => boolean;

/** Thrown for an invalid expression; `unsupported` names what only a real `find` has. */
export class FindError extends Error {
  readonly unsupported: string | undefined;
  /** A predicate that no `find` has. */
  readonly unknown: string | undefined;

  constructor(message: string, unsupported?: string, unknown?: string) {
    super(message);
    this.unsupported = unsupported;
    this.unknown = unknown;
  }
}

/** Most bytes of arguments for one run of `-exec … +`. */
const ARGUMENTS = 131_072;
const UNSUPPORTED = new Set([
  '-fstype',
  '-context',
  '-inum',
  '-ls',
  '-fls',
  '-fprint',
  '-fprint0',
  '-fprintf',
  '-files0-from',
  '-cnewer',
  '-anewer',
  '-used',
  '-okdir',
]);

/** Paths collected for `-exec … +`. */
export class Batch {
  readonly #call: Call;
  readonly #command: readonly string[];
  #paths: string[] = [];
  #bytes = 0;

  constructor(call: Call, command: readonly string[]) {
    this.#call = call;
    this.#command = command;
  }

  add(path: string, walk: Walk): void {
    if (this.#bytes + path.length > ARGUMENTS) this.flush(walk);
    this.#paths.push(path);
    this.#bytes += path.length + 1;
  }

  flush(walk: Walk): void {
    const paths = this.#paths;
    this.#paths = [];
    this.#bytes = 0;
    if (paths.length > 0 && this.#call.shell.invoke([...this.#command, ...paths], true) !== 0) walk.status = 1;
  }
}

/** Parses the expression of `find`. */
export class Expression {
  readonly #call: Call;
  readonly #args: readonly string[];
  #at = 0;
  #acts = false;
  least = 0;
  most = Number.POSITIVE_INFINITY;
  depthFirst = false;
  /** Links are followed. */
  follows: boolean;
  readonly batches: Batch[] = [];

  constructor(call: Call, args: readonly string[], follows: boolean) {
    this.#call = call;
    this.#args = args;
    this.follows = follows;
  }

  parse(): Predicate {
    const all = this.#at < this.#args.length ? this.#comma() : () => true;
    if (this.#at < this.#args.length)
      throw new FindError(
        this.#args[this.#at] === ')'
          ? "invalid expression; you have too many ')'"
          : `paths must precede expression: '${this.#args[this.#at]}'`,
      );
    if (this.#acts) return all;
    return (found, walk) => all(found, walk) && this.#print(found, '\n');
  }

  #print(found: Found, end: string): boolean {
    this.#call.out(found.path + end);
    return true;
  }

  #comma(): Predicate {
    let left = this.#or();
    while (this.#args[this.#at] === ',') {
      this.#at++;
      const before = left;
      const right = this.#or();
      left = (f, w) => {
        before(f, w);
        return right(f, w);
      };
    }
    return left;
  }

  #or(): Predicate {
    let left = this.#and();
    while (['-o', '-or'].includes(this.#args[this.#at] ?? '')) {
      this.#at++;
      const before = left;
      const right = this.#and();
      left = (f, w) => before(f, w) || right(f, w);
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
    if (value === undefined) throw new FindError(`missing argument to '${this.#args[this.#at - 2] ?? 'expression'}'`);
    return value;
  }

  #primary(): Predicate {
    const { budget } = this.#call.shell;
    const word = this.#args[this.#at++];
    if (word === undefined) throw new FindError('expected an expression');
    if (word === '!' || word === '-not') {
      const body = budget.deeper(() => this.#primary());
      return (f, w) => !body(f, w);
    }
    if (word === '(') {
      const body = budget.deeper(() => this.#comma());
      if (this.#args[this.#at++] !== ')') throw new FindError("invalid expression; expected to find a ')'");
      return body;
    }
    const found =
      this.#option(word) ??
      this.#nameTest(word) ??
      this.#attributeTest(word) ??
      this.#timeTest(word) ??
      this.#action(word);
    if (found !== undefined) return found;
    throw new FindError(`unknown predicate '${word}'`, UNSUPPORTED.has(word) ? word : undefined, word);
  }

  #option(word: string): Predicate | undefined {
    const depth = () => {
      const text = this.#value();
      if (!/^[0-9]+$/.test(text))
        throw new FindError(`Expected a positive decimal integer argument to ${word}, but got '${text}'`);
      return Number(text);
    };
    switch (word) {
      case '-maxdepth':
        this.most = depth();
        return () => true;
      case '-mindepth':
        this.least = depth();
        return () => true;
      case '-depth':
      case '-d':
        this.depthFirst = true;
        return () => true;
      case '-follow':
        this.follows = true;
        return () => true;
      case '-xdev':
      case '-mount':
      case '-noleaf':
      case '-true':
      case '-warn':
      case '-nowarn':
      case '-ignore_readdir_race':
      case '-noignore_readdir_race':
        return () => true;
      case '-regextype':
        this.#regexType = this.#value();
        return () => true;
      case '-false':
        return () => false;
      default:
        return undefined;
    }
  }

  #regexType = 'emacs';

  #nameTest(word: string): Predicate | undefined {
    const { budget } = this.#call.shell;
    const { files } = this.#call;
    const subjects: Readonly<Record<string, (found: Found) => string>> = {
      '-name': ({ name }) => name,
      '-iname': ({ name }) => name,
      '-path': ({ path }) => path,
      '-wholename': ({ path }) => path,
      '-ipath': ({ path }) => path,
      '-iwholename': ({ path }) => path,
      '-lname': ({ inode }) => (inode.kind === 'symlink' ? inode.target : ''),
      '-ilname': ({ inode }) => (inode.kind === 'symlink' ? inode.target : ''),
    };
    const subject = Object.hasOwn(subjects, word) ? subjects[word] : undefined;
    if (subject !== undefined) {
      const fold = word.startsWith('-i');
      const links = word.endsWith('lname');
      const text = this.#value();
      const pattern = compilePattern(fold ? text.toLowerCase() : text, budget);
      return (found) => {
        if (links && found.inode.kind !== 'symlink') return false;
        const value = subject(found);
        return matches(pattern, fold ? value.toLowerCase() : value, budget);
      };
    }
    if (word === '-regex' || word === '-iregex') {
      const extended = /^(posix-extended|posix-egrep|egrep|awk|gnu-awk|posix-awk)$/.test(this.#regexType);
      // in the emacs syntax + and ? are operators without a backslash
      const source = this.#value();
      const basic =
        this.#regexType === 'emacs' || this.#regexType === 'findutils-default'
          ? source.replace(/\\[\s\S]|\[\^?\]?[^\]]*\]|[+?]/g, (all) => (all === '+' || all === '?' ? `\\${all}` : all))
          : source;
      try {
        const regex = compileRegex(extended ? `^(${source})$` : `^\\(${basic}\\)$`, budget, {
          extended,
          ignoreCase: word === '-iregex',
        });
        return ({ path }) => regex.test(path, budget);
      } catch (error) {
        if (error instanceof RegexError) throw new FindError(error.message);
        throw error;
      }
    }
    if (word === '-samefile') {
      const inode = files.stat(this.#value(), this.follows);
      return (found) => found.inode === inode;
    }
    return undefined;
  }

  /** `+5`, `-5` or `5`. */
  #compare(text: string): (n: number) => boolean {
    const match = /^([-+]?)([0-9]+(?:\.[0-9]+)?)$/.exec(text);
    if (match === null) throw new FindError(`invalid argument '${text}'`);
    const number = Number(match[2]);
    return match[1] === '+' ? (n) => n > number : match[1] === '-' ? (n) => n < number : (n) => n === number;
  }

  #attributeTest(word: string): Predicate | undefined {
    const { files } = this.#call;
    switch (word) {
      case '-type':
      case '-xtype': {
        const kinds = this.#value()
          .split(',')
          .map((letter) => {
            if (!Object.hasOwn(FIND_KINDS, letter)) throw new FindError(`Unknown argument to ${word}: ${letter}`);
            return FIND_KINDS[letter]!;
          });
        return ({ path, inode }) => kinds.includes((word === '-xtype' ? (files.find(path) ?? inode) : inode).kind);
      }
      case '-perm':
        return this.#permissions(this.#value());
      case '-user':
      case '-uid': {
        const text = this.#value();
        if (word === '-uid' || /^[-+][0-9]/.test(text)) {
          const fits = this.#compare(text);
          return ({ inode }) => fits(inode.uid);
        }
        const uid = userId(files, text);
        return ({ inode }) => inode.uid === uid;
      }
      case '-group':
      case '-gid': {
        const text = this.#value();
        if (word === '-gid' || /^[-+][0-9]/.test(text)) {
          const fits = this.#compare(text);
          return ({ inode }) => fits(inode.gid);
        }
        const gid = groupId(files, text);
        return ({ inode }) => inode.gid === gid;
      }
      case '-nouser':
      case '-nogroup': {
        const ids = new Set(
          accountRows(files, word === '-nouser' ? '/etc/passwd' : '/etc/group').map((row) => Number(row[2])),
        );
        return ({ inode }) => !ids.has(word === '-nouser' ? inode.uid : inode.gid);
      }
      case '-empty':
        return ({ inode }) =>
          inode.kind === 'file' ? inode.content.size === 0 : inode.kind === 'directory' && inode.children.size === 0;
      case '-size': {
        const match = /^([-+]?[0-9]+)([cwbkMG]?)$/.exec(this.#value());
        if (match === null) throw new FindError('Invalid argument to -size');
        const unit = { c: 1, w: 2, b: 512, k: 1024, M: 1 << 20, G: 1 << 30, '': 512 }[match[2]!]!;
        const fits = this.#compare(match[1]!);
        return ({ inode }) => fits(Math.ceil(sizeOf(inode) / unit));
      }
      case '-links': {
        const fits = this.#compare(this.#value());
        let counts: Map<Inode, number> | undefined;
        return ({ inode }) => fits((counts ??= files.linkCounts()).get(inode) ?? 1);
      }
      case '-readable':
        return ({ inode }) => inode.kind !== 'socket';
      case '-writable':
        return () => true;
      case '-executable':
        return ({ path, inode }) => {
          const target = inode.kind === 'symlink' ? files.find(path) : inode;
          return target !== undefined && (target.kind === 'directory' || (target.mode & 0o111) !== 0);
        };
      default:
        return undefined;
    }
  }

  #permissions(text: string): Predicate {
    const bits = applyMode(text.replace(/^[-/]/, ''), 0, true, 0);
    if (bits === undefined) throw new FindError(`invalid mode '${text}'`);
    if (text.startsWith('-')) return ({ inode }) => (inode.mode & bits) === bits;
    if (text.startsWith('/')) return ({ inode }) => bits === 0 || (inode.mode & bits) !== 0;
    return ({ inode }) => inode.mode === bits;
  }

  #timeTest(word: string): Predicate | undefined {
    const { files } = this.#call;
    const after =
      (seconds: number, nanoseconds: number): Predicate =>
      ({ inode }) =>
        inode.mtime > seconds || (inode.mtime === seconds && (inode.nanoseconds ?? 0) > nanoseconds);
    if (/^-[mac](time|min)$/.test(word)) {
      const unit = word.endsWith('min') ? 60 : 86_400;
      const fits = this.#compare(this.#value());
      return ({ inode }) => fits(Math.floor((files.time - inode.mtime) / unit));
    }
    if (word === '-daystart') throw new FindError(`unknown predicate '${word}'`, word);
    if (word === '-newer' || /^-newer[mac][mac]$/.test(word)) {
      const than = files.stat(this.#value());
      return after(than.mtime, than.nanoseconds ?? 0);
    }
    if (/^-newer[mac]t$/.test(word)) {
      const text = this.#value();
      const at = parseDate(text, files.time);
      if (at === undefined) throw new FindError(`I cannot figure out how to interpret '${text}' as a date or time`);
      return after(at.seconds, at.nanoseconds);
    }
    return undefined;
  }

  #action(word: string): Predicate | undefined {
    const { files } = this.#call;
    const acts = (predicate: Predicate): Predicate => {
      this.#acts = true;
      return predicate;
    };
    switch (word) {
      case '-prune':
        return (_, walk) => (walk.prune = true);
      case '-quit':
        return acts((_, walk) => (walk.quit = true));
      case '-print':
        return acts((found) => this.#print(found, '\n'));
      case '-print0':
        return acts((found) => this.#print(found, '\0'));
      case '-printf': {
        const format = this.#value();
        return acts((found) => {
          this.#call.out(formatFound(format, found, this.#call));
          return true;
        });
      }
      case '-delete':
        this.depthFirst = true;
        return acts(({ path, inode, depth }, walk) => {
          if (depth === 0 && (path === '.' || path === './')) return true;
          if (inode.kind === 'directory' && inode.children.size > 0) {
            this.#call.complain(`cannot delete '${path}': Directory not empty`);
            walk.status = 1;
            return false;
          }
          const done = this.#call.attempt(path, () => files.unlink(path, true));
          if (!done) walk.status = 1;
          return done;
        });
      case '-exec':
      case '-execdir':
      case '-ok':
        return acts(this.#execution(word));
      default:
        return undefined;
    }
  }

  #execution(word: string): Predicate {
    const { files, shell } = this.#call;
    const command: string[] = [];
    for (let arg = this.#value(); arg !== ';'; arg = this.#value()) {
      if (arg === '+' && command.at(-1) === '{}' && word !== '-ok') {
        if (word === '-execdir') throw new FindError('-execdir with + is not implemented', '-execdir … +');
        const batch = new Batch(this.#call, command.slice(0, -1));
        this.batches.push(batch);
        return ({ path }, walk) => {
          batch.add(path, walk);
          return true;
        };
      }
      command.push(arg);
    }
    if (command.length === 0) throw new FindError(`missing argument to '${word}'`);
    // there is no answer to a question
    if (word === '-ok') return () => false;
    return ({ path, name }) => {
      const shown = word === '-execdir' ? `./${name}` : path;
      const { cwd } = files;
      if (word === '-execdir') files.cwd = files.absolute(path).replace(/\/[^/]*$/, '') || '/';
      const status = shell.invoke(
        command.map((arg) => arg.replaceAll('{}', shown)),
        true,
      );
      files.cwd = cwd;
      return status === 0;
    };
  }
}
