import { readdirSync, statSync } from 'node:fs';
import { withoutEnding } from '../../bytes/ending.ts';
import { causedBy, reasonOf } from '../../bytes/reason.ts';
import { BuildError } from '../../errors/error.ts';

/** The .deb files below a local folder, by path, so that a folder can serve as a repository. */
export function openFolder(path: string): string[] {
  const found: string[] = [];
  const walk = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const below = `${withoutEnding(folder, '/')}/${entry.name}`;
      if (entry.isDirectory()) walk(below);
      // follow symlinks to files only: one to a folder could create a cycle
      else if (/\.u?deb$/.test(entry.name) && statSync(below, { throwIfNoEntry: false })?.isFile()) found.push(below);
    }
  };
  try {
    walk(path);
  } catch (cause) {
    throw new BuildError('READ_FAILED', { path, reason: reasonOf(cause) }, causedBy(cause));
  }
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Why a path cannot be read as a file, or undefined when it is one. */
export function fileFault(path: string): string | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return 'no such file';
    return stat.isFile() ? undefined : 'it is not a file';
  } catch (cause) {
    return reasonOf(cause);
  }
}
