import { createHash } from 'node:crypto';

/** Java's key store of the type JKS, limited to trusted certificates: sun.security.provider.JavaKeyStore. */

const MAGIC = 0xfeedfeed;
const VERSION = 2;
/** Tag of an entry that is a certificate without a key. */
const TRUSTED = 2;

/** A trusted certificate. */
export interface Trusted {
  readonly alias: string;
  /** DER. */
  readonly certificate: Uint8Array;
}

/** A key store of trusted certificates. `time` is Unix seconds, the date of every entry. */
export function keyStore(entries: readonly Trusted[], options: { password: string; time: number }): Uint8Array {
  const parts: Uint8Array[] = [words(MAGIC, VERSION)];
  const ordered = inHashtableOrder(entries.map((one) => ({ ...one, alias: one.alias.toLowerCase() })));
  parts.push(words(ordered.length));
  const date = Buffer.alloc(8);
  date.writeBigUInt64BE(BigInt(options.time) * 1000n);
  for (const { alias, certificate } of ordered)
    parts.push(words(TRUSTED), utf(alias), date, utf('X.509'), words(certificate.length), certificate);
  const hash = createHash('sha1');
  hash.update(Buffer.from(options.password, 'utf16le').swap16());
  // "Mighty Aphrodite" is the format's own salt
  hash.update('Mighty Aphrodite', 'utf8');
  for (const part of parts) hash.update(part);
  return Buffer.concat([...parts, hash.digest()]);
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
  return bytes;
}

/** DataOutput.writeUTF, which is UTF-8 for text without NUL and characters beyond 16 bits. */
function utf(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** String.hashCode without its sign. */
function hashCode(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash & 0x7fffffff;
}

/** The order in which java.util.Hashtable lists its entries; a later entry replaces one with the same alias. */
function inHashtableOrder(entries: readonly Trusted[]): Trusted[] {
  let table: Trusted[][] = Array.from({ length: 11 }, () => []);
  let count = 0;
  const bucket = (of: Trusted[][], alias: string) => of[hashCode(alias) % of.length]!;
  for (const entry of entries) {
    const same = bucket(table, entry.alias).findIndex((one) => one.alias === entry.alias);
    if (same >= 0) {
      bucket(table, entry.alias)[same] = entry;
      continue;
    }
    if (count >= Math.floor(table.length * 0.75)) {
      const wider: Trusted[][] = Array.from({ length: 2 * table.length + 1 }, () => []);
      for (const chain of table.reverse()) for (const one of chain) bucket(wider, one.alias).unshift(one);
      table = wider;
    }
    bucket(table, entry.alias).unshift(entry);
    count++;
  }
  return table.reverse().flat();
}
