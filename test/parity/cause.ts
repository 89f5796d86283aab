import { dirname } from 'node:path/posix';
import { toText } from '../../src/tree/path.ts';
import type { Tree } from '../../src/tree/tree.ts';

const INFO = 'var/lib/dpkg/info';
const SCRIPTS = ['preinst', 'postinst', 'config', 'triggers', 'templates'];

/** Finds the likely cause of a path: the package that ships it, the scripts that name it. */
export class Causes {
  private readonly owners = new Map<string, string>();
  private readonly scripts: { readonly name: string; readonly lines: readonly string[] }[] = [];

  /** Reads dpkg's records in a tree. */
  constructor(tree: Tree) {
    for (const file of tree.list(INFO)) {
      const dot = file.lastIndexOf('.');
      const kind = file.slice(dot + 1);
      const name = file.slice(0, dot).split(':')[0]!;
      if (kind === 'list')
        for (const path of (tree.text(`${INFO}/${file}`) ?? '').split('\n'))
          if (!this.owners.has(merged(toText(path)))) this.owners.set(merged(toText(path)), name);
      if (SCRIPTS.includes(kind) && kind !== 'templates')
        this.scripts.push({
          name: `${name}.${kind}`,
          lines: toText(tree.text(`${INFO}/${file}`) ?? '').split('\n'),
        });
    }
  }

  /** For example `shipped by PACKAGE`, `PACKAGE.postinst:LINE`, or the nearest of either. */
  of(path: string): string {
    const parts: string[] = [];
    const owner = this.owners.get(path);
    if (owner !== undefined) parts.push(`shipped by ${owner}`);
    const named = this.naming(path);
    if (named.length > 0) return [...parts, ...named].join(', ');
    for (let above = dirname(path); above !== '/'; above = dirname(above)) {
      // a folder that all scripts name is no evidence for one of them
      const scripts = depth(above) > 2 || above.startsWith('/etc/') ? this.naming(above) : [];
      const holder = this.owners.get(above);
      if (scripts.length > 0) return [...parts, `${scripts.join(', ')} (by ${above})`].join(', ');
      if (parts.length === 0 && holder !== undefined && depth(above) > 2) parts.push(`below ${above} of ${holder}`);
    }
    return parts.join(', ') || 'nobody names it';
  }

  private naming(path: string): string[] {
    const spellings = [path, path.replace(/^\/usr\/(bin|sbin|lib)\//, '/$1/')];
    const found: string[] = [];
    for (const { name, lines } of this.scripts) {
      const at = lines.findIndex(
        (line) =>
          !line.trimStart().startsWith('#') &&
          spellings.some((one) => {
            const from = line.indexOf(one);
            return from >= 0 && !/[\w.-]/.test(line[from + one.length] ?? '');
          }),
      );
      if (at >= 0) found.push(`${name}:${at + 1}`);
    }
    return found.slice(0, 3);
  }
}

const depth = (path: string) => path.split('/').length - 1;

/** The location of an archive’s path when /bin, /sbin and /lib are links. */
function merged(path: string): string {
  return path.replace(/^\/(bin|sbin|lib|lib32|lib64|libx32)(\/|$)/, '/usr/$1$2');
}
