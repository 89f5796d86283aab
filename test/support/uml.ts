import { spawn } from 'node:child_process';
import { chownSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tool } from './data.ts';
import { PATIENCE } from './kernel-arguments.ts';

/** An unprivileged user: where tests run as root, User-Mode Linux runs as this one. */
export const NOBODY = 65534;

/** Boots User-Mode Linux, as an ordinary user, until a line of its console matches. Returns the console's text. */
export async function bootUml(options: {
  readonly disk: string;
  readonly initrd?: string;
  readonly append: readonly string[];
  readonly marker: RegExp;
}): Promise<{ readonly reached: boolean; readonly console: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-uml-'));
  const root = process.getuid?.() === 0;
  if (root) chownSync(folder, NOBODY, NOBODY);
  const log = join(folder, 'console');
  const fd = openSync(log, 'w+');
  const child = spawn(
    tool('linux.uml')!,
    [
      ...[
        'mem=512M',
        `ubd0r=${options.disk}`,
        'con=null',
        'con0=fd:0,fd:1',
        'console=tty0',
        'panic=-1',
        `uml_dir=${folder}/`,
        'umid=u',
      ],
      ...(options.initrd === undefined ? [] : [`initrd=${options.initrd}`]),
      ...options.append,
    ],
    {
      stdio: ['ignore', fd, fd],
      env: { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder },
      detached: true,
      ...(root ? { uid: NOBODY, gid: NOBODY } : {}),
    },
  );
  const text = () =>
    readFileSync(log, 'latin1')
      .replace(/\r/g, '')
      .replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '')
      .split('\n')
      .filter((line) => !/command line:/i.test(line))
      .join('\n');
  try {
    return await new Promise((resolve) => {
      const finish = (reached: boolean) => {
        clearInterval(poll);
        clearTimeout(timer);
        resolve({ reached, console: text() });
      };
      const poll = setInterval(() => {
        if (options.marker.test(text())) finish(true);
      }, 100);
      const timer = setTimeout(() => finish(false), PATIENCE * 1000);
      child.on('exit', () => finish(options.marker.test(text())));
      child.on('error', () => finish(false));
    });
  } finally {
    // it runs its guest's processes as processes of its own group
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {}
    if (child.exitCode === null && child.signalCode === null)
      await new Promise((resolve) => child.once('exit', resolve));
    closeSync(fd);
    rmSync(folder, { recursive: true, force: true });
  }
}
