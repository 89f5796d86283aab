import { type Command, options } from '../command.ts';

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** `getopt` of util-linux: options sorted out and quoted for `eval set --`. */
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
    // one argument at a time, with the next one at hand for its value
    const taken = options([arg, args[i + 1] ?? ''], short.replace(/^[+-]/, ''), words.join(' '));
    if (taken.unknown !== undefined) {
      call.complain(`unrecognized option '${taken.unknown}'`);
      status = 1;
      continue;
    }
    for (const [name, values] of taken.values)
      for (const value of values) {
        const isLong = arg.startsWith('--');
        out.push(isLong ? `--${name}` : `-${name}`);
        const where = short.indexOf(name);
        const valued = isLong
          ? words.some((word) => word.replace(/=\??$/, '') === name && word.includes('='))
          : short[where + 1] === ':';
        if (valued) out.push(quote(value));
      }
    if (taken.operands.length === 0 && args[i + 1] !== undefined) i++;
  }
  call.out(` ${[...out, '--', ...operands.map(quote)].join(' ')}\n`);
  return status;
};

/** Argument parsing for scripts. */
export const GETOPT_COMMANDS: Readonly<Record<string, Command>> = { getopt };
