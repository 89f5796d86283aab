import { createHash, type Hash } from 'node:crypto';
import { fchmodSync, fstatSync, fsync, ftruncateSync, readSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DigestAlgorithm } from '../../bytes/digest.ts';
import { makeFolders } from '../../bytes/pour.ts';
import { closeQuietly, removeQuietly, writeFailed, writing } from '../../bytes/reason.ts';
import {
  isAlive,
  isSameFile,
  leftoversOf,
  nameTemporary,
  openLeftover,
  openTemporary,
  temporaryName,
} from '../../bytes/temporary.ts';
import { identityOf, type LedgerRow } from '../cache-ledger.ts';

const BATCH = 256 * 1024;

/**
 * An unfinished download: a hidden file beside its future name, hashed as it grows. Its name carries our process number,
 * so that a later build can continue what a killed one left; its content counts only when the digest of the complete file agrees.
 */
export class Part {
  readonly target: string;
  /** Its temporary path. */
  readonly path: string;
  private readonly algorithm: DigestAlgorithm;
  readonly fd: number;
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
    held.add(path);
  }

  /** Opens a part for `target`; continues what an earlier download left there, if that is safe. */
  static open(target: string, algorithm: DigestAlgorithm): Part {
    try {
      const left = takeOver(target);
      if (left !== undefined) {
        const part = new Part(target, left.path, algorithm, left.fd);
        try {
          part.readBack();
        } catch (error) {
          part.abandon(true);
          throw error;
        }
        return part;
      }
      // whatever the umask: a folder that others may write to would be rejected by the next build
      makeFolders(dirname(target), 0o755);
      const { path, fd } = openTemporary(target, 'download');
      return new Part(target, path, algorithm, fd);
    } catch (cause) {
      throw writeFailed(target, cause, 'give a folder that can be written as `cacheDir`');
    }
  }

  /** Number of bytes so far. */
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

  /** Appends a piece; it may be kept until the next flush, so it must not be reused. */
  push(piece: Uint8Array): void {
    this.hash.update(piece);
    this.batch.push(piece);
    this.batched += piece.length;
    if (this.batched >= BATCH) this.flush();
  }

  /** Writes what is buffered. */
  flush(): void {
    if (this.batched === 0) return;
    const bytes = this.batch.length === 1 ? this.batch[0]! : Buffer.concat(this.batch);
    this.batch = [];
    this.batched = 0;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at, bytes.length - at, this.written + at);
    } catch (cause) {
      throw writeFailed(this.target, cause);
    }
    this.written += bytes.length;
  }

  /** Discards everything and starts again. */
  reset(): void {
    this.batch = [];
    this.batched = 0;
    this.written = 0;
    this.hash = createHash(this.algorithm);
    writing(this.target, () => ftruncateSync(this.fd, 0));
  }

  /** Digest in hex of everything so far. */
  digest(): string {
    this.flush();
    return this.hash.copy().digest('hex');
  }

  /**
   * Syncs it to disk and renames it to its final name. Returns what identifies the file and its digest, which is known
   * without reading it again; undefined where another digest than SHA-256 was counted.
   */
  async finish(): Promise<LedgerRow | undefined> {
    this.flush();
    try {
      fchmodSync(this.fd, 0o644 & ~process.umask());
      // asynchronous, so that other downloads continue
      await new Promise<void>((resolve, reject) =>
        fsync(this.fd, (error) => (error === null || error === undefined ? resolve() : reject(error))),
      );
      nameTemporary(this, this.target);
      if (this.algorithm !== 'sha256') return undefined;
      return { identity: identityOf(fstatSync(this.fd, { bigint: true })), sha256: this.hash.copy().digest('hex') };
    } catch (cause) {
      // there may be no space for it
      removeQuietly(this.path);
      throw writeFailed(this.target, cause);
    } finally {
      this.close();
    }
  }

  private close(): void {
    held.delete(this.path);
    closeQuietly(this.fd);
  }

  /** Closes it. With `keep` the bytes so far stay for the next attempt, else they are removed. */
  abandon(keep: boolean): void {
    try {
      if (keep) this.flush();
    } catch {
      // the error that led here says more
    }
    this.close();
    if (!keep || this.written === 0) removeQuietly(this.path);
  }
}

/** Parts that are open in this process. */
const held = new Set<string>();

/**
 * Takes over the part of a process that has ended (or an earlier one of this process) by renaming it, and opens it. Only
 * one of several builds can rename it.
 */
function takeOver(target: string): { path: string; fd: number } | undefined {
  for (const { path: left, pid } of leftoversOf(target, 'download')) {
    if (pid === process.pid ? held.has(left) : isAlive(pid)) continue;
    const fd = openLeftover(left);
    if (fd === undefined) continue;
    const path = temporaryName(target, 'download');
    try {
      renameSync(left, path);
      if (isSameFile(path, fd)) return { path, fd };
    } catch {
      // another build was faster
    }
    closeQuietly(fd);
  }
  return undefined;
}
