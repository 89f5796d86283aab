import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { readModules } from '../../../src/system/kmod/depmod.ts';
import { listedModules, readFacts } from '../../../src/system/kmod/indexed.ts';
import { depmod } from '../../../src/system/kmod/install.ts';
import { ModuleLookup } from '../../../src/system/kmod/lookup.ts';
import { selectModules } from '../../../src/system/kmod/select.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { closePool } from '../../../src/workers/shared.ts';
import { madeModule } from '../../support/modules.ts';

const FOLDER = 'lib/modules/6.1.0-test';
after(closePool);

async function indexed(): Promise<Tree> {
  const tree = new Tree();
  for (const [path, made] of Object.entries({
    'kernel/fs/one': {
      needs: ['of_two'],
      info: ['alias=fs-one', 'alias=pci:v*d 7[a-f]*', 'softdep=pre: four post: x'],
    },
    'kernel/lib/two': { exports: ['of_two', 'also'], needs: ['of_three'] },
    'kernel/lib/three': { exports: ['of_three'], info: ['weakdep=five', 'firmware=three.bin'] },
    'kernel/drivers/net/four-a': { info: ['alias=fs-one', 'alias=four'] },
    'extra/five': { exports: ['also'] },
  }))
    tree.writeFile(`${FOLDER}/${path}.ko`, madeModule(made));
  tree.writeFile(`${FOLDER}/modules.order`, 'kernel/lib/three.ko\nkernel/fs/one.ko\n');
  tree.writeFile(`${FOLDER}/modules.builtin`, 'kernel/fs/built.ko\n');
  await depmod(tree, FOLDER, { epoch: 0 });
  return tree;
}

test('modules as their indexes list them are chosen as those that were all read', async () => {
  const tree = await indexed();
  const listed = listedModules(tree, FOLDER)!;
  const read = await readModules(tree, FOLDER);
  const shown = (set: typeof read | typeof listed) =>
    set.modules.map((one) => [one.name, one.path, one.plain, one.index, one.closure.map(({ name }) => name)]);
  assert.deepEqual(shown(listed), shown(read));
  const [ours, theirs] = [new ModuleLookup(tree, listed), new ModuleLookup(tree, read)];
  const words = ['one', 'four_a', 'four-a', 'fs-one', 'four', 'symbol:also', 'symbol:of_two', 'symbol:none', 'built'];
  words.push('pci:v1d 7c9', '=lib', '=drivers/net', '=', 'kernel/fs/one.ko', 'none', 'five');
  for (const word of words) {
    const names = (lookup: ModuleLookup) => ({
      found: lookup.find(word)?.modules.map(({ name }) => name),
      builtin: lookup.find(word)?.builtin,
      taken: selectModules(lookup, [word], { optional: true }).modules.map(({ module }) => module.name),
    });
    assert.deepEqual(names(ours), names(theirs), word);
  }
  const three = listed.modules.find(({ name }) => name === 'three')!;
  assert.equal(three.facts, undefined);
  await readFacts([three]);
  assert.deepEqual(three.facts!.values('firmware'), ['three.bin']);
});

test('indexes that do not list just the modules that are there are not used', async () => {
  const changes: Readonly<Record<string, (tree: Tree) => void>> = {
    'a module more': (tree) => tree.writeFile(`${FOLDER}/kernel/fs/new.ko`, madeModule({})),
    'a module less': (tree) => tree.remove(`${FOLDER}/extra/five.ko`),
    'no aliases': (tree) => tree.remove(`${FOLDER}/modules.alias`),
    'a dependency that is nowhere': (tree) =>
      tree.writeFile(`${FOLDER}/modules.dep`, `${tree.text(`${FOLDER}/modules.dep`)!.trimEnd()} extra/none.ko\n`),
    'a module elsewhere': (tree) =>
      tree.writeFile(`${FOLDER}/modules.dep`, `${tree.text(`${FOLDER}/modules.dep`)}/opt/outside.ko:\n`),
  };
  for (const [name, change] of Object.entries(changes)) {
    const tree = await indexed();
    change(tree);
    assert.equal(listedModules(tree, FOLDER), undefined, name);
  }
});
