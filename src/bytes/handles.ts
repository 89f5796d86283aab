import { openSync, type PathLike } from 'node:fs';

/**
 * How many files a process may have open at once is little in some containers (256), and nothing says how many. Handles that
 * are kept only so that a file need not be opened again are closed when the system gives no more.
 */
const keepers: (() => boolean)[] = [];

/** Registers what closes the handles that a part of the program keeps. It returns false where it has none. */
export function keepsHandles(close: () => boolean): void {
  keepers.push(close);
}

/** `openSync`, once more after closing kept handles where too many files are open. Throws the system's error. */
export function openFile(path: PathLike, flags: number | string, mode?: number): number {
  try {
    return openSync(path, flags, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if ((code !== 'EMFILE' && code !== 'ENFILE') || keepers.filter((close) => close()).length === 0) throw error;
    return openSync(path, flags, mode);
  }
}
