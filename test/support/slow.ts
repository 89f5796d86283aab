import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './root.ts';

/** The files of test/slow.list, as paths below test/ with `/` and `.ts`, each with the reason that it is slow. */
export function slowFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const line of readFileSync(join(ROOT, 'test', 'slow.list'), 'utf8').split('\n')) {
    const match = /^(\S+)\s+(\S.*)$/.exec(line);
    if (match !== null && !line.startsWith('#')) files.set(match[1]!, match[2]!);
  }
  return files;
}
