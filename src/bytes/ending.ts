/**
 * The text without those of `characters` that it ends with. An expression such as `/\s+$/` would look for the end from each
 * character of every run: the square of its length.
 */
export function withoutEnding(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}

/** A path without slashes (or what else divides its parts) at its end, but with the one that it begins with. */
export function withoutSlashes(path: string, slashes = '/'): string {
  return withoutEnding(path, slashes) || path.slice(0, 1);
}
