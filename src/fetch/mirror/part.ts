import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  fsync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { DigestAlgorithm } from '../../bytes/digest.ts';
import { isAlive, makeFolders, reasonOf } from '../../bytes/pour.ts';
import { BuildError } from '../../errors/error.ts';

const BATCH = 256 * 1024;

/**
 * A download on its way: a hidden file beside its future name, hashed as it grows. Its name carries our process number,
 * so that a later build can take over what a killed one left; what it holds is believed only when the digest of the
 * whole agrees.
 */
export class Part {
  readonly target: string;
  /** Where it lies meanwhile. */
  readonly path: string;
  private readonly algorithm: DigestAlgorithm;
  private readonly fd: number;
  private hash: Hash;
  private written = 0;
  private batch: Uint8Array[] = [];
  private batched = 0;

  private constructor(target: string, path: string, algorithm: DigestAlgorithm, fd: number) {
    this.target = target;
    this.path = path;
    this.algorithm = algorithm;
    this.fd = fd;
    this.hash = createHash(algorithm);
  }

  /** Opens a part for `target`; with `takeOver`, goes on with what an earlier process left there. */
  static open(target: string, algorithm: DigestAlgorithm, takeOver: boolean): Part {
    const path = join(dirname(target), `.${basename(target)}.${process.pid}.download`);
    try {
      let found = false;
      try {
        found = takeOver && takeOverAt(target, path);
      } catch {
        // the folder is not there yet; asking first would cost a call per file
        makeFolders(dirname(target));
      }
      const part = new Part(target, path, algorithm, openSync(path, found ? 'r+' : 'w+', 0o644));
      if (found) part.readBack();
      return part;
    } catch (cause) {
      const hint = 'give a folder that can be written with --cache-dir';
      throw new BuildError('WRITE_FAILED', { path: target, reason: reasonOf(cause) }, { cause, hint });
    }
  }

  /** Bytes so far. */
  get size(): number {
    return this.written + this.batched;
  }

  private readBack(): void {
    const buffer = new Uint8Array(1024 * 1024);
    for (;;) {
      const n = readSync(this.fd, buffer, 0, buffer.length, this.written);
      if (n === 0) return;
      this.hash.update(buffer.subarray(0, n));
      this.written += n;
    }
  }

  /** Takes one more piece; it may be kept until the next flush, so it must not be reused. */
  push(piece: Uint8Array): void {
    this.hash.update(piece);
    this.batch.push(piece);
    this.batched += piece.length;
    if (this.batched >= BATCH) this.flush();
  }

  /** Writes what is held back. */
  flush(): void {
    if (this.batched === 0) return;
    const bytes = this.batch.length === 1 ? this.batch[0]! : Buffer.concat(this.batch);
    this.batch = [];
    this.batched = 0;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at, bytes.length - at, this.written + at);
    } catch (cause) {
      throw new BuildError('WRITE_FAILED', { path: this.target, reason: reasonOf(cause) }, { cause });
    }
    this.written += bytes.length;
  }

  /** Forgets everything and begins anew. */
  reset(): void {
    this.batch = [];
    this.batched = 0;
    this.written = 0;
    this.hash = createHash(this.algorithm);
    ftruncateSync(this.fd, 0);
  }

  /** Digest in hex of everything so far. */
  digest(): string {
    this.flush();
    return this.hash.copy().digest('hex');
  }

  /** Makes it safe on disk and gives it its name. */
  async finish(): Promise<void> {
    this.flush();
    try {
      // waited for off the main thread, while other downloads go on
      await new Promise<void>((resolve, reject) =>
        fsync(this.fd, (error) => (error === null || error === undefined ? resolve() : reject(error))),
      );
      renameSync(this.path, this.target);
    } catch (cause) {
      throw new BuildError('WRITE_FAILED', { path: this.target, reason: reasonOf(cause) }, { cause });
    } finally {
      closeSync(this.fd);
    }
  }

  /** Lets go. What has come so far stays for the next attempt when `keep`, else it is removed. */
  abandon(keep: boolean): void {
    try {
      if (keep) this.flush();
    } finally {
      closeSync(this.fd);
      if (!keep || this.written === 0) rmSync(this.path, { force: true });
    }
  }
}

/** Renames the part of a process that is gone (or an earlier one of ours) to `path`. Only one taker can win. */
function takeOverAt(target: string, path: string): boolean {
  const prefix = `.${basename(target)}.`;
  for (const name of readdirSync(dirname(target))) {
    const match = name.startsWith(prefix) ? /^(\d+)\.download$/.exec(name.slice(prefix.length)) : null;
    if (match === null) continue;
    const pid = Number(match[1]);
    if (pid === process.pid) return true;
    if (isAlive(pid)) continue;
    try {
      renameSync(join(dirname(target), name), path);
      return true;
    } catch {
      // another build was faster
    }
  }
  return false;
}
