import type { Tree } from '../tree/tree.ts';

/** Lines of a system's /etc/passwd and /etc/group that are taken over into a guest. */
export class AccountLines {
  private readonly sysroot: Tree;
  private readonly taken = { passwd: new Map<string, string>(), group: new Map<string, string>() };
  private readonly known = new Map<string, ReadonlyMap<string, string>>();

  constructor(sysroot: Tree) {
    this.sysroot = sysroot;
  }

  /** Takes an account, if the system has it and it is not taken yet. */
  user(name: string): void {
    this.take('passwd', name);
  }

  /** Takes a group; `number` is for one that the system does not have. */
  group(name: string, number?: number): void {
    if (!this.take('group', name) && number !== undefined && !this.taken.group.has(name))
      this.taken.group.set(name, `${name}:x:${number}:`);
  }

  /** Adds an account's line first, unless there is one of this name. */
  first(name: string, line: string): void {
    if (this.taken.passwd.has(name)) return;
    const rest = [...this.taken.passwd];
    this.taken.passwd.clear();
    this.taken.passwd.set(name, line);
    for (const [other, text] of rest) this.taken.passwd.set(other, text);
  }

  /** The text of the file; empty when nothing was taken. */
  text(file: 'passwd' | 'group'): string {
    return [...this.taken[file].values()].map((line) => `${line}\n`).join('');
  }

  private take(file: 'passwd' | 'group', name: string): boolean {
    const line = this.lines(file).get(name);
    if (line === undefined) return false;
    if (!this.taken[file].has(name)) this.taken[file].set(name, line);
    return true;
  }

  private lines(file: string): ReadonlyMap<string, string> {
    let lines = this.known.get(file);
    if (lines === undefined) {
      const found = new Map<string, string>();
      for (const line of (this.sysroot.text(`etc/${file}`) ?? '').split('\n')) {
        const name = line.slice(0, line.indexOf(':'));
        if (line.includes(':') && !found.has(name)) found.set(name, line);
      }
      lines = found;
      this.known.set(file, lines);
    }
    return lines;
  }
}
