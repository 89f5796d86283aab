import { readSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Bytes, isSkippable } from '../bytes/content.ts';
import { hostFile, type RandomAccess, randomAccess } from '../bytes/file.ts';
import { closeQuietly, reading } from '../bytes/reason.ts';
import { openRegular } from '../bytes/regular.ts';
import { spooled } from '../bytes/spool.ts';
import { decompress } from '../compression/decompress.ts';
import { detect, type Format } from '../compression/format.ts';
import { type Report, silent } from '../events/events.ts';
import { tooLarge, UNPACK_LIMITS } from '../fetch/limits.ts';
import type { Registries } from '../fetch/registry/registries.ts';

/** Number of bytes at the start of a file by which image kinds are recognised. */
const HEAD = 4096;

/** What opening an artefact needs from its caller; a `Host` has all of it. */
export interface OpenOptions {
  /** A folder for decompressed data, created on first use. */
  workspace(): string;
  /** Receives warnings about content of the artefact that this program cannot store. */
  readonly report?: Report;
  /** The root hash that a measured image must have: hex, or a line of `root_hash_VARIANT.txt`. */
  readonly rootHash?: string;
  /** Standard input, for the path `-`. */
  input?(): Bytes;
  /** For references to something in a registry. */
  readonly registries?: Registries;
  /** How many bytes one layer (`package`) and one compressed file (`build`) may have when they are decompressed. */
  readonly unpackLimits?: { readonly package: number; readonly build: number };
  /** `uname -m` name of a processor: what is taken of images for several. */
  readonly architecture?: string;
}

let spools = 0;

/** A file being matched against the registry: its first bytes, and methods to read the rest. */
export class Probe {
  /** The file on the build host. */
  readonly file: string;
  /** Its name in messages. */
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly compression: Format;
  /** The first bytes, decompressed; fewer than 4096 when the file is shorter. */
  readonly head: Uint8Array;
  readonly options: OpenOptions;
  #access: Promise<RandomAccess> | undefined;

  private constructor(file: string, path: string, size: number, found: [Format, Uint8Array], options: OpenOptions) {
    this.file = file;
    this.path = path;
    this.size = size;
    [this.compression, this.head] = found;
    this.options = options;
  }

  /** Reads the start of a file of `size` bytes. */
  static async of(file: string, path: string, size: number, options: OpenOptions): Promise<Probe> {
    const raw = headOf(file, path);
    const compression = detect(raw);
    // what follows is looked at when all is read: an initrd may go on with archives that are compressed in other ways
    const head =
      compression === 'none'
        ? raw
        : await upTo(decompress(hostFile(file).open(), compression, path, { trailing: () => {} }), HEAD);
    return new Probe(file, path, size, [compression, head], options);
  }

  /** The properties that an opened artefact takes over from its file. */
  properties() {
    const { path, compression, size } = this;
    return { path, compression, size, access: () => this.access() };
  }

  /** The file's bytes as they are. */
  raw(): Bytes {
    return reported(hostFile(this.file).open(), this, this.options.report ?? silent);
  }

  /** The file's bytes, decompressed. */
  plain(): Bytes {
    return this.compression === 'none' ? this.raw() : decompress(this.raw(), this.compression, this.path);
  }

  /** The decompressed bytes at any offset. A compressed file is decompressed into the workspace, once. */
  access(): Promise<RandomAccess> {
    this.#access ??= this.#open();
    return this.#access;
  }

  async #open(): Promise<RandomAccess> {
    if (this.compression === 'none') return randomAccess(this.file);
    const spool = this.spool();
    for await (const _ of spooled(this.bounded(this.plain()), spool));
    return randomAccess(spool);
  }

  /** Decompressed bytes of the file, up to the limit for a build; see {@link bounded}. */
  bounded(plain: Bytes): Bytes {
    return bounded(plain, this.path, this.options, 'build');
  }

  /** A fresh path in the workspace. */
  spool(): string {
    return spoolPath(this.options, basename(this.file));
  }
}

/** Yields all bytes of a file and reports how far it is. */
function reported(source: Bytes, { path, size }: Probe, report: Report): Bytes {
  let bytes = 0;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    report({ kind: 'phase', phase: 'read', bytes: size, item: path });
    for await (const piece of source) {
      yield piece;
      bytes += piece.length;
      report({ kind: 'progress', phase: 'read', bytes, item: path });
    }
    report({ kind: 'ended', phase: 'read', bytes, item: path });
  }
  if (!isSkippable(source)) return pieces();
  return Object.assign(pieces(), {
    skip(wanted: number) {
      const skipped = source.skip(wanted);
      bytes += skipped;
      return skipped;
    },
  });
}

/** Passes decompressed bytes on, up to a limit. Throws `UNPACKED_TOO_LARGE`. */
export async function* bounded(
  source: Bytes,
  what: string,
  { unpackLimits = UNPACK_LIMITS }: OpenOptions,
  kind: 'package' | 'build',
): Bytes {
  const limit = unpackLimits[kind];
  let bytes = 0;
  for await (const piece of source) {
    bytes += piece.length;
    if (bytes > limit) {
      throw tooLarge(what, limit, kind === 'package' ? 'maxPackageSize' : 'maxUnpackedSize');
    }
    yield piece;
  }
}

/** A fresh path in the workspace that ends in `name`. */
export function spoolPath(options: OpenOptions, name: string): string {
  return join(options.workspace(), `${++spools}-${name}`);
}

function headOf(file: string, path: string): Uint8Array {
  const bytes = new Uint8Array(HEAD);
  const { fd } = reading(path, () => openRegular(file));
  try {
    return reading(path, () => bytes.subarray(0, readSync(fd, bytes, 0, HEAD, 0)));
  } finally {
    closeQuietly(fd);
  }
}

async function upTo(source: Bytes, size: number): Promise<Uint8Array> {
  const out = new Uint8Array(size);
  let done = 0;
  for await (const piece of source) {
    const part = piece.subarray(0, size - done);
    out.set(part, done);
    done += part.length;
    if (done === size) break;
  }
  return out.subarray(0, done);
}
