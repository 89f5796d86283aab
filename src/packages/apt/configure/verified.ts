/** Scripts the built-in rules were verified against: digests by package (see `scriptDigest`). */
export const VERIFIED: Readonly<Record<string, readonly string[]>> = {};
