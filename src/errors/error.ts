import { CATALOGUE, type Code, type Context } from './catalogue.ts';
import { HINTS } from './hints.ts';

/**
 * An error: a stable code for programs, a typed context for handlers, a message for the user, sometimes a hint what to
 * do next. A violated invariant in this program is a `TypeError` or `RangeError` instead: a bug.
 *
 * @example
 * ```ts
 * import { BuildError, profileNamed } from 'osbuilder';
 *
 * try {
 *   profileNamed('debain');
 * } catch (error) {
 *   if (error instanceof BuildError) console.log(error.code, error.hint !== ''); // prints: DISTRO_UNKNOWN true
 * }
 * ```
 */
export class BuildError<C extends Code = Code> extends Error {
  override readonly name = 'BuildError';
  readonly code: C;
  readonly context: Context<C>;
  readonly hint: string | undefined;

  constructor(code: C, context: Context<C>, options: { cause?: unknown; hint?: string } = {}) {
    super(
      (CATALOGUE[code] as (context: Context<C>) => string)(context),
      'cause' in options ? { cause: options.cause } : {},
    );
    this.code = code;
    this.context = context;
    this.hint = options.hint ?? HINTS[code];
  }
}

/**
 * True when `error` is a `BuildError` with this code.
 *
 * @example
 * ```ts
 * import { isBuildError, profileNamed } from 'osbuilder';
 *
 * try {
 *   profileNamed('debain');
 * } catch (error) {
 *   if (isBuildError(error, 'DISTRO_UNKNOWN')) console.log(error.context.name); // prints: debain
 * }
 * ```
 */
export function isBuildError<C extends Code>(error: unknown, code: C): error is BuildError<C> {
  return error instanceof BuildError && error.code === code;
}
