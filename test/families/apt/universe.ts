import { parseDeb822 } from '../../../src/families/apt/deb822.ts';
import { PackageIndex, type PackageList } from '../../../src/families/apt/packages-index.ts';
import { tableOfStanzas } from '../../../src/families/apt/packages-parse.ts';
import { PackagesTable } from '../../../src/families/apt/packages-table.ts';
import { type ResolveOptions, resolve } from '../../../src/families/apt/resolve.ts';
import { random } from '../../support/data.ts';

/** A package list written by hand: `name version` lines, fields indented below; version and architecture may be left out. */
export function packageList(text: string, suite = 'test', priority = 500): PackageList {
  const rows = text
    .trim()
    .split(/\n(?=\S)/)
    .map((entry) => {
      const [head, ...fields] = entry.split('\n');
      const [name, version = '1'] = head!.trim().split(/\s+/);
      const own = fields.map((field) => `${field.trim()}\n`).join('');
      const architecture = /^architecture:/im.test(own) ? '' : 'Architecture: all\n';
      const [stanza] = parseDeb822(`Package: ${name}\nVersion: ${version}\n${architecture}${own}`, 'test');
      return {
        stanza: stanza!,
        size: 1,
        sha256: stanza!.get('sha256') ?? Buffer.from(`${name} ${version}`).toString('hex').padEnd(64, '0').slice(0, 64),
        filename: `pool/${name}_${version}.deb`,
      };
    });
  return {
    table: new PackagesTable(tableOfStanzas(rows, 'test')),
    bases: [`http://${suite}.example`],
    suite,
    codename: suite,
    origin: 'Test',
    priority,
  };
}

/** An index of such a list. */
export function universe(text: string): PackageIndex {
  return new PackageIndex('amd64', [packageList(text)]);
}

/** Names that are chosen, sorted. */
export function names(index: PackageIndex, requests: readonly string[], options?: ResolveOptions): string[] {
  return resolve(requests, index, options)
    .packages.map((one) => one.package.name)
    .sort();
}

/** A few packages that randomly depend on, provide and conflict with one another. */
export function randomCase(seed: number): { entries: string[]; requests: string[] } {
  const { below, pick } = random(seed);
  const count = 2 + below(14);
  const name = () => `p${below(count)}`;
  const bound = () => (below(3) === 0 ? ` (${pick(['<<', '<=', '=', '>=', '>>'])} ${1 + below(3)})` : '');
  const target = () => (below(6) === 0 ? `v${below(3)}${bound()}` : `${name()}${bound()}`);
  const group = () => Array.from({ length: 1 + below(3) }, target).join(' | ');
  const list = (most: number, make: () => string) => Array.from({ length: below(most + 1) }, make).join(', ');
  const entries: string[] = [];
  for (let i = 0; i < count; i++)
    for (let version = 1 + below(2); version <= 3; version += 1 + below(3)) {
      const fields = [
        ['Depends', list(3, group)],
        ['Pre-Depends', below(5) === 0 ? group() : ''],
        ['Recommends', list(1, group)],
        ['Conflicts', below(4) === 0 ? target() : ''],
        ['Breaks', below(4) === 0 ? target() : ''],
        ['Provides', below(4) === 0 ? `v${below(3)}${below(2) ? ` (= ${1 + below(3)})` : ''}` : ''],
        ['Priority', pick(['required', 'important', 'optional', 'optional', 'extra'])],
        ['Essential', below(12) === 0 ? 'yes' : ''],
      ];
      entries.push(
        [
          `p${i} ${version}`,
          ...fields.filter(([, value]) => value !== '').map(([key, value]) => `  ${key}: ${value}`),
        ].join('\n'),
      );
    }
  const requests = Array.from({ length: 1 + below(3) }, () => {
    const kind = below(10);
    return kind === 0 ? '?essential' : kind === 1 ? `${name()}-` : kind === 2 ? `${name()}=${1 + below(3)}` : name();
  });
  return { entries, requests: [...new Set(requests)] };
}
