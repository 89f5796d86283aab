/** Thrown for a program that is invalid or uses an unsupported feature. */
export class AwkError extends Error {}

/** An expression of awk. */
export type AwkExpression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'regex'; readonly source: string }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'index'; readonly array: string; readonly index: readonly AwkExpression[] }
  | { readonly kind: 'in'; readonly array: string; readonly index: readonly AwkExpression[] }
  | { readonly kind: 'field'; readonly value: AwkExpression }
  | { readonly kind: 'match'; readonly left: AwkExpression; readonly right: AwkExpression; readonly negated: boolean }
  | { readonly kind: 'unary'; readonly operator: string; readonly value: AwkExpression }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: AwkExpression; readonly right: AwkExpression }
  | {
      readonly kind: 'conditional';
      readonly test: AwkExpression;
      readonly then: AwkExpression;
      readonly otherwise: AwkExpression;
    }
  | {
      readonly kind: 'assign';
      readonly operator: string;
      readonly target: AwkExpression;
      readonly value: AwkExpression;
    }
  | { readonly kind: 'step'; readonly target: AwkExpression; readonly by: number; readonly prefix: boolean }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly AwkExpression[] }
  /** `getline`, `getline < file`, `command | getline`, each with an optional variable. */
  | {
      readonly kind: 'getline';
      readonly target: AwkExpression | undefined;
      readonly from: AwkExpression | undefined;
      readonly command?: boolean;
    };

/** A statement of awk. */
export type AwkStatement =
  | { readonly kind: 'expression'; readonly value: AwkExpression }
  | {
      readonly kind: 'print' | 'printf';
      readonly values: readonly AwkExpression[];
      readonly to?: AwkExpression | undefined;
      readonly how?: '>' | '>>' | '|';
    }
  | {
      readonly kind: 'if';
      readonly test: AwkExpression;
      readonly then: readonly AwkStatement[];
      readonly otherwise: readonly AwkStatement[];
    }
  | {
      readonly kind: 'while';
      readonly test: AwkExpression;
      readonly body: readonly AwkStatement[];
      readonly first: boolean;
    }
  | {
      readonly kind: 'for';
      readonly start: AwkStatement | undefined;
      readonly test: AwkExpression | undefined;
      readonly step: AwkStatement | undefined;
      readonly body: readonly AwkStatement[];
    }
  | { readonly kind: 'each'; readonly name: string; readonly array: string; readonly body: readonly AwkStatement[] }
  | { readonly kind: 'delete'; readonly array: string; readonly index: readonly AwkExpression[] | undefined }
  | {
      readonly kind: 'leave';
      readonly verb: 'next' | 'nextfile' | 'exit' | 'break' | 'continue' | 'return';
      readonly value: AwkExpression | undefined;
    };

/** A complete program. */
export interface AwkProgram {
  readonly rules: (
    | { readonly kind: 'begin' | 'end'; readonly body: readonly AwkStatement[] }
    | {
        readonly kind: 'pattern';
        readonly pattern: AwkExpression | undefined;
        readonly body: readonly AwkStatement[] | undefined;
      }
    | {
        readonly kind: 'range';
        readonly from: AwkExpression;
        readonly to: AwkExpression;
        readonly body: readonly AwkStatement[] | undefined;
      }
  )[];
  readonly functions: Map<string, { readonly parameters: readonly string[]; readonly body: readonly AwkStatement[] }>;
}
