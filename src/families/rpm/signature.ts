import { BuildError, isBuildError } from '../../errors/error.ts';
import type { Keyring } from '../../fetch/keys/key.ts';
import type { RpmPackage } from '../../formats/rpm/package.ts';
import { payloadDigests, proveHeader, type RpmSignature, signaturesOf } from '../../formats/rpm/proof.ts';

/** Public key algorithms whose signatures are checked, by their OpenPGP number (RFC 9580 section 9.1). */
const ALGORITHMS: ReadonlySet<number> = new Set([1, 3, 17, 19, 22, 27, 28]);

/** Signatures over header and payload, as rpm made before 4.14, are verified in memory. */
const PAYLOAD_MAX = 256 << 20;

/** What proves where a package comes from. */
export interface SignedBy {
  /** Fingerprints of the trusted certificates with a good signature, upper-case hex, each once. */
  readonly keys: readonly string[];
  /** What the signatures cover: the header, whose digests cover the payload, or both at once. */
  readonly over: RpmSignature['over'];
}

/** The stored payload of a package, read only where a signature covers it. */
export interface StoredPayload {
  readonly size: number;
  readonly read: () => Uint8Array;
}

/**
 * Checks the digests of a package's header and all its signatures, of which at least one must be good and by a trusted
 * key. Signatures by unknown keys and of unknown algorithms do not count; one by a known key that is wrong is an error
 * beside any number of good ones, in any order, as in rpm. Those over header and payload are left out where the payload
 * is long and its digest stands in a header that is signed. Expiry of keys counts at the time of the signature, as in
 * rpm. Throws `RPM_UNSIGNED`, `RPM_DIGEST`, `RPM_UNPROVEN`, `SIGNATURE_…`.
 */
export async function proveOrigin(rpm: RpmPackage, keyring: Keyring, payload: StoredPayload): Promise<SignedBy> {
  const { path } = rpm.main;
  proveHeader(rpm);
  const signatures = signaturesOf(rpm);
  if (signatures.length === 0)
    throw new BuildError('RPM_UNSIGNED', { path }, { hint: 'set `allowUnauthenticated` to use it all the same' });
  const complete = payloadDigests(rpm).some(({ of }) => of === 'stored');
  // a signature over the header alone says nothing of a payload that the header does not name
  const counting = signatures.filter(({ over }) => complete || over === 'package');
  if (counting.length === 0)
    throw new BuildError('RPM_UNPROVEN', {
      path,
      reason: 'neither a signature nor a signed digest covers its payload',
    });
  const proven = new Map<string, RpmSignature['over']>();
  const skipped: string[] = [];
  let unknown: unknown;
  for (const { packets, over } of counting) {
    const reason = unreadable(packets);
    if (reason !== undefined) {
      skipped.push(reason);
      continue;
    }
    // those over the header come first
    if (over === 'package' && payload.size > PAYLOAD_MAX && proven.size > 0) continue;
    const signed = over === 'header' ? rpm.main.bytes : joined(rpm.main.bytes, payload, path);
    try {
      const { verifyBytes } = await import('../../fetch/openpgp.ts');
      for (const key of await verifyBytes(signed, packets, keyring, { path, every: true }))
        if (!proven.has(key)) proven.set(key, over);
    } catch (error) {
      if (!isBuildError(error, 'SIGNATURE_KEY_UNKNOWN') && !isBuildError(error, 'SIGNATURE_KEY_REMOVED')) throw error;
      unknown ??= error;
    }
  }
  const [over] = proven.values();
  if (over !== undefined) return { keys: [...proven.keys()], over };
  if (unknown !== undefined) throw unknown as Error;
  throw new BuildError('RPM_SIGNATURE_UNREADABLE', { path, reasons: skipped });
}

function joined(header: Uint8Array, payload: StoredPayload, path: string): Uint8Array {
  if (payload.size > PAYLOAD_MAX)
    throw new BuildError('RPM_UNSUPPORTED', { path, what: `a signature over a payload of ${payload.size} bytes` });
  return Buffer.concat([header, payload.read()]);
}

/** Why a signature cannot be checked here; undefined when it can. Looks at the packet's first bytes only. */
function unreadable(packets: Uint8Array): string | undefined {
  const tag = packets[0] ?? 0;
  const old = (tag & 0x40) === 0;
  const kind = old ? (tag >> 2) & 15 : tag & 63;
  if ((tag & 0x80) === 0 || kind !== 2) return 'it is no OpenPGP signature';
  // length of the length: RFC 9580 sections 4.2.1 and 4.2.2
  const first = packets[1] ?? 0;
  const head = old ? 1 + ([1, 2, 4][tag & 3] ?? 0) : first < 192 ? 2 : first < 224 ? 3 : first === 255 ? 6 : 2;
  const version = packets[head];
  if (version !== 4 && version !== 6) return `OpenPGP signatures of version ${version} are not supported`;
  const algorithm = packets[head + 2];
  return ALGORITHMS.has(algorithm ?? 0) ? undefined : `the public key algorithm ${algorithm} is not supported`;
}
