import { memory } from '../bytes/content.ts';
import { catalogDatabase } from '../formats/catalog/emit.ts';
import type { Tree } from '../tree/tree.ts';
import { type ConfigureContext, ensureDirectory, made } from './context.ts';

const FOLDERS = [
  'etc/systemd/catalog',
  'run/systemd/catalog',
  'usr/local/lib/systemd/catalog',
  'usr/lib/systemd/catalog',
];

/** `journalctl --update-catalog`: the explanations that `journalctl -x` shows, in one file. */
export function updateCatalog(tree: Tree, context: ConfigureContext): void {
  const sources = new Map<string, string>();
  // the first folder that has a name wins
  for (const folder of FOLDERS)
    for (const name of tree.list(folder))
      if (name.endsWith('.catalog') && !sources.has(name)) sources.set(name, tree.text(`${folder}/${name}`) ?? '');
  if (sources.size === 0) return;
  const names = [...sources.keys()].sort();
  ensureDirectory(tree, context, 'var/lib/systemd/catalog');
  tree.writeFile(
    'var/lib/systemd/catalog/database',
    memory(catalogDatabase(names.map((name) => ({ name, text: sources.get(name)! })))),
    made(context, 0o644),
  );
}
