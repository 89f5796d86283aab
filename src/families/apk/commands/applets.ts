import type { Tree } from '../../../tree/tree.ts';

/**
 * Where busybox's applets have their links: absolute paths. Packages list them in /etc/busybox-paths.d/NAME; older ones
 * do not, so there the names and folders are read from the program itself.
 */
export function appletPaths(tree: Tree, program: string): string[] {
  const listed = tree.text(`etc/busybox-paths.d/${program.slice(program.lastIndexOf('/') + 1)}`);
  if (listed !== undefined) return listed.split('\n').flatMap((line) => (line === '' ? [] : [`/${line}`]));
  const bytes = tree.file(program)?.content.readSync();
  return bytes === undefined ? [] : appletsOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
}

/** Folders by number, as busybox's tables have them (BB_DIR_ROOT … BB_DIR_USR_SBIN). */
const FOLDERS = ['/', '/bin/', '/sbin/', '/usr/bin/', '/usr/sbin/'];
/** Folders of these applets in every version; they distinguish the table of folders from other bytes. */
const ANCHORS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ls: 1,
    cat: 1,
    sh: 1,
    ifconfig: 2,
    route: 2,
    awk: 3,
    sort: 3,
    chroot: 4,
  }),
);

/**
 * Applets of a busybox program: `applet_names` is one run of sorted, NUL-ended names; `applet_install_loc` has half a
 * byte per applet, the first in the lower half.
 */
export function appletsOf(program: Buffer): string[] {
  const names = longestSortedRun(program);
  const anchors = names.flatMap((name, i) => (ANCHORS.has(name) ? [[i, ANCHORS.get(name)!] as const] : []));
  if (anchors.length < 4) return [];
  const length = (names.length + 1) >> 1;
  const at = findFolders(program, length, anchors);
  if (at === undefined) return [];
  return names.map((name, i) => FOLDERS[(program[at + (i >> 1)]! >> ((i & 1) * 4)) & 15]! + name);
}

function findFolders(
  program: Buffer,
  length: number,
  anchors: readonly (readonly [index: number, folder: number])[],
): number | undefined {
  let valid = 0;
  for (let end = 0; end < program.length; end++) {
    const byte = program[end]!;
    valid = (byte & 15) < FOLDERS.length && byte >> 4 < FOLDERS.length ? valid + 1 : 0;
    const start = end + 1 - length;
    if (
      valid >= length &&
      anchors.every(([i, folder]) => ((program[start + (i >> 1)]! >> ((i & 1) * 4)) & 15) === folder)
    )
      return start;
  }
  return undefined;
}

/** The longest run of NUL-ended names in ascending byte order. */
function longestSortedRun(program: Buffer): string[] {
  let best: string[] = [];
  let run: string[] = [];
  let start = 0;
  const flush = () => {
    if (run.length > best.length) best = run;
  };
  for (let at = 0; at < program.length; at++) {
    if (program[at] !== 0) continue;
    const length = at - start;
    const name = length > 0 && length <= 24 ? program.toString('latin1', start, at) : '';
    // the first name of a run may follow other bytes without a NUL between
    if (!/^[[a-z0-9_.-]+$/i.test(name)) {
      flush();
      run = [];
    } else if (run.length > 0 && name <= run[run.length - 1]!) {
      flush();
      run = [name];
    } else run.push(name);
    start = at + 1;
  }
  flush();
  return best;
}
