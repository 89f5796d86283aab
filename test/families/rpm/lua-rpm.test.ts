import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { runLua } from '../../../src/families/rpm/lua/run.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { needs, temporary } from '../../support/data.ts';
import { makeRpms, RPM_TOOLS } from '../../support/rpms.ts';
import { LUA_SCRIPTS } from './lua-scripts.ts';

/** Scripts in Lua of packages that rpm itself installs, and the same ones here. */

const PROGRAMS = ['sh', 'true', 'false', 'touch', 'echo', 'cat', 'pwd', 'env', 'kill'];
/** What `say` writes is compared; a script that fails says no more. */
const SAY = `local function text(v) if v == nil then return "nil" else return tostring(v) end end
local function say(...)
  local f = assert(io.open("/out", "a"))
  for _, v in ipairs(table.pack(...)) do f:write(text(v), " ") end
  for i = 1, select("#", ...) do f:write(text((select(i, ...))), ";") end
  f:write("\\n") f:close()
end
`;

describe('scripts in Lua as rpm runs them', {
  skip: needs({ tools: [...RPM_TOOLS, 'rpm', 'busybox'], root: true }),
}, () => {
  const folder = temporary({ after });
  const busybox = '/bin/busybox';

  /** Whether the script failed, and what it said: by rpm itself in a root of its own. */
  function byRpm(paths: ReadonlyMap<string, string>, i: number): [failed: boolean, said: string] {
    const root = join(folder, `root-${i}`);
    mkdirSync(root);
    const args = ['--root', root, '--nodeps', '--nosignature', '-i', paths.get('base')!, paths.get(`case-${i}`)!];
    const { stderr } = spawnSync('rpm', args, { encoding: 'utf8' });
    assert.doesNotMatch(stderr, /base.*failed/);
    let said = '';
    try {
      said = readFileSync(join(root, 'out'), 'utf8');
    } catch {
      // it said nothing
    }
    // a child process that ends otherwise than by another program is said as well, and fails nothing
    const [failures, children] = [/lua script failed/g, /No exec\(\) called/g].map(
      (one) => stderr.match(one)?.length ?? 0,
    );
    return [failures! > children!, said];
  }

  function byOurs(script: string): [failed: boolean, said: string] {
    const tree = new Tree();
    for (const path of ['usr', 'usr/bin', 'etc']) tree.makeDirectory(path, { mode: 0o755, uid: 0, gid: 0, mtime: 0 });
    for (const name of PROGRAMS)
      tree.writeFile(`usr/bin/${name}`, 'program', { mode: 0o755, uid: 0, gid: 0, mtime: 0 });
    tree.symlink('bin', 'usr/bin', { mode: 0o777, uid: 0, gid: 0, mtime: 0 });
    const environment = { PATH: '/sbin:/bin:/usr/sbin:/usr/bin' };
    const context = { tree, epoch: 1_700_000_000, machine: 'x86_64', environment, commands: new Map() };
    const outcome = runLua({ title: 'case.post', text: SAY + script, args: ['1'], input: '' }, context, []);
    // what rpm writes of a child process is a line that is not followed
    if ('lines' in outcome)
      for (const line of outcome.lines) assert.match(line.reason, /^a child process ended with an error: /);
    return [outcome.kind === 'failed', tree.text('out') ?? ''];
  }

  test('they say, make and fail the same', () => {
    const files = [
      { name: 'usr/', mode: 0o755 },
      { name: 'usr/bin/', mode: 0o755 },
      { name: 'etc/', mode: 0o755 },
      { name: 'bin', link: 'usr/bin' },
      { name: 'usr/bin/busybox', data: readFileSync(busybox), mode: 0o755 },
      ...PROGRAMS.map((name) => ({ name: `usr/bin/${name}`, hard: 'usr/bin/busybox' })),
    ];
    const paths = makeRpms(folder, [
      { name: 'base', architecture: 'x86_64', files },
      ...LUA_SCRIPTS.map(([, script], i) => ({
        name: `case-${i}`,
        tags: { 'Requires(post)': ['base'] },
        scripts: { 'post -p <lua>': (SAY + script).replaceAll('%', '%%') },
      })),
    ]);
    for (const [i, [name, script]] of LUA_SCRIPTS.entries()) {
      assert.deepEqual(byOurs(script), byRpm(paths, i), name);
    }
  });
});
