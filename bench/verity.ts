import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hostFile } from '../src/bytes/file.ts';
import { pour } from '../src/bytes/pour.ts';
import { KATA_FORMAT } from '../src/formats/verity/layout.ts';
import { measured } from '../src/formats/verity/tree.ts';
import { random, tool } from '../test/support/data.ts';
import { atLeast5, race, timed } from './measure.ts';

const SELF = fileURLToPath(import.meta.url);
const MIB = 1 << 20;
const SIZE = 512 * MIB;
const SALT = '07'.repeat(32);

/** The hash tree of a file system's worth of data, from file to file, against `veritysetup format`. */
export async function verityBench(rounds: number): Promise<string[]> {
  if (tool('veritysetup') === undefined) return ['veritysetup is not installed: hash trees were not raced', ''];
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  try {
    const data = join(folder, 'data');
    const { below } = random(5);
    const noise = Buffer.from(Uint8Array.from({ length: MIB }, () => below(256)));
    const bytes = Buffer.alloc(SIZE);
    for (let at = 0; at < SIZE; at += MIB) {
      noise.writeUInt32LE(at, 0);
      noise.copy(bytes, at);
    }
    writeFileSync(data, bytes);
    const out = (name: string) => join(folder, name);
    const drop = (name: string) => rmSync(out(name), { force: true });
    const lines = await race(
      `dm-verity hash tree of ${SIZE / MIB} MiB`,
      [
        {
          name: 'ours',
          run() {
            drop('ours');
            return timed(process.execPath, [SELF, data, out('ours')]);
          },
        },
        {
          name: 'veritysetup format',
          run() {
            drop('theirs');
            const args = ['format', '--no-superblock', `--salt=${SALT}`, data, out('theirs')];
            return timed(tool('veritysetup')!, args);
          },
        },
      ],
      atLeast5(rounds),
      { warm: true },
    );
    return [...lines, 'Ours also digests (SHA-256) and syncs the tree.', ''];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === SELF) {
  const [, , data, to] = process.argv;
  const format = { ...KATA_FORMAT, salt: Uint8Array.from(Buffer.from(SALT, 'hex')) };
  await pour(measured(hostFile(data!), format).tree.open(), to!);
  const { closePool } = await import('../src/workers/shared.ts');
  await closePool();
}
