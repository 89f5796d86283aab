import { latin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import { type Header, headerSize, readHeader } from './header.ts';
import { HeaderHead, LEAD_MAGIC, Lead, TAG } from './layout.ts';

/** Reads `length` bytes at `offset` of a package, fewer at its end. */
export type ReadAt = (offset: number, length: number) => Uint8Array;

/** A package before its payload. Nothing of it is proven yet. */
export interface RpmPackage {
  readonly signature: Header;
  readonly main: Header;
  /** 4, or 6 for packages of rpm 6. */
  readonly format: 4 | 6;
  /** Where the payload begins; it reaches to the end of the file. */
  readonly payloadOffset: number;
}

/** Magic of a delta package that has no headers of its own. */
const DELTA = 'drpm';

/** True when the bytes begin as an rpm package. */
export function isRpm(first: Uint8Array): boolean {
  return LEAD_MAGIC.every((byte, i) => first[i] === byte);
}

/** Reads lead, signature header and main header of a package; each is read only after its size is known to be allowed. */
export function readPackage(readAt: ReadAt, path: string): RpmPackage {
  const lead = exactly(readAt, 0, Lead.size, 'the lead', path);
  if (latin1(lead.subarray(0, 4)) === DELTA)
    throw new BuildError('RPM_UNSUPPORTED', {
      path,
      what: 'a delta package, which needs the package it is the difference to',
    });
  if (!isRpm(lead)) throw new BuildError('RPM_CORRUPT', { path, offset: 0, reason: 'it is no rpm package' });
  const { major, signatureType } = Lead.read(lead);
  if (major < 3 || major > 4)
    throw new BuildError('RPM_UNSUPPORTED', { path, what: `the package format ${major} of its lead` });
  if (signatureType !== 5)
    throw new BuildError('RPM_UNSUPPORTED', { path, what: `the signature type ${signatureType} of its lead` });
  const signature = headerAt(readAt, Lead.size, 'signature', path);
  const end = Lead.size + signature.bytes.length;
  const start = end + ((8 - (end % 8)) % 8);
  const padding = exactly(readAt, end, start - end, 'the padding', path);
  if (padding.some((byte) => byte !== 0))
    throw new BuildError('RPM_CORRUPT', {
      path,
      offset: end,
      reason: 'the padding of the signature header is not zero',
    });
  const main = headerAt(readAt, start, 'main', path);
  const stated = main.number(TAG.rpmFormat);
  if (stated !== undefined && stated !== 6 && stated !== 4)
    throw new BuildError('RPM_UNSUPPORTED', { path, what: `the package format ${stated}` });
  return { signature, main, format: stated === 6 ? 6 : 4, payloadOffset: start + main.bytes.length };
}

function headerAt(readAt: ReadAt, start: number, kind: 'signature' | 'main', path: string): Header {
  const head = exactly(readAt, start, HeaderHead.size, `the ${kind} header`, path);
  const { total } = headerSize(head, path, start);
  // the file may be shorter than the size it states: what is not there must not be allocated
  return readHeader(exactly(readAt, start, total, `the ${kind} header`, path), kind, path, start);
}

function exactly(readAt: ReadAt, offset: number, length: number, what: string, path: string): Uint8Array {
  const bytes = readAt(offset, length);
  if (bytes.length < length)
    throw new BuildError('TRUNCATED', { path, what, offset, needed: length, left: bytes.length });
  return bytes;
}
