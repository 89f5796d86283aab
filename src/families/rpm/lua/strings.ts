import { lauxlib, lua, to_jsstring, to_luastring } from 'fengari';
import { copyOf } from '../../../bytes/content.ts';
import type { Binding, LuaState } from './binding.ts';
import { type Capture, type Match, Matcher, PatternError } from './patterns.ts';

/** What a special character of a pattern is: without one a search is for plain text. */
const SPECIAL = /[\^$*+?.([%-]/;

/** `string.find`, `match`, `gmatch` and `gsub` with counted work, in place of those of the library. */
export function patternFunctions(binding: Binding): void {
  const { L } = binding;
  lua.lua_getglobal(L, to_luastring('string'));
  const set = (name: string, fn: (state: LuaState) => number) => {
    lua.lua_pushcfunction(L, (state: LuaState) => guarded(state, fn));
    lua.lua_setfield(L, -2, to_luastring(name));
  };
  set('find', (state) => find(binding, state, true));
  set('match', (state) => find(binding, state, false));
  set('gmatch', (state) => gmatch(binding, state));
  set('gsub', (state) => gsub(binding, state));
  lua.lua_pop(L, 1);
}

/**
 * Makes every function of the libraries for strings and tables count the bytes and elements that it is given: each call
 * is one instruction, whatever its size.
 */
export function countLibraries(binding: Binding): void {
  const { L } = binding;
  for (const name of ['string', 'table', 'utf8']) {
    lua.lua_getglobal(L, to_luastring(name));
    lua.lua_pushnil(L);
    const functions: [string, (L: LuaState) => number][] = [];
    while (lua.lua_next(L, -2)) {
      const fn = lua.lua_tocfunction(L, -1);
      const key = lua.lua_type(L, -2) === lua.LUA_TSTRING ? to_jsstring(lua.lua_tostring(L, -2)!) : '';
      if (fn !== null && key !== '') functions.push([key, fn]);
      lua.lua_pop(L, 1);
    }
    for (const [key, fn] of functions) {
      lua.lua_pushcfunction(L, (state: LuaState) => {
        binding.charge(sizeOfArguments(state, key));
        if (binding.exhausted) return lauxlib.luaL_error(state, to_luastring('too many instructions'));
        return fn(state);
      });
      lua.lua_setfield(L, -2, to_luastring(key));
    }
    lua.lua_pop(L, 1);
  }
}

/** What a call works through, in instructions that would take as long. */
function sizeOfArguments(L: LuaState, name: string): number {
  let size = 0;
  for (let at = lua.lua_gettop(L); at > 0; at--) {
    const type = lua.lua_type(L, at);
    if (type === lua.LUA_TSTRING) size += (lua.lua_tostring(L, at) as Uint8Array).length / 16;
    else if (type === lua.LUA_TTABLE) {
      const length = lua.lua_rawlen(L, at);
      size += name === 'sort' ? length * Math.log2(length + 2) : length / 4;
    }
  }
  // the elements that are moved, which need not be there
  if (name === 'move') size += Math.max(0, lua.lua_tonumber(L, 3) - lua.lua_tonumber(L, 2)) || 0;
  // the bytes that a format asks for, with which short strings are filled up
  if (name.startsWith('pack') && lua.lua_type(L, 1) === lua.LUA_TSTRING)
    for (const [, count] of to_jsstring(lua.lua_tostring(L, 1)!).matchAll(/c([0-9]+)/g)) size += Number(count) / 16;
  return size;
}

/** Errors of patterns, and the end of the budget, as errors of the script. */
function guarded(L: LuaState, fn: (state: LuaState) => number): number {
  try {
    return fn(L);
  } catch (error) {
    if (error instanceof PatternError) return lauxlib.luaL_error(L, to_luastring(error.message.replaceAll('%', '%%')));
    throw error;
  }
}

function matcherOf(binding: Binding, subject: Uint8Array, pattern: Uint8Array): Matcher {
  return new Matcher(subject, pattern, (steps) => {
    binding.charge(steps);
    if (binding.exhausted) throw new PatternError('too many instructions');
  });
}

/** A fresh copy: the library's strings are shared. */
function bytesAt(L: LuaState, at: number): Uint8Array {
  return lauxlib.luaL_checkstring(L, at);
}

function find(binding: Binding, L: LuaState, places: boolean): number {
  const subject = bytesAt(L, 1);
  const pattern = bytesAt(L, 2);
  const given = lauxlib.luaL_optinteger(L, 3, 1);
  const start = given > 0 ? given - 1 : given === 0 ? 0 : Math.max(0, subject.length + given);
  if (start > subject.length) {
    lua.lua_pushnil(L);
    return 1;
  }
  const plain = places && (lua.lua_toboolean(L, 4) || !SPECIAL.test(Buffer.from(pattern).toString('latin1')));
  if (plain) {
    binding.charge(subject.length / 64);
    const at = Buffer.from(subject).indexOf(pattern, start);
    if (at < 0) lua.lua_pushnil(L);
    else pushPlaces(L, at, at + pattern.length);
    return at < 0 ? 1 : 2;
  }
  const found = matcherOf(binding, subject, pattern).search(start);
  if (found === undefined) {
    lua.lua_pushnil(L);
    return 1;
  }
  if (places) {
    pushPlaces(L, found.start, found.end);
    return 2 + pushCaptures(L, subject, found, false);
  }
  return pushCaptures(L, subject, found, true);
}

function pushPlaces(L: LuaState, start: number, end: number): void {
  lua.lua_pushinteger(L, start + 1);
  lua.lua_pushinteger(L, end);
}

/** Pushes all captures; where there are none, and `whole` is set, the match itself. */
function pushCaptures(L: LuaState, subject: Uint8Array, { start, end, captures }: Match, whole: boolean): number {
  if (captures.length === 0 && !whole) return 0;
  const all: readonly Capture[] = captures.length === 0 ? [{ start, end }] : captures;
  lauxlib.luaL_checkstack(L, all.length, to_luastring('too many captures'));
  for (const one of all) pushCapture(L, subject, one);
  return all.length;
}

function pushCapture(L: LuaState, subject: Uint8Array, { start, end }: Capture): void {
  if (end === 'open') throw new PatternError('unfinished capture');
  if (end === 'position') lua.lua_pushinteger(L, start + 1);
  else lua.lua_pushlstring(L, copyOf(subject.subarray(start, end)), end - start);
}

function gmatch(binding: Binding, L: LuaState): number {
  const subject = Uint8Array.from(bytesAt(L, 1));
  const pattern = Uint8Array.from(bytesAt(L, 2));
  let next = 0;
  let last = -1;
  lua.lua_pushcfunction(L, (state: LuaState) =>
    guarded(state, () => {
      const matcher = matcherOf(binding, subject, pattern);
      for (; next <= subject.length; next++) {
        const found = matcher.at(next);
        // not an empty match where the last one ended
        if (found === undefined || found.end === last) continue;
        next = found.end;
        last = found.end;
        return pushCaptures(state, subject, found, true);
      }
      lua.lua_pushnil(state);
      return 1;
    }),
  );
  return 1;
}

function gsub(binding: Binding, L: LuaState): number {
  const subject = bytesAt(L, 1);
  const pattern = bytesAt(L, 2);
  const kind = lua.lua_type(L, 3);
  const known = [lua.LUA_TNUMBER, lua.LUA_TSTRING, lua.LUA_TFUNCTION, lua.LUA_TTABLE];
  if (!known.includes(kind)) return lauxlib.luaL_argerror(L, 3, to_luastring('string/function/table expected'));
  const most = lauxlib.luaL_optinteger(L, 4, subject.length + 1);
  const anchored = pattern[0] === 0x5e;
  const matcher = matcherOf(binding, subject, pattern);
  const pieces: Uint8Array[] = [];
  let size = 0;
  const add = (piece: Uint8Array) => {
    pieces.push(piece);
    size += piece.length;
    binding.checkString(size);
  };
  let count = 0;
  let at = 0;
  let last = -1;
  while (count < most) {
    const found = matcher.at(at, anchored ? 1 : 0);
    // not an empty match where the last one ended
    if (found !== undefined && found.end !== last) {
      count++;
      add(replacement(L, subject, found, kind));
      at = found.end;
      last = found.end;
    } else if (at < subject.length) add(subject.subarray(at, ++at));
    else break;
    if (anchored) break;
  }
  if (at < subject.length) add(subject.subarray(at));
  const result = Buffer.concat(pieces);
  lua.lua_pushlstring(L, Uint8Array.from(result), result.length);
  lua.lua_pushinteger(L, count);
  return 2;
}

/** What replaces a match: of a text with `%1`, a table or a function. */
function replacement(L: LuaState, subject: Uint8Array, found: Match, kind: number): Uint8Array {
  if (kind === lua.LUA_TFUNCTION) {
    lua.lua_pushvalue(L, 3);
    lua.lua_call(L, pushCaptures(L, subject, found, true), 1);
  } else if (kind === lua.LUA_TTABLE) {
    // the first capture, or the whole match, is the key
    pushCapture(L, subject, found.captures[0] ?? found);
    lua.lua_gettable(L, 3);
  } else return expanded(L, subject, found);
  const whole = subject.subarray(found.start, found.end);
  if (!lua.lua_toboolean(L, -1)) {
    lua.lua_pop(L, 1);
    return whole;
  }
  if (!lua.lua_isstring(L, -1)) {
    const type = Buffer.from(lua.lua_typename(L, lua.lua_type(L, -1))).toString('latin1');
    throw new PatternError(`invalid replacement value (a ${type})`);
  }
  const value = Uint8Array.from(lua.lua_tostring(L, -1) as Uint8Array);
  lua.lua_pop(L, 1);
  return value;
}

function expanded(L: LuaState, subject: Uint8Array, { start, end, captures }: Match): Uint8Array {
  const text = lua.lua_tostring(L, 3) as Uint8Array;
  const out: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== 0x25) {
      out.push(text[i]!);
      continue;
    }
    const digit = text[++i];
    if (digit === 0x25) {
      out.push(0x25);
      continue;
    }
    if (digit === undefined || digit < 0x30 || digit > 0x39)
      throw new PatternError("invalid use of '%' in replacement string");
    const index = digit - 0x31;
    const capture = index < 0 || (index === 0 && captures.length === 0) ? { start, end } : captures[index];
    if (capture === undefined) throw new PatternError(`invalid capture index %${index + 1} in replacement string`);
    if (capture.end === 'open') throw new PatternError('unfinished capture');
    if (capture.end === 'position') out.push(...Buffer.from(String(capture.start + 1)));
    else for (let at = capture.start; at < capture.end; at++) out.push(subject[at]!);
  }
  return Uint8Array.from(out);
}
