import { BuildError } from '../errors/error.ts';
import type { Assignment, Node, Redirect, Source, Word } from './ast.ts';
import { Lexer, type Token } from './lexer.ts';
import type { Budget } from './limits.ts';

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]*)=/;
/** Reserved words that end the enclosing list. */
const CLOSERS = new Set(['then', 'else', 'elif', 'fi', 'do', 'done', 'esac', '}']);
const REDIRECTS = new Set(['<', '>', '>>', '>|', '<>', '<&', '>&', '<<', '<<-']);

/** Options of the parser. */
export interface ParserOptions {
  /** Current aliases. */
  readonly aliases?: ReadonlyMap<string, string>;
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
  readonly #aliases: ReadonlyMap<string, string> | undefined;

  constructor(source: Source, budget: Budget, options: ParserOptions = {}) {
    this.#aliases = options.aliases;
    const below = (text: string, line: number) => new Parser(source, budget, { ...options, text, line });
    this.#lexer = new Lexer(source, options.text ?? source.text, budget, options.line ?? 1, {
      list: (close) => this.#nested(close),
      sub: (text, line) => below(text, line).whole(),
      document: (text, line) => budget.deeper(() => below(text, line).#lexer.document()),
    });
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
    if (token.kind === 'operator') return token.text === ')' || token.text === ';;';
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
    const token = this.#lexer.peek();
    const negated = token.kind === 'word' && token.literal === '!';
    if (negated) this.#lexer.take();
    const commands = [this.#command()];
    while (this.#operator('|')) {
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
      default:
        return CLOSERS.has(token.literal) || token.literal === '!' ? this.#unexpected(token) : undefined;
    }
  }

  #doGroup(): Node {
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
        if (next.kind === 'word') words.push(next.word);
        else if (next.kind === 'newline' || (next.kind === 'operator' && next.text === ';')) break;
        else this.#unexpected(next);
      }
    } else this.#operator(';');
    this.#newlines();
    return { kind: 'for', name: name.literal!, words, body: this.#doGroup(), line };
  }

  #case(line: number): Node {
    const subject = this.#lexer.take();
    if (subject.kind !== 'word') this.#unexpected(subject);
    this.#newlines();
    this.#keyword('in');
    const cases: { patterns: Word[]; body: Node | undefined }[] = [];
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
      cases.push({ patterns, body: this.#list() });
      if (!this.#operator(';;')) {
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
      const assignment = words.length === 0 ? asAssignment(token.word) : undefined;
      if (assignment !== undefined) {
        assignments.push(assignment);
        this.#expandAlias();
      } else words.push(token.word);
    }
    return { kind: 'simple', line, source: this.#lexer.source, assignments, words, redirects };
  }

  #function(word: Word, assignments: readonly Assignment[]): Node {
    this.#lexer.take();
    const first = word[0];
    if (!this.#operator(')')) this.#unexpected(this.#lexer.peek());
    if (word.length !== 1 || first?.kind !== 'text' || first.quoted || !NAME.test(first.text) || assignments.length > 0)
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
    if (token.text === '<<' || token.text === '<<-') {
      const redirect: Redirect = { fd, operator: '<<', target: target.word };
      this.#lexer.expectDocument(redirect, token.text === '<<-');
      return redirect;
    }
    return { fd, operator: token.text as Redirect['operator'], target: target.word };
  }

  #expandAlias(): void {
    if (this.#aliases === undefined || this.#aliases.size === 0) return;
    const seen = new Set<string>();
    for (;;) {
      const token = this.#lexer.peek();
      if (token.kind !== 'word' || token.literal === undefined || seen.has(token.literal)) return;
      const value = this.#aliases.get(token.literal);
      if (value === undefined) return;
      seen.add(token.literal);
      this.#lexer.replace(token, value);
    }
  }
}

function sequence(items: readonly Node[]): Node {
  return items.length === 1 ? items[0]! : { kind: 'sequence', items };
}

/** The word as `name=value`, or undefined when it is not an assignment. */
export function asAssignment(word: Word): Assignment | undefined {
  const first = word[0];
  if (first?.kind !== 'text' || first.quoted) return undefined;
  const match = ASSIGNMENT.exec(first.text);
  if (match === null) return undefined;
  const rest = first.text.slice(match[0].length);
  return { name: match[1]!, value: [...(rest === '' ? [] : [{ ...first, text: rest }]), ...word.slice(1)] };
}

/** Parses a complete script without running it. Throws `SCRIPT_SYNTAX`. */
export function parse(source: Source, budget: Budget): Node | undefined {
  return new Parser(source, budget).whole();
}

/** True when `error` is a script's syntax error. */
export function isSyntaxError(error: unknown): error is BuildError<'SCRIPT_SYNTAX'> {
  return error instanceof BuildError && error.code === 'SCRIPT_SYNTAX';
}
