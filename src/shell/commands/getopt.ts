import type { Command } from '../command.ts';

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** `getopt` of util-linux: parses options and quotes them for `eval set --`. */
const getopt: Command = (call) => {
  const args = [...call.args];
  let short: string | undefined;
  let long = '';
  for (;;) {
    const arg = args[0] ?? '';
    if (arg === '-T' || arg === '--test') return 4;
    if (/^(-o|--options)$/.test(arg)) {
      short = args[1] ?? '';
      args.splice(0, 2);
    } else if (/^--options=/.test(arg) || /^-o./.test(arg)) {
      short = arg.replace(/^(--options=|-o)/, '');
      args.shift();
    } else if (/^(-l|--long|--longoptions)$/.test(arg)) {
      long += ` ${args[1] ?? ''}`;
      args.splice(0, 2);
    } else if (/^--(long|longoptions)=/.test(arg)) {
      long += ` ${arg.slice(arg.indexOf('=') + 1)}`;
      args.shift();
    } else if (/^(-n|--name|-s|--shell)$/.test(arg)) args.splice(0, 2);
    else if (/^(--name=|--shell=|-[aqQu]$|--(alternative|quiet|quiet-output|unquoted)$)/.test(arg)) args.shift();
    else break;
  }
  if (args[0] === '--') args.shift();
  if (short === undefined) {
    short = args.shift() ?? '';
  }
  const words = long
    .split(/[ ,]+/)
    .filter((word) => word !== '')
    .map((word) => word.replace(/::$/, '=?').replace(/:$/, '='));
  const out: string[] = [];
  const operands: string[] = [];
  let status = 0;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--') {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      operands.push(arg);
      if (short.startsWith('+')) {
        operands.push(...args.slice(i + 1));
        break;
      }
      continue;
    }
    if (arg.startsWith('--')) {
      const name = arg.slice(2).split('=')[0]!;
      const near = words.filter((word) => word.replace(/=\??$/, '') === name);
      const found = (near.length > 0 ? near : words.filter((word) => word.startsWith(name)))[0];
      if (found === undefined) {
        call.complain(`unrecognized option '${arg}'`);
        status = 1;
        continue;
      }
      out.push(`--${found.replace(/=\??$/, '')}`);
      if (!found.includes('=')) continue;
      if (arg.includes('=')) out.push(quote(arg.slice(arg.indexOf('=') + 1)));
      else out.push(quote(found.endsWith('?') ? '' : (args[++i] ?? '')));
      continue;
    }
    for (let at = 1; at < arg.length; at++) {
      const where = arg[at] === ':' ? -1 : short.replace(/^[+-]/, ' ').indexOf(arg[at]!);
      if (where < 0) {
        call.complain(`invalid option -- '${arg[at]}'`);
        status = 1;
        continue;
      }
      out.push(`-${arg[at]}`);
      if (short[where + 1] !== ':') continue;
      const rest = arg.slice(at + 1);
      out.push(quote(rest !== '' || short[where + 2] === ':' ? rest : (args[++i] ?? '')));
      break;
    }
  }
  call.out(` ${[...out, '--', ...operands.map(quote)].join(' ')}\n`);
  return status;
};

/** Argument parsing for scripts. */
export const GETOPT_COMMANDS: Readonly<Record<string, Command>> = { getopt };
