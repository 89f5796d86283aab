import { createHash } from 'node:crypto';
import type { Bytes } from '../../bytes/content.ts';
import { fileSlice, readingOnce } from '../../bytes/file.ts';
import { appendToSpool, slicesOf, spooled } from '../../bytes/spool.ts';
import { decompressAny } from '../../compression/decompress.ts';
import { BuildError } from '../../errors/error.ts';
import { Cache } from '../../fetch/cache.ts';
import { tooLarge } from '../../fetch/limits.ts';
import { spoolTail } from '../../fetch/spool-index.ts';
import { fileTable } from '../../formats/rpm/files.ts';
import { payloadLimit, readPayload } from '../../formats/rpm/payload.ts';
import { payloadDigests, proveHeader } from '../../formats/rpm/proof.ts';
import type { Entry } from '../../tree/entry.ts';
import { openPackage } from './folder.ts';

/** What a worker is asked: unpack this package into the cache's spool of that key. */
export interface UnpackTask {
  /** Path of the package on the build host. */
  readonly archive: string;
  /** Directory of the cache. */
  readonly cache: string;
  /** Longest accepted payload, whatever the package states. */
  readonly limit: number;
  /** Name of the spool. */
  readonly key: string;
  /** What messages call the package. */
  readonly name: string;
}

/** Control files of a spool: the package's two headers as they stand. */
export const MAIN_HEADER = 'header';
export const SIGNATURE_HEADER = 'signature';

/** Decompresses a package's payload once into its spool. Header and payload digests are checked on the way. */
export function task(input: UnpackTask): Promise<void> {
  return readingOnce(input.archive, () => unpack(input));
}

async function unpack(input: UnpackTask): Promise<void> {
  const { archive, name, key } = input;
  // proven when it was fetched, but the cache may have suffered since
  const { rpm, size } = openPackage(archive, name);
  proveHeader(rpm);
  const table = fileTable(rpm.main);
  const limit = payloadLimit(table);
  const stored = fileSlice(archive, rpm.payloadOffset, size - rpm.payloadOffset);
  await new Cache(input.cache).put('spools', key, async (part, _fd, wrote) => {
    const plain = createHash('sha256');
    // the digest that a spool needs is most often one that the package states
    const digests = payloadDigests(rpm).map((one) => ({
      ...one,
      hash: one.of === 'plain' && one.algorithm === 'sha256' ? plain : createHash(one.algorithm),
    }));
    let length = 0;
    const hashed = async function* (): Bytes {
      for await (const piece of stored.open()) {
        for (const { of, hash } of digests) if (of === 'stored') hash.update(piece);
        yield piece;
      }
    };
    const counted = async function* (stream: Bytes): AsyncGenerator<Uint8Array> {
      for await (const piece of stream) {
        length += piece.length;
        if (length > input.limit) throw tooLarge(name, input.limit, 'maxPackageSize');
        if (length > limit)
          throw new BuildError('RPM_PAYLOAD', {
            path: name,
            reason: `it is longer than the ${limit} bytes its files have`,
          });
        for (const { of, hash } of digests) if (of === 'plain' && hash !== plain) hash.update(piece);
        plain.update(piece);
        yield piece;
      }
    };
    const entries: Entry[] = [];
    const stream = spooled(counted(decompressAny(hashed(), name)), part);
    for await (const entry of readPayload(drained(stream), table, name, slicesOf(part))) entries.push(entry);
    const whole = plain.copy().digest('hex');
    for (const { of, hash, hex } of digests) {
      const actual = hash === plain ? whole : hash.digest('hex');
      if (actual !== hex)
        throw new BuildError('RPM_DIGEST', { path: name, what: `digest of its ${of} payload`, expected: hex, actual });
    }
    const control = new Map([
      [MAIN_HEADER, { mode: 0o644, bytes: rpm.main.bytes }],
      [SIGNATURE_HEADER, { mode: 0o644, bytes: rpm.signature.bytes }],
    ]);
    const tail = spoolTail(length, whole, control, entries);
    appendToSpool(part, tail);
    wrote(plain.update(tail).digest('hex'));
  });
}

/** Reads a stream to its very end when its reader is done, so that digests cover what follows the archive. */
async function* drained(stream: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const next = await stream.next();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    while (!(await stream.next()).done);
  }
}
