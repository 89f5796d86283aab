import { existsSync, readFileSync } from 'node:fs';

/** The program's version. To print it, or the list of commands, hardly anything else is loaded. */
const version = ((): string => {
  // the compiled program is one folder deeper than its source
  for (let at = new URL('.', import.meta.url); ; at = new URL('..', at)) {
    const path = new URL('package.json', at);
    if (!existsSync(path)) continue;
    // the bundle's own says only what kind of modules it has
    const { version: found } = JSON.parse(readFileSync(path, 'utf8')) as { version?: string };
    if (found !== undefined) return found;
  }
})();

/** Commands that make a guest. */
const MAKING: ReadonlySet<string> = new Set(['rootfs', 'initrd', 'image', 'build']);

/**
 * Starts the thread that writes and digests, which a command that makes a guest needs most often: its start takes as long as
 * loading the program does, and another processor does it. What dracut's method writes is small.
 */
async function startThread(word: string | undefined, more: readonly string[]): Promise<void> {
  const { BUILD_METHOD, OSBUILDER_JOBS } = process.env;
  if (word === undefined || !MAKING.has(word) || OSBUILDER_JOBS !== undefined) return;
  if (more.some((one) => one === '--help' || one === '-h' || one.startsWith('--jobs'))) return;
  if (BUILD_METHOD === 'dracut' || more.some((one) => /^(?:--build-method=)?dracut$/.test(one))) return;
  const { expectThread, taskModule } = await import('../workers/shared.ts');
  expectThread(taskModule('../bytes/writer-task', import.meta.url));
}

/** Runs the command of the arguments. */
export async function start(): Promise<void> {
  const [word, ...more] = process.argv.slice(2);
  if (more.length === 0 && (word === '--version' || word === 'version'))
    (await import('./device.ts')).writeOut(`${version}\n`);
  else if (more.length === 0 && (word === '--help' || word === '-h' || word === 'help')) {
    const [{ programHelp }, { columnsOf, PAGE, writeOut }] = await Promise.all([
      import('./program-help.ts'),
      import('./device.ts'),
    ]);
    writeOut(`${programHelp(columnsOf(process.stdout) ?? PAGE)}\n`);
  } else {
    await startThread(word, more);
    await (await import('./run.ts')).run(version);
  }
}
