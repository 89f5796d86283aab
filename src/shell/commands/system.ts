import { createHash } from 'node:crypto';
import { Call, type Command, options } from '../command.ts';
import { linesOf } from './lines.ts';
import { accountRows, groupName, userName } from './owners.ts';

function id(call: Call): number {
  const given = options(call.args, 'ugGnrz', 'user group groups name real');
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
  const names = given.has('n', 'name');
  const group = (n: number) => (names ? groupName(files, n) : String(n));
  if (given.has('u', 'user')) call.out(`${names ? userName(files, uid) : uid}\n`);
  else if (given.has('g', 'group')) call.out(`${group(gid)}\n`);
  else if (given.has('G', 'groups')) call.out(`${groups.map(group).join(' ')}\n`);
  else {
    const all = groups.map((n) => `${n}(${groupName(files, n)})`).join(',');
    call.out(`uid=${uid}(${name}) gid=${gid}(${groupName(files, gid)}) groups=${all}\n`);
  }
  return 0;
}

/** Number columns of the account databases, for `getent`. */
const DATABASES: Readonly<Record<string, { path: string; id: number | undefined }>> = {
  passwd: { path: '/etc/passwd', id: 2 },
  group: { path: '/etc/group', id: 2 },
  shadow: { path: '/etc/shadow', id: undefined },
  gshadow: { path: '/etc/gshadow', id: undefined },
};

function getent(call: Call): number {
  const [name = '', ...keys] = options(call.args, '+s:i', 'service=').operands;
  const database = DATABASES[name];
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

function uname(call: Call): number {
  const given = options(
    call.args,
    'asnrvmpio',
    'all kernel-name nodename kernel-release kernel-version machine processor operating-system',
  );
  const { machine } = call.shell.world;
  const all = given.has('a', 'all');
  const words: string[] = [];
  if (all || given.has('s', 'kernel-name') || given.values.size === 0) words.push('Linux');
  if (all || given.has('n', 'nodename')) words.push('localhost');
  if (all || given.has('r', 'kernel-release')) words.push(KERNEL);
  if (all || given.has('v', 'kernel-version')) words.push('#1');
  if (all || given.has('m', 'machine')) words.push(machine);
  if (given.has('p', 'i')) words.push('unknown');
  if (all || given.has('o', 'operating-system')) words.push('GNU/Linux');
  call.out(`${words.join(' ')}\n`);
  return 0;
}

/** `date`: the current time is the build's time, always in UTC. */
function date(call: Call): number {
  const given = options(call.args, 'uRd:r:I::f:s:', 'utc rfc-email date= reference= iso-8601=? rfc-3339= set=');
  let seconds = call.files.time;
  const reference = given.last('r', 'reference');
  if (reference !== undefined) seconds = call.files.stat(reference).mtime;
  const text = given.last('d', 'date');
  if (text !== undefined && text !== 'now') {
    const parsed = /^@-?[0-9]+$/.test(text)
      ? Number(text.slice(1))
      : Math.floor(Date.parse(/Z|[-+]\d\d:?\d\d$|GMT|UTC/.test(text) ? text : `${text} UTC`) / 1000);
    if (Number.isNaN(parsed)) return call.fail(`invalid date '${text}'`);
    seconds = parsed;
  }
  const at = new Date(seconds * 1000);
  const two = (n: number) => String(n).padStart(2, '0');
  const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
  const months = 'January February March April May June July August September October November December'.split(' ');
  const day = days[at.getUTCDay()]!;
  const month = months[at.getUTCMonth()]!;
  const codes: Record<string, string> = {
    Y: String(at.getUTCFullYear()),
    y: two(at.getUTCFullYear() % 100),
    m: two(at.getUTCMonth() + 1),
    d: two(at.getUTCDate()),
    e: String(at.getUTCDate()).padStart(2),
    H: two(at.getUTCHours()),
    M: two(at.getUTCMinutes()),
    S: two(at.getUTCSeconds()),
    N: '000000000',
    s: String(seconds),
    Z: 'UTC',
    z: '+0000',
    a: day.slice(0, 3),
    A: day,
    b: month.slice(0, 3),
    B: month,
    j: String(Math.floor((seconds - Date.UTC(at.getUTCFullYear(), 0, 1) / 1000) / 86400) + 1).padStart(3, '0'),
    u: String(at.getUTCDay() || 7),
    w: String(at.getUTCDay()),
    n: '\n',
    t: '\t',
    '%': '%',
  };
  codes['F'] = `${codes['Y']}-${codes['m']}-${codes['d']}`;
  codes['T'] = `${codes['H']}:${codes['M']}:${codes['S']}`;
  codes['R'] = `${codes['H']}:${codes['M']}`;
  const otherwise = given.has('R') ? '%a, %d %b %Y %T %z' : given.has('I', 'iso-8601') ? '%F' : '%a %b %e %T %Z %Y';
  const format = given.operands.find((arg) => arg.startsWith('+'))?.slice(1) ?? otherwise;
  call.out(`${format.replace(/%-?([a-zA-Z%])/g, (all, letter: string) => codes[letter] ?? all)}\n`);
  return 0;
}

/** Digests of files; `-c` checks a list. */
function digest(call: Call): number {
  const given = options(call.args, 'bctwz', 'binary check text quiet status strict warn ignore-missing tag');
  const algorithm = call.name.replace('sum', '');
  const hash = (path: string) =>
    createHash(algorithm)
      .update(Buffer.from(call.read(path), 'latin1'))
      .digest('hex');
  let status = 0;
  for (const path of given.operands.length === 0 ? ['-'] : given.operands) {
    const done = call.attempt(path, () => {
      if (!given.has('c', 'check')) return call.out(`${hash(path)}  ${path}\n`);
      for (const line of linesOf(call.read(path))) {
        const match = /^([0-9a-f]+) [ *](.*)$/.exec(line);
        if (match === null) continue;
        const good = call.files.find(match[2]!) !== undefined && hash(match[2]!) === match[1];
        if (!given.has('status') && !(good && given.has('quiet'))) call.out(`${match[2]}: ${good ? 'OK' : 'FAILED'}\n`);
        if (!good) status = 1;
      }
    });
    if (!done) status = 1;
  }
  return status;
}

/** `sh`: runs a text with -c, a file of the tree, or standard input. */
function sh(call: Call): number {
  const args = [...call.args];
  let letters = '';
  let command = false;
  let input = false;
  while (args[0] !== undefined && /^[-+][a-zA-Z]/.test(args[0])) {
    const arg = args.shift()!;
    if (arg.startsWith('-o')) {
      if (args.shift() === 'errexit') letters += 'e';
      continue;
    }
    for (const letter of arg.slice(1)) {
      if (letter === 'c') command = true;
      else if (letter === 's') input = true;
      else if (arg.startsWith('-') && 'efuxaCn'.includes(letter)) letters += letter;
    }
  }
  if (args[0] === '--') args.shift();
  if (command) {
    const text = args[0] ?? '';
    return call.shell.child(args[1] ?? call.name, args.slice(2), letters, (shell) =>
      shell.runText(text, { ...call.shell.source, name: call.shell.source.name }, false, call.shell.line),
    );
  }
  const path = input ? undefined : args.shift();
  // an emulated program is not interpreted line by line just because a shell is named before it
  const known = path === undefined ? undefined : call.shell.world.commands.get(path.replace(/^.*\//, ''));
  if (known !== undefined) return known(new Call(call.shell, path!.replace(/^.*\//, ''), args));
  const text = path === undefined ? call.input() : call.files.read(path);
  const name = path ?? call.name;
  return call.shell.child(name, args, letters, (shell) => shell.runText(text, { name, text }));
}

/** `df`: one file system with plenty of free space, since the guest's disk is not known yet. */
function df(call: Call): number {
  const given = options(
    call.args,
    'ahHiklmPTt:x:B:',
    'all block-size= human-readable si inodes local no-sync output=? portability print-type type= exclude-type= total',
  );
  const blocks = 1 << 30;
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
  const rows = output.split(',').map((name) => columns[name] ?? [name, '-']);
  for (const at of [0, 1] as const) call.out(`${rows.map((row) => row[at]).join(' ')}\n`);
  return 0;
}

/** `env`, `nice`, `ionice`, `setsid`, `timeout` and similar: they only run their command. */
function env(call: Call): number {
  const given = options(call.args, '+iu:0S:', 'ignore-environment unset= chdir= split-string=');
  const words = [...given.operands];
  const { shell } = call;
  return shell.subshell(() => {
    if (given.has('i', 'ignore-environment'))
      for (const [name, variable] of shell.variables) if (variable.exported) shell.variables.delete(name);
    for (const name of [...(given.values.get('u') ?? []), ...(given.values.get('unset') ?? [])])
      shell.variables.delete(name);
    while (/^[A-Za-z_]\w*=/.test(words[0] ?? '')) {
      const word = words.shift()!;
      shell.assign(word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1), true);
    }
    if (words.length > 0) return shell.invoke(words);
    for (const [name, { value, exported }] of [...shell.variables].sort())
      if (exported && value !== undefined) call.out(`${name}=${value}\n`);
    return 0;
  });
}

/** A command that runs another one: `letters` are its own options, `drop` is how many operands precede the command. */
function runs(letters: string, drop = 0): Command {
  return (call) => {
    const { operands } = options(
      call.args,
      `+${letters}`,
      'adjustment= class= classdata= kill-after= signal= foreground preserve-status reset-env',
    );
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
function iconv(call: Call): number {
  const given = options(call.args, 'f:t:co:l', 'from-code= to-code= output= list');
  const charset = (name: string | undefined) =>
    CHARSETS[(name ?? 'UTF-8').replace(/\/\/.*$/, '').toUpperCase() || 'UTF-8'];
  const from = charset(given.last('f', 'from-code'));
  const to = charset(given.last('t', 'to-code'));
  if (from === undefined || to === undefined) return call.shell.unknown(call.name);
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
    call.out(to === 'utf-8' ? Buffer.from(text, 'utf8').toString('latin1') : text);
  }
  return 0;
}

/** A command that does nothing and succeeds. */
const nothing: Command = () => 0;
const fail: Command = () => 1;

function base64(call: Call): number {
  const given = options(call.args, 'diw:', 'decode ignore-garbage wrap=');
  const text = call.read(given.operands[0] ?? '-');
  if (given.has('d', 'decode')) {
    call.out(Buffer.from(text, 'base64').toString('latin1'));
    return 0;
  }
  const width = Number(given.last('w', 'wrap') ?? 76);
  const coded = Buffer.from(text, 'latin1').toString('base64');
  call.out(width === 0 ? coded : coded.replace(new RegExp(`.{1,${Math.min(width, 60000)}}`, 'g'), '$&\n'));
  return 0;
}

/** Commands about the system, which is always the same: root, no host name, the build's time. */
export const SYSTEM_COMMANDS: Readonly<Record<string, Command>> = {
  arch: (call) => {
    call.out(`${call.shell.world.machine}\n`);
    return 0;
  },
  base64,
  chroot: fail,
  chrt: runs('bfiorp'),
  clear: nothing,
  dash: sh,
  bash: sh,
  sh,
  date,
  df,
  dnsdomainname: fail,
  domainname: fail,
  env,
  getent,
  groups: (call) => id(new Call(call.shell, call.name, ['-Gn', ...call.args])),
  hostname: (call) => {
    call.out('localhost\n');
    return 0;
  },
  iconv,
  id,
  ionice: runs('c:n:tp:'),
  logger: nothing,
  logname: fail,
  md5sum: digest,
  nice: runs('n:'),
  nohup: runs(''),
  nproc: (call) => {
    call.out('1\n');
    return 0;
  },
  printenv: (call) => {
    const { variables } = call.shell;
    for (const name of call.args) {
      const variable = variables.get(name);
      if (variable?.exported !== true || variable.value === undefined) return 1;
      call.out(`${variable.value}\n`);
    }
    return 0;
  },
  setsid: runs('cfw'),
  sha1sum: digest,
  sha256sum: digest,
  sha384sum: digest,
  sha512sum: digest,
  sleep: nothing,
  stty: fail,
  sync: nothing,
  timeout: runs('k:s:', 1),
  tty: (call) => {
    call.out('not a tty\n');
    return 1;
  },
  uname,
  usleep: nothing,
  whoami: (call) => {
    call.out('root\n');
    return 0;
  },
};
