import type { Node, Parameter, Word } from './ast.ts';
import type { Budget } from './limits.ts';
import { compilePattern, escapePattern, isPattern, matchEnd, matchStart, unescapePattern } from './pattern.ts';
import { changeCase, replacePattern, transform } from './transform.ts';

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
  /** True for bash's rules. */
  readonly bash: boolean;
  /** Keys and values of an array of bash; a scalar is an array with one element. */
  elements(name: string): readonly (readonly [string, string])[];
  element(name: string, subscript: string): string | undefined;
  setElement(name: string, subscript: string, value: string): void;
  /** Letters of a variable's attributes, as `declare -p` prints them. */
  attributes(name: string): string;
  /** Names of all variables. */
  names(): string[];
  /** The value of an arithmetic expression. */
  calculate(expression: string): bigint;
  /** Path that stands for `<(…)` or `>(…)`. */
  processPath(body: Node | undefined, output: boolean): string;
  /** True when a shopt option is on. */
  shopt(name: string): boolean;
  /** Ends the script with an expansion error. */
  fail(message: string): never;
  /** Ends the script because of an unset variable. */
  failUnset(name: string, message?: string): never;
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
    if (only?.kind === 'text' && (only.quoted || !/[~*?[(]/.test(only.text))) {
      out.push(only.text);
      continue;
    }
    const fields = new Fields(scope);
    expandInto(word, fields, scope, 'word');
    for (const field of fields.done()) {
      const special = !scope.option('f') && isPattern(field.pattern, scope.shopt('extglob'));
      const found = special ? scope.glob(field.pattern) : [];
      if (found.length > 0) for (const path of found) out.push(path);
      else if (special && scope.shopt('failglob')) scope.fail(`no match: ${field.text}`);
      else if (!(special && scope.shopt('nullglob'))) out.push(field.text);
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
        give(scope.calculate(expandText(part.expression, scope, 'document')).toString(), part.quoted, sink);
        break;
      case 'process':
        sink.text(scope.processPath(part.body, part.output), true);
        break;
      case 'array':
        // only an assignment gives a list a meaning
        sink.text(`(${part.elements.map((word) => expandText(word, scope)).join(' ')})`, true);
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

/** What a parameter refers to: one value, or the list of `$@` or of a complete array. */
interface Referred {
  readonly value: string | undefined;
  readonly list: readonly string[] | undefined;
  readonly star: boolean;
}

function refer(part: Parameter, scope: Scope): Referred {
  const { name, subscript } = part;
  if (name === '@' || name === '*') {
    const { positional } = scope;
    // in dash the list is always set, possibly to nothing
    const value = scope.bash && positional.length === 0 ? undefined : positional.join(' ');
    return { value, list: positional, star: name === '*' };
  }
  if (subscript === undefined) return { value: scope.get(name), list: undefined, star: false };
  const text = expandText(subscript, scope);
  if (text !== '@' && text !== '*') return { value: scope.element(name, text), list: undefined, star: false };
  const list = scope.elements(name).map(([, value]) => value);
  return { value: list.length === 0 ? undefined : list.join(' '), list, star: text === '*' };
}

/** The parameter that `${!name}` means. */
function indirection(part: Parameter, scope: Scope): Parameter {
  const value = refer(part, scope).value ?? scope.fail(`${part.name}: invalid indirect expansion`);
  const match = /^([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(?:\[([\s\S]*)\])?$/.exec(value);
  if (match === null) return scope.fail(`${value}: invalid variable name`);
  const { indirect, subscript, ...rest } = part;
  void indirect;
  void subscript;
  return {
    ...{ ...rest, name: match[1]! },
    ...(match[2] === undefined ? {} : { subscript: [{ kind: 'text', text: match[2], quoted: true }] }),
  };
}

function parameter(given: Parameter, sink: Sink, scope: Scope): void {
  if (given.operator === 'bad') scope.fail(scope.bash ? 'bad substitution' : 'Bad substitution');
  if (given.operator === 'names' || given.operator === 'keys') {
    const found =
      given.operator === 'keys'
        ? scope.elements(given.name).map(([key]) => key)
        : scope.names().filter((name) => name.startsWith(given.name));
    const star = given.operator === 'names' ? given.colon : isStar(given);
    return sink.list(found, star, given.quoted);
  }
  const part = given.indirect ? indirection(given, scope) : given;
  const { name, operator, quoted } = part;
  const { value, list, star } = refer(part, scope);
  const missing = value === undefined || (part.colon && value === '');
  switch (operator) {
    case '-':
      if (missing) return alternative(part, sink, scope);
      break;
    case '+':
      if (!missing) alternative(part, sink, scope);
      else if (quoted && list === undefined) sink.text('', true);
      return;
    case '=':
      if (missing) {
        const text = assignDefault(part, scope);
        return give(text, quoted, sink);
      }
      break;
    case '?':
      if (missing) {
        const text = expandText(part.word, scope);
        const unset = scope.bash ? 'parameter null or not set' : 'parameter not set or null';
        scope.failUnset(name, text !== '' ? text : part.colon ? unset : 'parameter not set');
      }
      break;
    default:
      if (value === undefined && list === undefined && scope.option('u')) scope.failUnset(shown(part, scope));
  }
  if (operator === 'length') {
    if (list !== undefined && scope.bash) return give(String(list.length), quoted, sink);
    return give(String((value ?? '').length), quoted, sink);
  }
  if (operator === 'substring') return substring(part, value ?? '', list, star, sink, scope);
  const change = changer(part, scope);
  if (list !== undefined) {
    // in dash an empty list with an operator is still a field
    if (!scope.bash && quoted && list.length === 0 && operator !== '') sink.text('', true);
    return sink.list(change === undefined ? list : list.map(change), star, quoted);
  }
  give(
    change === undefined ? (value ?? '') : value === undefined && operator === '@' ? '' : change(value ?? ''),
    quoted,
    sink,
  );
}

function isStar({ subscript }: Parameter): boolean {
  return subscript?.[0]?.kind === 'text' && subscript[0].text === '*';
}

function shown(part: Parameter, scope: Scope): string {
  return part.subscript === undefined ? part.name : `${part.name}[${expandText(part.subscript, scope)}]`;
}

function assignDefault(part: Parameter, scope: Scope): string {
  const { name, subscript } = part;
  if (!/^[A-Za-z_]/.test(name))
    scope.fail(scope.bash ? `$${name}: cannot assign in this way` : `${name}: bad variable name`);
  const text = expandText(part.word, scope);
  if (subscript === undefined) scope.assign(name, text);
  else scope.setElement(name, expandText(subscript, scope), text);
  return text;
}

/** What the operator does with a value; undefined when it leaves it as it is. */
function changer(part: Parameter, scope: Scope): ((text: string) => string) | undefined {
  const { operator, name } = part;
  switch (operator) {
    case '#':
    case '##':
    case '%':
    case '%%': {
      const pattern = expandPattern(part.word, scope);
      return (text) => trimmed(text, operator, pattern, scope.budget, scope.shopt('extglob'));
    }
    case '/':
    case '//':
    case '/#':
    case '/%': {
      const pattern = compilePattern(expandPattern(part.word, scope), scope.budget, false, true);
      // an unquoted & in the replacement is what was matched
      const pieces = expandReplacement(part.second ?? [], scope);
      return (text) => replacePattern(text, operator, pattern, pieces, scope.budget);
    }
    case '^':
    case '^^':
    case ',':
    case ',,': {
      const source = expandPattern(part.word, scope);
      const pattern = source === '' ? undefined : compilePattern(source, scope.budget, false, true);
      return (text) => changeCase(text, operator, pattern, scope.budget);
    }
    case '@': {
      const letter = (part.word[0] as { text: string }).text;
      if (letter === 'a') return () => scope.attributes(name);
      if (letter === 'A')
        return (text) => `${declared(scope.attributes(name))}${name}=${transform(text, 'Q', scope.budget)}`;
      return (text) => transform(text, letter, scope.budget) ?? scope.fail(`\${${name}@${letter}}: bad substitution`);
    }
    default:
      return undefined;
  }
}

const declared = (attributes: string) => (attributes === '' ? '' : `declare -${attributes} `);

/** The replacement of `${x/a/b}`: text, and `undefined` where the matched text goes. */
function expandReplacement(word: Word, scope: Scope): (string | undefined)[] {
  const out: (string | undefined)[] = [];
  const sink: Sink = {
    text: (text, quoted) => {
      if (quoted) return void out.push(text);
      for (const piece of text.split(/(\\[\s\S]|&)/)) {
        if (piece === '&') out.push(undefined);
        else if (piece.startsWith('\\') && piece.length === 2)
          out.push(piece[1] === '&' ? '&' : piece[1] === '\\' ? '\\' : piece);
        else out.push(piece);
      }
    },
    value: (text) => sink.text(text, false),
    list: (values, _star, quoted) => sink.text(values.join(' '), quoted),
  };
  expandInto(word, sink, scope, 'assignment');
  return out;
}

/** `${x:offset:length}`. */
function substring(
  part: Parameter,
  value: string,
  list: readonly string[] | undefined,
  star: boolean,
  sink: Sink,
  scope: Scope,
): void {
  const number = (word: Word) => Number(scope.calculate(expandText(word, scope)));
  const offset = number(part.word);
  const length = part.second === undefined ? undefined : number(part.second);
  if (list !== undefined) {
    // `${@:0}` includes `$0`
    const positional = part.name === '@' || part.name === '*';
    if (length !== undefined && length < 0) scope.fail(`${length}: substring expression < 0`);
    if (!positional) {
      // the offset is an index of the array
      const entries = scope.elements(part.name);
      const first = offset < 0 ? Number(entries.at(-1)?.[0] ?? -1) + 1 + offset : offset;
      const found = first < 0 ? [] : entries.filter(([key]) => Number(key) >= first).map(([, text]) => text);
      return sink.list(found.slice(0, length), star, part.quoted);
    }
    const all = [scope.get('0') ?? '', ...list];
    const from = offset < 0 ? all.length + offset : offset;
    const found = from < 0 ? [] : all.slice(from, length === undefined ? undefined : from + length);
    return sink.list(found, star, part.quoted);
  }
  const from = offset < 0 ? value.length + offset : offset;
  const to = length === undefined ? value.length : length < 0 ? value.length + length : from + length;
  if (from >= 0 && from <= value.length && to < from) scope.fail(`${length}: substring expression < 0`);
  give(from < 0 || from > value.length ? '' : value.slice(from, to), part.quoted, sink);
}

/** The word of `${x-word}` and `${x+word}`. */
function alternative({ word, quoted }: Parameter, sink: Sink, scope: Scope): void {
  // a quoted word is a field even when it is empty
  if (quoted && word.length === 0) sink.text('', true);
  expandInto(word, sink, scope, quoted ? 'document' : 'inner');
}

function trimmed(
  text: string,
  operator: '#' | '##' | '%' | '%%',
  pattern: string,
  budget: Budget,
  extended: boolean,
): string {
  budget.look(text.length);
  const start = operator[0] === '#';
  if (!isPattern(pattern, extended)) {
    const literal = unescapePattern(pattern);
    if (start) return text.startsWith(literal) ? text.slice(literal.length) : text;
    return text.endsWith(literal) ? text.slice(0, text.length - literal.length) : text;
  }
  const compiled = compilePattern(pattern, budget, false, extended);
  const length = (start ? matchStart : matchEnd)(compiled, text, operator.length === 2, budget);
  if (length === undefined) return text;
  return start ? text.slice(length) : text.slice(0, text.length - length);
}
