/**
 * The text without those of `characters` that it ends with. An expression such as `/\s+$/` would look for the end from each
 * character of every run: the square of its length.
 */
export function withoutEnding(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}
