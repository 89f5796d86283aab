import { collect, type FileContent } from '../../bytes/content.ts';
import { inParts, type RandomAccess, randomAccessMemory } from '../../bytes/file.ts';
import { decompress } from '../../compression/decompress.ts';
import { detect, type Format } from '../../compression/format.ts';
import { BuildError } from '../../errors/error.ts';
import { KernelModule, type ModuleData, readModule, sharedModule } from '../../formats/kmod/module.ts';
import { taskModule } from '../../workers/pool.ts';
import { pool } from '../../workers/shared.ts';

/** The facts of modules, read once for each content. */
const known = new WeakMap<FileContent, KernelModule>();

/** Largest module after decompression; the largest of Debian's has 40 MB. */
const MODULE_LIMIT = 256 << 20;

/** Compressed modules that wait for a thread, at most: their bytes are in memory. */
const WAITING = 64;

/** The input of a task that reads a module in another thread. */
export interface LoadTask {
  readonly bytes: Uint8Array;
  readonly format: Format;
  readonly path: string;
}

/**
 * Reads modules, compressed ones in threads. `path` names each in errors. The result has an error (`MODULE_CORRUPT`, or one
 * of decompression) in place of a module that cannot be read.
 */
export async function loadModules(
  files: readonly { readonly path: string; readonly content: FileContent }[],
): Promise<(KernelModule | BuildError)[]> {
  const results: (KernelModule | BuildError)[] = [];
  const waiting = new Set<Promise<void>>();
  for (const at of inStoredOrder(files)) {
    const { path, content } = files[at]!;
    const earlier = known.get(content);
    if (earlier !== undefined) {
      results[at] = earlier;
      continue;
    }
    const read = attempt(() =>
      inParts(content, (access) => {
        // the name does not decide, but it is nearly always right
        if (!path.endsWith('.ko')) {
          const format = formatOf(access);
          return format === 'none' ? readModule(access, path) : format;
        }
        try {
          return readModule(access, path);
        } catch (error) {
          const format = formatOf(access);
          if (format === 'none') throw error;
          return format;
        }
      }),
    );
    if (typeof read !== 'string') {
      results[at] = remembered(content, read);
      continue;
    }
    const format = read;
    const loading = loadInThread(content, format, path)
      .then(
        (module) => {
          results[at] = remembered(content, module);
        },
        (error: unknown) => {
          results[at] = asResult(error);
        },
      )
      .finally(() => waiting.delete(loading));
    waiting.add(loading);
    if (waiting.size >= WAITING) await Promise.race(waiting);
  }
  await Promise.all(waiting);
  return results;
}

async function loadInThread(content: FileContent, format: Format, path: string): Promise<KernelModule> {
  // a copy, which is handed over: the content may be in memory
  const bytes = Uint8Array.from(content.readSync());
  const task: LoadTask = { bytes, format, path };
  return new KernelModule(
    sharedModule(await pool().run<ModuleData>(taskModule('./load-task', import.meta.url), task, [bytes.buffer])),
  );
}

/** Numbers of the files, in the order in which their bytes lie on the build host. */
function inStoredOrder(files: readonly { readonly content: FileContent }[]): number[] {
  const order = files.map((_, at) => at);
  const place = (at: number) => files[at]!.content.place;
  order.sort((a, b) => {
    const [x, y] = [place(a), place(b)];
    if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined) || a - b;
    return x.file === y.file ? x.offset - y.offset : x.file < y.file ? -1 : 1;
  });
  return order;
}

function remembered(content: FileContent, module: KernelModule | BuildError): KernelModule | BuildError {
  if (!(module instanceof BuildError)) known.set(content, module);
  return module;
}

function attempt<T>(read: () => T): T | BuildError {
  try {
    return read();
  } catch (error) {
    return asResult(error);
  }
}

function asResult(error: unknown): BuildError {
  if (error instanceof BuildError) return error;
  throw error;
}

const head = new Uint8Array(16);

/** The compression of a module. */
export function formatOf(access: RandomAccess): Format {
  if (access.size < 16) return 'none';
  access.readAt(0, head);
  // an ELF file is the usual case
  return head[0] === 0x7f ? 'none' : detect(head);
}

/** Reads a compressed module. */
export async function unpackModule(content: FileContent, format: Format, path: string): Promise<KernelModule> {
  return readModule(randomAccessMemory(await moduleBytes(content, format, path)), path);
}

/** The bytes of a module, decompressed. Throws `MODULE_CORRUPT` for one that is too large, and errors of decompression. */
export async function moduleBytes(content: FileContent, format: Format, path: string): Promise<Uint8Array> {
  try {
    return await collect(format === 'none' ? content.open() : decompress(content.open(), format, path), MODULE_LIMIT);
  } catch (error) {
    // `collect` ends a bomb with a RangeError
    if (!(error instanceof RangeError)) throw error;
    throw new BuildError(
      'MODULE_CORRUPT',
      { path, reason: `it has more than ${MODULE_LIMIT} bytes` },
      { cause: error },
    );
  }
}
