import type { Call, RunningShell } from './command.ts';
import { takeEscapes } from './escapes.ts';
import { contentText } from './files.ts';
import { BASH_OPTIONS, LETTERS } from './options.ts';
import { printf } from './printf.ts';
import { readBuiltin } from './read.ts';
import { Exit } from './state.ts';
import { testBuiltin } from './test.ts';
import { singleQuote } from './transform.ts';

/** A builtin. `tested` is true when the caller checks its status (see `Shell.run`). */
export type Builtin = (call: Call, tested: boolean) => number;

/** Special builtins: assignments before them persist, and their errors end the shell. */
export const SPECIAL: ReadonlySet<string> = new Set(
  '. : break continue eval exec exit export local readonly return set shift times trap unset'.split(' '),
);
/** Builtins whose arguments of the form `name=value` are not split. */
export const ASSIGNING: ReadonlySet<string> = new Set(['export', 'readonly', 'local', 'alias']);

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

const quoted = (text: string) => `'${text.replaceAll("'", `'"'"'`)}'`;

function echo(call: Call): number {
  const plain = call.args[0] === '-n';
  const words = plain ? call.args.slice(1) : call.args;
  const { text, stop } = takeEscapes(words.join(' '), true);
  call.out(plain || stop ? text : `${text}\n`);
  return 0;
}

/** The number argument of break, return and similar builtins. */
function number(shell: RunningShell, name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[0-9]+$/.test(text)) shell.fail(`${name}: Illegal number: ${text}`);
  return Number(text);
}

function leave(kind: 'break' | 'continue'): Builtin {
  return ({ shell, name, args }) => {
    const levels = Math.min(number(shell, name, args[0], 1), shell.loops);
    if (args[0] === '0') shell.fail(`${name}: Illegal number: 0`);
    if (levels > 0) shell.skip = { kind, levels };
    return 0;
  };
}

/** `set -o` and `set +o`. */
function listOptions(call: Call, table: boolean): number {
  const { options, dialect } = call.shell;
  const bash = dialect !== 'dash';
  if (table && !bash) call.out('Current option settings\n');
  for (const [name, letter] of Object.entries(bash ? BASH_OPTIONS : LETTERS)) {
    const on = options.has(letter) || (bash && ['h', 'B', 'interactive-comments'].includes(letter));
    const wide = name.padEnd(bash ? 15 : 16);
    call.out(table ? `${wide}${bash ? '\t' : ''}${on ? 'on' : 'off'}\n` : `set ${on ? '-' : '+'}o ${name}\n`);
  }
  return 0;
}

function set(call: Call): number {
  const { shell, args } = call;
  const bash = shell.dialect !== 'dash';
  if (args.length === 0) {
    shell.budget.spend(shell.variables.size * 2);
    const lines = [...shell.variables]
      .filter(([, v]) => v.value !== undefined)
      .map(([k, v]) => `${k}=${bash && /^[A-Za-z0-9_@%+:,./-]*$/.test(v.value!) ? v.value! : quoted(v.value!)}\n`);
    call.out(lines.sort().join(''));
    return 0;
  }
  let i = 0;
  for (; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--' || arg === '-') {
      i++;
      if (arg === '--' || i < args.length) shell.positional = args.slice(i);
      return 0;
    }
    if (!/^[-+]./.test(arg)) break;
    const on = arg[0] === '-';
    for (const letter of arg.slice(1)) {
      let option: string = letter;
      if (letter === 'o') {
        const long = args[++i];
        if (long === undefined) return listOptions(call, on);
        const known = bash ? BASH_OPTIONS : LETTERS;
        if (!Object.hasOwn(known, long)) return shell.fail(`set: Illegal option -o ${long}`);
        option = known[long]!;
      } else if (!Object.values(bash ? BASH_OPTIONS : LETTERS).includes(letter))
        shell.fail(`set: Illegal option -${letter}`);
      if (on) shell.options.add(option);
      else shell.options.delete(option);
    }
  }
  if (i < args.length) shell.positional = args.slice(i);
  return 0;
}

/** `export` and `readonly`. */
function mark(property: 'exported' | 'readonly'): Builtin {
  return (call) => {
    const { shell, args, name } = call;
    const names = args.filter((arg) => arg !== '--');
    if (names[0] === '-p' || names.length === 0) {
      for (const [key, variable] of [...shell.variables].sort(([a], [b]) => (a < b ? -1 : 1)))
        if (variable[property])
          call.out(`${name} ${key}${variable.value === undefined ? '' : `=${quoted(variable.value)}`}\n`);
      return 0;
    }
    for (const arg of names) {
      const equals = arg.indexOf('=');
      const key = equals < 0 ? arg : arg.slice(0, equals);
      if (!NAME.test(key)) shell.fail(`${name}: ${key}: bad variable name`);
      if (equals >= 0) shell.assign(key, arg.slice(equals + 1));
      const old = shell.variables.get(key) ?? { value: undefined, exported: false, readonly: false };
      shell.variables.set(key, { ...old, [property]: true });
    }
    return 0;
  };
}

function local({ shell, args }: Call): number {
  const frame = shell.locals.at(-1);
  if (frame === undefined) return shell.fail('local: not in a function');
  for (const arg of args) {
    const equals = arg.indexOf('=');
    const key = equals < 0 ? arg : arg.slice(0, equals);
    if (arg === '-') {
      // the options are restored when the function returns
      if (!frame.has('-')) frame.set('-', { value: [...shell.options].join(','), exported: false, readonly: false });
      continue;
    }
    if (!NAME.test(key)) shell.fail(`local: ${key}: bad variable name`);
    if (!frame.has(key)) frame.set(key, shell.variables.get(key));
    if (equals >= 0) shell.assign(key, arg.slice(equals + 1));
  }
  return 0;
}

function unset({ shell, args }: Call): number {
  let functions = false;
  for (const arg of args) {
    if (arg === '-f' || arg === '-v') functions = arg === '-f';
    else if (functions) shell.functions.delete(arg);
    else {
      if (shell.variables.get(arg)?.readonly) shell.fail(`unset: ${arg}: is read only`);
      shell.variables.delete(arg);
    }
  }
  return 0;
}

/** Signals by number. */
export const SIGNALS = [
  'EXIT',
  'HUP',
  'INT',
  'QUIT',
  'ILL',
  'TRAP',
  'ABRT',
  'BUS',
  'FPE',
  'KILL',
  'USR1',
  'SEGV',
  'USR2',
].concat(
  ['PIPE', 'ALRM', 'TERM', 'STKFLT', 'CHLD', 'CONT', 'STOP', 'TSTP', 'TTIN', 'TTOU', 'URG', 'XCPU', 'XFSZ'],
  ['VTALRM', 'PROF', 'WINCH', 'IO', 'PWR', 'SYS'],
);

/** Events of bash that have traps too; only ERR happens here. */
const BASH_TRAPS = ['ERR', 'DEBUG', 'RETURN'];

/** A signal by number or name, with or without SIG. */
function signal(text: string): string | undefined {
  if (/^[0-9]+$/.test(text)) return SIGNALS[Number(text)];
  const name = text.toUpperCase().replace(/^SIG/, '');
  return SIGNALS.includes(name) || BASH_TRAPS.includes(name) ? name : undefined;
}

function trap(call: Call): number {
  const { shell } = call;
  const args = call.args[0] === '--' ? call.args.slice(1) : call.args;
  const bash = shell.dialect !== 'dash';
  if (args.length === 0 || (bash && args[0] === '-p')) {
    const chosen = args.slice(1).map(signal);
    for (const [name, action] of [...shell.traps].sort(([a], [b]) => SIGNALS.indexOf(a) - SIGNALS.indexOf(b)))
      if (chosen.length === 0 || chosen.includes(name)) {
        const full = bash && name !== 'EXIT' && !BASH_TRAPS.includes(name) ? `SIG${name}` : name;
        call.out(`trap -- ${bash ? singleQuote(action) : quoted(action)} ${full}\n`);
      }
    return 0;
  }
  if (args[0] === '-l') return listSignals(call, args.slice(1));
  const resets = args.length === 1 || args[0] === '-' || /^[0-9]+$/.test(args[0]!);
  const names = args.length === 1 || (resets && args[0] !== '-') ? args : args.slice(1);
  for (const name of names) {
    const found = signal(name);
    if (found === undefined || (BASH_TRAPS.includes(found) && shell.dialect === 'dash')) {
      shell.write(2, `${shell.name}: ${shell.line}: trap: ${name}: bad trap\n`);
      return 1;
    }
    if (resets) shell.traps.delete(found);
    else if (found === 'DEBUG' || found === 'RETURN') call.unsupported(`trap of ${found}`);
    else shell.traps.set(found, args[0]!);
  }
  return 0;
}

/** `kill -l`: all names, or the name of each number and the number of each name. */
function listSignals(call: Call, args: readonly string[]): number {
  if (args.length === 0) call.out(`${SIGNALS.slice(1).join('\n')}\n`);
  for (const arg of args) {
    const number = Number(arg);
    if (/^[0-9]+$/.test(arg)) {
      const name = SIGNALS[number > 128 ? number - 128 : number];
      if (name === undefined || number === 0) return call.fail(`${arg}: invalid signal number`, 1);
      call.out(`${name}\n`);
    } else if (signal(arg) === undefined || call.shell.dialect === 'dash')
      // dash takes numbers only, unlike bash
      return call.fail(`invalid signal number or exit status: ${arg}`, call.shell.dialect === 'dash' ? 2 : 1);
    else call.out(`${SIGNALS.indexOf(signal(arg)!)}\n`);
  }
  return 0;
}

function kill(call: Call): number {
  const { shell } = call;
  let name: string | undefined = 'TERM';
  let args = call.args;
  if (args[0] === '-l' || args[0] === '-L') return listSignals(call, args.slice(1));
  if (args[0] === '-s') {
    name = signal(args[1] ?? '');
    args = args.slice(2);
  } else if (args[0]?.startsWith('-')) {
    name = signal(args[0].slice(1));
    args = args.slice(1);
  }
  for (const pid of args) {
    // the script itself is the only process
    if (pid !== shell.get('$') && !shell.jobs.has(pid)) {
      call.complain(`No such process`);
      return 1;
    }
    if (name === 'EXIT' || pid !== shell.get('$')) continue;
    const action = shell.traps.get(name ?? 'TERM');
    if (action === '') continue;
    // dash runs no EXIT trap when a signal ends it
    if (action === undefined && shell.dialect === 'dash') shell.traps.delete('EXIT');
    if (action === undefined) throw new Exit(128 + SIGNALS.indexOf(name ?? 'TERM'));
    shell.runText(action, shell.source, false, shell.line);
  }
  return 0;
}

function cd(call: Call): number {
  const { shell, files } = call;
  const args = call.args.filter((arg) => arg !== '-L' && arg !== '-P' && arg !== '--');
  const target = args[0] === '-' ? shell.get('OLDPWD') : (args[0] ?? shell.get('HOME'));
  if (target === undefined) return args[0] === '-' ? 2 : 0;
  if (files.find(target === '' ? '.' : target)?.kind !== 'directory') {
    shell.write(2, `${shell.name}: ${shell.line}: cd: can't cd to ${target}\n`);
    return 2;
  }
  const kept: string[] = [];
  for (const part of files.absolute(target).split('/')) {
    if (part === '..') kept.pop();
    else if (part !== '' && part !== '.') kept.push(part);
  }
  shell.assign('OLDPWD', files.cwd);
  files.cwd = call.args.includes('-P') ? files.real(target)! : `/${kept.join('/')}`;
  if (args[0] === '-') call.out(`${files.cwd}\n`);
  return 0;
}

/** What a name resolves to, for `command -v` and `type`. */
function describe(shell: RunningShell, name: string, loud: boolean): string | undefined {
  const alias = shell.aliases.get(name);
  if (alias !== undefined) return loud ? `${name} is an alias for ${alias}` : `alias ${name}=${quoted(alias)}`;
  if (KEYWORDS.has(name)) return loud ? `${name} is a shell keyword` : name;
  if (shell.functions.has(name)) return loud ? `${name} is a shell function` : name;
  if (BUILTINS.has(name)) return loud ? `${name} is a ${SPECIAL.has(name) ? 'special shell' : 'shell'} builtin` : name;
  const path = shell.lookUp(name);
  return path !== undefined && loud ? `${name} is ${path}` : path;
}

const KEYWORDS = new Set('! case do done elif else esac fi for if in then until while { }'.split(' '));

function command(call: Call, tested: boolean): number {
  const { shell } = call;
  let args = call.args;
  let mode: string | undefined;
  while (args[0] !== undefined && /^-[pvV]+$/.test(args[0])) {
    if (/[vV]/.test(args[0])) mode = args[0].includes('V') ? 'V' : 'v';
    args = args.slice(1);
  }
  if (args[0] === '--') args = args.slice(1);
  if (args.length === 0) return 0;
  if (mode === undefined) return shell.invoke(args, tested);
  let status = 0;
  // dash looks at the first name only
  for (const name of shell.dialect === 'dash' ? args.slice(0, 1) : args) {
    const found = describe(shell, name, mode === 'V');
    if (found !== undefined) call.out(`${found}\n`);
    else {
      status = 127;
      if (mode === 'V') call.out(`${name}: not found\n`);
    }
  }
  return status;
}

function type(call: Call): number {
  let status = 0;
  for (const name of call.args) {
    const found = describe(call.shell, name, true);
    if (found === undefined) status = 127;
    call.out(found === undefined ? `${name}: not found\n` : `${found}\n`);
  }
  return status;
}

function dot(call: Call): number {
  const { shell, args } = call;
  const path = args[0] === '--' ? args[1] : args[0];
  if (path === undefined) return 0;
  const instead = shell.world.sourced.get(path);
  if (instead !== undefined) return instead(shell, args.slice(1));
  const found = path.includes('/') ? path : (shell.lookUp(path) ?? path);
  const inode = shell.files.find(found);
  if (path === '/dev/null') return 0;
  if (inode?.kind !== 'file') {
    const reason = path.includes('/') ? `cannot open ${path}: No such file` : `${path}: not found`;
    return shell.dialect === 'bash' ? call.fail(reason) : shell.fail(`.: ${reason}`);
  }
  const text = contentText(inode.content, shell.budget);
  // a return ends the sourced file, not the function that sources it
  const { positional } = shell;
  // bash gives the file its own arguments
  const own = shell.dialect !== 'dash' && args.length > (args[0] === '--' ? 2 : 1);
  if (own) shell.positional = args.slice(args[0] === '--' ? 2 : 1);
  const status = shell.budget.deeper(() => shell.runText(text, { name: path, text }, false));
  if (own) shell.positional = positional;
  if (shell.skip?.kind === 'return') shell.skip = undefined;
  return status;
}

function getopts({ shell, args }: Call): number {
  const [letters = '', name = ''] = args;
  const operands = args.length > 2 ? args.slice(2) : shell.positional;
  let at = shell.optionAt;
  // inside a cluster OPTIND of dash is already that of the next argument
  const ahead = () => (shell.dialect === 'dash' && at > 0 ? 1 : 0);
  let index = Number(shell.get('OPTIND') ?? 1) - ahead();
  const finish = (value: string, status: number) => {
    shell.assign('OPTIND', String(index + ahead()));
    shell.optionAt = at;
    shell.assign(name, value);
    return status;
  };
  let arg = operands[index - 1];
  if (at === 0 || arg === undefined || at >= arg.length) {
    at = 0;
    if (arg === undefined || !arg.startsWith('-') || arg === '-') return finish('?', 1);
    if (arg === '--') {
      index++;
      return finish('?', 1);
    }
    at = 1;
  }
  arg = operands[index - 1]!;
  const letter = arg[at++]!;
  const where = letter === ':' ? -1 : letters.indexOf(letter);
  const silent = letters.startsWith(':');
  if (at >= arg.length) {
    index++;
    at = 0;
  }
  if (where < 0) {
    if (silent) shell.assign('OPTARG', letter);
    else {
      shell.variables.delete('OPTARG');
      shell.write(2, `Illegal option -${letter}\n`);
    }
    return finish('?', 0);
  }
  if (letters[where + 1] === ':') {
    if (at > 0) {
      shell.assign('OPTARG', arg.slice(at));
      index++;
    } else if (operands[index - 1] !== undefined) shell.assign('OPTARG', operands[index++ - 1]!);
    else if (silent) {
      shell.assign('OPTARG', letter);
      return finish(':', 0);
    } else {
      shell.variables.delete('OPTARG');
      shell.write(2, `No arg for -${letter} option\n`);
      return finish('?', 0);
    }
    at = 0;
  } else shell.assign('OPTARG', '');
  return finish(letter, 0);
}

function umask(call: Call): number {
  const { files } = call;
  const symbolic = call.args[0] === '-S';
  const mode = call.args[symbolic ? 1 : 0];
  if (mode === undefined && symbolic) {
    const allowed = ~files.umask;
    const letters = (shift: number) => ['r', 'w', 'x'].filter((_, i) => (allowed >> shift) & (4 >> i)).join('');
    call.out(`u=${letters(6)},g=${letters(3)},o=${letters(0)}\n`);
  } else if (mode === undefined) call.out(`${files.umask.toString(8).padStart(4, '0')}\n`);
  else if (/^[0-7]+$/.test(mode)) files.umask = Number.parseInt(mode, 8) & 0o777;
  else {
    for (const [, who = '', sign, letters = ''] of mode.matchAll(/([ugoa]*)([-+=])([rwx]*)/g)) {
      let bits = 0;
      for (const [i, letter] of ['x', 'w', 'r'].entries()) if (letters.includes(letter)) bits |= 1 << i;
      let mask = 0;
      for (const [i, letter] of ['o', 'g', 'u'].entries())
        if (who === '' || /a/.test(who) || who.includes(letter)) mask |= 7 << (3 * i);
      const selected = (bits * 0o111) & mask;
      if (sign === '+') files.umask &= ~selected;
      else if (sign === '-') files.umask |= selected;
      else files.umask = (files.umask & ~mask) | (mask & ~selected);
    }
  }
  return 0;
}

function alias(call: Call): number {
  let status = 0;
  const { aliases } = call.shell;
  if (call.args.length === 0) for (const [name, value] of aliases) call.out(`${name}=${quoted(value)}\n`);
  for (const arg of call.args) {
    const equals = arg.indexOf('=', 1);
    if (equals > 0) aliases.set(arg.slice(0, equals), arg.slice(equals + 1));
    else if (aliases.has(arg)) call.out(`${arg}=${quoted(aliases.get(arg)!)}\n`);
    else status = call.fail(`${arg} not found`);
  }
  return status;
}

function wait({ shell, args }: Call): number {
  let status = 0;
  for (const id of args) status = shell.jobs.get(id) ?? 127;
  return status;
}

function shift({ shell, args }: Call): number {
  const count = number(shell, 'shift', args[0], 1);
  if (count > shell.positional.length) shell.fail("shift: can't shift that many");
  shell.positional = shell.positional.slice(count);
  return 0;
}

/** The builtins of dash. */
export const BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  [':', () => 0],
  ['true', () => 0],
  ['false', () => 1],
  ['.', dot],
  ['[', testBuiltin],
  ['test', testBuiltin],
  ['alias', alias],
  ['break', leave('break')],
  ['continue', leave('continue')],
  ['cd', cd],
  ['chdir', cd],
  ['command', command],
  ['echo', echo],
  [
    'eval',
    ({ shell, args }, tested) => {
      const text = args.join(' ');
      return shell.budget.deeper(() => shell.runText(text, shell.source, tested, shell.line));
    },
  ],
  ['exec', () => 0],
  [
    'exit',
    ({ shell, args }) => {
      throw new Exit(number(shell, 'exit', args[0], shell.status));
    },
  ],
  ['export', mark('exported')],
  ['getopts', getopts],
  ['hash', () => 0],
  ['jobs', () => 0],
  ['kill', kill],
  ['local', local],
  ['printf', (call) => printf(call)],
  [
    'pwd',
    (call) => {
      call.out(`${call.args.includes('-P') ? (call.files.real('.') ?? call.files.cwd) : call.files.cwd}\n`);
      return 0;
    },
  ],
  ['read', readBuiltin],
  ['readonly', mark('readonly')],
  [
    'return',
    ({ shell, args }) => {
      const status = number(shell, 'return', args[0], shell.status) & 255;
      shell.skip = { kind: 'return', levels: 0 };
      return status;
    },
  ],
  ['set', set],
  ['shift', shift],
  [
    'times',
    (call) => {
      call.out('0m0.00s 0m0.00s\n0m0.00s 0m0.00s\n');
      return 0;
    },
  ],
  ['trap', trap],
  ['type', type],
  ['ulimit', () => 0],
  ['umask', umask],
  [
    'unalias',
    ({ shell, args }) => {
      if (args[0] === '-a') shell.aliases.clear();
      return args.every((name) => name === '-a' || shell.aliases.delete(name)) ? 0 : 1;
    },
  ],
  ['unset', unset],
  ['wait', wait],
]);
