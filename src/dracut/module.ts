import * as v from 'valibot';
import { BuildError } from '../errors/error.ts';
import type { Tree } from '../tree/tree.ts';

/**
 * A dracut module as data: what it takes from a system. Paths have no leading slash and may be patterns of glob(7); what is
 * not there is left out, except programs. Kata's guests need few of them, and dracut's own scripts in them are taken only
 * from a system that has dracut.
 */
export interface Steps {
  /** Folders, made with mode 0755. */
  readonly folders?: readonly string[];
  /** Programs that must be there, by name or path. */
  readonly programs?: readonly string[];
  readonly optionalPrograms?: readonly string[];
  /** Files, links and what they lead to. */
  readonly files?: readonly string[];
  /** Names and patterns below /usr/lib/systemd/system. */
  readonly units?: readonly string[];
  /** Names below the folders of libraries. */
  readonly libraries?: readonly string[];
  /** Names of udev rules, with the programs that they run and the groups that they name. */
  readonly rules?: readonly string[];
  /** Files of dracut's own folder for this module, by name, and where they go. */
  readonly own?: Readonly<Record<string, string>>;
  /** udev rules of dracut's own folder for this module; they go to /etc/udev/rules.d. */
  readonly ownRules?: readonly string[];
  /** Scripts of dracut's own folder for this module, and their place below the folder of hooks. */
  readonly hooks?: Readonly<Record<string, string>>;
  /** Symbolic links; they replace what is there. */
  readonly links?: Readonly<Record<string, string>>;
  /** Symbolic links where nothing is yet. */
  readonly defaultLinks?: Readonly<Record<string, string>>;
  /** Files of the system that go to another place. */
  readonly copies?: Readonly<Record<string, string>>;
  /** Files with a text, unless they are there already. */
  readonly texts?: Readonly<Record<string, { readonly text: string; readonly mode: number }>>;
  /** Accounts and groups that are taken over, if the system has them. */
  readonly users?: readonly string[];
  readonly groups?: readonly string[];
  /** Groups that are made with this number if the system has none of that name. */
  readonly madeGroups?: Readonly<Record<string, number>>;
  /** Changes of files that were taken: lines that follow a line, or a word for another one in lines that begin so. */
  readonly edits?: readonly Edit[];
  /** Files of the first of some folders that has the first of them; links are followed. */
  readonly firstFolder?: { readonly folders: readonly string[]; readonly files: readonly string[] };
  /** Kernel modules: names, aliases, `=FOLDER` of the kernel's tree. */
  readonly drivers?: readonly string[];
  /** Folders of the tree with files of names of kernel modules, one a line (`modules-load.d`). */
  readonly driverLists?: readonly string[];
}

/** A change of a file. */
export type Edit =
  | { readonly path: string; readonly after: string; readonly lines: readonly string[] }
  | { readonly path: string; readonly begins: string; readonly replace: string; readonly by: string };

/** Things that a module does and that are no lists. */
export type Special =
  /** Programs that check file systems: all, or those of the option `fscks`. */
  | 'file-system-checks'
  /** The names of a BusyBox that are programs in the system become links to it. */
  | 'busybox-links'
  /** Accounts that sysusers.d names are made. */
  | 'sysusers'
  /** /usr/lib/initrd-release, from os-release. */
  | 'initrd-release'
  /** Modules of depmod's folders for additions. */
  | 'extra-drivers'
  /** Drivers of network cards, found by the kernel's symbols that they need. */
  | 'network-drivers'
  /** The drivers of the option `drivers`, or dracut's general set. */
  | 'kernel-drivers';

/** A dracut module. */
export interface DracutModule extends Steps {
  readonly name: string;
  readonly title: string;
  /** The generation of dracut that this describes; absent: every one. */
  readonly dracut?: '059' | '106';
  /** Number of its folder in dracut: modules are installed in this order, then by name. */
  readonly order: number;
  /** Programs and paths without which it cannot be taken. */
  readonly needs?: readonly string[];
  readonly needsAny?: readonly string[];
  readonly depends?: readonly string[];
  /** Modules that are taken too if they can be. */
  readonly dependsIfFit?: readonly string[];
  /** Depends on the first of these that is asked for or can be taken. */
  readonly dependsOnFirst?: readonly string[];
  readonly special?: readonly Special[];
  /** Steps where systemd is not taken. */
  readonly withoutSystemd?: Steps;
  /** Steps of the first alternative whose program is there. */
  readonly firstOf?: readonly (Steps & { readonly program: string })[];
  /** A warning for when none of `firstOf` is there, or for always. */
  readonly remark?: string;
  /** Why it is not taken at all. */
  readonly rejected?: string;
}

const Words = v.array(v.string());
const Texts = v.record(v.string(), v.string());
const STEPS = {
  folders: v.optional(Words),
  programs: v.optional(Words),
  optionalPrograms: v.optional(Words),
  files: v.optional(Words),
  units: v.optional(Words),
  libraries: v.optional(Words),
  rules: v.optional(Words),
  own: v.optional(Texts),
  ownRules: v.optional(Words),
  hooks: v.optional(Texts),
  links: v.optional(Texts),
  defaultLinks: v.optional(Texts),
  copies: v.optional(Texts),
  texts: v.optional(v.record(v.string(), v.strictObject({ text: v.string(), mode: v.optional(v.number(), 0o644) }))),
  users: v.optional(Words),
  groups: v.optional(Words),
  madeGroups: v.optional(v.record(v.string(), v.number())),
  edits: v.optional(
    v.array(
      v.union([
        v.strictObject({ path: v.string(), after: v.string(), lines: Words }),
        v.strictObject({ path: v.string(), begins: v.string(), replace: v.string(), by: v.string() }),
      ]),
    ),
  ),
  firstFolder: v.optional(v.strictObject({ folders: Words, files: Words })),
  drivers: v.optional(Words),
  driverLists: v.optional(Words),
};

const MODULE = v.strictObject({
  ...STEPS,
  name: v.pipe(
    v.string(),
    v.regex(/^[A-Za-z0-9][A-Za-z0-9._+-]*$/, 'a name has letters, digits, ".", "_", "+" and "-"'),
  ),
  title: v.optional(v.string(), ''),
  dracut: v.optional(v.picklist(['059', '106'])),
  order: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(99)), 90),
  needs: v.optional(Words),
  needsAny: v.optional(Words),
  depends: v.optional(Words),
  dependsIfFit: v.optional(Words),
  dependsOnFirst: v.optional(Words),
  special: v.optional(
    v.array(
      v.picklist([
        'file-system-checks',
        'busybox-links',
        'sysusers',
        'initrd-release',
        'extra-drivers',
        'network-drivers',
        'kernel-drivers',
      ]),
    ),
  ),
  withoutSystemd: v.optional(v.strictObject(STEPS)),
  firstOf: v.optional(v.array(v.strictObject({ ...STEPS, program: v.string() }))),
  remark: v.optional(v.string()),
});

/**
 * A module that a user wrote, from parsed YAML or JSON. Throws `DRACUT_MODULE_INVALID` with the place that is wrong.
 *
 * @param path where it comes from, for messages.
 */
export function moduleFrom(value: unknown, path: string): DracutModule {
  const result = v.safeParse(MODULE, value);
  if (result.success) return result.output as DracutModule;
  const issue = result.issues[0];
  const at = v.getDotPath(issue);
  throw new BuildError('DRACUT_MODULE_INVALID', {
    path,
    reason: `${at === null ? '' : `${at}: `}${issue.message}`,
  });
}

/** True if a program (by its name) or a path is in a system. */
export function hasProgram(system: Tree, what: string): boolean {
  if (what.includes('/')) return system.has(what);
  return ['usr/sbin', 'usr/bin', 'sbin', 'bin'].some((folder) => system.stat(`${folder}/${what}`)?.kind === 'file');
}
