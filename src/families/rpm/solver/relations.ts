import { rpmvercmp } from '../../../formats/rpm/version.ts';
import { Numbers } from './numbers.ts';
import { AND, ELSE, IF, OR, UNLESS, WITH, WITHOUT } from './operators.ts';
import { parseRich } from './rich-parse.ts';
import { indexedText, indexTexts } from './text-index.ts';
import { JoinedTexts } from './texts.ts';
import { EQUAL, GREATER, LESS, type PackageTable } from './types.ts';

const WORDS: ReadonlyMap<number, string> = new Map([
  [AND, 'and'],
  [OR, 'or'],
  [WITH, 'with'],
  [IF, 'if'],
  [ELSE, 'else'],
  [WITHOUT, 'without'],
  [UNLESS, 'unless'],
]);

interface EvrParts {
  readonly epoch: string;
  readonly version: string;
  /** Undefined when there is none. */
  readonly release: string | undefined;
}

function splitEvr(text: string): EvrParts {
  let digits = 0;
  while (text.charCodeAt(digits) >= 48 && text.charCodeAt(digits) <= 57) digits++;
  const colon = digits > 0 && text.charCodeAt(digits) === 58;
  const rest = colon ? text.slice(digits + 1) : text;
  const dash = rest.lastIndexOf('-');
  return {
    epoch: colon ? text.slice(0, digits) : '0',
    version: dash < 0 ? rest : rest.slice(0, dash),
    release: dash < 0 ? undefined : rest.slice(dash + 1),
  };
}

/** Relations that were made of the same tables before. */
export interface KeptRelations {
  /** Texts that are in no table: parts of rich dependencies. */
  readonly texts: readonly string[];
  readonly canonical: Int32Array;
  /** As text-index.ts makes it. */
  readonly index: Int32Array;
  readonly names: Int32Array;
  readonly operators: Int32Array;
  readonly operands: Int32Array;
}

/**
 * Texts and dependencies as numbers. A dependency is the number of its name when it is only a name (above 0), or minus
 * the number of a relation; 0 is none. A relation's name and second operand are dependencies themselves when it is rich,
 * and its second operand is the number of a text when it is a comparison.
 */
export class Relations {
  /** By number; one that occurs in several tables has several numbers, of which `canonical` is used. */
  readonly texts: JoinedTexts;
  private readonly ids = new Map<string, number>([['', 0]]);
  /** By number of a text of a table: the number that stands for this text everywhere. */
  readonly canonical: Int32Array;
  /** From here on the texts of the largest table, `rare`: they are not in `ids`. */
  private readonly rareStart: number = 0;
  private readonly rare: readonly string[] = [];
  private readonly names: Numbers;
  private readonly operators: Numbers;
  private readonly operands: Numbers;
  /** Of kept relations: the texts by their hashes, instead of `ids`. */
  private readonly index: Int32Array | undefined;
  private loaded = false;
  private readonly evrs: (EvrParts | undefined)[] = [];
  /** For each table: the number of its first text. */
  readonly firstText: readonly number[];
  /** For each table: the dependency of each of its relations; none for kept ones, of which nobody asks. */
  readonly dependencies: readonly Int32Array[] = [];

  constructor(tables: readonly PackageTable[], kept?: KeptRelations) {
    const firstText: number[] = [];
    let count = 1;
    for (const table of tables) {
      firstText.push(count);
      count += table.texts.length;
    }
    this.texts = new JoinedTexts(
      tables.map((table) => table.texts),
      firstText,
    );
    this.firstText = firstText;
    if (kept !== undefined) {
      for (const text of kept.texts) this.texts.push(text);
      this.canonical = kept.canonical;
      this.index = kept.index;
      this.names = Numbers.of(kept.names);
      this.operators = Numbers.of(kept.operators);
      this.operands = Numbers.of(kept.operands);
      this.loaded = true;
      return;
    }
    this.canonical = new Int32Array(count);
    const relations = tables.reduce((sum, table) => sum + table.relations.name.length, 1);
    this.names = new Numbers(relations + 1024);
    this.operators = new Numbers(relations + 1024);
    this.operands = new Numbers(relations + 1024);
    // relation 0 stands for none
    this.append(0, 0, 0);
    // the texts of the largest table are only looked up among the others: that is much cheaper than to keep them all
    let largest = 0;
    tables.forEach((table, i) => {
      if (table.texts.length > (tables[largest]?.texts.length ?? 0)) largest = i;
    });
    const all = tables.map((table) => table.texts.toArray());
    this.rareStart = firstText[largest] ?? count;
    this.rare = all[largest] ?? [];
    all.forEach((texts, i) => {
      const base = firstText[i]!;
      if (i !== largest)
        for (let id = 0; id < texts.length; id++) this.canonical[base + id] = this.text(texts[id]!, base + id);
    });
    const rich = this.parseRich(tables, all);
    const { ids, canonical, rare, rareStart } = this;
    for (let id = 0; id < rare.length; id++) canonical[rareStart + id] = ids.get(rare[id]!) ?? rareStart + id;
    // names in rich dependencies were numbered before the largest table was
    this.dependencies = tables.map((table, i) => this.load(table, firstText[i]!, rich[i]!));
    this.loaded = true;
  }

  /** What can be kept in a file, and given back to the constructor with the same tables. */
  parts(): KeptRelations {
    const { canonical, names, operators, operands } = this;
    const all = this.texts.toArray();
    return {
      texts: all.slice(canonical.length),
      canonical,
      index: indexTexts(all, canonical),
      names: names.finish(),
      operators: operators.finish(),
      operands: operands.finish(),
    };
  }

  /** Reads the rich dependencies of all tables: by relation, 0 for others and for those that cannot be read. */
  private parseRich(tables: readonly PackageTable[], all: readonly (readonly string[])[]): Int32Array[] {
    return tables.map(({ relations: { name } }, table) => {
      const texts = all[table]!;
      const found = new Int32Array(name.length);
      const isRich = new Uint8Array(texts.length);
      for (let i = 0; i < texts.length; i++) if (texts[i]!.charCodeAt(0) === 40 /* ( */) isRich[i] = 1;
      for (let i = 0; i < name.length; i++) if (isRich[name[i]!]) found[i] = parseRich(this, texts[name[i]!]!);
      return found;
    });
  }

  private load({ relations }: PackageTable, base: number, rich: Int32Array): Int32Array {
    const { canonical } = this;
    const { name, flags, evr } = relations;
    const found = new Int32Array(name.length);
    for (let i = 0; i < name.length; i++) {
      const id = canonical[base + name[i]!]!;
      if (rich[i] !== 0) found[i] = rich[i]!;
      else found[i] = flags[i] === 0 ? id : this.append(id, flags[i]! & 7, canonical[base + evr[i]!]!);
    }
    return found;
  }

  /** Number of a text, given a new one (or the one given) when it is not known yet. */
  text(text: string, given?: number): number {
    let id = this.loaded ? this.known(text) : this.ids.get(text);
    if (id === undefined) {
      id = given ?? this.texts.push(text);
      this.ids.set(text, id);
    }
    return id;
  }

  /** Number of a text that is known; undefined when no package mentions it. */
  known(text: string): number | undefined {
    const found = this.ids.get(text);
    if (found !== undefined) return found;
    if (this.index !== undefined) return indexedText(this.index, this.texts, text);
    const at = this.rare.indexOf(text);
    if (at < 0) return undefined;
    this.ids.set(text, this.rareStart + at);
    return this.rareStart + at;
  }

  /** How many relations there are, with the one that stands for none. */
  get count(): number {
    return this.names.length;
  }

  name(dependency: number): number {
    return this.names.array[-dependency]!;
  }

  operator(dependency: number): number {
    return this.operators.array[-dependency]!;
  }

  operand(dependency: number): number {
    return this.operands.array[-dependency]!;
  }

  private append(name: number, operator: number, operand: number): number {
    const id = this.names.length;
    this.names.push(name);
    this.operators.push(operator);
    this.operands.push(operand);
    return -id;
  }

  /** A dependency of a name, an operator and an operand. */
  relation(name: number, operator: number, operand: number): number {
    return this.append(name, operator, operand);
  }

  /** The plain name that a dependency begins with. */
  plainName(dependency: number): number {
    while (dependency < 0) dependency = this.name(dependency);
    return dependency;
  }

  /** True when a dependency has to be turned into clauses: `with` and `without` only select among packages. */
  isRich(dependency: number): boolean {
    while (dependency < 0) {
      const operator = this.operator(dependency);
      if (operator === AND || operator === IF || operator === UNLESS) return true;
      if (operator !== OR) return false;
      if (this.isRich(this.name(dependency))) return true;
      dependency = this.operand(dependency);
    }
    return false;
  }

  /** As rpm writes it: `a >= 1`, `(a if b)`. */
  show(dependency: number): string {
    if (dependency >= 0) return this.texts.get(dependency);
    const operator = this.operator(dependency);
    const name = this.show(this.name(dependency));
    if (operator < 8) {
      const sign = `${operator & LESS ? '<' : ''}${operator & GREATER ? '>' : ''}${operator & EQUAL ? '=' : ''}`;
      return `${name} ${sign} ${this.texts.get(this.operand(dependency))}`;
    }
    const second = this.operand(dependency);
    const other = this.show(second);
    const chained = second < 0 && (this.operator(second) === operator || this.operator(second) === ELSE);
    return `(${name} ${WORDS.get(operator)} ${chained ? other.slice(1, -1) : other})`;
  }

  private evr(id: number): EvrParts {
    let found = this.evrs[id];
    if (found === undefined) this.evrs[id] = found = splitEvr(this.texts.get(id));
    return found;
  }

  /** Order of two versions of packages: a missing release comes before any. */
  compareEvr(a: number, b: number): number {
    if (a === b) return 0;
    const x = this.evr(a);
    const y = this.evr(b);
    const found = rpmvercmp(x.epoch, y.epoch) || rpmvercmp(x.version, y.version);
    if (found !== 0) return found;
    if (x.release === undefined || y.release === undefined)
      return x.release === y.release ? 0 : x.release === undefined ? -1 : 1;
    return rpmvercmp(x.release, y.release);
  }

  /** Like `compareEvr`, but -2 or 2 when all is equal and only the second or the first has a release. */
  matchEvr(a: number, b: number): number {
    if (a === b) return 0;
    const x = this.evr(a);
    const y = this.evr(b);
    const found = rpmvercmp(x.epoch, y.epoch) || rpmvercmp(x.version, y.version);
    if (found !== 0) return found;
    // `a = 4-` is `a = 4`
    const one = x.release === '' ? undefined : x.release;
    const two = y.release === '' ? undefined : y.release;
    if (one === undefined || two === undefined) return one === two ? 0 : one === undefined ? -2 : 2;
    return rpmvercmp(one, two);
  }

  /** True when something of the version `operator1 evr1` is something of `operator2 evr2`. */
  overlaps(operator1: number, evr1: number, operator2: number, evr2: number): boolean {
    if (operator1 === 0 || operator2 === 0 || operator1 >= 8 || operator2 >= 8) return false;
    if (operator1 === 7 || operator2 === 7) return true;
    if ((operator1 & operator2 & (LESS | GREATER)) !== 0) return true;
    switch (this.matchEvr(evr1, evr2)) {
      case -2:
        return (operator1 & EQUAL) !== 0;
      case -1:
        return (operator2 & LESS) !== 0 || (operator1 & GREATER) !== 0;
      case 0:
        return (operator1 & operator2 & EQUAL) !== 0;
      case 1:
        return (operator2 & GREATER) !== 0 || (operator1 & LESS) !== 0;
      default:
        return (operator2 & EQUAL) !== 0;
    }
  }
}
