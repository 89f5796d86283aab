import { KEY_ROWS, RELATION_FIELDS, type TableParts } from './packages-table.ts';

const NEWLINE = 10;
const COMMA = 44;
const BAR = 124;
const SPACE = 32;
const PROVIDES = RELATION_FIELDS.indexOf('provides');

/**
 * Scans all relationships of a list once and finds for each package where its name is first mentioned (apt's
 * numbering follows from it), and the keys by which names and provided names are found. Bytes only, no strings.
 */
export function indexNames(
  relations: Uint8Array,
  offsets: Uint32Array,
): Pick<TableParts, 'mentions' | 'names' | 'provided'> {
  const count = offsets.length - 1;
  const known = new NameTable(relations, count);
  const mentions = new Uint32Array(count);
  const names = new Float64Array(count);
  let provided = new Float64Array(1024);
  let size = 0;
  for (let row = 0; row < count; row++) {
    let field = 0;
    let expects = true;
    const end = offsets[row + 1]!;
    for (let at = offsets[row]!; at < end; at++) {
      const c = relations[at]!;
      if (c === NEWLINE) {
        field++;
        expects = true;
      } else if (c === COMMA || c === BAR) expects = true;
      else if (expects && c !== SPACE) {
        expects = false;
        const start = at;
        let hash = 0x811c9dc5;
        for (let b = c; nameByte(b); b = relations[++at]!) hash = Math.imul(hash ^ b, 0x01000193);
        hash >>>= 0;
        known.see(hash, start, at - start);
        if (field === 0) names[row] = hash * KEY_ROWS + row;
        else if (field === PROVIDES) {
          if (size === provided.length) {
            const wider = new Float64Array(size * 2);
            wider.set(provided);
            provided = wider;
          }
          provided[size++] = hash * KEY_ROWS + row;
        }
        // the byte after the name may be significant
        at--;
      }
    }
  }
  for (let row = 0; row < count; row++) {
    const start = offsets[row]!;
    let length = 0;
    while (nameByte(relations[start + length]!)) length++;
    mentions[row] = known.first(Math.floor(names[row]! / KEY_ROWS), start, length);
  }
  return { mentions, names: names.sort(), provided: provided.slice(0, size).sort() };
}

/** Every byte except those that may follow a name in a relationship: blanks, colon, brackets, comma, bar, newline. */
function nameByte(c: number): boolean {
  return c > SPACE && c !== 58 && c !== 40 && c !== 91 && c !== 60 && c !== COMMA && c !== BAR;
}

/** Where each name was first seen: open addressing over the bytes themselves. */
class NameTable {
  readonly #bytes: Uint8Array;
  #hashes: Uint32Array;
  /** Offset of the name plus one; zero: free. */
  #places: Uint32Array;
  #lengths: Uint16Array;
  #size = 0;

  constructor(bytes: Uint8Array, expected: number) {
    this.#bytes = bytes;
    let slots = 1024;
    while (slots < expected * 4) slots *= 2;
    this.#hashes = new Uint32Array(slots);
    this.#places = new Uint32Array(slots);
    this.#lengths = new Uint16Array(slots);
  }

  see(hash: number, start: number, length: number): void {
    const slot = this.#slot(hash, start, length);
    if (this.#places[slot] !== 0) return;
    this.#hashes[slot] = hash;
    this.#places[slot] = start + 1;
    this.#lengths[slot] = length;
    if (++this.#size * 2 > this.#places.length) this.#widen();
  }

  first(hash: number, start: number, length: number): number {
    return this.#places[this.#slot(hash, start, length)]! - 1;
  }

  #slot(hash: number, start: number, length: number): number {
    const mask = this.#places.length - 1;
    let slot = hash & mask;
    for (; this.#places[slot] !== 0; slot = (slot + 1) & mask)
      if (this.#hashes[slot] === hash && this.#lengths[slot] === (length & 0xffff) && this.#same(slot, start, length))
        return slot;
    return slot;
  }

  #same(slot: number, start: number, length: number): boolean {
    const bytes = this.#bytes;
    const place = this.#places[slot]! - 1;
    for (let i = 0; i < length; i++) if (bytes[place + i] !== bytes[start + i]) return false;
    return !nameByte(bytes[place + length]!);
  }

  #widen(): void {
    const [hashes, places, lengths] = [this.#hashes, this.#places, this.#lengths];
    this.#hashes = new Uint32Array(places.length * 2);
    this.#places = new Uint32Array(places.length * 2);
    this.#lengths = new Uint16Array(places.length * 2);
    this.#size = 0;
    for (let slot = 0; slot < places.length; slot++)
      if (places[slot] !== 0) this.see(hashes[slot]!, places[slot]! - 1, lengths[slot]!);
  }
}
