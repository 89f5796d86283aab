import { BuildError } from '../errors/error.ts';

/** Bytes that packages may have when they are unpacked: a few megabytes of archive can decompress to terabytes. */
export interface UnpackLimits {
  readonly package: number;
  /** All packages of a build together. */
  readonly build: number;
}

/** The limits where none are set. */
export const UNPACK_LIMITS: UnpackLimits = { package: 8 * 2 ** 30, build: 64 * 2 ** 30 };

/** The error for what is larger than it may be when it is unpacked. */
export function tooLarge(what: string, limit: number, setting: string): BuildError {
  const hint = `set \`${setting}\` to allow more`;
  return new BuildError('UNPACKED_TOO_LARGE', { what, limit }, { hint });
}
