/**
 * File operations that fail on demand: `node:fs` with every operation that the program uses wrapped, in this thread and,
 * when this module is loaded first (`--import`), in all threads. An operation is identified by its place in the program,
 * so that a test can let each place fail once and does not depend on the number of operations of a run.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/** What fails, or what is recorded. */
export interface FailurePlan {
  /** Only paths below it count, and files that were opened below it. */
  readonly folder: string;
  /** File to which each place of an operation is appended, as `NAME PLACE`. */
  readonly record?: string;
  readonly fault?: {
    readonly operation: string;
    readonly place: string;
    /** ENOSPC, EIO, … */
    readonly code: string;
    /** Let the first so many calls pass. */
    readonly after?: number;
    /** Fail at every later call too. */
    readonly lasting?: boolean;
  };
  /** Calls at that place, and failures: two counters that all threads share. */
  readonly counters: Int32Array;
}

/** Every operation that can fail, with the name of its system call. */
export const OPERATIONS: Readonly<Record<string, string>> = {
  accessSync: 'access',
  appendFileSync: 'write',
  chmodSync: 'chmod',
  closeSync: 'close',
  fchmodSync: 'fchmod',
  fdatasync: 'fdatasync',
  fstatSync: 'fstat',
  fsync: 'fsync',
  fsyncSync: 'fsync',
  ftruncateSync: 'ftruncate',
  lchownSync: 'lchown',
  linkSync: 'link',
  lstatSync: 'lstat',
  lutimesSync: 'lutime',
  mkdirSync: 'mkdir',
  mkdtempSync: 'mkdtemp',
  openSync: 'open',
  readdirSync: 'scandir',
  readFileSync: 'read',
  readlinkSync: 'readlink',
  readSync: 'read',
  realpathSync: 'lstat',
  renameSync: 'rename',
  rmSync: 'rm',
  statfsSync: 'statfs',
  statSync: 'stat',
  symlinkSync: 'symlink',
  writeFileSync: 'write',
  writeSync: 'write',
};

const KEY = 'osbuilder test: failing files';

type Operation = (...args: unknown[]) => unknown;
const original = { ...fs } as unknown as Record<string, Operation>;
// nothing here outlives the machine, and waiting for the disk would be most of the time
original['fsyncSync'] = () => {};
const CALLBACK: ReadonlySet<string> = new Set(['fsync', 'fdatasync']);
for (const name of CALLBACK) original[name] = (_, done) => void setImmediate(done as () => void);
let plan = getEnvironmentData(KEY) as unknown as FailurePlan | undefined;
const opened = new Set<number>();

/** Follows another plan from now on, in threads that start later, too. */
export function follow(next: FailurePlan | undefined): void {
  plan = next;
  setEnvironmentData(KEY, next);
}

/** The place of a call: the innermost functions of the program, without the tests. */
function placeOfCall(): string {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 30;
  const { stack = '' } = new Error();
  Error.stackTraceLimit = before;
  const frames = [...stack.matchAll(/\/src\/([a-z0-9/-]+)\.[jt]s:(\d+)/g)].map(([, file, line]) => `${file}:${line}`);
  return frames.slice(0, 2).join('<');
}

function counts(name: string, first: unknown): boolean {
  if (plan === undefined) return false;
  if (typeof first === 'number') return opened.has(first);
  const path = Buffer.isBuffer(first) ? first.toString('latin1') : String(first);
  // what is named by a URL is code that Node 26 loads
  if (path.startsWith('file:')) return false;
  if (name === 'symlinkSync') return true;
  const handle = /^\/proc\/self\/fd\/(\d+)/.exec(path);
  if (handle !== null) return opened.has(Number(handle[1]));
  return path.startsWith('/') ? path.startsWith(plan.folder) : process.cwd().startsWith(plan.folder);
}

function failure(name: string, code: string, first: unknown): Error {
  const syscall = OPERATIONS[name]!;
  const errno = -(constants.errno as Record<string, number>)[code]!;
  const path = typeof first === 'number' ? {} : { path: String(first) };
  return Object.assign(new Error(`${code}: made to fail, ${syscall}`), { errno, code, syscall, ...path });
}

function note(record: string, line: string): void {
  const current = plan;
  // Node's function calls others of this module
  plan = undefined;
  original['appendFileSync']!(record, line);
  plan = current;
}

/** The error that a call must end with, if it must. */
function faultOf(name: string, first: unknown): Error | undefined {
  if (!counts(name, first)) return undefined;
  const { record, fault, counters } = plan!;
  if (record === undefined && fault?.operation !== name) return undefined;
  const place = placeOfCall();
  if (place === '') return undefined;
  if (record !== undefined) note(record, `${name} ${place}\n`);
  if (fault === undefined || fault.operation !== name || fault.place !== place) return undefined;
  const call = Atomics.add(counters, 0, 1);
  const after = fault.after ?? 0;
  if (call < after || (call > after && !fault.lasting)) return undefined;
  Atomics.add(counters, 1, 1);
  return failure(name, fault.code, first);
}

for (const name of Object.keys(OPERATIONS)) {
  const operation = original[name]!;
  (fs as unknown as Record<string, Operation>)[name] = (...args) => {
    const error = faultOf(name, args[0]);
    if (name === 'closeSync') opened.delete(args[0] as number);
    if (error !== undefined) {
      // the kernel frees a handle even when closing it reports an error
      if (name === 'closeSync') operation(...args);
      if (!CALLBACK.has(name)) throw error;
      setImmediate(() => (args[1] as (error: Error) => void)(error));
      return undefined;
    }
    const current = plan;
    // it calls others of this module
    if (name === 'rmSync') plan = undefined;
    let result: unknown;
    try {
      result = operation(...args);
    } finally {
      plan = current;
    }
    if (name === 'openSync' && counts(name, args[0])) opened.add(result as number);
    return result;
  };
}
syncBuiltinESMExports();
