import { display, parts } from '../../tree/path.ts';
import { given, type PackageFacts } from '../facts.ts';
import { spdxExpression } from '../licenses.ts';
import type { UnpackedApk } from './unpack.ts';

/** Fields of a package, in its .PKGINFO or in the database; empty where it has none. */
interface Fields {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly license: string;
  readonly origin: string;
  readonly maintainer: string;
  readonly summary: string;
  readonly homepage: string;
  readonly depend: readonly string[];
  readonly provides: readonly string[];
  readonly files: readonly string[];
}

/** What packages say of themselves, by their .PKGINFO. */
export function describe(packages: readonly UnpackedApk[]): PackageFacts[] {
  return packages.map(({ package: one, info, entries }) => {
    const { name, version, architecture } = one;
    const all = (field: string) =>
      (info.fields.get(field) ?? []).flatMap((line) => line.split(' ')).filter((w) => w !== '');
    const last = (field: string) => display(info.fields.get(field)?.at(-1) ?? '');
    return factsIn({
      ...{ name, version, architecture, license: last('license'), origin: last('origin') },
      ...{ maintainer: last('maintainer'), summary: last('pkgdesc'), homepage: last('url') },
      ...{ depend: all('depend'), provides: all('provides') },
      files: entries.flatMap((entry) =>
        'inode' in entry && entry.inode.kind === 'directory' ? [] : [parts(entry.path).join('/')],
      ),
    });
  });
}

/** What a package says of itself. */
export function factsIn(fields: Fields): PackageFacts {
  const { name, version, architecture, license, origin, maintainer, summary, homepage, depend, provides, files } =
    fields;
  const bare = (text: string) => text.replace(/[<>=~].*$/, '');
  return {
    ...{ name, version, architecture, type: 'apk', purlVersion: version },
    qualifiers: origin === '' || origin === name ? {} : { upstream: origin },
    ...given({
      license: license === '' ? undefined : spdxExpression(license),
      ...{ maintainer, summary, homepage },
    }),
    needs: depend.filter((text) => !text.startsWith('!')).map((text) => [bare(text)]),
    provides: provides.map(bare),
    files,
  };
}
