import type { Call, Command } from '../../../shell/command.ts';
import { updateAlternatives } from '../../../system/commands/alternatives.ts';
import { type CommandTable, withOptions } from '../../../system/commands/binding.ts';
import { ALTERNATIVES } from '../configure/snippets.ts';
import { compareVersions, versionFault } from '../version.ts';
import type { DebianWorld } from './binding.ts';
import { dpkgDivert, dpkgStatoverride } from './dpkg-files.ts';
import { DPKG_FOLDERS, dpkgQuery, queryPackages, searchPaths } from './dpkg-query.ts';

/** The value of an empty version, by operator: dpkg(1), `--compare-versions`. */
function compareForScripts(a: string, operator: string, b: string): boolean | undefined {
  const nl = operator.endsWith('-nl');
  const by = ((): number => {
    if (a === '' && b === '') return 0;
    // empty is earlier than any version, or later with the -nl forms
    if (a === '') return nl ? 1 : -1;
    if (b === '') return nl ? -1 : 1;
    return compareVersions(a, b);
  })();
  switch (operator.replace('-nl', '')) {
    case 'lt':
    case '<<':
      return by < 0;
    case 'le':
    case '<':
    case '<=':
      return by <= 0;
    case 'eq':
    case '=':
      return by === 0;
    case 'ne':
      return by !== 0;
    case 'ge':
    case '>':
    case '>=':
      return by >= 0;
    case 'gt':
    case '>>':
      return by > 0;
    default:
      return undefined;
  }
}

/** dpkg and its helpers. */
export function dpkgCommands(world: DebianWorld): CommandTable {
  return {
    dpkg: dpkg(world),
    'dpkg-divert': dpkgDivert(world),
    'dpkg-maintscript-helper': maintscriptHelper,
    'dpkg-query': dpkgQuery(world),
    'dpkg-statoverride': dpkgStatoverride(world),
    'dpkg-trigger': withOptions(
      '',
      'by-package= await no-await no-act check-supported admindir= root=',
      (_, given) => {
        if (!given.has('no-act', 'check-supported')) for (const name of given.operands) world.trigger(name);
        return 0;
      },
      DPKG_FOLDERS,
    ),
    'update-alternatives': updateAlternatives(world, ALTERNATIVES),
  };
}

/** An installation from scratch has nothing to move or remove. */
const maintscriptHelper: Command = (call) =>
  /^(supports|rm_conffile|mv_conffile|symlink_to_dir|dir_to_symlink)$/.test(call.args[0] ?? '')
    ? 0
    : call.fail(`command ${call.args[0] ?? ''} is unknown`);

/** Options of dpkg itself without effect here, or that name the guest's own folders. */
const DPKG_OPTION = /^--(root=\/?|instdir=\/?|admindir=(\/var\/lib\/dpkg\/?)?|force-.*|no-force-.*|no-pager)$/;

/** dpkg(1), as far as scripts query it. */
function dpkg(world: DebianWorld): Command {
  const { context } = world;
  return (call) => {
    const [action = '', ...rest] = call.args.filter((arg) => !DPKG_OPTION.test(arg));
    const option = /^--(root|instdir|admindir)=/.test(action)
      ? action
      : action === '--compare-versions'
        ? undefined
        : rest.find((arg) => arg.startsWith('-'));
    if (option !== undefined) return call.shell.unknown(`${call.name} ${option}`);
    switch (action) {
      case '--compare-versions': {
        const [a = '', operator = '', b = ''] = rest;
        const yes = compareForScripts(a, operator, b);
        if (yes === undefined) return call.fail(`--compare-versions bad relation '${operator}'`, 2);
        return yes ? 0 : 1;
      }
      case '--validate-version':
        return versionFault(rest[0] ?? '') === undefined ? 0 : 1;
      case '--print-architecture':
        call.out(`${context.architecture}\n`);
        return 0;
      case '--version':
        call.out(
          `Debian 'dpkg' package management program version ${world.known('dpkg')?.version ?? '1.22'} (${context.architecture}).\n`,
        );
        return 0;
      case '-L':
      case '--listfiles':
        return queryPackages(world, call, 'files', rest);
      case '-s':
      case '--status':
        return queryPackages(world, call, 'status', rest);
      case '-l':
      case '--list':
        return queryPackages(world, call, 'list', rest);
      case '-S':
      case '--search':
        return searchPaths(world, call, rest);
      default:
        return otherAction(call, action);
    }
  };
}

/** Actions whose answer is empty: features that are supported, foreign architectures, selections, problems. */
const EMPTY =
  /^(-C|--audit|--get-selections|--set-selections|--print-foreign-architectures|--assert-(support-predepends|working-epoch|long-filenames|multi-conrep|multi-arch|versioned-provides|protected-field))$/;

function otherAction(call: Call, action: string): number {
  // running a package manager inside a package's script is not supported
  return EMPTY.test(action) ? 0 : call.fail(`${action}: not possible while a guest is built`, 2);
}
