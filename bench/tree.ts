import { settleTimes } from '../src/build/settle.ts';
import type { Supply } from '../src/build/supply.ts';
import { writeDirectory } from '../src/tree/directory-write.ts';

/** A Debian guest as a folder, for peers that read folders. Returns its path. */
export async function extractedGuest(supply: Supply, path: string): Promise<string> {
  const { tree } = await supply.assemble(supply.date);
  settleTimes(tree, supply.date);
  return (await writeDirectory(tree, path)).path;
}
