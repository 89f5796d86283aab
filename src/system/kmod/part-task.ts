import { reopened } from '../../bytes/host-directory.ts';
import { BuildError } from '../../errors/error.ts';
import type { KernelModule } from '../../formats/kmod/module.ts';
import { packModules } from '../../formats/kmod/packed.ts';
import { type Transferred, transferred } from '../../workers/pool.ts';
import { type PartRead, type PartTask, partsOf, readPlain } from './load.ts';

/**
 * Reads modules that are not compressed, one part after the other, as long as there is one that nobody has begun. A module
 * that cannot be read, or is compressed, is left out: the main thread looks at it again.
 */
export async function task({ files, next }: PartTask): Promise<Transferred<PartRead>> {
  const at: number[] = [];
  const modules: KernelModule[] = [];
  for (const [from, to] of partsOf(files.length, next))
    for (let i = from; i < to; i++) {
      const { path, content } = files[i]!;
      try {
        const read = readPlain(reopened(content), path);
        if (typeof read === 'string') continue;
        modules.push(read);
        at.push(i);
      } catch (error) {
        if (!(error instanceof BuildError)) throw error;
      }
    }
  const facts = packModules(modules.map(({ data }) => data));
  return transferred({ at, facts }, [facts.bytes.buffer, facts.numbers.buffer]);
}
