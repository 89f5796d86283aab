/** Our depmod as a process: `depmod-run FOLDER RELEASE` reads the modules below FOLDER and writes the indexes there. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tuneEngine } from '../src/cli/engine.ts';
import { depmod } from '../src/system/kmod/install.ts';
import { generationOf } from '../src/system/kmod/version.ts';
import { readDirectory } from '../src/tree/directory-read.ts';
import { closePool } from '../src/workers/shared.ts';
import { ending } from './ending.ts';

tuneEngine();

const [folder, release] = process.argv.slice(2) as [string, string];

async function run(): Promise<void> {
  const tree = readDirectory(folder);
  const top = `lib/modules/${release}`;
  await depmod(tree, top, { epoch: 0, generation: generationOf(30) });
  for (const name of tree.list(top))
    if (
      /^modules\.(dep|alias|symbols|softdep|devname|builtin)(\.alias)?(\.bin)?$/.test(name) &&
      name !== 'modules.builtin'
    )
      writeFileSync(join(folder, top, name), tree.file(`${top}/${name}`)!.content.readSync());
  await closePool();
}

ending(run());
