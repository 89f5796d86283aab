import { ArithmeticError, arithmetic } from './arithmetic.ts';
import type { Node, Part, Word } from './ast.ts';
import type { Budget } from './limits.ts';
import { compilePattern, escapePattern, isPattern, matchEnd, matchStart, unescapePattern } from './pattern.ts';

/** What expansion needs from its shell. */
export interface Scope {
  readonly budget: Budget;
  /** A variable, a positional parameter by number, or one of `? # $ - !`. */
  get(name: string): string | undefined;
  assign(name: string, value: string): void;
  readonly positional: readonly string[];
  option(letter: string): boolean;
  /** Output of a command substitution, without trailing newlines. */
  substitute(body: Node | undefined): string;
  /** Paths that match, in byte order; empty when none does. */
  glob(pattern: string): string[];
  /** Home directory of a user; for the empty name, the value of HOME. */
  home(user: string): string | undefined;
  /** Ends the script with an expansion error. */
  fail(message: string): never;
}

/** Receives the pieces of an expanded word. */
interface Sink {
  /** Text that is not split. */
  text(text: string, quoted: boolean): void;
  /** The value of an unquoted expansion. */
  value(text: string): void;
  /** `$@` and `$*`. */
  list(values: readonly string[], star: boolean, quoted: boolean): void;
}

/** Expands words into fields: split at IFS, matched against the tree, quotes removed. */
export function expandFields(words: readonly Word[], scope: Scope): string[] {
  const out: string[] = [];
  for (const word of words) {
    const only = word.length === 1 ? word[0]! : undefined;
    if (only?.kind === 'text' && (only.quoted || !/[~*?[]/.test(only.text))) {
      out.push(only.text);
      continue;
    }
    const fields = new Fields(scope);
    expandInto(word, fields, scope, 'word');
    for (const field of fields.done()) {
      const found = !scope.option('f') && isPattern(field.pattern) ? scope.glob(field.pattern) : [];
      if (found.length > 0) for (const path of found) out.push(path);
      else out.push(field.text);
    }
    scope.budget.spend(fields.count);
  }
  return out;
}

/** Expands a word into one string, as in an assignment, a redirection or a here-document. */
export function expandText(word: Word, scope: Scope, kind: 'assignment' | 'word' | 'document' = 'word'): string {
  if (word.length === 0) return '';
  const only = word.length === 1 ? word[0]! : undefined;
  if (only?.kind === 'text' && (only.quoted || !only.text.includes('~'))) return only.text;
  const sink = new Joined(scope, false);
  expandInto(word, sink, scope, kind);
  return sink.out;
}

/** Expands a word into a pattern in which quoted characters are literal. */
export function expandPattern(word: Word, scope: Scope): string {
  const sink = new Joined(scope, true);
  expandInto(word, sink, scope, 'word');
  return sink.out;
}

/** Expands a word into one string or one pattern. */
class Joined implements Sink {
  out = '';
  readonly #scope: Scope;
  readonly #pattern: boolean;

  constructor(scope: Scope, pattern: boolean) {
    this.#scope = scope;
    this.#pattern = pattern;
  }

  text(text: string, quoted: boolean): void {
    // a pattern is compiled character by character, so charge for its length
    if (this.#pattern) this.#scope.budget.scan(text.length * 16);
    this.out += this.#pattern && quoted ? escapePattern(text) : text;
    this.#scope.budget.length(this.out.length);
  }

  value(text: string): void {
    this.text(text, false);
  }

  list(values: readonly string[], star: boolean, quoted: boolean): void {
    this.#scope.budget.spend(values.length >>> 2);
    const ifs = this.#scope.get('IFS') ?? ' ';
    this.text(values.join(star ? ifs.slice(0, 1) : ' '), quoted);
  }
}

/** Fields being built. `pattern` is the text with quoted special characters escaped. */
class Fields implements Sink {
  readonly #scope: Scope;
  readonly #ifs: string;
  readonly #fields: { text: string; pattern: string }[] = [];
  #text: string | undefined;
  #pattern = '';
  /** White space ended the last field, and a separator that follows belongs to it. */
  #ended = false;

  constructor(scope: Scope) {
    this.#scope = scope;
    this.#ifs = scope.get('IFS') ?? ' \t\n';
  }

  get count(): number {
    return this.#fields.length;
  }

  text(text: string, quoted: boolean): void {
    this.#scope.budget.scan(text.length);
    this.#text = (this.#text ?? '') + text;
    this.#pattern += quoted ? escapePattern(text) : text;
    this.#ended = false;
    this.#scope.budget.length(this.#text.length);
  }

  value(text: string): void {
    if (text === '') return;
    const ifs = this.#ifs;
    if (ifs === '') return this.text(text, false);
    this.#scope.budget.look(text.length);
    this.#scope.budget.scan(text.length * (ifs.length >>> 2));
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const c = text[at]!;
      if (!ifs.includes(c)) continue;
      if (at > from) this.text(text.slice(from, at), false);
      from = at + 1;
      const blank = c === ' ' || c === '\t' || c === '\n';
      if (this.#text !== undefined) {
        this.#push();
        this.#ended = blank;
      } else if (!blank) {
        if (!this.#ended) {
          this.#text = '';
          this.#push();
        }
        this.#ended = false;
      }
    }
    if (from < text.length) this.text(text.slice(from), false);
  }

  list(values: readonly string[], star: boolean, quoted: boolean): void {
    this.#scope.budget.spend(values.length >>> 2);
    if (quoted && star) {
      this.text(values.join((this.#scope.get('IFS') ?? ' ').slice(0, 1)), true);
      return;
    }
    for (const [i, value] of values.entries()) {
      if (i > 0 && this.#text !== undefined) this.#push();
      this.#ended = false;
      if (quoted) this.text(value, true);
      else this.value(value);
    }
  }

  #push(): void {
    this.#fields.push({ text: this.#text!, pattern: this.#pattern });
    this.#text = undefined;
    this.#pattern = '';
  }

  done(): readonly { text: string; pattern: string }[] {
    if (this.#text !== undefined) this.#push();
    return this.#fields;
  }
}

function expandInto(word: Word, sink: Sink, scope: Scope, kind: 'word' | 'assignment' | 'document' | 'inner'): void {
  for (const [i, part] of word.entries()) {
    switch (part.kind) {
      case 'text': {
        let text = part.text;
        if (!part.quoted && text.includes('~')) text = tildes(text, i === 0, i === word.length - 1, kind, sink, scope);
        if (text === '' && !part.quoted) break;
        if (kind === 'inner' && !part.quoted) sink.value(text);
        else sink.text(text, part.quoted);
        break;
      }
      case 'substitution':
        give(scope.substitute(part.body), part.quoted, sink);
        break;
      case 'arithmetic':
        give(evaluate(expandText(part.expression, scope, 'document'), scope), part.quoted, sink);
        break;
      case 'parameter':
        parameter(part, sink, scope);
    }
  }
}

function give(text: string, quoted: boolean, sink: Sink): void {
  if (quoted) sink.text(text, true);
  else sink.value(text);
}

/** Replaces `~` and `~user` where they are special. The result counts as quoted, so it goes straight to the sink. */
function tildes(text: string, first: boolean, last: boolean, kind: string, sink: Sink, scope: Scope): string {
  let rest = text;
  let begins = first;
  while (rest !== '') {
    if (begins && rest.startsWith('~')) {
      const end = kind === 'assignment' ? /[/:]|$/.exec(rest)!.index : /\/|$/.exec(rest)!.index;
      // a name that continues in a quoted piece is not a user name
      const home = end < rest.length || last ? scope.home(rest.slice(1, end)) : undefined;
      if (home !== undefined) {
        sink.text(home, true);
        rest = rest.slice(end);
      }
    }
    const colon = kind === 'assignment' ? rest.indexOf(':') : -1;
    if (colon < 0 || !rest.slice(colon).includes(':~')) return rest;
    sink.text(rest.slice(0, colon + 1), false);
    rest = rest.slice(colon + 1);
    begins = true;
  }
  return rest;
}

function evaluate(expression: string, scope: Scope): string {
  try {
    return arithmetic(expression, { get: (n) => unset(scope, n), set: (n, v) => scope.assign(n, v) }, scope.budget);
  } catch (error) {
    if (error instanceof ArithmeticError) return scope.fail(error.message);
    throw error;
  }
}

function unset(scope: Scope, name: string): string | undefined {
  const value = scope.get(name);
  if (value === undefined && scope.option('u')) scope.fail(`${name}: parameter not set`);
  return value;
}

function parameter(part: Part & { kind: 'parameter' }, sink: Sink, scope: Scope): void {
  const { name, operator, quoted } = part;
  if (operator === 'bad') scope.fail('Bad substitution');
  const list = name === '@' || name === '*';
  // `$@` and `$*` are always set, possibly to nothing
  let value = list ? scope.positional.join(' ') : scope.get(name);
  const missing = value === undefined || (part.colon && value === '');
  switch (operator) {
    case '-':
      if (missing) return alternative(part, sink, scope);
      break;
    case '+':
      if (!missing) alternative(part, sink, scope);
      else if (quoted) sink.text('', true);
      return;
    case '=':
      if (missing) {
        if (!/^[A-Za-z_]/.test(name)) scope.fail(`${name}: bad variable name`);
        value = expandText(part.word, scope);
        scope.assign(name, value);
      }
      break;
    case '?':
      if (missing) {
        const text = expandText(part.word, scope);
        scope.fail(`${name}: ${text !== '' ? text : part.colon ? 'parameter not set or null' : 'parameter not set'}`);
      }
      break;
    default:
      if (value === undefined && !list && scope.option('u')) scope.fail(`${name}: parameter not set`);
  }
  switch (operator) {
    case 'length':
      return give(String((value ?? '').length), quoted, sink);
    case '#':
    case '##':
    case '%':
    case '%%': {
      const trim = (text: string) => trimmed(text, operator, expandPattern(part.word, scope), scope.budget);
      if (list) return sink.list(scope.positional.map(trim), name === '*', quoted);
      return give(trim(value ?? ''), quoted, sink);
    }
    default:
      if (list) return sink.list(scope.positional, name === '*', quoted);
      return give(value ?? '', quoted, sink);
  }
}

/** The word of `${x-word}` and `${x+word}`. */
function alternative({ word, quoted }: Part & { kind: 'parameter' }, sink: Sink, scope: Scope): void {
  // a quoted word is a field even when it is empty
  if (quoted && word.length === 0) sink.text('', true);
  expandInto(word, sink, scope, quoted ? 'document' : 'inner');
}

function trimmed(text: string, operator: '#' | '##' | '%' | '%%', pattern: string, budget: Budget): string {
  budget.look(text.length);
  const start = operator[0] === '#';
  if (!isPattern(pattern)) {
    const literal = unescapePattern(pattern);
    if (start) return text.startsWith(literal) ? text.slice(literal.length) : text;
    return text.endsWith(literal) ? text.slice(0, text.length - literal.length) : text;
  }
  const compiled = compilePattern(pattern, budget);
  const length = (start ? matchStart : matchEnd)(compiled, text, operator.length === 2, budget);
  if (length === undefined) return text;
  return start ? text.slice(length) : text.slice(0, text.length - length);
}
