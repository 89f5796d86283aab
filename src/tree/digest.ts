import { createHash } from 'node:crypto';
import { fromLatin1 } from '../bytes/struct.ts';
import type { Inode } from './inode.ts';

/**
 * SHA-256 over names and metadata of a tree, and over contents by their digest where it is known. File systems derive
 * UUIDs from it. The caller adds entries in its own fixed order.
 */
export class TreeDigest {
  private readonly hash = createHash('sha256');
  private pending = '';

  /** Adds an entry with its metadata. */
  add(name: string, inode: Inode): void {
    const { kind, mode, uid, gid, mtime, nanoseconds } = inode;
    let line = `${name}\0${kind} ${mode} ${uid} ${gid} ${mtime}.${nanoseconds ?? 0} `;
    if (inode.kind === 'file') line += `${inode.content.size} ${inode.content.sha256 ?? ''}`;
    else if (inode.kind === 'symlink') line += inode.target;
    else if (inode.kind === 'char' || inode.kind === 'block') line += `${inode.major}:${inode.minor}`;
    if (inode.xattrs !== undefined)
      for (const key of [...inode.xattrs.keys()].sort())
        line += `\0${key}=${Buffer.from(inode.xattrs.get(key)!).toString('latin1')}`;
    this.put(line + '\0\n');
  }

  /** Adds a further name of the inode with that number. */
  link(name: string, number: number): void {
    this.put(`${name}\0= ${number}\0\n`);
  }

  /** Ends a directory. */
  end(): void {
    this.put('\0\n');
  }

  private put(line: string): void {
    this.pending += line;
    if (this.pending.length > 1 << 16) this.flush();
  }

  private flush(): void {
    this.hash.update(fromLatin1(this.pending));
    this.pending = '';
  }

  /** The digest: 32 bytes. */
  value(): Uint8Array {
    this.flush();
    return this.hash.digest();
  }
}
