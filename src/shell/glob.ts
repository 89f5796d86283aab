import type { Files } from './files.ts';
import { compilePattern, isPattern, matches, namesHidden, unescapePattern } from './pattern.ts';

/** Paths that a pattern matches, in byte order. Hidden names need a pattern that begins with a dot. */
export function glob(pattern: string, files: Files): string[] {
  let found: string[] = [pattern.startsWith('/') ? '/' : ''];
  const pieces = pattern.split(/(\/+)/);
  for (let i = 0; i < pieces.length && found.length > 0; i += 2) {
    const piece = pieces[i]!;
    const slash = pieces[i + 1] ?? '';
    if (piece === '') continue;
    const next: string[] = [];
    const compiled = compilePattern(piece, files.budget);
    const hidden = namesHidden(piece);
    for (const base of found) {
      if (!isPattern(piece)) {
        const path = base + unescapePattern(piece);
        if (slash !== '' || files.find(path, false) !== undefined) next.push(path + slash);
        continue;
      }
      const inode = files.find(base === '' ? '.' : base);
      if (inode?.kind !== 'directory') continue;
      files.budget.spend(1 + (inode.children.size >>> 3));
      for (const [name, child] of inode.children) {
        if (name.startsWith('.') && !hidden) continue;
        if (!matches(compiled, name, files.budget)) continue;
        const path = base + name;
        if (slash !== '' && child.kind !== 'directory' && files.find(path)?.kind !== 'directory') continue;
        next.push(path + slash);
      }
      if (hidden)
        for (const name of ['.', '..']) if (matches(compiled, name, files.budget)) next.push(base + name + slash);
    }
    found = next;
    files.budget.spend(found.length);
  }
  // a path that ends in a slash must be an existing directory
  if (/\/$/.test(pattern)) found = found.filter((path) => files.find(path)?.kind === 'directory');
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
