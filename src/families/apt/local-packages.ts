import { pathToFileURL } from 'node:url';
import { digestOf } from '../../bytes/digest.ts';
import { hostFile } from '../../bytes/file.ts';
import { readDeb } from './archive.ts';
import { parseControl } from './deb822.ts';
import type { LocalDeb } from './packages-read.ts';
import { openFolder } from './repository.ts';

/** The packages of a folder of the build host, read and digested: it needs no index, and no signature but its owner's word. */
export async function localDebs(folder: string): Promise<LocalDeb[]> {
  const debs: LocalDeb[] = [];
  for (const path of openFolder(folder)) {
    const content = hostFile(path);
    let control = '';
    await readDeb(path, path, {
      control(files) {
        control = Buffer.from(files.get('control')?.bytes ?? []).toString('latin1');
      },
      async data() {},
    });
    debs.push({
      control: parseControl(control, path),
      size: content.size,
      sha256: await digestOf(content),
      url: pathToFileURL(path).href,
    });
  }
  return debs;
}
