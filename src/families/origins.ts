import { withoutEnding } from '../bytes/ending.ts';
import { localPath, shown } from '../fetch/mirror.ts';
import type { LockedRepository } from '../lock/lock.ts';

/** Where the packages of a plan come from, as a lock keeps it. */
export interface Origins {
  readonly repositories: readonly LockedRepository[];
  /** For each chosen package, in the plan's order. */
  readonly packages: readonly PackageOrigin[];
}

/** Where a package comes from. */
export interface PackageOrigin {
  /** Number of its repository; left out for one of the build host. */
  readonly repository?: number;
  /** Below the repository's base; the name of the file for one of the build host. */
  readonly path: string;
  readonly tag?: string;
  /** What its index says of it, where the package says otherwise of itself. */
  readonly record?: string;
}

/** URLs of a repository for a lock: without credentials and queries, and none of the build host. */
export function publicUrls(bases: readonly string[]): string[] {
  const urls = bases.filter((base) => localPath(base) === undefined).map((base) => withoutQuery(shown(base)));
  return [...new Set(urls)];
}

/**
 * The place of a package that has `urls`: in the first of the repositories with a base that one of them begins with.
 * `fits` says which repositories may have it.
 */
export function originOf(
  urls: readonly string[],
  repositories: readonly { readonly bases: readonly string[] }[],
  fits: (repository: number) => boolean = () => true,
): PackageOrigin {
  for (const [repository, { bases }] of repositories.entries()) {
    if (!fits(repository)) continue;
    for (const base of bases)
      for (const url of urls) {
        const path = pathBelow(base, url);
        if (path !== undefined) return { repository, path };
      }
  }
  const url = urls[0] ?? '';
  return { path: (localPath(url) ?? withoutQuery(url)).replace(/^.*[/\\]/, '') };
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, '');
}

/** What follows a base in an address, in plain characters; undefined when it is not below it. */
function pathBelow(base: string, url: string): string | undefined {
  const [folder, file] = [localPath(base), localPath(url)];
  if (folder !== undefined || file !== undefined) {
    if (folder === undefined || file === undefined) return undefined;
    const root = `${withoutEnding(folder, '/\\')}/`;
    return file.startsWith(root) ? file.slice(root.length) : undefined;
  }
  const root = `${withoutEnding(withoutQuery(base), '/')}/`;
  const whole = withoutQuery(url);
  if (!whole.startsWith(root)) return undefined;
  try {
    return decodeURIComponent(whole.slice(root.length));
  } catch {
    return whole.slice(root.length);
  }
}
