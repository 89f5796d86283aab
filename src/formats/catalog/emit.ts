import { raw, struct, text, u32, u64 } from '../../bytes/struct.ts';

/**
 * The journal's message catalog: text sources (journalctl(1), "Journal Message Catalogs") and the database made of
 * them.
 */

const Header = struct('catalog header', 40, {
  signature: text(8), // RHHHKSLP
  compatibleFlags: u32,
  incompatibleFlags: u32,
  headerSize: u64,
  count: u64,
  itemSize: u64,
});

const Item = struct('catalog item', 56, {
  id: raw(16),
  language: text(32),
  offset: u64,
});

const LANGUAGE_MAX = 31;
/** Bytes at the end of a payload that it is looked up by. */
const END = 16;

interface Message {
  readonly id: string;
  readonly language: string;
  readonly payload: string;
}

/** The name of a source and its text (byte string). */
export interface CatalogSource {
  /** File name; `NAME.LANG.catalog` gives the language of its messages. */
  readonly name: string;
  readonly text: string;
}

/** The bytes of /var/lib/systemd/catalog/database. Sources count in the order given: sort them by name. */
export function catalogDatabase(sources: readonly CatalogSource[]): Uint8Array {
  const messages = new Map<string, Message>();
  for (const source of sources)
    for (const message of messagesOf(source)) {
      const key = `${message.id}\0${message.language}`;
      // a later source's head fields go before the earlier body; Debian's sources never repeat a message
      if (!messages.has(key)) messages.set(key, message);
    }
  const strings = new PayloadTable();
  const items = [...messages.values()].map((message) => ({ message, offset: strings.add(message.payload) }));
  items.sort((a, b) =>
    a.message.id < b.message.id || (a.message.id === b.message.id && a.message.language < b.message.language) ? -1 : 1,
  );
  const blob = strings.bytes();
  const stringsAt = Header.size + items.length * Item.size;
  const out = new Uint8Array(stringsAt + blob.length);
  Header.write(out, 0, { signature: 'RHHHKSLP', headerSize: Header.size, count: items.length, itemSize: Item.size });
  for (const [i, { message, offset }] of items.entries())
    Item.write(out, Header.size + i * Item.size, {
      id: Buffer.from(message.id, 'hex'),
      language: message.language,
      offset,
    });
  out.set(blob, stringsAt);
  return out;
}

/** Payloads back to back after a NUL; one that is a suffix of an earlier one shares its bytes. */
class PayloadTable {
  private readonly payloads: { text: string; at: number }[] = [];
  private readonly byEnd = new Map<string, { text: string; at: number }[]>();
  private size = 1;

  add(text: string): number {
    if (text === '') return 0;
    const end = text.slice(-END);
    for (const one of text.length < END ? this.payloads : (this.byEnd.get(end) ?? []))
      if (one.text.endsWith(text)) return one.at + one.text.length - text.length;
    const entry = { text, at: this.size };
    this.payloads.push(entry);
    this.byEnd.set(end, [...(this.byEnd.get(end) ?? []), entry]);
    this.size += text.length + 1;
    return entry.at;
  }

  bytes(): Uint8Array {
    const out = new Uint8Array(this.size);
    for (const { text, at } of this.payloads) out.set(Buffer.from(text, 'latin1'), at);
    return out;
  }
}

/** Messages of one source: a line `-- ID [LANG]` after a blank one (or at the start) begins each. */
function messagesOf(source: CatalogSource): Message[] {
  const found: Message[] = [];
  const fromName = /\.([^./]+)\.catalog$/.exec(source.name)?.[1] ?? '';
  let id: string | undefined;
  let language = '';
  let payload = '';
  let blank = true;
  const finish = () => {
    if (id !== undefined) found.push({ id, language: language.slice(0, LANGUAGE_MAX), payload });
  };
  const rows = source.text.split('\n');
  if (rows[rows.length - 1] === '') rows.pop();
  for (const row of rows) {
    if (row === '') {
      blank = true;
      continue;
    }
    if (row.startsWith('#') || row.startsWith(';')) continue;
    const head = blank ? /^-- ([0-9a-fA-F]{32})(?:\s+(\S+))?\s*$/.exec(row) : null;
    if (head !== null) {
      finish();
      id = head[1]!.toLowerCase();
      language = head[2] ?? fromName;
      payload = '';
      blank = false;
      continue;
    }
    if (id === undefined) continue;
    if (blank) payload += '\n';
    payload += `${row}\n`;
    blank = false;
  }
  finish();
  return found;
}
