import type { Call } from './command.ts';

/**
 * Options and operands that builtins do not take, which real shells answer with a status of their own. Options: dash's
 * nextopt() in each builtin's source, and `help NAME` of bash. A letter with a colon has a value.
 */
const OPTIONS: Readonly<Record<'dash' | 'bash', Readonly<Record<string, string>>>> = {
  dash: {
    ...{
      '.': '',
      bg: '',
      cd: 'LP',
      chdir: 'LP',
      command: 'pvV',
      export: 'p',
      fg: '',
      hash: 'r',
      jobs: 'lp',
      printf: '',
      pwd: 'LP',
    },
    ...{
      read: 'p:r',
      readonly: 'p',
      trap: '',
      ulimit: 'HSatfdscmlpnvwr',
      umask: 'S',
      unalias: 'a',
      unset: 'vf',
      wait: '',
    },
  },
  bash: {
    ...{ '.': '', alias: 'p', cd: 'LPe@', command: 'pvV', eval: '', getopts: '', hash: 'lrp:dt' },
    ...{
      jobs: 'lnprsx',
      printf: 'v:',
      pwd: 'LP',
      trap: 'lp',
      type: 'afptP',
      ulimit: 'HSabcdefiklmnpqrstuvxPRT',
      umask: 'pS',
    },
    ...{ unalias: 'a', unset: 'fnv', wait: 'fnp:' },
  },
};

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The first letter that is no option, and where the operands begin. */
function divide(args: readonly string[], letters: string): { readonly bad?: string; readonly from: number } {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--') return { from: i + 1 };
    if (!arg.startsWith('-') || arg === '-') return { from: i };
    for (let at = 1; at < arg.length; at++) {
      const place = arg[at] === ':' ? -1 : letters.indexOf(arg[at]!);
      if (place < 0) return { bad: arg[at]!, from: i };
      if (letters[place + 1] !== ':') continue;
      if (at === arg.length - 1) i++;
      break;
    }
  }
  return { from: args.length };
}

/**
 * The status of a builtin that is used in a way that it does not have; undefined when there is nothing to say against it.
 * `special`: an error ends the shell, as POSIX wants it for special builtins.
 */
export function misuse(call: Call, special: boolean): number | undefined {
  const dialect = call.shell.dialect === 'dash' ? 'dash' : 'bash';
  const letters = OPTIONS[dialect][call.name];
  const wrong = (text: string, status = 2): number =>
    special ? call.shell.fail(`${call.name}: ${text}`) : call.fail(text, status);
  const { bad, from } = letters === undefined ? { from: 0 } : divide(call.args, letters);
  if (bad !== undefined) return wrong(dialect === 'dash' ? `Illegal option -${bad}` : `-${bad}: invalid option`);
  const operands = call.args.slice(from);
  const other = dialect === 'dash' ? 2 : 1;
  switch (call.name) {
    case 'bg':
    case 'fg':
      return wrong('no job control', other);
    case 'jobs':
      return operands.length > 0 ? wrong(`No such job: ${operands[0]}`, other) : undefined;
    case 'getopts':
      return operands.length < 2 ? wrong('usage: getopts optstring name [arg]') : undefined;
    case 'unset': {
      const unnamed = dialect === 'dash' && !/^-\w*f/.test(call.args[0] ?? '') ? operands : [];
      const found = unnamed.find((one) => !NAME.test(one));
      return found === undefined ? undefined : wrong(`${found}: bad variable name`);
    }
    case 'umask': {
      const [mode] = operands;
      if (mode === undefined || /^[0-7]+$/.test(mode)) return undefined;
      const clause = '[ugoa]*(?:[-+=][rwxXstugo]*)+';
      return new RegExp(`^${clause}(?:,${clause})*$`).test(mode) ? undefined : wrong(`Illegal mode: ${mode}`, other);
    }
    case 'ulimit': {
      const [limit] = operands;
      const known = dialect === 'dash' ? /^(?:[0-9]+|unlimited)$/ : /^(?:[0-9]+|unlimited|hard|soft)$/;
      return limit === undefined || known.test(limit) ? undefined : wrong(`bad number: ${limit}`, other);
    }
    case 'unalias':
    case '.':
      return operands.length === 0 && dialect === 'bash' && call.args.length > 0 && call.args[0] !== '-a'
        ? wrong('an argument is missing')
        : undefined;
    case 'wait': {
      const found = operands.find((one) => !(dialect === 'dash' ? /^[0-9]+$/ : /^[0-9]{1,18}$/).test(one));
      if (found === undefined) return undefined;
      return dialect === 'bash' && found.startsWith('%')
        ? wrong(`${found}: no such job`, 127)
        : wrong(`No such job: ${found}`, other);
    }
    default:
      return undefined;
  }
}
