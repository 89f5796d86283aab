import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeDirectory } from '../src/tree/directory-write.ts';
import { tool } from '../test/support/data.ts';
import { bundledImages } from './bundled.ts';
import { atLeast5, race, timed } from './measure.ts';
import { BYTES, debianLike, FILES } from './shape.ts';

/** What mkfs.xfs reads: a line for each name, with mode, owner and the file to copy or the target (its manual page). */
function protofile(folder: string, indent: string): string {
  let lines = '';
  for (const { name } of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory()) lines += `${indent}${name} d--755 0 0\n${protofile(path, `${indent} `)}${indent}$\n`;
    else if (stat?.isFile() && !isLink(path)) lines += `${indent}${name} ---644 0 0 ${path}\n`;
    else lines += `${indent}${name} l--777 0 0 ${readlinkSync(path)}\n`;
  }
  return lines;
}

function isLink(path: string): boolean {
  try {
    readlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

/** XFS images of a Debian guest's shape: ours from a folder and from a spool, against `mkfs.xfs -p`. */
export async function xfsBench(rounds: number): Promise<string[]> {
  if (tool('mkfs.xfs') === undefined) return ['mkfs.xfs is not installed: writing xfs was not raced', ''];
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  try {
    const spool = join(folder, 'spool');
    const guest = join(folder, 'guest');
    await writeDirectory(debianLike(spool), guest);
    const proto = join(folder, 'proto');
    writeFileSync(proto, `/dev/null\n0 0\nd--755 0 0\n${protofile(guest, ' ')}$\n`);
    const out = (name: string) => join(folder, `${name}.img`);
    // all write to a fresh path: the old file is removed outside the race
    const drop = (name: string) => rmSync(out(name), { force: true });
    const run = await bundledImages();
    const ours = (from: 'spool' | 'folder', source: string) => {
      drop(from);
      return timed(process.execPath, [run, 'xfs', from, source, out(from)]);
    };
    await ours('spool', spool);
    const { size } = statSync(out('spool'));
    const lines = await race(
      `xfs image of ${FILES} files, ${BYTES / 1e6} MB`,
      [
        { name: 'ours, from a spool as a build does', run: () => ours('spool', spool) },
        { name: 'ours, from a folder', run: () => ours('folder', guest) },
        {
          name: 'mkfs.xfs -m reflink=0 -p',
          run() {
            drop('theirs');
            const data = `file,name=${out('theirs')},size=${size}`;
            return timed(tool('mkfs.xfs')!, ['-q', '-m', 'reflink=0', '-d', data, '-p', proto]);
          },
        },
      ],
      atLeast5(rounds),
      { warm: true },
    );
    const note =
      'Ours digests (SHA-256) and syncs the image, and gives it its name when it is whole; mkfs.xfs does not digest.';
    return [...lines, note, ''];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
