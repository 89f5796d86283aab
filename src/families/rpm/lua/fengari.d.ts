/** The part of fengari's interface that is used; the library has no types of its own. States are opaque. */
declare module 'fengari' {
  type State = object;
  type LuaString = Uint8Array;
  export const lua: {
    readonly LUA_OK: number;
    readonly LUA_MASKCOUNT: number;
    readonly LUA_TNIL: number;
    readonly LUA_TBOOLEAN: number;
    readonly LUA_TNUMBER: number;
    readonly LUA_TSTRING: number;
    readonly LUA_TTABLE: number;
    readonly LUA_TFUNCTION: number;
    readonly LUA_TUSERDATA: number;
    readonly LUA_REGISTRYINDEX: number;
    lua_newuserdata(L: State, size: number): Record<string, unknown>;
    lua_touserdata(L: State, index: number): Record<string, unknown> | null;
    lua_setmetatable(L: State, index: number): void;
    lua_rawgetp(L: State, index: number, key: object): number;
    lua_rawsetp(L: State, index: number, key: object): void;
    lua_getglobal(L: State, name: LuaString): number;
    lua_setglobal(L: State, name: LuaString): void;
    lua_setfield(L: State, index: number, name: LuaString): void;
    lua_rawset(L: State, index: number): void;
    lua_rawseti(L: State, index: number, n: number): void;
    lua_rawgeti(L: State, index: number, n: number): number;
    lua_newtable(L: State): void;
    lua_pop(L: State, count: number): void;
    lua_gettop(L: State): number;
    lua_settop(L: State, index: number): void;
    lua_pushnil(L: State): void;
    lua_pushboolean(L: State, value: boolean): void;
    lua_pushinteger(L: State, value: number): void;
    lua_pushnumber(L: State, value: number): void;
    lua_pushliteral(L: State, value: string): void;
    lua_pushlstring(L: State, value: Uint8Array, length: number): void;
    lua_pushvalue(L: State, index: number): void;
    lua_call(L: State, args: number, results: number): void;
    lua_gettable(L: State, index: number): number;
    lua_isstring(L: State, index: number): boolean;
    lua_typename(L: State, type: number): LuaString;
    lua_rawlen(L: State, index: number): number;
    lua_next(L: State, index: number): number;
    lua_tocfunction(L: State, index: number): ((L: State) => number) | null;
    lua_pushcfunction(L: State, fn: (L: State) => number): void;
    lua_type(L: State, index: number): number;
    lua_toboolean(L: State, index: number): boolean;
    lua_tonumber(L: State, index: number): number;
    lua_tostring(L: State, index: number): LuaString | null;
    lua_pcall(L: State, args: number, results: number, handler: number): number;
    lua_sethook(L: State, hook: (L: State) => void, mask: number, count: number): void;
  };
  export const lauxlib: {
    luaL_newstate(): State;
    luaL_requiref(L: State, name: LuaString, open: (L: State) => number, global: number): void;
    luaL_loadbuffer(L: State, text: Uint8Array, length: number, name: LuaString): number;
    luaL_error(L: State, format: LuaString): never;
    luaL_argerror(L: State, arg: number, message: LuaString): never;
    luaL_checkstring(L: State, arg: number): LuaString;
    luaL_optinteger(L: State, arg: number, otherwise: number): number;
    luaL_checkstack(L: State, space: number, message: LuaString): void;
    luaL_where(L: State, level: number): void;
  };
  export const lualib: Readonly<
    Record<
      'luaopen_base' | 'luaopen_coroutine' | 'luaopen_table' | 'luaopen_string' | 'luaopen_utf8' | 'luaopen_math',
      (L: State) => number
    >
  >;
  export function to_luastring(text: string): LuaString;
  export function to_jsstring(text: LuaString): string;
}

declare module 'fengari/src/lobject.js' {
  const lobject: { readonly TValue: { readonly prototype: { vslen(this: object): number } } };
  export default lobject;
}
