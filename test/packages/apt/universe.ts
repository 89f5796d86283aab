import { parseDeb822 } from '../../../src/packages/apt/deb822.ts';
import { PackageIndex, type PackageList } from '../../../src/packages/apt/packages-index.ts';
import { tableOfStanzas } from '../../../src/packages/apt/packages-parse.ts';
import { PackagesTable } from '../../../src/packages/apt/packages-table.ts';
import { type ResolveOptions, resolve } from '../../../src/packages/apt/resolve.ts';

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
