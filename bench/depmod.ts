import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { needs, tool } from '../test/support/data.ts';
import { testHost } from '../test/support/host.ts';
import { debianPackage } from '../test/support/kernel.ts';
import { bundled } from './bundled.ts';
import { Hooks } from './debian.ts';
import { atLeast5, race, timed } from './measure.ts';

/** depmod of a whole kernel: ours over the folder of modules, against kmod's, each as a process of its own. */
export async function depmodBench(rounds: number): Promise<string[]> {
  const lacking = needs({ tools: ['depmod'] });
  if (lacking) return [`${lacking}: depmod was not raced`, ''];
  const hooks = new Hooks();
  const lines: string[] = [];
  try {
    const host = testHost(hooks);
    const worker = await bundled('depmod-run', ['workers/thread', 'system/kmod/load-task', 'system/kmod/share-task']);
    for (const [suite, form] of [
      ['bookworm', 'plain'],
      ['trixie', 'xz'],
    ] as const) {
      const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
      hooks.after(() => rmSync(folder, { recursive: true, force: true }));
      const { entries } = await debianPackage('linux-image-amd64', 'amd64', host, suite);
      let release = '';
      for (const entry of entries) {
        const path = /(lib\/modules\/([^/]+)\/.*)$/.exec(entry.path);
        if (path === null || !('inode' in entry) || entry.inode.kind !== 'file') continue;
        release = path[2]!;
        mkdirSync(join(folder, dirname(path[1]!)), { recursive: true });
        writeFileSync(join(folder, path[1]!), entry.inode.content.readSync());
      }
      execFileSync(tool('depmod')!, ['-b', folder, release]);
      lines.push(
        ...(await race(
          `depmod of ${release} (${form} modules)`,
          [
            { name: 'ours', run: () => timed(process.execPath, [worker, folder, release]) },
            { name: 'node, started and ended', run: () => timed(process.execPath, ['-e', '']) },
            { name: 'depmod -b (kmod)', run: () => timed(tool('depmod')!, ['-b', folder, release]) },
          ],
          atLeast5(rounds),
        )),
      );
    }
    return lines;
  } finally {
    await hooks.end();
  }
}
