import { fdatasync } from 'node:fs';

/** After this many bytes the disk is told to begin: enough for long writes, and little is left at the end. */
const STEP = 16 * 1024 * 1024;

/**
 * Brings a large file to the disk while its next bytes are made. Without it nothing happens before the sync at the end,
 * which then takes about as long as the writing did. Of use only beside that sync, which brings the rest.
 */
export class Writeback {
  private readonly fd: number;
  private since = 0;
  private running: Promise<void> | undefined;
  private failure: Error | undefined;

  /** `fd`: a file open for writing. It must stay open until {@link settled}. */
  constructor(fd: number) {
    this.fd = fd;
  }

  /** Notes that `bytes` more were written. What it returns is to be awaited, so that the end of a step is noticed. */
  wrote(bytes: number): Promise<void> | undefined {
    this.since += bytes;
    if (this.since < STEP) return undefined;
    this.since = 0;
    this.running ??= new Promise((resolve) => {
      fdatasync(this.fd, (error) => {
        // the system reports a failed write once only, so this may be all that is ever heard of it
        this.failure ??= error ?? undefined;
        this.running = undefined;
        resolve();
      });
    });
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Waits until nothing runs any more. Throws the system's error if something could not be written. */
  async settled(): Promise<void> {
    await this.running;
    if (this.failure !== undefined) throw this.failure;
  }
}
