import { lauxlib, lua, to_luastring } from 'fengari';
import { sha256 } from '../../../bytes/digest.ts';
import { BuildError } from '../../../errors/error.ts';
import { runScriptlet, type ScriptletContext } from '../../../system/scriptlet.ts';
import type { UnfollowedLine } from '../../../system/scripts.ts';
import type { Tree } from '../../../tree/tree.ts';

/** A state of the interpreter; the library has no types of its own. */
export type LuaState = object;

/** A value that Lua gets or gives; byte strings are one character per byte. */
export type LuaValue =
  | undefined
  | boolean
  | number
  | string
  | readonly LuaValue[]
  | { readonly [key: string]: LuaValue }
  | LuaFunction;
/** A function of ours for Lua: arguments in, any number of results out. */
export type LuaFunction = (args: readonly LuaValue[]) => readonly LuaValue[];

/** `os.exit` unwinds everything. */
export class LuaExit extends Error {
  readonly status: number;

  constructor(status: number) {
    super('os.exit');
    this.status = status;
  }
}

/** Instructions of the virtual machine that one script may use; rpm's own scripts need some thousands. */
const INSTRUCTIONS_MAX = 2_000_000;

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
  /** Work done so far, in instructions. */
  used = 0;
  readonly title: string;

  constructor(L: LuaState, script: { readonly title: string; readonly input: string }, context: ScriptletContext) {
    this.L = L;
    this.title = script.title;
    this.input = script.input;
    this.context = context;
    // without a prototype: a script may ask for a variable of any name
    this.environment = Object.assign(Object.create(null), context.environment);
  }

  get tree(): Tree {
    return this.context.tree;
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

  /** Makes a global table of functions and constants, or adds to one that is there. */
  table(name: string, members: Readonly<Record<string, LuaValue>>): void {
    const { L } = this;
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

  push(value: LuaValue, L: LuaState = this.L): void {
    if (value === undefined) lua.lua_pushnil(L);
    else if (typeof value === 'boolean') lua.lua_pushboolean(L, value);
    else if (typeof value === 'number')
      if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) lua.lua_pushinteger(L, value);
      else lua.lua_pushnumber(L, value);
    else if (typeof value === 'string')
      lua.lua_pushlstring(L, new Uint8Array(Buffer.from(value, 'latin1')), value.length);
    else if (typeof value === 'function') lua.lua_pushcfunction(L, (state: LuaState) => this.call(state, value));
    else {
      lua.lua_newtable(L);
      const rows = Array.isArray(value) ? value.map((one, i) => [i + 1, one] as const) : Object.entries(value);
      for (const [key, one] of rows) {
        this.push(key, L);
        this.push(one as LuaValue, L);
        lua.lua_rawset(L, -3);
      }
    }
  }

  private call(L: LuaState, fn: LuaFunction): number {
    const args: LuaValue[] = [];
    for (let at = 1; at <= lua.lua_gettop(L); at++) args.push(this.valueAt(L, at));
    let results: readonly LuaValue[];
    try {
      results = fn(args);
    } catch (error) {
      if (error instanceof LuaExit) {
        this.exit = error.status;
        return lauxlib.luaL_error(L, to_luastring('os.exit'));
      }
      if (!(error instanceof BuildError)) throw error;
      return lauxlib.luaL_error(L, to_luastring(error.message.replaceAll('%', '%%')));
    }
    for (const one of results) this.push(one, L);
    return results.length;
  }

  private valueAt(L: LuaState, at: number): LuaValue {
    switch (lua.lua_type(L, at)) {
      case lua.LUA_TBOOLEAN:
        return lua.lua_toboolean(L, at);
      case lua.LUA_TNUMBER:
        return lua.lua_tonumber(L, at);
      case lua.LUA_TSTRING:
        return Buffer.from(lua.lua_tostring(L, at) as Uint8Array).toString('latin1');
      case lua.LUA_TTABLE: {
        const list: LuaValue[] = [];
        for (let i = 1; i <= 1000 && lua.lua_rawgeti(L, at, i) !== lua.LUA_TNIL; i++) {
          list.push(this.valueAt(L, -1));
          lua.lua_pop(L, 1);
        }
        lua.lua_settop(L, Math.max(at, lua.lua_gettop(L) - 1));
        return list;
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
    const context = { ...this.context, environment: this.environment };
    const result = runScriptlet({ title: this.title, text: line, args: [], input }, context);
    const { outcome } = result;
    const at = this.line();
    if ('lines' in outcome) for (const one of outcome.lines) this.unfollowed.push({ ...one, line: at });
    return [result.status, result.stdout];
  }

  /** A number for file systems to tell inodes apart by: the same for the same path in every build. */
  inodeOf(path: string): number {
    return Number.parseInt(sha256(path).slice(0, 7), 16);
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
