import type { Cursor } from '../bytes/cursor.ts';
import { BuildError } from '../errors/error.ts';
import type { Format } from './format.ts';

/** A decoder's input and its way of reporting errors. */
export class Reading {
  readonly cursor: Cursor;
  private readonly format: Format;
  private readonly name: string;

  constructor(cursor: Cursor, format: Format, name: string) {
    this.cursor = cursor;
    this.format = format;
    this.name = name;
  }

  /** A fresh copy of the next `size` bytes. */
  async exactly(size: number, what: string): Promise<Uint8Array> {
    const bytes = await this.cursor.upTo(size);
    if (bytes.length < size) throw this.truncated(what);
    return bytes;
  }

  /** The buffered bytes, not yet consumed; throws at the end of the stream. */
  async some(what: string): Promise<Uint8Array> {
    const piece = await this.cursor.at();
    if (piece.length === 0) throw this.truncated(what);
    return piece;
  }

  truncated(what: string): BuildError {
    return new BuildError(
      'COMPRESSED_TRUNCATED',
      { path: this.name, format: this.format, offset: this.cursor.offset, what },
      { hint: 'the file is incomplete: fetch or make it again' },
    );
  }

  corrupt(reason: string, offset = this.cursor.offset): BuildError {
    return new BuildError(
      'COMPRESSED_CORRUPT',
      { path: this.name, format: this.format, offset, reason },
      { hint: 'the file is damaged: fetch or make it again' },
    );
  }

  unsupported(what: string): BuildError {
    return new BuildError(
      'COMPRESSED_UNSUPPORTED',
      { path: this.name, format: this.format, offset: this.cursor.offset, what },
      { hint: 'decompress it with the tool that made it, or compress it with plain settings' },
    );
  }

  trailing(offset = this.cursor.offset): BuildError {
    return new BuildError('COMPRESSED_TRAILING', { path: this.name, format: this.format, offset });
  }
}
