import { type KeyObject, sign, verify } from 'node:crypto';
import { smallBlob } from '../artefacts/layout.ts';
import { memory } from '../bytes/content.ts';
import { sha256 } from '../bytes/digest.ts';
import { BuildError, isBuildError } from '../errors/error.ts';
import type { Found, Source } from '../fetch/registry/repository.ts';
import type { Descriptor } from '../formats/oci/manifest.ts';

/*
 * Signatures of manifests as cosign writes them: a statement with the digest ("simple signing"), and its signature as a
 * note (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md).
 */

/** Type of the artifact that has a signature. */
export const SIGNATURE_TYPE = 'application/vnd.dev.cosign.artifact.sig.v1+json';
const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const NOTE = 'dev.cosignproject.cosign/signature';
const PAYLOAD_LIMIT = 1 << 20;

const algorithmOf = (key: KeyObject): string | null => (key.asymmetricKeyType === 'ed25519' ? null : 'sha256');

/** A signature of a manifest, ready to be attached. `repository` is what it is signed as: `HOST/NAME`. */
export function signatureOf(digest: string, repository: string, key: KeyObject) {
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': repository },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  );
  const layer: Descriptor = {
    mediaType: PAYLOAD_TYPE,
    digest: `sha256:${sha256(payload)}`,
    size: payload.length,
    annotations: { [NOTE]: sign(algorithmOf(key), payload, key).toString('base64') },
  };
  // where cosign looks for it
  const tag = `${digest.replace(':', '-')}.sig`;
  return { artifactType: SIGNATURE_TYPE, layer, content: memory(payload), tag };
}

/**
 * Checks that a manifest is signed with a key, by a signature beside it. Throws `REFERENCE_UNSIGNED`, and
 * `ATTESTATION_SIGNATURE` where there are signatures, and none of this key.
 */
export async function verifySignature(source: Source, digest: string, key: KeyObject): Promise<void> {
  const shown = `${source.shown}@${digest}`;
  let seen = false;
  for (const { value } of await signatures(source, digest)) {
    if (value.kind !== 'manifest') continue;
    for (const layer of value.layers) {
      const signature = layer.annotations?.[NOTE];
      if (layer.mediaType !== PAYLOAD_TYPE || signature === undefined) continue;
      seen = true;
      const payload = await smallBlob(source, layer, PAYLOAD_LIMIT);
      if (isSignedBy(payload, signature, key) && digestIn(payload) === digest) return;
    }
  }
  if (seen) throw new BuildError('ATTESTATION_SIGNATURE', { path: shown });
  throw new BuildError('REFERENCE_UNSIGNED', { source: shown });
}

async function signatures(source: Source, digest: string): Promise<Found[]> {
  const found: Found[] = [];
  for (const one of await source.referrers(digest))
    if (one.artifactType === SIGNATURE_TYPE) found.push(await source.manifest(one.digest));
  if (found.length > 0) return found;
  try {
    return [await source.manifest(`${digest.replace(':', '-')}.sig`)];
  } catch (error) {
    if (isBuildError(error, 'NOT_FOUND')) return [];
    throw error;
  }
}

function isSignedBy(payload: Uint8Array, signature: string, key: KeyObject): boolean {
  try {
    return verify(algorithmOf(key), payload, key, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}

/** The digest that a statement is about. */
function digestIn(payload: Uint8Array): string | undefined {
  try {
    const { critical } = JSON.parse(Buffer.from(payload).toString('utf8')) as {
      critical?: { image?: { 'docker-manifest-digest'?: unknown } };
    };
    const digest = critical?.image?.['docker-manifest-digest'];
    return typeof digest === 'string' ? digest : undefined;
  } catch {
    return undefined;
  }
}
