import { closeSync, existsSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openFile } from '../bytes/handles.ts';

/** Names of the first member of an archive of a layout, or of what `docker save` writes. */
const FIRST_MEMBER = /^(\.\/)?(blobs\/|oci-layout\0|index\.json\0|manifest\.json\0)/;

/** True for a folder or an archive that looks as if it held images of containers; an archive's first member tells it. */
export function holdsContainers(path: string): boolean {
  const stat = statOf(path);
  if (stat?.isDirectory() === true) return existsSync(join(path, 'oci-layout'));
  if (stat?.isFile() !== true || stat.size < 512) return false;
  const header = Buffer.alloc(100);
  try {
    const fd = openFile(path, 'r');
    try {
      readSync(fd, header, 0, header.length, 0);
    } finally {
      closeSync(fd);
    }
  } catch {
    // reading it says why
    return false;
  }
  return FIRST_MEMBER.test(header.toString('latin1'));
}

function statOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
