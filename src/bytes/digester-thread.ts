import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { zeroPieces } from './content.ts';
import { RingReader } from './ring.ts';

/** The body of the thread that digests one file while another thread produces and writes its bytes. */

parentPort!.once('message', (memory: SharedArrayBuffer) => {
  const hash = createHash('sha256');
  for (const content of new RingReader(memory).contents())
    if (typeof content !== 'number') hash.update(content);
    else for (const zeros of zeroPieces(content)) hash.update(zeros);
  parentPort!.postMessage(hash.digest('hex'));
});
