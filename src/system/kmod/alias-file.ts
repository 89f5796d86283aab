import { IndexEntries, KEY_LIMIT } from '../../formats/kmod/index-file.ts';
import type { IndexedModule } from './depmod.ts';

const ALIAS = Buffer.from('alias=');
const WORD = Buffer.from('alias ');
const SYMBOL = Buffer.from('symbol:');
const NOTHING = Buffer.alloc(0);
const [DASH, OPENS, CLOSES, UNDERSCORE, BLANK, NEWLINE] = [0x2d, 0x5b, 0x5d, 0x5f, 0x20, 0x0a];

/**
 * A file of lines `alias PATTERN MODULE` (modules.alias, modules.symbols) with the entries of its index. It is made of
 * bytes: a kernel has tens of thousands of them.
 */
export class AliasFile {
  readonly entries = new IndexEntries();
  private out: Buffer = Buffer.alloc(1 << 20);
  private used: number;
  /** The module whose name was used last, with its bytes and its number among the values. */
  private last: IndexedModule | undefined;
  private name: Buffer = NOTHING;
  private value = 0;
  private key: Buffer = Buffer.alloc(KEY_LIMIT);

  /** `head`: the first line. */
  constructor(head: string) {
    this.used = this.out.write(head, 0, 'latin1');
  }

  /** Adds the aliases in a module's `.modinfo`; `odd` is called with a pattern that cannot be a key of the index. */
  addModule(module: IndexedModule, info: Uint8Array, odd: (key: string) => void): void {
    const { length } = info;
    for (let at = 0; at < length; at++) {
      let end = at;
      while (end < length && info[end] !== 0) end++;
      if (end - at >= ALIAS.length && startsWith(info, at)) this.addAlias(module, info, at + ALIAS.length, end, odd);
      at = end;
    }
  }

  private addAlias(module: IndexedModule, of: Uint8Array, from: number, end: number, odd: (key: string) => void): void {
    this.line(module, NOTHING, of, from, end);
    const size = end - from;
    if (size > this.key.length) this.key = Buffer.alloc(2 * size);
    if (!normalised(of, from, end, this.key)) return;
    if (!this.entries.addBytes(NOTHING, this.key, 0, size, this.value, module.index))
      odd(this.key.toString('latin1', 0, size));
  }

  /** Adds an exported symbol: the bytes `from` to `end` of `of`. */
  addSymbol(owner: IndexedModule, of: Uint8Array, from: number, end: number, odd: (key: string) => void): void {
    this.line(owner, SYMBOL, of, from, end);
    if (!this.entries.addBytes(SYMBOL, of, from, end, this.value, owner.index))
      odd(`symbol:${Buffer.from(of.subarray(from, end)).toString('latin1')}`);
  }

  /** The file. */
  text(): Uint8Array {
    return this.out.subarray(0, this.used);
  }

  private line(module: IndexedModule, start: Buffer, of: Uint8Array, from: number, end: number): void {
    if (this.last !== module) {
      this.last = module;
      this.name = Buffer.from(module.name, 'latin1');
      this.value = this.entries.value(module.name);
    }
    const { name } = this;
    const size = WORD.length + start.length + end - from + name.length + 2;
    if (this.used + size > this.out.length) {
      const grown = Buffer.alloc(2 * (this.used + size));
      this.out.copy(grown);
      this.out = grown;
    }
    const { out } = this;
    let at = this.used;
    for (let i = 0; i < WORD.length; i++) out[at++] = WORD[i]!;
    for (let i = 0; i < start.length; i++) out[at++] = start[i]!;
    for (let i = from; i < end; i++) out[at++] = of[i]!;
    out[at++] = BLANK;
    for (let i = 0; i < name.length; i++) out[at++] = name[i]!;
    out[at++] = NEWLINE;
    this.used = at;
  }
}

function startsWith(info: Uint8Array, at: number): boolean {
  for (let i = 0; i < ALIAS.length; i++) if (info[at + i] !== ALIAS[i]) return false;
  return true;
}

/** Writes an alias to `into` as modprobe looks it up (`normalAlias`). False when a bracket is not closed or not opened. */
function normalised(of: Uint8Array, from: number, end: number, into: Uint8Array): boolean {
  let open = false;
  for (let at = from, to = 0; at < end; at++, to++) {
    const byte = of[at]!;
    if (open) {
      if (byte === CLOSES) open = false;
    } else if (byte === CLOSES) return false;
    else if (byte === OPENS) open = true;
    into[to] = byte === DASH && !open ? UNDERSCORE : byte;
  }
  return !open;
}
