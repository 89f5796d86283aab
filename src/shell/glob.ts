import type { Files } from './files.ts';
import { compilePattern, isPattern, matches, namesHidden, unescapePattern } from './pattern.ts';

/** Options of bash's shopt that change what a pattern matches. */
export interface GlobOptions {
  readonly dotglob?: boolean;
  readonly extglob?: boolean;
  readonly nocaseglob?: boolean;
  readonly globstar?: boolean;
  /** `.*` does not match `.` and `..`. */
  readonly skipDots?: boolean;
}

/** Paths that a pattern matches, in byte order. Hidden names need a pattern that begins with a dot. */
export function glob(pattern: string, files: Files, bash: GlobOptions = {}): string[] {
  if (bash.globstar && /(^|\/)\*\*(\/|$)/.test(pattern)) return globStar(pattern, files, bash);
  let found: string[] = [pattern.startsWith('/') ? '/' : ''];
  const pieces = pattern.split(/(\/+)/);
  for (let i = 0; i < pieces.length && found.length > 0; i += 2) {
    const piece = pieces[i]!;
    const slash = pieces[i + 1] ?? '';
    if (piece === '') continue;
    const next: string[] = [];
    const fold = (text: string) => (bash.nocaseglob ? text.toLowerCase() : text);
    const compiled = compilePattern(fold(piece), files.budget, false, bash.extglob);
    const hidden = namesHidden(piece);
    for (const base of found) {
      if (!isPattern(piece, bash.extglob)) {
        const path = base + unescapePattern(piece);
        if (slash !== '' || files.find(path, false) !== undefined) next.push(path + slash);
        continue;
      }
      const inode = files.find(base === '' ? '.' : base);
      if (inode?.kind !== 'directory') continue;
      files.budget.spend(1 + (inode.children.size >>> 3));
      for (const [name, child] of inode.children) {
        if (name.startsWith('.') && !hidden && !bash.dotglob) continue;
        if (!matches(compiled, fold(name), files.budget)) continue;
        const path = base + name;
        if (slash !== '' && child.kind !== 'directory' && files.find(path)?.kind !== 'directory') continue;
        next.push(path + slash);
      }
      if (hidden && !bash.skipDots)
        for (const name of ['.', '..']) if (matches(compiled, name, files.budget)) next.push(base + name + slash);
    }
    found = next;
    files.budget.spend(found.length);
  }
  // a path that ends in a slash must be an existing directory
  if (/\/$/.test(pattern)) found = found.filter((path) => files.find(path)?.kind === 'directory');
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** `**` of bash's globstar: any number of directories. Its first occurrence is expanded here. */
function globStar(pattern: string, files: Files, bash: GlobOptions): string[] {
  const match = /^((?:[\s\S]*?\/)?)\*\*(?:\/([\s\S]*))?$/.exec(pattern)!;
  const [, head = '', rest] = match;
  const out: string[] = [];
  const visit = (folder: string) => {
    files.budget.spend(2);
    const inode = files.find(folder === '' ? '.' : folder, false);
    if (inode?.kind !== 'directory') return;
    for (const name of files.list(folder === '' ? '.' : folder)) {
      if (name.startsWith('.') && !bash.dotglob) continue;
      if (rest === undefined) out.push(folder + name);
      files.budget.deeper(() => visit(`${folder}${name}/`));
    }
    if (rest === '') out.push(folder);
    else if (rest !== undefined) for (const each of glob(folder + rest, files, bash)) out.push(each);
  };
  for (const base of head === '' ? [''] : glob(head, files, bash)) {
    if (rest === undefined && base !== '') out.push(base);
    visit(base);
  }
  return [...new Set(out)].filter((path) => path !== '').sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
