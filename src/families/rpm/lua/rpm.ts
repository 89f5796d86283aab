import { compareEvr, parseEvr } from '../../../formats/rpm/version.ts';
import { type Binding, commandLine, type LuaValue, onOwnState, text } from './binding.ts';

/** How deep macros may stand in macros. */
const MACROS_MAX = 20;

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
  // those that the script defines; the distribution's own are not known
  const macros = new Map(['_arch', '_target_cpu', '_host_cpu'].map((name) => [name, context.machine]));
  const expanded = (line: string, depth: number): string =>
    line.replace(/%(?:\{(\w+)\}|(\w+))/g, (whole, braced: string | undefined, plain: string | undefined) => {
      const body = macros.get(braced ?? plain ?? '');
      binding.charge(line.length);
      if (body === undefined || depth === MACROS_MAX || binding.exhausted) return whole;
      const value = expanded(body, depth + 1);
      binding.checkString(value.length);
      return value;
    });
  binding.table('rpm', {
    vercmp: ([a, b]) => [compareEvr(parseEvr(text(a)), parseEvr(text(b)))],
    execute: (words) => run(words),
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
    b64decode: ([given]) => [Buffer.from(text(given), 'base64').toString('latin1')],
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
    redirect2null: () => [0],
  });
}
