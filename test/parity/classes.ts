import type { Difference } from './compare.ts';

/** Intended differences from apt and dpkg, and why. */
export interface Class {
  readonly name: string;
  /** Why a guest lacks it, or has it in another form. */
  readonly reason: string;
  readonly paths: readonly RegExp[];
  /** Direction: missing in ours (default), only in ours, or different. */
  readonly ways?: readonly ('missing' | 'added' | 'differs')[];
  /** If both have a file: the only lines that may differ. */
  readonly lines?: RegExp;
  /** If both have a file: its bytes may differ, but not their number. */
  readonly sameSize?: boolean;
}

/**
 * What a guest of any packages lacks. The base set's test accepts only these differences, so everything else must
 * agree there in type, mode, owner, size, content, target and extended attributes.
 */
export const DROPPED: readonly Class[] = [
  { name: 'device nodes', reason: 'the kernel creates them (devtmpfs)', paths: [/^\/dev\/.+/] },
  {
    name: 'backups and locks',
    reason: 'created by the account tools, dpkg and ucf',
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
    reason: 'lists, locks and state files of a package manager that is no longer needed',
    paths: [/^\/var\/(lib|cache)\/apt\/(lists|archives)\/(lock|partial)$|^\/var\/lib\/apt\/extended_states$/],
    // apt changes the owner of its download folders to its download user
    ways: ['missing', 'differs'],
  },
  {
    name: 'files of the bootstrapper',
    reason: 'its package sources and fstab, and files it copies from the build host',
    paths: [
      /^\/etc\/apt\/(sources\.list|apt\.conf\.d\/99mmdebstrap)$/,
      /^\/etc\/(hostname|resolv\.conf)$/,
      /^\/etc\/fstab$/,
    ],
  },
  { name: 'run', reason: '/run is a tmpfs', paths: [/^\/run\/lock\/subsys$/] },
  {
    name: 'link to the machine id',
    reason: 'a link from tmpfiles.d; the bootstrapper removes it together with the id',
    paths: [/^\/var\/lib\/dbus\/machine-id$/],
    ways: ['added'],
  },
];

/** The first class that explains a difference, or undefined. `texts` gives both sides of a file. */
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
