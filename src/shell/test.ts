import type { Inode } from '../tree/inode.ts';
import type { Call, RunningShell } from './command.ts';
import { isNull, isZero } from './files.ts';
import { STANDARD_FILES, type Stream, ZERO } from './streams.ts';

/** Thrown for an invalid `test` expression: status 2. */
class TestError extends Error {}

const UNARY = new Set('-b -c -d -e -f -g -G -h -k -L -n -O -p -r -s -S -t -u -w -x -z'.split(' '));
const BINARY = new Set('= != < > -eq -ne -lt -le -gt -ge -nt -ot -ef'.split(' '));
const BASH_UNARY = new Set([...UNARY, '-a', '-o', '-v', '-N', '-R']);
const BASH_BINARY = new Set([...BINARY, '==']);

/** `test` and `[`. */
export function testBuiltin(call: Call): number {
  let args = call.args;
  if (call.name === '[') {
    if (args.at(-1) !== ']') return call.fail('missing ]', 2);
    args = args.slice(0, -1);
  }
  try {
    return new Test(call, args).whole() ? 0 : 1;
  } catch (error) {
    if (error instanceof TestError) return call.fail(error.message, 2);
    throw error;
  }
}

class Test {
  readonly #call: Call;
  readonly #args: readonly string[];
  readonly #unaries: ReadonlySet<string>;
  readonly #binaries: ReadonlySet<string>;
  #at = 0;

  constructor(call: Call, args: readonly string[]) {
    this.#call = call;
    this.#args = args;
    const bash = call.shell.dialect !== 'dash';
    this.#unaries = bash ? BASH_UNARY : UNARY;
    this.#binaries = bash ? BASH_BINARY : BINARY;
  }

  whole(): boolean {
    const args = this.#args;
    // POSIX decides by the number of arguments, so that operands may look like operators
    switch (args.length) {
      case 0:
        return false;
      case 1:
        return args[0] !== '';
      case 2:
        if (args[0] === '!') return args[1] === '';
        break;
      case 3:
        if (this.#binaries.has(args[1]!)) return this.#binary(args[0]!, args[1]!, args[2]!);
        if (args[0] === '(' && args[2] === ')') return args[1] !== '';
        break;
      case 4:
        if (args[0] === '!' && this.#binaries.has(args[2]!)) return !this.#binary(args[1]!, args[2]!, args[3]!);
        if (args[0] === '!') return !new Test(this.#call, args.slice(1)).whole();
    }
    const value = this.#or();
    if (this.#at < args.length) throw new TestError(`${args[this.#at]}: unexpected operator`);
    return value;
  }

  #or(): boolean {
    let value = this.#and();
    while (this.#args[this.#at] === '-o') {
      this.#at++;
      const right = this.#and();
      value ||= right;
    }
    return value;
  }

  #and(): boolean {
    let value = this.#not();
    while (this.#args[this.#at] === '-a') {
      this.#at++;
      const right = this.#not();
      value &&= right;
    }
    return value;
  }

  #not(): boolean {
    if (this.#args[this.#at] === '!' && !this.#binaries.has(this.#args[this.#at + 1] ?? '')) {
      this.#at++;
      return this.#call.shell.budget.deeper(() => !this.#not());
    }
    return this.#primary();
  }

  #primary(): boolean {
    const first = this.#args[this.#at++];
    if (first === undefined) throw new TestError('argument expected');
    const second = this.#args[this.#at];
    const third = this.#args[this.#at + 1];
    if (second !== undefined && third !== undefined && this.#binaries.has(second)) {
      this.#at += 2;
      return this.#binary(first, second, third);
    }
    if (first === '(') {
      const value = this.#call.shell.budget.deeper(() => this.#or());
      if (this.#args[this.#at++] !== ')') throw new TestError('closing paren expected');
      return value;
    }
    if (this.#unaries.has(first) && second !== undefined) {
      this.#at++;
      return this.#unary(first, second);
    }
    return first !== '';
  }

  #unary(operator: string, operand: string): boolean {
    const { shell } = this.#call;
    if (shell.dialect !== 'dash' && '-v -o -N -R -a'.includes(operator)) return unaryTest(operator, operand, shell);
    return fileTest(operator, operand, shell);
  }

  #binary(a: string, operator: string, b: string): boolean {
    switch (operator) {
      case '=':
      case '==':
        return a === b;
      case '!=':
        return a !== b;
      case '<':
        return a < b;
      case '>':
        return a > b;
      case '-nt':
      case '-ot':
      case '-ef':
        return compareFiles(a, operator, b, this.#call.shell);
      default: {
        const x = integer(a);
        const y = integer(b);
        switch (operator) {
          case '-eq':
            return x === y;
          case '-ne':
            return x !== y;
          case '-lt':
            return x < y;
          case '-le':
            return x <= y;
          case '-gt':
            return x > y;
          default:
            return x >= y;
        }
      }
    }
  }
}

const OWNED = { uid: 0, gid: 0, mtime: 0 };
/** Devices that are there whatever the tree has. */
const DEVICES: Readonly<Record<string, Inode>> = {
  '/dev/null': { kind: 'char', mode: 0o666, ...OWNED, major: 1, minor: 3 },
  '/dev/zero': { kind: 'char', mode: 0o666, ...OWNED, major: 1, minor: 5 },
};
const PIPE: Inode = { kind: 'fifo', mode: 0o600, ...OWNED };

function newer(a: Inode, b: Inode): boolean {
  return a.mtime > b.mtime || (a.mtime === b.mtime && (a.nanoseconds ?? 0) > (b.nanoseconds ?? 0));
}

function integer(text: string): bigint {
  const trimmed = text.trim();
  if (!/^[-+]?[0-9]+$/.test(trimmed)) throw new TestError(`Illegal number: ${text}`);
  const digits = trimmed.replace('+', '').replace(/^(-?)0+(?=[0-9])/, '$1');
  // both shells read a signed number of 64 bits, and say so of a longer one; millions of digits would take long to convert
  const value = digits.length > 20 ? undefined : BigInt(digits);
  if (value === undefined || BigInt.asIntN(64, value) !== value) throw new TestError(`${text}: out of range`);
  return value;
}

/** Whether an ordinary user's bits allow it: 4 to read, 2 to write, 1 to execute or search. */
function allowed(inode: Inode, { uid, gid }: { readonly uid: number; readonly gid: number }, right: number): boolean {
  const shift = inode.uid === uid ? 6 : inode.gid === gid ? 3 : 0;
  return ((inode.mode >> shift) & right) !== 0;
}

/** A test of one string or file, except those that only bash has. */
export function fileTest(operator: string, operand: string, shell: RunningShell): boolean {
  if (operator === '-n') return operand !== '';
  if (operator === '-z') return operand === '';
  if (operator === '-t') return false;
  const link = operator === '-h' || operator === '-L';
  const descriptor = descriptorOf(operand);
  if (descriptor !== undefined) {
    if (link) return shell.stream(descriptor) !== undefined;
    return streamTest(operator, shell.stream(descriptor), shell);
  }
  const device = Object.hasOwn(DEVICES, operand) ? DEVICES[operand] : undefined;
  if (device !== undefined) return inodeTest(operator, device, shell);
  return inodeTest(operator, shell.files.find(operand, !link), shell);
}

/** The number of a descriptor that a path names. */
function descriptorOf(path: string): number | undefined {
  const number = /^\/(?:dev|proc\/self)\/fd\/([0-9]{1,4})$/.exec(path)?.[1];
  return number === undefined ? STANDARD_FILES.get(path) : Number(number);
}

/** A test of what a descriptor reads or writes. */
function streamTest(operator: string, stream: Stream | undefined, shell: RunningShell): boolean {
  if (stream === undefined) return false;
  if (stream.inode !== undefined) return inodeTest(operator, stream.inode, shell);
  if (stream.isNull === true) return inodeTest(operator, DEVICES['/dev/null'], shell);
  if (stream === ZERO) return inodeTest(operator, DEVICES['/dev/zero'], shell);
  return inodeTest(operator, PIPE, shell);
}

/** A test of a file by its attributes. */
function inodeTest(operator: string, inode: Inode | undefined, shell: RunningShell): boolean {
  const { files } = shell;
  if (inode === undefined) return false;
  switch (operator) {
    case '-b':
      return inode.kind === 'block';
    case '-c':
      return inode.kind === 'char';
    case '-d':
      return inode.kind === 'directory';
    case '-f':
      return inode.kind === 'file';
    case '-h':
    case '-L':
      return inode.kind === 'symlink';
    case '-p':
      return inode.kind === 'fifo';
    case '-S':
      return inode.kind === 'socket';
    case '-s':
      return inode.kind === 'file' ? inode.content.size > 0 : inode.kind === 'directory';
    case '-u':
      return (inode.mode & 0o4000) !== 0;
    case '-g':
      return (inode.mode & 0o2000) !== 0;
    case '-k':
      return (inode.mode & 0o1000) !== 0;
    case '-O':
      return inode.uid === files.owner.uid;
    case '-G':
      return inode.gid === files.owner.gid;
    case '-x':
      // root may search any directory, and execute a file that has any execute bit
      return files.owner.uid === 0
        ? inode.kind === 'directory' || (inode.mode & 0o111) !== 0
        : allowed(inode, files.owner, 1);
    case '-r':
    case '-w':
      if (inode.kind === 'char' && !isNull(inode) && !isZero(inode)) return false;
      return files.owner.uid === 0 || allowed(inode, files.owner, operator === '-r' ? 4 : 2);
    default:
      return true;
  }
}

/** `-nt`, `-ot` and `-ef`. */
export function compareFiles(a: string, operator: string, b: string, shell: RunningShell): boolean {
  const left = shell.files.find(a);
  const right = shell.files.find(b);
  if (operator === '-ef') return left !== undefined && left === right;
  // for bash a file is newer than a missing one; for dash a missing file is neither older nor newer
  if (left === undefined || right === undefined)
    return shell.dialect !== 'dash' && (operator === '-nt' ? left : right) !== undefined;
  return operator === '-nt' ? newer(left, right) : newer(right, left);
}

/** A unary test of bash, which has a few more than dash. */
export function unaryTest(operator: string, operand: string, shell: RunningShell): boolean {
  switch (operator) {
    case '-n':
      return operand !== '';
    case '-z':
      return operand === '';
    case '-v': {
      const element = /^([A-Za-z_]\w*)\[([\s\S]*)\]$/.exec(operand);
      if (element === null) return shell.get(operand) !== undefined;
      if (element[2] === '@' || element[2] === '*') return shell.elements(element[1]!).length > 0;
      return shell.element(element[1]!, element[2]!) !== undefined;
    }
    case '-R':
      return shell.attributes(operand).includes('n');
    case '-o':
      return shell.optionNamed(operand);
    case '-N':
      return false;
    case '-a':
      return fileTest('-e', operand, shell);
    default:
      return fileTest(operator, operand, shell);
  }
}
