import type { Losses } from './losses.ts';

/** The namespaces of extended attributes that Linux file systems support (xattr(7)). */
const NAMESPACES = ['security.', 'system.', 'trusted.', 'user.'];

/** True when a Linux file system can store an attribute of this name, unlike those of macOS or FreeBSD. */
export function isLinuxAttribute(name: string): boolean {
  return NAMESPACES.some((prefix) => name.length > prefix.length && name.startsWith(prefix));
}

/**
 * Removes from `xattrs` what a Linux file system cannot store, and notes it in `losses`. Undefined when none is left.
 * `path` and `source` are for messages.
 */
export function linuxAttributes(
  xattrs: Map<string, Uint8Array> | undefined,
  path: string,
  source: string,
  losses: Losses,
): Map<string, Uint8Array> | undefined {
  if (xattrs === undefined) return undefined;
  for (const name of xattrs.keys()) {
    if (isLinuxAttribute(name)) continue;
    xattrs.delete(name);
    losses.add('ATTRIBUTE_LEFT_OUT', { source, path, name, reason: 'Linux has no such namespace' });
  }
  return xattrs.size === 0 ? undefined : xattrs;
}
