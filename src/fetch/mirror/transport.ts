import type { Report } from '../../events/events.ts';
import type { Http } from './http.ts';
import type { Limit } from './limit.ts';
import { Part } from './part.ts';
import type { Timeouts } from './timeouts.ts';
import { shown } from './url.ts';
import type { Want } from './want.ts';

/** The client, the limits and the counters that all transfers of one mirror share. */
export interface Transport {
  readonly http: Http;
  readonly limit: Limit;
  readonly retries: number;
  readonly timeouts: Timeouts;
  readonly sleep: (milliseconds: number) => Promise<void>;
  readonly signal: AbortSignal | undefined;
  readonly report: Report;
  /** Bytes that came from mirrors, of all files. */
  received: number;
  /** Bytes of unfinished downloads of earlier builds, less those of downloads that began again. */
  resumed: number;
}

/** Throws the reason for which a transfer should stop, if there is one. */
export function throwIfStopped(transport: Transport, signal?: AbortSignal): void {
  transport.signal?.throwIfAborted();
  signal?.throwIfAborted();
}

/** Reports that a failed transfer is tried again. */
export function reportRetry(transport: Transport, address: string, attempt: number, reason: string): void {
  const url = shown(address);
  // the message of an error begins with the address, and so does the line for this event
  transport.report({ kind: 'retried', url, attempt, reason: reason.replace(`${url}: `, '') });
}

/** Opens the part of a file, with what an earlier build left of it. */
export function openPart(transport: Transport, target: string, want: Want): Part {
  const part = Part.open(target, want.digest.algorithm);
  transport.resumed += part.size;
  if (want.size !== undefined)
    transport.report({ kind: 'expected', url: shown(want.urls[0] ?? target), size: want.size });
  return part;
}

/** Discards what a part has. */
export function restart(transport: Transport, part: Part): void {
  transport.resumed -= part.size;
  part.reset();
}

/** Reports how many bytes have been received. */
export function reportProgress(transport: Transport, item: string): void {
  const { received, resumed } = transport;
  transport.report({ kind: 'progress', phase: 'fetch', bytes: received + resumed, received, item });
}
