import type { Call, RunningShell } from './command.ts';
import { takeEscapes } from './escapes.ts';
import { contentText } from './files.ts';
import { BASH_OPTIONS, LETTERS } from './options.ts';
import { printf } from './printf.ts';
import { readBuiltin } from './read.ts';
import { kill, trap } from './signals.ts';
import { Exit } from './state.ts';
import { testBuiltin } from './test.ts';

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
  if (!/^\+?[0-9]+$/.test(text) || Number(text) >= 2 ** 31) shell.fail(`${name}: Illegal number: ${text}`);
  return Number(text);
}

/** A number argument of bash, which goes on after a wrong one; undefined when it is none. */
function bashNumber(call: Call): number | undefined {
  const [text] = call.args[0] === '--' ? call.args.slice(1) : call.args;
  if (text === undefined) return 1;
  return /^\s*[-+]?[0-9]{1,18}\s*$/.test(text) ? Number(text) : undefined;
}

function leave(kind: 'break' | 'continue'): Builtin {
  return (call) => {
    const { shell, name, args } = call;
    if (shell.dialect === 'bash') {
      if (shell.loops === 0) return 0;
      const wanted = bashNumber(call);
      if (wanted === undefined) {
        call.complain(`${args[0]}: numeric argument required`);
        throw new Exit(128);
      }
      if (args.length > (args[0] === '--' ? 2 : 1)) shell.fail(`${name}: too many arguments`);
      const right = wanted > 0;
      shell.skip = { kind: right ? kind : 'break', levels: right ? Math.min(wanted, shell.loops) : shell.loops };
      return right ? 0 : call.fail(`${args.join(' ')}: loop count out of range`);
    }
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
    if (arg === '+') continue;
    if (!/^[-+]./.test(arg)) break;
    const on = arg[0] === '-';
    for (const letter of arg.slice(1)) {
      let option: string = letter;
      if (letter === 'o') {
        const long = args[++i];
        if (long === undefined) return listOptions(call, on);
        const known = bash ? BASH_OPTIONS : LETTERS;
        if (!Object.hasOwn(known, long))
          return bash ? call.fail(`${long}: invalid option name`, 2) : shell.fail(`set: Illegal option -o ${long}`);
        option = known[long]!;
      } else if (!Object.values(bash ? BASH_OPTIONS : LETTERS).includes(letter))
        return bash ? call.fail(`-${letter}: invalid option`, 2) : shell.fail(`set: Illegal option -${letter}`);
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
    if (arg === '--') continue;
    if (arg === '-f' || arg === '-v') functions = arg === '-f';
    else if (functions) shell.functions.delete(arg);
    else {
      if (shell.variables.get(arg)?.readonly) shell.fail(`unset: ${arg}: is read only`);
      shell.variables.delete(arg);
    }
  }
  return 0;
}

function cd(call: Call): number {
  const { shell, files } = call;
  const args = call.args.filter((arg) => arg !== '-L' && arg !== '-P' && arg !== '--');
  const target = args[0] === '-' ? shell.get('OLDPWD') : (args[0] ?? shell.get('HOME'));
  const other = shell.dialect === 'dash' ? 2 : 1;
  if (args.length > 1 && other === 1) return call.fail('too many arguments');
  if (target === undefined) return args[0] === '-' ? other : 0;
  if (files.find(target === '' ? '.' : target)?.kind !== 'directory') {
    shell.write(2, `${shell.name}: ${shell.line}: cd: can't cd to ${target}\n`);
    return other;
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
  let any = false;
  // dash looks at the first name only
  for (const name of shell.dialect === 'dash' ? args.slice(0, 1) : args) {
    const found = describe(shell, name, mode === 'V');
    if (found !== undefined) {
      any = true;
      call.out(`${found}\n`);
    } else {
      status = shell.dialect === 'dash' ? 127 : 1;
      if (mode === 'V')
        shell.dialect === 'dash' ? call.out(`${name}: not found\n`) : call.complain(`${name}: not found`);
    }
  }
  return any && shell.dialect !== 'dash' ? 0 : status;
}

/** `hash name`: remembers where programs are, so it says whether they are there. */
function hash(call: Call): number {
  const end = call.args.indexOf('--');
  const names = call.args.filter((arg, i) => (end >= 0 && i > end) || !/^-./.test(arg));
  if (names.length === 0 && call.args.every((arg) => arg === '--') && call.shell.dialect !== 'dash')
    call.out('hash: hash table empty\n');
  let status = 0;
  for (const name of names)
    if (!name.includes('/') && describe(call.shell, name, false) === undefined)
      status = call.fail(`${name}: not found`);
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
  shell.sourcing++;
  const status = shell.budget.deeper(() => shell.runText(text, { name: path, text }, false));
  shell.sourcing--;
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
    if (shell.dialect === 'dash' && (!NAME.test(name) || shell.variables.get(name)?.readonly)) {
      shell.write(2, `getopts: ${name}: bad variable name\n`);
      return 2;
    }
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
  const [mode] = call.args.filter((arg) => !/^-[-pS]+$/.test(arg));
  if (mode === undefined && symbolic) {
    const allowed = ~files.umask;
    const letters = (shift: number) => ['r', 'w', 'x'].filter((_, i) => (allowed >> shift) & (4 >> i)).join('');
    call.out(`u=${letters(6)},g=${letters(3)},o=${letters(0)}\n`);
  } else if (mode === undefined)
    call.out(`${call.args[0] === '-p' ? 'umask ' : ''}${files.umask.toString(8).padStart(4, '0')}\n`);
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
  const bash = call.shell.dialect !== 'dash';
  if (bash && call.args[0] === '-p') for (const [name, value] of aliases) call.out(`alias ${name}=${quoted(value)}\n`);
  for (const arg of call.args) {
    if (bash && (arg === '-p' || arg === '--')) continue;
    const equals = arg.indexOf('=', 1);
    if (bash && equals > 0 && /[\s/$`=|&;()<>"'\\]/.test(arg.slice(0, equals)))
      status = call.fail(`\`${arg.slice(0, equals)}': invalid alias name`);
    else if (equals > 0) aliases.set(arg.slice(0, equals), arg.slice(equals + 1));
    else if (aliases.has(arg)) call.out(`${arg}=${quoted(aliases.get(arg)!)}\n`);
    else status = call.fail(`${arg} not found`);
  }
  return status;
}

function wait({ shell, args }: Call): number {
  let status = args[0] === '-n' && shell.jobs.size === 0 ? 127 : 0;
  for (const id of args) if (/^[0-9]/.test(id)) status = shell.jobs.get(id) ?? 127;
  return status;
}

function shift(call: Call): number {
  const { shell, args } = call;
  if (shell.dialect === 'bash') {
    const wanted = bashNumber(call);
    if (args.length > 1 && args[0] !== '--') shell.fail('shift: too many arguments');
    if (wanted === undefined || wanted < 0) return call.fail(`${args[0]}: shift count out of range`);
    // without a message: bash has one only with shopt shift_verbose
    if (wanted > shell.positional.length) return 1;
    shell.positional = shell.positional.slice(wanted);
    return 0;
  }
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
    (call) => {
      const { shell } = call;
      const args = shell.dialect === 'bash' && call.args[0] === '--' ? call.args.slice(1) : call.args;
      if (shell.dialect !== 'bash' || args.length === 0) throw new Exit(number(shell, 'exit', args[0], shell.status));
      const status = bashNumber(call);
      if (status === undefined) {
        call.complain(`${args[0]}: numeric argument required`);
        throw new Exit(2);
      }
      if (args.length > 1) shell.fail('exit: too many arguments');
      throw new Exit(status & 255);
    },
  ],
  ['export', mark('exported')],
  ['getopts', getopts],
  ['bg', () => 1],
  ['fg', () => 1],
  ['hash', hash],
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
    (call) => {
      const { shell, args } = call;
      if (shell.dialect === 'bash' && shell.locals.length === 0 && shell.sourcing === 0)
        return call.fail("can only `return' from a function or sourced script", 2);
      // bash ends the function with 2 when it is told something else than a number
      const given = shell.dialect === 'bash' && args[0] !== undefined ? (bashNumber(call) ?? 2) : undefined;
      const whole = given ?? number(shell, 'return', args[0], shell.status);
      // dash keeps all bits until the shell ends
      const status = shell.dialect === 'dash' ? whole : whole & 255;
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
      const names = args.filter((name) => name !== '-a' && name !== '--');
      if (args.length === names.length && args.length === 0 && shell.dialect !== 'dash') return 2;
      return names.map((name) => shell.aliases.delete(name)).every(Boolean) ? 0 : 1;
    },
  ],
  ['unset', unset],
  ['wait', wait],
]);
