import { BuildError } from '../../errors/error.ts';
import { display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import type { PackageFacts } from '../facts.ts';
import type { InstalledDatabase, InstalledPackage, Requirement } from '../installed.ts';
import { DATABASE } from './database.ts';
import { parseDependencies } from './dependency.ts';
import { factsIn } from './describe.ts';

/** Folders of the database: before and after /lib became a part of /usr. */
const FOLDERS = [DATABASE, `usr/${DATABASE}`];

/** A stanza's fields by letter, and the paths of its files and folders. */
interface Stanza {
  readonly fields: Map<string, string>;
  readonly paths: string[];
}

/** apk's database: `installed`, and the requests in /etc/apk/world. */
export function readInstalled(tree: Tree): InstalledDatabase | undefined {
  const path = FOLDERS.map((folder) => `${folder}/installed`).find((one) => tree.file(one) !== undefined);
  if (path === undefined) return undefined;
  const stanzas = stanzasOf(tree.text(path)!, `/${path}`);
  const world = new Set((tree.text('etc/apk/world') ?? '').split(/\s+/).map((word) => word.replace(/[<>=~@].*$/, '')));
  return {
    packages: stanzas.map((one) => packageOf(one, world)),
    *files() {
      for (const { fields, paths } of stanzas) for (const one of paths) yield { package: fields.get('P')!, path: one };
    },
    facts: () => stanzas.map(factsOf),
  };
}

function stanzasOf(text: string, path: string): Stanza[] {
  const stanzas: Stanza[] = [];
  let current: Stanza | undefined;
  let folder = '';
  for (const [i, line] of text.split('\n').entries()) {
    if (line === '') {
      current = undefined;
      continue;
    }
    const letter = line[0]!;
    if (line[1] !== ':')
      throw new BuildError('DATABASE_INVALID', { path, line: i + 1, reason: 'expected a letter and a colon' });
    const value = line.slice(2);
    if (current === undefined) stanzas.push((current = { fields: new Map(), paths: [] }));
    if (letter === 'F') {
      folder = value;
      if (folder !== '') current.paths.push(folder);
    } else if (letter === 'R') current.paths.push(folder === '' ? value : `${folder}/${value}`);
    else if (letter !== 'M' && letter !== 'a' && letter !== 'Z') current.fields.set(letter, value);
  }
  for (const { fields } of stanzas)
    if (fields.get('P') === undefined)
      throw new BuildError('DATABASE_INVALID', { path, line: 1, reason: 'a package without a name' });
  return stanzas;
}

/** The fields of .PKGINFO have letters here. */
function factsOf({ fields, paths }: Stanza): PackageFacts {
  const field = (letter: string): string => display(fields.get(letter) ?? '');
  const words = (letter: string): string[] =>
    field(letter)
      .split(' ')
      .filter((word) => word !== '');
  return factsIn({
    ...{ name: field('P'), version: field('V'), architecture: field('A') },
    ...{ license: field('L'), origin: field('o'), maintainer: field('m'), summary: field('T'), homepage: field('U') },
    ...{ depend: words('D'), provides: words('p'), files: paths },
  });
}

function packageOf({ fields }: Stanza, world: ReadonlySet<string>): InstalledPackage {
  const field = (letter: string): string => fields.get(letter) ?? '';
  const names = (letter: string) =>
    parseDependencies(field(letter), () => {}).flatMap((one) => (one.conflict ? [] : [one.name]));
  const provides = names('p');
  const size = Number(field('I') || Number.NaN);
  return {
    name: field('P'),
    version: field('V'),
    architecture: field('A'),
    size: Number.isSafeInteger(size) ? size : undefined,
    reason: [field('P'), ...provides].some((name) => world.has(name))
      ? 'asked for'
      : field('i') !== ''
        ? `belongs to ${names('i').join(' and ')}`
        : undefined,
    requires: names('D').map((name): Requirement => ({ verb: 'depends on', names: [name] })),
    provides,
  };
}
