import { withoutEnding } from '../../bytes/ending.ts';
import type { Directory, Inode } from '../../tree/inode.ts';
import type { Call, Command } from '../command.ts';
import { FileError, textContent } from '../files.ts';
import type { Given, Taken } from '../given.ts';
import { applyMode, groupId, userId } from './owners.ts';
import { relativeTarget } from './paths.ts';

// Without SELinux in the kernel -Z is accepted and changes nothing: it does not have to be reported.

const lastName = (path: string) => withoutEnding(path, '/').split('/').pop() || '/';
const under = (folder: string, name: string) => `${withoutEnding(folder, '/')}/${name}`;

/** Sources and their target paths: into a directory, or a single source under a new name. */
function targets(call: Call, given: Given): [from: string, to: string][] | undefined {
  const folder = given.last('t');
  const operands = [...given.operands];
  const { files } = call;
  const fail = (text: string) => {
    call.complain(text);
    return undefined;
  };
  if (folder !== undefined) {
    if (files.find(folder)?.kind !== 'directory')
      return fail(`target directory '${folder}': No such file or directory`);
    if (operands.length === 0) return fail('missing file operand');
    return operands.map((from) => [from, under(folder, lastName(from))]);
  }
  if (operands.length === 1 && call.name === 'ln') operands.push('.');
  const to = operands.pop();
  if (to === undefined || operands.length === 0)
    return fail(to === undefined ? 'missing file operand' : `missing destination file operand after '${to}'`);
  if (given.has('T') && operands.length > 1) return fail(`extra operand '${operands[1]}'`);
  const isLink = given.has('n') && call.name === 'ln' && files.find(to, false)?.kind === 'symlink';
  const into = !given.has('T') && files.find(to)?.kind === 'directory' && !isLink;
  if (operands.length > 1 && !into) return fail(`target '${to}': No such file or directory`);
  return operands.map((from) => [from, into ? under(to, lastName(from)) : to]);
}

/** Makes room for a new file with --backup: the old one gets a suffix. False when there is nothing to do. */
function backUp(call: Call, given: Given, path: string): boolean {
  if (!given.has('b', 'backup') && !given.has('S')) return false;
  const { files } = call;
  const inode = files.find(path, false);
  if (inode === undefined || inode.kind === 'directory') return false;
  const how = given.last('backup') || call.shell.get('VERSION_CONTROL') || 'existing';
  if (how === 'none' || how === 'off') return false;
  const simple = given.last('S') ?? call.shell.get('SIMPLE_BACKUP_SUFFIX') ?? '~';
  let number = 1;
  while (files.find(`${path}.~${number}~`, false) !== undefined) number++;
  const numbered = /^(numbered|t)$/.test(how) || (/^(existing|nil)$/.test(how) && number > 1);
  const to = numbered ? `${path}.~${number}~` : path + simple;
  if (files.find(to, false) !== undefined) files.unlink(to);
  files.unlink(path);
  files.put(files.place(to), inode);
  return true;
}

const CP: Taken = {
  known:
    'a,archive b S,suffix= backup=? copy-contents d f,force i,interactive H l,link L,dereference n,no-clobber P,no-dereference p preserve=? no-preserve= parents R,recursive r reflink=? remove-destination sparse= strip-trailing-slashes s,symbolic-link t,target-directory= T,no-target-directory u update=? v,verbose x,one-file-system attributes-only debug Z context=?',
  missing: 'keep-directory-symlink',
};

/** What `cp` keeps of its sources. */
interface Kept {
  readonly mode: boolean;
  readonly owner: boolean;
  readonly time: boolean;
  readonly attributes: boolean;
  readonly links: boolean;
}

function keptBy(given: Given): Kept {
  const kept = { mode: false, owner: false, time: false, attributes: false, links: false };
  const set = (words: string, on: boolean) => {
    for (const word of words.split(',')) {
      if (word === 'mode' || word === 'all') kept.mode = on;
      if (word === 'ownership' || word === 'all') kept.owner = on;
      if (word === 'timestamps' || word === 'all') kept.time = on;
      if (word === 'xattr' || word === 'all') kept.attributes = on;
      if (word === 'links' || word === 'all') kept.links = on;
    }
  };
  for (const { name, value } of given.order) {
    if (name === 'a') set('all', true);
    else if (name === 'p') set('mode,ownership,timestamps', true);
    else if (name === 'd') set('links', true);
    else if (name === 'preserve') set(value || 'mode,ownership,timestamps', true);
    else if (name === 'no-preserve') set(value, false);
  }
  return kept;
}

/** Gives a copy what is kept of its source. */
function imitate(made: Inode, from: Inode, kept: Kept): void {
  if (kept.mode) made.mode = from.mode;
  if (kept.owner) {
    made.uid = from.uid;
    made.gid = from.gid;
    for (const key of ['user', 'group'] as const) {
      if (from[key] === undefined) delete made[key];
      else Object.assign(made, { [key]: from[key] });
    }
  }
  if (kept.time) {
    made.mtime = from.mtime;
    if (from.nanoseconds === undefined) delete made.nanoseconds;
    else made.nanoseconds = from.nanoseconds;
  }
  if (kept.attributes && from.xattrs !== undefined) made.xattrs = new Map(from.xattrs);
}

class Copier {
  readonly #call: Call;
  readonly #given: Given;
  readonly #kept: Kept;
  readonly #recursive: boolean;
  readonly #update: string | undefined;
  readonly #copies = new Map<Inode, Inode>();
  readonly #made = new Set<Inode>();
  status = 0;

  constructor(call: Call, given: Given) {
    this.#call = call;
    this.#given = given;
    this.#kept = keptBy(given);
    this.#recursive = given.has('a', 'r', 'R');
    this.#update = given.has('update') ? given.last('update') || 'older' : given.has('u') ? 'older' : undefined;
  }

  /** Copies one operand. */
  operand(from: string, to: string): void {
    const { files } = this.#call;
    const follow = this.#given.lastOf('L', 'H', 'P', 'd', 'a');
    const followed =
      follow === 'L' || follow === 'H' || (follow === undefined && (!this.#recursive || this.#given.has('l')));
    const inode = files.stat(from, followed);
    if (inode.kind === 'directory' && !this.#recursive) throw new FileError('-r not specified; omitting directory');
    if (inode.kind === 'directory' && isWithin(inode, files.find(to) ?? parentOf(this.#call, to)))
      throw new FileError('cannot copy a directory into itself');
    this.copy(inode, from, to);
  }

  copy(inode: Inode, from: string, to: string): void {
    const { files } = this.#call;
    files.budget.spend(4);
    if (inode.kind === 'directory') return this.#folder(inode, from, to);
    const there = files.find(to, false);
    if (there !== undefined && !this.#replaces(inode, there, to)) return;
    const { given, kept } = { given: this.#given, kept: this.#kept };
    if (given.has('v')) this.#call.out(`'${from}' -> '${to}'\n`);
    if (given.has('attributes-only') && there?.kind === 'file') return imitate(there, inode, kept);
    const moved = there !== undefined && backUp(this.#call, given, to);
    const present = moved ? undefined : there;
    const linked = kept.links ? this.#copies.get(inode) : undefined;
    if (given.has('s') || given.has('l') || linked !== undefined) {
      if (present !== undefined) {
        if (present === inode || present === linked) return;
        if (!given.has('f', 'remove-destination') && linked === undefined)
          throw new FileError(`cannot create link '${to}': File exists`);
        files.unlink(to);
      }
      if (given.has('s')) return files.symlink(to, from);
      return void files.put(files.place(to), linked ?? inode);
    }
    if (
      inode.kind === 'file' &&
      present !== undefined &&
      !given.has('remove-destination') &&
      present.kind !== 'symlink'
    )
      return this.#overwrite(inode, to);
    if (inode.kind === 'file' && present?.kind === 'symlink' && !given.has('remove-destination'))
      return this.#overwrite(inode, to);
    if (present !== undefined) files.unlink(to);
    const made: Inode = { ...inode, ...files.meta(inode.mode & 0o777) };
    delete made.user;
    delete made.group;
    delete made.nanoseconds;
    delete made.xattrs;
    if (inode.kind === 'symlink') made.mode = 0o777;
    if (made.kind === 'file' && given.has('attributes-only')) made.content = textContent('');
    imitate(made, inode, kept);
    this.#copies.set(inode, made);
    this.#made.add(made);
    files.put(files.place(to), made);
  }

  #folder(inode: Directory, from: string, to: string): void {
    const { files } = this.#call;
    const there = files.find(to);
    if (there !== undefined && there.kind !== 'directory')
      throw new FileError(`cannot overwrite non-directory '${to}' with directory '${from}'`);
    if (this.#given.has('v') && there === undefined) this.#call.out(`'${from}' -> '${to}'\n`);
    const made = there ?? files.mkdir(to, inode.mode & 0o777);
    for (const [name, child] of [...inode.children]) {
      // the copy may be inside the copied directory
      if (child === made) continue;
      const source = under(from, name);
      const done = this.#call.attempt(source, () => {
        const seen = this.#given.lastOf('L', 'P', 'd', 'a') === 'L' ? files.stat(source) : child;
        files.budget.deeper(() => this.copy(seen, source, under(to, name)));
      });
      if (!done) this.status = 1;
    }
    if (there === undefined || this.#kept.mode || this.#kept.time) imitate(made, inode, this.#kept);
  }

  /** Whether a file that is there is replaced; throws where it cannot be. */
  #replaces(inode: Inode, there: Inode, to: string): boolean {
    const given = this.#given;
    if (given.has('n') || this.#update === 'none') return false;
    if (this.#update === 'older' && newerOrSame(there, inode)) return false;
    if (this.#update === 'none-fail') throw new FileError(`not replacing '${to}'`);
    if (there.kind === 'directory') throw new FileError(`cannot overwrite directory '${to}' with non-directory`);
    const target = there.kind === 'symlink' && inode.kind === 'file' ? this.#call.files.find(to) : there;
    if (target === inode && !given.has('l', 's', 'remove-destination', 'b', 'backup'))
      throw new FileError(`'${to}' are the same file`);
    if (this.#made.has(there)) throw new FileError(`will not overwrite just-created '${to}'`);
    return true;
  }

  #overwrite(inode: Inode & { kind: 'file' }, to: string): void {
    const { files } = this.#call;
    if (files.find(to) === undefined) throw new FileError(`not writing through dangling symlink '${to}'`);
    const open = files.open(to);
    if (open === undefined) return;
    open.content = inode.content;
    files.touch(open);
    imitate(open, inode, this.#kept);
    this.#copies.set(inode, open);
    this.#made.add(open);
  }
}

function newerOrSame(a: Inode, b: Inode): boolean {
  return a.mtime > b.mtime || (a.mtime === b.mtime && (a.nanoseconds ?? 0) >= (b.nanoseconds ?? 0));
}

function cp(call: Call): number {
  const given = call.parse(CP);
  const { files } = call;
  const pairs = targets(call, given);
  if (pairs === undefined) return 1;
  const copier = new Copier(call, given);
  let status = 0;
  for (const [from, to] of pairs) {
    const clean = given.has('strip-trailing-slashes') ? withoutEnding(from, '/') : from;
    const target = given.has('parents') ? under(given.last('t') ?? given.operands.at(-1)!, clean) : to;
    const done = call.attempt(from, () => {
      if (given.has('parents')) call.shell.invoke(['mkdir', '-p', target.replace(/\/*[^/]*\/*$/, '') || '/']);
      if (clean === '/dev/null') return files.write(target, '');
      copier.operand(clean, target);
    });
    if (!done) status = 1;
  }
  return status || copier.status;
}

function parentOf(call: Call, path: string): Inode | undefined {
  const folder = withoutEnding(path, '/').split('/').slice(0, -1).join('/');
  return call.files.find(folder || (path.startsWith('/') ? '/' : '.'));
}

/** True when `inode` is `folder` or anywhere below it. */
function isWithin(folder: Directory, inode: Inode | undefined): boolean {
  if (inode?.kind !== 'directory') return false;
  const waiting: Directory[] = [folder];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if (one === inode) return true;
    for (const child of one.children.values()) if (child.kind === 'directory') waiting.push(child);
  }
  return false;
}

const MV: Taken = {
  known:
    'b S,suffix= backup=? f,force i,interactive n,no-clobber strip-trailing-slashes t,target-directory= T,no-target-directory u update=? v,verbose debug no-copy Z,context',
  missing: 'exchange',
};

function mv(call: Call): number {
  const given = call.parse(MV);
  const { files } = call;
  const pairs = targets(call, given);
  if (pairs === undefined) return 1;
  const update = given.has('update') ? given.last('update') || 'older' : given.has('u') ? 'older' : undefined;
  let status = 0;
  for (const [from, to] of pairs) {
    const done = call.attempt(from, () => {
      const source = withoutEnding(from, '/') || '/';
      const inode = files.stat(source, false);
      const there = files.find(to, false);
      if (inode === files.tree.root) throw new FileError('Device or resource busy');
      if (there !== undefined) {
        if (given.lastOf('n', 'f', 'i') === 'n' || update === 'none') return;
        if (update === 'older' && newerOrSame(there, inode)) return;
        if (there === inode) {
          if (withoutEnding(to, '/') === source) throw new FileError(`'${from}' and '${to}' are the same file`);
          return files.unlink(source);
        }
        if (there.kind === 'directory' && inode.kind !== 'directory')
          throw new FileError(`cannot overwrite directory '${to}' with non-directory`);
        if (there.kind === 'directory' && there.children.size > 0)
          throw new FileError(`cannot move '${from}' to '${to}': Directory not empty`);
        if (there.kind !== 'directory' && inode.kind === 'directory')
          throw new FileError(`cannot overwrite non-directory '${to}' with directory '${from}'`);
        backUp(call, given, to);
      }
      if (inode.kind === 'directory' && isWithin(inode, parentOf(call, to)))
        throw new FileError('cannot move a directory into itself');
      const place = files.place(withoutEnding(to, '/'));
      if (to.endsWith('/') && inode.kind !== 'directory')
        throw new FileError(`cannot move '${from}' to '${to}': Not a directory`);
      files.unlink(source, true);
      files.put(place, inode);
      if (given.has('v')) call.out(`renamed '${from}' -> '${to}'\n`);
    });
    if (!done) status = 1;
  }
  return status;
}

const LN: Taken = {
  known:
    's,symbolic f,force n,no-dereference r,relative v,verbose T,no-target-directory t,target-directory= b backup=? S,suffix= i,interactive L,logical P,physical d F,directory',
};

function ln(call: Call): number {
  const given = call.parse(LN);
  const { files } = call;
  const symbolic = given.has('s');
  const pairs = targets(call, given);
  if (pairs === undefined) return 1;
  let status = 0;
  for (const [from, to] of pairs) {
    const done = call.attempt(to, () => {
      const source = symbolic ? undefined : files.stat(from, given.has('L'));
      if (source?.kind === 'directory') throw new FileError('hard link not allowed for directory');
      const there = files.find(to, false);
      if (there !== undefined && !backUp(call, given, to)) {
        if (!given.has('f')) throw new FileError('File exists');
        if (symbolic && there === files.find(from, false) && files.place(to).name === files.place(from).name)
          throw new FileError(`'${from}' and '${to}' are the same file`);
        if (there === source) {
          if (to === from || to.replace(/^\.\//, '') === from.replace(/^\.\//, ''))
            throw new FileError(`'${from}' and '${to}' are the same file`);
          return;
        }
        if (there.kind === 'directory') throw new FileError('cannot overwrite directory');
        files.unlink(to);
      }
      const target = given.has('r') ? relativeTarget(call, from, to) : from;
      if (source !== undefined) files.put(files.place(to), source);
      else if (target === '') throw new FileError('No such file or directory');
      else files.symlink(to, target);
      if (given.has('v')) call.out(`'${to}' ${symbolic ? '->' : '=>'} '${target}'\n`);
    });
    if (!done) status = 1;
  }
  return status;
}

const INSTALL: Taken = {
  known:
    'd,directory D m,mode= o,owner= g,group= p,preserve-timestamps v,verbose t,target-directory= T,no-target-directory c C,compare b backup=? S,suffix= s,strip strip-program= Z context=? preserve-context',
  missing: 'debug',
};

function install(call: Call): number {
  const given = call.parse(INSTALL);
  const { files } = call;
  if (given.has('s')) call.unsupported('install --strip');
  const mode = (inode: Inode) => applyMode(given.last('m') ?? '755', 0, inode.kind === 'directory', 0);
  const finish = (inode: Inode) => {
    const bits = mode(inode);
    if (bits === undefined) throw new FileError(`invalid mode '${given.last('m')}'`);
    if (given.has('o')) inode.uid = userId(files, given.last('o')!);
    if (given.has('g')) inode.gid = groupId(files, given.last('g')!);
    inode.mode = bits;
  };
  const parents = (path: string, loud = false) => {
    const folder = withoutEnding(path, '/').split('/').slice(0, -1).join('/');
    if (folder === '' || files.find(folder) !== undefined) return;
    parents(folder, loud);
    if (loud) call.out(`install: creating directory '${folder}'\n`);
    files.mkdir(folder, 0o755);
  };
  let status = 0;
  if (given.has('d')) {
    if (given.operands.length === 0) return call.fail('missing operand');
    for (const path of given.operands) {
      const done = call.attempt(path, () => {
        parents(path, given.has('v'));
        const there = files.find(path);
        if (there !== undefined && there.kind !== 'directory') throw new FileError('File exists');
        if (there === undefined && given.has('v')) call.out(`install: creating directory '${path}'\n`);
        finish(there ?? files.mkdir(path));
      });
      if (!done) status = 1;
    }
    return status;
  }
  if (given.has('D')) parents(given.has('t') ? `${given.last('t')}/x` : (given.operands.at(-1) ?? ''));
  const pairs = targets(call, given);
  if (pairs === undefined) return 1;
  for (const [from, to] of pairs) {
    const done = call.attempt(from, () => {
      const inode = from === '/dev/null' ? undefined : files.stat(from);
      if (inode?.kind === 'directory') throw new FileError(`omitting directory '${from}'`);
      if (inode !== undefined && inode.kind !== 'file') throw new FileError('not a regular file');
      const there = files.find(to, false);
      if (there !== undefined && there === inode) throw new FileError(`'${from}' and '${to}' are the same file`);
      if (there !== undefined && !backUp(call, given, to)) files.unlink(to);
      const made = files.open(to)!;
      made.content = inode?.content ?? textContent('');
      if (given.has('p') && inode !== undefined)
        imitate(made, inode, { mode: false, owner: false, time: true, attributes: false, links: false });
      finish(made);
      if (given.has('v')) call.out(`'${from}' -> '${to}'\n`);
    });
    if (!done) status = 1;
  }
  return status;
}

/** Commands that copy, move and link files. */
export const COPY_COMMANDS: Readonly<Record<string, Command>> = { cp, install, ln, mv };
