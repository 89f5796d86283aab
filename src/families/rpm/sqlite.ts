import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { compileFunction } from 'node:vm';
import type { SqlJsStatic } from 'sql.js';
import { BIG_ENDIAN } from '../../bytes/byte-order.ts';
import { hostFile } from '../../bytes/file.ts';

/** How a number is read from and written to the engine's memory. */
interface Numbers {
  readonly bytes: number;
  get(view: DataView, at: number): number | bigint;
  set(view: DataView, at: number, value: never): void;
}

/** The arrays through which the package sees the engine's memory, but for those of bytes. */
const VIEWS: Readonly<Record<string, Numbers>> = {
  Int16Array: {
    bytes: 2,
    get: (view, at) => view.getInt16(at, true),
    set: (view, at, value) => view.setInt16(at, value, true),
  },
  Uint16Array: {
    bytes: 2,
    get: (view, at) => view.getUint16(at, true),
    set: (view, at, value) => view.setUint16(at, value, true),
  },
  Int32Array: {
    bytes: 4,
    get: (view, at) => view.getInt32(at, true),
    set: (view, at, value) => view.setInt32(at, value, true),
  },
  Uint32Array: {
    bytes: 4,
    get: (view, at) => view.getUint32(at, true),
    set: (view, at, value) => view.setUint32(at, value, true),
  },
  Float32Array: {
    bytes: 4,
    get: (view, at) => view.getFloat32(at, true),
    set: (view, at, value) => view.setFloat32(at, value, true),
  },
  Float64Array: {
    bytes: 8,
    get: (view, at) => view.getFloat64(at, true),
    set: (view, at, value) => view.setFloat64(at, value, true),
  },
  BigInt64Array: {
    bytes: 8,
    get: (view, at) => view.getBigInt64(at, true),
    set: (view, at, value) => view.setBigInt64(at, value, true),
  },
};

/** Stands for a typed array over a whole buffer, with the least byte of each number first whatever the machine's order is. */
function littleEndian({ bytes, get, set }: Numbers) {
  return function view(buffer: ArrayBuffer): object {
    const data = new DataView(buffer);
    return new Proxy(Object.create(null) as object, {
      get: (_, key) => get(data, Number(key) * bytes),
      set(_, key, value) {
        set(data, Number(key) * bytes, value as never);
        return true;
      },
    });
  };
}

/**
 * SQLite, by the package sql.js. WebAssembly's memory is little-endian, and the package takes the machine's order for it: where
 * that is another one (s390x), and where `ordered` is true, it gets arrays that keep to the memory's.
 */
export async function sqlite(ordered = BIG_ENDIAN): Promise<SqlJsStatic> {
  if (!ordered) return (await import('sql.js')).default();
  const require = createRequire(import.meta.url);
  const path = require.resolve('sql.js');
  const names = Object.keys(VIEWS);
  const load = compileFunction(
    Buffer.from(hostFile(path).readSync()).toString('utf8'),
    ['module', 'exports', 'require', '__filename', '__dirname', ...names],
    {
      filename: path,
    },
  ) as (...values: unknown[]) => void;
  const module = { exports: {} as unknown };
  load(module, module.exports, require, path, dirname(path), ...names.map((name) => littleEndian(VIEWS[name]!)));
  return (module.exports as () => Promise<SqlJsStatic>)();
}
