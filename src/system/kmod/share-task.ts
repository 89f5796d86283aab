import { forgetFile } from '../../bytes/file.ts';
import { isUnchanged, reopened } from '../../bytes/host-directory.ts';
import { BuildError } from '../../errors/error.ts';
import { type KernelModule, readModule } from '../../formats/kmod/module.ts';
import { packModules } from '../../formats/kmod/packed.ts';
import { type Transferred, transferred } from '../../workers/pool.ts';
import { partsOf, readPlain, type ShareRead, type ShareTask, Unpacked } from './load.ts';

const unpacked = new Unpacked();

/**
 * Reads modules, one part after the other, as long as there is one that nobody has begun. A module that cannot be read is
 * left out: the main thread looks at it again.
 */
export async function task(shared: ShareTask): Promise<Transferred<ShareRead>> {
  // another file may have taken a name since this thread read it last
  for (const file of new Set(shared.files.map(({ content }) => ('file' in content ? content.file : undefined))))
    if (file !== undefined) forgetFile(file);
  const at: number[] = [];
  const modules: KernelModule[] = [];
  for (const [from, to] of partsOf(shared))
    for (let i = from; i < to; i++) {
      const { path, content: reopening } = shared.files[i]!;
      try {
        const content = reopened(reopening);
        const read = readPlain(content, path);
        const facts = typeof read === 'string' ? readModule(await unpacked.access(content, read, path), path) : read;
        if (!isUnchanged(reopening)) continue;
        modules.push(facts);
        at.push(i);
      } catch (error) {
        if (!(error instanceof BuildError)) throw error;
      }
    }
  const facts = packModules(modules.map(({ data }) => data));
  return transferred({ at, facts }, [facts.bytes.buffer, facts.numbers.buffer]);
}
