import type { Code } from '../../errors/catalogue.ts';
import { BuildError } from '../../errors/error.ts';

/** How failures of mirrors are handled. */
export interface FailOver {
  /** True for errors that another mirror may not have; any other is thrown immediately. */
  readonly next: (error: BuildError) => boolean;
  /** How informative an error is; when all mirrors fail, the first one with the lowest number is thrown. */
  readonly rank: (error: BuildError) => number;
}

/**
 * Tries one mirror after the other. When all fail, the most informative error is thrown, and its hint names the others.
 * Throws a `RangeError` when there is no mirror at all.
 */
export async function firstOf<T>(
  mirrors: readonly string[],
  attempt: (mirror: string) => Promise<T>,
  { next, rank }: FailOver,
): Promise<T> {
  const failures: BuildError[] = [];
  for (const mirror of mirrors) {
    try {
      return await attempt(mirror);
    } catch (error) {
      if (!(error instanceof BuildError) || !next(error)) throw error;
      failures.push(error);
    }
  }
  if (failures.length === 0) throw new RangeError('no address to fetch from');
  const mostSerious = failures.reduce((a, b) => (rank(b) < rank(a) ? b : a));
  const others = failures.filter((failure) => failure !== mostSerious).map((failure) => failure.message);
  if (others.length === 0) throw mostSerious;
  const hint = [...(mostSerious.hint === undefined ? [] : [mostSerious.hint]), `also tried: ${others.join('; ')}`].join(
    '; ',
  );
  throw new BuildError(mostSerious.code, mostSerious.context, { cause: mostSerious.cause, hint });
}

// errors that another mirror may not have, the most informative first
const OF_FILES: readonly Code[] = [
  'DIGEST_MISMATCH',
  'CONTENT_SIZE',
  'DOWNLOAD_TOO_LONG',
  'DOWNLOAD_CUT',
  'DOWNLOAD_STALLED',
  'CONNECTION_FAILED',
  'HTTP_STATUS',
  'REDIRECT_REFUSED',
  'READ_FAILED',
  'NOT_FOUND',
  'OFFLINE_MISSING',
];

/** For files whose digest is known: any error with them or with the connection. */
export const FILES: FailOver = {
  next: ({ code }) => OF_FILES.includes(code),
  rank: ({ code }) => OF_FILES.indexOf(code),
};

/** For signed metadata: also what is wrong with its signature or its dates. Errors about trust are more informative than those of the network. */
export const METADATA: FailOver = {
  next: ({ code }) => code !== 'WRITE_FAILED' && code !== 'KEYRING_UNREADABLE',
  rank: ({ code }) => (/^(SIGN|RELEASE|SUITE|COMP|ARCH|METADATA|REPOMD|APK|RPM)/.test(code) ? 0 : 1),
};
