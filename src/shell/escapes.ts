/** Escapes of dash's echo and of printf %b; `stop` is set by `\c`. */
export function takeEscapes(text: string, octalNeedsZero: boolean): { text: string; stop: boolean } {
  if (!text.includes('\\')) return { text, stop: false };
  const plain: Record<string, string> = {
    a: '\x07',
    b: '\b',
    e: '\x1b',
    f: '\f',
    n: '\n',
    r: '\r',
    t: '\t',
    v: '\v',
    '\\': '\\',
  };
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c !== '\\') {
      out += c;
      continue;
    }
    const next = text[i + 1] ?? '';
    if (next === 'c' && octalNeedsZero) return { text: out, stop: true };
    const octal = (octalNeedsZero ? /^0[0-7]{0,3}|^[1-7][0-7]{0,2}/ : /^[0-7]{1,3}/).exec(text.slice(i + 1, i + 5));
    if (plain[next] !== undefined) {
      out += plain[next];
      i++;
    } else if (octal !== null) {
      out += String.fromCharCode(Number.parseInt(octal[0], 8) & 255);
      i += octal[0].length;
    } else out += '\\';
  }
  return { text: out, stop: false };
}
