import type { Bytes } from '../../bytes/content.ts';
import { BuildError } from '../../errors/error.ts';

/**
 * Debian's control format: stanzas of `Name: value` lines, separated by empty lines; a line that starts with a blank
 * continues the field above it (deb822(5)).
 */

/** A field as it was written. */
export interface Field {
  /** In the spelling of the file. */
  readonly name: string;
  /** The value: blanks at both ends of each line removed, continuation lines after a newline with one leading blank. */
  readonly value: string;
}

/** One stanza of a control file. */
export class Stanza {
  /** In the order of the file. */
  readonly fields: readonly Field[];
  /** Line of the first field, from 1. */
  readonly line: number;
  readonly #values = new Map<string, string>();

  constructor(fields: readonly Field[], line = 1) {
    this.fields = fields;
    this.line = line;
    // when a field is repeated, apt uses the last
    for (const { name, value } of fields) this.#values.set(name.toLowerCase(), value);
  }

  /** The value of the field of that name, in any letter case. */
  get(name: string): string | undefined {
    return this.#values.get(name.toLowerCase());
  }

  has(name: string): boolean {
    return this.#values.has(name.toLowerCase());
  }

  /** The lines of a multi-line field, each trimmed, empty ones omitted: checksums, file lists. */
  lines(name: string): string[] {
    return (this.get(name) ?? '')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  }

  /** By lower-case name. */
  toMap(): ReadonlyMap<string, string> {
    return this.#values;
  }

  /** The stanza as a control file writes it. */
  toString(): string {
    return this.fields
      .map(({ name, value }) => `${name}:${value === '' || value.startsWith('\n') ? '' : ' '}${value}\n`)
      .join('');
  }
}

/** Longest accepted stanza, to limit memory use on hostile input. */
const STANZA_LIMIT = 64 * 1024 * 1024;

/** All stanzas of a text. `origin` names it in errors. */
export function parseDeb822(text: string, origin: string): Stanza[] {
  const parser = new Parser(origin);
  const stanzas: Stanza[] = [];
  let at = 0;
  while (at < text.length) {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    const done = parser.line(text.slice(at, end));
    if (done) stanzas.push(done);
    at = end + 1;
  }
  const last = parser.end();
  if (last) stanzas.push(last);
  return stanzas;
}

/** The only stanza of a text such as a package's control file. */
export function parseControl(text: string, origin: string): Stanza {
  const stanzas = parseDeb822(text, origin);
  const [first, second] = stanzas;
  if (first === undefined) throw new BuildError('DEB822_SYNTAX', { file: origin, line: 1, fault: 'it holds no field' });
  if (second !== undefined)
    throw new BuildError('DEB822_SYNTAX', {
      file: origin,
      line: second.line,
      fault: 'a second stanza where one is expected',
    });
  return first;
}

/** Stanzas of a byte stream, in pieces of any size. Text is UTF-8; invalid bytes stay readable. */
export async function* readDeb822(source: Bytes, origin: string): AsyncGenerator<Stanza> {
  const parser = new Parser(origin);
  const decoder = new TextDecoder('utf-8');
  let rest = '';
  for await (const piece of source) {
    const text = rest + decoder.decode(piece, { stream: true });
    let at = 0;
    for (let end = text.indexOf('\n', at); end >= 0; end = text.indexOf('\n', at)) {
      const done = parser.line(text.slice(at, end));
      if (done) yield done;
      at = end + 1;
    }
    rest = text.slice(at);
    if (rest.length > STANZA_LIMIT) parser.tooLong();
  }
  rest += decoder.decode();
  if (rest !== '') {
    const done = parser.line(rest);
    if (done) yield done;
  }
  const last = parser.end();
  if (last) yield last;
}

/** The text inside a clear-signed message, dashes unescaped; other text unchanged. It verifies nothing. */
export function withoutArmour(text: string): string {
  const match = /^-----BEGIN PGP SIGNED MESSAGE-----[ \t\r]*\n/m.exec(text);
  if (match === null || text.slice(0, match.index).trim() !== '') return text;
  const head = text.slice(match.index + match[0].length);
  const start = /^[ \t\r]*\n/m.exec(head);
  if (start === null) return text;
  const body = head.slice(start.index + start[0].length);
  const end = /^-----BEGIN PGP SIGNATURE-----/m.exec(body);
  return body.slice(0, end?.index ?? body.length).replace(/^- /gm, '');
}

/** Turns lines into stanzas. */
class Parser {
  readonly #origin: string;
  #fields: Field[] = [];
  #name = '';
  #value: string[] = [];
  #size = 0;
  #start = 1;
  #line = 0;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Takes one line without its newline; returns the stanza that it ended. */
  line(line: string): Stanza | undefined {
    this.#line++;
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    const c = text.charCodeAt(0);
    if (c === 35) return undefined; // a comment, even inside a field
    if (c === 32 || c === 9) {
      // a line of blanks ends a stanza like an empty one, in apt and in dpkg
      if (text.trim() === '') return this.end();
      if (this.#name === '') this.#fault('a continuation line without a field above it');
      this.#add(` ${text.slice(1).trimEnd()}`);
      return undefined;
    }
    if (text === '') return this.end();
    const colon = text.indexOf(':');
    if (colon <= 0) this.#fault('a line that is neither "Name: value" nor a continuation');
    const name = text.slice(0, colon).trimEnd();
    if (/[\s]/.test(name)) this.#fault(`"${name}" is not a field name`);
    this.#finish();
    if (this.#fields.length === 0) this.#start = this.#line;
    this.#name = name;
    this.#add(text.slice(colon + 1).trim());
    return undefined;
  }

  /** The stanza ended by an empty line or the end of the file, if one was started. */
  end(): Stanza | undefined {
    this.#finish();
    if (this.#fields.length === 0) return undefined;
    const stanza = new Stanza(this.#fields, this.#start);
    this.#fields = [];
    this.#size = 0;
    return stanza;
  }

  tooLong(): never {
    this.#fault(`a stanza of more than ${STANZA_LIMIT} bytes`);
  }

  #add(text: string): void {
    this.#size += text.length;
    if (this.#size > STANZA_LIMIT) this.tooLong();
    this.#value.push(text);
  }

  #finish(): void {
    if (this.#name === '') return;
    this.#fields.push({ name: this.#name, value: this.#value.join('\n') });
    this.#name = '';
    this.#value = [];
  }

  #fault(fault: string): never {
    throw new BuildError('DEB822_SYNTAX', { file: this.#origin, line: this.#line, fault });
  }
}
