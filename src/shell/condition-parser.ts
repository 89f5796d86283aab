import type { Condition, Word } from './ast.ts';
import type { Lexer, Token } from './lexer.ts';

const UNARY = new Set('-a -b -c -d -e -f -g -G -h -k -L -n -N -o -O -p -r -R -s -S -t -u -v -w -x -z'.split(' '));
const BINARY = new Set('= == != =~ -eq -ne -lt -le -gt -ge -nt -ot -ef'.split(' '));

/** Parses the expression of bash's `[[ … ]]`, after the opening word and up to and including the closing one. */
export class ConditionParser {
  readonly #lexer: Lexer;

  constructor(lexer: Lexer) {
    this.#lexer = lexer;
  }

  whole(): Condition {
    const { words } = this.#lexer;
    const before = words.extended;
    words.extended = true;
    const value = this.#or();
    words.extended = before;
    const token = this.#lexer.take();
    if (token.literal !== ']]') this.#fail(token);
    return value;
  }

  #fail(token: Token): never {
    return this.#lexer.fail(`${token.kind === 'end' ? 'end of file' : `"${token.text}"`} unexpected in [[ ]]`);
  }

  #newlines(): void {
    while (this.#lexer.peek().kind === 'newline') this.#lexer.take();
  }

  #operator(text: string): boolean {
    this.#newlines();
    const token = this.#lexer.peek();
    if (token.kind !== 'operator' || token.text !== text) return false;
    this.#lexer.take();
    return true;
  }

  #or(): Condition {
    let left = this.#and();
    while (this.#operator('||')) left = { kind: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Condition {
    let left = this.#not();
    while (this.#operator('&&')) left = { kind: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Condition {
    return this.#lexer.deeper(() => {
      this.#newlines();
      if (this.#lexer.peek().literal === '!') {
        this.#lexer.take();
        return { kind: 'not', body: this.#not() };
      }
      if (!this.#operator('(')) return this.#primary();
      const body = this.#or();
      if (!this.#operator(')')) this.#fail(this.#lexer.peek());
      return body;
    });
  }

  #word(): Word {
    const token = this.#lexer.take();
    if (token.kind !== 'word' || token.literal === ']]') return this.#fail(token);
    return token.word;
  }

  #primary(): Condition {
    const first = this.#lexer.take();
    if (first.kind !== 'word' || first.literal === ']]') return this.#fail(first);
    const second = this.#lexer.peek();
    if (first.literal !== undefined && UNARY.has(first.literal) && second.kind === 'word' && second.literal !== ']]') {
      // `[[ -f = x ]]` compares
      if (second.literal === undefined || !BINARY.has(second.literal))
        return { kind: 'unary', operator: first.literal, word: this.#word() };
    }
    const compares = second.kind === 'operator' && (second.text === '<' || second.text === '>');
    const operator = compares ? second.text : second.literal;
    if (operator === undefined || !(compares || BINARY.has(operator))) return { kind: 'word', word: first.word };
    this.#lexer.take();
    const right = operator === '=~' ? this.#lexer.regex() : this.#word();
    return { kind: 'binary', operator, left: first.word, right };
  }
}
