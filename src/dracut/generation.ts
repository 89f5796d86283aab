import type { Tree } from '../tree/tree.ts';
import type { Generation } from './registry.ts';

/** What a system has of dracut. */
export interface DracutOf {
  /** The generation whose modules are followed. */
  readonly generation: Generation;
  /** dracut's own version (`106-6`), which is in a file of its own, later in the program; undefined without dracut. */
  readonly version: string | undefined;
  /** dracut's folder for each of its modules, by name. */
  readonly folders: ReadonlyMap<string, string>;
}

/** Longest script that is searched for a version. */
const SCRIPT_MAX = 1 << 20;
const FOLDER = 'usr/lib/dracut/modules.d';

/** Reads which dracut a system has. Where it has none, its systemd says of which time it is. */
export function dracutOf(sysroot: Tree): DracutOf {
  const folders = new Map<string, string>();
  for (const name of sysroot.list(FOLDER)) {
    const found = /^\d\d(.+)$/s.exec(name)?.[1];
    if (found !== undefined && !folders.has(found)) folders.set(found, `${FOLDER}/${name}`);
  }
  const version = ['usr/lib/dracut/dracut-version.sh', 'usr/bin/dracut']
    .filter((path) => (sysroot.file(path)?.content.size ?? 0) <= SCRIPT_MAX)
    .map((path) => /^DRACUT_VERSION=["']?([A-Za-z0-9.+~_-]+)/m.exec(sysroot.text(path) ?? '')?.[1])
    .find((found) => found !== undefined);
  const number = Number.parseInt(version ?? '', 10);
  const recent = Number.isNaN(number) ? (systemdVersion(sysroot) ?? 257) >= 254 : number >= 100;
  return { generation: recent ? '106' : '059', version, folders };
}

/** The major version of a system's systemd, by the name of its library. */
function systemdVersion(sysroot: Tree): number | undefined {
  const folders = [
    'usr/lib/systemd',
    ...sysroot.list('usr/lib').map((name) => `usr/lib/${name}/systemd`),
    'usr/lib64/systemd',
  ];
  for (const folder of folders)
    for (const name of sysroot.list(folder)) {
      const found = /^libsystemd-shared-(\d+)/.exec(name)?.[1];
      if (found !== undefined) return Number(found);
    }
  return undefined;
}
