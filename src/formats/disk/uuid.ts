import { createHash } from 'node:crypto';

/**
 * A UUID's 16 bytes, from its text in either letter case. Undefined when it is not a UUID.
 *
 * @example
 * ```ts
 * import { parseUuid } from 'osbuilder';
 *
 * console.log(parseUuid('6f1d3f3e-5a2b-4c1d-9e8f-0a1b2c3d4e5f')?.length, parseUuid('none')); // prints: 16 undefined
 * ```
 */
export function parseUuid(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text)) return undefined;
  return Uint8Array.from(Buffer.from(text.replaceAll('-', ''), 'hex'));
}

/** A UUID's text, in lower case. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** A UUID that depends on `seed` and `digest` alone: version 8 of RFC 9562, SHA-256 inside. */
export function deriveUuid(seed: string, digest: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = Uint8Array.from(createHash('sha256').update(seed).update(digest).digest().subarray(0, 16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
}

/** GPT stores the first three groups of a UUID with their bytes reversed (UEFI, appendix A); its own inverse. */
export function mixedEndian(uuid: Uint8Array): Uint8Array {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, ...rest] = uuid;
  return Uint8Array.of(d, c, b, a, f, e, h, g, ...rest);
}
