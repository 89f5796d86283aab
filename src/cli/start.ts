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

/** Commands that write something large, most often. */
const WRITING: ReadonlySet<string> = new Set(['rootfs', 'initrd', 'image', 'build']);

/** True where a thread that writes and digests is worth starting before it is known what is to be done. */
function writesMuch(word: string | undefined, more: readonly string[]): boolean {
  if (word === undefined || !WRITING.has(word) || process.env['OSBUILDER_JOBS'] !== undefined) return false;
  return !more.some((one) => one === '--help' || one === '-h' || one.startsWith('--jobs'));
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
    // its start takes as long as loading the program does, and another processor does it
    if (writesMuch(word, more)) (await import('../bytes/writer.ts')).expectLargeFile();
    await (await import('./run.ts')).run(version);
  }
}
