/**
 * Control characters that must not reach a terminal: C0 except newline and tab, DEL, C1, and the marks that change the
 * direction of text. A file name in an archive may contain any of them.
 */
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A message that is safe to print on a terminal: control characters are written as `\x1b`, `\u202e`. */
export function printable(text: string): string {
  return text.replace(CONTROLS, (character) => {
    const code = character.codePointAt(0)!;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/**
 * {@link printable} for a whole document on standard output. What is above ASCII is written as JSON does, so that a document in
 * JSON, which has no other characters of these, stays one with the same values.
 */
export function printableDocument(text: string): string {
  return printable(text.replace(/[\u007f-\u009f]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`));
}

/** {@link printable} for what must stay on one line: newlines and tabs are written as `\n` and `\t`. */
export function printableLine(text: string): string {
  return printable(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}
