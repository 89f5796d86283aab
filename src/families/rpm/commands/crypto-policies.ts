import { type Command, options } from '../../../shell/command.ts';
import type { GuestWorld } from '../../../system/commands/binding.ts';
import { putLink, putText } from '../../../system/context.ts';

const CONFIG = 'etc/crypto-policies/config';
const STATE = 'etc/crypto-policies/state';
const BACK_ENDS = 'etc/crypto-policies/back-ends';
const POLICIES = 'usr/share/crypto-policies';

/**
 * Why the one further file is not made: it is a list, for people to read, of what the policy comes to by the tables of algorithms,
 * scopes and defaults in the Python program, and each version has others.
 */
const DUMP =
  'state/CURRENT.pol is for review only, and made by tables in the program itself; back ends are linked as by the package';

/**
 * `update-crypto-policies`: links what the packages have for a policy, which is what it does for a whole policy too. A policy with
 * modules (`DEFAULT:SHA1`) is computed by its own program in Python, and reported.
 */
export function updateCryptoPolicies(world: GuestWorld): Command {
  const { tree, context } = world;
  return (call) => {
    const given = options(call.args, '', 'set= show no-check no-reload check is-applied');
    if (given.unknown !== undefined || given.has('check'))
      return call.shell.unknown(`${call.name} ${given.unknown ?? '--check'}`);
    const written = (tree.text(CONFIG) ?? '').split('\n').map((line) => line.replace(/#.*/, '').trim());
    const current = written.find((line) => line !== '') ?? 'DEFAULT';
    if (given.has('show', 'is-applied')) {
      if (given.has('show')) call.out(`${current}\n`);
      return 0;
    }
    const policy = (given.last('set') ?? current).toUpperCase();
    const folder = `${POLICIES}/${policy}`;
    const names = tree.stat(folder)?.kind === 'directory' ? tree.list(folder) : undefined;
    if (!/^[A-Z0-9_-]+$/.test(policy) || names === undefined) return call.shell.unknown(`${call.name} ${policy}`);
    if (given.has('set')) putText(tree, context, CONFIG, `${policy}\n`, 0o644);
    putText(tree, context, `${STATE}/current`, `${policy}\n`, 0o644);
    for (const name of names) {
      const backEnd = /^([^.]+)\.txt$/.exec(name)?.[1];
      if (backEnd !== undefined) putLink(tree, context, `${BACK_ENDS}/${backEnd}.config`, `/${folder}/${name}`);
    }
    world.leaveOut(call.name, DUMP);
    return 0;
  };
}
