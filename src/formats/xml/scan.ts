import { latin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';

/** What is called for each part of a document. Texts are byte strings (UTF-8 bytes, one character each). */
export interface XmlHandler {
  /** A start tag, or an empty element (`close` follows). `attributes` is what stands behind its name, see {@link attribute}. */
  open(name: string, attributes: string): void;
  /** An end tag. `text` is the character data right before it that belongs to this element alone, decoded. */
  close(name: string, text: string): void;
}

/** Longest tag, text or comment that is read. */
const TOKEN_MAX = 4 << 20;
/** Elements inside each other; repository metadata has six. */
const DEPTH_MAX = 64;

/**
 * Scans an XML document in UTF-8 as it streams in: elements, attributes, text, CDATA, comments and processing
 * instructions. It knows no namespaces (names keep their prefixes). A document type is skipped if it only has a name; one that
 * declares something is rejected, as entities of a hostile document could grow without end. Text is kept of elements without children only.
 */
export class XmlScanner {
  private readonly handler: XmlHandler;
  private readonly path: string;
  private rest = '';
  /** Bytes before `rest`. */
  private offset = 0;
  private readonly stack: string[] = [];
  private text = '';
  private seenRoot = false;

  constructor(handler: XmlHandler, path: string) {
    this.handler = handler;
    this.path = path;
  }

  /** Takes the next piece of the document. */
  push(piece: Uint8Array): void {
    const text = this.rest === '' ? latin1(piece) : this.rest + latin1(piece);
    const used = this.scan(text);
    if (text.length - used > TOKEN_MAX) throw this.wrong(used, `something longer than ${TOKEN_MAX} bytes`);
    this.rest = text.slice(used);
    this.offset += used;
  }

  /** Says that the document has ended. */
  end(): void {
    if (this.rest.trim() !== '') throw this.wrong(0, 'it ends in the middle of a tag or text');
    if (this.stack.length > 0) throw this.wrong(0, `it ends inside of <${this.stack.at(-1)}>`);
    if (!this.seenRoot) throw this.wrong(0, 'there is no element in it');
  }

  /** Handles all complete tokens; returns how far it came. */
  private scan(text: string): number {
    let at = 0;
    for (;;) {
      const start = text.indexOf('<', at);
      if (start < 0) return at;
      const next = text.charCodeAt(start + 1);
      if (next === 47 /* / */) {
        const end = text.indexOf('>', start);
        if (end < 0) return at;
        this.characters(text, at, start);
        this.closeTag(text.slice(start + 2, end).trimEnd(), at);
        at = end + 1;
      } else if (next === 33 /* ! */) {
        const end = this.declaration(text, at, start);
        if (end === undefined) return at;
        at = end;
      } else if (next === 63 /* ? */) {
        const end = text.indexOf('?>', start);
        if (end < 0) return at;
        this.characters(text, at, start);
        at = end + 2;
      } else {
        const end = tagEnd(text, start);
        if (end === undefined) return at;
        this.characters(text, at, start);
        this.openTag(text, start, end);
        at = end + 1;
      }
    }
  }

  private openTag(text: string, start: number, end: number): void {
    const empty = text.charCodeAt(end - 1) === 47;
    const stop = empty ? end - 1 : end;
    let from = start + 1;
    while (from < stop && !isBlank(text.charCodeAt(from))) from++;
    const name = text.slice(start + 1, from);
    if (name === '' || /[<&"'=]/.test(name)) throw this.wrong(start, 'a tag without a name');
    if (this.stack.length === 0 && this.seenRoot) throw this.wrong(start, `<${name}> after the end`);
    if (this.stack.length >= DEPTH_MAX) throw this.wrong(start, `elements more than ${DEPTH_MAX} deep`);
    this.seenRoot = true;
    this.text = '';
    this.handler.open(name, text.slice(from, stop));
    if (empty) this.handler.close(name, '');
    else this.stack.push(name);
  }

  private closeTag(name: string, at: number): void {
    const open = this.stack.pop();
    if (open !== name)
      throw this.wrong(at, `</${name}> where ${open === undefined ? 'nothing is open' : `<${open}> is`}`);
    const text = this.text;
    this.text = '';
    this.handler.close(name, text);
  }

  /** A comment, CDATA section or document type. Returns where it ends; undefined: not complete yet. */
  private declaration(text: string, at: number, start: number): number | undefined {
    const head = text.slice(start, start + 9);
    if (head.length < 9 && ('<![CDATA['.startsWith(head) || '<!--'.startsWith(head.slice(0, 4)))) return undefined;
    if (head.startsWith('<!--')) {
      const end = text.indexOf('-->', start + 4);
      if (end < 0) return undefined;
      this.characters(text, at, start);
      return end + 3;
    }
    if (head === '<![CDATA[') {
      const end = text.indexOf(']]>', start + 9);
      if (end < 0) return undefined;
      this.characters(text, at, start);
      this.add(text.slice(start + 9, end), start);
      return end + 3;
    }
    if ('<!DOCTYPE'.startsWith(head.slice(0, 9)) && !this.seenRoot) {
      const end = text.indexOf('>', start);
      const bracket = text.indexOf('[', start);
      if (bracket >= 0 && (end < 0 || bracket < end))
        throw this.wrong(start, 'a document type that declares something, which repository metadata has no need of');
      if (end < 0) return undefined;
      this.characters(text, at, start);
      return end + 1;
    }
    throw this.wrong(start, 'a declaration, which repository metadata has no need of');
  }

  private characters(text: string, from: number, to: number): void {
    if (from === to || this.stack.length === 0) {
      if (
        from !== to &&
        text
          .slice(from, to)
          .replace(/^\xef\xbb\xbf/, '')
          .trim() !== ''
      )
        throw this.wrong(from, 'text outside of elements');
      return;
    }
    const raw = text.slice(from, to);
    this.add(raw.includes('&') ? this.decoded(raw, from) : raw, from);
  }

  private add(text: string, at: number): void {
    if (this.text.length + text.length > TOKEN_MAX) throw this.wrong(at, `a text longer than ${TOKEN_MAX} bytes`);
    this.text = this.text === '' ? text : this.text + text;
  }

  private decoded(raw: string, at: number): string {
    const text = decodeEntities(raw);
    if (text === undefined) throw this.wrong(at, `an unknown entity in "${raw.trim().slice(0, 60)}"`);
    return text;
  }

  private wrong(at: number, reason: string): BuildError<'XML_SYNTAX'> {
    return new BuildError('XML_SYNTAX', { path: this.path, offset: this.offset + at, reason });
  }
}

/** Offset of the `>` that ends a start tag; quoted values may contain others. Undefined: not complete yet. */
function tagEnd(text: string, start: number): number | undefined {
  let end = text.indexOf('>', start);
  while (end >= 0) {
    // nearly every tag has an even number of quotes before its first `>`
    const quote = openQuote(text, start, end);
    if (quote === undefined) return end;
    const close = text.indexOf(quote, end);
    if (close < 0) return undefined;
    end = text.indexOf('>', close);
    if (end < 0) return undefined;
  }
  return undefined;
}

/** The quote that is still open between two offsets. */
function openQuote(text: string, from: number, to: number): string | undefined {
  for (let at = from; at < to; at++) {
    const c = text.charCodeAt(at);
    if (c !== 34 && c !== 39) continue;
    const close = text.indexOf(c === 34 ? '"' : "'", at + 1);
    if (close < 0 || close >= to) return c === 34 ? '"' : "'";
    at = close;
  }
  return undefined;
}

function isBlank(c: number): boolean {
  return c === 32 || c === 10 || c === 9 || c === 13;
}

/** An attribute of a start tag by its complete name, decoded; undefined when it is absent or not understood. */
export function attribute(attributes: string, name: string): string | undefined {
  for (let at = attributes.indexOf(name); at >= 0; at = attributes.indexOf(name, at + 1)) {
    if (at === 0 || !isBlank(attributes.charCodeAt(at - 1))) continue;
    let equals = at + name.length;
    while (isBlank(attributes.charCodeAt(equals))) equals++;
    if (attributes.charCodeAt(equals) !== 61 /* = */) continue;
    let quote = equals + 1;
    while (isBlank(attributes.charCodeAt(quote))) quote++;
    const c = attributes.charCodeAt(quote);
    if (c !== 34 && c !== 39) return undefined;
    const end = attributes.indexOf(c === 34 ? '"' : "'", quote + 1);
    if (end < 0) return undefined;
    // the same words may stand inside another attribute's value
    if (openQuote(attributes, 0, at) !== undefined) continue;
    const raw = attributes.slice(quote + 1, end);
    return raw.includes('&') ? decodeEntities(raw) : raw;
  }
  return undefined;
}

const ENTITIES: ReadonlyMap<string, string> = new Map(
  Object.entries({ lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }),
);

/** Replaces the five entities and character references; undefined when there is another one. */
function decodeEntities(raw: string): string | undefined {
  let known = true;
  const text = raw.replace(/&([^;&]{0,12});?/g, (whole, name: string) => {
    const named = ENTITIES.get(name);
    if (named !== undefined && whole.endsWith(';')) return named;
    const number = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(name);
    const point =
      number === null ? Number.NaN : Number.parseInt(number[1] ?? number[2]!, number[1] === undefined ? 10 : 16);
    if (!whole.endsWith(';') || !(point > 0 && point <= 0x10ffff) || (point >= 0xd800 && point < 0xe000)) {
      known = false;
      return '';
    }
    return Buffer.from(String.fromCodePoint(point), 'utf8').toString('latin1');
  });
  return known ? text : undefined;
}
