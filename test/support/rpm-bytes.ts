import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import {
  BIN,
  HEADER_MAGIC,
  HeaderEntry,
  HeaderHead,
  INT16,
  INT32,
  INT64,
  Lead,
  REGION_MAIN,
  REGION_SIGNATURE,
  SIGNATURE,
  STRING,
  STRING_ARRAY,
  TAG,
} from '../../src/formats/rpm/layout.ts';

/** Packages and metadata of rpm repositories made byte by byte, for tests of what no tool would make. */

/** An entry of a header, and its value as it stands in the data. */
export interface Row {
  tag: number;
  type: number;
  count: number;
  bytes: Uint8Array;
  /** Another place than that of the value. */
  offset?: number;
}

/** Numbers of 16 bits, big-endian. */
export const u16s = (...values: number[]) => Buffer.concat(values.map((v) => Buffer.from([v >> 8, v & 255])));
/** Numbers of 32 bits, big-endian. */
export const u32s = (...values: number[]) => {
  const out = Buffer.alloc(values.length * 4);
  for (const [i, v] of values.entries()) out.writeUInt32BE(v >>> 0, i * 4);
  return out;
};
/** Texts, each with its NUL. */
export const texts = (...values: string[]) => Buffer.from(values.map((v) => `${v}\0`).join(''), 'latin1');

/** A header of these rows in their order, with a region over all of them: the main one unless told otherwise. */
export function headerOf(
  rows: readonly Row[],
  change: { covered?: number; trailer?: Partial<Record<string, number>>; region?: number } = {},
): Uint8Array {
  const values: Uint8Array[] = [];
  let at = 0;
  const entries = rows.map(({ tag, type, count, bytes, offset }) => {
    const align = type === INT64 ? 8 : type === INT32 ? 4 : type === INT16 ? 2 : 1;
    const padding = -at & (align - 1);
    values.push(new Uint8Array(padding), bytes);
    at += padding;
    const entry = HeaderEntry.bytes({ tag, type, offset: offset ?? at, count });
    at += bytes.length;
    return entry;
  });
  const covered = change.covered ?? rows.length + 1;
  const trailer = HeaderEntry.bytes({
    tag: change.region ?? REGION_MAIN,
    type: BIN,
    offset: -(covered * 16) >>> 0,
    count: 16,
    ...change.trailer,
  });
  const region = HeaderEntry.bytes({ tag: change.region ?? REGION_MAIN, type: BIN, offset: at, count: 16 });
  return Buffer.concat([
    HeaderHead.bytes({ magic: HEADER_MAGIC, entries: rows.length + 1, data: at + 16 }),
    region,
    ...entries,
    ...values,
    trailer,
  ]);
}

/** A payload in cpio's newc form with these names and contents. */
export function newc(entries: readonly (readonly [name: string, content: string | Buffer, mode?: number])[]): Buffer {
  const hex = (value: number) => value.toString(16).padStart(8, '0');
  const pad = (bytes: Buffer) => Buffer.concat([bytes, new Uint8Array(-bytes.length & 3)]);
  const one = (name: string, content: string | Buffer, mode = 0o100644) =>
    Buffer.concat([
      pad(
        Buffer.from(
          `070701${[0, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0].map(hex).join('')}${name}\0`,
        ),
      ),
      pad(Buffer.from(content as string)),
    ]);
  return Buffer.concat([...entries.map(([name, content, mode]) => one(name, content, mode)), one('TRAILER!!!', '')]);
}

/** A file of a package that is made byte by byte. */
export interface RawFile {
  /** Folder with its final slash, and name, as they stand in the header. */
  readonly folder: string;
  readonly name: string;
  /** With the bits of its type; a regular file of mode 0644 when left out. */
  readonly mode?: number;
  readonly data?: string | Buffer;
  readonly target?: string;
  readonly user?: string;
  readonly flags?: number;
  readonly rdev?: number;
  readonly inode?: number;
  readonly capabilities?: string;
  /** What the header says of its size, where that is not true. */
  readonly size?: number;
  readonly digest?: string;
  /** Not in the payload. */
  readonly absent?: boolean;
}

/** A package that is made byte by byte: nothing checks it. */
export interface RawRpm {
  readonly name?: string;
  readonly version?: string;
  readonly files?: readonly RawFile[];
  readonly requires?: readonly string[];
  readonly provides?: readonly string[];
  /** Body and interpreter of %post. */
  readonly post?: readonly [body: string, program: string];
  /** Further rows of the main header, or others in the place of those with the same tag. */
  readonly rows?: readonly Row[];
  /** Tags to leave out of the main header. */
  readonly without?: readonly number[];
  /** The stored payload in place of the right one. */
  readonly payload?: Buffer;
  /** Rows of the signature header, made from the main one. */
  readonly signature?: (main: Buffer) => readonly Row[];
  /** Changes the whole package at last. */
  readonly change?: (bytes: Buffer) => Buffer;
}

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const text = (tag: number, value: string): Row => ({ tag, type: STRING, count: 1, bytes: texts(value) });
const list = (tag: number, values: readonly string[]): Row => ({
  ...{ tag, type: STRING_ARRAY, count: values.length, bytes: texts(...values) },
});
const numbers = (tag: number, values: readonly number[]): Row => ({
  ...{ tag, type: INT32, count: values.length, bytes: u32s(...values) },
});

/** The one digest that every package needs: of its main header. */
export const digestRow = (main: Uint8Array): Row => text(SIGNATURE.sha256, sha256(main));

/** A package of version 4 with these parts: sound unless a part is not. The payload is compressed by gzip. */
export function rawRpm(raw: RawRpm): Buffer {
  const { name = 'victim', version = '1', files = [], requires = [], provides = [], post, without = [] } = raw;
  const content = (one: RawFile) => one.target ?? one.data ?? '';
  const entries = files
    .filter((one) => !one.absent)
    .map((one) => [`.${one.folder}${one.name}`, content(one), one.mode ?? 0o100644] as const);
  const stored = raw.payload ?? gzipSync(newc(entries));
  const folders = [...new Set(files.map((one) => one.folder))];
  const lengthOf = (one: RawFile) => one.size ?? Buffer.byteLength(content(one), 'latin1');
  const of = <T>(value: (one: RawFile, i: number) => T) => files.map(value);
  const isFile = (one: RawFile) => ((one.mode ?? 0o100644) & 0o170000) === 0o100000;
  const rows: Row[] = [
    text(TAG.name, name),
    text(TAG.version, version),
    text(TAG.release, '1'),
    text(TAG.arch, 'noarch'),
    list(TAG.payloadSha256, [sha256(stored)]),
    numbers(TAG.payloadDigestAlgo, [8]),
  ];
  if (files.length > 0)
    rows.push(
      numbers(TAG.fileSizes, of(lengthOf)),
      { tag: TAG.fileModes, type: INT16, count: files.length, bytes: u16s(...of((one) => one.mode ?? 0o100644)) },
      { tag: TAG.fileRdevs, type: INT16, count: files.length, bytes: u16s(...of((one) => one.rdev ?? 0)) },
      numbers(
        TAG.fileMtimes,
        of(() => 1_600_000_000),
      ),
      list(
        TAG.fileDigests,
        of((one) => one.digest ?? (isFile(one) && lengthOf(one) > 0 ? sha256(one.data ?? '') : '')),
      ),
      list(
        TAG.fileLinkTos,
        of((one) => one.target ?? ''),
      ),
      numbers(
        TAG.fileFlags,
        of((one) => one.flags ?? 0),
      ),
      list(
        TAG.fileUserName,
        of((one) => one.user ?? 'root'),
      ),
      list(
        TAG.fileGroupName,
        of(() => 'root'),
      ),
      numbers(
        TAG.fileDevices,
        of(() => 1),
      ),
      numbers(
        TAG.fileInodes,
        of((one, i) => one.inode ?? i + 100),
      ),
      numbers(
        TAG.dirIndexes,
        of((one) => folders.indexOf(one.folder)),
      ),
      list(
        TAG.baseNames,
        of((one) => one.name),
      ),
      list(TAG.dirNames, folders),
      list(
        TAG.fileCaps,
        of((one) => one.capabilities ?? ''),
      ),
      numbers(TAG.fileDigestAlgo, [8]),
    );
  const relations = (tags: readonly [number, number, number], names: readonly string[]) => {
    if (names.length > 0)
      rows.push(
        list(tags[0], names),
        numbers(
          tags[1],
          names.map(() => 0),
        ),
        list(
          tags[2],
          names.map(() => ''),
        ),
      );
  };
  relations([TAG.requireName, TAG.requireFlags, TAG.requireVersion], requires);
  relations([TAG.provideName, TAG.provideFlags, TAG.provideVersion], [name, ...provides]);
  if (post !== undefined) rows.push(text(TAG.postIn, post[0]), text(TAG.postInProg, post[1]));
  const changed = new Map(rows.map((row) => [row.tag, row]));
  for (const row of raw.rows ?? []) changed.set(row.tag, row);
  for (const tag of without) changed.delete(tag);
  const main = Buffer.from(headerOf([...changed.values()].sort((a, b) => a.tag - b.tag)));
  const signature = headerOf(raw.signature?.(main) ?? [digestRow(main)], { region: REGION_SIGNATURE });
  const lead = Lead.bytes({ magic: [0xed, 0xab, 0xee, 0xdb], major: 3, signatureType: 5 });
  const padding = new Uint8Array(-signature.length & 7);
  const whole = Buffer.concat([lead, signature, padding, main, stored]);
  return raw.change?.(whole) ?? whole;
}

/** What a primary.xml says of a package, where that is not what the package is. */
export interface RawEntry {
  readonly name?: string;
  readonly version?: string;
  readonly location?: string;
  readonly base?: string;
  readonly size?: string;
  readonly sha256?: string;
  readonly checksumType?: string;
  readonly format?: string;
}

/** The `<package>` of a primary.xml for these bytes. */
export function primaryEntry(
  { name = 'victim', version = '1', requires = [], provides = [] }: RawRpm,
  bytes: Uint8Array,
  say: RawEntry = {},
): string {
  const xml = (value: string) => value.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
  const lists = (of: string, names: readonly string[]) =>
    names.length === 0
      ? ''
      : `<rpm:${of}>${names.map((one) => `<rpm:entry name="${xml(one)}"/>`).join('')}</rpm:${of}>`;
  const base = say.base === undefined ? '' : ` xml:base="${xml(say.base)}"`;
  return [
    `<package type="rpm"><name>${xml(say.name ?? name)}</name><arch>noarch</arch>`,
    `<version epoch="0" ver="${xml(say.version ?? version)}" rel="1"/>`,
    `<checksum type="${say.checksumType ?? 'sha256'}" pkgid="YES">${say.sha256 ?? sha256(bytes)}</checksum>`,
    `<time file="1600000000" build="1600000000"/><size package="${say.size ?? bytes.length}" installed="1" archive="1"/>`,
    `<location${base} href="${xml(say.location ?? `${name}-${version}-1.noarch.rpm`)}"/>`,
    `<format>${lists('provides', [name, ...provides])}${lists('requires', requires)}${say.format ?? ''}</format></package>`,
  ].join('\n');
}

/** Files of a repository that has these entries in its primary.xml. */
export function rawMetadata(
  entries: readonly string[],
  change: { readonly primary?: Buffer; readonly repomd?: (text: string) => string } = {},
): Record<string, Buffer> {
  const plain = `<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="${entries.length}">${entries.join('\n')}</metadata>`;
  const primary = change.primary ?? gzipSync(plain);
  const repomd = `<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1600000000</revision><data type="primary"><checksum type="sha256">${sha256(primary)}</checksum><open-checksum type="sha256">${sha256(plain)}</open-checksum><location href="repodata/primary.xml.gz"/><timestamp>1600000000</timestamp><size>${primary.length}</size><open-size>${plain.length}</open-size></data></repomd>`;
  return {
    'repodata/repomd.xml': Buffer.from(change.repomd?.(repomd) ?? repomd),
    'repodata/primary.xml.gz': primary,
  };
}
