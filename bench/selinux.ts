import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { memory } from '../src/bytes/content.ts';
import { silent } from '../src/events/events.ts';
import { labelsOf, labelTree } from '../src/system/selinux.ts';
import { readDirectory } from '../src/tree/directory-read.ts';
import { writeDirectory } from '../src/tree/directory-write.ts';
import { file, rootMeta } from '../src/tree/inode.ts';
import { Tree } from '../src/tree/tree.ts';
import { data, needs, tool } from '../test/support/data.ts';
import { atLeast5, isSelected, race, timed } from './measure.ts';
import { withGuest } from './tree.ts';

const SELF = fileURLToPath(import.meta.url);
const FILES = ['file_contexts', 'file_contexts.homedirs', 'file_contexts.subs_dist'];
const CONTEXTS = 'etc/selinux/default/contexts/files';
/** Paths of the larger tree. */
const PATHS = 100_000;

/** Labels by Debian's policy, of a guest and of a hundred thousand paths, against setfiles; neither writes them. */
export async function selinuxBench(rounds: number): Promise<string[]> {
  const missing = needs({ data: FILES.map((name) => `selinux/${name}.gz`), tools: ['setfiles', 'sefcontext_compile'] });
  if (missing !== false) return [`labels were not raced: ${missing}`, ''];
  return withGuest(async (folder, guest) => {
    const rootfs = join(folder, 'policy');
    const policy = join(rootfs, CONTEXTS);
    mkdirSync(policy, { recursive: true });
    writeFileSync(join(rootfs, 'etc/selinux/config'), 'SELINUXTYPE=default\n');
    for (const name of FILES) writeFileSync(join(policy, name), gunzipSync(readFileSync(data(`selinux/${name}.gz`))));
    // a policy is installed with its expressions compiled
    execFileSync(tool('sefcontext_compile')!, [join(policy, 'file_contexts')]);
    const lines: string[] = [];
    for (const [title, make] of [
      ['a Debian guest', async () => guest],
      [`${PATHS} paths`, async () => (await writeDirectory(manyPaths(), join(folder, 'many'))).path],
    ] as const) {
      const name = `labels of ${title}, by Debian’s policy`;
      if (!isSelected(`${name} ours`)) continue;
      const root = await make();
      lines.push(
        ...(await race(
          name,
          [
            { name: 'ours', run: () => timed(process.execPath, [SELF, rootfs, root]) },
            {
              name: 'setfiles -n',
              run: () => timed(tool('setfiles')!, ['-n', '-F', '-r', root, join(policy, 'file_contexts'), root]),
            },
          ],
          atLeast5(rounds),
          { warm: true },
        )),
      );
    }
    return [...lines, 'Both read the folder and the policy; neither writes labels.', ''];
  });
}

/** Paths such as a large guest has. */
function manyPaths(): Tree {
  const tree = new Tree();
  const content = file(memory(''), rootMeta(0o644)).content;
  const folders = [
    'usr/lib/modules',
    'usr/share/doc',
    'usr/bin',
    'etc',
    'var/lib/dpkg/info',
    'home/someone/work',
    'opt/a',
  ];
  for (let i = 0; i < PATHS; i++) {
    const folder = tree.makeDirectory(`${folders[i % folders.length]!}/part${Math.floor(i / 700)}`);
    folder.children.set(`file${i}.so.${i % 9}`, file(content, rootMeta(0o644)));
  }
  return tree;
}

if (process.argv[1] === SELF) {
  const [, , policy, root] = process.argv;
  const tree = readDirectory(root!);
  labelTree(tree, labelsOf(readDirectory(policy!)), silent);
}
