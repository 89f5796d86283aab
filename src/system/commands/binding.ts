import { isBuildError } from '../../errors/error.ts';
import { type Call, type Command, type Options, options } from '../../shell/command.ts';
import type { Tree } from '../../tree/tree.ts';
import type { ConfigureContext } from '../context.ts';

/** What emulated programs act on, in a guest of any family. */
export interface GuestWorld {
  readonly tree: Tree;
  readonly context: ConfigureContext;
  /** Reports that a command was left out on purpose, and why. */
  leaveOut(command: string, reason: string): void;
}

/** A table of commands bound to one world. */
export type CommandTable = Readonly<Record<string, Command>>;

const constants = new WeakSet<Command>();

/**
 * A command whose answer is the same for all arguments, because it only acts on a running system, and there is none: daemons,
 * mounts, kernel modules. `text` is what it prints.
 */
export function constant(status: number, text = ''): Command {
  const command: Command = (call) => {
    if (text !== '') call.out(text);
    return status;
  };
  constants.add(command);
  return command;
}

/** True for commands made by {@link constant}: their options have no meaning in a guest that is not running. */
export function isConstant(command: Command): boolean {
  return constants.has(command);
}

/** A command that has nothing to do in a guest that is not running. */
export const nothing: Command = constant(0);

/** Arguments without options, for commands that take any option. */
export function plainOperands(call: Call): string[] {
  return call.args.filter((arg) => !arg.startsWith('-'));
}

/** Options that name a folder, and the only one that an emulated program supports besides the empty name and `/`. */
export type FixedFolders = Readonly<Record<string, string>>;

/** `--root=/` and its short form, which many programs have. */
export const ROOT: FixedFolders = { root: '/', R: '/' };
/** The same with `--prefix`, as the account tools have it. */
export const ROOT_OR_PREFIX: FixedFolders = { ...ROOT, prefix: '/', P: '/' };

/**
 * A command with the options that it implements, or that have no effect on the files of a guest; see `options` for the
 * notation. Any other option is reported like a command that is not emulated, and so is a folder other than the
 * one in `folders`.
 */
export function withOptions(
  short: string,
  long: string,
  run: (call: Call, given: Options) => number,
  folders: FixedFolders = {},
): Command {
  return (call) => {
    const given = options(call.args, short, long);
    const problem = given.unknown ?? otherFolder(given, folders);
    return problem === undefined ? run(call, given) : call.shell.unknown(`${call.name} ${problem}`);
  };
}

function otherFolder(given: Options, folders: FixedFolders): string | undefined {
  for (const [name, folder] of Object.entries(folders)) {
    const value = given.last(name);
    if (value === undefined || value === '' || value === '/' || value === folder) continue;
    return `${name.length === 1 ? '-' : '--'}${name} ${value}`;
  }
  return undefined;
}

/** Errors of the tree that a command can cause by the paths it is given: as errno has them. */
const TREE_ERRORS = [
  'NOT_A_DIRECTORY',
  'NO_SUCH_PATH',
  'PATH_EXISTS',
  'PATH_ESCAPES',
  'PATH_INVALID',
  'PATH_LOOP',
] as const;

/** A command that fails where the tree does not allow what it does, instead of ending the build. */
export function guarded(command: Command): Command {
  if (isConstant(command)) return command;
  return (call) => {
    try {
      return command(call);
    } catch (error) {
      if (!TREE_ERRORS.some((code) => isBuildError(error, code))) throw error;
      return call.fail((error as Error).message);
    }
  };
}

/** A number in an option's value; undefined when it is not one, or too large for an id. */
export function idIn(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,10}$/.test(text) && Number(text) < 0xffff_ffff ? Number(text) : undefined;
}
