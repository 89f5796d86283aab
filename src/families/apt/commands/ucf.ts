import type { Call, Command, Options } from '../../../shell/command.ts';
import { type CommandTable, type FixedFolders, withOptions } from '../../../system/commands/binding.ts';
import { ucf, ucfPurge, ucfRegister, ucfUnregister } from '../configure/ucf.ts';
import type { DebianWorld } from './binding.ts';

const FOLDERS: FixedFolders = { 'state-dir': '/var/lib/ucf' };

/** ucf(1) and the programs beside it. */
export function ucfCommands({ tree, context }: DebianWorld): CommandTable {
  const install = (call: Call, given: Options): number => {
    const [source = '', destination = ''] = given.operands;
    if (given.has('n', 'no-action')) return 0;
    if (given.has('p', 'purge')) {
      ucfPurge(tree, context, source);
      return 0;
    }
    if (!tree.has(source)) return call.fail(`The new file ${source} does not exist`);
    ucf(tree, context, source, destination, { threeWay: given.has('three-way') });
    return 0;
  };
  const register = (_: Call, given: Options): number => {
    const [owner = '', destination = ''] = given.operands;
    if (given.has('n', 'no-action')) return 0;
    if (given.has('p', 'purge')) ucfUnregister(tree, context, owner, destination);
    else ucfRegister(tree, context, owner, destination);
    return 0;
  };
  const query: Command = withOptions(
    'd::wv',
    'debug=? verbose with-colons state-dir=',
    (call, given) => {
      if (!given.has('w', 'with-colons')) return call.shell.unknown(`${call.name} without --with-colons`);
      const registry = tree.text('var/lib/ucf/registry')?.split('\n') ?? [];
      const hashes = tree.text('var/lib/ucf/hashfile')?.split('\n') ?? [];
      for (const path of given.operands.filter((one) => one.startsWith('/'))) {
        const line = registry.find((row) => row.endsWith(` ${path}`) || row.endsWith(`\t${path}`));
        const kept = hashes.some((row) => row.endsWith(` ${path}`));
        call.out(`${path}:${line?.split(/[ \t]/)[0] ?? ''}:${tree.has(path) ? 'Yes' : 'No'}:${kept ? 'No' : ''}\n`);
      }
      return 0;
    },
    FOLDERS,
  );
  // questions, and digests of earlier versions of the file, do not matter on a first installation
  const long =
    'no-action debug=? src-dir= purge verbose debconf-ok debconf-template= three-way sum-file= state-dir= package=';
  return {
    ucf: withOptions('nd::s:pv', long, install, FOLDERS),
    ucfq: query,
    ucfr: withOptions('nd::pfv', 'no-action debug=? purge force verbose state-dir=', register, FOLDERS),
  };
}
