import { PROFILES } from '../distros/distros.ts';
import { DRACUT_MODULES } from '../dracut/registry.ts';
import { flagOf, rowOf, type SettingKey } from '../settings/table.ts';
import { supportedChoices } from '../settings/unsupported.ts';
import { actingSettings } from './acting.ts';
import { ANSWERS, COMMANDS, CONFIG, positionalsOf } from './commands.ts';

/** What may follow a flag or stand as a positional. */
type Values =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'files' | 'folders'; readonly words: readonly string[] }
  | { readonly kind: 'none' | 'anything' };

/** A flag of a command, as a shell completes it. */
interface Flag {
  readonly name: string;
  readonly alias?: string;
  readonly describe: string;
  readonly values: Values;
}

/** A command, as a shell completes it. */
interface Command {
  readonly name: string;
  readonly describe: string;
  readonly flags: readonly Flag[];
  /** By position; the last one repeats where `many`. */
  readonly positionals: readonly Values[];
  readonly many: boolean;
}

const words = (...all: readonly string[]): Values => ({ kind: 'words', words: all });
const files = (...also: readonly string[]): Values => ({ kind: 'files', words: also });

/** Placeholders of values that are paths. */
const PATHS: Readonly<Record<string, Values>> = {
  FILE: files(),
  PATH: files(),
  WHAT: files('demo'),
  'DIR|TAR': files(),
  REPO: files(),
  URL: files(),
  PIN: files(),
  DIR: { kind: 'folders', words: [] },
};

const POSITIONALS: Readonly<Record<string, Values>> = {
  source: files(),
  file: files(),
  files: files(),
  artefact: files(),
  action: words('info', 'verify', 'clear'),
  command: words(...Object.keys(COMMANDS), ...Object.keys(ANSWERS)),
  shell: words('bash', 'zsh', 'fish'),
};

/** Values that only the distributions know. All their releases and architectures: another flag may choose one of them. */
function distributionValues(key: SettingKey): readonly string[] | undefined {
  const profiles = [...PROFILES.values()];
  const all = (list: (profile: (typeof profiles)[number]) => readonly string[]) => [...new Set(profiles.flatMap(list))];
  switch (key) {
    case 'distro':
      return profiles.map(({ name }) => name);
    case 'osVersion':
      return all(({ releases }) =>
        releases.flatMap(({ name, version }) => (version === undefined ? [name] : [name, version])),
      );
    case 'arch':
      return all(({ architectures }) => Object.keys(architectures));
    default:
      return undefined;
  }
}

function settingFlag(key: SettingKey): Flag {
  const { kind, description } = rowOf(key);
  const choices = kind.name === 'yes-no' ? undefined : (supportedChoices(key) ?? distributionValues(key));
  const values: Values =
    kind.name === 'yes-no'
      ? { kind: 'none' }
      : choices !== undefined
        ? words(...choices)
        : (PATHS[kind.placeholder] ?? { kind: 'anything' });
  return { name: flagOf(key), describe: description, values };
}

function commands(): Command[] {
  return Object.entries({ ...COMMANDS, ...ANSWERS }).map(([name, row]) => {
    const answers = Object.hasOwn(ANSWERS, name);
    const own = Object.entries(answers ? {} : { ...row.own, config: CONFIG }).map(
      ([flag, { type, alias, value, describe }]): Flag => ({
        name: flag,
        ...(alias === undefined ? {} : { alias }),
        describe,
        values:
          type === 'boolean'
            ? { kind: 'none' }
            : name === 'distros' || name === 'modules'
              ? words(...(name === 'distros' ? PROFILES.keys() : DRACUT_MODULES.map((one) => one.name)))
              : // paths inside an artefact are not those of this machine
                flag === 'cat'
                ? { kind: 'anything' }
                : (PATHS[value ?? ''] ?? { kind: 'anything' }),
      }),
    );
    const settings = answers ? [] : actingSettings(name);
    // on by default: what is typed is the flag that turns it off
    const negated = settings
      .filter((key) => rowOf(key).kind.name === 'yes-no' && rowOf(key).fallback === true)
      .map(
        (key): Flag => ({ ...settingFlag(key), name: `no-${flagOf(key)}`, describe: `not: ${rowOf(key).description}` }),
      );
    const positionals = positionalsOf(row);
    return {
      name,
      describe: row.describe,
      flags: [
        ...own,
        ...settings.map(settingFlag),
        ...negated,
        { name: 'help', alias: 'h', describe: 'show help', values: { kind: 'none' } },
      ],
      positionals: positionals.map((one) => POSITIONALS[one.name] ?? { kind: 'anything' }),
      many: positionals.at(-1)?.many ?? false,
    };
  });
}

/** A completion script for a shell. It is complete: the program is not started while completing. */
export function completionScript(shell: string): string {
  return { bash, zsh, fish }[shell]!(commands());
}

const single = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Commands to fill COMPREPLY in bash. */
function bashReply(values: Values): string {
  const plain = (list: readonly string[]) => `COMPREPLY=( $(compgen -W ${single(list.join(' '))} -- "$cur") )`;
  switch (values.kind) {
    case 'words':
      return plain(values.words);
    case 'files':
    case 'folders': {
      const paths = `compopt -o filenames 2>/dev/null; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -${values.kind === 'files' ? 'f' : 'd'} -- "$cur")`;
      return values.words.length === 0 ? paths : `${plain(values.words)}; ${paths}`;
    }
    default:
      return ':';
  }
}

function bash(all: readonly Command[]): string {
  const cases = all.map(({ name, flags, positionals, many }) => {
    const typed = (flag: Flag) => [`--${flag.name}`, ...(flag.alias === undefined ? [] : [`-${flag.alias}`])];
    const valued = flags.filter(({ values }) => values.kind !== 'none');
    const takes = valued.flatMap(typed);
    const replies = valued.map((flag) => `        ${typed(flag).join('|')}) ${bashReply(flag.values)}; return ;;`);
    const places = positionals.map(
      (values, i) => `        ${many && i === positionals.length - 1 ? '*' : i}) ${bashReply(values)} ;;`,
    );
    return `    ${name})
      takes=${single(` ${takes.join(' ')} `)}
      case "$flag" in
${replies.join('\n')}
      esac
      if [[ $cur == -* ]]; then
        COMPREPLY=( $(compgen -W ${single(flags.flatMap((flag) => (flag.alias === 'h' ? ['--help'] : typed(flag))).join(' '))} -- "$cur") )
        return
      fi
      count=0; i=2
      while (( i < COMP_CWORD )); do
        if [[ $takes == *" \${COMP_WORDS[i]} "* ]]; then
          (( i++ )); [[ \${COMP_WORDS[i]} == = ]] && (( i++ ))
        elif [[ \${COMP_WORDS[i]} != -* ]]; then (( count++ ))
        fi
        (( i++ ))
      done
      case $count in
${[...places, '        *) ;;'].join('\n')}
      esac
      ;;`;
  });
  return `# bash completion for osbuilder
_osbuilder() {
  local cur flag takes count i
  COMPREPLY=()
  cur=\${COMP_WORDS[COMP_CWORD]}
  flag=\${COMP_WORDS[COMP_CWORD-1]}
  # --flag=value is three words
  if [[ $cur == = ]]; then cur=
  elif [[ $flag == = ]]; then flag=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=( $(compgen -W ${single([...all.map(({ name }) => name), '--help', '--version'].join(' '))} -- "$cur") )
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
}
complete -F _osbuilder osbuilder
`;
}

/** What zsh offers for values: `:NAME:ACTION`. */
function zshAction(values: Values, name: string): string {
  const message = name.replaceAll(':', '');
  switch (values.kind) {
    case 'none':
      return '';
    case 'words':
      return `:${message}:(${values.words.join(' ')})`;
    case 'files':
      return values.words.length === 0
        ? `:${message}:_files`
        : // the blank keeps zsh from adding arguments
          `:${message}: _osbuilder_words_or_files ${single(values.words.join(' ')).replaceAll("'", '"')}`;
    case 'folders':
      return `:${message}:_files -/`;
    default:
      return `:${message}: `;
  }
}

function zsh(all: readonly Command[]): string {
  const escaped = (text: string) => text.replace(/[[\]\\:]/g, '\\$&');
  const lines = all.map(({ name, flags, positionals, many }) => {
    const specs = flags.flatMap(({ name: flag, alias, describe, values }) => {
      const tail = `[${escaped(describe)}]${zshAction(values, flag)}`;
      const spec = `*--${flag}${values.kind === 'none' ? '' : '='}${tail}`;
      return alias === undefined ? [single(spec)] : [single(spec), single(`*-${alias}${tail}`)];
    });
    positionals.forEach((values, i) => {
      const action = values.kind === 'anything' ? ':argument: ' : zshAction(values, 'argument');
      specs.push(single(many && i === positionals.length - 1 ? `*${action}` : `${i + 1}${action}`));
    });
    return `        ${name})\n          _arguments \\\n            ${specs.join(' \\\n            ')}\n          ;;`;
  });
  const described = all.map(({ name, describe }) => `    ${single(`${name}:${describe}`)}`);
  return `#compdef osbuilder
_osbuilder_words_or_files() {
  _alternative "words:word:($1)" 'files:file:_files'
}
_osbuilder() {
  local curcontext="$curcontext" state line
  local -a commands
  commands=(
${described.join('\n')}
  )
  _arguments -C '(- *)--version[show the version]' '(- *)--help[show help]' '1: :->command' '*:: :->arguments'
  case $state in
    command)
      _describe command commands
      ;;
    arguments)
      case $words[1] in
${lines.join('\n')}
      esac
      ;;
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _osbuilder "$@"
else
  compdef _osbuilder osbuilder
fi
`;
}

function fish(all: readonly Command[]): string {
  const quote = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const lines = ['# fish completion for osbuilder', 'complete -c osbuilder -e', 'complete -c osbuilder -f'];
  for (const { name, describe } of all)
    lines.push(`complete -c osbuilder -n __fish_use_subcommand -a ${name} -d ${quote(describe)}`);
  for (const flag of ['help', 'version'])
    lines.push(`complete -c osbuilder -n __fish_use_subcommand -l ${flag} -d ${quote(`show ${flag}`)}`);
  for (const { name, flags, positionals } of all) {
    const here = `complete -c osbuilder -n ${quote(`__fish_seen_subcommand_from ${name}; and test (commandline -opc)[2] = ${name}`)}`;
    for (const { name: flag, alias, describe, values } of flags) {
      const short = alias === undefined ? '' : ` -s ${alias}`;
      lines.push(`${here} -l ${flag}${short}${fishValues(values)} -d ${quote(describe)}`);
    }
    for (const values of positionals) {
      if (values.kind === 'files' || values.kind === 'folders') lines.push(`${here} -F`);
      if (values.kind === 'words') lines.push(`${here} -a ${quote(values.words.join(' '))}`);
    }
  }
  return `${lines.join('\n')}\n`;

  function fishValues(values: Values): string {
    switch (values.kind) {
      case 'none':
        return '';
      case 'words':
        return ` -x -a ${quote(values.words.join(' '))}`;
      case 'folders':
        return ` -x -a '(__fish_complete_directories)'`;
      case 'files':
        return values.words.length === 0 ? ' -r -F' : ` -r -F -a ${quote(values.words.join(' '))}`;
      default:
        return ' -x';
    }
  }
}
