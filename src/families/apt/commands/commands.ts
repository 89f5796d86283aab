import type { Command } from '../../../shell/command.ts';
import { shadowCommands } from '../../../system/commands/accounts.ts';
import { adduserCommands } from '../../../system/commands/adduser.ts';
import { type CommandTable, guarded } from '../../../system/commands/binding.ts';
import { counted } from '../../../system/commands/counted.ts';
import { omittedCommands } from '../../../system/commands/omitted.ts';
import { programCommands } from '../../../system/commands/programs.ts';
import { systemdCommands } from '../../../system/commands/systemd.ts';
import { userCommands } from '../../../system/commands/users.ts';
import { apacheCommands } from './apache.ts';
import type { DebianWorld } from './binding.ts';
import { cacheCommands } from './caches.ts';
import { debconfCommands } from './confmodule.ts';
import { dpkgCommands } from './dpkg.ts';
import { javaCommands } from './java.ts';
import { postgresqlCommands } from './postgresql.ts';
import { serverCommands } from './servers.ts';
import { serviceCommands } from './services.ts';
import { systemCommands } from './system.ts';
import { ucfCommands } from './ucf.ts';
import { vimCommands } from './vim.ts';

/** Tables of commands; later ones replace commands of the same name. */
const TABLES: readonly ((world: DebianWorld) => CommandTable)[] = [
  omittedCommands,
  programCommands,
  shadowCommands,
  adduserCommands,
  userCommands,
  // as the tools that make guests of Debian leave the file, whose mode systemd sets at first boot
  (world) => systemdCommands(world, { machineIdMode: 0o644 }),
  apacheCommands,
  cacheCommands,
  dpkgCommands,
  javaCommands,
  postgresqlCommands,
  serverCommands,
  serviceCommands,
  debconfCommands,
  systemCommands,
  ucfCommands,
  vimCommands,
];

/** Programs that Debian's scripts call besides the shell's own, by name. */
export function debianCommands(world: DebianWorld): Map<string, Command> {
  return counted(
    TABLES.flatMap((table) => Object.entries(table(world)).map(([name, command]) => [name, guarded(command)] as const)),
    world.tree,
  );
}
