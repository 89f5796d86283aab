import { BuildError } from '../../errors/error.ts';
import { attribute, XmlScanner } from '../../formats/xml/scan.ts';
import { display } from '../../tree/path.ts';
import { hasBlank, hasControl } from './package.ts';
import { evrText, PackageTableBuilder } from './solver/table.ts';
import { TextList, type Texts } from './solver/texts.ts';
import { EQUAL, GREATER, type Kind, LESS, type PackageTable } from './solver/types.ts';

/** A repository's packages: what the resolver needs, and where each one is. */
export interface Primary {
  readonly table: PackageTable;
  /** One line for each row: the tab-separated fields of {@link Facts}. */
  readonly facts: Texts;
  /** Digest of the file that the table was read from, as metadata has it; undefined when it is of nothing else. */
  readonly digest?: string;
}

/** What is known of a package besides its dependencies. */
export interface Facts {
  readonly digest: { readonly algorithm: string; readonly hex: string };
  /** Bytes of the package. */
  readonly size: number;
  /** Bytes when installed. */
  readonly installed: number;
  /** When it was built, in Unix seconds. */
  readonly built: number;
  /** Path below the repository's root, a byte string. */
  readonly location: string;
  /** Another root than the repository's, or empty. */
  readonly base: string;
  /** Name of its source package, or empty. */
  readonly source: string;
}

/** Lists of a package in primary.xml, by the element that holds them. */
const LISTS: ReadonlyMap<string, Kind> = new Map(
  Object.entries({
    'rpm:provides': 'provides',
    'rpm:requires': 'requires',
    'rpm:conflicts': 'conflicts',
    'rpm:obsoletes': 'obsoletes',
    'rpm:recommends': 'recommends',
    'rpm:suggests': 'suggests',
    'rpm:supplements': 'supplements',
    'rpm:enhances': 'enhances',
  }),
);

const FLAGS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    EQ: EQUAL,
    LT: LESS,
    GT: GREATER,
    LE: LESS | EQUAL,
    GE: GREATER | EQUAL,
  }),
);

/** Most packages of one repository; Fedora has 70,000. */
const PACKAGES_MAX = 1_000_000;

/** Reads a primary.xml that streams in, decompressed. `path` is what messages call it. */
export class PrimaryReader {
  private readonly builder = new PackageTableBuilder();
  private readonly lines: string[] = [];
  private readonly scanner: XmlScanner;
  private readonly path: string;
  private depth = 0;
  private draft: Draft | undefined;
  /** The package is of another kind (a source package): it is read and left out. */
  private skipped = false;
  private begun = false;
  private readonly entries = new Map<string, number>();
  private list: Kind | undefined;

  constructor(path: string) {
    this.path = path;
    this.scanner = new XmlScanner(
      { open: (name, attributes) => this.open(name, attributes), close: (name, text) => this.close(name, text) },
      path,
    );
  }

  push(piece: Uint8Array): void {
    this.scanner.push(piece);
  }

  end(): Primary {
    this.scanner.end();
    return { table: this.builder.finish(), facts: new TextList(this.lines) };
  }

  private open(name: string, attributes: string): void {
    this.depth++;
    const { draft } = this;
    if (draft === undefined) {
      if (this.depth === 1 && name !== 'metadata') throw this.invalid(`its root is <${name}>, not <metadata>`);
      if (name === 'package') this.draft = new Draft();
      return;
    }
    if (name === 'rpm:entry') {
      if (this.list !== undefined && !this.skipped) this.entry(this.list, attributes);
      return;
    }
    switch (name) {
      case 'version':
        draft.evr = evrText(
          attribute(attributes, 'epoch'),
          attribute(attributes, 'ver') ?? '',
          attribute(attributes, 'rel'),
        );
        break;
      case 'checksum':
        draft.algorithm = attribute(attributes, 'type') ?? '';
        break;
      case 'time':
        draft.built = attribute(attributes, 'build') ?? '0';
        break;
      case 'size':
        draft.size = attribute(attributes, 'package') ?? '';
        draft.installed = attribute(attributes, 'installed') ?? '0';
        break;
      case 'location':
        draft.location = attribute(attributes, 'href') ?? '';
        draft.base = attribute(attributes, 'xml:base') ?? '';
        break;
      case 'format':
        this.begin(draft);
        break;
      default:
        this.list = LISTS.get(name) ?? this.list;
    }
  }

  private close(name: string, text: string): void {
    this.depth--;
    const { draft } = this;
    if (draft === undefined || name === 'rpm:entry') return;
    switch (name) {
      case 'name':
        draft.name = text.trim();
        break;
      case 'arch':
        draft.arch = text.trim();
        break;
      case 'checksum':
        draft.hex = text.trim();
        break;
      case 'rpm:sourcerpm':
        draft.source = text.trim();
        break;
      case 'file':
        if (this.begun && !this.skipped && this.depth === 3) this.builder.file(text);
        break;
      case 'package':
        if (this.depth === 1) this.finish(draft);
        break;
      default:
        if (LISTS.has(name)) this.list = undefined;
    }
  }

  /** Name and version come before the dependencies, as createrepo writes them. */
  private begin(draft: Draft): void {
    const { name, arch, evr } = draft;
    this.begun = true;
    this.skipped = arch === 'src' || arch === 'nosrc';
    if (this.skipped) return;
    if (name === '' || arch === '' || evr === '')
      throw this.invalid(
        `package ${this.lines.length + 1} has no ${name === '' ? 'name' : arch === '' ? 'architecture' : 'version'} before its <format>`,
      );
    if (hasBlank(name + arch + evr))
      throw this.invalid(
        `package ${this.lines.length + 1} has a blank or a control character in its name, version or architecture: ${display(name)}`,
      );
    if (this.lines.length >= PACKAGES_MAX) throw this.invalid(`more than ${PACKAGES_MAX} packages`);
    this.builder.package(name, evr, arch);
  }

  private entry(kind: Kind, attributes: string): void {
    // two thirds of all entries were met before, letter by letter
    let number = this.entries.get(attributes);
    if (number === undefined) {
      number = this.numberOf(kind, attributes);
      this.entries.set(attributes, number);
    }
    this.builder.add(kind, number);
  }

  private numberOf(kind: Kind, attributes: string): number {
    const name = attribute(attributes, 'name');
    if (name === undefined || name === '') throw this.invalid(`${this.draft!.name}: one of its ${kind} has no name`);
    const check = (text: string) => {
      if (hasControl(text))
        throw this.invalid(`${this.draft!.name}: a control character in its ${kind}: ${display(text)}`);
      return text;
    };
    check(name);
    const word = attribute(attributes, 'flags');
    if (word === undefined) return this.builder.number(name);
    const flags = FLAGS.get(word);
    if (flags === undefined) throw this.invalid(`${this.draft!.name}: the comparison "${word}" in its ${kind}`);
    const evr = evrText(
      attribute(attributes, 'epoch'),
      attribute(attributes, 'ver') ?? '',
      attribute(attributes, 'rel'),
    );
    return this.builder.number(name, flags, check(evr));
  }

  private finish(draft: Draft): void {
    if (!this.begun) this.begin(draft);
    if (!this.skipped) {
      const { algorithm, hex, size, installed, built, location, base, source } = draft;
      const fields = [algorithm.toLowerCase(), hex.toLowerCase(), size, installed, built, location, base, source];
      if (fields.some((field) => /[\t\n]/.test(field)))
        throw this.invalid(`${draft.name}: a tab or line break in its fields`);
      if (location === '') throw this.invalid(`${draft.name}: it names no file`);
      this.lines.push(fields.join('\t'));
    }
    this.draft = undefined;
    this.list = undefined;
    this.begun = this.skipped = false;
  }

  private invalid(reason: string): BuildError<'REPOMD_INVALID'> {
    return new BuildError('REPOMD_INVALID', { path: this.path, reason });
  }
}

/** What is collected of a package before its row is complete. */
class Draft {
  name = '';
  arch = '';
  evr = '';
  algorithm = '';
  hex = '';
  size = '';
  installed = '0';
  built = '0';
  location = '';
  base = '';
  source = '';
}

/** One line of {@link Primary.facts}. */
export function factsOf(line: string): Facts {
  const [algorithm = '', hex = '', size = '', installed = '', built = '', location = '', base = '', source = ''] =
    line.split('\t');
  return {
    digest: { algorithm, hex },
    size: Number(size) || 0,
    installed: Number(installed) || 0,
    built: Number(built) || 0,
    location,
    base,
    source,
  };
}
