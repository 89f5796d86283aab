import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lauxlib, lua, lualib, to_jsstring, to_luastring } from 'fengari';
import { runLua } from '../../../src/families/rpm/lua/run.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { random } from '../../support/data.ts';

const EPOCH = 1_700_000_000;

/** A tree with a shell. */
function guest(): Tree {
  const tree = new Tree();
  tree.writeFile('bin/sh', 'program', { mode: 0o755, uid: 0, gid: 0, mtime: EPOCH });
  return tree;
}

function run(
  text: string,
  { tree = guest(), args = ['1'], input = '' }: { tree?: Tree; args?: readonly string[]; input?: string } = {},
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

test('an error names its line', () => {
  const failed = run('local a = 1\n\nerror("no such thing")').outcome;
  assert.ok(
    failed.kind === 'failed' && failed.line === 3 && /no such thing/.test(failed.reason),
    JSON.stringify(failed),
  );
  const syntax = run('if then').outcome;
  assert.ok(syntax.kind === 'failed', JSON.stringify(syntax));
  const nothing = run('x.y()').outcome;
  assert.ok(nothing.kind === 'failed' && nothing.line === 1, JSON.stringify(nothing));
});

test('what is not emulated is reported with its line', () => {
  const { outcome } = run(
    '\nrpm.expand("%{_distribution}")\nlocal pid = posix.fork()\nif pid == 0 then os.execute("frobnicate") end\nposix.wait(pid)\nio.popen("frobnicate")',
  );
  assert.ok(outcome.kind === 'partial', JSON.stringify(outcome));
  assert.deepEqual(
    outcome.lines.map((one) => one.line),
    [2, 4, 6, 6],
  );
  const shell = run('os.execute("frobnicate --all")').outcome;
  assert.ok(shell.kind === 'partial' && /frobnicate/.test(shell.lines[0]!.reason), JSON.stringify(shell));
});

test('what scripts rarely use works as in rpm 4.18', () => {
  const tree = guest();
  for (const [path, data] of [
    ['etc/passwd', 'root:x:0:0:Root:/root:/bin/sh\n'],
    ['etc/group', 'root:x:0:\nmail:x:12:\n'],
    ['log', 'a\n'],
  ] as const)
    tree.writeFile(path, data);
  const { outcome } = run(
    `
    -- opened for appending: what others append stays, and what is not closed is written at the end
    left = io.open("/log", "a") left:write("left\\n")
    os.execute("echo shell >> /log")
    local f = io.open("/open", "w") f:write("never closed")
    assert(posix.stat("/open") ~= nil)
    assert(posix.stat("/etc", "_mode") == tonumber("40755", 8))
    assert(posix.stat("/log")._mode == tonumber("100644", 8))
    assert(posix.getcwd() == "/" and posix.chdir("/") == 0 and posix.chdir("/none") == nil)
    assert(posix.umask() == "rwxr-xr-x" and posix.umask("rwx------") == "rwx------")
    posix.mkdir("/private") posix.mkfifo("/fifo")
    local f = io.open("/secret", "w") f:close()
    assert(posix.umask("a=rwx") == "rwxrwxrwx")
    posix.mkdir("/public")
    posix.utime("/etc/passwd", 5, 6)
    assert(posix.getpasswd("root", "dir") == "/root" and posix.getpasswd(0).shell == "/bin/sh")
    assert(posix.getgroup("mail", "gid") == 12 and posix.getgroup("none") == nil)
    posix.setenv("MADE", "yes") assert(os.getenv("MADE") == "yes") os.execute("echo $MADE > /made")
    local p = io.popen("echo one; echo two; exit 3")
    assert(p:read("*l") == "one" and p:read("*a") == "two\\n")
    local ok, how, status = p:close() assert(ok == nil and how == "exit" and status == 3)
    local p = io.popen("cat > /piped", "w") p:write("pi", "ped") p:close()
    rpm.define("mine %{inner}!") rpm.define("inner deep")
    assert(rpm.expand("%{mine} %mine 100%%") == "deep! deep! 100%")
    assert(rpm.isdefined("mine") and not rpm.isdefined("other"))
    rpm.undefine("mine") assert(not rpm.isdefined("mine"))
    assert(table.concat(rpm.glob("/etc/*s*"), " ") == "/etc/passwd" and #rpm.glob("/none*") == 0)
    assert(rpm.b64encode("hello") == "aGVsbG8=\\n" and rpm.b64encode("hello", 0) == "aGVsbG8=")
    assert(table.concat(rpm.splitargs(" a  b c "), "|") == "a|b|c")
    local f = io.open("/numbers", "w") f:write(" 12 0x10 -1.5e2 x") f:close()
    local f = io.open("/numbers") assert(io.type(f) == "file" and io.type(1) == nil)
    assert(f:read("n") == 12 and f:read("n") == 16 and f:read("n") == -150 and f:read("n") == nil)
    error("after all of it")
  `,
    { tree },
  );
  assert.ok(outcome.kind === 'failed' && outcome.reason === 'after all of it', JSON.stringify(outcome));
  assert.deepEqual(outcome.lines, []);
  assert.equal(tree.text('log'), 'a\nshell\nleft\n');
  assert.equal(tree.text('open'), 'never closed');
  assert.equal(tree.text('made'), 'yes\n');
  assert.equal(tree.text('piped'), 'piped');
  const mode = (path: string) => tree.lstat(path)!.mode.toString(8);
  assert.deepEqual(['private', 'fifo', 'secret', 'public'].map(mode), ['700', '700', '600', '777']);
  assert.equal(tree.lstat('etc/passwd')!.mtime, 5);
});

test('nothing of the build host can be reached', () => {
  for (const name of ['require', 'package', 'dofile', 'loadfile', 'debug', 'js', 'fengari', 'collectgarbage'])
    assert.equal(run(`assert(${name} == nil)`).outcome.kind, 'whole', name);
  assert.equal(run('assert(math.random == nil)').outcome.kind, 'whole');
  const { tree, outcome } = run(
    'posix.mkdir("/etc") posix.symlink("/../../../etc", "/link") local f = io.open("/link/../../x", "w") f:write("x") f:close()',
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
  'processes without end': 'while true do posix.fork() end',
  'processes that fork after much work':
    'for i = 1, 300000 do end while true do if posix.fork() == 0 then os.exit(0) end end',
  'a child without end': 'if posix.fork() == 0 then while true do end end',
  'a child that catches its end': 'posix.fork() while true do pcall(os.exit, 0) end',
  'a huge string': 'string.rep("x", 1e10)',
  'a string that doubles': 'local s = "x" while true do s = s .. s end',
  'a table that grows': 'local t = {} while true do t[#t + 1] = {} end',
  'a file that grows by little': 'local f = io.open("/x", "w") while true do f:write("x") end',
  'a file that is written in its middle':
    'local f = io.open("/x", "w") f:write(string.rep("x", 1 << 23)) while true do f:seek("set", 5) f:write("x") end',
  'shells without end': 'while true do os.execute(":") end',
  'shells that do not end': 'while true do os.execute("while :; do :; done") end',
  'pipes that do not end': 'while true do io.popen("while :; do :; done"):close() end',
  'programs that do not end': 'while true do rpm.execute("/bin/sh", "-c", "while :; do :; done") end',
  'shells that do not end in processes':
    'while true do if posix.fork() == 0 then posix.exec("/bin/sh", "-c", "while :; do :; done") end end',
  'folders without end': 'local p = "" while true do p = p .. "/d" posix.mkdir(p) end',
  'files without end': 'local i = 0 while true do i = i + 1 io.open("/f" .. i, "w") end',
  'names of a large folder': 'for i = 1, 5000 do posix.mkdir("/" .. i) end while true do posix.dir("/") end',
  'a table in itself': 'local t = {} t[1] = t while true do rpm.splitargs("") rpm.unsplitargs(t) pcall(os.time, t) end',
  'a long text that is encoded': 'local s = string.rep("x", 1 << 23) while true do rpm.b64encode(s) end',
  'errors of files that are caught': 'while true do pcall(posix.mkdir, string.rep("/x", 1000)) end',
  'a file that grows': 'local f = io.open("/x", "w") while true do f:write(string.rep("x", 1 << 20)) end',
};

for (const [what, text] of Object.entries(BOMBS))
  test(`stopped: ${what}`, () => {
    const { outcome, milliseconds } = run(text);
    assert.equal(outcome.kind, 'failed', JSON.stringify(outcome));
    assert.ok(milliseconds < 60_000, `${milliseconds} ms`);
  });

test('patterns are those of the manual', () => {
  const { outcome } = run(String.raw`
    local function same(...)
      local got, want = {}, {}
      local n = select("#", ...)
      for i = 1, n / 2 do got[i] = tostring((select(i, ...))) want[i] = tostring((select(n / 2 + i, ...))) end
      local a, b = table.concat(got, "|"), table.concat(want, "|")
      if a ~= b then error(a .. " is not " .. b, 2) end
    end
    same(("hello world"):find("o w"), 5)
    local a, b, c = ("key = value"):match("^(%w+)%s*=%s*(%w+)$") same(a, b, c, "key", "value", nil)
    same(("a.b"):find(".", 1, true), 2)
    same(("abc"):find("b", -1), nil)
    same(("abc"):find("", 10), nil)
    same(("abc"):match("()b()"), 2)
    same(("THE (quick) fox"):find("%((%a+)%)"), 5)
    same(("f(a(b)c)d"):match("%b()"), "(a(b)c)")
    same(("THE (quick) fox"):gsub("%f[%a]%a+", "x"), "x (x) x")
    same(("abab"):match("^(ab)%1$"), "ab")
    same(("hello"):gsub("l", { l = "L" }), "heLLo")
    same(("hello"):gsub("l+", function(s) return #s end), "he2o")
    same(("hello"):gsub("(h)(e)", "%2%1%0%%"), "ehhe%llo")
    same(("abc"):gsub("", "-"), "-a-b-c-")
    same(("abc"):gsub("%w", "%0%0", 2), "aabbc")
    same(("abc"):gsub("^a", "x"), "xbc")
    same(("a,b,,c"):gsub(",", { [","] = false }), "a,b,,c")
    local words = {} for w in ("one two  three"):gmatch("%S+") do words[#words + 1] = w end
    same(table.concat(words, ","), "one,two,three")
    local pairs_ = {} for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do pairs_[#pairs_ + 1] = k .. v end
    same(table.concat(pairs_, ","), "a1,b2")
    same(("[]x"):match("[]x]+"), "]x")
    same(("a-b"):match("[a%-b]+"), "a-b")
    same(("x^y"):match("[%^x]+"), "x^")
    same(("\0a\0"):match("%z?a"), "a")
    same(("aXb"):match("%u"), "X")
    same(("  x "):match("^%s*(.-)%s*$"), "x")
    for _, bad in ipairs({ "(", "%", "[a", "%1", "(a))", "%b", "%f" }) do
      if pcall(string.match, "aaa", bad) then error(bad) end
    end
    assert(not pcall(string.gsub, "a", "a", "%2"))
    assert(not pcall(string.gsub, "a", "a", "%x"))
    assert(not pcall(string.gsub, "a", "a", function() return {} end))
    assert(not pcall(string.gsub, "a", "a"))
  `);
  assert.deepEqual(outcome, { kind: 'whole', by: 'interpreter', leftOut: [] });
});

// each is one instruction, or a few, for work that grows with the square of its input or faster
for (const [what, text] of Object.entries({
  'a pattern that goes back': '(("a"):rep(400)):find(("a-"):rep(12) .. "b")',
  'captures that go back': '(("a"):rep(3000)):match("(.-)(.-)(.-)(.-)x")',
  'a pattern with a set': 'local s = ("a"):rep(100000) while true do s:find("[b-z]+%d") end',
  'balanced brackets': '(("("):rep(200000)):gsub("%b()", "")',
  'text that is copied': 'local s = ("a"):rep(10000000) while true do s = s:upper() end',
  'text that is joined': 'local s = ("a"):rep(10000000) for i = 1, 1000000 do local t = s .. "x" end',
  'a list that is moved':
    'local t = {} for i = 1, 100000 do t[i] = i end while true do table.insert(t, 1, 0) t[#t] = nil end',
  'a list that is sorted': 'local t = {} for i = 1, 100000 do t[i] = -i end while true do table.sort(t) end',
  'a list that is joined': 'local t = {} for i = 1, 100000 do t[i] = "x" end while true do table.concat(t) end',
  'elements that are not there': 'table.move({}, 1, 1000000000, 2)',
  'errors that are caught': 'while true do pcall(string.find, ("a"):rep(4000), "(.-)(.-)(.-)x") end',
}))
  test(`counted and stopped: ${what}`, () => {
    const { outcome, milliseconds } = run(text);
    assert.equal(outcome.kind, 'failed', JSON.stringify(outcome));
    assert.match(JSON.stringify(outcome), /too many instructions/);
    assert.ok(milliseconds < 30_000, `${milliseconds} ms of processor time`);
  });

/** The interpreter's own library, without what counts. */
function original(fn: string, subject: string, pattern: string, more: string): string {
  const L = lauxlib.luaL_newstate();
  for (const [name, open] of [
    ['_G', lualib.luaopen_base],
    ['string', lualib.luaopen_string],
    ['table', lualib.luaopen_table],
  ] as const) {
    lauxlib.luaL_requiref(L, to_luastring(name), open, 1);
    lua.lua_pop(L, 1);
  }
  const text = Buffer.from(script(fn, subject, pattern, more), 'latin1');
  const status = lauxlib.luaL_loadbuffer(L, new Uint8Array(text), text.length, to_luastring('=x'));
  assert.equal(status, lua.LUA_OK);
  assert.equal(lua.lua_pcall(L, 0, 1, 0), lua.LUA_OK);
  return to_jsstring(lua.lua_tostring(L, -1)!);
}

/** A program that gives all results of a call as one text, or that it is an error. */
function script(fn: string, subject: string, pattern: string, more: string): string {
  const quoted = (one: string) => `"${[...one].map((c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`).join('')}"`;
  const call = `string.${fn}, ${quoted(subject)}, ${quoted(pattern)}${more}`;
  const collect =
    fn === 'gmatch'
      ? `local all = { pcall(function() local r = {} for a, b in string.gmatch(${quoted(subject)}, ${quoted(pattern)}) do r[#r + 1] = tostring(a) .. tostring(b) end return table.concat(r, "/") end) }`
      : `local all = { pcall(${call}) }`;
  return `${collect} if not all[1] then return "error" end for i = 1, #all do all[i] = tostring(all[i]) end return table.concat(all, "|")`;
}

test('thousands of made patterns match as in the library of the interpreter', () => {
  const { below, pick } = random(11);
  const pieces = [
    'a',
    'b',
    '.',
    '%a',
    '%W',
    '%d',
    '[ab]',
    '[^a]',
    '[%s-b]',
    '(',
    ')',
    '()',
    '%1',
    '%bab',
    '%f[b]',
    '$',
    '^',
  ];
  const suffixes = ['', '', '', '*', '+', '-', '?'];
  let errors = 0;
  for (let i = 0; i < 3000; i++) {
    const pattern = Array.from({ length: 1 + below(5) }, () => pick(pieces) + pick(suffixes)).join('');
    const subject = Array.from({ length: below(9) }, () => pick(['a', 'b', 'a', ' ', '1', '-'])).join('');
    const fn = pick(['find', 'match', 'gmatch', 'gsub']);
    const more =
      fn === 'gsub' ? pick([', "<%0>"', ', "%1"', ', { a = "x" }', ', string.upper']) : pick(['', ', 2', ', -1']);
    const right = original(fn, subject, pattern, more);
    const tree = new Tree();
    const { outcome } = run(
      `local f = io.open("/out", "w") f:write((function() ${script(fn, subject, pattern, more)} end)()) f:close()`,
      { tree },
    );
    assert.equal(outcome.kind, 'whole', JSON.stringify(outcome));
    assert.equal(tree.text('out'), right, `${fn} ${JSON.stringify([subject, pattern, more])}`);
    if (right === 'error') errors++;
  }
  assert.ok(errors > 100 && errors < 2000, `${errors} errors`);
});

test('strings that would be too long end a script with a reason, at once', () => {
  for (const [text, reason] of [
    ['x = "a" while true do x = x .. x end', /a string of \d+ bytes, 16777216 are the limit/],
    ['string.pack("c999999999", "x")', /too many instructions/],
    ['while true do string.pack("c99999", "x") end', /too many instructions/],
    ['string.packsize("c99999999999999999999")', /./],
    ['error(string.rep("x", 10000000))', /an error with a very long message/],
  ] as const) {
    const { outcome } = run(text);
    assert.equal(outcome.kind, 'failed', text);
    assert.match(outcome.kind === 'failed' ? outcome.reason : '', reason, text);
  }
});
