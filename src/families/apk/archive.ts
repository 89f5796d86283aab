import { createHash } from 'node:crypto';
import { fileSlice } from '../../bytes/file.ts';
import { BuildError } from '../../errors/error.ts';
import { display } from '../../tree/path.ts';
import { type Member, MemberFile } from './members.ts';
import { filesOf, isAdb, isSignature, type MemoryFile } from './signature.ts';

/**
 * A package archive of apk 2:
 *
 *     [signature] | control: .PKGINFO and scripts | data: the files
 *
 * each a gzip member (data may be several). The index names the control member by its checksum, the control member
 * names the data by SHA-256: so all but the signature, which the index makes superfluous, is verified before it is used.
 */
export interface ApkArchive {
  /** Files of the control segment: `.PKGINFO`, `.post-install`, … */
  readonly control: readonly MemoryFile[];
  readonly info: PackageInfo;
  /** Where the data begins. */
  readonly dataOffset: number;
  readonly size: number;
  /** Files of the signature segment; empty when there is none. */
  readonly signatures: readonly MemoryFile[];
}

/** Fields of a .PKGINFO; those that may repeat as lists. */
export interface PackageInfo {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly dataHash: string | undefined;
  /** Bytes when installed, as the package states. */
  readonly installedSize: number;
  /** `replaces`, in the order of the file. */
  readonly replaces: readonly string[];
  readonly replacesPriority: number;
  /** Patterns of directories; a change in one runs the trigger script. */
  readonly triggers: readonly string[];
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

/** The control file of a spool that keeps the SHA-1 of each file and link. */
export const CHECKSUMS = '.checksums';

/** Longest accepted control segment, in compressed bytes. */
const CONTROL_LIMIT = 32 << 20;

/** The control segment of an archive, not verified yet. */
interface ControlSegment {
  readonly member: Member;
  readonly signatures: readonly MemoryFile[];
  /** Bytes of the archive. */
  readonly size: number;
}

/** Reads all of an archive but its data. `name` is its name in errors; its control segment must have that identity. */
export async function openArchive(path: string, name: string, identity: string): Promise<ApkArchive> {
  let segment: ControlSegment;
  try {
    segment = await findControl(path, name);
  } catch (cause) {
    // truncated or corrupted on its way: another mirror may have it complete
    if (cause instanceof BuildError && cause.code !== 'APK_V3')
      throw new BuildError(
        'DIGEST_MISMATCH',
        { url: name, expected: identity, actual: 'no package at all' },
        { cause },
      );
    throw cause;
  }
  proveControl(segment, name, identity);
  return readControl(segment, name);
}

/** Reads all of an archive that no index lists: also its compressed control segment and the identity of that. */
export async function readArchive(
  path: string,
  name: string,
): Promise<{ readonly archive: ApkArchive; readonly raw: Uint8Array; readonly identity: string }> {
  const segment = await findControl(path, name);
  const { raw } = segment.member;
  const identity = `Q1${createHash('sha1').update(raw).digest('base64')}`;
  return { archive: await readControl(segment, name), raw, identity };
}

async function findControl(path: string, name: string): Promise<ControlSegment> {
  const file = new MemberFile(path, name);
  try {
    if (isAdb(file.first(4))) throw new BuildError('APK_V3', { path: name, what: 'package' });
    const first = file.at(0);
    const signatures = await filesOf(first.plain, name);
    return isSignature(signatures)
      ? { member: file.at(first.size), signatures, size: file.size }
      : { member: first, signatures: [], size: file.size };
  } finally {
    file.close();
  }
}

/** Rejects a control segment that is not the one of that identity. */
function proveControl({ member }: ControlSegment, url: string, identity: string): void {
  const expected = parseIdentity(identity);
  if (expected === undefined)
    throw new BuildError('APK_FORMAT', { path: url, reason: `"${identity}" is not a checksum` });
  const actual = createHash(expected.algorithm).update(member.raw).digest('hex');
  if (actual !== expected.hex)
    throw new BuildError(
      'DIGEST_MISMATCH',
      { url, expected: expected.hex, actual },
      { hint: 'the digest is that of its control segment' },
    );
}

async function readControl({ member, signatures, size }: ControlSegment, path: string): Promise<ApkArchive> {
  const malformed = (reason: string) => new BuildError('APK_FORMAT', { path, reason });
  if (member.size > CONTROL_LIMIT) throw malformed(`a control segment of ${member.size} bytes`);
  const control = await filesOf(member.plain, path);
  // a file of the payload in the control segment would be installed unverified
  const stray = control.find((one) => !one.name.startsWith('.'));
  if (stray !== undefined) throw malformed(`"${display(stray.name)}" in the control segment`);
  const infos = control.filter((one) => one.name === '.PKGINFO');
  if (infos.length !== 1) throw malformed(`${infos.length} .PKGINFO in the control segment`);
  const info = parseInfo(Buffer.from(infos[0]!.bytes).toString('latin1'));
  return { control, info, dataOffset: member.offset + member.size, size, signatures };
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
    installedSize: Number.parseInt(one('size'), 10) || 0,
    replaces: words('replaces'),
    replacesPriority: Number.parseInt(one('replaces_priority'), 10) || 0,
    // apk takes the last of several lines
    triggers: one('triggers')
      .split(' ')
      .filter((word) => word !== ''),
    fields,
  };
}

/** An identity in the spelling of indexes: `Q1` + base64 of SHA-1, `Q2` + base64 of SHA-256, `X1` + hex of SHA-1. */
export function parseIdentity(identity: string): { algorithm: 'sha1' | 'sha256'; hex: string } | undefined {
  const kind = identity.slice(0, 2);
  const hex =
    kind === 'X1' ? identity.slice(2).toLowerCase() : Buffer.from(identity.slice(2), 'base64').toString('hex');
  if ((kind === 'Q1' || kind === 'X1') && /^[0-9a-f]{40}$/.test(hex)) return { algorithm: 'sha1', hex };
  if (kind === 'Q2' && /^[0-9a-f]{64}$/.test(hex)) return { algorithm: 'sha256', hex };
  return undefined;
}

/** Rejects an archive whose control segment is not the one of that identity, or whose data is not the one it names. */
export async function proveArchive(path: string, url: string, identity: string): Promise<void> {
  const archive = await openArchive(path, url, identity);
  const expected = dataHashOf(archive, url);
  const hash = createHash('sha256');
  for await (const piece of fileSlice(path, archive.dataOffset, archive.size - archive.dataOffset).open())
    hash.update(piece);
  const data = hash.digest('hex');
  if (data !== expected)
    throw new BuildError(
      'DIGEST_MISMATCH',
      { url, expected, actual: data },
      { hint: 'the digest is that of its data' },
    );
}

/** SHA-256 that the data must have; an error when the control segment names none. */
export function dataHashOf(archive: ApkArchive, path: string): string {
  const { dataHash } = archive.info;
  if (dataHash === undefined || !/^[0-9a-f]{64}$/.test(dataHash))
    throw new BuildError('APK_FORMAT', { path, reason: 'its control segment does not prove its data (no datahash)' });
  return dataHash;
}
