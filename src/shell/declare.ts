import type { Assignment } from './ast.ts';
import type { Call, RunningShell, Variable } from './command.ts';
import { doubleQuote } from './transform.ts';

const NAME = /^[A-Za-z_]\w*$/;
/** Options each of the builtins takes. */
const TAKES: Readonly<Record<string, string>> = {
  declare: 'aAfFgilnprtux',
  typeset: 'aAfFgilnprtux',
  local: 'aAfFgilnprtux',
  export: 'fnp',
  readonly: 'aAfp',
};

/** One argument: a name, perhaps an element of it, and what is assigned. */
interface Argument {
  readonly name: string;
  readonly subscript: string | undefined;
  readonly value: string | undefined;
  readonly append: boolean;
  readonly list: Assignment | undefined;
}

function argument(text: string, shell: RunningShell): Argument | undefined {
  const match = /^([A-Za-z_]\w*)(?:\[([^\]]*)\])?(?:(\+?)=([\s\S]*))?$/.exec(text);
  if (match === null) return undefined;
  const [, name, subscript, plus, value] = match;
  const list = value?.startsWith('(\0') ? shell.lists[Number(value.slice(2))] : undefined;
  return { name: name!, subscript, value: list === undefined ? value : undefined, append: plus === '+', list };
}

/** `declare`, `typeset`, `local`, `export` and `readonly` of bash. */
export function declare(call: Call): number {
  const { shell, name: command } = call;
  const on = new Set<string>();
  const off = new Set<string>();
  let i = 0;
  for (; i < call.args.length && /^[-+][A-Za-z0-9]/.test(call.args[i]!); i++) {
    const arg = call.args[i]!;
    for (const letter of arg.slice(1)) {
      if (!TAKES[command]!.includes(letter)) return call.fail(`-${letter}: invalid option`, 2);
      (arg[0] === '-' ? on : off).add(letter);
    }
  }
  if (call.args[i] === '--') i++;
  const names = call.args.slice(i);
  const frame = shell.locals.at(-1);
  if (command === 'local' && frame === undefined) return call.fail('can only be used in a function');
  if (on.has('f') || on.has('F')) return functions(call, names, on);
  const prints = on.has('p') || (names.length === 0 && command !== 'local');
  if (prints) return print(call, names, command, on);
  let status = 0;
  for (const text of names) {
    if (text === '-' && command === 'local') {
      if (!frame!.has('-')) frame!.set('-', { value: [...shell.options].join(','), exported: false, readonly: false });
      continue;
    }
    const given = argument(text, shell);
    if (given === undefined) {
      status = call.fail(`\`${text}': not a valid identifier`);
      continue;
    }
    if ((given.value ?? given.list) !== undefined && shell.variables.get(given.name)?.readonly) {
      status = call.fail(`${given.name}: readonly variable`);
      continue;
    }
    const isLocal =
      frame !== undefined && (command === 'local' || (/^(declare|typeset)$/.test(command) && !on.has('g')));
    if (isLocal) makeLocal(shell, frame, given.name);
    apply(shell, given, { command, on, off });
  }
  return status;
}

function makeLocal(shell: RunningShell, frame: Map<string, Variable | undefined>, name: string): void {
  if (frame.has(name)) return;
  const outer = shell.variables.get(name);
  frame.set(name, outer);
  // a local variable is unset until it is assigned
  if (outer?.exported) shell.variables.set(name, { value: undefined, exported: true, readonly: false });
  else shell.variables.delete(name);
}

interface Given {
  readonly command: string;
  readonly on: ReadonlySet<string>;
  readonly off: ReadonlySet<string>;
}

function apply(shell: RunningShell, given: Argument, { command, on, off }: Given): void {
  const { name, value, subscript, append, list } = given;
  const before = shell.variables.get(name) ?? { value: undefined, exported: false, readonly: false };
  const letters = new Set([...(before.attributes ?? '')].filter((letter) => !off.has(letter)));
  for (const letter of 'ilun') if (on.has(letter)) letters.add(letter);
  if (on.has('l')) letters.delete('u');
  if (on.has('u')) letters.delete('l');
  const exported =
    (before.exported || command === 'export' || on.has('x')) && !off.has('x') && !(command === 'export' && on.has('n'));
  const { attributes, ...rest } = before;
  void attributes;
  const attributed: Variable = {
    ...{ ...rest, exported },
    ...(letters.size === 0 ? {} : { attributes: [...letters].sort().join('') }),
  };
  const reference = on.has('n') && command !== 'export';
  if (reference) {
    shell.variables.set(name, { ...attributed, value: value ?? before.value });
    return;
  }
  if (value !== undefined || list !== undefined || !before.readonly) shell.variables.set(name, attributed);
  if ((on.has('A') || on.has('a')) && before.array === undefined) {
    shell.makeArray(name, before.value === undefined ? [] : [['0', before.value]], on.has('A'));
  }
  if (list !== undefined) shell.assignWords(list);
  else if (value !== undefined && subscript !== undefined) shell.setElement(name, subscript, value);
  else if (value !== undefined) {
    const integer = letters.has('i');
    const old = append ? (shell.get(name) ?? '') : '';
    shell.assign(name, append && integer ? `${old || 0}+(${value})` : old + value);
  }
  if (command === 'readonly' || on.has('r'))
    shell.variables.set(name, { ...shell.variables.get(name)!, readonly: true });
}

/** `declare -f` and `declare -F`. */
function functions(call: Call, names: readonly string[], on: ReadonlySet<string>): number {
  const { shell, name: command } = call;
  let status = 0;
  if (command === 'export' || command === 'readonly') return 0;
  for (const name of names.length > 0 ? names : [...shell.functions.keys()].sort()) {
    if (!shell.functions.has(name)) status = 1;
    else if (on.has('F')) call.out(names.length > 0 ? `${name}\n` : `declare -f ${name}\n`);
    else if (names.length === 0) return call.unsupported('declare -f');
    else if (call.shell.stream(1) !== undefined && !isSilent(call)) call.unsupported('declare -f');
  }
  return status;
}

/** True when the output goes to the null device, as in tests whether a function exists. */
function isSilent(call: Call): boolean {
  return call.shell.stream(1)?.isNull === true;
}

/** `declare -p`, `export -p`, `readonly -p`, and these without names. */
function print(call: Call, names: readonly string[], command: string, on: ReadonlySet<string>): number {
  const { shell } = call;
  let status = 0;
  const chosen = names.length > 0 ? names : shell.names();
  for (const name of chosen) {
    const variable = shell.variables.get(name);
    if (variable === undefined) {
      status = call.fail(`${name}: not found`);
      continue;
    }
    const letters = shell.attributes(name);
    if (names.length === 0) {
      if (command === 'export' && !variable.exported) continue;
      if (command === 'readonly' && !variable.readonly) continue;
      if ([...'aAilnrux'].some((letter) => on.has(letter) && !letters.includes(letter))) continue;
    }
    const value =
      variable.array !== undefined
        ? `=(${variable.array
            .entries(shell.budget)
            .map(
              ([key, text]) =>
                `[${variable.array!.associative && !NAME.test(key) && !/^[0-9.]+$/.test(key) ? doubleQuote(key) : key}]=${doubleQuote(text)}`,
            )
            .join(' ')}${variable.array.associative && variable.array.size > 0 ? ' ' : ''})`
        : variable.value === undefined
          ? ''
          : `=${doubleQuote(variable.value)}`;
    call.out(`declare -${letters === '' ? '-' : letters} ${name}${value}\n`);
  }
  return status;
}
