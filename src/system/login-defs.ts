import type { Tree } from '../tree/tree.ts';
import { lines } from './context.ts';

/** Settings of the account tools: login.defs(5). */
export class LoginDefs {
  readonly #values = new Map<string, string>();

  constructor(tree: Tree) {
    for (const line of lines(tree.text('etc/login.defs') ?? '')) {
      const found = /^\s*([A-Z_]+)\s+"?([^"#\s]+)/.exec(line);
      if (found !== null) this.#values.set(found[1]!, found[2]!);
    }
  }

  /** A setting as it is written. */
  text(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** A setting that is a number, octal if it begins with 0; `fallback` if it is missing or not a number. */
  number(name: string, fallback: number): number {
    const text = this.#values.get(name) ?? '';
    if (/^0[0-7]{1,10}$/.test(text)) return Number.parseInt(text, 8);
    return /^[0-9]{1,10}$/.test(text) ? Number(text) : fallback;
  }

  /** A setting that is `yes` or `no`. */
  yes(name: string, fallback: boolean): boolean {
    const text = this.#values.get(name);
    return text === undefined ? fallback : text.toLowerCase() === 'yes';
  }

  /** The range of ids for system accounts, or for others, as useradd(8) and groupadd(8) use it. */
  ids(of: 'user' | 'group', system: boolean): { readonly first: number; readonly last: number } {
    const prefix = of === 'user' ? 'UID' : 'GID';
    const first = this.number(`${prefix}_MIN`, 1000);
    if (!system) return { first, last: this.number(`${prefix}_MAX`, 60000) };
    return { first: this.number(`SYS_${prefix}_MIN`, 101), last: this.number(`SYS_${prefix}_MAX`, first - 1) };
  }
}
