import { withoutEnding } from '../../bytes/ending.ts';
import type { Directory, Inode } from '../../tree/inode.ts';
import type { Call, Command } from '../command.ts';
import { FileError } from '../files.ts';
import type { Given, Taken } from '../given.ts';
import { type Moment, parseDate, parseStamp } from './date-text.ts';
import { permissionText } from './modes.ts';
import { applyMode, groupId, groupName, parseOwner, setOwner, userName } from './owners.ts';

const under = (folder: string, name: string) => `${withoutEnding(folder, '/')}/${name}`;

/** Calls `body` for each operand; returns 1 when any of them failed. */
function each(call: Call, operands: readonly string[], body: (path: string) => void): number {
  let status = 0;
  for (const path of operands) if (!call.attempt(path, () => body(path))) status = 1;
  return status;
}

/** `inode` and every inode below it, directories before their contents. */
function* below(path: string, inode: Inode): Generator<{ path: string; inode: Inode }> {
  const waiting = [{ path, inode }];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    yield one;
    if (one.inode.kind !== 'directory') continue;
    for (const [name, child] of [...one.inode.children].sort(([a], [b]) => (a < b ? 1 : -1)))
      waiting.push({ path: under(one.path, name), inode: child });
  }
}

const MKDIR: Taken = { known: 'p,parents m,mode= v,verbose Z context=?' };

function mkdir(call: Call): number {
  const given = call.parse(MKDIR);
  const { files } = call;
  const mode = given.last('m');
  if (given.operands.length === 0) return call.fail('missing operand');
  if (mode !== undefined && applyMode(mode, 0o777, true, files.umask) === undefined)
    return call.fail(`invalid mode '${mode}'`);
  const made = (path: string, bits: number): Directory => {
    const inode = files.mkdir(path, bits);
    if (given.has('v')) call.out(`mkdir: created directory '${path}'\n`);
    return inode;
  };
  return each(call, given.operands, (path) => {
    let last: Directory | undefined;
    if (given.has('p')) {
      let at = path.startsWith('/') ? '/' : '';
      const names = path.split('/').filter((name) => name !== '');
      for (const [i, name] of names.entries()) {
        at += name;
        const inode = files.find(at);
        if (inode === undefined) last = made(at, i === names.length - 1 ? 0o777 : 0o777 | 0o300);
        else if (inode.kind !== 'directory')
          throw new FileError(i === names.length - 1 ? 'File exists' : 'Not a directory');
        else last = undefined;
        at += '/';
      }
    } else last = made(path, 0o777);
    if (last !== undefined && mode !== undefined) last.mode = applyMode(mode, 0o777 & ~files.umask, true, files.umask)!;
  });
}

const RMDIR: Taken = { known: 'p,parents v,verbose ignore-fail-on-non-empty' };

function rmdir(call: Call): number {
  const given = call.parse(RMDIR);
  const { files } = call;
  if (given.operands.length === 0) return call.fail('missing operand');
  const quiet = given.has('ignore-fail-on-non-empty');
  return each(call, given.operands, (operand) => {
    let path = withoutEnding(operand, '/') || '/';
    for (;;) {
      if (given.has('v')) call.out(`rmdir: removing directory, '${path}'\n`);
      const inode = files.stat(path, false);
      if (inode.kind !== 'directory') throw new FileError('Not a directory');
      if (inode.children.size > 0) {
        if (quiet) return;
        throw new FileError('Directory not empty');
      }
      files.unlink(path, true);
      const slash = path.lastIndexOf('/');
      if (!given.has('p') || slash <= 0) return;
      path = path.slice(0, slash);
    }
  });
}

/** Asks on standard error and reads the answer from standard input; its end means no. */
function confirmed(call: Call, question: string): boolean {
  call.shell.write(2, `${call.name}: ${question} `);
  const stream = call.shell.stream(0);
  const line = /^[^\n]*\n?/.exec(stream?.rest() ?? '')![0];
  stream?.consume(line.length);
  return /^[yY]/.test(line);
}

const RM: Taken = {
  known: 'r,recursive R f,force d,dir i I interactive=? v,verbose one-file-system preserve-root=? no-preserve-root',
};

function rm(call: Call): number {
  const given = call.parse(RM);
  const { files } = call;
  const force = given.lastOf('f', 'i', 'I', 'interactive') === 'f';
  const recursive = given.has('r', 'R');
  if (given.operands.length === 0) return force ? 0 : call.fail('missing operand');
  return each(call, given.operands, (path) => {
    const inode = force ? files.find(withoutEnding(path, '/') || '/', false) : files.stat(path, false);
    if (inode === undefined) return;
    if (/(^|\/)\.\.?\/*$/.test(path)) throw new FileError("refusing to remove '.' or '..' directory");
    if (inode === files.tree.root) throw new FileError('it is dangerous to operate recursively on /');
    if (inode.kind === 'directory' && !recursive) {
      if (!given.has('d')) throw new FileError('Is a directory');
      if (inode.children.size > 0) throw new FileError('Directory not empty');
    }
    if (given.lastOf('f', 'i', 'I', 'interactive') === 'i' && !confirmed(call, `remove '${path}'?`)) return;
    if (given.has('v'))
      for (const one of [...below(path, inode)].reverse())
        call.out(one.inode.kind === 'directory' ? `removed directory '${one.path}'\n` : `removed '${one.path}'\n`);
    files.unlink(withoutEnding(path, '/'), true);
  });
}

const TOUCH: Taken = { known: 'a c,no-create d,date= f h,no-dereference m r,reference= t= time=' };

function touch(call: Call): number {
  const given = call.parse(TOUCH);
  const { files } = call;
  if (given.operands.length === 0) return call.fail('missing file operand');
  let stamp: Moment = { seconds: files.time, nanoseconds: 0 };
  if (given.has('r')) {
    const model = files.stat(given.last('r')!, !given.has('h'));
    stamp = { seconds: model.mtime, nanoseconds: model.nanoseconds ?? 0 };
  }
  const [text, time] = [given.last('d'), given.last('t')];
  if (text !== undefined || time !== undefined) {
    // with -r the date is relative to that file's time
    const found = text !== undefined ? parseDate(text, stamp.seconds) : parseStamp(time!, files.time);
    if (found === undefined) return call.fail(`invalid date format '${text ?? time}'`);
    stamp = found;
  }
  // only the time of modification is kept in the tree
  const onlyAccess = (given.has('a') || /^(atime|access|use)$/.test(given.last('time') ?? '')) && !given.has('m');
  return each(call, given.operands, (path) => {
    let inode: Inode | undefined = files.find(path, !given.has('h'));
    if (inode === undefined) {
      if (given.has('c', 'h')) {
        if (given.has('c')) return;
        throw new FileError('No such file or directory');
      }
      inode = files.open(path);
    } else if (onlyAccess) return;
    if (inode === undefined) return;
    inode.mtime = stamp.seconds;
    if (stamp.nanoseconds === 0) delete inode.nanoseconds;
    else inode.nanoseconds = stamp.nanoseconds;
  });
}

const CHMOD: Taken = {
  known: 'R,recursive v,verbose c,changes f,silent,quiet reference= preserve-root no-preserve-root',
  missing: 'h,no-dereference dereference H L P',
};

const octalText = (mode: number) => `${mode.toString(8).padStart(4, '0')} (${permissionText(mode)})`;

function chmod(call: Call): number {
  // a mode such as -x or -rwx is not an option
  const args = call.args.map((arg) => (/^-[rwxXstugo,+=-]+$/.test(arg) && !arg.startsWith('--') ? `a${arg}` : arg));
  const given = call.parse(CHMOD, args);
  const { files } = call;
  const reference = given.last('reference');
  const [mode, ...rest] = reference === undefined ? given.operands : ['', ...given.operands];
  if (mode === undefined || rest.length === 0) return call.fail('missing operand');
  // a mode that began with a sign of its own is subject to the umask
  const text = /^a-/.test(mode) && call.args.includes(mode.slice(1)) ? mode.slice(1) : mode;
  if (reference === undefined && applyMode(text, 0, false, files.umask) === undefined)
    return call.fail(`invalid mode: '${text}'`);
  const model = reference === undefined ? undefined : files.stat(reference).mode;
  const one = (path: string) => {
    const all = given.has('R') ? [...below(path, files.stat(path))] : [{ path, inode: files.stat(path) }];
    for (const { path: at, inode } of all) {
      if (inode.kind === 'symlink') continue;
      files.budget.spend(4);
      const bits = model ?? applyMode(text, inode.mode, inode.kind === 'directory', files.umask)!;
      report(call, given, at, bits !== inode.mode, [
        `mode of '${at}' changed from ${octalText(inode.mode)} to ${octalText(bits)}`,
        `mode of '${at}' retained as ${octalText(bits)}`,
      ]);
      inode.mode = bits;
    }
  };
  return quietly(call, given, rest, one);
}

/** Runs `body` for each operand, without messages when -f is given. */
function quietly(call: Call, given: Given, operands: readonly string[], body: (path: string) => void): number {
  if (!given.has('f')) return each(call, operands, body);
  let status = 0;
  for (const path of operands) {
    if (call.files.find(path, false) === undefined) status = 1;
    else body(path);
  }
  return status;
}

/** Prints what -v and -c ask for. */
function report(call: Call, given: Given, _path: string, changed: boolean, texts: readonly [string, string]): void {
  if (changed ? given.has('v', 'c') : given.has('v')) call.out(`${texts[changed ? 0 : 1]}\n`);
}

const CHOWN: Taken = {
  known:
    'R,recursive h,no-dereference dereference v,verbose c,changes f,silent,quiet H L P from= reference= preserve-root no-preserve-root',
};

function chown(call: Call): number {
  const given = call.parse(CHOWN);
  const { files } = call;
  const reference = given.last('reference');
  const [owner, ...rest] = reference === undefined ? given.operands : ['', ...given.operands];
  if (owner === undefined || rest.length === 0) return call.fail('missing operand');
  const recursive = given.has('R');
  const links = (recursive && !given.has('L', 'H')) || given.has('h');
  const model = reference === undefined ? undefined : files.stat(reference);
  const group = call.name === 'chgrp';
  const ids =
    model !== undefined
      ? group
        ? { gid: model.gid }
        : { uid: model.uid, gid: model.gid }
      : group
        ? { gid: groupId(files, owner) }
        : parseOwner(files, owner);
  const from = given.last('from');
  const required = from === undefined ? undefined : parseOwner(files, from);
  const name = (uid: number, gid: number) =>
    group
      ? groupName(files, gid)
      : `${ids.uid === undefined ? '' : userName(files, uid)}${ids.gid === undefined ? '' : `:${groupName(files, gid)}`}`;
  return quietly(call, given, rest, (path) => {
    const top = files.stat(path, !links);
    for (const { path: at, inode } of recursive ? below(path, top) : [{ path, inode: top }]) {
      files.budget.spend(4);
      if (
        required !== undefined &&
        ((required.uid ?? inode.uid) !== inode.uid || (required.gid ?? inode.gid) !== inode.gid)
      )
        continue;
      const [uid, gid] = [ids.uid ?? inode.uid, ids.gid ?? inode.gid];
      const what = group ? 'group' : 'ownership';
      if (given.has('v', 'c'))
        report(call, given, at, uid !== inode.uid || gid !== inode.gid, [
          `changed ${what} of '${at}' from ${name(inode.uid, inode.gid)} to ${name(uid, gid)}`,
          `${what} of '${at}' retained as ${name(uid, gid)}`,
        ]);
      setOwner(inode, ids);
    }
  });
}

const MKNOD: Taken = { known: 'm,mode= Z context=?' };

function mknod(call: Call): number {
  const given = call.parse(MKNOD);
  const { files } = call;
  if (given.operands.length === 0) return call.fail('missing operand');
  const mode = given.last('m');
  const bits = mode === undefined ? 0o666 & ~files.umask : applyMode(mode, 0o666, false, files.umask);
  if (bits === undefined) return call.fail('invalid mode');
  const fifo = (path: string) => {
    const place = files.place(path);
    if (place.inode !== undefined) throw new FileError('File exists');
    files.put(place, { ...files.meta(0), mode: bits, kind: 'fifo' });
  };
  if (call.name === 'mkfifo') return each(call, given.operands, fifo);
  const [path, type, major, minor, extra] = given.operands;
  const wanted = type === 'p' ? 2 : 4;
  if (given.operands.length !== wanted || extra !== undefined)
    return call.fail(
      given.operands.length < wanted ? `missing operand after '${given.operands.at(-1)}'` : 'extra operand',
    );
  if (type === 'p') return each(call, [path!], fifo);
  const [first, second] = [major, minor].map((text) =>
    /^(0x[0-9a-f]+|[0-9]+)$/i.test(text!) ? Number(text) : Number.NaN,
  ) as [number, number];
  if (!/^[bcu]$/.test(type!)) return call.fail(`invalid device type '${type}'`);
  if (!(first <= 0xfff)) return call.fail(`invalid major device number '${major}'`);
  if (!(second <= 0xfffff)) return call.fail(`invalid minor device number '${minor}'`);
  return each(call, [path!], () => {
    const place = files.place(path!);
    if (place.inode !== undefined) throw new FileError('File exists');
    files.put(place, {
      ...files.meta(0),
      mode: bits,
      kind: type === 'b' ? 'block' : 'char',
      major: first,
      minor: second,
    });
  });
}

const TRUNCATE: Taken = { known: 'c,no-create s,size= r,reference=', missing: 'o,io-blocks' };
const SIZES: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ...{
      '': 1,
      c: 1,
      w: 2,
      b: 512,
      k: 1024,
      K: 1024,
      KiB: 1024,
      kB: 1000,
      KB: 1000,
      M: 1 << 20,
      MiB: 1 << 20,
      MB: 1e6,
      G: 1 << 30,
      GiB: 1 << 30,
      GB: 1e9,
    },
  }),
);

/** A size with a unit; undefined when it is not one. */
function sizeText(text: string): number | undefined {
  const match = /^([0-9]+)([a-zA-Z]*)$/.exec(text);
  const unit = match === null ? undefined : SIZES.get(match[2]!);
  return unit === undefined ? undefined : Number(match![1]) * unit;
}

function truncate(call: Call): number {
  const given = call.parse(TRUNCATE);
  const { files } = call;
  if (given.operands.length === 0) return call.fail('missing file operand');
  const text = given.last('s');
  const reference = given.last('r');
  if (text === undefined && reference === undefined)
    return call.fail("you must specify either '--size' or '--reference'");
  const sign = /^[-+<>/%]/.exec(text ?? '')?.[0] ?? '';
  const size = text === undefined ? files.readInode(files.stat(reference!)).length : sizeText(text.slice(sign.length));
  if (size === undefined) return call.fail(`Invalid number: '${text}'`);
  return each(call, given.operands, (path) => {
    if (given.has('c') && files.find(path) === undefined) return;
    const inode = files.open(path);
    if (inode === undefined) return;
    const old = inode.content.size;
    const to =
      {
        '+': old + size,
        '-': Math.max(0, old - size),
        '<': Math.min(old, size),
        '>': Math.max(old, size),
        '/': Math.floor(old / size) * size,
        '%': Math.ceil(old / size) * size,
      }[sign] ?? size;
    files.budget.length(to, 'a file');
    const before = files.readInode(inode);
    files.budget.write(Math.max(0, to - old));
    files.fill(inode, to <= old ? before.slice(0, to) : before + '\0'.repeat(to - old));
  });
}

/** Operands of `dd` that are understood, and words of conv= that change nothing here. */
const DD = new Set([
  'if',
  'of',
  'bs',
  'ibs',
  'obs',
  'count',
  'skip',
  'seek',
  'iseek',
  'oseek',
  'conv',
  'status',
  'iflag',
  'oflag',
  'cbs',
]);
const DD_WORDS =
  /^(notrunc|fsync|fdatasync|sync|noerror|excl|nocreat|lcase|ucase|swab|sparse|none|noxfer|progress|fullblock|count_bytes|skip_bytes|seek_bytes|append|direct|dsync|nonblock|noctty|nofollow|binary|text)$/;

/** `dd` over files of the tree; the only device it reads is the zero device. */
function dd(call: Call): number {
  const given = new Map<string, string>();
  for (const arg of call.args) {
    const name = arg.split('=')[0]!;
    if (!arg.includes('=') || !DD.has(name)) return call.fail(`unrecognized operand '${arg}'`);
    given.set(name, arg.slice(arg.indexOf('=') + 1));
  }
  const words = ['conv', 'status', 'iflag', 'oflag'].flatMap((name) =>
    (given.get(name) ?? '').split(',').filter((word) => word !== ''),
  );
  for (const word of words) if (!DD_WORDS.test(word)) return call.unsupported(`dd ${word}`);
  const size = (name: string, otherwise: number) => {
    const product = (given.get(name) ?? String(otherwise)).split('x').map((part) => sizeText(part.replace(/B$/, '')));
    return product.every((part) => part !== undefined) ? product.reduce<number>((a, b) => a * b, 1) : Number.NaN;
  };
  const block = given.has('bs') ? size('bs', 512) : undefined;
  const [input, output] = [block ?? size('ibs', 512), block ?? size('obs', 512)];
  const count = given.has('count') ? size('count', 0) * (words.includes('count_bytes') ? 1 : input) : undefined;
  const skip = size(given.has('iseek') ? 'iseek' : 'skip', 0) * (words.includes('skip_bytes') ? 1 : input);
  const seek = size(given.has('oseek') ? 'oseek' : 'seek', 0) * (words.includes('seek_bytes') ? 1 : output);
  if ([input, output, count ?? 0, skip, seek].some(Number.isNaN)) return call.fail('invalid number');
  const from = given.get('if');
  let text: string;
  if (from === '/dev/zero') {
    call.shell.budget.length(count ?? Number.POSITIVE_INFINITY);
    text = '\0'.repeat(count ?? 0);
  } else {
    const stream = call.shell.stream(0);
    text = from === undefined || from === '/dev/stdin' ? (stream?.rest() ?? '') : call.files.read(from);
    if ((from === undefined || from === '/dev/stdin') && stream?.isEndless === true) {
      const most = skip + (count ?? Number.POSITIVE_INFINITY);
      call.shell.budget.length(most, 'the input of a command');
      text = stream.take?.(most) ?? text;
      if (text.length < most) call.shell.budget.length(Number.POSITIVE_INFINITY, 'the input of a command');
    }
    text = text.slice(skip, count === undefined ? undefined : skip + count);
    if (from === undefined) stream?.consume(skip + text.length);
  }
  if (words.includes('lcase')) text = text.toLowerCase();
  if (words.includes('ucase')) text = text.toUpperCase();
  if (words.includes('swab')) text = text.replace(/([\s\S])([\s\S])/g, '$2$1');
  if (words.includes('sync')) text = text.padEnd(Math.ceil(text.length / input) * input, '\0');
  const to = given.get('of');
  if (to === undefined) call.out(text);
  else {
    const before = call.files.find(to) === undefined ? '' : call.files.read(to);
    call.shell.budget.length(seek, 'a file');
    const head = before.slice(0, seek).padEnd(seek, '\0');
    const tail = words.includes('notrunc') && !words.includes('append') ? before.slice(seek + text.length) : '';
    call.files.write(to, (words.includes('append') ? before : head) + text + tail);
  }
  return 0;
}

const NOTHING: Taken = { known: '' };

function unlink(call: Call): number {
  const { operands } = call.parse(NOTHING);
  if (operands.length !== 1)
    return call.fail(operands.length === 0 ? 'missing operand' : `extra operand '${operands[1]}'`);
  return each(call, operands, (path) => call.files.unlink(path));
}

function link(call: Call): number {
  const { operands } = call.parse(NOTHING);
  const [from, to] = operands;
  if (from === undefined || to === undefined) return call.fail('missing operand');
  return each(call, [to], () => {
    const { files } = call;
    const inode = files.stat(from, false);
    if (inode.kind === 'directory') throw new FileError('Operation not permitted');
    const place = files.place(to);
    if (place.inode !== undefined) throw new FileError('File exists');
    files.put(place, inode);
  });
}

/** Commands that create, remove and change files. */
export const FILE_COMMANDS: Readonly<Record<string, Command>> = {
  ...{ chgrp: chown, chmod, chown, dd, link, mkdir, mkfifo: mknod, mknod, rm, rmdir, touch, truncate, unlink },
};
