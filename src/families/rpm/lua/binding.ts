import { lauxlib, lua, to_luastring } from 'fengari';
import { sha256 } from '../../../bytes/digest.ts';
import { BuildError } from '../../../errors/error.ts';
import type { Files } from '../../../shell/files.ts';
import { runScriptlet, type ScriptletContext } from '../../../system/scriptlet.ts';
import type { UnfollowedLine } from '../../../system/scripts.ts';
import type { Inode } from '../../../tree/inode.ts';
import type { Tree } from '../../../tree/tree.ts';

/** A state of the interpreter; the library has no types of its own. */
export type LuaState = object;

/** As a result: the first argument itself, such as the file that a method belongs to. */
export const SELF = Symbol('the first argument');

/** A value that Lua gets or gives; byte strings are one character per byte. */
export type LuaValue =
  | undefined
  | boolean
  | number
  | string
  | typeof SELF
  | readonly LuaValue[]
  | { readonly [key: string]: LuaValue }
  | Handle
  | LuaFunction;
/** A function of ours for Lua: arguments in, any number of results out. */
export type LuaFunction = (args: readonly LuaValue[]) => readonly LuaValue[];

/** A file or a pipe that a script has open: a value of its own kind, with methods. */
export class Handle {
  readonly methods: Readonly<Record<string, LuaFunction>>;
  closed = false;

  constructor(methods: Readonly<Record<string, LuaFunction>>) {
    this.methods = methods;
  }
}

/** `os.exit` and `posix.exec` end a child process: they unwind everything. */
export class LuaExit extends Error {
  readonly status: number;

  constructor(status: number) {
    super('the end of a child process');
    this.status = status;
  }
}

/** An error that a call raises in the script. */
export class LuaError extends Error {}

/** What a call of ours gave: results, or the message of an error. */
type Recorded = readonly LuaValue[] | { readonly error: string };

/** The functions that only change what the interpreter itself keeps: a child process calls them again. */
const repeated = new WeakSet<LuaFunction>();

/** Marks a function that touches neither the tree nor a process, such as one that sets a variable of the environment. */
export function onOwnState(fn: LuaFunction): LuaFunction {
  repeated.add(fn);
  return fn;
}

/** A process that a script forks: how far its parent had come. */
export interface Forked {
  readonly results: readonly Recorded[];
  readonly used: number;
  /** Processes above it. */
  readonly depth: number;
}

/** Most processes above one another; a script has one. */
const DEEPEST = 8;
/** What a process costs: an interpreter, and all calls of its parent once more. */
const PROCESS = 2000;

/** What a command line costs besides its own steps: a shell. */
const SHELL = 500;
/** How deep tables may stand in tables that are given to our functions, and how many elements of each are taken. */
const TABLES_MAX = 2;
const ROWS_MAX = 1000;

/** Instructions of the virtual machine that one script may use; rpm's own scripts need some thousands. */
const INSTRUCTIONS_MAX = 2_000_000;

/** What a script is told that has used them up. */
export const TOO_MANY = 'too many instructions';

/** Longest string that our own functions make. */
export const STRING_MAX = 16 << 20;

/** Values and functions between Lua and the tree. */
export class Binding {
  readonly L: LuaState;
  readonly context: ScriptletContext;
  readonly input: string;
  readonly unfollowed: UnfollowedLine[] = [];
  /** The environment, which the script may change. */
  readonly environment: Record<string, string>;
  /** Called when the script has ended: files that it left open are written. */
  readonly atEnd = new Set<() => unknown>();
  exit: number | undefined;
  /** Lets every further instruction fail, also those of a script that catches errors. */
  stop: (L: LuaState) => void = () => {};
  /** The tree as the process sees it; set when its libraries are made. */
  files!: Files;
  /** Runs the script in a child process, up to its end. */
  child: (forked: Forked) => { readonly binding: Binding; readonly fault: UnfollowedLine | undefined } = () => ({
    binding: this,
    fault: undefined,
  });
  /** Processes that were not waited for. */
  readonly children: number[] = [];
  private processes = 1;
  private readonly floating = new WeakSet<LuaFunction>();
  /** Results of calls so far, with which a child process gets to where its parent is. */
  private readonly results: Recorded[] = [];
  private readonly forked: Forked | undefined;
  /** Whether results are kept: only scripts that have the word can fork. */
  private readonly forks: boolean;
  /** Work done so far, in instructions. */
  used = 0;
  readonly title: string;

  constructor(
    L: LuaState,
    script: { readonly title: string; readonly text: string; readonly input: string },
    context: ScriptletContext,
    forked?: Forked,
  ) {
    this.L = L;
    this.forked = forked;
    this.forks = script.text.includes('fork');
    this.used = forked?.used ?? 0;
    this.title = script.title;
    this.input = script.input;
    this.context = context;
    // without a prototype: a script may ask for a variable of any name
    this.environment = Object.assign(Object.create(null), context.environment);
  }

  get tree(): Tree {
    return this.context.tree;
  }

  /** True in a child process: only there a script may end, or become another program. */
  get isChild(): boolean {
    return this.forked !== undefined;
  }

  /**
   * `fork`: the number of a child process, which has run to its end by then; 0 in the child itself. A script cannot be
   * copied, so the child is the script from its start, whose calls have the results that they had in the parent.
   */
  fork(): readonly LuaValue[] {
    const depth = (this.forked?.depth ?? 0) + 1;
    this.charge(PROCESS);
    if (depth > DEEPEST || this.exhausted) return [undefined, 'Resource temporarily unavailable', 11];
    const { binding: child, fault } = this.child({ results: [...this.results], used: this.used, depth });
    this.used = child.used;
    this.unfollowed.push(...child.unfollowed);
    // the parent goes on, as in rpm, which writes the error
    if (fault !== undefined) this.unfollowed.push(fault);
    this.children.push(++this.processes);
    return [this.processes];
  }

  /** Whether there is a shell for `os.execute` and `io.popen`. */
  get hasShell(): boolean {
    return this.files.find('/bin/sh')?.kind === 'file';
  }

  /** The path of a program, which is looked up in PATH as the C library does; or why there is none. */
  program(name: string): string | { readonly reason: string } {
    if (name.includes('/')) {
      const inode = this.files.find(name);
      if (inode === undefined) return { reason: 'No such file or directory' };
      return isProgram(inode) ? this.files.absolute(name) : { reason: 'Permission denied' };
    }
    let reason = 'No such file or directory';
    for (const folder of name === '' ? [] : (this.environment['PATH'] ?? '/bin:/usr/bin').split(':')) {
      const path = this.files.absolute(`${folder || '.'}/${name}`);
      const inode = this.files.find(path);
      if (inode !== undefined && isProgram(inode)) return path;
      if (inode !== undefined) reason = 'Permission denied';
    }
    return { reason };
  }

  /** Counts work: instructions, and what our own functions do, in instructions that would take as long. */
  charge(instructions: number): void {
    this.used += instructions;
  }

  /** True when the script has used up its instructions. */
  get exhausted(): boolean {
    return this.used > INSTRUCTIONS_MAX;
  }

  /** Rejects a string that is too long, while it is made. */
  checkString(size: number): void {
    if (size > STRING_MAX)
      throw new BuildError('SCRIPT_OUTPUT', { script: this.title, what: 'a string', limit: STRING_MAX });
  }

  /**
   * Makes a global table of functions and constants, or adds to one that is there. `floats`: numbers that its functions give
   * are floats, and are written so (`0.0`).
   */
  table(name: string, members: Readonly<Record<string, LuaValue>>, floats = false): void {
    const { L } = this;
    if (floats) for (const one of Object.values(members)) if (typeof one === 'function') this.floating.add(one);
    if (lua.lua_getglobal(L, to_luastring(name)) !== lua.LUA_TTABLE) {
      lua.lua_pop(L, 1);
      lua.lua_newtable(L);
    }
    for (const [key, value] of Object.entries(members)) {
      this.push(value);
      lua.lua_setfield(L, -2, to_luastring(key));
    }
    lua.lua_setglobal(L, to_luastring(name));
  }

  /** Makes one global. */
  global(name: string, value: LuaValue): void {
    this.push(value);
    lua.lua_setglobal(this.L, to_luastring(name));
  }

  push(value: LuaValue, L: LuaState = this.L, floats = false): void {
    if (value === undefined) lua.lua_pushnil(L);
    else if (typeof value === 'boolean') lua.lua_pushboolean(L, value);
    else if (typeof value === 'number')
      if (!floats && Number.isInteger(value) && Math.abs(value) < 2 ** 31) lua.lua_pushinteger(L, value);
      else lua.lua_pushnumber(L, value);
    else if (typeof value === 'string')
      lua.lua_pushlstring(L, new Uint8Array(Buffer.from(value, 'latin1')), value.length);
    else if (value === SELF) lua.lua_pushnil(L);
    else if (value instanceof Handle) this.pushHandle(value, L);
    else if (typeof value === 'function') lua.lua_pushcfunction(L, (state: LuaState) => this.call(state, value));
    else {
      lua.lua_newtable(L);
      const rows = Array.isArray(value) ? value.map((one, i) => [i + 1, one] as const) : Object.entries(value);
      for (const [key, one] of rows) {
        this.push(/^[0-9]+$/.test(String(key)) ? Number(key) : key, L);
        this.push(one as LuaValue, L, floats);
        lua.lua_rawset(L, -3);
      }
    }
  }

  /** Pushes what Lua sees of an open file: the same value each time. */
  private pushHandle(handle: Handle, L: LuaState): void {
    if (lua.lua_rawgetp(L, lua.LUA_REGISTRYINDEX, handle) !== lua.LUA_TNIL) return;
    lua.lua_pop(L, 1);
    lua.lua_newuserdata(L, 0)['handle'] = handle;
    const name: LuaFunction = () => [handle.closed ? 'file (closed)' : 'file (open)'];
    this.push({ __index: handle.methods, __tostring: name, __name: 'FILE*' }, L);
    lua.lua_setmetatable(L, -2);
    lua.lua_pushvalue(L, -1);
    lua.lua_rawsetp(L, lua.LUA_REGISTRYINDEX, handle);
  }

  private call(L: LuaState, fn: LuaFunction): number {
    const args: LuaValue[] = [];
    for (let at = 1; at <= lua.lua_gettop(L); at++) args.push(this.valueAt(L, at));
    let result: Recorded;
    try {
      // the machine counts from time to time only, and one of these calls may do as much work as a whole script
      if (this.exhausted) {
        this.stop(L);
        result = { error: TOO_MANY };
      } else result = repeated.has(fn) ? attempted(fn, args) : this.recorded(fn, args);
    } catch (error) {
      if (!(error instanceof LuaExit)) throw error;
      this.exit = error.status;
      this.stop(L);
      result = { error: error.message };
    }
    if ('error' in result) return lauxlib.luaL_error(L, to_luastring(result.error.replaceAll('%', '%%')));
    const floats = this.floating.has(fn);
    this.charge(sizeOf(args) + sizeOf(result));
    for (const one of result)
      if (one === SELF) lua.lua_pushvalue(L, 1);
      else this.push(one, L, floats);
    return result.length;
  }

  /** Calls a function, or gives what it gave in the parent before it forked. */
  private recorded(fn: LuaFunction, args: readonly LuaValue[]): Recorded {
    if (!this.forks) return attempted(fn, args);
    const before = this.forked?.results ?? [];
    let result = before[this.results.length];
    // the first call that the parent has no result of is the one that made this process
    if (result === undefined && this.forked !== undefined && this.results.length === before.length) result = [0];
    result ??= attempted(fn, args);
    this.results.push(result);
    return result;
  }

  private valueAt(L: LuaState, at: number, depth = 0): LuaValue {
    switch (lua.lua_type(L, at)) {
      case lua.LUA_TBOOLEAN:
        return lua.lua_toboolean(L, at);
      case lua.LUA_TNUMBER:
        return lua.lua_tonumber(L, at);
      case lua.LUA_TSTRING:
        return textAt(L, at);
      case lua.LUA_TTABLE: {
        // a table may hold itself; none of ours needs more
        if (depth === TABLES_MAX) return undefined;
        lauxlib.luaL_checkstack(L, 4, to_luastring('too many values'));
        const list: LuaValue[] = [];
        const named: Record<string, LuaValue> = Object.create(null);
        const length = Math.min(lua.lua_rawlen(L, at), ROWS_MAX);
        for (let i = 1; i <= length; i++) {
          lua.lua_rawgeti(L, at, i);
          list.push(this.valueAt(L, lua.lua_gettop(L), depth + 1));
          lua.lua_pop(L, 1);
        }
        if (length > 0) return list;
        let rows = 0;
        lua.lua_pushnil(L);
        while (lua.lua_next(L, at)) {
          const value = this.valueAt(L, lua.lua_gettop(L), depth + 1);
          lua.lua_pop(L, 1);
          if (lua.lua_type(L, -1) === lua.LUA_TSTRING && rows++ < ROWS_MAX) named[textAt(L, -1)] = value;
        }
        return rows === 0 ? list : named;
      }
      case lua.LUA_TUSERDATA: {
        const { handle } = lua.lua_touserdata(L, at) ?? {};
        return handle instanceof Handle ? handle : undefined;
      }
      default:
        return undefined;
    }
  }

  /** Line of the script that is running now. */
  line(): number {
    lauxlib.luaL_where(this.L, 1);
    const where = lua.lua_tostring(this.L, -1);
    lua.lua_pop(this.L, 1);
    const text = where === null ? '' : Buffer.from(where).toString('latin1');
    return Number(/:(\d+):/.exec(text)?.[1] ?? 0);
  }

  /** Notes that something was not done. */
  skip(source: string, reason: string): void {
    this.unfollowed.push({ line: this.line(), source, reason });
  }

  /** Runs a command line in the shell of the guest; its status. */
  shell(line: string): number {
    return this.capture(line)[0];
  }

  /** Runs a command line in the shell of the guest; its status and what it wrote. */
  capture(line: string, input = ''): [status: number, output: string] {
    const { cwd, umask } = this.files;
    const context = { ...this.context, environment: this.environment };
    const before = `cd ${commandLine([cwd])} && umask ${umask.toString(8)}`;
    const text = cwd === '/' && umask === 0o022 ? line : `${before}\n${line}`;
    const result = runScriptlet({ title: this.title, text, args: [], input }, context);
    this.charge(SHELL + result.steps);
    const { outcome } = result;
    const at = this.line();
    if ('lines' in outcome) for (const one of outcome.lines) this.unfollowed.push({ ...one, line: at });
    if (result.error !== undefined)
      this.unfollowed.push({ line: at, source: line, reason: result.error.message.replace(/^[^:]*: /, '') });
    return [result.status, result.stdout];
  }

  /** A number for file systems to tell inodes apart by: the same for the same path in every build. */
  inodeOf(path: string): number {
    return Number.parseInt(sha256(path).slice(0, 7), 16);
  }
}

/** What a call works through, in instructions that would take as long. */
function sizeOf(values: readonly LuaValue[]): number {
  let size = 0;
  for (const one of values)
    if (typeof one === 'string') size += one.length / 64;
    else if (Array.isArray(one)) size += one.length;
  return size;
}

/** The bytes of a string as a byte string. */
function textAt(L: LuaState, at: number): string {
  return Buffer.from(lua.lua_tostring(L, at) as Uint8Array).toString('latin1');
}

/** True for a file that may be run. */
function isProgram({ kind, mode }: Inode): boolean {
  return kind === 'file' && (mode & 0o111) !== 0;
}

/** What a function gives; errors of ours are errors of the script. */
function attempted(fn: LuaFunction, args: readonly LuaValue[]): Recorded {
  try {
    return fn(args);
  } catch (error) {
    if (!(error instanceof BuildError || error instanceof LuaError)) throw error;
    return { error: error.message };
  }
}

/** A command line of these words. */
export function commandLine(words: readonly LuaValue[]): string {
  return words.map((word) => `'${String(word ?? '').replaceAll("'", `'\\''`)}'`).join(' ');
}

/** The text of an argument; numbers become text as in Lua. */
export function text(value: LuaValue): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}
