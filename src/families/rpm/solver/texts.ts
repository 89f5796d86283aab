import { latin1 } from '../../../bytes/struct.ts';

/** Texts by number. A text is a byte string: one character per byte. */
export interface Texts {
  readonly length: number;
  /** The text of a number below `length`. */
  get(id: number): string;
  /** All of them. */
  toArray(): readonly string[];
}

/** Texts in an array. */
export class TextList implements Texts {
  readonly all: readonly string[];

  constructor(all: readonly string[]) {
    this.all = all;
  }

  get length(): number {
    return this.all.length;
  }

  get(id: number): string {
    return this.all[id]!;
  }

  toArray(): readonly string[] {
    return this.all;
  }
}

/** Texts as they are kept in a file: one after the other, decoded when somebody asks for one. Most are never asked for. */
export class PackedTexts implements Texts {
  private readonly bytes: Uint8Array;
  /** Where each begins, and where the last one ends. */
  private readonly starts: Int32Array;
  private readonly decoded = new Map<number, string>();

  constructor(bytes: Uint8Array, starts: Int32Array) {
    this.bytes = bytes;
    this.starts = starts;
  }

  get length(): number {
    return this.starts.length - 1;
  }

  get(id: number): string {
    let text = this.decoded.get(id);
    if (text === undefined) {
      text = latin1(this.bytes.subarray(this.starts[id], this.starts[id + 1]));
      this.decoded.set(id, text);
    }
    return text;
  }

  toArray(): readonly string[] {
    const { starts } = this;
    const whole = latin1(this.bytes);
    return Array.from({ length: this.length }, (_, id) => whole.slice(starts[id], starts[id + 1]));
  }
}

/** The two parts of {@link PackedTexts}. */
export function packTexts(texts: Texts): { readonly bytes: Uint8Array; readonly starts: Int32Array } {
  const all = texts.toArray();
  const starts = new Int32Array(all.length + 1);
  all.forEach((text, id) => {
    starts[id + 1] = starts[id]! + text.length;
  });
  return { bytes: Buffer.from(all.join(''), 'latin1'), starts };
}

/**
 * Texts of several lists under one numbering, to which more can be added.
 */
export class JoinedTexts implements Texts {
  private readonly parts: readonly Texts[];
  private readonly firsts: readonly number[];
  private readonly more: string[] = [];
  private readonly end: number;

  /** `firsts` are the numbers that the first text of each part gets; they follow each other. 0 is the empty text. */
  constructor(parts: readonly Texts[], firsts: readonly number[]) {
    this.parts = parts;
    this.firsts = firsts;
    this.end = parts.length === 0 ? 1 : firsts.at(-1)! + parts.at(-1)!.length;
  }

  get length(): number {
    return this.end + this.more.length;
  }

  get(id: number): string {
    if (id === 0) return '';
    if (id >= this.end) return this.more[id - this.end]!;
    let part = this.parts.length - 1;
    while (this.firsts[part]! > id) part--;
    return this.parts[part]!.get(id - this.firsts[part]!);
  }

  toArray(): readonly string[] {
    return [''].concat(...this.parts.map((part) => part.toArray()), this.more);
  }

  /** Adds a text, and returns its number. */
  push(text: string): number {
    return this.end + this.more.push(text) - 1;
  }
}
