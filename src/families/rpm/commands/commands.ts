import type { Command } from '../../../shell/command.ts';
import { shadowCommands } from '../../../system/commands/accounts.ts';
import { type GuestWorld, nothing } from '../../../system/commands/binding.ts';
import { counted } from '../../../system/commands/counted.ts';
import { leftOut, type Omissions, omittedCommands } from '../../../system/commands/omitted.ts';
import { ldconfig, programCommands } from '../../../system/commands/programs.ts';
import { systemdCommands } from '../../../system/commands/systemd.ts';
import { userCommands } from '../../../system/commands/users.ts';
import { alternatives } from './alternatives.ts';
import { authselect } from './authselect.ts';
import { updateCryptoPolicies } from './crypto-policies.ts';
import { trust } from './trust.ts';
import { systemdUpdateHelper } from './update-helper.ts';

/** What the commands of rpm's scripts act on. */
export interface RpmWorld extends GuestWorld {
  /** The loader's cache is made once, after the last script. */
  deferLoaderCache(): void;
}

/** What a guest does without although scripts of rpm distributions call it, by reason. */
const OMITTED: Omissions = [
  ['a module of a policy needs a policy compiler; the policy is as its package has it', 'semodule semanage sepolgen'],
  ['conversion tables are found without their cache', 'iconvconfig'],
  ['locales are made from sources that guests do not have', 'build-locale-archive localedef'],
  ['a user’s keyring belongs to the user', 'gpg gpg2'],
  ['mail is not delivered in a guest', 'newaliases'],
  ['labels are set when the image is written', 'restorecon fixfiles setsebool'],
];

/** Programs that rpm's scripts call besides the shell's own. */
export function rpmCommands(world: RpmWorld): ReadonlyMap<string, Command> {
  const link = alternatives(world.tree, world.context);
  const table: Record<string, Command> = {
    ...omittedCommands(world),
    ...leftOut(world, OMITTED),
    ...shadowCommands(world),
    ...userCommands(world),
    ...systemdCommands(world),
    ...programCommands(world),
    alternatives: link,
    'update-alternatives': link,
    authselect: authselect(world.tree, world.context),
    ldconfig: ldconfig(world, () => world.deferLoaderCache()),
    'update-crypto-policies': updateCryptoPolicies(world),
    'systemd-update-helper': systemdUpdateHelper,
    '/usr/lib/systemd/systemd-update-helper': systemdUpdateHelper,
    trust: trust(world),
    chkconfig: nothing,
  };
  return counted(Object.entries(table), world.tree);
}
