/** Scripts whose effects and results are compared with rpm's: name and text. Numbers of processes differ, so none is said. */
export const LUA_SCRIPTS: readonly (readonly [name: string, script: string])[] = [
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
  [
    'rpm.execute',
    `say(rpm.execute("/bin/true")) say(rpm.execute("true")) say(rpm.execute("/bin/false")) say(rpm.execute("false"))
    say(rpm.execute("/bin/sh", "-c", "exit 3")) say(rpm.execute("/none")) say(rpm.execute("none")) say(rpm.execute("/etc"))
    say(rpm.execute("/bin/sh", "-c", "kill -9 $$")) say((pcall(rpm.execute))) say(rpm.execute("/bin/echo", 1, 2.5))
    say(rpm.execute("/bin/sh", "-c", "echo $0 $# \\"$@\\" >/made", "a b", "c'd", "*"))
    for l in io.lines("/made") do say(l) end
    local f = io.open("/s", "w") f:write("#!/bin/sh\\necho $0 $1 > /made\\n") f:close() say(rpm.execute("/s", "one"))
    posix.chmod("/s", "755") say(rpm.execute("/s", "two")) for l in io.lines("/made") do say(l) end`,
  ],
  [
    'os.execute and io.popen',
    `say(os.execute("true")) say(os.execute("exit 3")) say(os.execute("kill -9 $$")) say(os.execute(""))
    say(os.execute("exit 3 | true")) say(os.execute())
    posix.umask("rwx------") posix.chdir("/usr") os.execute("touch by-shell") say(posix.stat("/usr/by-shell", "mode"))
    local p = io.popen("echo one; kill -9 $$") say(p:read("a")) say(p:close()) say(io.type(p))
    local p = io.popen("exit 4") say(p:read("a")) say(p:read("l")) say(p:close())
    local p = io.popen("true") say(p:close())
    for l in io.popen("echo a; echo b"):lines() do say(l) end
    local p = io.popen("cat >/w", "w") say(p:write("x", 1, "\\n", 2.0) == p) say(p:close()) for l in io.lines("/w") do say(l) end`,
  ],
  [
    'exec by PATH, of a script, and with mistakes',
    `local p = posix.fork() if p == 0 then posix.exec("touch", "/by-name") end posix.wait(p) say(posix.access("/by-name"))
    posix.chdir("/usr/bin") local p = posix.fork() if p == 0 then posix.exec("./touch", "/by-path") end posix.wait(p) say(posix.access("/by-path"))
    local f = io.open("/s", "w") f:write("#!/bin/sh\\necho $0 $1 > /made\\n") f:close() posix.chmod("/s", "755")
    local p = posix.fork() if p == 0 then posix.exec("/s", "arg") end posix.wait(p) for l in io.lines("/made") do say(l) end
    local p = posix.fork() if p == 0 then say(posix.exec("/none", "a")) say(posix.exec("none")) say(posix.exec("/etc")) say((pcall(posix.exec))) os.exit(1) end
    posix.wait(p) say((pcall(posix.redirect2null, 1)))
    local p = posix.fork() if p == 0 then posix.redirect2null(1) posix.exec("/bin/sh", "-c", "kill -9 $$") end posix.wait(p)
    local p = posix.fork() if p == 0 then os.exit(true) end posix.wait(p) say("on")`,
  ],
  [
    'two children at once',
    `local a = posix.fork() if a == 0 then posix.exec("/bin/true") end local b = posix.fork() if b == 0 then posix.exec("/bin/false") end
    say(posix.wait(a) == a, posix.wait(b) == b) say(posix.wait(-1))`,
  ],
  [
    'handles',
    `local f = io.open("/t", "w") say(type(f), io.type(f), io.type("x"), type(io.stdout), io.type(io.stdout)) f:write("abc\\ndef\\n")
    say(io.close(f)) say(io.type(f), tostring(f)) say(pcall(f.write, f, "x"))
    io.output("/o") io.write("one\\n", 2, "\\n") io.close() for l in io.lines("/o") do say(l) end
    io.input("/o") say(io.read("l")) say(io.read("n")) say(io.read("a")) say(io.read("l"))
    print("a", 1, nil) io.stdout:write("b") say(io.output("/o2") == io.output(), io.write("x") == io.output()) io.output():close()
    for l in io.lines("/o2") do say(l) end`,
  ],
  [
    'reading',
    `local f = io.open("/t", "w") f:write("a\\nb\\n\\nc") f:close()
    local function all(...) for a, b in ... do say(#a, a:sub(1, 1) == "\\n", b) end end
    all(io.lines("/t")) all(io.lines("/t", "L")) all(io.lines("/t", 1, "l")) say((pcall(io.lines, "/none")))
    local f = io.open("/t") all(f:lines()) say(f:read("a"), f:read("l")) f:seek("set") all(f:lines(2)) say(f:close())
    local f = io.open("/t") say(f:read("l", "l", "l", "l", "l")) f:close()
    local f = io.open("/t") say(f:read(0), #f:read(100), f:read(0)) say((pcall(f.read, f, "q"))) f:close()`,
  ],
  [
    'modes of files that are opened',
    `local f = io.open("/t", "w") f:write("0123456789") f:close()
    local f = io.open("/t", "r+") f:write("ab") f:seek("set", 5) say(f:read(2)) f:seek("cur", 0) f:write("X") f:close() for l in io.lines("/t") do say(l) end
    local f = io.open("/t", "a+") say(f:read("a")) f:write("end") f:close() for l in io.lines("/t") do say(l) end
    local f = io.open("/t", "w+") f:write("new") f:seek("set") say(f:read("a")) f:close()
    say((pcall(io.open, "/t", "q")), (pcall(io.open, "/t", "rb"))) say(io.type(io.open("/etc"))) say(io.open("/etc"):read("a")) say(io.open("/etc", "w"))
    say(io.open("/none/x", "w")) say(io.open("/t/x")) say(io.open("/etc/x/", "w")) say(io.open("/t/"))
    local f = io.open("/t") say(f:write("x")) f:close() local f = io.open("/t", "w") say(f:read("a")) f:close()
    local f = io.open("/t", "w") f:seek("set", 3) f:write("x") f:close() say(posix.stat("/t", "size"), io.open("/t"):read("a"):byte(1, -1))
    local f = io.open("/t", "r") say(f:seek("set", -1)) say(f:seek("end", 5)) f:close()`,
  ],
  [
    'chmod',
    `for _, m in ipairs({"755", "0644", "17777", "0", "8", "08", "", "rwsr-sr-t", "rwSr-xr-x", "rwxr-xr-x", "xxxxxxxxx", "---------",
      "rwxrwxrwt", "-wxr--r--", "wrx------", "rsxr--r--", "rwxr-xr-xx", "u", "u+", "u=", "a=rwx,o-w", "a=r, u+w", "u+rw,g+w", "u+r+w", "u=rwx,g=rx,o=", "o+t", "g+s", "u-s",
      "uu+x", "x", "+r", "=rw", "644 ", "u=g", "a+X", "u+rws", "=t", "uo=r", "u+w,", ",u+w", "u=rt", "+w"}) do
      for _, before in ipairs({"0644", "6752"}) do
        local f = io.open("/t", "w") f:close() posix.chmod("/t", before) say(m, (pcall(posix.chmod, "/t", m))) say(posix.stat("/t", "mode"), posix.stat("/t", "_mode"))
      end
    end
    for _, m in ipairs({"4644", "2644", "1644", "7000", "7111", "1755"}) do posix.chmod("/t", m) say(m, posix.stat("/t", "mode")) end
    posix.symlink("t", "/l") say(posix.chmod("/l", "600")) say(posix.stat("/t", "mode")) say((pcall(posix.chmod, "/t"))) say(posix.chmod("/etc", "1777"), posix.stat("/etc", "_mode"))`,
  ],
  [
    'umask',
    `for _, m in ipairs({"022", "rwxr-xr-x", "a=rwx", "go-w", "bad", "u=rwx,go=rx", "u=rwx", "g-r", "a=", "u+w", "", "755"}) do
      say(m, posix.umask(m)) say(posix.umask()) posix.mkdir("/d" .. m) say(posix.stat("/d" .. m, "mode"))
    end`,
  ],
  [
    'chown',
    `local f = io.open("/etc/passwd", "w") f:write("root:x:0:0:Root:/root:/bin/sh\\nmail:x:8:12::/m:/n\\n") f:close()
    local f = io.open("/etc/group", "w") f:write("root:x:0:\\nmail:x:12:root,mail\\n") f:close()
    local f = io.open("/t", "w") f:close() posix.symlink("t", "/l")
    for _, who in ipairs({{5, 6}, {"nobodyknows", 0}, {7}, {"12", "13"}, {-1, 3}, {}}) do
      say(posix.chown("/t", table.unpack(who))) say(posix.stat("/t", "uid"), posix.stat("/t", "gid"))
    end
    say(posix.chown("/l", 8, 9)) say(posix.stat("/t", "uid"), posix.stat("/l", "uid"))
    for _, m in ipairs({"6755", "6644"}) do posix.chmod("/t", m) posix.chown("/t", 1, 1) say(posix.stat("/t", "_mode")) end
    posix.chmod("/etc", "6755") posix.chown("/etc", 1, 1) say(posix.stat("/etc", "_mode"))`,
  ],
  [
    'accounts',
    `local f = io.open("/etc/passwd", "w") f:write("root:x:0:0:Root:/root:/bin/sh\\nmail:x:8:12::/m:/n\\n") f:close()
    local f = io.open("/etc/group", "w") f:write("root:x:0:\\nmail:x:12:root,mail\\n") f:close()
    say(posix.getpasswd("mail", "uid"), posix.getpasswd("mail", "dir"), posix.getpasswd(8, "name"), posix.getpasswd("none"), posix.getpasswd("mail", "gid"))
    local function all(t) local n = {} for k, v in pairs(t) do n[#n+1] = tostring(k) .. "=" .. tostring(v) end table.sort(n) say(table.concat(n, " ")) end
    all(posix.getgroup("mail")) all(posix.getpasswd("mail")) say(posix.getgroup(12).name, posix.getgroup("none")) say((pcall(posix.getpasswd, "mail", "q")))`,
  ],
  [
    'rename, remove, link',
    `posix.mkdir("/d") posix.mkdir("/d/e") posix.mkdir("/full") posix.mkdir("/full/x") local f = io.open("/t", "w") f:write("t") f:close()
    for _, two in ipairs({{"/d", "/full"}, {"/t", "/d"}, {"/d", "/t"}, {"/d", "/d/e/f"}, {"/d/e", "/d"}, {"/t", "/none/x"}, {"/d", "/new"}, {"/none", "/x"}, {"/t", "/t"},
      {"/etc/.", "/x"}, {"/t/", "/u"}, {"/new/", "/new2/"}, {"/t", "/u/"}}) do say(two[1], os.rename(two[1], two[2])) end
    posix.mkdir("/empty") say(os.rename("/new2", "/empty")) say(posix.stat("/empty/e", "type")) posix.symlink("t", "/l") say(os.rename("/l", "/m"), posix.readlink("/m"))
    posix.mkdir("/r") posix.mkdir("/r/e") posix.symlink("r", "/lr")
    for _, p in ipairs({"/r", "/r/e", "/r/e", "/lr/", "/lr", "/etc/.", "/etc/..", "/none/x", "/bin/cat/x", "/"}) do say(p, posix.unlink(p)) say(posix.rmdir(p)) say(os.remove(p)) end
    posix.symlink("a", "/l") say(posix.symlink("b", "/l")) say(posix.symlink("", "/m2")) say(posix.link("/l", "/n"), posix.readlink("/n")) say(posix.link("/etc", "/etc2")) say(posix.symlink("a", "/none/x"))
    for _, p in ipairs({"/a/b", "/a", "/a", "/bin/true/x", "", "/a/c/", "/", "/etc/.", "/" .. ("x"):rep(256)}) do say(posix.mkdir(p)) end say((pcall(posix.mkdir)))`,
  ],
  [
    'links, loops and what is missing',
    `posix.symlink("/none", "/dangling") posix.symlink("etc", "/good") posix.symlink("loop", "/loop") local f = io.open("/t", "w") f:close() posix.symlink("t", "/lt")
    for _, p in ipairs({"/dangling", "/good", "/good/", "/none", "/loop", "/loop/x", "/t/", "/t/x", "/lt/", "/etc/..", "/" .. ("x"):rep(256)}) do
      say(posix.stat(p, "type")) say(posix.access(p)) say(posix.readlink(p)) say(type(posix.dir(p)), select(2, posix.dir(p))) say(posix.utime(p, 5, 5)) say(posix.chmod(p, "u+r")) say(posix.chdir(p))
    end
    for _, m in ipairs({"r", "w", "x", "f", "rw", "rwx", ""}) do say(m, posix.access("/t", m)) end say((pcall(posix.access, "/etc", "q")), (pcall(posix.stat, "/etc", "q")))
    local t = {} for k, v in pairs(posix.stat("/etc")) do t[#t+1] = k .. "=" .. type(v) end table.sort(t) say(table.concat(t, " ")) posix.mkdir("/etc/s") say(posix.stat("/etc", "nlink"))`,
  ],
  [
    'dates and texts',
    `say(os.date("!%Y-%m-%d %H:%M:%S", 86400)) say(os.date("%Y %j %a %A %b %B %p %c %x %X %y %%", 1e9)) local t = os.date("!*t", 1e9) say(t.year, t.month, t.day, t.hour, t.min, t.sec, t.yday, t.isdst, t.wday)
    say(os.time({year=2020, month=14, day=-3}), os.time({year=2020, month=1, day=1, hour=12})) say(pcall(os.time, {year=2020})) say(os.difftime(5, 3)) say((pcall(os.date, "%Q"))) say(os.setlocale("C"))
    say(rpm.expand("%{nil}x"), rpm.expand("%%"), rpm.expand("a%"), rpm.expand("%{?_arch:yes}"), rpm.expand("100%"), rpm.expand("% x"))
    say(rpm.expand("%{_bindir}"), rpm.expand("%{_libdir}"), rpm.expand("%{_sysconfdir}"), rpm.expand("%_datadir"), rpm.expand("%{_localstatedir}"), rpm.expand("%{_prefix}"))
    say(rpm.define("x 1")) say(rpm.expand("%x %{x} %{?x} %{?x:y} %{!?x:n}")) say(rpm.vercmp("1.0~rc", "1.0"), rpm.vercmp("2:1", "1:2"), (pcall(rpm.vercmp, "x")), (pcall(rpm.vercmp, "", "1")))
    say(rpm.b64decode("!!!"), rpm.b64decode(rpm.b64encode("abc"))) say(posix.uname("%s %m"), (pcall(posix.uname, "%q"))) say(arg[1], arg[2], arg[3], #arg, type(opt))`,
  ],
];
