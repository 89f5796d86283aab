import { memory } from '../../bytes/content.ts';
import { compactModule, type ModuleData } from '../../formats/kmod/module.ts';
import { type LoadTask, unpackModule } from './load.ts';

/** Reads a compressed module in a thread. */
export async function task({ bytes, format, path }: LoadTask): Promise<ModuleData> {
  return compactModule((await unpackModule(memory(bytes), format, path)).data);
}
