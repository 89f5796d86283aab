/** The package that a request keeps out: `name-` for apt, `!name` for apk; undefined when it asks for one. */
export function excludedName(request: string): string | undefined {
  return /^!(.+)$/.exec(request)?.[1] ?? /^([^?=/:]*[^?=/:-])-$/.exec(request)?.[1];
}
