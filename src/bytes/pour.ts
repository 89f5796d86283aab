import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BuildError } from '../errors/error.ts';
import { type Bytes, isZeroPage } from './content.ts';
import { forgetFile } from './file.ts';

/** What was written. */
export interface Poured {
  readonly path: string;
  /** Bytes, holes included. */
  readonly size: number;
  /** SHA-256 in hex. */
  readonly sha256: string;
}

/** How to write. */
export interface PourOptions {
  /** Leave runs of zeros as holes where the file system can. */
  readonly sparse?: boolean;
  /** Permission bits of the result; 0644 by default, whatever the umask. */
  readonly mode?: number;
  /** Called with the number of bytes written so far. */
  readonly progress?: (bytes: number) => void;
  /** Refuse when the stream has another length, in bytes. */
  readonly size?: number;
}

const unfinished = new Set<string>();

/** Removes what unfinished writes of this process left; for use when the process is told to stop. */
export function dropUnfinished(): void {
  for (const path of unfinished) rmSync(path, { force: true, recursive: true });
  unfinished.clear();
}

/** Marks a path to be removed by {@link dropUnfinished} until the returned function is called. */
export function guardUnfinished(path: string): () => void {
  unfinished.add(path);
  return () => unfinished.delete(path);
}

/** A name beside `path` for unfinished output; it carries our process number so that others can tell it is stale. */
export function partName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.part`);
}

/** Removes parts of `path` that killed builds left behind. */
export function dropStaleParts(path: string): void {
  const prefix = `.${basename(path)}.`;
  let names: string[];
  try {
    names = readdirSync(dirname(path));
  } catch {
    return;
  }
  for (const name of names) {
    const match = name.startsWith(prefix) ? /^(\d+)\.part$/.exec(name.slice(prefix.length)) : null;
    if (match === null || isAlive(Number(match[1]))) continue;
    rmSync(join(dirname(path), name), { force: true, recursive: true });
  }
}

/** True while a process of that number runs on this machine. */
export function isAlive(pid: number): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Pours a stream into a file: under a temporary name beside the target, hashed on the way, renamed when whole. What
 * stood there before stays until that moment; a failure leaves nothing behind.
 */
export async function pour(source: Bytes, path: string, options: PourOptions = {}): Promise<Poured> {
  mkdirSync(dirname(path), { recursive: true });
  dropStaleParts(path);
  const part = partName(path);
  const hash = createHash('sha256');
  let size = 0;
  let fd: number;
  try {
    fd = openSync(part, 'w', options.mode ?? 0o644);
  } catch (cause) {
    throw new BuildError('WRITE_FAILED', { path, reason: reasonOf(cause) }, { cause });
  }
  const done = guardUnfinished(part);
  let open = true;
  try {
    for await (const piece of source) {
      hash.update(piece);
      if (options.sparse && isZeroPage(piece)) {
        size += piece.length;
      } else {
        writeFully(fd, piece, size, path);
        size += piece.length;
      }
      options.progress?.(size);
    }
    if (options.size !== undefined && options.size !== size)
      throw new BuildError('CONTENT_SIZE', { path, declared: options.size, read: size });
    if (options.sparse) ftruncateSync(fd, size);
    fsyncSync(fd);
    closeSync(fd);
    open = false;
    renameSync(part, path);
    forgetFile(path);
  } catch (error) {
    if (open) closeSync(fd);
    rmSync(part, { force: true });
    throw error;
  } finally {
    done();
  }
  return { path, size, sha256: hash.digest('hex') };
}

function writeFully(fd: number, piece: Uint8Array, position: number, path: string): void {
  try {
    for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at, piece.length - at, position + at);
  } catch (cause) {
    throw new BuildError('WRITE_FAILED', { path, reason: reasonOf(cause) }, { cause });
  }
}

/** The short reason in a system error: its code, else its message. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? String(message ?? error) : (REASONS[code] ?? code);
}

const REASONS: Record<string, string> = {
  ENOSPC: 'no space left on the device',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
  ENOENT: 'no such file or directory',
  EISDIR: 'is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  EDQUOT: 'disk quota exceeded',
  EFBIG: 'file too large for this file system',
};
