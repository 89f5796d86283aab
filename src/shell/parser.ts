import { BuildError } from '../errors/error.ts';
import { asAssignment } from './assignment.ts';
import type { Assignment, Branch, Dialect, Node, Redirect, Source, Word } from './ast.ts';
import { expandBraces } from './braces.ts';
import { ConditionParser } from './condition-parser.ts';
import { Lexer, type Token } from './lexer.ts';
import type { Budget } from './limits.ts';

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Bash takes nearly any word as the name of a function. */
const BASH_FUNCTION = /^[^\s$`"'<>&|;()=]+$/;
/** Reserved words that end the enclosing list. */
const CLOSERS = new Set(['then', 'else', 'elif', 'fi', 'do', 'done', 'esac', '}']);
const REDIRECTS = new Set(['<', '>', '>>', '>|', '<>', '<&', '>&', '<<', '<<-', '<<<', '&>', '&>>']);
const CASE_ENDS: Readonly<Record<string, Branch['next']>> = { ';;': 'end', ';&': 'run', ';;&': 'test' };

/** Options of the parser. */
export interface ParserOptions {
  /** Current aliases. */
  readonly aliases?: ReadonlyMap<string, string>;
  /** The language, dash's by default. */
  readonly dialect?: Dialect;
  /** Whether bash's extended patterns are on. */
  readonly extended?: boolean;
  /** The part of the source to parse, when it is not all of it, and the line where that part begins. */
  readonly text?: string;
  readonly line?: number;
}

/**
 * Parses a script one complete command at a time, as dash does: what was read has run before the next line is parsed,
 * so aliases take effect, and text after an `exit` need not be valid shell.
 */
export class Parser {
  readonly #lexer: Lexer;
  /** Current aliases. */
  aliases: ReadonlyMap<string, string> | undefined;
  readonly #bash: boolean;
  #blank = false;
  readonly #budget: Budget;

  constructor(source: Source, budget: Budget, options: ParserOptions = {}) {
    this.aliases = options.aliases;
    this.#budget = budget;
    this.#bash = (options.dialect ?? 'dash') !== 'dash';
    const below = (text: string, line: number) => new Parser(source, budget, { ...options, text, line });
    this.#lexer = new Lexer(source, options.text ?? source.text, budget, options.line ?? 1, this.#bash, {
      list: () => this.#nested(')'),
      sub: (text, line) => below(text, line).whole(),
      document: (text, line) => budget.deeper(() => below(text, line).#lexer.document()),
      elements: () => this.#elements(),
    });
    this.#lexer.words.extended = options.extended === true;
  }

  /** Switches bash's extended patterns on or off for what is parsed next. */
  set extended(on: boolean) {
    this.#lexer.words.extended = on;
  }

  /** The next complete command, up to the end of its line; undefined at the end of the script. */
  next(): Node | undefined {
    for (;;) {
      const token = this.#lexer.peek();
      if (token.kind === 'end') return undefined;
      if (token.kind !== 'newline') break;
      this.#lexer.take();
    }
    const items: Node[] = [];
    for (;;) {
      const token = this.#lexer.peek();
      if (token.kind === 'newline') {
        this.#lexer.take();
        break;
      }
      if (token.kind === 'end') break;
      items.push(this.#item());
    }
    return sequence(items);
  }

  /** The rest of the script as one node; undefined when it is empty. */
  whole(): Node | undefined {
    const items: Node[] = [];
    for (let node = this.next(); node !== undefined; node = this.next()) items.push(node);
    return items.length === 0 ? undefined : sequence(items);
  }

  #fail(reason: string): never {
    return this.#lexer.fail(reason);
  }

  #unexpected(token: Token): never {
    const what = token.kind === 'end' ? 'end of file' : token.kind === 'newline' ? 'newline' : `"${token.text}"`;
    return this.#fail(`${what} unexpected`);
  }

  /** The body of `$( … )`; consumes the closing parenthesis. */
  #nested(close: string): Node | undefined {
    const body = this.#list();
    const token = this.#lexer.take();
    if (token.text !== close || token.kind !== 'operator') this.#unexpected(token);
    return body;
  }

  /** An and-or list with the separator after it. */
  #item(): Node {
    let node = this.#andOr();
    const token = this.#lexer.peek();
    if (token.kind === 'operator' && (token.text === ';' || token.text === '&')) {
      this.#lexer.take();
      if (token.text === '&') node = { kind: 'background', body: node };
    } else if (token.kind !== 'newline' && token.kind !== 'end' && !this.#closes(token)) this.#unexpected(token);
    return node;
  }

  #closes(token: Token): boolean {
    if (token.kind === 'operator') return token.text === ')' || Object.hasOwn(CASE_ENDS, token.text);
    return token.kind === 'word' && token.literal !== undefined && CLOSERS.has(token.literal);
  }

  /** A list over several lines, up to a closing word or operator, which is not consumed. Undefined when it is empty. */
  #list(): Node | undefined {
    const items: Node[] = [];
    for (;;) {
      const token = this.#lexer.peek();
      if (token.kind === 'newline') {
        this.#lexer.take();
        continue;
      }
      if (token.kind === 'end' || this.#closes(token)) break;
      items.push(this.#item());
    }
    return items.length === 0 ? undefined : sequence(items);
  }

  #body(): Node {
    return this.#list() ?? this.#unexpected(this.#lexer.peek());
  }

  #newlines(): void {
    while (this.#lexer.peek().kind === 'newline') this.#lexer.take();
  }

  #andOr(): Node {
    let left = this.#pipeline();
    for (;;) {
      const token = this.#lexer.peek();
      if (token.kind !== 'operator' || (token.text !== '&&' && token.text !== '||')) return left;
      this.#lexer.take();
      this.#newlines();
      left = { kind: token.text === '&&' ? 'and' : 'or', left, right: this.#pipeline() };
    }
  }

  #pipeline(): Node {
    let token = this.#lexer.peek();
    if (this.#bash && token.kind === 'word' && token.literal === 'time') {
      this.#lexer.take();
      token = this.#lexer.peek();
      if (token.kind === 'word' && token.literal === '-p') this.#lexer.take();
      token = this.#lexer.peek();
    }
    let negated = false;
    while (token.kind === 'word' && token.literal === '!' && (this.#bash || !negated)) {
      negated = !negated;
      this.#lexer.take();
      token = this.#lexer.peek();
    }
    const commands = [this.#command()];
    for (;;) {
      if (this.#operator('|&')) {
        const both: Redirect = { fd: 2, operator: '>&', target: [{ kind: 'text', text: '1', quoted: true }] };
        commands.push({ kind: 'redirected', body: commands.pop()!, redirects: [both], line: token.line });
      } else if (!this.#operator('|')) break;
      this.#newlines();
      commands.push(this.#command());
    }
    const node: Node = commands.length === 1 ? commands[0]! : { kind: 'pipeline', commands };
    return negated ? { kind: 'not', body: node } : node;
  }

  #operator(text: string): boolean {
    const token = this.#lexer.peek();
    if (token.kind !== 'operator' || token.text !== text) return false;
    this.#lexer.take();
    return true;
  }

  #keyword(word: string): void {
    const token = this.#lexer.take();
    if (token.kind !== 'word' || token.literal !== word) this.#fail(`"${token.text}" unexpected (expecting "${word}")`);
  }

  #command(): Node {
    return this.#lexer.deeper(() => {
      this.#expandAlias();
      const token = this.#lexer.peek();
      const compound = this.#compound(token);
      if (compound === undefined) return this.#simple();
      const redirects: Redirect[] = [];
      for (let found = this.#redirect(); found !== undefined; found = this.#redirect()) redirects.push(found);
      return redirects.length === 0 ? compound : { kind: 'redirected', body: compound, redirects, line: token.line };
    });
  }

  #compound(token: Token): Node | undefined {
    if (token.kind === 'operator' && token.text === '(') {
      if (this.#bash && this.#lexer.followedBy(token, '(')) {
        const expression = this.#lexer.arithmetic(token);
        if (expression !== undefined) return { kind: 'arithmetic', expression, line: token.line };
      }
      this.#lexer.take();
      const body = this.#body();
      if (!this.#operator(')')) this.#unexpected(this.#lexer.peek());
      return { kind: 'subshell', body };
    }
    if (token.kind !== 'word' || token.literal === undefined) return undefined;
    switch (token.literal) {
      case '{': {
        this.#lexer.take();
        const body = this.#body();
        this.#keyword('}');
        return body;
      }
      case 'if':
        this.#lexer.take();
        return this.#if();
      case 'while':
      case 'until': {
        this.#lexer.take();
        const test = this.#body();
        return { kind: 'loop', until: token.literal === 'until', test, body: this.#doGroup() };
      }
      case 'for':
        this.#lexer.take();
        return this.#for(token.line);
      case 'case':
        this.#lexer.take();
        return this.#case(token.line);
      case '[[':
        if (!this.#bash) return undefined;
        this.#lexer.take();
        return { kind: 'condition', condition: new ConditionParser(this.#lexer).whole(), line: token.line };
      case 'function':
        if (!this.#bash) return undefined;
        this.#lexer.take();
        return this.#keywordFunction();
      case 'select':
      case 'coproc':
        if (!this.#bash) return undefined;
        return this.#fail(`"${token.literal}" is not supported`);
      default:
        return CLOSERS.has(token.literal) || token.literal === '!' ? this.#unexpected(token) : undefined;
    }
  }

  /** `function name { … }` of bash. */
  #keywordFunction(): Node {
    const name = this.#lexer.take();
    if (name.kind !== 'word' || name.literal === undefined) this.#unexpected(name);
    if (this.#operator('(') && !this.#operator(')')) this.#unexpected(this.#lexer.peek());
    this.#newlines();
    return { kind: 'function', name: name.literal, body: this.#command() };
  }

  /** The elements of `name=(…)`, with the closing parenthesis. */
  #elements(): Word[] {
    const out: Word[] = [];
    for (;;) {
      const token = this.#lexer.take();
      if (token.kind === 'newline') continue;
      if (token.kind === 'operator' && token.text === ')') return out;
      if (token.kind !== 'word') this.#unexpected(token);
      for (const each of this.#words(token.word)) out.push(each);
    }
  }

  /** The words that one word of the text becomes. */
  #words(word: Word): readonly Word[] {
    return this.#bash ? expandBraces(word, this.#budget) : [word];
  }

  #doGroup(): Node {
    if (this.#bash && this.#lexer.peek().literal === '{') {
      this.#lexer.take();
      const body = this.#body();
      this.#keyword('}');
      return body;
    }
    this.#keyword('do');
    const body = this.#body();
    this.#keyword('done');
    return body;
  }

  #if(): Node {
    const test = this.#body();
    this.#keyword('then');
    const then = this.#body();
    const token = this.#lexer.take();
    switch (token.kind === 'word' ? token.literal : undefined) {
      case 'elif':
        return { kind: 'if', test, then, otherwise: this.#lexer.deeper(() => this.#if()) };
      case 'else': {
        const otherwise = this.#body();
        this.#keyword('fi');
        return { kind: 'if', test, then, otherwise };
      }
      case 'fi':
        return { kind: 'if', test, then, otherwise: undefined };
      default:
        return this.#unexpected(token);
    }
  }

  #for(line: number): Node {
    const first = this.#lexer.peek();
    if (this.#bash && first.kind === 'operator' && first.text === '(' && this.#lexer.followedBy(first, '('))
      return this.#count(first, line);
    const name = this.#lexer.take();
    if (name.kind !== 'word' || name.literal === undefined || !NAME.test(name.literal))
      this.#fail('Bad for loop variable');
    let words: Word[] | undefined;
    this.#newlines();
    const token = this.#lexer.peek();
    if (token.kind === 'word' && token.literal === 'in') {
      this.#lexer.take();
      words = [];
      for (;;) {
        const next = this.#lexer.take();
        if (next.kind === 'word') for (const each of this.#words(next.word)) words.push(each);
        else if (next.kind === 'newline' || (next.kind === 'operator' && next.text === ';')) break;
        else this.#unexpected(next);
      }
    } else this.#operator(';');
    this.#newlines();
    return { kind: 'for', name: name.literal, words, body: this.#doGroup(), line };
  }

  /** `for (( start; test; step ))` of bash. */
  #count(first: Token, line: number): Node {
    const expression = this.#lexer.arithmetic(first);
    if (expression === undefined) this.#unexpected(first);
    const [start, test, step, more] = dividedAt(expression, ';');
    if (step === undefined || more !== undefined) this.#fail('expected "for (( start; test; step ))"');
    this.#operator(';');
    this.#newlines();
    return { kind: 'count', start: start!, test: test!, step, body: this.#doGroup(), line };
  }

  #case(line: number): Node {
    const subject = this.#lexer.take();
    if (subject.kind !== 'word') this.#unexpected(subject);
    this.#newlines();
    this.#keyword('in');
    const cases: Branch[] = [];
    for (;;) {
      this.#newlines();
      let token = this.#lexer.take();
      if (token.kind === 'word' && token.literal === 'esac') break;
      if (token.kind === 'operator' && token.text === '(') token = this.#lexer.take();
      const patterns: Word[] = [];
      for (;;) {
        if (token.kind !== 'word') this.#unexpected(token);
        patterns.push(token.word);
        if (!this.#operator('|')) break;
        token = this.#lexer.take();
      }
      if (!this.#operator(')')) this.#unexpected(this.#lexer.peek());
      const body = this.#list();
      const end = this.#lexer.peek();
      const next = end.kind === 'operator' ? CASE_ENDS[end.text] : undefined;
      cases.push({ patterns, body, next: next ?? 'end' });
      if (next !== undefined) this.#lexer.take();
      else {
        this.#newlines();
        this.#keyword('esac');
        break;
      }
    }
    return { kind: 'case', subject: subject.word, cases, line };
  }

  #simple(): Node {
    const assignments: Assignment[] = [];
    const words: Word[] = [];
    const redirects: Redirect[] = [];
    const line = this.#lexer.peek().line;
    for (;;) {
      const redirect = this.#redirect();
      if (redirect !== undefined) {
        redirects.push(redirect);
        continue;
      }
      const token = this.#lexer.peek();
      if (token.kind === 'operator' && token.text === '(' && words.length === 1 && redirects.length === 0) {
        return this.#function(words[0]!, assignments);
      }
      if (token.kind !== 'word') {
        if (words.length + assignments.length + redirects.length === 0) this.#unexpected(token);
        break;
      }
      this.#lexer.take();
      const assignment = words.length === 0 ? asAssignment(token.word, this.#bash) : undefined;
      if (assignment !== undefined) {
        assignments.push(assignment);
        this.#expandAlias();
      } else {
        for (const each of this.#words(token.word)) words.push(each);
        if (this.#blank) {
          this.#blank = false;
          this.#expandAlias();
        }
      }
    }
    return { kind: 'simple', line, source: this.#lexer.source, assignments, words, redirects };
  }

  #function(word: Word, assignments: readonly Assignment[]): Node {
    this.#lexer.take();
    const first = word[0];
    if (!this.#operator(')')) this.#unexpected(this.#lexer.peek());
    const name = this.#bash ? BASH_FUNCTION : NAME;
    if (word.length !== 1 || first?.kind !== 'text' || first.quoted || !name.test(first.text) || assignments.length > 0)
      this.#fail('Bad function name');
    this.#newlines();
    return { kind: 'function', name: (first as { text: string }).text, body: this.#command() };
  }

  #redirect(): Redirect | undefined {
    const token = this.#lexer.peek();
    if (token.kind !== 'operator' || !REDIRECTS.has(token.text)) return undefined;
    this.#lexer.take();
    const target = this.#lexer.take();
    if (target.kind !== 'word') this.#unexpected(target);
    const fd = token.fd ?? (token.text.startsWith('<') ? 0 : 1);
    if (token.text.startsWith('&>'))
      return { fd: 1, operator: token.text === '&>' ? '>' : '>>', target: target.word, both: true };
    // `>& word` is the same in bash, unless the word is a descriptor
    if (this.#bash && token.text === '>&' && token.fd === undefined && !/^([0-9]+|[0-9]*-)$|[$`]/.test(target.text))
      return { fd: 1, operator: '>', target: target.word, both: true };
    if (token.text === '<<' || token.text === '<<-') {
      const redirect: Redirect = { fd, operator: '<<', target: target.word };
      this.#lexer.expectDocument(redirect, token.text === '<<-');
      return redirect;
    }
    return { fd, operator: token.text as Redirect['operator'], target: target.word };
  }

  #expandAlias(): void {
    if (this.aliases === undefined || this.aliases.size === 0) return;
    const seen = new Set<string>();
    for (;;) {
      const token = this.#lexer.peek();
      if (token.kind !== 'word' || token.literal === undefined || seen.has(token.literal)) return;
      const value = this.aliases.get(token.literal);
      if (value === undefined) return;
      seen.add(token.literal);
      // after a value that ends in a blank the next word is looked up as well
      this.#blank = /[ \t]$/.test(value);
      this.#lexer.replace(token, value);
    }
  }
}

function sequence(items: readonly Node[]): Node {
  return items.length === 1 ? items[0]! : { kind: 'sequence', items };
}

/** Divides a word at an unquoted or quoted character of its text. */
function dividedAt(word: Word, divider: string): Word[] {
  const out: Word[] = [];
  let current: Word[number][] = [];
  for (const part of word) {
    if (part.kind !== 'text') {
      current.push(part);
      continue;
    }
    for (const [i, text] of part.text.split(divider).entries()) {
      if (i > 0) {
        out.push(current);
        current = [];
      }
      if (text !== '') current.push({ ...part, text });
    }
  }
  return [...out, current];
}

/** Parses a complete script without running it. Throws `SCRIPT_SYNTAX`. */
export function parse(source: Source, budget: Budget): Node | undefined {
  return new Parser(source, budget).whole();
}

/** True when `error` is a script's syntax error. */
export function isSyntaxError(error: unknown): error is BuildError<'SCRIPT_SYNTAX'> {
  return error instanceof BuildError && error.code === 'SCRIPT_SYNTAX';
}
