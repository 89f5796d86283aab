/** The syntax tree of the shell languages: dash's, and bash's where a script is written for bash. */

/** The language of a script: dash, bash, or bash as `sh` (its POSIX mode). */
export type Dialect = 'dash' | 'bash' | 'bash-posix';

/** Where a piece of script came from, for messages. */
export interface Source {
  readonly name: string;
  readonly text: string;
}

/** What `${name…}` does with the value in both languages. */
type CommonOperator = '' | '-' | '+' | '=' | '?' | '#' | '##' | '%' | '%%' | 'length' | 'bad';
/** Bash: replacement, change of case, substring, transformation (`@Q`), names that begin with the text, keys. */
type BashOperator = '/' | '//' | '/#' | '/%' | '^' | '^^' | ',' | ',,' | 'substring' | '@' | 'names' | 'keys';
export type Operator = CommonOperator | BashOperator;

/** A piece of a word. `quoted` pieces are neither split nor matched as patterns. */
export type Part =
  | { readonly kind: 'text'; readonly text: string; readonly quoted: boolean }
  | Parameter
  | { readonly kind: 'substitution'; readonly body: Node | undefined; readonly quoted: boolean }
  | { readonly kind: 'arithmetic'; readonly expression: Word; readonly quoted: boolean }
  /** `<(…)` and `>(…)`. */
  | { readonly kind: 'process'; readonly body: Node | undefined; readonly output: boolean; readonly quoted: false }
  /** The list of `name=(…)`. */
  | { readonly kind: 'array'; readonly elements: readonly Word[]; readonly quoted: false };

/** `$name` or `${name…}`. */
export interface Parameter {
  readonly kind: 'parameter';
  readonly name: string;
  readonly operator: Operator;
  /** True for the forms with a colon, which treat an empty value as unset. */
  readonly colon: boolean;
  readonly word: Word;
  readonly quoted: boolean;
  /** `${name[subscript]}`. */
  readonly subscript?: Word;
  /** `${!name}`. */
  readonly indirect?: boolean;
  /** Replacement of `/`, length of a substring. */
  readonly second?: Word;
}

/** A word before expansion. */
export type Word = readonly Part[];

/** `name=value` before a command. */
export interface Assignment {
  readonly name: string;
  readonly value: Word;
  /** `name+=value`. */
  readonly append?: boolean;
  /** `name[subscript]=value`. */
  readonly subscript?: Word;
}

/** A redirection; `document` is the body of a here-document. `both`: bash's `&>`, standard output and error. */
export interface Redirect {
  readonly fd: number;
  readonly operator: '<' | '>' | '>>' | '>|' | '<>' | '<&' | '>&' | '<<' | '<<<';
  readonly target: Word;
  readonly both?: boolean;
  document?: Word;
}

/** A command with its words, the unit that is looked up and run. */
export interface Simple {
  readonly kind: 'simple';
  readonly line: number;
  readonly source: Source;
  readonly assignments: readonly Assignment[];
  readonly words: readonly Word[];
  readonly redirects: readonly Redirect[];
}

/** An expression of `[[ … ]]`. */
export type Condition =
  | { readonly kind: 'word'; readonly word: Word }
  | { readonly kind: 'unary'; readonly operator: string; readonly word: Word }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Word; readonly right: Word }
  | { readonly kind: 'not'; readonly body: Condition }
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition };

/** One branch of a `case`; `next` is what follows its commands: `;;`, `;&` or `;;&`. */
export interface Branch {
  readonly patterns: readonly Word[];
  readonly body: Node | undefined;
  readonly next: 'end' | 'run' | 'test';
}

/** Anything that can be run. */
export type Node =
  | Simple
  | { readonly kind: 'pipeline'; readonly commands: readonly Node[] }
  | { readonly kind: 'not'; readonly body: Node }
  | { readonly kind: 'and' | 'or'; readonly left: Node; readonly right: Node }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'background'; readonly body: Node }
  | { readonly kind: 'if'; readonly test: Node; readonly then: Node; readonly otherwise: Node | undefined }
  | { readonly kind: 'loop'; readonly until: boolean; readonly test: Node; readonly body: Node }
  | {
      readonly kind: 'for';
      readonly name: string;
      /** Undefined: the positional parameters. */
      readonly words: readonly Word[] | undefined;
      readonly body: Node;
      readonly line: number;
    }
  | { readonly kind: 'case'; readonly subject: Word; readonly cases: readonly Branch[]; readonly line: number }
  | { readonly kind: 'subshell'; readonly body: Node }
  | { readonly kind: 'redirected'; readonly body: Node; readonly redirects: readonly Redirect[]; readonly line: number }
  | { readonly kind: 'function'; readonly name: string; readonly body: Node }
  /** `[[ … ]]` of bash. */
  | { readonly kind: 'condition'; readonly condition: Condition; readonly line: number }
  /** `(( … ))` of bash. */
  | { readonly kind: 'arithmetic'; readonly expression: Word; readonly line: number }
  /** `for (( …; …; … ))` of bash. */
  | {
      readonly kind: 'count';
      readonly start: Word;
      readonly test: Word;
      readonly step: Word;
      readonly body: Node;
      readonly line: number;
    };
