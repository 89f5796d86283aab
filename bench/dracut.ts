import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROGRAM } from '../test/support/cli.ts';
import { needs, tool } from '../test/support/data.ts';
import { debianSystem } from '../test/support/debian-system.ts';
import { atLeast5, race, timed } from './measure.ts';

/** Kata's own list of modules. */
const MODULES = 'kernel-modules udev-rules syslog systemd dbus';

/** dracut in the system itself: with /proc and a /dev of its own, and with nothing of the machine's environment. */
const INSIDE = `mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/dev" && mknod -m 666 "$0/dev/null" c 1 3 || exit 99
ln -s /proc/self/fd "$0/dev/fd"
exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin dracut --force --no-compress --conf /dev/null --confdir /conf \\
  --no-hostonly --reproducible --nostrip -m '${MODULES}' "$@"`;

/** Guests of the files of a Debian system in a folder, without and with a kernel's generic modules: ours and dracut. */
export async function dracutBench(rounds: number): Promise<string[]> {
  const lacking = needs({ tools: ['unshare', 'chroot', 'tar'], root: true });
  if (lacking) return [`${lacking}: dracut was not raced`, ''];
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  try {
    const system = await debianSystem('trixie', folder);
    if (typeof system === 'string') return [`${system}: dracut was not raced`, ''];
    const root = join(folder, 'root');
    mkdirSync(root);
    execFileSync('tar', ['-C', root, '-xpf', system.path]);
    mkdirSync(join(root, 'conf'));
    const lines: string[] = [];
    for (const [title, ours, theirs] of [
      ['no kernel', ['--no-kernel'], ['--no-kernel', '/out.img']],
      [`modules of ${system.release}`, ['--dracut-kversion', system.release], ['/out.img', system.release]],
    ] as const) {
      const kernel = ours[0] !== '--no-kernel';
      const words = kernel
        ? [`--dracut-options=-m "${MODULES}"`, ...ours]
        : [`--dracut-options=--no-kernel -m "${MODULES}"`];
      const run = (sysroot: string, cache: string) =>
        timed(process.execPath, [
          ...[
            PROGRAM,
            'initrd',
            '--build-method',
            'dracut',
            '--sysroot',
            sysroot,
            '--rootfs-only',
            '--compress',
            'none',
          ],
          ...['-o', join(folder, 'ours.img'), '--quiet', '--cache-dir', join(folder, cache), ...words],
        ]);
      const first = (sysroot: string) => {
        rmSync(join(folder, 'fresh'), { recursive: true, force: true });
        return run(sysroot, 'fresh');
      };
      lines.push(
        ...(await race(
          `initrd of a Debian 13 system's files, ${title}`,
          [
            { name: 'ours, system in a folder', run: () => first(root) },
            ...(kernel ? [{ name: 'ours, system in a folder, again', run: () => run(root, 'kept') }] : []),
            { name: 'ours, system as tar', run: () => first(system.path) },
            {
              name: 'dracut 106 (root, in a chroot)',
              run: () => timed(tool('unshare')!, ['-m', 'sh', '-c', INSIDE, root, ...theirs]),
            },
          ],
          atLeast5(rounds),
          { warm: true },
        )),
      );
    }
    return lines;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
