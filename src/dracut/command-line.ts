import { BuildError } from '../errors/error.ts';
import { didYouMean } from '../errors/nearest.ts';
import { splitArguments } from './conf-file.ts';

/** How values of an option of dracut.conf are put together. */
export type OptionKind =
  /** Words; the command line adds to them. */
  | 'list'
  /** Words; the command line replaces them. */
  | 'replace'
  | 'text'
  | 'yes-no';

/** What an option was set to, and where. */
export interface OptionSet {
  value: string;
  where: string;
}

/** What dracut's command line says besides options of dracut.conf. */
export interface CommandLine {
  /** Folders or files of the build host to lay over the guest, with the place in it. */
  readonly includes: readonly { readonly source: string; readonly target: string }[];
  /** Release whose modules are taken. */
  readonly release: string | undefined;
}

/**
 * Options of dracut(8), of all generations: the option of dracut.conf that each sets; with `value` it takes no argument.
 */
const FLAGS: Readonly<Record<string, { readonly option: string; readonly value?: string }>> = {
  '--modules': { option: 'dracutmodules' },
  '--add': { option: 'add_dracutmodules' },
  '--force-add': { option: 'force_add_dracutmodules' },
  '--omit': { option: 'omit_dracutmodules' },
  '--drivers': { option: 'drivers' },
  '--add-drivers': { option: 'add_drivers' },
  '--force-drivers': { option: 'force_drivers' },
  '--omit-drivers': { option: 'omit_drivers' },
  '--filesystems': { option: 'filesystems' },
  '--install': { option: 'install_items' },
  '--install-optional': { option: 'install_optional_items' },
  '--fscks': { option: 'fscks' },
  '--nofscks': { option: 'nofscks', value: 'yes' },
  '--fwdir': { option: 'fw_dir' },
  '--libdirs': { option: 'libdirs' },
  '--kmoddir': { option: 'drivers_dir' },
  '--no-kernel': { option: 'no_kernel', value: 'yes' },
  '--kernel-only': { option: 'kernel_only', value: 'yes' },
  '--ro-mnt': { option: 'ro_mnt', value: 'yes' },
  '--kernel-cmdline': { option: 'kernel_cmdline' },
  '--hostonly': { option: 'hostonly', value: 'yes' },
  '--no-hostonly': { option: 'hostonly', value: 'no' },
  '--hostonly-cmdline': { option: 'hostonly_cmdline', value: 'yes' },
  '--no-hostonly-cmdline': { option: 'hostonly_cmdline', value: 'no' },
  '--hostonly-mode': { option: 'hostonly_mode' },
  '--persistent-policy': { option: 'persistent_policy' },
  '--add-device': { option: 'add_device' },
  '--add-fstab': { option: 'add_fstab' },
  '--early-microcode': { option: 'early_microcode', value: 'yes' },
  '--no-early-microcode': { option: 'early_microcode', value: 'no' },
  '--reproducible': { option: 'reproducible', value: 'yes' },
  '--compress': { option: 'compress' },
  '--no-compress': { option: 'compress', value: 'cat' },
  '--gzip': { option: 'compress', value: 'gzip' },
  '--bzip2': { option: 'compress', value: 'bzip2' },
  '--lzma': { option: 'compress', value: 'lzma' },
  '--lzo': { option: 'compress', value: 'lzop' },
  '--xz': { option: 'compress', value: 'xz' },
  '--lz4': { option: 'compress', value: 'lz4' },
  '--zstd': { option: 'compress', value: 'zstd' },
  '--strip': { option: 'do_strip', value: 'yes' },
  '--nostrip': { option: 'do_strip', value: 'no' },
  '--aggressive-strip': { option: 'aggressive_strip', value: 'yes' },
  '--hardlink': { option: 'do_hardlink', value: 'yes' },
  '--nohardlink': { option: 'do_hardlink', value: 'no' },
  '--prefix': { option: 'prefix' },
  '--uefi': { option: 'uefi', value: 'yes' },
  '--no-uefi': { option: 'uefi', value: 'no' },
  '--kernel-image': { option: 'kernel_image' },
  '--sshkey': { option: 'sshkey' },
  '--tmpdir': { option: 'tmpdir' },
  '--parallel': { option: 'parallel', value: 'yes' },
  '--stdlog': { option: 'stdloglvl' },
  '--force': { option: 'logfile', value: '' },
  '--verbose': { option: 'stdloglvl', value: '5' },
  '--quiet': { option: 'stdloglvl', value: '2' },
  '--debug': { option: 'stdloglvl', value: '5' },
  '--noimageifnotneeded': { option: 'noimageifnotneeded', value: 'yes' },
  '--enhanced-cpio': { option: 'enhanced_cpio', value: 'yes' },
  '--fstab': { option: 'use_fstab', value: 'yes' },
  '--mount': { option: 'add_fstab' },
  '--device': { option: 'add_device' },
  '--host-only': { option: 'hostonly', value: 'yes' },
  '--no-host-only': { option: 'hostonly', value: 'no' },
  '--hostonly-nics': { option: 'hostonly_nics' },
  '--no-hostonly-default-device': { option: 'hostonly_default_device', value: 'no' },
  '--hostonly-i18n': { option: 'i18n_install_all', value: 'no' },
  '--no-hostonly-i18n': { option: 'i18n_install_all', value: 'yes' },
  '--no-reproducible': { option: 'reproducible', value: 'no' },
  '--squash-compressor': { option: 'squash_compress' },
  '--noprefix': { option: 'prefix', value: '/' },
  '--uefi-stub': { option: 'uefi_stub' },
  '--uefi-splash-image': { option: 'uefi_splash_image' },
  '--sbat': { option: 'sbat' },
  '--mdadmconf': { option: 'mdadmconf', value: 'yes' },
  '--nomdadmconf': { option: 'mdadmconf', value: 'no' },
  '--lvmconf': { option: 'lvmconf', value: 'yes' },
  '--nolvmconf': { option: 'lvmconf', value: 'no' },
  '--logfile': { option: 'logfile' },
  '--loginstall': { option: 'loginstall' },
  '--show-modules': { option: 'show_modules', value: 'yes' },
  '--profile': { option: 'profile', value: 'yes' },
  '--keep': { option: 'keep', value: 'yes' },
  '--printsize': { option: 'printsize', value: 'yes' },
  '--no-machineid': { option: 'machine_id', value: 'no' },
};

const SHORT: Readonly<Record<string, string>> = {
  '-m': '--modules',
  '-a': '--add',
  '-o': '--omit',
  '-d': '--drivers',
  '-i': '--include',
  '-I': '--install',
  '-k': '--kmoddir',
  '-c': '--conf',
  '-r': '--sysroot',
  '-H': '--hostonly',
  '-N': '--no-hostonly',
  '-f': '--force',
  '-q': '--quiet',
  '-v': '--verbose',
  '-l': '--local',
  '-L': '--stdlog',
  '-p': '--parallel',
  '-M': '--show-modules',
  '-h': '--help',
};

const FOLDER = 'name the folder of configuration with `dracutConfDir`';
const NOT_RUN = 'dracut itself is not run';

/** Options that are no part of a guest's description, and what is in their place. */
const OWN: Readonly<Record<string, string>> = {
  '--conf': FOLDER,
  '--confdir': FOLDER,
  '--add-confdir': FOLDER,
  '--sysroot': 'name it with `sysroot`',
  '--local': NOT_RUN,
  '--help': `${NOT_RUN}; docs/dracut.md says which options there are`,
  '--version': NOT_RUN,
  '--list-modules': 'the command "osbuilder modules" lists them',
  '--print-cmdline': 'it describes the build machine, not the guest',
  '--rebuild': 'name the options of that image instead',
  '--regenerate-all': 'one guest is made at a time',
};

const INCLUDE = '--include';
const KVER = '--kver';
const LONG = [...Object.keys(FLAGS), ...Object.keys(OWN), INCLUDE, KVER];
const SOURCE = '`dracutOptions`';

/** An option as it was typed, with what follows it in the same word. */
interface Typed {
  readonly shown: string;
  /** Its long name. */
  readonly name: string;
  readonly value: string | undefined;
}

/**
 * Applies dracut's command-line options to `set`, which has what files say; lists are added to or replace, as dracut does
 * it. Words are understood as getopt does: `-fm "a b"`, `-ma`, `--mod=a`. Throws `DRACUT_OPTION`.
 */
export function readCommandLine(
  text: string,
  set: Map<string, OptionSet>,
  kindOf: (option: string) => OptionKind,
): CommandLine {
  const args = splitArguments(text, SOURCE);
  const includes: { source: string; target: string }[] = [];
  const rest: string[] = [];
  let at = 0;
  const following = (shown: string, reason: string): string => {
    const value = args[at++];
    if (value === undefined) throw invalid(shown, reason);
    return value;
  };
  const apply = ({ shown, name, value: own }: Typed): void => {
    const value = () => own ?? following(shown, 'it needs a value');
    if (name === INCLUDE) {
      includes.push({ source: value(), target: following(shown, 'it needs a source and a target') });
      return;
    }
    if (name === KVER) {
      kernel = value();
      return;
    }
    if (OWN[name] !== undefined) throw invalid(shown, OWN[name]);
    const flag = FLAGS[name]!;
    if (flag.value !== undefined && own !== undefined) throw invalid(shown, 'it takes no value');
    const where = `dracut’s option ${name}`;
    const given = flag.value ?? value();
    const old = set.get(flag.option);
    const kind = kindOf(flag.option);
    const adds = old !== undefined && (kind === 'list' || (kind === 'replace' && old.where === where));
    set.set(flag.option, { value: adds ? `${old.value} ${given}` : given, where });
    // of these two the last counts
    const other = { '--no-kernel': 'kernel_only', '--kernel-only': 'no_kernel' }[name];
    if (other !== undefined) set.set(other, { value: 'no', where });
  };
  let kernel: string | undefined;
  while (at < args.length) {
    const word = args[at++]!;
    if (word === '--') {
      rest.push(...args.slice(at));
      break;
    }
    if (!word.startsWith('-') || word === '-') rest.push(word);
    else if (word.startsWith('--')) apply(long(word));
    else for (const one of short(word)) apply(one);
  }
  if (rest.length > 2) throw invalid(rest[2]!, 'it is one argument too many');
  // dracut [IMAGE [KERNEL]]: the image is named otherwise here
  return { includes, release: kernel ?? (rest.length === 2 ? rest[1] : rest.find((one) => /^\d+\./.test(one))) };
}

function long(word: string): Typed {
  const equals = word.indexOf('=');
  const shown = equals < 0 ? word : word.slice(0, equals);
  const value = equals < 0 ? undefined : word.slice(equals + 1);
  if (LONG.includes(shown)) return { shown, name: shown, value };
  const begun = LONG.filter((name) => name.startsWith(shown));
  if (begun.length > 1) throw invalid(shown, `it may be ${begun.join(' or ')}`);
  if (begun.length === 0) throw invalid(shown, `dracut has no such option${didYouMean(shown, LONG)}`);
  return { shown, name: begun[0]!, value };
}

/** Several letters in one word; a value may follow the last one. */
function* short(word: string): Generator<Typed> {
  for (let at = 1; at < word.length; at++) {
    const shown = `-${word[at]}`;
    const name = Object.hasOwn(SHORT, shown) ? SHORT[shown]! : undefined;
    if (name === undefined) throw invalid(shown, 'dracut has no such option');
    const takesValue = name === INCLUDE || (FLAGS[name] !== undefined && FLAGS[name].value === undefined);
    const value = takesValue && at + 1 < word.length ? word.slice(at + 1) : undefined;
    yield { shown, name, value };
    if (value !== undefined) return;
  }
}

function invalid(name: string, reason: string): BuildError {
  return new BuildError('DRACUT_OPTION', { where: SOURCE, name, reason });
}
