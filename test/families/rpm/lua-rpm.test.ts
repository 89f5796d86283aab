import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { runLua } from '../../../src/families/rpm/lua/run.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { needs, temporary } from '../../support/data.ts';
import { makeRpms, RPM_TOOLS } from '../../support/rpms.ts';

/** Scripts in Lua of packages that rpm itself installs, and the same ones here. */

const PROGRAMS = ['sh', 'true', 'false', 'touch', 'echo', 'cat', 'pwd', 'env'];
/** What `say` writes is compared; a script that fails says no more. */
const SAY = `local function text(v) if v == nil then return "nil" else return tostring(v) end end
local function say(...)
  local f = assert(io.open("/out", "a"))
  for _, v in ipairs(table.pack(...)) do f:write(text(v), " ") end
  for i = 1, select("#", ...) do f:write(text((select(i, ...))), ";") end
  f:write("\\n") f:close()
end
`;

/** Name and script. Numbers of processes differ, so none is said. */
const SCRIPTS: readonly (readonly [name: string, script: string])[] = [
  [
    'fork, exec and wait, as glibc has them',
    `local function post_exec(program, ...)
      local pid = posix.fork()
      if pid == 0 then
        posix.exec(program, ...)
        assert(nil)
      elseif pid > 0 then
        local got, how, status = posix.wait(pid)
        say(got == pid, how, status)
      end
    end
    post_exec("/usr/bin/touch", "/touched", "/with space", "/with'quote")
    post_exec("/usr/bin/false")
    post_exec("/usr/bin/none", "x")
    post_exec("/etc")
    say(posix.stat("/touched", "type"), posix.stat("/with space", "type"), posix.stat("/with'quote", "type"))`,
  ],
  ['wait without children', 'say(posix.wait()) say(posix.wait(99999999))'],
  [
    'a child is waited for once',
    'local p = posix.fork() if p == 0 then posix.exec("/usr/bin/true") end posix.wait(p) say(posix.wait(p))',
  ],
  ['exec outside of a child', 'say(pcall(posix.exec, "/usr/bin/true")) posix.exec("/usr/bin/true") say("not here")'],
  ['exit outside of a child', 'say(pcall(os.exit, 0)) os.exit(0) say("not here")'],
  [
    'what a child does stays, what it sets does not',
    `posix.setenv("MADE", "parent")
    local f = io.open("/before", "w") f:write("once\\n") f:close()
    local shared = 1
    local pid = posix.fork()
    if pid == 0 then
      shared = 2
      posix.setenv("MADE", "child") posix.umask("rwx------") posix.chdir("/usr")
      posix.mkdir("/made-by-child")
      local f = io.open("/before", "a") f:write("child ", posix.getenv("MADE"), " ", posix.getcwd(), "\\n") f:close()
      os.exit(3)
    end
    posix.wait(pid)
    posix.mkdir("/made-by-parent")
    say(shared, posix.getenv("MADE"), posix.getcwd(), posix.stat("/made-by-child", "mode"), posix.stat("/made-by-parent", "mode"))
    for line in io.lines("/before") do say(line) end`,
  ],
  [
    'children of children, and of a loop',
    `for i = 1, 3 do
      local pid = posix.fork()
      if pid == 0 then
        local inner = posix.fork()
        if inner == 0 then posix.exec("/usr/bin/touch", "/inner-" .. i) end
        posix.wait(inner)
        posix.exec("/usr/bin/sh", "-c", "echo " .. i .. " >> /numbers")
      end
      posix.wait(pid)
    end
    for line in io.lines("/numbers") do say(line) end
    for i = 1, 3 do say(posix.stat("/inner-" .. i, "type")) end`,
  ],
  [
    'iterators and files that are open when it forks',
    `posix.mkdir("/many") for _, n in ipairs({"a", "b", "c"}) do io.open("/many/" .. n, "w"):close() end
    local names = {}
    for name in posix.files("/many") do
      if name:sub(1, 1) ~= "." then
        local pid = posix.fork()
        if pid == 0 then posix.exec("/usr/bin/touch", "/many/" .. name .. "-child") end
        posix.wait(pid)
        table.insert(names, name)
      end
    end
    table.sort(names) say(table.concat(names, ","))
    for _, n in ipairs({"a", "b", "c"}) do say(posix.stat("/many/" .. n .. "-child", "type")) end`,
  ],
  [
    'relative paths',
    `posix.mkdir("/dir") posix.mkdir("/dir/sub") posix.symlink("dir", "/link")
    say(posix.chdir("/link"), posix.getcwd())
    say(posix.mkdir("made"), posix.stat("/dir/made", "type"))
    local f = io.open("file", "w") f:write("text") f:close()
    say(posix.stat("/dir/file", "size"), posix.access("file"), posix.access("/file"))
    say(posix.symlink("file", "s"), posix.readlink("s"), posix.link("file", "hard"), posix.stat("/dir/hard", "size"))
    say(os.rename("file", "sub/moved"), posix.stat("/dir/sub/moved", "type"))
    say(posix.chdir("sub"), posix.getcwd(), posix.chdir(".."), posix.getcwd(), posix.chdir("none"))
    os.execute("pwd > here; echo x > ../from-shell")
    for line in io.lines("here") do say(line) end
    say(posix.stat("/from-shell", "type"), posix.unlink("s"), posix.rmdir("made"), os.remove("hard"))
    local all = posix.dir() table.sort(all) say(table.concat(all, " "))`,
  ],
  [
    'numbers',
    `say(rpm.vercmp("1", "2"), select(2, posix.dir("/etc")))
    say(posix.stat("/etc").mode, posix.stat("/etc")._mode, posix.stat("/etc", "uid"), posix.utime("/etc", 1, 1), posix.umask())
    local f = io.open("/n", "w") say(f:seek("end"), f:write("abc") == f, f:seek("cur"), f:seek("set", 1)) f:close()
    say(os.execute("exit 3")) say(os.execute("true")) say(os.execute())
    say(posix.symlink("/etc", "/etc")) say(os.remove("/none")) say(os.rename("/none", "/n2")) say(posix.rmdir("/none"))
    say(posix.access("/none")) say(posix.readlink("/etc")) say(posix.mkdir("/etc")) say(posix.chmod("/none", "755"))
    say(posix.unlink("/none")) say(posix.chown("/none", 0, 0)) say(posix.link("/none", "/x")) say(io.open("/none"))
    say(posix.getcwd(), posix.mkfifo("/fifo"), string.find("abc", "c"), #"abc", math.floor(2.5))`,
  ],
  [
    'an error in a child',
    'local pid = posix.fork() if pid == 0 then error("in the child") end posix.wait(pid) say("on")',
  ],
  [
    'a variable for a program',
    'posix.setenv("MADE", "yes") local p = posix.fork() if p == 0 then posix.exec("/usr/bin/sh", "-c", "echo $MADE > /made") end posix.wait(p) for l in io.lines("/made") do say(l) end',
  ],
];

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
    if (outcome.kind === 'partial') assert.fail(JSON.stringify(outcome.lines));
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
      ...SCRIPTS.map(([, script], i) => ({
        name: `case-${i}`,
        tags: { 'Requires(post)': ['base'] },
        scripts: { 'post -p <lua>': SAY + script },
      })),
    ]);
    for (const [i, [name, script]] of SCRIPTS.entries()) {
      assert.deepEqual(byOurs(script), byRpm(paths, i), name);
    }
  });
});
