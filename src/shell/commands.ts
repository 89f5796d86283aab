import type { Command } from './command.ts';
import { AWK_COMMANDS } from './commands/awk.ts';
import { EXPR_COMMANDS } from './commands/expr.ts';
import { FILE_COMMANDS } from './commands/files.ts';
import { FIND_COMMANDS } from './commands/find.ts';
import { GETOPT_COMMANDS } from './commands/getopt.ts';
import { GREP_COMMANDS } from './commands/grep.ts';
import { PATH_COMMANDS } from './commands/paths.ts';
import { SED_COMMANDS } from './commands/sed.ts';
import { SORT_COMMANDS } from './commands/sort.ts';
import { SYSTEM_COMMANDS } from './commands/system.ts';
import { TEXT_COMMANDS } from './commands/text.ts';

/** The programs that every script has: file, path and text tools. */
export const CORE_COMMANDS: ReadonlyMap<string, Command> = new Map(
  [
    AWK_COMMANDS,
    EXPR_COMMANDS,
    GETOPT_COMMANDS,
    SORT_COMMANDS,
    FILE_COMMANDS,
    FIND_COMMANDS,
    GREP_COMMANDS,
    PATH_COMMANDS,
    SED_COMMANDS,
    SYSTEM_COMMANDS,
    TEXT_COMMANDS,
  ].flatMap((group) => Object.entries(group)),
);
