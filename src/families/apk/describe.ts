import { display, parts } from '../../tree/path.ts';
import { given, type PackageFacts } from '../facts.ts';
import { spdxExpression } from '../licenses.ts';
import type { UnpackedApk } from './unpack.ts';

/** What packages say of themselves, by their .PKGINFO. */
export function describe(packages: readonly UnpackedApk[]): PackageFacts[] {
  return packages.map(({ package: one, info, entries }) => {
    const { name, version, architecture } = one;
    const all = (field: string) =>
      (info.fields.get(field) ?? []).flatMap((line) => line.split(' ')).filter((w) => w !== '');
    const last = (field: string) => display(info.fields.get(field)?.at(-1) ?? '');
    const license = last('license');
    const bare = (text: string) => text.replace(/[<>=~].*$/, '');
    const origin = last('origin');
    return {
      ...{ name, version, architecture, type: 'apk', purlVersion: version },
      qualifiers: origin === '' || origin === name ? {} : { upstream: origin },
      ...given({
        license: license === '' ? undefined : spdxExpression(license),
        maintainer: last('maintainer'),
        summary: last('pkgdesc'),
        homepage: last('url'),
      }),
      needs: all('depend')
        .filter((text) => !text.startsWith('!'))
        .map((text) => [bare(text)]),
      provides: all('provides').map(bare),
      files: entries.flatMap((entry) =>
        'inode' in entry && entry.inode.kind === 'directory' ? [] : [parts(entry.path).join('/')],
      ),
    };
  });
}
