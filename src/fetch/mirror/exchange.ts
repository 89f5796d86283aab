import { BuildError } from '../../errors/error.ts';
import { pauseAfter, statusFailure } from './faults.ts';
import type { Answer, Sending } from './http.ts';
import { reportRetry, type Transport, throwIfStopped } from './transport.ts';
import { placeOf, shown } from './url.ts';

/** A request whose answer is small: of a registry, say. */
export interface Question extends Sending {
  /** Bytes that the answer may have; longer ones are `DOWNLOAD_TOO_LONG`. */
  readonly limit: number;
  /** Keep only so much of an answer that is no success, whatever its length. */
  readonly errorLimit?: number;
  /** The server that named the address, where it is not the user. */
  readonly namedBy?: string;
  /** Do not try it again: the request may have had an effect. */
  readonly once?: boolean;
}

/** The answer. Any status is returned; 5xx and 429 after the attempts. */
export interface Reply {
  readonly status: number;
  /** A header of the answer; names in small letters. */
  readonly header: (name: string) => string | undefined;
  readonly bytes: Uint8Array;
}

/** Asks a server, with as many attempts as necessary. GET and HEAD follow redirects, without credentials to other hosts. */
export async function exchange(transport: Transport, address: string, question: Question): Promise<Reply> {
  const place = placeOf(address);
  const lane = place.kind === 'http' ? place.url.host : '';
  for (let failures = 0; ; ) {
    let last: Reply | undefined;
    try {
      const reply = await transport.limit.run(lane, () => askOnce(transport, address, question));
      if (question.once || pauseAfter(statusFailure(shown(address), asAnswer(reply)), 0) === undefined) return reply;
      last = reply;
      throw statusFailure(shown(address), asAnswer(reply));
    } catch (error) {
      const wait = pauseAfter(error, failures);
      if (question.once || wait === undefined || ++failures > transport.retries) {
        if (last !== undefined) return last;
        throw error;
      }
      reportRetry(transport, address, failures, (error as Error).message);
      await transport.sleep(wait);
      throwIfStopped(transport);
    }
  }
}

const asAnswer = ({ status, header }: Reply): Answer => ({ status, header, body: nothing(), drop() {} });

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function askOnce(transport: Transport, address: string, question: Question): Promise<Reply> {
  const { method, headers = {}, authorization, namedBy, limit, errorLimit = 1 << 16 } = question;
  const { http, signal } = transport;
  const answer =
    (method === 'GET' || method === 'HEAD') && namedBy === undefined
      ? await http.get(address, headers, signal, { method, authorization })
      : await http.send(address, question, namedBy, signal);
  const good = answer.status >= 200 && answer.status < 300;
  const most = good ? limit : errorLimit;
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of answer.body) {
      size += piece.length;
      if (size > most) {
        answer.drop();
        if (good) throw new BuildError('DOWNLOAD_TOO_LONG', { url: shown(address), limit: most });
        break;
      }
      pieces.push(piece);
    }
  } catch (error) {
    answer.drop();
    throw error;
  }
  return { status: answer.status, header: answer.header, bytes: Buffer.concat(pieces) };
}
