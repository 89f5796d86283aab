/**
 * Paths whose files apk does not replace once they were changed: `+etc`, but not `etc/apk` (`!`), and of
 * `etc/init.d` (`@`: audits look at links only). /etc/apk/protected_paths.d may add to them. Longer rules win over shorter ones.
 */
export type Protection = 'none' | 'changed' | 'links' | 'all';

const KINDS: Readonly<Record<string, Protection>> = { '-': 'none', '+': 'changed', '@': 'links', '!': 'all' };

/** Rules by the path of their directory. */
export class Protected {
  private readonly rules: { readonly path: string; readonly pattern: RegExp; readonly kind: Protection }[] = [];

  constructor(lists: readonly string[] = []) {
    for (const text of ['+etc\n@etc/init.d\n!etc/apk\n', ...lists])
      for (const line of text.split('\n')) {
        const kind = KINDS[line[0] ?? ''];
        const path = line
          .slice(1)
          .trim()
          .replace(/^\/+|\/+$/g, '');
        if (kind === undefined || path === '') continue;
        this.rules.push({ path, kind, pattern: patternOf(path) });
      }
  }

  /** How the files directly in `directory` are protected. */
  of(directory: string): Protection {
    let found: Protection = 'none';
    const names = directory.split('/');
    for (let depth = 1; depth <= names.length; depth++) {
      const here = names.slice(0, depth).join('/');
      for (const rule of this.rules) if (rule.pattern.test(here)) found = rule.kind;
    }
    return found;
  }
}

/** A path whose parts may hold `*` and `?`. */
function patternOf(path: string): RegExp {
  const quoted = path
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
  return new RegExp(`^${quoted}$`);
}
