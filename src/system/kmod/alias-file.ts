import { IndexEntries } from '../../formats/kmod/index-write.ts';
import type { IndexedModule } from './depmod.ts';

/**
 * A file of lines `alias PATTERN MODULE` (modules.alias, modules.symbols) with the entries of its index. A kernel has tens of
 * thousands: all is done by few calls for each line, since a loop over bytes would be slow before it is compiled.
 */
export class AliasFile {
  readonly entries = new IndexEntries();
  private out: Buffer = Buffer.alloc(1 << 20);
  private used: number;
  /** The module whose name was used last, and its number among the values. */
  private last: IndexedModule | undefined;
  private value = 0;

  /** `head`: the first line. */
  constructor(head: string) {
    this.used = this.out.write(head, 0, 'latin1');
  }

  /** Adds the aliases in a module's `.modinfo`; `odd` is called with a pattern that cannot be a key of the index. */
  addModule(module: IndexedModule, info: Uint8Array, odd: (key: string) => void): void {
    const text = Buffer.from(info.buffer, info.byteOffset, info.length).toString('latin1');
    const { name } = module;
    let lines = '';
    for (let at = text.startsWith(ALIAS) ? 0 : next(text, 0); at >= 0; at = next(text, at)) {
      const end = text.indexOf('\0', at);
      const alias = text.slice(at + ALIAS.length, end < 0 ? text.length : end);
      lines += `alias ${alias} ${name}\n`;
      const key = normalAlias(alias);
      if (key !== undefined) this.entry(module, key, odd);
    }
    if (lines !== '') this.write(lines);
  }

  /** Adds an exported symbol. */
  addSymbol(owner: IndexedModule, symbol: string, odd: (key: string) => void): void {
    const key = `symbol:${symbol}`;
    this.write(`alias ${key} ${owner.name}\n`);
    this.entry(owner, key, odd);
  }

  /** The file. */
  text(): Uint8Array {
    return this.out.subarray(0, this.used);
  }

  private entry(module: IndexedModule, key: string, odd: (key: string) => void): void {
    if (this.last !== module) {
      this.last = module;
      this.value = this.entries.value(module.name);
    }
    if (!this.entries.add(key, this.value, module.index)) odd(key);
  }

  private write(lines: string): void {
    if (this.used + lines.length > this.out.length) {
      const grown = Buffer.alloc(2 * (this.used + lines.length));
      this.out.copy(grown);
      this.out = grown;
    }
    this.used += this.out.write(lines, this.used, 'latin1');
  }
}

const ALIAS = 'alias=';

/** Where the next alias begins behind the one at `at`; -1 if there is none. */
function next(info: string, at: number): number {
  const found = info.indexOf(`\0${ALIAS}`, at);
  return found < 0 ? -1 : found + 1;
}

/** An alias as modprobe looks it up: dashes outside brackets are underscores. Undefined when a bracket is not closed. */
export function normalAlias(alias: string): string | undefined {
  if (!/[-[\]]/.test(alias)) return alias;
  let out = '';
  for (let at = 0; at < alias.length; at++) {
    const char = alias[at]!;
    if (char === ']') return undefined;
    if (char === '[') {
      const end = alias.indexOf(']', at);
      if (end < 0) return undefined;
      out += alias.slice(at, end + 1);
      at = end;
    } else out += char === '-' ? '_' : char;
  }
  return out;
}
