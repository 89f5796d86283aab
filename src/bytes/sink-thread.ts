import { parentPort } from 'node:worker_threads';
import { zeroPieces } from './content.ts';
import { RingEmptier } from './ring.ts';
import { PlainSink } from './sink.ts';

/** What the thread is told, once. */
export interface SinkInput {
  readonly room: SharedArrayBuffer;
  readonly fd: number;
}

/** What it answers when it is done. */
export type SinkAnswer = { readonly sha256: string } | { readonly code: string | undefined; readonly message: string };

/** The body of the thread that digests and writes one file while another thread makes its bytes. */

parentPort!.once('message', ({ room, fd }: SinkInput) => {
  parentPort!.postMessage(pour(new RingEmptier(room), new PlainSink(fd)));
});

function pour(ring: RingEmptier, sink: PlainSink): SinkAnswer {
  try {
    for (const content of ring.contents())
      if (typeof content !== 'number') sink.put(content);
      else for (const zeros of zeroPieces(content)) sink.skip(zeros);
    return { sha256: sink.close() };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    ring.fail();
    return { code, message };
  }
}
