/** The syntax tree of the shell language, as accepted by dash. */

/** Where a piece of script came from, for messages. */
export interface Source {
  readonly name: string;
  readonly text: string;
}

/** What `${name…}` does with the value. */
export type Operator = '' | '-' | '+' | '=' | '?' | '#' | '##' | '%' | '%%' | 'length' | 'bad';

/** A piece of a word. `quoted` pieces are neither split nor matched as patterns. */
export type Part =
  | { readonly kind: 'text'; readonly text: string; readonly quoted: boolean }
  | {
      readonly kind: 'parameter';
      readonly name: string;
      readonly operator: Operator;
      /** True for the forms with a colon, which treat an empty value as unset. */
      readonly colon: boolean;
      readonly word: Word;
      readonly quoted: boolean;
    }
  | { readonly kind: 'substitution'; readonly body: Node | undefined; readonly quoted: boolean }
  | { readonly kind: 'arithmetic'; readonly expression: Word; readonly quoted: boolean };

/** A word before expansion. */
export type Word = readonly Part[];

/** `name=value` before a command. */
export interface Assignment {
  readonly name: string;
  readonly value: Word;
}

/** A redirection; `document` is the body of a here-document. */
export interface Redirect {
  readonly fd: number;
  readonly operator: '<' | '>' | '>>' | '>|' | '<>' | '<&' | '>&' | '<<';
  readonly target: Word;
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
  | {
      readonly kind: 'case';
      readonly subject: Word;
      readonly cases: readonly { readonly patterns: readonly Word[]; readonly body: Node | undefined }[];
      readonly line: number;
    }
  | { readonly kind: 'subshell'; readonly body: Node }
  | { readonly kind: 'redirected'; readonly body: Node; readonly redirects: readonly Redirect[]; readonly line: number }
  | { readonly kind: 'function'; readonly name: string; readonly body: Node };
