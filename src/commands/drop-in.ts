import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { memory } from '../bytes/content.ts';
import { pour } from '../bytes/pour.ts';
import { readRegular, SMALL_FILE_LIMIT } from '../bytes/regular.ts';
import { BuildError } from '../errors/error.ts';
import type { Context } from './context.ts';
import { DROP_IN_FILES, MARK } from './drop-in-files.ts';

/**
 * `osbuilder drop-in DIR`: writes a Makefile and three scripts in the places of Kata's tools/osbuilder, so that its own
 * build runs on this program. Files that this command did not write are not replaced.
 */
export async function dropIn(context: Context): Promise<void> {
  const folder = context.call.positional[0]!;
  const paths = Object.keys(DROP_IN_FILES).map((name) => join(folder, name));
  for (const path of paths) expectOwn(path);
  for (const [name, { text, mode }] of Object.entries(DROP_IN_FILES))
    await pour(memory(located(text)).open(), join(folder, name), { mode });
  if (context.settings.json) context.terminal.out(`${JSON.stringify({ files: paths }, null, 2)}\n`);
  else for (const path of paths) context.terminal.out(`${path}\n`);
}

function expectOwn(path: string): void {
  if (!existsSync(path)) return;
  const text = readRegular(path, SMALL_FILE_LIMIT).toString('latin1');
  if (!text.split('\n', 2).includes(MARK))
    throw new BuildError(
      'WRITE_FAILED',
      { path, reason: 'it was not written by "osbuilder drop-in"' },
      { hint: 'move it away, or name another folder' },
    );
}

/** Names this very program in a text, quoted for a shell. */
function located(text: string): string {
  const quoted = (path: string) => `'${path.replaceAll("'", "'\\''")}'`;
  const program = fileURLToPath(new URL('../cli/main.js', import.meta.url));
  return text.replaceAll('@NODE@', () => quoted(process.execPath)).replaceAll('@PROGRAM@', () => quoted(program));
}
