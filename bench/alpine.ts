import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALPINE_SET, APK_NEEDS, ApkTools } from '../test/support/apk-tools.ts';
import { PROGRAM } from '../test/support/cli.ts';
import { data, needs } from '../test/support/data.ts';
import { serve } from '../test/support/server.ts';
import { Hooks } from './debian.ts';
import { type Run, race, timed } from './measure.ts';

/** A plain Alpine root from a loopback mirror: ours with nothing cached, with packages downloaded, and warm, against apk. */
export async function alpineBench(rounds: number): Promise<string[]> {
  const lacking = process.arch === 'x64' ? needs({ ...APK_NEEDS, root: true }) : 'not here: an x86_64 machine';
  if (lacking) return [`${lacking}: the Alpine guest was not raced`, ''];
  const hooks = new Hooks();
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  hooks.after(() => rmSync(folder, { recursive: true, force: true }));
  try {
    mkdirSync(join(folder, 'mirror/v3.19/main'), { recursive: true });
    symlinkSync(data(ALPINE_SET), join(folder, 'mirror/v3.19/main/x86_64'));
    const { url } = await serve(hooks, join(folder, 'mirror'));
    const fresh = (name: string) => {
      rmSync(join(folder, name), { recursive: true, force: true });
      return join(folder, name);
    };
    const ours = (cache: string, output: string): Promise<Run> =>
      timed(process.execPath, [
        ...[PROGRAM, 'rootfs', '--distro', 'alpine', '--os-version', '3.19', '--arch', 'x86_64', '--rootfs-only'],
        ...['--no-trim', '--packages', 'alpine-base', '--repo-url', url, '--cache-dir', cache, '--quiet', '-o', output],
      ]);
    const apk = new ApkTools(folder);
    const [loader, words] = apk.command();
    const theirs = (...more: string[]): Promise<Run> =>
      timed(loader, [
        ...[...words, '--root', fresh('theirs'), '--initdb', '--no-progress', '--keys-dir', apk.keys, ...more],
        ...['--repositories-file', '/dev/null', '--repository', `${url}/v3.19/main`, 'add', 'alpine-base'],
      ]);
    const kept = join(folder, 'apk-cache');
    mkdirSync(kept);
    const warm = join(folder, 'warm');
    const archives = join(folder, 'archives');
    for (const cache of [warm, archives]) await ours(cache, join(folder, 'ours.tar'));
    await theirs('--cache-dir', kept);
    return await race(
      'Alpine 3.19 root (alpine-base), loopback mirror',
      [
        { name: 'ours as tar, nothing cached', run: () => ours(fresh('cold'), join(folder, 'ours.tar')) },
        {
          name: 'ours as tar, packages downloaded',
          run() {
            rmSync(join(archives, 'spools'), { recursive: true, force: true });
            return ours(archives, join(folder, 'ours.tar'));
          },
        },
        { name: 'ours as tar, warm', run: () => ours(warm, join(folder, 'ours.tar')) },
        { name: 'ours as folder, warm', run: () => ours(warm, `${fresh('ours')}/`) },
        { name: 'node, started and ended', run: () => timed(process.execPath, ['-e', '']) },
        { name: 'apk add --root, its cache warm', run: () => theirs('--cache-dir', kept) },
        { name: 'apk add --root', run: () => theirs('--no-cache') },
      ],
      rounds,
    );
  } finally {
    await hooks.end();
  }
}
