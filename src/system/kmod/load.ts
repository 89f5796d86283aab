import { collect, type FileContent, type Reopening } from '../../bytes/content.ts';
import { inParts, type RandomAccess, randomAccessMemory } from '../../bytes/file.ts';
import { decompress } from '../../compression/decompress.ts';
import { detect, type Format } from '../../compression/format.ts';
import { BuildError } from '../../errors/error.ts';
import { KernelModule, type ModuleData, readModule } from '../../formats/kmod/module.ts';
import { type PackedModules, unpackModules } from '../../formats/kmod/packed.ts';
import { taskModule } from '../../workers/pool.ts';
import { jobs, pool } from '../../workers/shared.ts';
import type { KeptModules } from './kept.ts';

/** The facts of modules, read once for each content. */
const known = new WeakMap<FileContent, KernelModule>();

/** Largest module after decompression; the largest of Debian's has 40 MB. */
const MODULE_LIMIT = 256 << 20;

/** Memory for decompressed modules that is kept for the next one, at most. */
const MEMORY_KEPT = 16 << 20;

/** Compressed bytes of the modules that one task reads, at most, except of a single larger one. */
const TASK_BYTES = 256 << 10;
const TASK_FILES = 64;

/** Threads that share modules that are not compressed, at most: the first are done before a further one has started. */
const READERS = 4;

/** Tasks that wait for a thread, at most: their bytes are in memory. */
const WAITING = 8;

/** The input of a task that reads modules in another thread: their bytes, one after the other. */
export interface LoadTask {
  readonly bytes: Uint8Array;
  readonly files: readonly { readonly size: number; readonly format: Format; readonly path: string }[];
}

/** A compressed module, and its number among those that are read. */
interface Compressed {
  readonly at: number;
  readonly path: string;
  readonly format: Format;
  readonly content: FileContent;
}

/** From this many modules of files, threads share them: fewer are read before a thread has started. */
const MANY_PLAIN = 1000;
const MANY_COMPRESSED = 32;

/** The input of a task that reads modules together with other threads. */
export interface ShareTask {
  readonly files: readonly { readonly path: string; readonly content: Reopening }[];
  /** Numbers of the files at which parts end. */
  readonly ends: Int32Array;
  /** The number of parts that were begun, which all threads see. */
  readonly begun: Int32Array;
}

/** What a thread read of the modules that it shares with others: their numbers, and the facts of each. */
export interface ShareRead {
  readonly at: readonly number[];
  readonly facts: PackedModules;
}

/** Takes parts of the files as long as there are some, each as the numbers of its first file and of the one after it. */
export function* partsOf({ ends, begun }: Pick<ShareTask, 'ends' | 'begun'>): Generator<readonly [number, number]> {
  for (;;) {
    const part = Atomics.add(begun, 0, 1);
    if (part >= ends.length) return;
    yield [part === 0 ? 0 : ends[part - 1]!, ends[part]!];
  }
}

type ModuleFile = { readonly path: string; readonly content: FileContent };

/** A name that kmod gives to a compressed module; what it is, its bytes decide. */
const COMPRESSED = /\.ko\.\w+$/;

/**
 * Begins to read modules in threads, so that {@link loadModules} has them later; the returned promise says when nothing
 * runs any more, and never fails. Modules that are not in files of the build host, or cannot be read, are left to it.
 */
export function readAhead(files: readonly ModuleFile[], kept?: KeptModules): Promise<void> {
  return keeping(files, kept, () => shared(files, false));
}

/** Has modules read, unless what is kept of them tells their facts; keeps these where that took work. */
async function keeping(
  files: readonly ModuleFile[],
  kept: KeptModules | undefined,
  read: () => Promise<void>,
): Promise<void> {
  if (kept === undefined) return read();
  const open = unknown(files);
  const reopenings = open.map(({ reopening }) => reopening);
  const name =
    open.filter(({ path }) => COMPRESSED.test(path)).length < MANY_COMPRESSED ? undefined : kept.nameOf(reopenings);
  if (name === undefined) return read();
  const facts = kept.read(name);
  for (const [i, data] of (facts ?? []).entries()) known.set(open[i]!.content, new KernelModule(data));
  await read();
  if (facts !== undefined) return;
  const modules = open.map(({ content }) => known.get(content)?.data);
  // what cannot be read has its error each time; and what changed meanwhile is not what its name says
  if (modules.every((data) => data !== undefined) && kept.nameOf(reopenings) === name) await kept.write(name, modules);
}

/** Files of the build host of which nothing is known yet, and how another thread opens them. */
function unknown(files: readonly ModuleFile[]): (ModuleFile & { readonly reopening: Reopening })[] {
  return files.flatMap(({ path, content }) => {
    const reopening = known.has(content) ? undefined : content.reopening?.();
    return reopening === undefined ? [] : [{ path, content, reopening }];
  });
}

/** The task by which threads share the reading of modules. */
const SHARE = taskModule('./share-task', import.meta.url);

/** Starts the threads for {@link readAhead} before it is known what they read. */
export function expectModules(): void {
  if (jobs() > 1) pool().expect(SHARE);
}

/** Reads modules in all threads; in this one too if `here`. Those that cannot be read are left. */
async function shared(files: readonly ModuleFile[], here: boolean): Promise<void> {
  if (jobs() < 2) return;
  const open = unknown(files);
  const packed = open.filter(({ path }) => COMPRESSED.test(path)).length;
  if (packed < MANY_COMPRESSED && open.length < MANY_PLAIN) return;
  const task: ShareTask = {
    files: open.map(({ path, reopening }) => ({ path, content: reopening })),
    ends: partEnds(open),
    begun: new Int32Array(new SharedArrayBuffer(4)),
  };
  // decoders are for other threads
  const mine = here && packed < MANY_COMPRESSED;
  const others = Array.from({ length: mine ? Math.min(jobs(), READERS) - 1 : jobs() }, () =>
    pool()
      .run<ShareRead>(SHARE, task)
      .then(({ at, facts }) => {
        for (const [i, data] of unpackModules(facts).entries())
          known.set(open[at[i]!]!.content, new KernelModule(data!));
      }),
  );
  if (mine)
    for (const [from, to] of partsOf(task))
      for (const { content, path } of open.slice(from, to)) {
        const read = attempt(() => readPlain(content, path));
        if (read instanceof KernelModule) known.set(content, read);
      }
  // what a thread that ended early had begun is read again, for its error
  await Promise.allSettled(others);
}

/** Where parts of files end, so that threads end at about the same time. */
function partEnds(files: readonly ModuleFile[]): Int32Array {
  const ends: number[] = [];
  let from = 0;
  let size = 0;
  for (const [at, { path, content }] of files.entries()) {
    const bytes = COMPRESSED.test(path) ? content.size : 0;
    if (at > from && (size + bytes > TASK_BYTES || at - from === TASK_FILES)) {
      ends.push(at);
      from = at;
      size = 0;
    }
    size += bytes;
  }
  if (files.length > 0) ends.push(files.length);
  return Int32Array.from(ends);
}

/**
 * Reads modules, compressed ones in threads; `kept` has the facts of many of them. `path` names each in errors. The result has an error (`MODULE_CORRUPT`, or one
 * of decompression) in place of a module that cannot be read.
 */
export async function loadModules(
  files: readonly ModuleFile[],
  kept?: KeptModules,
): Promise<(KernelModule | BuildError)[]> {
  const results: (KernelModule | BuildError)[] = [];
  await keeping(files, kept, () => load(files, results));
  return results;
}

/** Reads modules into `results`. */
async function load(files: readonly ModuleFile[], results: (KernelModule | BuildError)[]): Promise<void> {
  const waiting = new Set<Promise<void>>();
  let next: Compressed[] = [];
  let size = 0;
  const start = async () => {
    const loading = loadInThread(next, results).finally(() => waiting.delete(loading));
    waiting.add(loading);
    next = [];
    size = 0;
    if (waiting.size >= WAITING) await Promise.race(waiting);
  };
  const order = inStoredOrder(files);
  await shared(
    order.map((at) => files[at]!),
    true,
  );
  for (const at of order) {
    const { path, content } = files[at]!;
    const earlier = known.get(content);
    if (earlier !== undefined) {
      results[at] = earlier;
      continue;
    }
    const read = attempt(() => readPlain(content, path));
    if (typeof read !== 'string') {
      results[at] = remembered(content, read);
      continue;
    }
    if (next.length > 0 && (size + content.size > TASK_BYTES || next.length === TASK_FILES)) await start();
    next.push({ at, path, content, format: read });
    size += content.size;
  }
  if (next.length > 0) await start();
  await Promise.all(waiting);
}

/** Reads a module; of a compressed one only the format is told. */
export function readPlain(content: FileContent, path: string): KernelModule | Format {
  return inParts(content, (access) => moduleOrFormat(access, path));
}

function moduleOrFormat(access: RandomAccess, path: string): KernelModule | Format {
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
}

/** Reads compressed modules in a thread and puts their facts, or errors, into `results`. */
async function loadInThread(modules: readonly Compressed[], results: (KernelModule | BuildError)[]): Promise<void> {
  const set = (one: Compressed, result: KernelModule | BuildError) => {
    results[one.at] = remembered(one.content, result);
  };
  // a copy, which is handed over: a content may be in memory
  const bytes = new Uint8Array(modules.reduce((sum, { content }) => sum + content.size, 0));
  const read: Compressed[] = [];
  let at = 0;
  for (const one of modules) {
    const { content } = one;
    const copied = attempt(() => {
      if (content.copyTo === undefined) bytes.set(content.readSync(), at);
      else content.copyTo(bytes, at);
    });
    if (copied instanceof BuildError) {
      set(one, copied);
      continue;
    }
    at += content.size;
    read.push(one);
  }
  if (read.length === 0) return;
  const files = read.map(({ content, format, path }) => ({ size: content.size, format, path }));
  const task: LoadTask = { bytes, files };
  let facts: readonly (ModuleData | undefined)[];
  try {
    const module = taskModule('./load-task', import.meta.url);
    facts = unpackModules(await pool().run<PackedModules>(module, task, [bytes.buffer]));
  } catch (error) {
    if (read.length > 1) throw error;
    set(read[0]!, asResult(error));
    return;
  }
  for (const [i, one] of read.entries()) {
    const data = facts[i];
    // alone it tells why it cannot be read
    if (data === undefined) await loadInThread([one], results);
    else set(one, new KernelModule(data));
  }
}

/** Numbers of the files, in the order in which their bytes lie on the build host. */
function inStoredOrder(files: readonly { readonly content: FileContent }[]): number[] {
  const order = files.map((_, at) => at);
  if (files.every(({ content }) => content.place === undefined)) return order;
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

/** The bytes of compressed modules in memory that is used again for each: a kernel has thousands. */
export class Unpacked {
  private bytes: Uint8Array = new Uint8Array(1 << 18);

  /** A module, decompressed. It is valid until the next one. Throws as {@link moduleBytes} does. */
  async access(content: FileContent, format: Format, path: string): Promise<RandomAccess> {
    // a single huge one keeps no memory
    if (this.bytes.length > MEMORY_KEPT) this.bytes = new Uint8Array(1 << 18);
    let size = 0;
    for await (const piece of decompress(content.open(), format, path)) {
      const end = size + piece.length;
      if (end > MODULE_LIMIT) throw tooLarge(path);
      if (end > this.bytes.length) {
        const grown = new Uint8Array(Math.min(MODULE_LIMIT, 2 * end));
        grown.set(this.bytes.subarray(0, size));
        this.bytes = grown;
      }
      this.bytes.set(piece, size);
      size = end;
    }
    return randomAccessMemory(this.bytes.subarray(0, size));
  }
}

/** The bytes of a module, decompressed. Throws `MODULE_CORRUPT` for one that is too large, and errors of decompression. */
export async function moduleBytes(content: FileContent, format: Format, path: string): Promise<Uint8Array> {
  try {
    return await collect(format === 'none' ? content.open() : decompress(content.open(), format, path), MODULE_LIMIT);
  } catch (error) {
    // `collect` ends a bomb with a RangeError
    if (!(error instanceof RangeError)) throw error;
    throw tooLarge(path, error);
  }
}

function tooLarge(path: string, cause?: unknown): BuildError {
  return new BuildError('MODULE_CORRUPT', { path, reason: `it has more than ${MODULE_LIMIT} bytes` }, { cause });
}
