import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { sha256 } from '../bytes/digest.ts';
import { BuildError } from '../errors/error.ts';
import { type Envelope, isSealedBy, isSigningKey, publicBytes, seal } from '../formats/dsse/envelope.ts';
import { purl } from '../formats/purl/purl.ts';
import { type Lock, sortedJson } from '../lock/lock.ts';

/** What the build's parameters mean, and who built: stable URIs. */
const BUILD_TYPE = 'https://github.com/kata-containers/kata-containers/tools/osbuilder/build@v1';
const BUILDER = 'https://github.com/kata-containers/kata-containers/tools/osbuilder';
/** Type of a signed statement. */
export const STATEMENT_TYPE = 'application/vnd.in-toto+json';

/** Types of package URLs by family. */
const TYPES: ReadonlyMap<string, string> = new Map(Object.entries({ apt: 'deb' }));

/** An in-toto statement (v1) with SLSA provenance (v1) of a build that a lock describes. */
export function provenance(lock: Lock): string {
  const { outputs, packages, repositories, inputs, settings, tool } = lock;
  const { distribution, release, architecture, init, epoch, family } = lock;
  return sortedJson({
    _type: 'https://in-toto.io/Statement/v1',
    subject: outputs.map(({ name, sha256: digest }) => ({ name, digest: { sha256: digest } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: { distribution, release, architecture, init, epoch, settings },
        internalParameters: {},
        resolvedDependencies: [
          ...repositories.map(({ name, urls, metadata }) => ({
            name: `repository ${name}`,
            ...(urls[0] === undefined ? {} : { uri: urls[0] }),
            digest: { sha256: metadata.sha256 },
          })),
          ...packages.map((one) => ({
            name: `${one.name} ${one.version}`,
            uri: purl({
              type: TYPES.get(family ?? '') ?? family ?? 'generic',
              ...(distribution === undefined ? {} : { namespace: distribution }),
              name: one.name,
              version: one.version,
              qualifiers: { arch: one.architecture },
            }),
            digest: { sha256: one.sha256 },
          })),
          ...inputs.map(({ setting, name, sha256: digest }) => ({
            name: `${setting} ${name}`,
            digest: { sha256: digest },
          })),
        ],
      },
      runDetails: { builder: { id: BUILDER, version: { [tool.name]: tool.version } }, metadata: {} },
    },
  });
}

/** A private key for signing. Throws `KEY_UNUSABLE`; its message has nothing of the key. */
export function signingKey(bytes: Uint8Array, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(Buffer.from(bytes));
  } catch {
    throw new BuildError('KEY_UNUSABLE', { path, reason: 'it is no private key in PEM form without a passphrase' });
  }
  if (!isSigningKey(key))
    throw new BuildError('KEY_UNUSABLE', { path, reason: 'expected an Ed25519 or ECDSA P-256 key' });
  return key;
}

/** A public key for verification. Throws `KEY_UNUSABLE`. */
export function verificationKey(bytes: Uint8Array, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey(Buffer.from(bytes));
  } catch {
    throw new BuildError('KEY_UNUSABLE', { path, reason: 'it is no public key in PEM form' });
  }
  if (!isSigningKey(key))
    throw new BuildError('KEY_UNUSABLE', { path, reason: 'expected an Ed25519 or ECDSA P-256 key' });
  return key;
}

/** A statement in a signed envelope. */
export function signed(statement: string, key: KeyObject): string {
  return sortedJson(seal(STATEMENT_TYPE, Buffer.from(statement), key, `sha256:${sha256(publicBytes(key))}`));
}

/** What a signed statement says about files: their names and digests. */
export interface Attested {
  readonly subject: readonly { readonly name: string; readonly sha256: string }[];
}

/** Longest envelope that is read. */
export const ENVELOPE_LIMIT = 16 << 20;

/** Verifies a signed statement. Throws `ATTESTATION_INVALID` and `ATTESTATION_SIGNATURE`. */
export function verifySigned(text: string, key: KeyObject, path: string): Attested {
  const invalid = (reason: string, cause?: unknown) =>
    new BuildError('ATTESTATION_INVALID', { path, reason }, cause === undefined ? {} : { cause });
  let envelope: Envelope;
  try {
    envelope = JSON.parse(text) as Envelope;
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  if (typeof envelope !== 'object' || envelope === null || typeof envelope.payload !== 'string')
    throw invalid('it is not an envelope (DSSE)');
  if (envelope.payloadType !== STATEMENT_TYPE) throw invalid(`its payload is not of the type ${STATEMENT_TYPE}`);
  if (!Array.isArray(envelope.signatures) || envelope.signatures.some((one) => typeof one?.sig !== 'string'))
    throw invalid('it has no list of signatures');
  if (!isSealedBy(envelope, key)) throw new BuildError('ATTESTATION_SIGNATURE', { path });
  let statement: { subject?: unknown };
  try {
    statement = JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')) as { subject?: unknown };
  } catch (cause) {
    throw invalid('its payload is not JSON', cause);
  }
  if (!Array.isArray(statement?.subject)) throw invalid('its statement is about nothing');
  const subject = (statement.subject as { name?: unknown; digest?: { sha256?: unknown } }[]).map((one) => {
    const [name, digest] = [one?.name, one?.digest?.sha256];
    if (typeof name !== 'string' || typeof digest !== 'string') throw invalid('a subject without name and SHA-256');
    return { name, sha256: digest };
  });
  return { subject };
}
