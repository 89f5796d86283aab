import { createHash } from 'node:crypto';
import { fileSlice } from '../../bytes/file.ts';
import { BuildError } from '../../errors/error.ts';
import { MemberFile } from './members.ts';
import { filesOf, isAdb, isSignature, type MemoryFile } from './signature.ts';

/**
 * A package archive of apk 2:
 *
 *     [signature] | control: .PKGINFO and scripts | data: the files
 *
 * each a gzip member (data may be several). The index names the control member by its checksum, the control member
 * names the data by SHA-256: so all but the signature, which the index makes superfluous, is proven before it is used.
 */
export interface ApkArchive {
  /** Files of the control segment: `.PKGINFO`, `.post-install`, … */
  readonly control: readonly MemoryFile[];
  readonly info: PackageInfo;
  /** Where the data begins. */
  readonly dataOffset: number;
  readonly size: number;
  /** Compressed bytes of the control segment: what the identity is of. */
  readonly controlBytes: Uint8Array;
  /** Files of the signature segment; empty when there is none. */
  readonly signatures: readonly MemoryFile[];
}

/** Fields of a .PKGINFO; those that may repeat as lists. */
export interface PackageInfo {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly dataHash: string | undefined;
  /** `replaces`, in the order of the file. */
  readonly replaces: readonly string[];
  readonly replacesPriority: number;
  /** Patterns of directories whose change runs the trigger script. */
  readonly triggers: readonly string[];
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

/** Longest control segment taken, in compressed bytes. */
const CONTROL_LIMIT = 32 << 20;

/** Reads all of an archive but its data. `name` is what refusals call it. */
export async function openArchive(path: string, name: string): Promise<ApkArchive> {
  const file = new MemberFile(path, name);
  try {
    if (isAdb(file.first(4))) throw new BuildError('APK_V3', { path: name, what: 'package' });
    let member = file.at(0);
    let files = await filesOf(member.plain, name);
    let signatures: readonly MemoryFile[] = [];
    if (isSignature(files)) {
      signatures = files;
      member = file.at(member.size);
      files = await filesOf(member.plain, name);
    }
    if (member.size > CONTROL_LIMIT)
      throw new BuildError('APK_FORMAT', { path: name, reason: `a control segment of ${member.size} bytes` });
    // a file of the payload in the control segment would be installed unproven
    const stray = files.find((one) => !one.name.startsWith('.'));
    if (stray !== undefined)
      throw new BuildError('APK_FORMAT', { path: name, reason: `"${stray.name}" in the control segment` });
    const infos = files.filter((one) => one.name === '.PKGINFO');
    if (infos.length !== 1)
      throw new BuildError('APK_FORMAT', { path: name, reason: `${infos.length} .PKGINFO in the control segment` });
    return {
      control: files,
      info: parseInfo(Buffer.from(infos[0]!.bytes).toString('latin1')),
      dataOffset: member.offset + member.size,
      size: file.size,
      controlBytes: member.raw,
      signatures,
    };
  } finally {
    file.close();
  }
}

/** Reads a .PKGINFO: `key = value` lines and comments. */
export function parseInfo(text: string): PackageInfo {
  const fields = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    const at = line.indexOf(' = ');
    if (at < 0) continue;
    const key = line.slice(0, at);
    const values = fields.get(key);
    if (values === undefined) fields.set(key, [line.slice(at + 3)]);
    else values.push(line.slice(at + 3));
  }
  const one = (key: string) => fields.get(key)?.at(-1) ?? '';
  const words = (key: string) => (fields.get(key) ?? []).flatMap((value) => value.split(' ')).filter((w) => w !== '');
  const dataHash = one('datahash');
  return {
    name: one('pkgname'),
    version: one('pkgver'),
    architecture: one('arch'),
    dataHash: dataHash === '' ? undefined : dataHash,
    replaces: words('replaces'),
    replacesPriority: Number.parseInt(one('replaces_priority'), 10) || 0,
    triggers: words('triggers'),
    fields,
  };
}

/** An identity as indexes have it: `Q1` + base64 of SHA-1, `Q2` + base64 of SHA-256, `X1` + hex of SHA-1. */
export function parseIdentity(identity: string): { algorithm: 'sha1' | 'sha256'; hex: string } | undefined {
  const kind = identity.slice(0, 2);
  const hex =
    kind === 'X1' ? identity.slice(2).toLowerCase() : Buffer.from(identity.slice(2), 'base64').toString('hex');
  if ((kind === 'Q1' || kind === 'X1') && /^[0-9a-f]{40}$/.test(hex)) return { algorithm: 'sha1', hex };
  if (kind === 'Q2' && /^[0-9a-f]{64}$/.test(hex)) return { algorithm: 'sha256', hex };
  return undefined;
}

/** The identity of a control segment, in the form `Q1…`. */
export function identityOf(control: Uint8Array): string {
  return `Q1${createHash('sha1').update(control).digest('base64')}`;
}

/** Refuses an archive whose control segment is not the one of that identity, or whose data is not the one it names. */
export async function proveArchive(path: string, url: string, identity: string): Promise<void> {
  const wanted = parseIdentity(identity);
  if (wanted === undefined) throw new BuildError('APK_FORMAT', { path: url, reason: `"${identity}" is no checksum` });
  let archive: ApkArchive;
  try {
    archive = await openArchive(path, url);
  } catch (cause) {
    // cut off or garbled on its way: another mirror may have it whole
    if (cause instanceof BuildError && cause.code !== 'APK_V3')
      throw new BuildError('DIGEST_MISMATCH', { url, expected: identity, actual: 'no package at all' }, { cause });
    throw cause;
  }
  const actual = createHash(wanted.algorithm).update(archive.controlBytes).digest('hex');
  if (actual !== wanted.hex)
    throw new BuildError(
      'DIGEST_MISMATCH',
      { url, expected: wanted.hex, actual },
      { hint: 'this is of its control segment' },
    );
  const expected = dataHashOf(archive, url);
  const hash = createHash('sha256');
  for await (const piece of fileSlice(path, archive.dataOffset, archive.size - archive.dataOffset).open())
    hash.update(piece);
  const data = hash.digest('hex');
  if (data !== expected)
    throw new BuildError('DIGEST_MISMATCH', { url, expected, actual: data }, { hint: 'this is of its data' });
}

/** SHA-256 that the data must have; refused when the control segment names none. */
export function dataHashOf(archive: ApkArchive, path: string): string {
  const { dataHash } = archive.info;
  if (dataHash === undefined || !/^[0-9a-f]{64}$/.test(dataHash))
    throw new BuildError('APK_FORMAT', { path, reason: 'its control segment does not prove its data (no datahash)' });
  return dataHash;
}
