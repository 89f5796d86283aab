import type { Unpacked } from '../../fetch/package.ts';
import { display, parts } from '../../tree/path.ts';
import { given, type PackageFacts } from '../facts.ts';
import { controlText } from './configure/control.ts';
import { licensesOf } from './copyright.ts';
import { parseControl, type Stanza } from './deb822.ts';
import type { AptPackage } from './package.ts';
import { parseRelations } from './relations.ts';

/** Bytes of a copyright file that are read at most. */
export const COPYRIGHT_MAX = 4 << 20;

/** What packages say of themselves: their control files, and their copyright files. */
export function describe(packages: readonly Unpacked<AptPackage>[]): PackageFacts[] {
  const byName = new Map(packages.map((one) => [one.package.name, one]));
  return packages.map((one) => factsOf(one, byName));
}

function factsOf(one: Unpacked<AptPackage>, byName: ReadonlyMap<string, Unpacked<AptPackage>>): PackageFacts {
  const { name } = one.package;
  const control = parseControl(controlText(one, 'control') ?? `Package: ${name}\n`, name);
  const files = one.entries.flatMap((entry) => {
    if ('inode' in entry && entry.inode.kind === 'directory') return [];
    return [parts(entry.path).join('/')];
  });
  return factsIn(control, one.package, copyrightOf(one, byName, 0), files);
}

/** What a package says in its control file, or in its stanza of dpkg's status. `copyright` is the text of its copyright file. */
export function factsIn(
  control: Stanza,
  { name, version, architecture }: Pick<PackageFacts, 'name' | 'version' | 'architecture'>,
  copyright: string | undefined,
  files: readonly string[],
): PackageFacts {
  const field = (key: string) => utf8(control.get(key));
  const [, source = '', sourceVersion = ''] = /^(\S+)(?:\s*\(([^)]*)\))?/.exec(control.get('Source') ?? '') ?? [];
  const names = (key: string) =>
    parseRelations((control.get(key) ?? '').replace(/\n/g, ' ')).map((group) => group.map((item) => item.name));
  return {
    ...{ name, version, architecture, type: 'deb', purlVersion: version },
    qualifiers: source === '' ? {} : { upstream: sourceVersion === '' ? source : `${source}@${sourceVersion}` },
    ...given({
      license: copyright === undefined ? undefined : licensesOf(copyright),
      maintainer: field('Maintainer'),
      summary: field('Description')?.split('\n')[0],
      homepage: field('Homepage'),
    }),
    needs: [...names('Pre-Depends'), ...names('Depends')],
    provides: names('Provides').flat(),
    files,
  };
}

function utf8(text: string | undefined): string | undefined {
  return text === undefined ? undefined : display(text);
}

/** The copyright file of a package; its folder or the file may be a link to that of another package. */
function copyrightOf(
  one: Unpacked<AptPackage>,
  byName: ReadonlyMap<string, Unpacked<AptPackage>>,
  depth: number,
): string | undefined {
  const folder = `usr/share/doc/${one.package.name}`;
  for (const entry of one.entries) {
    const path = parts(entry.path).join('/');
    if (path !== folder && path !== `${folder}/copyright`) continue;
    if (!('inode' in entry)) continue;
    const { inode } = entry;
    if (inode.kind === 'file' && path !== folder) {
      if (inode.content.size > COPYRIGHT_MAX) return undefined;
      return Buffer.from(inode.content.readSync()).toString('utf8');
    }
    if (inode.kind !== 'symlink' || depth > 4) continue;
    const target = /(?:^|\/)([a-z0-9][a-z0-9+.-]+)(?:\/copyright)?$/.exec(inode.target)?.[1];
    const other = target === undefined ? undefined : byName.get(target);
    if (other !== undefined && other !== one) return copyrightOf(other, byName, depth + 1);
  }
  return undefined;
}
