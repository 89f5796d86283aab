import { compareEvr, parseEvr } from '../../../formats/rpm/version.ts';
import { type Binding, commandLine, LuaError, type LuaFunction, type LuaValue, onOwnState, text } from './binding.ts';
import { failure, stringAt, waited } from './failure.ts';
import { redirecting } from './process.ts';

/** How deep macros may stand in macros. */
const MACROS_MAX = 20;

/** Macros that every distribution defines alike. */
const PATHS: Readonly<Record<string, string>> = {
  nil: '',
  _prefix: '/usr',
  _exec_prefix: '/usr',
  _bindir: '/usr/bin',
  _datadir: '/usr/share',
  _sysconfdir: '/etc',
  _localstatedir: '/var',
};
/** `%{?name}`, `%{!?name:text}`, `%{name}`, `%name`. */
const MACRO = /%(?:\{(!)?\?(\w+)(?::([^{}]*))?\}|\{(\w+)\}|(\w+))/g;

/** The `rpm` table that scripts have. */
export function rpmFunctions(binding: Binding): void {
  const { context } = binding;
  const lines = binding.input.split('\n').slice(0, -1);
  let next = 0;
  const nextFile = onOwnState(() => [lines[next++]]);
  const run = (words: readonly LuaValue[]): readonly LuaValue[] => {
    const status = binding.shell(commandLine(words));
    return status === 0 ? [0] : [undefined, 'exit code', status];
  };
  // those that the script defines, and those that are the same in all distributions; others are not known
  const macros = new Map([
    ...['_arch', '_target_cpu', '_host_cpu'].map((name) => [name, context.machine] as const),
    ...Object.entries(PATHS),
    ['_libdir', /64|s390x/.test(context.machine) ? '/usr/lib64' : '/usr/lib'],
  ]);
  const expanded = (line: string, depth: number): string =>
    line.replace(MACRO, (whole: string, ...groups: (string | undefined)[]) => {
      const [unless, conditional, given, braced, plain] = groups;
      binding.charge(line.length);
      const known = macros.get(conditional ?? braced ?? plain ?? '');
      if (known === undefined || depth === MACROS_MAX || binding.exhausted) return whole;
      const body = conditional === undefined ? known : unless === undefined ? (given ?? known) : '';
      const value = expanded(body, depth + 1);
      binding.checkString(value.length);
      return value;
    });
  binding.table('rpm', {
    vercmp: (args) => {
      const [a, b] = [0, 1].map((at) => stringAt(args, at));
      if (a === '' || b === '') throw new LuaError(`bad argument #${a === '' ? 1 : 2} to 'vercmp' (invalid version )`);
      return [compareEvr(parseEvr(a!), parseEvr(b!))];
    },
    spawn: ([words]) => run(Array.isArray(words) ? words : []),
    next_file: nextFile,
    // rpm 4.20 calls it so
    next_line: nextFile,
    expand: ([given]) => {
      const line = expanded(text(given).replaceAll('%%', '\0'), 0);
      if (/%[{(\w]/.test(line)) binding.skip(`rpm.expand("${text(given)}")`, 'macros are not expanded');
      return [line.replaceAll('\0', '%')];
    },
    define: onOwnState(([given]) => {
      const [, name, body] = /^\s*([A-Za-z_]\w*)(?:\([^)]*\))?\s+([\s\S]*)$/.exec(text(given)) ?? [];
      if (name !== undefined) macros.set(name, body!);
      return [];
    }),
    undefine: onOwnState(([name]) => {
      macros.delete(text(name));
      return [];
    }),
    isdefined: ([name]) => [macros.has(text(name)), false],
    interactive: () => [],
    register: () => [],
    unregister: () => [],
    // lines of 64 characters unless their length is given; 0: one line without an end
    b64encode: ([bytes, length]) => {
      const encoded = Buffer.from(text(bytes), 'latin1').toString('base64');
      const most = typeof length === 'number' && length >= 0 ? Math.floor(length) : 64;
      return [most === 0 ? encoded : encoded.replace(new RegExp(`.{1,${most}}`, 'g'), '$&\n')];
    },
    b64decode: (args) => {
      const given = stringAt(args, 0);
      return [/[^A-Za-z0-9+/=\s]/.test(given) ? undefined : Buffer.from(given, 'base64').toString('latin1')];
    },
    glob: ([pattern]) => {
      const path = text(pattern);
      if (!/[*?[]/.test(path)) return [binding.tree.lstat(path) === undefined ? [] : [path]];
      const words = path.replace(/[^\w/.*?[\]!-]/g, '\\$&');
      const [, found] = binding.capture(
        `for f in ${words}; do if [ -e "$f" ] || [ -L "$f" ]; then echo "$f"; fi; done`,
      );
      return [found.split('\n').slice(0, -1)];
    },
    splitargs: ([given]) => [
      text(given)
        .split(/\s+/)
        .filter((word) => word !== ''),
    ],
    unsplitargs: ([words]) => [Array.isArray(words) ? words.map(text).join(' ') : ''],
    redirect2null: redirecting({ binding }),
  });
  const execute: LuaFunction = (args) => {
    const name = stringAt(args, 0);
    const program = binding.program(name);
    if (typeof program === 'object') return failure('posix_spawnp', program.reason);
    return waited(binding.shell(commandLine([program, ...args.slice(1)])));
  };
  binding.table('rpm', { execute }, true);
}
