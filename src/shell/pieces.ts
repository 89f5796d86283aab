import type { Part, Word } from './ast.ts';

/** Collects the pieces of a word; adjacent text of one kind becomes one piece. */
export class Pieces {
  readonly #parts: Part[] = [];
  #text: string[] = [];
  #quoted = false;
  #open = false;
  count = 0;

  text(text: string, quoted: boolean): void {
    this.count++;
    if (this.#open && this.#quoted !== quoted) this.#close();
    this.#open = true;
    this.#quoted = quoted;
    this.#text.push(text);
  }

  add(part: Part): void {
    if (part.kind === 'text') return this.text(part.text, part.quoted);
    this.count++;
    this.#close();
    this.#parts.push(part);
  }

  /** The text so far, when all of it is one unquoted piece. */
  plain(): string | undefined {
    if (this.#parts.length > 0 || !this.#open || this.#quoted) return undefined;
    return this.#text.join('');
  }

  #close(): void {
    if (this.#open) this.#parts.push({ kind: 'text', text: this.#text.join(''), quoted: this.#quoted });
    this.#open = false;
    this.#text = [];
  }

  done(): Word {
    this.#close();
    return this.#parts;
  }
}
