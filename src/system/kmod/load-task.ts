import { fileSlice } from '../../bytes/file.ts';
import type { ModuleData } from '../../formats/kmod/module.ts';
import { type LoadTask, unpackModule } from './load.ts';

/** Reads a compressed module in a thread. */
export async function task({ file, offset, size, format, path }: LoadTask): Promise<ModuleData> {
  return (await unpackModule(fileSlice(file, offset, size), format, path)).data;
}
