import type { Tree } from '../../tree/tree.ts';

/**
 * Numbers of users and groups by name, as the guest's own files say when a package is unpacked. rpm packages name
 * owners only; root is known before there is any file.
 */
export class Owners {
  private readonly tree: Tree;
  private users: Map<string, number> | undefined;
  private groups: Map<string, number> | undefined;

  constructor(tree: Tree) {
    this.tree = tree;
  }

  /** Forgets what was read: files of accounts may have changed. */
  refresh(): void {
    this.users = this.groups = undefined;
  }

  /** A user's number, or undefined. */
  uid(name: string): number | undefined {
    if (name === 'root') return 0;
    this.users ??= this.read('etc/passwd');
    return this.users.get(name);
  }

  /** A group's number, or undefined. */
  gid(name: string): number | undefined {
    if (name === 'root') return 0;
    this.groups ??= this.read('etc/group');
    return this.groups.get(name);
  }

  /** `name:x:NUMBER:…` in both files. */
  private read(path: string): Map<string, number> {
    const ids = new Map<string, number>();
    for (const line of (this.tree.text(path) ?? '').split('\n')) {
      const [name, , number] = line.split(':');
      if (name !== undefined && number !== undefined && /^\d{1,10}$/.test(number) && !ids.has(name))
        ids.set(name, Number(number));
    }
    return ids;
  }
}
