import { spawn } from 'node:child_process';
import { chmodSync, chownSync, closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { memory } from '../../src/bytes/content.ts';
import { pour } from '../../src/bytes/pour.ts';
import { cpioArchive } from '../../src/formats/cpio/emit.ts';
import { file, rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { temporary, tool } from './data.ts';
import { PATIENCE } from './kernel-arguments.ts';

/** An unprivileged user that owns no files, which is enough for user-mode Linux. */
const NOBODY = 65534;

/**
 * Starts a Linux kernel as an ordinary program, with `images` as its block devices /dev/ubda, /dev/ubdb …, and runs a
 * shell script in it (busybox's, as `$B`), after it has loaded the kernel modules at `modules`. Returns what the script
 * printed.
 */
export async function inKernel(
  t: { after(fn: () => void): void },
  images: readonly string[],
  script: string,
  { modules = [] }: { readonly modules?: readonly string[] } = {},
): Promise<string> {
  const folder = temporary(t);
  const busybox = memory(readFileSync(tool('busybox')!));
  const tree = new Tree();
  for (const path of ['dev', 'proc', 'm', '.check']) tree.makeDirectory(path);
  tree.set('dev/console', { ...rootMeta(0o600), kind: 'char', major: 5, minor: 1 });
  tree.set('.check/busybox', file(busybox, rootMeta(0o755)));
  for (const path of modules) tree.set(`.check/${basename(path)}`, file(memory(readFileSync(path))));
  const head = [
    '#!/.check/busybox sh',
    'B=/.check/busybox',
    '$B mount -t devtmpfs dev /dev; $B mount -t proc proc /proc',
    'exec </dev/console >/dev/console 2>&1',
    ...modules.map((path) => `$B insmod /.check/${basename(path)}`),
  ];
  const body = [...head, script, 'echo SCRIPT-END', '$B poweroff -f', ''].join('\n');
  tree.set('init', file(memory(body), rootMeta(0o755)));
  const initrd = join(folder, 'initrd');
  await pour(cpioArchive(tree).open(), initrd, { mode: 0o644 });
  const work = join(folder, 'w');
  mkdirSync(work);
  const root = process.getuid?.() === 0;
  chmodSync(folder, 0o755);
  if (root) for (const path of [work, ...images]) chownSync(path, NOBODY, NOBODY);
  // into a file: a full pipe loses the guest's output
  const log = join(folder, 'log');
  const out = openSync(log, 'w');
  const child = spawn(
    tool('linux.uml')!,
    [
      'mem=320M',
      ...images.map((image, i) => `ubd${i}=${image}`),
      `initrd=${initrd}`,
      'con=null',
      'con0=fd:0,fd:1',
      'console=tty0',
      'panic=-1',
      'quiet',
      `uml_dir=${work}/`,
      'umid=u',
    ],
    {
      stdio: ['ignore', out, out],
      env: { ...process.env, HOME: work, TMPDIR: work },
      ...(root ? { uid: NOBODY, gid: NOBODY } : {}),
      // a separate process group, because it starts helpers that must end with it
      detached: true,
    },
  );
  const end = () => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // all of them have ended
    }
  };
  const timer = setTimeout(end, PATIENCE * 1000);
  await new Promise((resolve) => child.on('exit', resolve));
  clearTimeout(timer);
  end();
  closeSync(out);
  const result = readFileSync(log, 'latin1').replaceAll('\r', '');
  if (!result.includes('SCRIPT-END')) throw new Error(`the guest did not come to its end:\n${result.slice(-4000)}`);
  return result;
}
