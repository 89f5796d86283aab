import { dependenciesOf, SENSE } from '../../formats/rpm/dependencies.ts';
import type { Header } from '../../formats/rpm/header.ts';
import { TAG } from '../../formats/rpm/layout.ts';
import { display } from '../../tree/path.ts';
import { given, type PackageFacts } from '../facts.ts';
import { spdxExpression } from '../licenses.ts';
import type { UnpackedRpm } from './unpack.ts';

/** What packages say of themselves, by their headers. */
export function describe(packages: readonly UnpackedRpm[]): PackageFacts[] {
  return packages.map(({ package: one, main, table }) =>
    factsIn(
      main,
      one,
      table.files.map(({ path }) => path),
    ),
  );
}

/** What a package says in its header, which rpm's database keeps. */
export function factsIn(
  main: Header,
  { name, version, architecture }: Pick<PackageFacts, 'name' | 'version' | 'architecture'>,
  files: readonly string[],
): PackageFacts {
  const text = (tag: number) => display(main.string(tag) ?? '');
  const [, epoch, plain] = /^(?:(\d+):)?(.*)$/.exec(version) as unknown as [string, string | undefined, string];
  const license = text(TAG.licence);
  const source = text(TAG.sourceRpm);
  return {
    ...{ name, version, architecture, type: 'rpm', purlVersion: plain },
    qualifiers: {
      ...(epoch === undefined || epoch === '0' ? {} : { epoch }),
      ...(source === '' ? {} : { upstream: source }),
    },
    ...given({
      license: license === '' ? undefined : spdxExpression(license, callaway, { blanks: true }),
      maintainer: text(TAG.packager) === '' ? text(TAG.vendor) : text(TAG.packager),
      summary: text(TAG.summary),
      homepage: text(TAG.url),
    }),
    needs: dependenciesOf(main, 'requires')
      .filter(({ flags, name: wanted }) => (flags & SENSE.rpmlib) === 0 && !wanted.startsWith('('))
      .map(({ name: wanted }) => [wanted]),
    provides: [...dependenciesOf(main, 'provides').map((each) => each.name), ...files.map((path) => `/${path}`)],
    files,
  };
}

/** Short names of Fedora before it took SPDX's, where each is one licence. */
const CALLAWAY: ReadonlyMap<string, string> = new Map(
  Object.entries({
    GPLv2: 'GPL-2.0-only',
    'GPLv2+': 'GPL-2.0-or-later',
    GPLv3: 'GPL-3.0-only',
    'GPLv3+': 'GPL-3.0-or-later',
    LGPLv2: 'LGPL-2.0-only',
    'LGPLv2+': 'LGPL-2.0-or-later',
    LGPLv3: 'LGPL-3.0-only',
    'LGPLv3+': 'LGPL-3.0-or-later',
    'GPL+': 'GPL-1.0-or-later',
    'LGPL+': 'LGPL-2.0-or-later',
    zlib: 'Zlib',
    OpenSSL: 'OpenSSL',
    Python: 'Python-2.0',
    MPLv2: 'MPL-2.0',
    'MPLv2.0': 'MPL-2.0',
    'MPLv1.1': 'MPL-1.1',
    Boost: 'BSL-1.0',
    'ASL 1.1': 'Apache-1.1',
    'ASL 2.0': 'Apache-2.0',
    'Artistic 2.0': 'Artistic-2.0',
    'BSD 2-Clause': 'BSD-2-Clause',
    CC0: 'CC0-1.0',
    'CC0 1.0': 'CC0-1.0',
    OFL: 'OFL-1.1',
    'ZPLv2.1': 'ZPL-2.1',
  }),
);

function callaway(name: string): string | undefined {
  return CALLAWAY.get(name);
}
