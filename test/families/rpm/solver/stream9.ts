import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { hostFile } from '../../../../src/bytes/file.ts';
import { decompress } from '../../../../src/compression/decompress.ts';
import type { PackageTable, SolverRepository } from '../../../../src/families/rpm/solver/types.ts';
import { data } from '../../../support/data.ts';
import { readPrimary } from './primary.ts';

/** CentOS Stream 9 as the test data has it. */

function file(repository: string, suffix: string): string {
  const folder = data(`rpm/${repository}/repodata`);
  const name = readdirSync(folder).find((one) => one.endsWith(suffix));
  assert.ok(name, `${suffix} in ${folder}`);
  return `${folder}/${name}`;
}

/** Packages of modules' streams, as `name-evr.arch`. None of the streams is a default one, so all of them are out. */
async function modular(repository: string): Promise<ReadonlySet<string>> {
  const path = file(repository, 'modules.yaml.xz');
  const pieces: Uint8Array[] = [];
  for await (const piece of decompress(hostFile(path).open(), 'xz', path)) pieces.push(Uint8Array.from(piece));
  const text = Buffer.concat(pieces).toString('utf8');
  assert.doesNotMatch(text, /^\s+stream:.*\n\s+profiles/m, 'no default streams');
  const found = [...text.matchAll(/^\s+- (\S+-\d+:\S+\.\w+)$/gm)].map(([, nevra]) => nevra!.replace(/-0:/, '-'));
  assert.ok(found.length > 1000, `${found.length} modular packages`);
  return new Set(found);
}

/** A repository with dnf's defaults. */
export const repository = (
  name: string,
  packages: PackageTable,
  rest?: Partial<SolverRepository>,
): SolverRepository => ({
  name,
  packages,
  priority: 99,
  cost: 1000,
  ...rest,
});

/** BaseOS. */
export const baseos = (): SolverRepository => repository('baseos', readPrimary(file('c9s-baseos', 'primary.xml.gz')));

/** AppStream without the packages of modules. */
export async function appstream(): Promise<SolverRepository> {
  const streams = await modular('c9s-appstream');
  const packages = readPrimary(file('c9s-appstream', 'primary.xml.gz'));
  const { texts, name, evr, arch } = packages;
  const excluded = (row: number) =>
    streams.has(`${texts.get(name[row]!)}-${texts.get(evr[row]!)}.${texts.get(arch[row]!)}`);
  return repository('appstream', packages, { excluded });
}
