import { BuildError } from '../errors/error.ts';
import { flagOf, SETTING_KEYS, type SettingKey } from '../settings/table.ts';

/** The parsed command line. */
export interface Arguments {
  readonly command: string;
  readonly positional: readonly string[];
  /** Strings given for settings, in order. */
  readonly flags: ReadonlyMap<SettingKey, readonly string[]>;
  /** Flags of single commands: `output`, `rootfs`, `list`, `cat`, … */
  readonly own: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
}

/** A flag that belongs to one command rather than to the settings. */
export interface OwnFlag {
  readonly type: 'string' | 'boolean';
  readonly alias?: string;
  readonly describe: string;
  readonly multiple?: boolean;
}

/** A command, for help, parsing and completion. */
export interface CommandRow {
  /** The yargs syntax of the command, with its positionals. */
  readonly usage: string;
  readonly describe: string;
  readonly own: Readonly<Record<string, OwnFlag>>;
  /** Groups of settings that apply to this command; help shows these. */
  readonly groups: readonly string[] | 'all';
  readonly examples?: readonly (readonly [string, string])[];
}

const OUTPUT: OwnFlag = { type: 'string', alias: 'o', describe: 'where the result goes' };

/** Every command: help, strictness and shell completion derive from this table. */
export const COMMANDS: Readonly<Record<string, CommandRow>> = {
  rootfs: {
    usage: 'rootfs [source]',
    describe: 'make the tree of files, as a folder (OUT/) or an archive (OUT.tar[.gz|.zst])',
    own: { output: OUTPUT },
    groups: 'all',
    examples: [['osbuilder rootfs --distro debian --agent ./kata-agent -o rootfs.tar', 'a Debian guest as an archive']],
  },
  initrd: {
    usage: 'initrd [source]',
    describe: 'make an initrd, from a distribution or from any rootfs (folder, tar, initrd, image)',
    own: { output: { ...OUTPUT, describe: 'where the result goes (kata-containers-initrd.img)' } },
    groups: 'all',
    examples: [['osbuilder initrd --distro debian --agent demo --agent-init -o initrd.img', 'try it without an agent']],
  },
  image: {
    usage: 'image [source]',
    describe: 'make a disk image, from a distribution or from any rootfs (folder, tar, initrd, image)',
    own: { output: { ...OUTPUT, describe: 'where the result goes (kata-containers.img)' } },
    groups: 'all',
  },
  build: {
    usage: 'build [source]',
    describe: 'make several artefacts of one tree in one pass',
    own: {
      rootfs: { type: 'string', describe: 'the tree of files, as a folder or an archive' },
      initrd: { type: 'string', describe: 'the initrd' },
      image: { type: 'string', describe: 'the disk image' },
    },
    groups: 'all',
    examples: [['osbuilder build --distro debian --agent demo --rootfs r.tar --initrd i.img', 'both at once']],
  },
  plan: {
    usage: 'plan',
    describe: 'show the packages of the guest, and why each is there; fetches no package, unless --scripts asks for it',
    own: {
      scripts: {
        type: 'boolean',
        describe:
          'show how far each package’s scripts are followed: interpreted whole, by a rule, in part, not at all; fetches and unpacks the packages into the cache, and writes nothing else',
      },
    },
    groups: ['Distribution and packages', 'Where packages come from', 'The guest', 'The agent', 'The build itself'],
    examples: [['osbuilder plan --distro debian --extra-pkgs nginx --scripts', 'is every script of nginx understood?']],
  },
  why: {
    usage: 'why <package> [artefact]',
    describe:
      'show the chain of reasons that brought a package into a plan, or into an artefact with a package database',
    own: {},
    groups: ['Distribution and packages', 'Where packages come from', 'The build itself'],
    examples: [
      ['osbuilder why libc6 --distro debian', 'why would a Debian guest have it?'],
      ['osbuilder why openssl rootfs.tar', 'why is it in this rootfs?'],
    ],
  },
  which: {
    usage: 'which <path> [artefact]',
    describe: 'show the package that owns a path, and each step that made, changed or removed it',
    own: {},
    groups: ['Distribution and packages', 'Where packages come from', 'The guest', 'The agent', 'The build itself'],
    examples: [['osbuilder which /etc/passwd --distro debian --agent demo', 'what made this file?']],
  },
  inspect: {
    usage: 'inspect <file>',
    describe: 'show what an artefact is and holds',
    own: {
      list: { type: 'boolean', describe: 'list its files' },
      cat: { type: 'string', describe: 'print the file at this path' },
    },
    groups: ['The build itself'],
  },
  extract: {
    usage: 'extract <file>',
    describe: 'take the tree of any artefact out into a folder or an archive',
    own: { output: { ...OUTPUT, describe: 'DIR/ or FILE.tar[.gz|.zst]' } },
    groups: ['The build itself'],
  },
  verify: {
    usage: 'verify <files..>',
    describe: 'recompute every checksum of an artefact',
    own: {},
    groups: ['The build itself'],
  },
  distros: {
    usage: 'distros',
    describe: 'show distributions, releases, architectures, and what is verified how',
    own: { show: { type: 'string', describe: 'print this distribution’s profile, to begin your own from' } },
    groups: ['The build itself'],
  },
  cache: {
    usage: 'cache <action>',
    describe: 'show what the cache holds (info), or empty it (clear)',
    own: {},
    groups: ['The build itself'],
  },
};

/** The names of a command's positionals, in order. */
export function positionalsOf(
  row: CommandRow,
): { readonly name: string; readonly needed: boolean; readonly many: boolean }[] {
  return [...row.usage.matchAll(/([[<])(\w+)(\.\.)?[\]>]/g)].map((match) => ({
    name: match[2]!,
    needed: match[1] === '<',
    many: match[3] !== undefined,
  }));
}

/** The given values by name, split into settings and the command's own flags and positionals. */
export function sorted(command: string, row: CommandRow, parsed: Record<string, unknown>): Arguments {
  const all = (value: unknown): string[] => (Array.isArray(value) ? value : [value]).map(String);
  const flags = new Map<SettingKey, string[]>();
  for (const key of SETTING_KEYS) {
    const value = parsed[flagOf(key)];
    if (value !== undefined) flags.set(key, all(value));
  }
  const own: Record<string, string | boolean> = {};
  for (const [flag, { type }] of [...Object.entries(row.own), ['config', { type: 'string' }] as const]) {
    const value = parsed[flag];
    if (value === undefined) continue;
    if (Array.isArray(value)) throw new BuildError('USAGE', { reason: `--${flag} was given more than once` });
    own[flag] = type === 'boolean' ? value === true : String(value);
  }
  const positional = positionalsOf(row).flatMap(({ name }) => (parsed[name] === undefined ? [] : all(parsed[name])));
  return { command, positional, flags, own };
}
