import type { Code } from '../../errors/catalogue.ts';
import { BuildError } from '../../errors/error.ts';

/** What to do when a mirror fails. */
export interface FailOver {
  /** True for errors that another mirror may not have; any other is thrown immediately. */
  readonly next: (error: BuildError) => boolean;
  /** How much an error says; when all mirrors fail, the first one with the lowest number is thrown. */
  readonly rank: (error: BuildError) => number;
}

/**
 * Tries one mirror after the other. When all fail, the error that says most is thrown, and its hint names the others.
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
  const gravest = failures.reduce((a, b) => (rank(b) < rank(a) ? b : a));
  const others = failures.filter((failure) => failure !== gravest).map((failure) => failure.message);
  if (others.length === 0) throw gravest;
  const hint = [...(gravest.hint === undefined ? [] : [gravest.hint]), `also tried: ${others.join('; ')}`].join('; ');
  throw new BuildError(gravest.code, gravest.context, { cause: gravest.cause, hint });
}

// what another mirror may do better, the most telling first
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

/** For files whose digest is known: anything that is wrong with them or with the way to them. */
export const FILES: FailOver = {
  next: ({ code }) => OF_FILES.includes(code),
  rank: ({ code }) => OF_FILES.indexOf(code),
};

/** For signed metadata: also what is wrong with its signature or its dates. Errors about trust say more than those of the network. */
export const METADATA: FailOver = {
  next: ({ code }) => code !== 'WRITE_FAILED' && code !== 'KEYRING_UNREADABLE',
  rank: ({ code }) => (/^(SIGN|RELEASE|SUITE|COMP|ARCH)/.test(code) ? 0 : 1),
};
