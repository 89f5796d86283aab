import type { Difference } from './compare.ts';

/** Differences from what apt and dpkg made that are meant, and why. */
export interface Class {
  readonly name: string;
  /** Why a guest does without, or has it otherwise. */
  readonly reason: string;
  readonly paths: readonly RegExp[];
  /** Which way round: we have nothing there (default), only we have, or both and not the same. */
  readonly ways?: readonly ('missing' | 'added' | 'differs')[];
  /** Where both have a file: the only lines that may differ. */
  readonly lines?: RegExp;
  /** Where both have a file: nothing but bytes may differ, not their number. */
  readonly sameSize?: boolean;
}

/**
 * What a guest of any packages does without. The base set's test holds the trees to these alone, so everything else must
 * agree there in type, mode, owner, size, content, target and extended attributes.
 */
export const DROPPED: readonly Class[] = [
  { name: 'device nodes', reason: 'the kernel makes them (devtmpfs)', paths: [/^\/dev\/.+/] },
  {
    name: 'backups and locks',
    reason: 'of the account tools, dpkg and ucf',
    paths: [
      /^\/etc\/(passwd|group|shadow|gshadow|subuid|subgid)-$|^\/etc\/\.pwd\.lock$/,
      /^\/var\/lib\/dpkg\/(status|diversions|statoverride)-old$/,
      /^\/var\/lib\/dpkg\/lock(-frontend)?$/,
      /^\/var\/lib\/ucf\/(hashfile|registry)\.\d$/,
    ],
  },
  { name: 'debconf', reason: 'answers and templates of debconf', paths: [/^\/var\/cache\/debconf\/.+/] },
  {
    name: 'state of apt',
    reason: 'lists, locks and marks of a package manager that is done',
    paths: [/^\/var\/(lib|cache)\/apt\/(lists|archives)\/(lock|partial)$|^\/var\/lib\/apt\/extended_states$/],
    // apt gives the folders it loads into to the user it loads as
    ways: ['missing', 'differs'],
  },
  {
    name: 'of the bootstrapper',
    reason: 'its sources and fstab, and what it copies from the build host',
    paths: [
      /^\/etc\/apt\/(sources\.list|apt\.conf\.d\/99mmdebstrap)$/,
      /^\/etc\/(hostname|resolv\.conf)$/,
      /^\/etc\/fstab$/,
    ],
  },
  { name: 'run', reason: '/run is a tmpfs', paths: [/^\/run\/lock\/subsys$/] },
  {
    name: 'link to the machine id',
    reason: 'the link that tmpfiles.d makes; the bootstrapper removes it with the id behind it',
    paths: [/^\/var\/lib\/dbus\/machine-id$/],
    ways: ['added'],
  },
];

/** The first class that lets a difference pass, or undefined. `texts` gives both sides of a file. */
export function classOf(
  difference: Difference,
  classes: readonly Class[],
  texts: (path: string) => readonly [theirs: string, ours: string] = () => ['', ''],
): Class | undefined {
  const [part] = difference.parts;
  const way = part === 'missing' || part === 'added' ? part : 'differs';
  return classes.find(
    (one) =>
      (one.ways ?? ['missing']).includes(way) &&
      one.paths.some((pattern) => pattern.test(difference.path)) &&
      (way !== 'differs' || !one.sameSize || difference.parts.join() === 'sha256') &&
      (way !== 'differs' || one.lines === undefined || sameBut(one.lines, difference, texts(difference.path))),
  );
}

/** True when two texts are the same without the lines that may differ, and nothing but the content differs. */
function sameBut(lines: RegExp, { parts }: Difference, [theirs, ours]: readonly [string, string]): boolean {
  if (!parts.every((part) => part === 'size' || part === 'sha256')) return false;
  const rest = (text: string) =>
    text
      .split('\n')
      .filter((line) => !lines.test(line))
      .join('\n');
  return rest(theirs) === rest(ours);
}
