import { compareEvr, parseEvr } from '../../../formats/rpm/version.ts';
import { type Binding, commandLine, type LuaFunction, type LuaValue, text } from './binding.ts';

/** The `rpm` table that scripts have. */
export function rpmFunctions(binding: Binding): void {
  const { context } = binding;
  const lines = binding.input.split('\n').slice(0, -1);
  let next = 0;
  const nextFile: LuaFunction = () => [lines[next++]];
  const run = (words: readonly LuaValue[]): readonly LuaValue[] => {
    const status = binding.shell(commandLine(words));
    return status === 0 ? [0] : [undefined, 'exit code', status];
  };
  binding.table('rpm', {
    vercmp: ([a, b]) => [compareEvr(parseEvr(text(a)), parseEvr(text(b)))],
    execute: (words) => run(words),
    spawn: ([words]) => run(Array.isArray(words) ? words : []),
    next_file: nextFile,
    // rpm 4.20 calls it so
    next_line: nextFile,
    expand: ([given]) => {
      const line = text(given).replaceAll('%%', '\0');
      const known = line.replace(/%\{?(_arch|_target_cpu|_host_cpu)\}?/g, context.machine);
      if (/%[{(\w]/.test(known)) binding.skip(`rpm.expand("${text(given)}")`, 'macros are not expanded');
      return [known.replaceAll('\0', '%')];
    },
    define: () => [],
    undefine: () => [],
    isdefined: () => [false, false],
    interactive: () => [],
    register: () => [],
    unregister: () => [],
    b64encode: ([bytes]) => [Buffer.from(text(bytes), 'latin1').toString('base64')],
    b64decode: ([given]) => [Buffer.from(text(given), 'base64').toString('latin1')],
    glob: ([pattern]) => {
      const path = text(pattern);
      if (/[*?[]/.test(path)) binding.skip(`rpm.glob("${path}")`, 'not emulated: patterns of rpm.glob');
      return [binding.tree.lstat(path) === undefined ? [] : [path]];
    },
    redirect2null: () => [0],
  });
}
