import { memory } from '../../bytes/content.ts';
import { BuildError } from '../../errors/error.ts';
import { type ModuleData, readModule } from '../../formats/kmod/module.ts';
import { type PackedModules, packModules } from '../../formats/kmod/packed.ts';
import { type Transferred, transferred } from '../../workers/pool.ts';
import { type LoadTask, Unpacked } from './load.ts';

const unpacked = new Unpacked();

/**
 * Reads compressed modules in a thread. One that cannot be read has no facts in the result; if it is the only one, its error
 * is thrown.
 */
export async function task({ bytes, files }: LoadTask): Promise<Transferred<PackedModules>> {
  const modules: (ModuleData | undefined)[] = [];
  let at = 0;
  for (const { size, format, path } of files) {
    const content = memory(bytes.subarray(at, at + size));
    at += size;
    try {
      modules.push(readModule(await unpacked.access(content, format, path), path).data);
    } catch (error) {
      if (files.length === 1 || !(error instanceof BuildError)) throw error;
      modules.push(undefined);
    }
  }
  const packed = packModules(modules);
  return transferred(packed, [packed.bytes.buffer, packed.numbers.buffer]);
}
