/** Errors of fetching. Codes are stable: programs match on them. URLs in them carry no credentials. */
export const MIRROR = {
  URL_UNSUPPORTED: (c: { url: string; reason: string }) => `cannot fetch ${c.url}: ${c.reason}`,
  NOT_FOUND: (c: { url: string; status?: number }) =>
    c.status === undefined ? `${c.url}: not there` : `${c.url}: not there (${c.status})`,
  HTTP_STATUS: (c: { url: string; status: number }) => `${c.url}: the server answered ${c.status}`,
  CONNECTION_FAILED: (c: { url: string; reason: string; proxy?: string; variable?: string | undefined }) =>
    `${c.url}: ${c.reason}`,
  DOWNLOAD_STALLED: (c: { url: string; received: number; seconds: number; bytes?: number }) =>
    c.bytes === undefined
      ? `${c.url}: nothing came for ${c.seconds} s after ${c.received} bytes`
      : `${c.url}: only ${c.bytes} bytes came in ${c.seconds} s, ${c.received} in all`,
  DOWNLOAD_CUT: (c: { url: string; received: number; expected: number }) =>
    `${c.url}: the connection broke off after ${c.received} of ${c.expected} bytes`,
  DOWNLOAD_TOO_LONG: (c: { url: string; limit: number }) => `${c.url}: longer than the ${c.limit} bytes it may have`,
  REDIRECT_REFUSED: (c: { url: string; to: string; reason: string }) =>
    `${c.url}: redirects to ${c.to}, which is not followed: ${c.reason}`,
  OFFLINE_MISSING: (c: { url: string }) => `${c.url} is not in the cache, and nothing may be fetched offline`,
  SNAPSHOT_TIME: (c: { text: string }) => `"${c.text}" is not the time of a snapshot`,
} as const;
