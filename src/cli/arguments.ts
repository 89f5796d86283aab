import yargs, { type Argv } from 'yargs';
import { BuildError } from '../errors/error.ts';
import { flagOf, rowOf, SETTING_KEYS, type SettingKey } from '../settings/table.ts';

/** The command line, understood. */
export interface Arguments {
  readonly command: string;
  readonly positional: readonly string[];
  /** Texts given for settings, in order. */
  readonly flags: ReadonlyMap<SettingKey, readonly string[]>;
  /** Flags of single commands: `output`, `rootfs`, `list`, `cat`, … */
  readonly own: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
}

/** A flag that belongs to one command rather than to the settings. */
interface OwnFlag {
  readonly type: 'string' | 'boolean';
  readonly alias?: string;
  readonly describe: string;
  readonly multiple?: boolean;
}

interface CommandRow {
  /** How yargs spells it, with its positionals. */
  readonly usage: string;
  readonly describe: string;
  readonly own: Readonly<Record<string, OwnFlag>>;
  /** Groups of settings that mean something here; help shows these. */
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

const BOOLEAN_FLAGS = new Set(SETTING_KEYS.filter((key) => rowOf(key).kind.name === 'yes-no').map(flagOf));
const YES_NO_WORDS = new Set(['yes', 'no', 'true', 'false', '1', '0']);

/**
 * Yes/no flags in one spelling: `--flag`, `--flag yes`, `--flag=no` and `--no-flag` all become `--flag=WORD`. yargs
 * knows only true and false, and would take the word after a flag for a file.
 */
function spellOut(argv: readonly string[]): string[] {
  const spelled: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === '--') return [...spelled, ...argv.slice(i)];
    const match = /^--(no-)?([a-z0-9-]+)(?:=(.*))?$/.exec(word);
    const name =
      match === null
        ? undefined
        : BOOLEAN_FLAGS.has(`${match[1] ?? ''}${match[2]}`)
          ? `${match[1] ?? ''}${match[2]}`
          : match[2]!;
    if (match === null || name === undefined || !BOOLEAN_FLAGS.has(name)) {
      spelled.push(word);
      continue;
    }
    const negated = match[1] !== undefined && name === match[2];
    let value = match[3];
    if (value === undefined && !negated && YES_NO_WORDS.has(argv[i + 1] ?? '')) value = argv[++i]!;
    spelled.push(`--${name}=${negated ? 'no' : (value ?? 'yes')}`);
  }
  return spelled;
}

/** What the command line asked for when that was help or a version: the text to print. */
export interface Answer {
  readonly text: string;
}

/** Understands the command line. Misuse is refused with `USAGE`. */
export async function understandArguments(
  argv: readonly string[],
  version: string,
  columns: number,
): Promise<Arguments | Answer> {
  let chosen: Arguments | undefined;
  let said = '';
  const parser = yargs(spellOut(argv))
    .scriptName('osbuilder')
    .usage(
      '$0 <command>\n\nBuilds the guest operating system of Kata Containers: no root, no mount, the same bytes every time.',
    )
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'duplicate-arguments-array': true,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .version(version)
    .help()
    .alias('h', 'help')
    .completion('completion', 'print a completion script for bash or zsh')
    .recommendCommands()
    .strict()
    .wrap(Math.min(110, columns))
    .demandCommand(1, 'say what to do: osbuilder --help shows the commands')
    .epilogue('Each flag has an environment variable and a key of osbuilder.yaml; docs/settings.md lists them.')
    .exitProcess(false)
    .fail((message, error) => {
      throw error instanceof BuildError
        ? error
        : new BuildError(
            'USAGE',
            { reason: message ?? String(error) },
            { hint: 'osbuilder COMMAND --help shows what there is' },
          );
    });
  for (const [name, row] of Object.entries(COMMANDS)) {
    parser.command(
      row.usage,
      row.describe,
      (command) => declare(command as Argv, name, row),
      (parsed) => {
        chosen = sort(name, row, parsed as Record<string, unknown>);
      },
    );
  }
  await parser.parseAsync(spellOut(argv), {}, (_error, _argv, output) => {
    said = output;
  });
  return chosen ?? { text: said };
}

function declare(command: Argv, _name: string, row: CommandRow): Argv {
  for (const [flag, own] of Object.entries(row.own))
    command.option(flag, {
      type: own.type,
      describe: own.describe,
      ...(own.alias === undefined ? {} : { alias: own.alias }),
      ...(own.type === 'string' ? { requiresArg: true } : {}),
    });
  command.option('config', {
    type: 'string',
    requiresArg: true,
    describe: 'settings file (default: osbuilder.yaml here, if there is one)',
  });
  for (const key of SETTING_KEYS) {
    const setting = rowOf(key);
    const shown = row.groups === 'all' || row.groups.includes(setting.group);
    const fallback =
      setting.fallback === undefined || setting.fallback === false || setting.fallback === ''
        ? ''
        : ` (default: ${String(setting.fallback === true ? 'yes' : setting.fallback)})`;
    const about = { group: `${setting.group}:`, hidden: !shown, describe: `${setting.description}${fallback}` };
    if (setting.kind.name === 'yes-no') command.option(flagOf(key), { ...about, type: 'string' });
    else
      command.option(flagOf(key), {
        ...about,
        type: 'string',
        requiresArg: true,
        ...(setting.kind.choices === undefined ? {} : { choices: setting.kind.choices }),
      });
  }
  for (const [example, meaning] of row.examples ?? []) command.example(example, meaning);
  return command;
}

function sort(command: string, row: CommandRow, parsed: Record<string, unknown>): Arguments {
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
  const names = [...row.usage.matchAll(/[[<](\w+)(?:\.\.)?[\]>]/g)].map((match) => match[1]!);
  const positional = names.flatMap((name) => (parsed[name] === undefined ? [] : all(parsed[name])));
  return { command, positional, flags, own };
}
