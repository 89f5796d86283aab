import { spawnSync } from 'node:child_process';
import type { Bytes } from '../../src/bytes/content.ts';
import { BuildError } from '../../src/errors/error.ts';
import { random, tool } from '../support/data.ts';

/** `bytes` in pieces of `size`, each in the same array, which is overwritten before the next one. */
export async function* pieces(bytes: Uint8Array, size = 65536): Bytes {
  const array = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    array.set(part);
    yield array.subarray(0, part.length);
    array.fill(0xa5);
  }
}

/** Bytes as in a root file system: words, runs, numbers, noise, and repetitions. */
export function sample(seed: number, size: number): Uint8Array {
  const dice = random(seed);
  const out = new Uint8Array(size);
  const words = Array.from({ length: 60 }, () =>
    Buffer.from(Array.from({ length: 3 + dice.below(9) }, () => 97 + dice.below(26))),
  );
  for (let at = 0; at < size; ) {
    const kind = dice.below(10);
    const length = Math.min(size - at, 1 + dice.below(kind === 9 ? 4000 : 60));
    if (kind < 5) out.set(dice.pick(words).subarray(0, length), at);
    else if (kind === 5) out.fill(dice.below(256), at, at + length);
    else if (kind === 6) for (let i = 0; i < length; i++) out[at + i] = dice.below(256);
    else if (at > 0) {
      const from = dice.below(at);
      out.copyWithin(at, from, Math.min(from + length, at));
    }
    at += length;
  }
  return out;
}

/** Bytes without any pattern. */
export function noise(seed: number, size: number): Uint8Array {
  const dice = random(seed);
  return Uint8Array.from({ length: size }, () => dice.below(256));
}

/** Runs a program of this machine on bytes. */
export function run(
  name: string,
  args: readonly string[],
  input: Uint8Array,
): { status: number | null; out: Uint8Array } {
  const { status, stdout } = spawnSync(tool(name)!, args, { input, maxBuffer: 1 << 30 });
  return { status, out: stdout };
}

/** Runs a program that must succeed. */
export function must(name: string, args: readonly string[], input: Uint8Array): Uint8Array {
  const { status, out } = run(name, args, input);
  if (status !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${status}`);
  return out;
}

/** A decoding's bytes, or the code it was rejected with. Any other error is a failure. */
export async function outcome(source: Bytes): Promise<{ bytes: Buffer; code: string | undefined }> {
  const parts: Buffer[] = [];
  let code: string | undefined;
  try {
    for await (const piece of source) parts.push(Buffer.from(piece));
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    code = error.code;
  }
  return { bytes: Buffer.concat(parts), code };
}
