import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runLua } from '../../../src/families/rpm/lua/run.ts';
import { Tree } from '../../../src/tree/tree.ts';

const EPOCH = 1_700_000_000;

function run(
  text: string,
  { tree = new Tree(), args = ['1'], input = '' }: { tree?: Tree; args?: readonly string[]; input?: string } = {},
) {
  const context = { tree, epoch: EPOCH, machine: 'x86_64', environment: { PATH: '/bin' }, commands: new Map() };
  const started = process.cpuUsage();
  const outcome = runLua({ title: 'made.post', text, args, input }, context, []);
  const { user } = process.cpuUsage(started);
  return { tree, outcome, milliseconds: user / 1000 };
}

test('files: made, read, linked, removed, with modes and owners, over the tree alone', () => {
  const { tree, outcome } = run(`
    posix.mkdir("/etc")
    assert(posix.mkdir("/etc") == nil)
    local f = assert(io.open("/etc/passwd", "w"))
    f:write("root:x:0:0::/:/bin/sh\\n", "demo:x:7:8::/:/bin/sh\\n")
    f:close()
    local f = io.open("/etc/group", "w") f:write("demo:x:8:\\n") f:close()
    for line in io.lines("/etc/passwd") do name = line:match("^[^:]+") end
    assert(name == "demo")
    assert(io.open("/none") == nil)
    assert(posix.symlink("passwd", "/etc/link") == 0)
    assert(posix.readlink("/etc/link") == "passwd")
    assert(posix.stat("/etc/link", "type") == "link")
    assert(posix.stat("/etc").type == "directory")
    assert(posix.stat("/none") == nil)
    assert(posix.access("/etc/passwd", "r") == 0)
    assert(posix.access("/etc/passwd", "x") == nil)
    assert(posix.chmod("/etc/passwd", "0640") == 0)
    assert(posix.chmod("/etc/group", "rwsr-xr-x") == 0)
    assert(posix.chown("/etc/passwd", "demo", "demo") == 0)
    assert(os.rename("/etc/group", "/etc/group-") == true)
    assert(os.remove("/etc/link") == true)
    assert(posix.rmdir("/etc") == nil)
    local all = {}
    for name in posix.files("/etc") do if name:sub(1, 1) ~= "." then table.insert(all, name) end end
    table.sort(all)
    assert(table.concat(all, " ") == "group- passwd")
    local f = io.open("/etc/passwd", "a") f:write("end\\n") f:close()
    assert(arg[2] == "1")
    assert(rpm.vercmp("1.0-1", "1.0-2") == -1)
    assert(rpm.b64decode(rpm.b64encode("a\\0b")) == "a\\0b")
    assert(posix.uname("%m") == "x86_64")
    return 0
  `);
  assert.deepEqual(outcome, { kind: 'whole', by: 'interpreter', leftOut: [] });
  const passwd = tree.file('etc/passwd')!;
  assert.match(tree.text('etc/passwd')!, /end\n$/);
  assert.deepEqual([passwd.mode, passwd.uid, passwd.gid, passwd.mtime], [0o640, 7, 8, EPOCH]);
  assert.equal(tree.file('etc/group-')!.mode, 0o4755);
});

test('a file trigger reads its paths by rpm.next_file or from its input', () => {
  const { tree, outcome } = run(
    'posix.mkdir("/r") f = io.open("/r/a", "w") while true do local p = rpm.next_file() if p == nil then break end f:write(p, ";") end f:close() f = io.open("/r/b", "w") for p in io.lines() do f:write(p, ";") end f:close()',
    { input: '/usr/a\n/usr/b\n' },
  );
  assert.equal(outcome.kind, 'whole');
  assert.equal(tree.text('r/a'), '/usr/a;/usr/b;');
  assert.equal(tree.text('r/b'), '/usr/a;/usr/b;');
});

test('an error names its line; os.exit ends the script', () => {
  const failed = run('local a = 1\n\nerror("no such thing")').outcome;
  assert.ok(
    failed.kind === 'failed' && failed.line === 3 && /no such thing/.test(failed.reason),
    JSON.stringify(failed),
  );
  const syntax = run('if then').outcome;
  assert.ok(syntax.kind === 'failed', JSON.stringify(syntax));
  const nothing = run('x.y()').outcome;
  assert.ok(nothing.kind === 'failed' && nothing.line === 1, JSON.stringify(nothing));
  assert.equal(run('os.exit(0) error("not here")').outcome.kind, 'whole');
  const three = run('os.exit(3)').outcome;
  assert.ok(three.kind === 'failed' && three.status === 3);
});

test('what is not emulated is reported with its line', () => {
  const { outcome } = run(
    '\nlocal pid = posix.fork()\nif pid == 0 then posix.exec("/usr/bin/true") end\nposix.wait(pid)\nio.popen("ls")',
  );
  assert.ok(outcome.kind === 'partial');
  assert.deepEqual(
    outcome.lines.map((one) => one.line),
    [2, 5],
  );
  const shell = run('os.execute("frobnicate --all")').outcome;
  assert.ok(shell.kind === 'partial' && /frobnicate/.test(shell.lines[0]!.reason), JSON.stringify(shell));
});

test('nothing of the build host can be reached', () => {
  for (const name of ['require', 'package', 'dofile', 'loadfile', 'debug', 'js', 'fengari', 'collectgarbage'])
    assert.equal(run(`assert(${name} == nil)`).outcome.kind, 'whole', name);
  assert.equal(run('assert(math.random == nil)').outcome.kind, 'whole');
  const { tree, outcome } = run(
    'posix.symlink("/../../../etc", "/link") local f = io.open("/link/../../x", "w") f:write("x") f:close()',
  );
  assert.equal(outcome.kind, 'whole');
  assert.equal(tree.text('x'), 'x');
});

const BOMBS: Readonly<Record<string, string>> = {
  'an endless loop': 'while true do end',
  'an endless loop inside of pcall': 'while true do pcall(function() while true do end end) end',
  'endless recursion': 'local function f() return 1 + f() end f()',
  'a deep table': 'local t = {} while true do t = {t} end',
  'coroutines without end': 'while true do coroutine.wrap(function() coroutine.yield() end)() end',
  'a huge string': 'string.rep("x", 1e10)',
  'a string that doubles': 'local s = "x" while true do s = s .. s end',
  'a file that grows': 'local f = io.open("/x", "w") while true do f:write(string.rep("x", 1 << 20)) end',
};

for (const [what, text] of Object.entries(BOMBS))
  test(`stopped: ${what}`, () => {
    const { outcome, milliseconds } = run(text);
    assert.equal(outcome.kind, 'failed', JSON.stringify(outcome));
    assert.ok(milliseconds < 60_000, `${milliseconds} ms`);
  });
