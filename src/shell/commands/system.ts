import { Call, type Command, type RunningShell } from '../command.ts';
import { type Taken, UsageError } from '../given.ts';
import { accountRows, groupName, userName } from './owners.ts';

const ID: Taken = { known: 'a u,user g,group G,groups n,name r,real z,zero', missing: 'Z,context' };

function id(call: Call): number {
  const given = call.parse(ID);
  const { files } = call;
  const user = given.operands[0];
  let uid = 0;
  let gid = 0;
  let name = 'root';
  if (user !== undefined) {
    const row = accountRows(files, '/etc/passwd').find((candidate) => candidate[0] === user || candidate[2] === user);
    if (row === undefined && user !== 'root' && user !== '0') return call.fail(`'${user}': no such user`);
    uid = Number(row?.[2] ?? 0);
    gid = Number(row?.[3] ?? 0);
    name = row?.[0] ?? 'root';
  }
  const groups = [
    gid,
    ...accountRows(files, '/etc/group')
      .filter((row) => row[3]?.split(',').includes(name))
      .map((row) => Number(row[2])),
  ];
  const names = given.has('n');
  const end = given.has('z') ? '\0' : '\n';
  if ((names || given.has('r')) && !given.has('u', 'g', 'G'))
    return call.fail('cannot print only names or real IDs in default format');
  const group = (n: number) => (names ? groupName(files, n) : String(n));
  if (given.has('u')) call.out(`${names ? userName(files, uid) : uid}${end}`);
  else if (given.has('g')) call.out(`${group(gid)}${end}`);
  else if (given.has('G')) call.out(groups.map(group).join(given.has('z') ? '\0' : ' ') + end);
  else {
    const all = groups.map((n) => `${n}(${groupName(files, n)})`).join(',');
    call.out(`uid=${uid}(${name}) gid=${gid}(${groupName(files, gid)}) groups=${all}\n`);
  }
  return 0;
}

/** Number columns of the account databases, for `getent`. */
const DATABASES: ReadonlyMap<string, { path: string; id: number | undefined }> = new Map(
  Object.entries({
    passwd: { path: '/etc/passwd', id: 2 },
    group: { path: '/etc/group', id: 2 },
    shadow: { path: '/etc/shadow', id: undefined },
    gshadow: { path: '/etc/gshadow', id: undefined },
  }),
);

const GETENT: Taken = { known: 's,service= i,no-idn A,no-addrconfig', stop: true };

function getent(call: Call): number {
  const [name = '', ...keys] = call.parse(GETENT).operands;
  const database = DATABASES.get(name);
  if (database === undefined)
    return name === 'hosts' || name === 'services' || name === 'networks' || name === 'protocols' ? 2 : 1;
  const rows = accountRows(call.files, database.path);
  const show = (row: readonly string[]) => call.out(`${row.join(':')}\n`);
  if (keys.length === 0) rows.forEach(show);
  let status = 0;
  for (const key of keys) {
    const number = /^[0-9]+$/.test(key) && database.id !== undefined;
    const row = rows.find((candidate) => candidate[0] === key || (number && candidate[database.id!] === key));
    if (row === undefined) status = 2;
    else show(row);
  }
  return status;
}

/** The kernel release that scripts see: recent enough for every package, and not that of any distribution. */
const KERNEL = '6.12.0';

const UNAME: Taken = {
  known:
    'a,all s,kernel-name n,nodename r,kernel-release v,kernel-version m,machine p,processor i,hardware-platform o,operating-system',
};

function uname(call: Call): number {
  const given = call.parse(UNAME);
  if (given.operands.length > 0) return call.fail(`extra operand '${given.operands[0]}'`);
  const { machine } = call.shell.world;
  const all = given.has('a');
  const words: string[] = [];
  if (all || given.has('s') || given.order.length === 0) words.push('Linux');
  if (all || given.has('n')) words.push('localhost');
  if (all || given.has('r')) words.push(KERNEL);
  if (all || given.has('v')) words.push('#1');
  if (all || given.has('m')) words.push(machine);
  if (given.has('p')) words.push('unknown');
  if (given.has('i')) words.push('unknown');
  if (all || given.has('o')) words.push('GNU/Linux');
  call.out(`${words.join(' ')}\n`);
  return 0;
}

/** Letters of options that `sh` and `bash` pass on to the script's shell. */
const SHELL_LETTERS = 'aCefhnuvxEBHTPbmpI';

/** `sh`, `dash` and `bash`: run a text with -c, a file of the tree, or standard input. */
function sh(call: Call): number {
  const args = [...call.args];
  const { shell } = call;
  const bash = call.name === 'bash';
  const dialect = bash ? 'bash' : call.name === 'dash' ? 'dash' : shell.world.sh;
  let letters = '';
  const long: string[] = [];
  let command = false;
  let input = false;
  for (let arg = args[0]; arg !== undefined && /^[-+]./.test(arg) && arg !== '--'; arg = args[0]) {
    args.shift();
    if (arg.startsWith('--')) {
      if (!bash || !/^--(norc|noprofile|login|posix|verbose)$/.test(arg))
        throw new UsageError(`${arg}: invalid option`, arg, false, 2);
      if (arg === '--posix') long.push('posix');
      continue;
    }
    for (const letter of arg.slice(1)) {
      if (letter === 'c') command = true;
      else if (letter === 's') input = true;
      else if (letter === 'o') long.push(`${arg[0]}${args.shift() ?? ''}`);
      else if (letter === 'O' && bash) long.push(`shopt ${args.shift() ?? ''}`);
      else if (letter === 'l' || letter === 'i' || letter === 'r') {
        if (letter !== 'l') return call.unsupported(`${call.name} -${letter}`);
      } else if (!SHELL_LETTERS.includes(letter))
        throw new UsageError(`-${letter}: invalid option`, `-${letter}`, false, 2);
      else if (arg.startsWith('-')) letters += letter;
    }
  }
  if (args[0] === '--' || args[0] === '-') args.shift();
  const run = (name: string, rest: readonly string[], body: (inner: RunningShell) => number) =>
    shell.child(
      name,
      rest,
      letters,
      (inner) => {
        for (const option of long) {
          const status = option.startsWith('shopt ')
            ? inner.invoke(['shopt', '-s', option.slice(6)])
            : inner.invoke(['set', `${option[0] === '+' ? '+' : '-'}o`, option.replace(/^[-+]/, '')]);
          if (status !== 0) return status;
        }
        return body(inner);
      },
      dialect,
    );
  if (command) {
    const text = args[0];
    if (text === undefined) return call.fail('-c: option requires an argument', 2);
    return run(args[1] ?? call.name, args.slice(2), (inner) =>
      inner.runText(text, { ...shell.source, name: shell.source.name }, false, shell.line),
    );
  }
  const path = input ? undefined : args.shift();
  // an emulated program is not interpreted line by line just because a shell is named before it
  const known = path === undefined ? undefined : shell.world.commands.get(path.replace(/^.*\//, ''));
  if (known !== undefined) return known(new Call(shell, path!.replace(/^.*\//, ''), args));
  if (path !== undefined && call.files.find(path) === undefined)
    return call.fail(`${path}: No such file or directory`, bash ? 127 : 2);
  const text = path === undefined ? call.input() : call.files.read(path);
  const name = path ?? call.name;
  return run(name, args, (inner) => inner.runScript(text, { name, text }));
}

/** `df`: one file system with plenty of free space, since the guest's disk is not known yet. */
const DF: Taken = {
  known:
    'a,all h,human-readable H,si k l,local m no-sync sync output=? P,portability T,print-type t,type= x,exclude-type= total B,block-size=',
  missing: 'v i,inodes',
};

function df(call: Call): number {
  const given = call.parse(DF);
  const unit = { h: 0, H: 0, m: 1 << 20 }[given.lastOf('h', 'H', 'm', 'k', 'B') ?? ''] ?? 1024;
  if (unit === 0 || given.has('B')) return call.unsupported(`df with sizes in other units`);
  const blocks = (2 ** 40 / unit) | 0;
  const columns: Readonly<Record<string, readonly [head: string, value: string]>> = {
    source: ['Filesystem', 'rootfs'],
    fstype: ['Type', 'ext4'],
    size: ['1K-blocks', String(blocks)],
    used: ['Used', '0'],
    avail: ['Available', String(blocks)],
    pcent: ['Use%', '0%'],
    target: ['Mounted on', '/'],
  };
  const output = given.last('output') || 'source,size,used,avail,pcent,target';
  const rows = output.split(',').map((name) => (Object.hasOwn(columns, name) ? columns[name]! : [name, '-']));
  for (const at of [0, 1] as const) call.out(`${rows.map((row) => row[at]).join(' ')}\n`);
  return 0;
}

/** `env`, `nice`, `ionice`, `setsid`, `timeout` and similar: they only run their command. */
const ENV: Taken = {
  known: 'i,ignore-environment u,unset= 0,null C,chdir= S,split-string=',
  missing: 'v,debug block-signal=? default-signal=? ignore-signal=? list-signal-handling a,argv0=',
  stop: true,
  status: 125,
};

function env(call: Call): number {
  const given = call.parse(ENV);
  const words = [
    ...given.all('S').flatMap((text) => text.split(/[ \t]+/).filter((word) => word !== '')),
    ...given.operands,
  ];
  const { shell } = call;
  if (words[0] === '-') {
    words.shift();
    given.order.push({ name: 'i', value: '' });
  }
  return shell.subshell(() => {
    if (given.has('C') && shell.invoke(['cd', given.last('C')!]) !== 0) return 125;
    if (given.has('i'))
      for (const [name, variable] of shell.variables) if (variable.exported) shell.variables.delete(name);
    for (const name of given.all('u')) shell.variables.delete(name);
    while (/^[A-Za-z_]\w*=/.test(words[0] ?? '')) {
      const word = words.shift()!;
      shell.assign(word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1), true);
    }
    if (words.length > 0) return shell.invoke(words);
    for (const [name, { value, exported }] of [...shell.variables].sort())
      if (exported && value !== undefined) call.out(`${name}=${value}${given.has('0') ? '\0' : '\n'}`);
    return 0;
  });
}

/** A command that runs another one; `drop` is how many operands precede the command. */
function runs(taken: Taken, drop = 0): Command {
  return (call) => {
    const { operands } = call.parse({ ...taken, stop: true });
    if (operands.length <= drop) return call.fail('missing operand', taken.status ?? 1);
    return call.shell.invoke(operands.slice(drop));
  };
}

/** Character sets that this `iconv` supports, and TextDecoder's names for them. */
const CHARSETS: Readonly<Record<string, 'utf-8' | 'latin1' | 'ascii'>> = {
  'UTF-8': 'utf-8',
  UTF8: 'utf-8',
  'ISO-8859-1': 'latin1',
  LATIN1: 'latin1',
  ASCII: 'ascii',
  'US-ASCII': 'ascii',
  'ANSI_X3.4-1968': 'ascii',
};

/** `iconv -f FROM -t TO`, between UTF-8, Latin 1 and ASCII. */
const ICONV: Taken = {
  known: 'f,from-code= t,to-code= o,output=',
  missing: 'c l,list s,silent verbose byte-subst= widechar-subst= unicode-subst=',
};

function iconv(call: Call): number {
  const given = call.parse(ICONV);
  const charset = (name: string | undefined) =>
    CHARSETS[(name ?? 'UTF-8').replace(/\/\/.*$/, '').toUpperCase() || 'UTF-8'];
  const from = charset(given.last('f'));
  const to = charset(given.last('t'));
  if (from === undefined || to === undefined)
    return call.unsupported(`iconv -f ${given.last('f')} -t ${given.last('t')}`);
  let out = '';
  for (const path of given.operands.length === 0 ? ['-'] : given.operands) {
    const bytes = call.read(path);
    call.shell.budget.look(bytes.length);
    let text = bytes;
    if (from === 'utf-8') {
      text = Buffer.from(bytes, 'latin1').toString('utf8');
      if (text.includes('\ufffd')) return call.fail('illegal input sequence');
    }
    const last = to === 'ascii' ? 0x7f : to === 'latin1' ? 0xff : Infinity;
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > last) return call.fail('cannot convert');
    out += to === 'utf-8' ? Buffer.from(text, 'utf8').toString('latin1') : text;
  }
  if (given.has('o')) call.files.write(given.last('o')!, out);
  else call.out(out);
  return 0;
}

/** A command that does nothing and succeeds; its options are checked. */
function nothing(taken: Taken): Command {
  return (call) => {
    call.parse(taken);
    return 0;
  };
}

/** A command that prints one line. */
function prints(taken: Taken, text: (call: Call) => string, status = 0): Command {
  return (call) => {
    const given = call.parse(taken);
    if (given.operands.length > 0) return call.fail(`extra operand '${given.operands[0]}'`);
    call.out(text(call));
    return status;
  };
}

const NONE: Taken = { known: '' };
const fail: Command = () => 1;

const SLEEP: Taken = { known: '' };

/** `sleep`: no time passes, but its operands are checked. */
function sleep(call: Call): number {
  const { operands } = call.parse(SLEEP);
  if (operands.length === 0) return call.fail('missing operand');
  const bad = operands.find((text) => !/^([0-9]+\.?[0-9]*|\.[0-9]+|inf|infinity)[smhd]?$/.test(text));
  return bad === undefined ? 0 : call.fail(`invalid time interval '${bad}'`);
}

const PRINTENV: Taken = { known: '0,null', stop: true, status: 2 };

function printenv(call: Call): number {
  const given = call.parse(PRINTENV);
  const { variables } = call.shell;
  const end = given.has('0') ? '\0' : '\n';
  if (given.operands.length === 0)
    for (const [name, { value, exported }] of [...variables].sort())
      if (exported && value !== undefined) call.out(`${name}=${value}${end}`);
  let status = 0;
  for (const name of given.operands) {
    const variable = variables.get(name);
    if (variable?.exported !== true || variable.value === undefined) status = 1;
    else call.out(variable.value + end);
  }
  return status;
}

const TTY: Taken = { known: 's,silent,quiet' };

/** Commands about the system, which is always the same: root, no host name, the build's time. */
export const SYSTEM_COMMANDS: Readonly<Record<string, Command>> = {
  arch: prints(NONE, (call) => `${call.shell.world.machine}\n`),
  chroot: fail,
  chrt: runs(
    { known: 'b,batch d,deadline f,fifo i,idle o,other r,rr R,reset-on-fork T= P= D=', missing: 'a m p v' },
    1,
  ),
  clear: nothing({ known: 'T= V x' }),
  dash: sh,
  bash: sh,
  sh,
  df,
  dnsdomainname: fail,
  domainname: fail,
  env,
  getent,
  groups: (call) => {
    const { operands } = call.parse(NONE);
    let status = 0;
    for (const user of operands.length === 0 ? [undefined] : operands) {
      if (user !== undefined) call.out(`${user} : `);
      status = id(new Call(call.shell, call.name, ['-Gn', ...(user === undefined ? [] : [user])])) || status;
    }
    return status;
  },
  hostname: (call) => {
    call.parse({ known: 'a,alias s,short f,fqdn,long', missing: 'A b d F,file= i I y,yp,nis' });
    call.out('localhost\n');
    return 0;
  },
  iconv,
  id,
  ionice: (call) => {
    // with -p it changes another process, of which there is none
    if (call.args.includes('-p')) return 0;
    return runs({ known: 'c,class= n,classdata= t,ignore' })(call);
  },
  logger: nothing({
    known: 't,tag= p,priority= s,stderr i id=? f,file= e,skip-empty',
    missing:
      'd,udp n,server= P,port= T,tcp u,socket= S,size= journald=? msgid= rfc3164 rfc5424=? octet-count prio-prefix no-act socket-errors=? sd-id= sd-param=',
  }),
  logname: fail,
  nice: runs({ known: 'n,adjustment=', digits: 'n' }),
  nohup: runs(NONE),
  nproc: prints({ known: 'all ignore=' }, () => '1\n'),
  printenv,
  setsid: runs({ known: 'c,ctty f,fork w,wait' }),
  sleep,
  stty: fail,
  sync: nothing({ known: 'd,data f,file-system' }),
  timeout: runs({ known: 'k,kill-after= s,signal= foreground preserve-status v,verbose', status: 125 }, 1),
  tty: (call) => {
    if (!call.parse(TTY).has('s')) call.out('not a tty\n');
    return 1;
  },
  uname,
  usleep: nothing(NONE),
  whoami: prints(NONE, () => 'root\n'),
};
