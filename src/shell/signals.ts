import type { Call } from './command.ts';
import { Exit } from './state.ts';
import { singleQuote } from './transform.ts';

const quoted = (text: string) => `'${text.replaceAll("'", `'"'"'`)}'`;

/** Signals by number. */
const SIGNALS = [
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

/** `trap`. */
export function trap(call: Call): number {
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
  if (bash && args.length === 1 && signal(args[0]!) === undefined)
    return call.fail('usage: trap [-lp] [[arg] signal_spec ...]', 2);
  for (const name of names) {
    const found = signal(name);
    // dash knows no SIG before a name
    if (found === undefined || ((BASH_TRAPS.includes(found) || /^sig/i.test(name)) && !bash)) {
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
      const dash = call.shell.dialect === 'dash';
      if (name === undefined || (dash && number === 0))
        return call.fail(`${arg}: invalid signal number`, dash && number === 0 ? 2 : 1);
      call.out(`${name}\n`);
    } else if (signal(arg) === undefined || call.shell.dialect === 'dash')
      // dash takes numbers only, unlike bash
      return call.fail(`invalid signal number or exit status: ${arg}`, call.shell.dialect === 'dash' ? 2 : 1);
    else call.out(`${SIGNALS.indexOf(signal(arg)!)}\n`);
  }
  return 0;
}

/** `kill`: the script itself is the only process. */
export function kill(call: Call): number {
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
  const bad = shell.dialect === 'dash' ? 2 : 1;
  if (name === undefined) return call.fail('invalid signal', bad);
  if (args.length === 0) return call.fail('usage: kill [-s sigspec | -signal] pid ...', 2);
  for (const pid of args) {
    if (!/^-?[0-9]+$/.test(pid)) return call.fail(`Illegal number: ${pid}`, bad);
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
