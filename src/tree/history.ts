import type { FileContent } from '../bytes/content.ts';
import { type Directory, directory, type Inode, type Kind } from './inode.ts';
import { dirname, join } from './path.ts';
import type { Tree } from './tree.ts';

/** What changed a tree: a step of a build, with what it belongs to. */
export interface Step {
  /** `package`, `script`, `overlay`, `agent`, `trim`, … */
  readonly step: string;
  /** The package whose files or script it was. */
  readonly package?: string;
  readonly version?: string;
  /** Name of the script, as the family calls it, and its arguments. */
  readonly script?: string;
  /** The user's file, folder or pattern. */
  readonly source?: string;
}

/** Properties of an entry that a step can change. Times are not compared: a build sets them all. */
export type Property = 'kind' | 'content' | 'target' | 'device' | 'mode' | 'owner' | 'attributes';

/** What one step did to one path. */
export interface Change {
  readonly by: Step;
  readonly effect: 'created' | 'changed' | 'removed';
  /** What differs afterwards; empty unless it was changed. */
  readonly properties: readonly Property[];
}

/** The state of an entry after the last step. */
interface Snapshot {
  kind: Kind;
  mode: number;
  uid: number;
  gid: number;
  /** The content of a file, the target of a link, the numbers of a device. */
  detail: FileContent | string | undefined;
  xattrs: string;
  children: Map<string, Snapshot> | undefined;
}

/** Files up to this size are compared by their bytes where a step wrote them again. Bytes. */
const COMPARED = 1 << 20;

/**
 * Which step created, changed and removed each path of a tree. Every call of {@link History.mark} compares the tree with
 * its state at the last one, so its cost is one walk; a build without a history has none.
 *
 * @example
 * ```ts
 * import { History, Tree } from 'osbuilder';
 *
 * const tree = new Tree();
 * const history = new History();
 * tree.writeFile('etc/motd', 'hello');
 * history.mark(tree, { step: 'mine' });
 * tree.remove('etc/motd');
 * history.mark(tree, { step: 'later' });
 * for (const { by, effect } of history.of('etc/motd')) console.log(effect, by.step);
 * // prints: created mine
 * // prints: removed later
 * ```
 */
export class History {
  readonly #changes = new Map<string, Change[]>();
  readonly #holders = new Map<string, string[]>();
  readonly #root = snapshot(directory());

  /** Attributes every difference since the last call to `step`. */
  mark(tree: Tree, step: Step): void {
    this.#compare('', this.#root, tree.root, step);
    const todo: { directory: Directory; before: Snapshot; path: string }[] = [
      { directory: tree.root, before: this.#root, path: '' },
    ];
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
      const { directory, before, path } = at;
      const children = before.children!;
      for (const [name, inode] of directory.children) {
        const here = join(path, name);
        let known = children.get(name);
        if (known === undefined) {
          known = snapshot(inode);
          children.set(name, known);
          this.#add(here, step, 'created');
        } else this.#compare(here, known, inode, step);
        if (inode.kind === 'directory') todo.push({ directory: inode, before: known, path: here });
      }
      if (children.size > directory.children.size)
        for (const [name, known] of children)
          if (!directory.children.has(name)) {
            children.delete(name);
            this.#removed(join(path, name), known, step);
          }
    }
  }

  /** Records that a package contains a path, as its archive spells it. */
  hold(path: string, name: string): void {
    const names = this.#holders.get(path);
    if (names === undefined) this.#holders.set(path, [name]);
    else if (!names.includes(name)) names.push(name);
  }

  /** What was done to a path, in order. Links in the path are not followed. */
  of(path: string): readonly Change[] {
    return this.#changes.get(path) ?? [];
  }

  /** Every path that a step touched. */
  paths(): Iterable<string> {
    return this.#changes.keys();
  }

  /** Names of the packages that contain a path; links in the folders of their archives' paths are followed in `tree`. */
  holders(tree: Tree, path: string): readonly string[] {
    const names = new Set(this.#holders.get(path));
    for (const [held, by] of this.#holders)
      if (held !== path && sameName(held, path) && realName(tree, held) === path) for (const one of by) names.add(one);
    return [...names];
  }

  #compare(path: string, known: Snapshot, inode: Inode, step: Step): void {
    const now = snapshot(inode);
    const properties: Property[] = [];
    if (known.kind !== now.kind) properties.push('kind');
    else if (!sameDetail(known.detail, now.detail))
      properties.push(now.kind === 'file' ? 'content' : now.kind === 'symlink' ? 'target' : 'device');
    if (known.mode !== now.mode && now.kind !== 'symlink') properties.push('mode');
    if (known.uid !== now.uid || known.gid !== now.gid) properties.push('owner');
    if (known.xattrs !== now.xattrs) properties.push('attributes');
    if (known.kind === 'directory' && now.kind !== 'directory')
      for (const [name, child] of known.children!) this.#removed(join(path, name), child, step);
    Object.assign(known, now, { children: known.kind === now.kind ? known.children : now.children });
    if (properties.length > 0) this.#add(path, step, 'changed', properties);
  }

  #removed(path: string, known: Snapshot, step: Step): void {
    const todo = [{ path, known }];
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
      this.#add(at.path, step, 'removed');
      for (const [name, child] of at.known.children ?? []) todo.push({ path: join(at.path, name), known: child });
    }
  }

  #add(path: string, by: Step, effect: Change['effect'], properties: readonly Property[] = []): void {
    const change = { by, effect, properties };
    const changes = this.#changes.get(path);
    if (changes === undefined) this.#changes.set(path, [change]);
    else changes.push(change);
  }
}

/** The path that `path`, as an archive or a database spells it, has in a tree: links in its folders are followed. */
export function realName(tree: Tree, path: string): string {
  const folder = dirname(path);
  const real = folder === '' ? '' : (tree.realpath(folder) ?? folder);
  return join(real, path.slice(folder === '' ? 0 : folder.length + 1));
}

/** True when two paths end in the same name. */
export function sameName(a: string, b: string): boolean {
  return a.slice(a.lastIndexOf('/') + 1) === b.slice(b.lastIndexOf('/') + 1);
}

function snapshot(inode: Inode): Snapshot {
  const { kind, mode, uid, gid, xattrs } = inode;
  return {
    ...{ kind, mode, uid, gid },
    detail:
      'content' in inode
        ? inode.content
        : 'target' in inode
          ? inode.target
          : 'major' in inode
            ? `${inode.major},${inode.minor}`
            : undefined,
    xattrs:
      xattrs === undefined || xattrs.size === 0
        ? ''
        : [...xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString('latin1')}`).join('\0'),
    children: kind === 'directory' ? new Map() : undefined,
  };
}

function sameDetail(a: Snapshot['detail'], b: Snapshot['detail']): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a.size !== b.size || a.size > COMPARED) return false;
  return Buffer.from(a.readSync()).equals(b.readSync());
}
