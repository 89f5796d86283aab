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

/** Escapes of bash's `$'…'`, `echo -e` and `printf`; `stop` is set by `\\c` where that ends the output. */
export function bashEscapes(
  text: string,
  kind: 'ansi' | 'echo' | 'format' | 'argument',
): { text: string; stop: boolean } {
  if (!text.includes('\\')) return { text, stop: false };
  const sequence =
    /\\(?:([abeEfnrtv\\'"?])|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|(0?[0-7]{1,3})|c([\s\S]?))/y;
  const plain: Readonly<Record<string, string>> = {
    ...{ a: '\x07', b: '\b', e: '\x1b', E: '\x1b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
    ...{ '\\': '\\', "'": "'", '"': '"', '?': '?' },
  };
  let out = '';
  for (let at = 0; at < text.length; ) {
    if (text[at] !== '\\') {
      const next = text.indexOf('\\', at);
      const end = next < 0 ? text.length : next;
      out += text.slice(at, end);
      at = end;
      continue;
    }
    sequence.lastIndex = at;
    const found = sequence.exec(text);
    const [all, letter, hex, short, long, octal, control] = found ?? [];
    if (
      all === undefined ||
      ((kind === 'echo' || kind === 'argument') && letter !== undefined && `'"?`.includes(letter))
    ) {
      out += text.slice(at, at + 2);
      at += 2;
      continue;
    }
    let used = all.length;
    if (letter !== undefined) out += plain[letter];
    else if (hex !== undefined) out += String.fromCharCode(Number.parseInt(hex, 16));
    else if (short !== undefined || long !== undefined) {
      const code = Number.parseInt(short ?? long!, 16);
      out += code > 0x10ffff ? all : Buffer.from(String.fromCodePoint(code), 'utf8').toString('latin1');
    } else if (octal !== undefined) {
      // echo needs a leading zero, the others take three digits in all
      if (kind === 'echo' && !octal.startsWith('0')) out += all;
      else {
        const digits = octal.startsWith('0') && (kind === 'echo' || kind === 'argument') ? octal : octal.slice(0, 3);
        used = 1 + digits.length;
        out += String.fromCharCode(Number.parseInt(digits, 8) & 255);
      }
    } else if (kind === 'ansi') {
      out += String.fromCharCode((control ?? '').charCodeAt(0) & 31);
    } else return { text: out, stop: true };
    at += used;
  }
  return { text: out, stop: false };
}

/** The text of `$'…'`. A null character ends it. */
export function ansiEscapes(text: string): string {
  return bashEscapes(text, 'ansi').text.split('\0', 1)[0]!;
}
