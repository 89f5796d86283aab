import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { FileContent } from '../../bytes/content.ts';
import { digestOf } from '../../bytes/digest.ts';
import { hostFile } from '../../bytes/file.ts';
import { BuildError } from '../../errors/error.ts';
import { readDeb, readPayload } from './archive.ts';
import { parseControl, type Stanza } from './deb822.ts';
import { fileFault } from './folder.ts';
import type { PackageList } from './packages-index.ts';
import { type LocalDeb, localPackages } from './packages-read.ts';
import { openFolder } from './repository.ts';

/** The packages in a folder of the build host, read and digested. They need no index and no signature. */
export async function localDebs(folder: string): Promise<LocalDeb[]> {
  const debs: LocalDeb[] = [];
  for (const path of openFolder(folder)) debs.push(await localDeb(path));
  return debs;
}

/** The control file of an archive. */
export async function controlOf(path: string): Promise<Stanza> {
  return (await localControl(path)).control;
}

/** Reads one archive to its end, so that truncation is detected. `whole` false: its control file only. */
async function localDeb(path: string, whole = false): Promise<LocalDeb> {
  const { content, control } = await localControl(path, whole);
  return { control, size: content.size, sha256: await digestOf(content), url: pathToFileURL(path).href };
}

async function localControl(
  path: string,
  whole = false,
): Promise<{ readonly content: FileContent; readonly control: Stanza }> {
  const content = hostFile(path);
  let control = '';
  await readDeb(path, path, {
    control(files) {
      control = Buffer.from(files.get('control')?.bytes ?? []).toString('latin1');
    },
    async data(stream) {
      if (whole) for await (const _ of readPayload(stream, path, () => content));
    },
  });
  return { content, control: parseControl(control, path) };
}

/** Priority of a package that is named as a file: above every archive's, downgrades included. */
const FILE_PRIORITY = 1001;

/** Requests after their package files were read. */
export interface LocalFiles {
  /** The requests; a file's path became `name=version`. */
  readonly requests: readonly string[];
  /** A list for each file. */
  readonly lists: readonly PackageList[];
}

/**
 * Reads the package files among the requests, as `apt-get install ./x.deb` does: `./x.deb`, absolute paths and `file:`
 * URLs. Their dependencies come from the archives. Throws `PACKAGE_FILE` and errors of reading archives.
 */
export async function localFiles(requests: readonly string[], architecture: string): Promise<LocalFiles> {
  const lists: PackageList[] = [];
  const named: string[] = [];
  for (const request of requests) {
    const path = filePath(request);
    if (path === undefined) {
      named.push(request);
      continue;
    }
    const fault = fileFault(path);
    if (fault !== undefined) throw new BuildError('PACKAGE_FILE', { path, reason: fault });
    const deb = await localDeb(path, true);
    const [name, version, own] = ['Package', 'Version', 'Architecture'].map((field) => deb.control.get(field) ?? '');
    if (!name || !version || !own)
      throw new BuildError('PACKAGE_FILE', { path, reason: 'its control file lacks Package, Version or Architecture' });
    if (own !== architecture && own !== 'all')
      throw new BuildError('PACKAGE_FILE', { path, reason: `it is for ${own}, and the guest is for ${architecture}` });
    lists.push(localPackages([deb], path, { priority: FILE_PRIORITY }));
    named.push(`${name}=${version}`);
  }
  return { requests: named, lists };
}

/** The path in a request that names a file; undefined for a package name. */
function filePath(request: string): string | undefined {
  if (/^file:/i.test(request)) {
    try {
      return fileURLToPath(request);
    } catch {
      throw new BuildError('PACKAGE_FILE', { path: request, reason: 'this is not a file: URL with an absolute path' });
    }
  }
  return /^\.{0,2}\//.test(request) ? resolve(request) : undefined;
}
