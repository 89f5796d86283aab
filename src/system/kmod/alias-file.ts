import { IndexEntries } from '../../formats/kmod/index-write.ts';
import type { IndexedModule } from './depmod.ts';

/**
 * A file of lines `alias PATTERN MODULE` (modules.alias, modules.symbols) with the entries of its index. A kernel has tens of
 * thousands: all is done by few calls for each line, since a loop over bytes would be slow before it is compiled.
 */
export class AliasFile {
  readonly entries = new IndexEntries();
  private readonly lines: string[];
  /** The module whose name was used last, and its number among the values. */
  private last: IndexedModule | undefined;
  private value = 0;

  /** `head`: the first line. */
  constructor(head: string) {
    this.lines = [head];
  }

  /**
   * Adds the aliases in a module's `.modinfo`, a byte string; `odd` is called with a pattern that cannot be a key of the index.
   */
  addModule(module: IndexedModule, info: string, odd: (key: string) => void): void {
    const { name } = module;
    const { lines } = this;
    for (let at = info.startsWith(ALIAS) ? 0 : next(info, 0); at >= 0; at = next(info, at)) {
      const end = info.indexOf('\0', at);
      const alias = info.slice(at + ALIAS.length, end < 0 ? info.length : end);
      lines.push(`alias ${alias} ${name}\n`);
      const key = normalAlias(alias);
      if (key !== undefined) this.entry(module, key, odd);
    }
  }

  /** Adds an exported symbol. */
  addSymbol(owner: IndexedModule, symbol: string, odd: (key: string) => void): void {
    const key = `symbol:${symbol}`;
    this.lines.push(`alias ${key} ${owner.name}\n`);
    this.entry(owner, key, odd);
  }

  /** The file. */
  text(): Uint8Array {
    return Buffer.from(this.lines.join(''), 'latin1');
  }

  private entry(module: IndexedModule, key: string, odd: (key: string) => void): void {
    if (this.last !== module) {
      this.last = module;
      this.value = this.entries.value(module.name);
    }
    if (!this.entries.add(key, this.value, module.index)) odd(key);
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
