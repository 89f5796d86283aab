import { assemble } from '../src/families/assemble.ts';
import { familyOf } from '../src/families/families.ts';
import type { Plan } from '../src/families/family.ts';
import type { Host } from '../src/fetch/host.ts';
import { settleTimes } from '../src/pipeline/settle.ts';
import { writeDirectory } from '../src/tree/directory-write.ts';

/** A Debian guest as a folder, for peers that read folders. Returns its path. */
export async function extractedGuest(plan: Plan, host: Host, path: string): Promise<string> {
  const { tree } = await assemble(await familyOf(plan.order), plan, plan.date, host);
  settleTimes(tree, plan.date);
  return (await writeDirectory(tree, path)).path;
}
