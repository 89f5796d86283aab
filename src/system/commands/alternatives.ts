import type { Call, Command } from '../../shell/command.ts';
import { type Alternative, Alternatives } from '../alternatives.ts';
import type { GuestWorld } from './binding.ts';

/** Options without effect here: what is printed, and questions at a terminal. */
const HARMLESS = /^--(quiet|verbose|debug|force|skip-auto)$/;
/** Actions and how many operands follow each. */
const ACTIONS = [
  'install',
  'set',
  'auto',
  'remove',
  'remove-all',
  'display',
  'query',
  'list',
  'config',
  'all',
] as const;
type Action = (typeof ACTIONS)[number] | 'get-selections';

/** A command line of update-alternatives. */
interface Parsed {
  readonly action: Action;
  readonly operands: readonly string[];
  readonly slaves: NonNullable<Alternative['slaves']>;
}

/**
 * update-alternatives(1). `admin` is the folder of its state files, relative to the root. `--config` and `--all` ask a user, and
 * there is none: they change nothing.
 */
export function updateAlternatives({ tree, context }: GuestWorld, admin: string): Command {
  const alternatives = new Alternatives(tree, context, admin);
  return (call) => {
    const parsed = parse(call.args, admin);
    if (typeof parsed === 'string') return call.shell.unknown(`${call.name} ${parsed}`);
    if (parsed === undefined)
      return call.fail('need --display, --query, --list, --install, --remove, --set or --auto', 2);
    return perform(call, alternatives, parsed);
  };
}

/** Reads the arguments; a string is an option that is not supported, undefined means that there is no action. */
function parse(args: readonly string[], admin: string): Parsed | string | undefined {
  let action: Action | undefined;
  const folders = new Map([
    ['altdir', '/etc/alternatives'],
    ['admindir', `/${admin}`],
    ['instdir', '/'],
    ['root', '/'],
  ]);
  const operands: string[] = [];
  const slaves: { link: string; name: string; path: string }[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const name = arg.slice(2);
    const folder = folders.get(name);
    if (arg === '--slave') {
      slaves.push({ link: args[i + 1] ?? '', name: args[i + 2] ?? '', path: args[i + 3] ?? '' });
      i += 3;
    } else if (arg === '--log') i++;
    else if (arg.startsWith('--') && folder !== undefined) {
      const value = args[++i] ?? '';
      if (!['', '/', folder].includes(value)) return `${arg} ${value}`;
    } else if (arg.startsWith('--') && [...ACTIONS, 'get-selections'].includes(name)) action ??= name as Action;
    // a priority may be negative
    else if (!/^-[^0-9]/.test(arg)) operands.push(arg);
    else if (!HARMLESS.test(arg)) return arg;
  }
  return action === undefined ? undefined : { action, operands, slaves };
}

function perform(call: Call, alternatives: Alternatives, { action, operands, slaves }: Parsed): number {
  const [name = '', second = '', path = '', priority = ''] = operands;
  const group = alternatives.group(name);
  const missing = () => call.fail(`no alternatives for ${name}`, 2);
  switch (action) {
    case 'install': {
      if (!name.startsWith('/') || !path.startsWith('/') || !/^-?[0-9]{1,10}$/.test(priority))
        return call.fail('--install needs <link> <name> <path> <priority>', 2);
      const done = alternatives.install({ link: name, name: second, path, priority: Number(priority), slaves });
      return done ? 0 : call.fail(`alternative path ${path} doesn't exist`, 2);
    }
    case 'set':
      return alternatives.set(name, second) ? 0 : call.fail(`alternative ${second} for ${name} not registered`, 2);
    case 'auto':
      return alternatives.auto(name) ? 0 : missing();
    case 'remove':
      alternatives.remove(name, second);
      return 0;
    case 'remove-all':
      if (group === undefined) return missing();
      for (const choice of group.choices) alternatives.remove(name, choice.path);
      return 0;
    case 'list':
      if (group === undefined) return 2;
      for (const choice of group.choices) call.out(`${choice.path}\n`);
      return 0;
    case 'query':
    case 'display':
      if (group === undefined) return missing();
      call.out(
        action === 'query'
          ? queryText(name, group, alternatives.current(name))
          : displayText(name, group, alternatives.current(name)),
      );
      return 0;
    case 'get-selections':
      for (const one of alternatives.names())
        call.out(`${one.padEnd(30)} ${alternatives.group(one)!.status.padEnd(8)} ${alternatives.current(one) ?? ''}\n`);
      return 0;
    case 'config':
    case 'all':
      return 0;
    default:
      return action satisfies never;
  }
}

type Group = NonNullable<ReturnType<Alternatives['group']>>;

function queryText(name: string, group: Group, value = 'none'): string {
  const choices = group.choices.map((choice) => `\nAlternative: ${choice.path}\nPriority: ${choice.priority}\n`);
  return `Name: ${name}\nLink: ${group.link}\nStatus: ${group.status}\nValue: ${value}\n${choices.join('')}`;
}

function displayText(name: string, group: Group, value = 'none'): string {
  const choices = group.choices.map((choice) => `${choice.path} - priority ${choice.priority}\n`);
  return `${name} - ${group.status} mode\n  link currently points to ${value}\n${choices.join('')}`;
}
