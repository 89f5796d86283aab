import { hostFile } from '../../bytes/file.ts';
import { decompressAny } from '../../compression/decompress.ts';
import { BuildError } from '../../errors/error.ts';
import { together } from '../../errors/together.ts';
import type { Mirror } from '../../fetch/mirror.ts';
import { joinUrl, shown } from '../../fetch/mirror.ts';
import { attribute, XmlScanner } from '../../formats/xml/scan.ts';
import { fromText } from '../../tree/path.ts';
import { factsOf } from './primary.ts';
import { fileOf } from './repomd.ts';
import { fetchMetadata, type RpmRepository } from './repository.ts';
import { TextList } from './solver/texts.ts';
import type { Lists, PackageTable } from './solver/types.ts';

/** Bytes that a list of files may have decompressed, where repomd.xml does not say. */
const LIMIT = 4 * 2 ** 30;

/**
 * The repositories with all owners of some paths, from their lists of files: primary metadata has paths below /etc and
 * in folders of programs only. `paths` are as texts.
 */
export function withPaths(
  repositories: readonly RpmRepository[],
  paths: ReadonlySet<string>,
  mirror: Mirror,
): Promise<RpmRepository[]> {
  const wanted = new Set([...paths].map(fromText));
  return together(
    repositories.map(async (one) => {
      const owners = await ownersIn(one, wanted, mirror);
      if (owners.length === 0) return one;
      return { ...one, primary: { table: extended(one.primary.table, owners), facts: one.primary.facts } };
    }),
  );
}

interface OwnedPath {
  readonly row: number;
  readonly path: string;
}

async function ownersIn(one: RpmRepository, wanted: ReadonlySet<string>, mirror: Mirror): Promise<OwnedPath[]> {
  if (one.repomd === undefined) return [];
  const repomd = shown(joinUrl(one.bases[0]!, 'repodata/repomd.xml'));
  const file = fileOf(one.repomd, 'filelists', repomd);
  if (file === undefined) return [];
  const at = await fetchMetadata(file, one, repomd, mirror);
  const name = `${one.source.name}: ${file.location}`;
  const rows = new Map(one.primary.facts.toArray().map((line, row) => [factsOf(line).digest.hex, row]));
  const found: OwnedPath[] = [];
  let row: number | undefined;
  const scanner = new XmlScanner(
    {
      open(tag, attributes) {
        if (tag === 'package') row = rows.get((attribute(attributes, 'pkgid') ?? '').toLowerCase());
      },
      close(tag, text) {
        if (tag === 'file' && row !== undefined && wanted.has(text)) found.push({ row, path: text });
      },
    },
    name,
  );
  let size = 0;
  for await (const piece of decompressAny(hostFile(at).open(), name)) {
    size += piece.length;
    if (size > (file.openSize ?? LIMIT))
      throw new BuildError('REPOMD_INVALID', { path: name, reason: 'it is longer than its table of contents says' });
    scanner.push(piece);
  }
  scanner.end();
  return found;
}

/** A table whose rows have more paths. */
function extended(table: PackageTable, owners: readonly OwnedPath[]): PackageTable {
  const texts = [...table.texts.toArray()];
  const ids = new Map<string, number>();
  for (const [id, text] of texts.entries()) if (text.startsWith('/')) ids.set(text, id);
  const more = new Map<number, number[]>();
  for (const { row, path } of owners) {
    let id = ids.get(path);
    if (id === undefined) {
      id = texts.push(path) - 1;
      ids.set(path, id);
    }
    more.set(row, [...(more.get(row) ?? []), id]);
  }
  return { ...table, texts: new TextList(texts), files: longer(table.files, more) };
}

function longer({ starts, items }: Lists, more: ReadonlyMap<number, readonly number[]>): Lists {
  const added: number[] = [];
  const from = new Int32Array(starts.length);
  for (let row = 0; row + 1 < starts.length; row++) {
    from[row] = added.length;
    for (let at = starts[row]!; at < starts[row + 1]!; at++) added.push(items[at]!);
    for (const id of more.get(row) ?? []) if (!added.includes(id, from[row])) added.push(id);
  }
  from[starts.length - 1] = added.length;
  return { starts: from, items: Int32Array.from(added) };
}
