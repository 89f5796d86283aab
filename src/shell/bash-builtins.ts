import { bashRead, mapfile } from './bash-read.ts';
import { BUILTINS, type Builtin } from './builtins.ts';
import { Call, type RunningShell } from './command.ts';
import { declare } from './declare.ts';
import { bashEscapes } from './escapes.ts';
import { bashPrintf } from './printf.ts';

/** `echo`: escapes only with -e. */
function echo(call: Call): number {
  let newline = true;
  let escapes = false;
  let i = 0;
  for (; /^-[neE]+$/.test(call.args[i] ?? ''); i++)
    for (const letter of call.args[i]!.slice(1))
      if (letter === 'n') newline = false;
      else escapes = letter === 'e';
  const text = call.args.slice(i).join(' ');
  const made = escapes ? bashEscapes(text, 'echo') : { text, stop: false };
  call.out(newline && !made.stop ? `${made.text}\n` : made.text);
  return 0;
}

/** `let`. */
function calculate({ shell, args }: Call): number {
  let value = 0n;
  for (const arg of args) value = shell.calculate(arg);
  return value === 0n ? 1 : 0;
}

/** Names of all options of shopt, for checking. */
const SHOPTS = new Set(
  'autocd assoc_expand_once cdable_vars cdspell checkhash checkjobs checkwinsize cmdhist compat31 compat32 compat40 compat41 compat42 compat43 compat44 complete_fullquote direxpand dirspell dotglob execfail expand_aliases extdebug extglob extquote failglob force_fignore globasciiranges globskipdots globstar gnu_errfmt histappend histreedit histverify hostcomplete huponexit inherit_errexit interactive_comments lastpipe lithist localvar_inherit localvar_unset login_shell mailwarn no_empty_cmd_completion nocaseglob nocasematch noexpand_translation nullglob patsub_replacement progcomp progcomp_alias promptvars restricted_shell shift_verbose sourcepath varredir_close xpg_echo'.split(
    ' ',
  ),
);
/** Those that would change what a script does here, but are not implemented. */
const UNSUPPORTED_SHOPTS = new Set(['execfail', 'extdebug', 'lastpipe', 'localvar_inherit', 'xpg_echo']);

function shopt(call: Call): number {
  const { shell } = call;
  const letters = call.args.filter((arg) => /^-[supqo]+$/.test(arg)).join('');
  const names = call.args.filter((arg) => !arg.startsWith('-'));
  if (letters.includes('o')) {
    if (letters.includes('s'))
      return names.length === 0 ? 0 : shell.invoke(['set', ...names.flatMap((n) => ['-o', n])]);
    if (letters.includes('u'))
      return names.length === 0 ? 0 : shell.invoke(['set', ...names.flatMap((n) => ['+o', n])]);
    const prints = letters.includes('p')
      ? (on: boolean, name: string) => `set ${on ? '-' : '+'}o ${name}\n`
      : optionLine;
    for (const name of names) if (!letters.includes('q')) call.out(prints(shell.optionNamed(name), name));
    return names.every((name) => shell.optionNamed(name)) ? 0 : 1;
  }
  let status = 0;
  for (const name of names.length > 0 || /[su]/.test(letters) ? names : [...SHOPTS].sort()) {
    if (!SHOPTS.has(name)) {
      status = call.fail(`${name}: invalid shell option name`);
      continue;
    }
    if (letters.includes('s')) {
      if (UNSUPPORTED_SHOPTS.has(name)) call.unsupported(`shopt ${name}`);
      shell.shopts.add(name);
    } else if (letters.includes('u')) shell.shopts.delete(name);
    else {
      const on = shell.shopts.has(name);
      if (!on && names.length > 0) status = 1;
      if (!letters.includes('q'))
        call.out(letters.includes('p') ? `shopt ${on ? '-s' : '-u'} ${name}\n` : optionLine(on, name));
    }
  }
  return status;
}

const optionLine = (on: boolean, name: string) => `${name.padEnd(15)}\t${on ? 'on' : 'off'}\n`;

/** `builtin name args`. */
function builtin(call: Call, tested: boolean): number {
  const [name, ...args] = call.args;
  if (name === undefined) return 0;
  const found = BASH_BUILTINS.get(name) ?? BUILTINS.get(name);
  return found === undefined
    ? call.fail(`${name}: not a shell builtin`)
    : found(new Call(call.shell, name, args), tested);
}

function unset(call: Call): number {
  const { shell } = call;
  let mode = '';
  let status = 0;
  for (const arg of call.args) {
    if (/^-[fvn]$/.test(arg)) {
      mode = arg[1]!;
      continue;
    }
    if (arg === '--') continue;
    if (mode === 'v' && !/^[A-Za-z_]\w*(?:\[[\s\S]*\])?$/.test(arg) && !shell.functions.has(arg)) {
      status = call.fail(`\`${arg}': not a valid identifier`);
      continue;
    }
    const element = /^([A-Za-z_]\w*)\[([\s\S]*)\]$/.exec(arg);
    if (mode === 'f') shell.functions.delete(arg);
    else if (element !== null) shell.unsetElement(element[1]!, element[2]!);
    else if (shell.variables.get(arg)?.readonly) status = call.fail(`${arg}: cannot unset: readonly variable`);
    else if (shell.variables.has(arg)) {
      const reference = shell.variables.get(arg)!;
      const target = reference.attributes?.includes('n') && mode !== 'n' ? (reference.value ?? arg) : arg;
      shell.variables.delete(target);
    } else if (mode === '') shell.functions.delete(arg);
  }
  return status;
}

/** `type`, with -t, -p, -P, -a and -f. */
function type(call: Call): number {
  const letters = call.args.filter((arg) => /^-[tpPaf]+$/.test(arg)).join('');
  const end = call.args.indexOf('--');
  const names = call.args.filter((arg, i) => (end >= 0 && i > end) || !/^-./.test(arg));
  const { shell } = call;
  let status = 0;
  for (const name of names) {
    const found = kindOf(shell, name, letters);
    const path = found === 'file' ? shell.lookUp(name) : undefined;
    if (found === undefined) {
      status = 1;
      if (!/[tpP]/.test(letters)) call.complain(`${name}: not found`);
    } else if (letters.includes('t')) call.out(`${found}\n`);
    else if (/[pP]/.test(letters)) call.out(path === undefined ? '' : `${path}\n`);
    else if (found === 'alias') call.out(`${name} is aliased to \`${shell.aliases.get(name)}'\n`);
    else if (found === 'file') call.out(`${name} is ${path}\n`);
    else if (found === 'function') {
      call.out(`${name} is a function\n`);
      call.unsupported('type of a function');
    } else call.out(`${name} is a shell ${found}\n`);
  }
  return status;
}

const KEYWORDS = new Set(
  '! [[ ]] case coproc do done elif else esac fi for function if in select then time until while { }'.split(' '),
);

function kindOf(shell: RunningShell, name: string, letters: string): string | undefined {
  if (!letters.includes('P')) {
    if (shell.aliases.has(name) && shell.shopts.has('expand_aliases')) return 'alias';
    if (KEYWORDS.has(name)) return 'keyword';
    if (shell.functions.has(name) && !letters.includes('f')) return 'function';
    if (BASH_BUILTINS.has(name) || (BUILTINS.has(name) && name !== 'chdir')) return 'builtin';
  }
  return shell.lookUp(name) === undefined ? undefined : 'file';
}

/** `pushd`, `popd` and `dirs`, with the stack in the variable DIRSTACK. */
function directories(call: Call): number {
  const { shell, files, name } = call;
  const stack = shell.elements('DIRSTACK').map(([, path]) => path);
  const keep = (paths: readonly string[]) =>
    shell.makeArray(
      'DIRSTACK',
      paths.map((path, i) => [String(i), path] as const),
    );
  const quiet = call.args.includes('-n');
  const args = call.args.filter((arg) => !/^-[nclpv]+$/.test(arg));
  if (args.some((arg) => /^[-+][0-9]+$/.test(arg)) || quiet) return call.unsupported(`${name} ${call.args.join(' ')}`);
  if (name === 'dirs') {
    if (call.args.includes('-c')) keep([]);
    else call.out(`${[files.cwd, ...stack].join(call.args.includes('-p') ? '\n' : ' ')}\n`);
    return 0;
  }
  if (name === 'popd') {
    const to = stack.shift();
    if (to === undefined) return call.fail('directory stack empty');
    if (shell.invoke(['cd', to]) !== 0) return 1;
    keep(stack);
  } else {
    const before = files.cwd;
    const to = args[0] ?? stack.shift();
    if (to === undefined) return call.fail('no other directory');
    if (shell.invoke(['cd', to]) !== 0) return 1;
    keep([before, ...stack]);
  }
  call.out(`${[files.cwd, ...shell.elements('DIRSTACK').map(([, path]) => path)].join(' ')}\n`);
  return 0;
}

/** `caller [n]`. */
function caller(call: Call): number {
  const depth = Number(call.args[0] ?? 0);
  const { callers } = call.shell;
  const frame = callers[callers.length - 1 - depth];
  if (frame === undefined) return 1;
  const outer = callers[callers.length - 2 - depth]?.name ?? 'main';
  call.out(call.args.length === 0 ? `${frame.line} ${frame.source}\n` : `${frame.line} ${outer} ${frame.source}\n`);
  return 0;
}

/** Builtins of the interactive shell, which change nothing in a script. */
const nothing: Builtin = () => 0;
const unsupported: Builtin = (call) => call.unsupported(call.name);

/** Builtins that only bash has, or that differ there. */
export const BASH_BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ['builtin', builtin],
  ['caller', caller],
  ['declare', declare],
  ['typeset', declare],
  ['local', declare],
  ['export', declare],
  ['readonly', declare],
  ['dirs', directories],
  ['popd', directories],
  ['pushd', directories],
  ['echo', echo],
  ['let', calculate],
  ['mapfile', mapfile],
  ['readarray', mapfile],
  ['printf', bashPrintf],
  ['read', bashRead],
  ['shopt', shopt],
  ['source', (call, tested) => BUILTINS.get('.')!(call, tested)],
  ['type', type],
  ['unset', unset],
  ...(['bind', 'complete', 'compopt', 'disown', 'enable', 'history', 'suspend'] as const).map(
    (name): [string, Builtin] => [name, name === 'enable' ? unsupported : nothing],
  ),
  ...(['compgen', 'fc', 'help', 'logout'] as const).map((name): [string, Builtin] => [name, unsupported]),
]);
