import { daysBefore, strftime } from '../../../shell/strftime.ts';
import { commandLine, LuaError, LuaExit, type LuaFunction, type LuaValue, onOwnState, text } from './binding.ts';
import { type Calls, type Functions, fieldOf } from './calls.ts';
import { ended, failure, stringAt } from './failure.ts';

/** A row of /etc/passwd or /etc/group by name or number; one field of it, or all. */
function account(calls: Calls, path: string, fields: readonly string[]): LuaFunction {
  return ([who = 0, selector]) => {
    const rows = (calls.binding.tree.text(path) ?? '').split('\n').map((row) => row.split(':'));
    calls.binding.charge(rows.length);
    const row = rows.find(
      (one) => one.length > 2 && (typeof who === 'number' ? Number(one[2]) === who : one[0] === text(who)),
    );
    if (row === undefined) return [undefined];
    // without a prototype: fields are asked for by name
    const found: Record<string, LuaValue> = Object.create(null);
    for (const [i, field] of fields.entries())
      if (field !== '') found[field] = /^[ug]id$/.test(field) ? Number(row[i]) : row[i];
    // a group's members are numbered from 1
    if (fields.length === 3) for (const [i, one] of (row[3] ?? '').split(',').entries()) if (one) found[i + 1] = one;
    return [selector === undefined ? found : fieldOf(found, selector)];
  };
}

/** The process and its environment. */
export function posixProcess(calls: Calls): Functions {
  const { binding } = calls;
  const { context } = binding;
  const done: LuaFunction = () => [0];
  return {
    getenv: ([name]) => [text(name) === '' ? { ...binding.environment } : binding.environment[text(name)]],
    setenv: onOwnState(([name, value, overwrite]) => {
      if (overwrite === undefined || overwrite || binding.environment[text(name)] === undefined)
        binding.environment[text(name)] = text(value);
      return [0];
    }),
    unsetenv: onOwnState(([name]) => {
      delete binding.environment[text(name)];
      return [];
    }),
    putenv: onOwnState(([given]) => {
      const [name = '', ...value] = text(given).split('=');
      binding.environment[name] = value.join('=');
      return [0];
    }),
    getpasswd: account(calls, 'etc/passwd', ['name', 'passwd', 'uid', 'gid', 'gecos', 'dir', 'shell']),
    getgroup: account(calls, 'etc/group', ['name', '', 'gid']),
    getprocessid: ([what]) => [/id$/.test(text(what)) && !/^p/.test(text(what)) ? 0 : 1],
    getpid: () => [1],
    getlogin: () => ['root'],
    uname: ([format]) => [uname(text(format) || '%s %n %r %v %m', context.machine)],
    sleep: done,
    sync: done,
    kill: done,
    fork: () => binding.fork(),
    // every child has ended by now
    wait: ([pid]) => {
      const at = typeof pid === 'number' && pid > 0 ? binding.children.indexOf(pid) : binding.children.length - 1;
      return at < 0 ? failure(undefined, 'No child processes') : binding.children.splice(at, 1);
    },
    exec: executing(calls),
    execp: executing(calls),
    redirect2null: redirecting(calls),
    errno: () => ['', 0],
    ctermid: () => ['/dev/tty'],
    ttyname: () => [undefined],
  };
}

/** `redirect2null`: what a child process writes is shown nowhere. */
export function redirecting({ binding }: Pick<Calls, 'binding'>): LuaFunction {
  return () => {
    if (!binding.isChild) throw new LuaError('redirect2null not permitted in this context');
    return [0];
  };
}

/** `exec`: the child process becomes another program. */
function executing({ binding }: Calls): LuaFunction {
  return (args) => {
    if (!binding.isChild) throw new LuaError('exec not permitted in this context');
    const name = stringAt(args, 0);
    const program = binding.program(name);
    if (typeof program === 'object') return failure(name, program.reason);
    throw new LuaExit(binding.shell(commandLine([program, ...args.slice(1)])));
  };
}

/** `os`, without what is about files. */
export function osFunctions(calls: Calls): Functions {
  const { binding } = calls;
  const { context } = binding;
  return {
    execute: ([line]) => {
      if (line === undefined) return [binding.hasShell];
      return ended(binding.hasShell ? binding.shell(text(line)) : 127);
    },
    exit: ([status]) => {
      // the program that installs packages must not end
      if (!binding.isChild) throw new LuaError('exit not permitted in this context');
      if (typeof status === 'boolean') throw new LuaError("bad argument #1 to 'exit' (number expected, got boolean)");
      throw new LuaExit(typeof status === 'number' ? status : 0);
    },
    getenv: ([name]) => [binding.environment[text(name)]],
    time: ([given]) => [given === undefined ? context.epoch : moment(given)],
    date: ([format, time]) => [dated(text(format) || '%c', typeof time === 'number' ? time : context.epoch)],
    setlocale: ([locale]) => [locale === undefined || /^(|C|POSIX)$/.test(text(locale)) ? 'C' : undefined],
    clock: () => [0],
  };
}

/** Seconds of a date in a table; parts may be out of their range. */
function moment(given: LuaValue): number {
  const fields =
    typeof given === 'object' && !Array.isArray(given) ? (given as Readonly<Record<string, LuaValue>>) : {};
  const part = (name: string, otherwise?: number): number => {
    const value = Number(fields[name] ?? otherwise ?? Number.NaN);
    if (!Number.isInteger(value)) throw new LuaError(`field '${name}' missing in date table`);
    return value;
  };
  const [day, month, year] = [part('day'), part('month') - 1, part('year')];
  const days = daysBefore(year + Math.floor(month / 12), ((month % 12) + 12) % 12, 1) + day - 1;
  return days * 86_400 + part('hour', 12) * 3600 + part('min', 0) * 60 + part('sec', 0);
}

/** `os.date`: a text, or a table of parts (`*t`). All in UTC. */
function dated(given: string, time: number): LuaValue {
  const format = given.replace(/^!/, '');
  const seconds = Math.floor(time);
  if (!format.startsWith('*t')) {
    const unknown = /%(?![aAbBcdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%C]).?/.exec(format.replaceAll('%%', ''));
    if (unknown !== null)
      throw new LuaError(`bad argument #1 to 'date' (invalid conversion specifier '${unknown[0]}')`);
    return strftime(format, seconds);
  }
  const [year, month, day, hour, min, sec, yday, wday] = (strftime('%Y %m %d %H %M %S %j %w', seconds) ?? '')
    .split(' ')
    .map(Number);
  return { year, month, day, hour, min, sec, yday, wday: (wday ?? 0) + 1, isdst: false };
}

function uname(format: string, machine: string): string {
  // new enough for every test of a kernel's version; a guest's kernel is not known here
  const fields: Readonly<Record<string, string>> = {
    s: 'Linux',
    n: 'localhost',
    r: '6.12.0',
    v: '#1',
    m: machine,
    '%': '%',
  };
  return format.replace(/%(.)/g, (_, letter: string) => {
    if (!Object.hasOwn(fields, letter))
      throw new LuaError(`bad argument #2 to 'uname' (unknown format option \`${letter}')`);
    return fields[letter]!;
  });
}
