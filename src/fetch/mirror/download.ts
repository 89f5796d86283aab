import { BuildError, isBuildError } from '../../errors/error.ts';
import { broken, pauseAfter, statusFailure } from './faults.ts';
import type { Answer } from './http.ts';
import type { Part } from './part.ts';
import { reportProgress, reportRetry, restart, type Transport, throwIfStopped } from './transport.ts';
import { shown } from './url.ts';
import { verify, type Want, wrongSize } from './want.ts';

/*
 * Downloads of one file: attempts, resuming with ranges, and checks.
 */

/** Bytes since the last failure that count as progress. */
const GAIN = 64 * 1024;

/** Progress is reported after this many bytes of one file. */
const PROGRESS = 64 * 1024;

/** The version of a file that a download began with, from the headers of the answer. */
interface Version {
  validator: string | undefined;
}

/** Downloads one file from one place into `part`, with as many attempts as necessary, and verifies it. */
export async function download(
  transport: Transport,
  address: string,
  want: Want,
  part: Part,
  signal?: AbortSignal,
): Promise<void> {
  const version: Version = { validator: undefined };
  let failures = 0;
  // a part of an earlier build may contain anything: if the complete file is wrong, one clean download decides
  let patched = part.size > 0;
  if (want.size !== undefined && part.size > want.size) restart(transport, part);
  for (;;) {
    const before = part.size;
    try {
      if (want.size === undefined || part.size < want.size || part.size === 0)
        await transfer(transport, address, want, part, version, signal);
      await verify(address, want, part);
      return;
    } catch (error) {
      if (patched && isBuildError(error, 'DIGEST_MISMATCH')) {
        patched = false;
        version.validator = undefined;
        restart(transport, part);
        reportRetry(transport, address, 1, 'the rest did not fit what had come before');
        continue;
      }
      if (isBuildError(error, 'DIGEST_MISMATCH') || isBuildError(error, 'CONTENT_SIZE')) restart(transport, part);
      const wait = pauseAfter(error, failures);
      if (wait === undefined) throw error;
      failures = part.size - before >= GAIN ? 1 : failures + 1;
      if (failures > transport.retries) throw error;
      patched ||= part.size > 0;
      reportRetry(transport, address, failures, (error as Error).message);
      await transport.sleep(wait);
      throwIfStopped(transport, signal);
    }
  }
}

/** One request: appends the body to `part`, and stores the server's validator for this version of the file. */
async function transfer(
  transport: Transport,
  address: string,
  want: Want,
  part: Part,
  version: Version,
  signal?: AbortSignal,
): Promise<void> {
  const url = shown(address);
  const headers: Record<string, string> = want.fresh ? { 'cache-control': 'no-cache' } : {};
  if (part.size > 0) {
    headers['range'] = `bytes=${part.size}-`;
    // the server then sends the complete file if it has changed since we started
    if (version.validator !== undefined) headers['if-range'] = version.validator;
  }
  const stop = signals(transport.signal, signal);
  const sent = want.access?.current(address);
  let answer = await transport.http.get(address, headers, stop, { authorization: sent });
  if (answer.status === 401 && want.access !== undefined) {
    const challenge = answer.header('www-authenticate') ?? '';
    const authorization = await want.access.renew(address, challenge, sent);
    if (authorization !== undefined) {
      answer.drop();
      answer = await transport.http.get(address, headers, stop, { authorization });
    }
  }
  const total = acceptAnswer(transport, answer, url, want, part);
  version.validator = strong(answer.header('etag')) ?? answer.header('last-modified');
  const expected = want.size ?? total;
  let reported = part.size;
  try {
    for await (const piece of answer.body) {
      transport.received += piece.length;
      if (expected !== undefined && part.size + piece.length > expected)
        throw wrongSize(url, expected, part.size + piece.length);
      part.push(piece);
      if (part.size - reported >= PROGRESS) {
        reported = part.size;
        reportProgress(transport, url);
      }
    }
  } catch (error) {
    answer.drop();
    part.flush();
    throw broken(error, url, part, expected, transport.timeouts.body);
  }
  reportProgress(transport, url);
  if (expected !== undefined && part.size < expected)
    throw new BuildError('DOWNLOAD_CUT', { url, received: part.size, expected });
}

/**
 * Checks the head of an answer and adapts `part` to it: a range continues the part, a complete file replaces it. Returns
 * the size of the complete file where the server states it. Throws, and drops the answer, when it cannot be used.
 */
function acceptAnswer(transport: Transport, answer: Answer, url: string, want: Want, part: Part): number | undefined {
  const reject = (error: BuildError): never => {
    answer.drop();
    throw error;
  };
  let total: number | undefined;
  if (answer.status === 206 && part.size > 0) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.header('content-range') ?? '');
    if (range === null || Number(range[1]) !== part.size) {
      restart(transport, part);
      return reject(
        new BuildError('CONNECTION_FAILED', { url, reason: 'it answered with another range than requested' }),
      );
    }
    if (range[2] !== '*') total = Number(range[2]);
  } else if (answer.status === 200) {
    if (part.size > 0) restart(transport, part);
    const length = answer.header('content-length');
    if (length !== undefined && /^\d+$/.test(length)) total = Number(length);
  } else {
    if (answer.status === 416) restart(transport, part);
    return reject(statusFailure(url, answer));
  }
  if (want.size !== undefined && total !== undefined && total !== want.size)
    return reject(wrongSize(url, want.size, total));
  return total;
}

/** Only a strong tag promises the same bytes (RFC 9110 section 13.1.5). */
function strong(etag: string | undefined): string | undefined {
  return etag?.startsWith('W/') ? undefined : etag;
}

function signals(...all: (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = all.filter((signal) => signal !== undefined);
  return given.length <= 1 ? given[0] : AbortSignal.any(given);
}
