import type { Tree } from '../tree/tree.ts';

/**
 * Users and groups of a tree by name, as its own files have them at the time of the call. Packages that name their
 * owners are unpacked with these numbers.
 */
export class AccountNumbers {
  private readonly tree: Tree;
  private users: Map<string, number> | undefined;
  private groups: Map<string, number> | undefined;

  constructor(tree: Tree) {
    this.tree = tree;
  }

  /** Forgets what was read; called after a script has run. */
  refresh(): void {
    this.users = this.groups = undefined;
  }

  /** A user's number, or undefined. */
  uid(name: string): number | undefined {
    this.users ??= read(this.tree, 'etc/passwd');
    return this.users.get(name);
  }

  /** A group's number, or undefined. */
  gid(name: string): number | undefined {
    this.groups ??= read(this.tree, 'etc/group');
    return this.groups.get(name);
  }
}

/** `name:x:NUMBER:…` in both files. */
function read(tree: Tree, path: string): Map<string, number> {
  const ids = new Map<string, number>();
  for (const line of (tree.text(path) ?? '').split('\n')) {
    const [name, , number] = line.split(':');
    if (name !== undefined && number !== undefined && /^\d{1,10}$/.test(number) && !ids.has(name))
      ids.set(name, Number(number));
  }
  return ids;
}
