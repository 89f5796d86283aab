import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { lstatSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { needs, ROOT } from '../support/data.ts';
import { listed, ours, type Reference, ROOTLESS, reference, shown } from './differential.ts';

const COREUTILS = ['sed', 'grep', 'find', 'awk', 'getopt', 'diff', 'xargs'];

/** Lists of scripts, and the programs whose results ours must equal. */
const LISTS: readonly (Reference & { readonly file: string; readonly least: number })[] = [
  { file: 'bash.list', shell: 'bash', awk: 'mawk', least: 95 },
  { file: 'awk.list', shell: 'dash', awk: 'mawk', least: 215 },
  { file: 'awk.list', shell: 'dash', awk: 'gawk', least: 215 },
  { file: 'awk-long.list', shell: 'dash', awk: 'mawk', least: 5 },
  { file: 'awk-long.list', shell: 'dash', awk: 'gawk', least: 5 },
  { file: 'builtins.list', shell: 'dash', awk: 'mawk', least: 1000 },
  { file: 'builtins.list', shell: 'bash', awk: 'mawk', least: 1000 },
  { file: 'links.list', shell: 'dash', awk: 'mawk', least: 8 },
  { file: 'dash.list', shell: 'dash', awk: 'mawk', least: 900 },
  { file: 'dash-long.list', shell: 'dash', awk: 'mawk', least: 8 },
  { file: 'files.list', shell: 'dash', awk: 'mawk', least: 900 },
  { file: 'maintainer.list', shell: 'dash', awk: 'mawk', least: 120 },
  { file: 'maintainer.list', shell: 'bash', awk: 'gawk', least: 120 },
  { file: 'sed.list', shell: 'dash', awk: 'mawk', least: 210 },
  { file: 'sed-long.list', shell: 'dash', awk: 'mawk', least: 5 },
  { file: 'text.list', shell: 'dash', awk: 'mawk', least: 150 },
  { file: 'coreutils.list', shell: 'dash', awk: 'mawk', least: 600 },
  { file: 'coreutils.list', shell: 'bash', awk: 'gawk', least: 600 },
  { file: 'usage.list', shell: 'dash', awk: 'mawk', least: 500 },
];

/** Why what files take cannot be compared, or false: ours take blocks of 4 KiB, as on ext4. */
const OTHER_BLOCKS = (() => {
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
  const { size, blocks } = lstatSync(folder);
  rmSync(folder, { recursive: true });
  return size === 4096 && blocks === 8 ? false : 'not here: a temporary folder on ext4';
})();

/** Scripts that a user namespace does not let run: devices are made by the real superuser alone. */
const DEVICES = /\bmknod \S+ [bc] \d/;

describe('the shell agrees with real ones: status, output and resulting tree', () => {
  for (const list of LISTS)
    test(`${list.file}, ${list.shell} with ${list.awk}`, {
      skip:
        ROOTLESS ||
        (list.file === 'usage.list' && OTHER_BLOCKS) ||
        needs({ tools: [list.shell, list.awk, ...COREUTILS] }),
    }, async (t) => {
      const all = listed(readFileSync(join(ROOT, 'test/shell/scripts', list.file), 'latin1'));
      const scripts = process.getuid?.() === 0 ? all : all.filter(({ text }) => !DEVICES.test(text));
      if (scripts.length < all.length) t.diagnostic(`${all.length - scripts.length} scripts left out: they need root`);
      ok(scripts.length >= list.least, `${scripts.length} scripts`);
      const results = await reference(
        scripts.map(({ text }) => text),
        list,
      );
      const wrong: { script: string; real: string; ours: string }[] = [];
      for (const [i, { text, differs, from }] of scripts.entries()) {
        const made = ours(text, list);
        equal(made.error, '', text);
        const [real, own] = [shown(results[i]!), shown(made)];
        if (differs !== undefined && (from === undefined || from === list.awk || from === list.shell))
          notEqual(own, real, `no longer different: ${text}`);
        else if (own !== real) wrong.push({ script: text, real, ours: own });
      }
      deepEqual(wrong, []);
    });
});
