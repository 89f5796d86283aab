/** Character classes of the C locale, as POSIX names them. */
export const CLASSES: Readonly<Record<string, (c: number) => boolean>> = {
  alpha: (c) => (c >= 65 && c <= 90) || (c >= 97 && c <= 122),
  digit: (c) => c >= 48 && c <= 57,
  alnum: (c) => (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || (c >= 48 && c <= 57),
  upper: (c) => c >= 65 && c <= 90,
  lower: (c) => c >= 97 && c <= 122,
  space: (c) => c === 32 || (c >= 9 && c <= 13),
  blank: (c) => c === 32 || c === 9,
  punct: (c) => (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126),
  print: (c) => c >= 32 && c <= 126,
  graph: (c) => c >= 33 && c <= 126,
  cntrl: (c) => c < 32 || c === 127,
  xdigit: (c) => (c >= 48 && c <= 57) || (c >= 65 && c <= 70) || (c >= 97 && c <= 102),
};

/**
 * How a backslash inside a bracket expression is read: as an ordinary character, as a quote (shell), or as awk's
 * escapes.
 */
export type BracketEscapes = 'none' | 'quote' | 'awk';

const AWK_ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
};

/**
 * Reads the bracket expressions of one text. All reads together take time linear in the text, even when many of them
 * are not closed: a position from which an earlier read found no end is remembered.
 */
export class Brackets {
  readonly #text: string;
  readonly #escapes: BracketEscapes;
  /** Positions between two items from which no `]` is found. */
  readonly #open = new Set<number>();
  /** Next end of a class, collating symbol or equivalence class, by its kind; -1: none is left. */
  readonly #ends = new Map<string, number>();

  constructor(text: string, escapes: BracketEscapes) {
    this.#text = text;
    this.#escapes = escapes;
  }

  /**
   * The set of bytes of the expression whose `[` is before `from`, and the position after its `]`; undefined when it is
   * not closed.
   */
  read(from: number): { readonly set: Uint8Array; readonly end: number } | undefined {
    const text = this.#text;
    const set = new Uint8Array(256);
    const passed: number[] = [];
    let at = from;
    const negated = text[at] === '!' || text[at] === '^';
    if (negated) at++;
    const first = at;
    for (;;) {
      const c = text[at];
      if (c === undefined || this.#open.has(at)) {
        for (const position of passed) this.#open.add(position);
        return undefined;
      }
      if (c === ']' && at > first) break;
      // a `]` in first position is an item; anywhere else it is the end
      if (at > first) passed.push(at);
      const named = c === '[' ? this.#named(at, set) : undefined;
      if (named === null) return undefined;
      if (named !== undefined) {
        at = named;
        continue;
      }
      const low = this.#character(at);
      at = low.next;
      let high = low.code;
      if (text[at] === '-' && text[at + 1] !== undefined && text[at + 1] !== ']') {
        const last = this.#character(at + 1);
        high = last.code;
        at = last.next;
      }
      for (let i = low.code; i <= high && i < 256; i++) set[i] = 1;
    }
    if (negated) for (let i = 0; i < 256; i++) set[i] = set[i] ? 0 : 1;
    return { set, end: at + 1 };
  }

  /** `[:alpha:]`, `[.x.]` and `[=x=]`: the position after it; undefined when there is none, null on an error. */
  #named(at: number, set: Uint8Array): number | undefined | null {
    const kind = this.#text[at + 1];
    if (kind !== ':' && kind !== '.' && kind !== '=') return undefined;
    let end = this.#ends.get(kind);
    if (end === undefined || (end >= 0 && end < at + 2)) {
      end = this.#text.indexOf(`${kind}]`, at + 2);
      this.#ends.set(kind, end);
    }
    if (end < 0) return undefined;
    const name = end - at > 16 ? '' : this.#text.slice(at + 2, end);
    const belongs = kind === ':' && Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
    if (belongs !== undefined) for (let i = 0; i < 256; i++) if (belongs(i)) set[i] = 1;
    if (belongs !== undefined) return end + 2;
    if (kind !== ':' && name.length === 1) {
      set[name.charCodeAt(0)] = 1;
      return end + 2;
    }
    return kind === ':' && this.#escapes !== 'quote' ? null : undefined;
  }

  #character(at: number): { code: number; next: number } {
    const text = this.#text;
    if (text[at] !== '\\' || this.#escapes === 'none' || at + 1 >= text.length)
      return { code: text.charCodeAt(at), next: at + 1 };
    const next = text[at + 1]!;
    if (this.#escapes === 'quote') return { code: next.charCodeAt(0), next: at + 2 };
    const octal = /[0-7]{1,3}/y;
    octal.lastIndex = at + 1;
    const digits = octal.exec(text)?.[0];
    if (digits !== undefined) return { code: Number.parseInt(digits, 8) & 255, next: at + 1 + digits.length };
    return { code: (AWK_ESCAPES[next] ?? next).charCodeAt(0), next: at + 2 };
  }
}
