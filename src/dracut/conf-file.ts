import { BuildError } from '../errors/error.ts';

/** One assignment of a dracut.conf file. */
export interface Assignment {
  readonly name: string;
  /** `+=` instead of `=`. */
  readonly append: boolean;
  /** The value with quotes removed and variables replaced; the words of an array are joined by blanks. */
  readonly value: string;
  /** The value was an array, `(a b)`. */
  readonly array: boolean;
  /** Line on which the assignment begins, from 1. */
  readonly line: number;
}

/** What a dracut.conf file says. */
export interface ConfFile {
  readonly assignments: readonly Assignment[];
  /** Lines with `+="x` or `x"` where a blank is missing: bash joins the words there, and dracut warns. */
  readonly unspaced: readonly { readonly line: number; readonly text: string }[];
}

/** Longest file that is read. */
const SIZE_MAX = 1 << 20;

/**
 * Reads a dracut.conf(5) file. dracut lets bash run it; here assignments are read, with bash's rules for quotes, joined
 * lines and `$NAME`, and everything that would need bash is an error with its line (`DRACUT_CONF_LINE`).
 *
 * @param variables values of `$NAME`; assignments are added to it.
 * @param hasNoEffect whether the value of a variable matters to nobody: there a `$NAME` that nothing sets stays as it is.
 */
export function readConfFile(
  text: string,
  path: string,
  variables: Map<string, string>,
  hasNoEffect: (name: string) => boolean = () => false,
): ConfFile {
  if (text.length > SIZE_MAX)
    throw new BuildError('DRACUT_CONF_LINE', { path, line: 1, text: '', reason: `it has more than ${SIZE_MAX} bytes` });
  const assignments = new ConfReader(text, path, variables, hasNoEffect).read();
  const unspaced = text
    .split('\n')
    .map((line, i) => ({ line: i + 1, text: line.trim() }))
    // the pattern of dracut's check_conf_file
    .filter((one) => /^[^#]*\+=(?:"[^ ]|.*[^ ]")/.test(one.text));
  return { assignments, unspaced };
}

/** The arguments that a shell would make of a text: quotes keep words together, variables are not known. */
export function splitArguments(text: string, path: string): string[] {
  return new ConfReader(`(${text}\n)`, path, new Map(), () => false).arguments();
}

/** The words of a value: blanks, tabs and newlines separate them. */
export function words(value: string): string[] {
  return value.split(/[ \t\n]+/).filter((word) => word !== '');
}

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
/** Characters that end an unquoted word in a way that only bash could go on from. */
const OPERATORS = new Set(['|', '&', '<', '>', '(', ')']);

/** A value of variables of variables doubles with each line; real files have some hundred bytes. */
const INSERTED_MAX = 1 << 20;

/** One file while it is read. */
class ConfReader {
  private readonly text: string;
  private readonly path: string;
  private readonly variables: Map<string, string>;
  private readonly hasNoEffect: (name: string) => boolean;
  private at = 0;
  private line = 1;
  private counted = 0;
  /** Name whose value is being read. */
  private name = '';

  constructor(text: string, path: string, variables: Map<string, string>, hasNoEffect: (name: string) => boolean) {
    this.text = text;
    this.path = path;
    this.variables = variables;
    this.hasNoEffect = hasNoEffect;
  }

  read(): Assignment[] {
    const found: Assignment[] = [];
    for (;;) {
      this.skipBlanks(true);
      const c = this.text[this.at];
      if (c === undefined) return found;
      if (c === '#') this.skipComment();
      else if (c === ';') this.at++;
      else found.push(this.assignment());
    }
  }

  arguments(): string[] {
    const found = this.array(0);
    if (this.at < this.text.length) throw this.needsBash(0, 'it has ")" outside quotes');
    return found;
  }

  /** Bytes of variables that stand in values so far. */
  private inserted = 0;

  private assignment(): Assignment {
    const start = this.at;
    if (/^export[ \t]+(?=[A-Za-z_])/.test(this.text.slice(start, start + 64))) {
      this.at += 'export'.length;
      this.skipBlanks(false);
    }
    NAME.lastIndex = this.at;
    const name = NAME.exec(this.text)?.[0];
    if (name === undefined) throw this.needsBash(start, 'it is no assignment');
    this.at += name.length;
    const append = this.text.startsWith('+=', this.at);
    if (!append && this.text[this.at] !== '=') throw this.needsBash(start, 'it is no assignment');
    this.at += append ? 2 : 1;
    this.name = name;
    const array = this.text[this.at] === '(';
    const value = array ? this.array(start).join(' ') : this.word(start);
    const next = this.text[this.at];
    if (next !== undefined && !/[ \t\n;]/.test(next)) throw this.needsBash(start, `it has "${next}" outside quotes`);
    const before = this.variables.get(name);
    // an array's words stay words of their own, a text is appended without a blank
    const whole = !append || before === undefined ? value : array ? `${before} ${value}` : before + value;
    this.variables.set(name, whole);
    return { name, append, value, array, line: this.lineOf(start) };
  }

  private array(start: number): string[] {
    const items: string[] = [];
    this.at++;
    for (;;) {
      this.skipBlanks(true);
      const c = this.text[this.at];
      if (c === undefined) throw this.needsBash(start, 'its "(" is never closed');
      if (c === ')') {
        this.at++;
        return items;
      }
      if (c === '#') {
        this.skipComment();
        continue;
      }
      const before = this.at;
      items.push(this.word(start, ')'));
      if (this.at === before) throw this.needsBash(start, `it has "${c}" outside quotes`);
    }
  }

  /** A word up to a blank, `;` or `end`: quoted and unquoted pieces side by side. */
  private word(start: number, end = ''): string {
    let out = '';
    if (this.text[this.at] === '~') throw this.needsBash(start, 'it begins with "~"');
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined || c === ' ' || c === '\t' || c === '\n' || c === ';' || c === end) return out;
      if (c === '\\') {
        const next = this.text[this.at + 1];
        if (next === undefined) throw this.needsBash(start, 'it ends with a backslash');
        if (next !== '\n') out += next;
        this.at += 2;
      } else if (c === "'") {
        const close = this.text.indexOf("'", this.at + 1);
        if (close < 0) throw this.needsBash(start, "its ' is never closed");
        out += this.text.slice(this.at + 1, close);
        this.at = close + 1;
      } else if (c === '"') {
        out += this.quoted(start);
      } else if (c === '$') {
        out += this.variable(start);
      } else if (c === '`' || OPERATORS.has(c)) {
        throw this.needsBash(start, `it has "${c}" outside quotes`);
      } else {
        out += c;
        this.at++;
      }
    }
  }

  private quoted(start: number): string {
    let out = '';
    this.at++;
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined) throw this.needsBash(start, 'its " is never closed');
      if (c === '"') {
        this.at++;
        return out;
      }
      if (c === '\\') {
        const next = this.text[this.at + 1] ?? '';
        if (next !== '\n') out += /["\\$`]/.test(next) ? next : c + next;
        this.at += 2;
      } else if (c === '$') {
        out += this.variable(start, true);
      } else if (c === '`') {
        throw this.needsBash(start, 'it runs a command in ` `');
      } else {
        out += c;
        this.at++;
      }
    }
  }

  /** `$NAME` or `${NAME}`, of a variable that was set in these files. */
  private variable(start: number, quoted = false): string {
    const found = /^\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/.exec(
      this.text.slice(this.at, this.at + 256),
    );
    if (found === null) {
      const after = this.text[this.at + 1] ?? '';
      if (after === '\\' && this.text[this.at + 2] === '\n')
        throw this.needsBash(start, 'it has "$" at the end of a line');
      // a lone dollar sign stands for itself
      if (!(quoted ? /[({$*@#?!0-9-]/ : /[({'"$*@#?!0-9-]/).test(after)) {
        this.at++;
        return '$';
      }
      throw this.needsBash(start, after === '(' ? 'it runs a command in $( )' : `it has "$${after}"`);
    }
    this.at += found[0].length;
    // lines are joined first, so that the name would go on
    if (found[1] === undefined && this.text.startsWith('\\\n', this.at))
      throw this.needsBash(start, 'a name ends at the end of a line');
    const name = (found[1] ?? found[2])!;
    const value = this.variables.get(name);
    if (value !== undefined) {
      this.inserted += value.length;
      if (this.inserted > INSERTED_MAX)
        throw this.needsBash(start, `the values of its variables are longer than ${INSERTED_MAX} bytes`);
      return value;
    }
    // Debian's own file names the initrd by $kernel, also where no kernel is asked for
    if (this.hasNoEffect(this.name)) return found[0];
    throw this.needsBash(start, `it uses $${name}, which no configuration file sets before`);
  }

  private skipBlanks(lines: boolean): void {
    for (;;) {
      const c = this.text[this.at];
      if (c === ' ' || c === '\t' || c === '\r' || (lines && c === '\n')) this.at++;
      else if (c === '\\' && this.text[this.at + 1] === '\n') this.at += 2;
      else return;
    }
  }

  private skipComment(): void {
    const end = this.text.indexOf('\n', this.at);
    this.at = end < 0 ? this.text.length : end;
  }

  /** The line of a place; places come in order, so each line is passed once. */
  private lineOf(at: number): number {
    for (let i = this.text.indexOf('\n', this.counted); i >= 0 && i < at; i = this.text.indexOf('\n', i + 1)) {
      this.line++;
      this.counted = i + 1;
    }
    return this.line;
  }

  private needsBash(start: number, reason: string): BuildError {
    const begin = this.text.lastIndexOf('\n', start - 1) + 1;
    const end = this.text.indexOf('\n', start);
    const text = this.text.slice(begin, end < 0 ? undefined : end).trim();
    return new BuildError('DRACUT_CONF_LINE', {
      path: this.path,
      line: this.lineOf(start),
      text: text.length > 200 ? `${text.slice(0, 200)}…` : text,
      reason: `${reason}, which needs bash`,
    });
  }
}
