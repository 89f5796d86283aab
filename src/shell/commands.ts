import type { Command } from './command.ts';
import { AWK_COMMANDS } from './commands/awk.ts';
import { COLUMN_COMMANDS } from './commands/columns.ts';
import { CONCATENATE_COMMANDS } from './commands/concatenate.ts';
import { COPY_COMMANDS } from './commands/copy.ts';
import { CSPLIT_COMMANDS } from './commands/csplit.ts';
import { DATE_COMMANDS } from './commands/date.ts';
import { DIFF_COMMANDS } from './commands/diff.ts';
import { DUMP_COMMANDS } from './commands/dump.ts';
import { EXPR_COMMANDS } from './commands/expr.ts';
import { FACTOR_COMMANDS } from './commands/factor.ts';
import { FILE_COMMANDS } from './commands/files.ts';
import { FILL_COMMANDS } from './commands/fill.ts';
import { FIND_COMMANDS } from './commands/find.ts';
import { GETOPT_COMMANDS } from './commands/getopt.ts';
import { GREP_COMMANDS } from './commands/grep.ts';
import { LS_COMMANDS } from './commands/ls.ts';
import { NUMBER_COMMANDS } from './commands/numbers.ts';
import { PATH_COMMANDS } from './commands/paths.ts';
import { SCALE_COMMANDS } from './commands/scale.ts';
import { SED_COMMANDS } from './commands/sed.ts';
import { SHUFFLE_COMMANDS } from './commands/shuffle.ts';
import { SORT_COMMANDS } from './commands/sort.ts';
import { STAT_COMMANDS } from './commands/stat.ts';
import { SYSTEM_COMMANDS } from './commands/system.ts';
import { TRANSLATE_COMMANDS } from './commands/translate.ts';
import { USAGE_COMMANDS } from './commands/usage.ts';
import { XARGS_COMMANDS } from './commands/xargs.ts';

/** The programs that every script has: file, path and text tools. */
export const CORE_COMMANDS: ReadonlyMap<string, Command> = new Map(
  [
    ...[AWK_COMMANDS, COLUMN_COMMANDS, CONCATENATE_COMMANDS, COPY_COMMANDS, DATE_COMMANDS, DIFF_COMMANDS],
    ...[DUMP_COMMANDS, EXPR_COMMANDS, FILE_COMMANDS, FIND_COMMANDS, GETOPT_COMMANDS, GREP_COMMANDS, LS_COMMANDS],
    ...[NUMBER_COMMANDS, PATH_COMMANDS, SED_COMMANDS, SORT_COMMANDS, STAT_COMMANDS, SYSTEM_COMMANDS],
    ...[TRANSLATE_COMMANDS, XARGS_COMMANDS, CSPLIT_COMMANDS, FACTOR_COMMANDS, FILL_COMMANDS, SCALE_COMMANDS],
    ...[SHUFFLE_COMMANDS, USAGE_COMMANDS],
  ].flatMap((group) => Object.entries(group)),
);
