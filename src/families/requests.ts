/** How the reason of a package begins that a request itself chose, not another package or the base set. */
export const ASKED = 'asked for';

/** The package that a request keeps out: `name-` for apt, `!name` for apk; undefined when it asks for one. */
export function excludedName(request: string): string | undefined {
  return /^!(.+)$/.exec(request)?.[1] ?? /^([^?=/:]*[^?=/:-])-$/.exec(request)?.[1];
}

/** Name of the package that a request asks for, without version, release, architecture or repository. */
export function requestedName(request: string): string {
  return /^[^=<>~@/:\s]+/.exec(request)?.[0] ?? request;
}
