import type { Call, Command, Options } from '../../../shell/command.ts';
import { compilePattern, matches } from '../../../shell/pattern.ts';
import { type FixedFolders, withOptions } from '../../../system/commands/binding.ts';
import type { DebianWorld, KnownPackage } from './binding.ts';

/** Folders that dpkg's programs are given: the guest's own. */
export const DPKG_FOLDERS: FixedFolders = { admindir: '/var/lib/dpkg', instdir: '/', root: '/' };

/** Formats of `dpkg-query -W` and `-l`; braces enclose a field's name. */
const SHOW = ['$', '{binary:Package}\\t$', '{Version}\\n'].join('');
const LIST = ['ii  $', '{binary:Package} $', '{Version} $', '{Architecture}\\n'].join('');

/** What is printed of each package that matches. */
type Printed = 'files' | 'status' | 'list' | 'show';

/** `dpkg-query --list`, `--status`, `--listfiles` and `--show`: packages that match, in the given form. */
export function queryPackages(
  world: DebianWorld,
  call: Call,
  printed: Printed,
  operands: readonly string[],
  format = printed === 'list' ? LIST : SHOW,
): number {
  const all = (printed === 'list' || printed === 'show') && operands.length === 0;
  let status = 0;
  for (const pattern of all ? ['*'] : operands) {
    const found = matching(world, call, pattern);
    if (found.length === 0) {
      call.complain(
        printed === 'status' ? `package '${pattern}' is not installed` : `no packages found matching ${pattern}`,
      );
      status = 1;
    }
    for (const one of found) call.out(textOf(one, printed, format));
  }
  return status;
}

function textOf(one: KnownPackage, printed: Printed, format: string): string {
  if (printed === 'files') return `${one.files().join('\n')}\n`;
  if (printed !== 'status') return formatPackage(one, format);
  const { name, status, architecture, version } = one;
  return `Package: ${name}\nStatus: install ok ${status}\nArchitecture: ${architecture}\nVersion: ${version}\n`;
}

/** The package of that name, or those that match a pattern, by name. */
function matching(world: DebianWorld, call: Call, pattern: string): KnownPackage[] {
  const name = pattern.replace(/:[a-z0-9-]+$/, '');
  if (!/[*?[]/.test(name)) {
    const found = world.known(name);
    return found === undefined ? [] : [found];
  }
  const compiled = compilePattern(pattern);
  return [...world.packages()]
    .filter((one) => matches(compiled, one.name, call.shell.budget))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** `dpkg-query --search`: packages that own a path; without a pattern or a slash in front, any part of it. */
export function searchPaths(world: DebianWorld, call: Call, operands: readonly string[]): number {
  let status = 0;
  for (const pattern of operands) {
    const isGlob = /[*?[]/.test(pattern);
    const compiled = isGlob || !pattern.startsWith('/') ? compilePattern(isGlob ? pattern : `*${pattern}*`) : undefined;
    let any = false;
    for (const one of world.packages())
      for (const path of one.files()) {
        if (compiled === undefined ? path !== pattern : !matches(compiled, path, call.shell.budget)) continue;
        call.out(`${one.name}: ${path}\n`);
        any = true;
      }
    if (!any) {
      call.complain(`no path found matching pattern ${pattern}`);
      status = 1;
    }
  }
  return status;
}

/** `dpkg-query --control-path PACKAGE FILE`: the files are in the tree when the database is recorded, not before. */
function controlPath(world: DebianWorld, call: Call, [name = '', file]: readonly string[]): number {
  const found = world.known(name.replace(/:[a-z0-9-]+$/, ''));
  if (found === undefined) return call.fail(`package '${name}' is not installed`);
  if (file !== undefined && !found.controlFiles().includes(file)) return 0;
  const path = `/var/lib/dpkg/info/${name}.${file ?? ''}`;
  if (file === undefined || !world.tree.has(path)) return call.shell.unknown(`${call.name} --control-path`);
  call.out(`${path}\n`);
  return 0;
}

/** dpkg-query(1). */
export function dpkgQuery(world: DebianWorld): Command {
  const run = (call: Call, given: Options): number => {
    if (given.has('S', 'search')) return searchPaths(world, call, given.operands);
    if (given.has('L', 'listfiles')) return queryPackages(world, call, 'files', given.operands);
    if (given.has('s', 'status')) return queryPackages(world, call, 'status', given.operands);
    if (given.has('l', 'list')) return queryPackages(world, call, 'list', given.operands);
    if (given.has('c', 'control-path')) return controlPath(world, call, given.operands);
    return queryPackages(world, call, 'show', given.operands, given.last('f', 'showformat'));
  };
  return withOptions(
    'clsWSLf:',
    'list status show search listfiles showformat= admindir= root= control-path load-avail no-pager',
    run,
    DPKG_FOLDERS,
  );
}

/** `dpkg-query`'s format: `${Field}`, `${Field;width}`, with `\n` and `\t`. */
function formatPackage(one: KnownPackage, format: string): string {
  return format
    .replaceAll('\\n', '\n')
    .replaceAll('\\t', '\t')
    .replace(/\$\{([^};]+)(?:;(-?[0-9]{1,4}))?\}/g, (_, name: string, width: string | undefined) => {
      const fields: Record<string, string> = {
        Package: one.name,
        'binary:Package': one.field('Multi-Arch') === 'same' ? `${one.name}:${one.architecture}` : one.name,
        Version: one.version,
        Architecture: one.architecture,
        Status: `install ok ${one.status}`,
        'db:Status-Abbrev': one.status === 'installed' ? 'ii ' : one.status === 'unpacked' ? 'iU ' : 'iF ',
        'db:Status-Status': one.status,
        'db:Status-Want': 'install',
        'db:Status-Eflag': 'ok',
      };
      const value = (Object.hasOwn(fields, name) ? fields[name] : one.field(name)) ?? '';
      const size = Number(width ?? 0);
      return size < 0 ? value.padEnd(-size) : value.padStart(size);
    });
}
