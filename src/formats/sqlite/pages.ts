import {
  INDEX_LOCAL,
  INNER_HEAD,
  LEAF_HEAD,
  LEAST_LOCAL,
  LOCK_PAGE,
  OVERFLOW,
  PAGE,
  PAGE_KIND,
  TABLE_LOCAL,
} from './layout.ts';
import { varintSize, writeVarint } from './record.ts';

/** A row of a table: its number, and its record. */
export interface TableRow {
  readonly id: number;
  readonly record: Uint8Array;
}

/**
 * The pages of a database. Trees are written from their leaves up, each page as full as it can be: what is written once needs no
 * room for more.
 */
export class Pages {
  /** All pages, the first of them too; it is written last. */
  private bytes = Buffer.alloc(64 * PAGE);
  count = 1;

  /** The file as it is so far. */
  content(): Uint8Array {
    return this.bytes.subarray(0, this.count * PAGE);
  }

  /** Writes a table's tree of rows in the order of their numbers. Number of its root. */
  table(rows: readonly TableRow[], root?: number): number {
    const cells = rows.map(({ id, record }) => this.cell(record, TABLE_LOCAL, id));
    if (fits(cells, PAGE - LEAF_HEAD - (root === 1 ? FIRST : 0)))
      return this.page(PAGE_KIND.tableLeaf, cells, undefined, root);
    const leaves: number[] = [];
    const separators: Uint8Array[] = [];
    for (let from = 0; from < cells.length; ) {
      let to = filled(cells, from, cells.length, PAGE - LEAF_HEAD);
      // page 1 has less room: what would fill another one becomes two
      if (to - from === cells.length) to--;
      leaves.push(this.page(PAGE_KIND.tableLeaf, cells.slice(from, to)));
      separators.push(varint(rows[to - 1]!.id));
      from = to;
    }
    return this.inner(PAGE_KIND.tableInner, leaves, separators, root);
  }

  /** Writes an index's tree of records in their order. Number of its root. */
  index(records: readonly Uint8Array[]): number {
    const cells = records.map((record) => this.cell(record, INDEX_LOCAL));
    const leaves: number[] = [];
    const separators: Uint8Array[] = [];
    let from = 0;
    for (;;) {
      let to = filled(cells, from, cells.length, PAGE - LEAF_HEAD);
      // one record stands above between two leaves, and no leaf is empty
      if (to === cells.length - 1) to--;
      leaves.push(this.page(PAGE_KIND.indexLeaf, cells.slice(from, to)));
      if (to === cells.length) break;
      separators.push(cells[to]!);
      from = to + 1;
    }
    return leaves.length === 1 ? leaves[0]! : this.inner(PAGE_KIND.indexInner, leaves, separators);
  }

  /** The levels above some pages: `separators[i]` stands between page `i` and the next. */
  private inner(kind: number, below: readonly number[], separators: readonly Uint8Array[], root?: number): number {
    let children = below;
    let between = separators;
    for (;;) {
      const cells = children.map((child, i) => Buffer.concat([u32(child), between[i] ?? new Uint8Array(0)]));
      const last = children.length - 1;
      const room = PAGE - INNER_HEAD - (root === 1 ? FIRST : 0);
      if (fits(cells.slice(0, last), room)) return this.page(kind, cells.slice(0, last), children[last], root);
      const pages: number[] = [];
      const above: Uint8Array[] = [];
      for (let from = 0; from <= last; ) {
        let to = filled(cells, from, last, PAGE - INNER_HEAD);
        // the last page has a record too; page 1 has less room than another one
        if (to === last - 1) to--;
        else if (to - from === last) to -= 2;
        pages.push(this.page(kind, cells.slice(from, to), children[to]));
        if (to < last) above.push(between[to]!);
        from = to + 1;
      }
      children = pages;
      between = above;
    }
  }

  /** A cell of a leaf: the size of its record, the row's number, and what stays here of the record. */
  private cell(record: Uint8Array, local: number, id?: number): Uint8Array {
    const size = record.length;
    const least = LEAST_LOCAL + ((size - LEAST_LOCAL) % OVERFLOW);
    const stays = size <= local ? size : least <= local ? least : LEAST_LOCAL;
    const head = varintSize(size) + (id === undefined ? 0 : varintSize(id));
    const out = new Uint8Array(head + stays + (stays < size ? 4 : 0));
    let at = writeVarint(out, 0, size);
    if (id !== undefined) at = writeVarint(out, at, id);
    out.set(record.subarray(0, stays), at);
    if (stays < size) out.set(u32(this.overflow(record.subarray(stays))), at + stays);
    return out;
  }

  /** Writes the rest of a record to pages of its own. Number of the first. */
  private overflow(rest: Uint8Array): number {
    const pages: number[] = [];
    for (let at = 0; at < rest.length; at += OVERFLOW) pages.push(this.take());
    for (const [i, page] of pages.entries()) {
      const to = this.bytes.subarray((page - 1) * PAGE, page * PAGE);
      to.set(u32(pages[i + 1] ?? 0));
      to.set(rest.subarray(i * OVERFLOW, (i + 1) * OVERFLOW), 4);
    }
    return pages[0]!;
  }

  /** Writes a page of a tree. Its number. */
  private page(kind: number, cells: readonly Uint8Array[], lastChild?: number, number = this.take()): number {
    const page = this.bytes.subarray((number - 1) * PAGE, number * PAGE);
    const view = new DataView(page.buffer, page.byteOffset, PAGE);
    const head = number === 1 ? FIRST : 0;
    let end = PAGE;
    let list = head + (lastChild === undefined ? LEAF_HEAD : INNER_HEAD);
    for (const cell of cells) {
      end -= cell.length;
      page.set(cell, end);
      view.setUint16(list, end);
      list += 2;
    }
    if (list > end) throw new RangeError(`page ${number} is too full`);
    view.setUint8(head, kind);
    view.setUint16(head + 3, cells.length);
    view.setUint16(head + 5, end);
    if (lastChild !== undefined) view.setUint32(head + 8, lastChild);
    return number;
  }

  private take(): number {
    this.count++;
    if (this.count === LOCK_PAGE) this.count++;
    if (this.count * PAGE > this.bytes.length) {
      const longer = Buffer.alloc(Math.max(2 * this.bytes.length, this.count * PAGE));
      longer.set(this.bytes);
      this.bytes = longer;
    }
    return this.count;
  }
}

/** Bytes of page 1 before its tree. */
const FIRST = 100;

/** Where the cells that fit into a page end. */
function filled(cells: readonly Uint8Array[], from: number, end: number, room: number): number {
  let left = room;
  let to = from;
  while (to < end && cells[to]!.length + 2 <= left) left -= cells[to++]!.length + 2;
  return to;
}

function fits(cells: readonly Uint8Array[], room: number): boolean {
  return filled(cells, 0, cells.length, room) === cells.length;
}

function varint(value: number): Uint8Array {
  const out = new Uint8Array(varintSize(value));
  writeVarint(out, 0, value);
  return out;
}

function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}
