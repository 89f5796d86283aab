import { lauxlib, lua, lualib, to_jsstring, to_luastring } from 'fengari';
import lobject from 'fengari/src/lobject.js';
import { BuildError } from '../../../errors/error.ts';
import { Budget, LIMITS } from '../../../shell/limits.ts';
import type { ScriptletContext } from '../../../system/scriptlet.ts';
import type { LeftOut, Outcome, UnfollowedLine } from '../../../system/scripts.ts';
import {
  Binding,
  type Forked,
  type LuaFunction,
  type LuaState,
  STRING_MAX,
  TOO_MANY,
  text as textOf,
} from './binding.ts';
import { fileFunctions, type Shared } from './files.ts';
import { StandardStreams } from './handles.ts';
import { rpmFunctions } from './rpm.ts';
import { countLibraries, patternFunctions } from './strings.ts';

/** A Lua script of a package. */
export interface LuaScript {
  /** `filesystem.pretrans`, for messages. */
  readonly title: string;
  /** Byte string. */
  readonly text: string;
  readonly args: readonly string[];
  /** Standard input: the paths of a file trigger. */
  readonly input: string;
}

/** Steps for work on paths, besides the instructions: a script looks up some hundreds. */
const STEPS_MAX = 1_000_000;
const HOOK_EVERY = 1000;

// `..` doubles a string in one instruction: 30 of them would fill the memory. It asks for the length of each part first
const { prototype } = lobject.TValue;
/** The script that runs now; the library has one class of values for all of them. */
let running: Binding | undefined;
/** What was too long in it. */
let overflow: string | undefined;
/** The longest message of an error that is shown; a script may raise any string. */
const MESSAGE_MAX = 4096;
/** Bytes that are copied in the time of an instruction. */
const COPIED = 64;
const lengthOf = prototype.vslen;
prototype.vslen = function length(this: object): number {
  const found = lengthOf.call(this);
  if (found > STRING_MAX) {
    overflow = `a string of ${found} bytes, ${STRING_MAX} are the limit`;
    throw new RangeError(overflow);
  }
  // each part is copied
  running?.charge(found / COPIED);
  return found;
};

/**
 * Follows a script in Lua, which rpm runs by itself, with the libraries that rpm gives it (`posix`, `rpm`, parts of `io` and
 * `os`) over the tree. It reaches nothing else: no module can be loaded, and programs are those of the shell. It is stopped
 * after a number of instructions, with all processes that it forks.
 */
export function runLua(script: LuaScript, context: ScriptletContext, leftOut: readonly LeftOut[]): Outcome {
  const { binding, fault } = execute(script, context, {
    budget: new Budget(script.title, { ...LIMITS, steps: STEPS_MAX }),
    streams: new StandardStreams(script.input),
  });
  const lines: readonly UnfollowedLine[] = binding.unfollowed;
  if (fault === undefined)
    return lines.length === 0 ? { kind: 'whole', by: 'interpreter', leftOut } : { kind: 'partial', lines, leftOut };
  const { line, reason } = faultOf(fault, script);
  return {
    ...{ kind: 'failed', status: 1, reason, lines, leftOut },
    ...(line === undefined ? {} : { line }),
  };
}

/** The line and the text of the message of an error. */
function faultOf(fault: string, { title }: LuaScript): { readonly line: number | undefined; readonly reason: string } {
  const own = fault.startsWith(`${title}:`) ? fault.slice(title.length) : fault;
  const [, line, rest = own] = /^:(\d+): ([\s\S]*)$/.exec(own) ?? [];
  return { line: line === undefined ? undefined : Number(line), reason: rest.split('\n', 1)[0]!.slice(0, 300) };
}

/** Runs a script, or goes on with it in a child process, to its end. `fault`: the message of the error that ended it. */
function execute(
  script: LuaScript,
  context: ScriptletContext,
  shared: Shared,
  forked?: Forked,
): { readonly binding: Binding; readonly fault: string | undefined } {
  const L = lauxlib.luaL_newstate();
  openLibraries(L);
  const binding = new Binding(L, script, context, forked);
  binding.child = (parent) => {
    const { binding: child, fault } = execute(script, context, shared, parent);
    if (fault === undefined) return { binding: child, fault };
    const { line = 0, reason } = faultOf(fault, script);
    return { binding: child, fault: { line, source: '', reason: `a child process ended with an error: ${reason}` } };
  };
  countLibraries(binding);
  patternFunctions(binding);
  fileFunctions(binding, shared);
  rpmFunctions(binding);
  binding.table('string', { rep: repeating(binding) });
  binding.global('opt', []);
  // arg[1] is the interpreter; the script's own arguments follow
  lua.lua_newtable(L);
  for (const [i, value] of ['<lua>', ...script.args].entries()) {
    lua.lua_pushliteral(L, value);
    lua.lua_rawseti(L, -2, i + 1);
  }
  lua.lua_setglobal(L, to_luastring('arg'));
  const hook = (state: LuaState) => {
    binding.charge(HOOK_EVERY);
    const ended = binding.exit !== undefined;
    if (!ended && !binding.exhausted) return;
    binding.stop(state);
    lauxlib.luaL_error(state, to_luastring(ended ? 'the process has ended' : TOO_MANY));
  };
  binding.stop = (state) => lua.lua_sethook(state, hook, lua.LUA_MASKCOUNT, 1);
  lua.lua_sethook(L, hook, lua.LUA_MASKCOUNT, HOOK_EVERY);
  const above = { running, overflow };
  running = binding;
  overflow = undefined;
  try {
    // a child process may have used up all that its parent had left
    const fault = interpret(L, script) ?? (binding.exhausted ? TOO_MANY : undefined);
    return { binding, fault: binding.exit === undefined ? fault : undefined };
  } finally {
    ({ running, overflow } = above);
    finish(binding);
  }
}

/** Runs the text of a script. Returns the message of the error that ended it. */
function interpret(L: LuaState, { title, text }: LuaScript): string | undefined {
  try {
    const bytes = Buffer.from(text, 'latin1');
    const status = lauxlib.luaL_loadbuffer(L, new Uint8Array(bytes), bytes.length, to_luastring(`=${title}`));
    if (status === lua.LUA_OK && lua.lua_pcall(L, 0, 0, 0) === lua.LUA_OK) return undefined;
    const top = lua.lua_tostring(L, -1);
    if (top === null) return 'an error without a message';
    // the machine leaves what it worked on where an error of its own has no message
    return top.length > MESSAGE_MAX ? (overflow ?? 'an error with a very long message') : to_jsstring(top);
  } catch (error) {
    // the machine's own limits: strings and tables that do not fit in memory, or calls too deep
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** `string.rep`, which would make a long string in one instruction. */
function repeating(binding: Binding): LuaFunction {
  return ([given, count, separator]) => {
    const one = textOf(given);
    const between = textOf(separator);
    const times = typeof count === 'number' ? Math.max(0, Math.floor(count)) : 0;
    const size = times * (one.length + between.length);
    binding.checkString(size);
    binding.charge(size / COPIED);
    return [Array.from({ length: times }, () => one).join(between)];
  };
}

/** Writes what the script left open, as the end of the interpreter does. */
function finish({ atEnd }: Binding): void {
  for (const flush of atEnd) {
    try {
      flush();
    } catch (error) {
      // the place may be gone by now, or hold something else
      if (!(error instanceof BuildError)) throw error;
    }
  }
}

/** The language's own libraries without what reaches outside: no files, processes, modules or debugging. */
function openLibraries(L: LuaState): void {
  for (const [name, open] of [
    ['_G', lualib.luaopen_base],
    ['coroutine', lualib.luaopen_coroutine],
    ['table', lualib.luaopen_table],
    ['string', lualib.luaopen_string],
    ['utf8', lualib.luaopen_utf8],
    ['math', lualib.luaopen_math],
  ] as const) {
    lauxlib.luaL_requiref(L, to_luastring(name), open, 1);
    lua.lua_pop(L, 1);
  }
  for (const name of ['dofile', 'loadfile', 'collectgarbage']) {
    lua.lua_pushnil(L);
    lua.lua_setglobal(L, to_luastring(name));
  }
  // random numbers would make builds differ
  lua.lua_getglobal(L, to_luastring('math'));
  for (const name of ['random', 'randomseed']) {
    lua.lua_pushnil(L);
    lua.lua_setfield(L, -2, to_luastring(name));
  }
  lua.lua_pop(L, 1);
}
