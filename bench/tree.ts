import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '../src/families/assemble.ts';
import { familyOf } from '../src/families/families.ts';
import type { Plan } from '../src/families/family.ts';
import type { Host } from '../src/fetch/host.ts';
import { plan } from '../src/pipeline/plan.ts';
import { settleTimes } from '../src/pipeline/settle.ts';
import { writeDirectory } from '../src/tree/directory-write.ts';
import { settings, testHost } from '../test/support/host.ts';
import { Hooks } from './debian.ts';

/** A Debian guest as a folder, for peers that read folders. Returns its path. */
export async function extractedGuest(plan: Plan, host: Host, path: string): Promise<string> {
  const { tree } = await assemble(await familyOf(plan.order), plan, plan.date, host);
  settleTimes(tree, plan.date);
  return (await writeDirectory(tree, path)).path;
}

/** Runs `work` with a temporary folder and, in it, the folder of a Debian 13 guest; both are removed afterwards. */
export async function withGuest(work: (folder: string, guest: string) => Promise<string[]>): Promise<string[]> {
  const hooks = new Hooks();
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  hooks.after(() => rmSync(folder, { recursive: true, force: true }));
  try {
    const host = testHost(hooks);
    const request = {
      settings: settings({ distro: 'debian', osVersion: 'trixie', arch: 'amd64' }),
      hostArchitecture: 'x86_64',
    };
    return await work(folder, await extractedGuest(await plan(request, host), host, join(folder, 'guest')));
  } finally {
    await hooks.end();
  }
}
