import { BuildError } from '../../../errors/error.ts';
import type { PackageIndex } from '../packages-index.ts';
import { PRIORITIES as RANKS } from '../packages-table.ts';

const PRIORITIES: readonly string[] = RANKS.slice(1);

/** One requested item. */
export type Request =
  | {
      readonly kind: 'install';
      readonly name: string;
      readonly text: string;
      readonly version?: string;
      readonly suite?: string;
    }
  | { readonly kind: 'forbid'; readonly name: string; readonly text: string }
  | { readonly kind: 'essential'; readonly text: string }
  | { readonly kind: 'priority'; readonly priority: string; readonly text: string };

/**
 * Parses a request in apt's syntax: `name`, `name:arch`, `name=version`, `name/suite`, `name-` (must not be installed),
 * `?essential`, `?priority(required)`.
 */
export function parseRequest(text: string, index: PackageIndex): Request {
  if (text.startsWith('?')) return pattern(text);
  // a name may itself end in + or -: g++
  if (index.versions(text).length > 0) return { kind: 'install', name: text, text };
  const match =
    /^(?<name>[A-Za-z0-9][A-Za-z0-9.+_-]*?)(?::(?<arch>[a-z0-9-]*[a-z0-9]))?(?:=(?<version>[^\s=/]+)|\/(?<suite>[^\s=/]+))?(?<sign>[+-])?$/.exec(
      text,
    );
  if (match === null)
    throw new BuildError('PACKAGE_REQUEST', {
      request: text,
      fault: 'it is neither a package name nor a known pattern',
    });
  const { arch, version, suite, sign } = match.groups!;
  let name = match.groups!['name']!;
  // the shortest name was matched: what looks like a sign may belong to it
  if (sign !== undefined && version === undefined && suite === undefined && arch === undefined) {
    if (index.versions(`${name}${sign}`).length > 0) name += sign;
  }
  if (arch !== undefined && ![index.architecture, 'all', 'any', 'native'].includes(arch))
    throw new BuildError(
      'PACKAGE_NOT_FOUND',
      { name: `${name}:${arch}`, request: text },
      { hint: `the guest's architecture is ${index.architecture}` },
    );
  if (sign === '-' && !name.endsWith('-')) return { kind: 'forbid', name, text };
  return {
    kind: 'install',
    name,
    text,
    ...(version === undefined ? {} : { version }),
    ...(suite === undefined ? {} : { suite }),
  };
}

function pattern(text: string): Request {
  if (text === '?essential') return { kind: 'essential', text };
  const priority = /^\?priority\((\w+)\)$/.exec(text)?.[1];
  if (priority !== undefined && PRIORITIES.includes(priority)) return { kind: 'priority', priority, text };
  throw new BuildError(
    'PACKAGE_REQUEST',
    { request: text, fault: 'this pattern is not known' },
    { hint: `patterns are ?essential and ?priority(P), P one of ${PRIORITIES.join(', ')}` },
  );
}
