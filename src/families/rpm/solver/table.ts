import { Numbers } from './numbers.ts';
import { TextList } from './texts.ts';
import { KINDS, type Kind, type Lists, type PackageTable } from './types.ts';

/** A list per row, filled row after row. */
class ListsBuilder {
  private readonly starts = new Numbers();
  private readonly items = new Numbers();

  row(): void {
    this.starts.push(this.items.length);
  }

  push(item: number): void {
    this.items.push(item);
  }

  finish(): Lists {
    this.row();
    return { starts: this.starts.finish(), items: this.items.finish() };
  }
}

/**
 * Builds the table of a repository's packages while its metadata is read: `package` begins a row, `dependency` and `file`
 * add to it in any order.
 */
export class PackageTableBuilder {
  private readonly texts: string[] = [''];
  private readonly textIds = new Map<string, number>([['', 0]]);
  /** By the name's number: the relations that have this name. */
  private readonly relationsOfName = new Map<number, number[]>();
  private readonly relationName = new Numbers();
  private readonly relationFlags: number[] = [];
  private readonly relationEvr: number[] = [];
  private readonly name = new Numbers();
  private readonly evr = new Numbers();
  private readonly arch = new Numbers();
  private readonly lists = Object.fromEntries(KINDS.map((kind) => [kind, new ListsBuilder()])) as Record<
    Kind,
    ListsBuilder
  >;
  private readonly files = new ListsBuilder();

  /** Number of rows so far. */
  get size(): number {
    return this.name.length;
  }

  /** Begins a row. `evr` is `[epoch:]version[-release]`; an epoch of 0 is left out. */
  package(name: string, evr: string, arch: string): void {
    this.name.push(this.text(name));
    this.evr.push(this.text(evr));
    this.arch.push(this.text(arch));
    for (const kind of KINDS) this.lists[kind].row();
    this.files.row();
  }

  /** Adds a dependency to the row. `flags` are bits of types.ts; a name that begins with `(` is a rich dependency. */
  dependency(kind: Kind, name: string, flags = 0, evr = ''): void {
    this.add(kind, this.number(name, flags, evr));
  }

  /** Number of a dependency, for {@link add}: whoever meets the same one often asks for it once. */
  number(name: string, flags = 0, evr = ''): number {
    return this.relation(this.text(name), flags, flags === 0 ? 0 : this.text(evr));
  }

  /** Adds a dependency to the row by its number. */
  add(kind: Kind, number: number): void {
    this.lists[kind].push(number);
  }

  /** Adds a path to the row. */
  file(path: string): void {
    this.files.push(this.text(path));
  }

  /** The table; the builder is of no use afterwards. */
  finish(): PackageTable {
    return {
      texts: new TextList(this.texts),
      relations: {
        name: this.relationName.finish(),
        flags: Uint8Array.from(this.relationFlags),
        evr: Int32Array.from(this.relationEvr),
      },
      name: this.name.finish(),
      evr: this.evr.finish(),
      arch: this.arch.finish(),
      dependencies: Object.fromEntries(KINDS.map((kind) => [kind, this.lists[kind].finish()])) as Record<Kind, Lists>,
      files: this.files.finish(),
    };
  }

  private text(text: string): number {
    let id = this.textIds.get(text);
    if (id === undefined) {
      id = this.texts.length;
      this.texts.push(text);
      this.textIds.set(text, id);
    }
    return id;
  }

  private relation(name: number, flags: number, evr: number): number {
    let known = this.relationsOfName.get(name);
    if (known === undefined) this.relationsOfName.set(name, (known = []));
    for (const id of known) if (this.relationFlags[id] === flags && this.relationEvr[id] === evr) return id;
    const id = this.relationName.length;
    this.relationName.push(name);
    this.relationFlags.push(flags);
    this.relationEvr.push(evr);
    known.push(id);
    return id;
  }
}

/** Text of an epoch, a version and a release as metadata has them apart. */
export function evrText(epoch: string | undefined, version: string, release: string | undefined): string {
  const before = epoch === undefined || /^0*$/.test(epoch) ? '' : `${epoch}:`;
  return `${before}${version}${release === undefined || release === '' ? '' : `-${release}`}`;
}
