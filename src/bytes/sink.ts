import { createHash } from 'node:crypto';
import { fsyncSync, ftruncateSync, writeSync } from 'node:fs';

/** Where the bytes of a new file go, front to back, digested on the way. Failures are the system's own errors. */
export interface Sink {
  /** Takes bytes, which may be overwritten when it is done: at once where nothing is returned. */
  put(piece: Uint8Array): Promise<void> | undefined;
  /** Takes zeros and leaves a hole in the file. They come from the shared page of zeros. */
  skip(zeros: Uint8Array): Promise<void> | undefined;
  /** Waits until everything lies on the disk. The SHA-256 in hex. */
  finish(): Promise<string>;
  /** Lets go of the file, which stays open: nothing is written to it afterwards. */
  abandon(): Promise<void>;
}

/** A sink that does all its work at once, in the thread that calls it. */
export class PlainSink implements Sink {
  private readonly hash = createHash('sha256');
  private readonly fd: number;
  private size = 0;
  private hole = false;

  constructor(fd: number) {
    this.fd = fd;
  }

  put(piece: Uint8Array): undefined {
    this.hash.update(piece);
    for (let at = 0; at < piece.length; ) at += writeSync(this.fd, piece, at, piece.length - at, this.size + at);
    this.size += piece.length;
    this.hole = false;
  }

  skip(zeros: Uint8Array): undefined {
    this.hash.update(zeros);
    this.size += zeros.length;
    this.hole = true;
  }

  async finish(): Promise<string> {
    return this.close();
  }

  /** {@link finish}, for those who cannot wait. */
  close(): string {
    // a hole at the end has no byte that would make the file so long
    if (this.hole) ftruncateSync(this.fd, this.size);
    fsyncSync(this.fd);
    return this.hash.digest('hex');
  }

  async abandon(): Promise<void> {}
}
