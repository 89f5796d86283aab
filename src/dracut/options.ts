import { BuildError } from '../errors/error.ts';
import { didYouMean } from '../errors/nearest.ts';
import { type Report, warning } from '../events/events.ts';
import { versionOrder } from '../shell/commands/version-order.ts';
import { type OptionKind, type OptionSet, readCommandLine } from './command-line.ts';
import { type Assignment, readConfFile, words } from './conf-file.ts';

/** A file of dracut's configuration. */
export interface ConfSource {
  /** For messages. */
  readonly path: string;
  /** Name in its folder, which decides the order; absent for the one file that is read first. */
  readonly name?: string;
  readonly text: string;
}

/** What dracut's configuration and options ask for, as far as it has a meaning for a guest. Names are byte strings. */
export interface DracutOptions {
  /** Exactly these modules, and what they depend on; undefined for the default of Kata. */
  readonly modules: readonly string[] | undefined;
  readonly addModules: readonly string[];
  readonly forceAddModules: readonly string[];
  readonly omitModules: readonly string[];
  /** Exactly these drivers; undefined for dracut's general set. */
  readonly drivers: readonly string[] | undefined;
  readonly addDrivers: readonly string[];
  readonly forceDrivers: readonly string[];
  /** Extended regular expressions of names, anchored at both ends. */
  readonly omitDrivers: readonly string[];
  readonly filesystems: readonly string[] | undefined;
  readonly installItems: readonly string[];
  readonly installOptionalItems: readonly string[];
  /** Programs that check file systems; undefined for all of them, empty for none. */
  readonly fscks: readonly string[] | undefined;
  readonly firmwareFolders: readonly string[] | undefined;
  readonly libFolders: readonly string[] | undefined;
  readonly driversFolder: string | undefined;
  /** Release whose modules are taken, if the options name one. */
  readonly release: string | undefined;
  readonly noKernel: boolean;
  readonly kernelOnly: boolean;
  readonly readOnlyMount: boolean;
  readonly allKeymaps: boolean;
  readonly kernelCommandLine: string;
  /** Which of the options that name a kernel's modules were given, and where: without a kernel they have no effect. */
  readonly driverOptions: readonly { readonly name: string; readonly where: string }[];
  /** Folders or files of the build host to lay over the guest, with the place in it. */
  readonly includes: readonly { readonly source: string; readonly target: string }[];
}

/** How an option is treated. */
interface Row {
  readonly kind: OptionKind;
  /** Read and without effect; the reason is reported once. */
  readonly unused?: string;
  /** Honoured, but the guest does not look at it; the reason is reported. */
  readonly unread?: string;
  /** Values that cannot be honoured, and why. */
  readonly rejected?: { readonly when: (value: string) => boolean; readonly reason: string };
}

const isYes = (value: string) => value === 'yes';
const isSet = (value: string) => value !== '';
const HOST = 'it describes the build machine, not the guest';
const notHost: Row = { kind: 'text', rejected: { when: (value) => isSet(value) && value !== 'no', reason: HOST } };
const EFI = 'a guest is started by its hypervisor, not by UEFI';
const unused = (reason: string, kind: OptionKind = 'text'): Row => ({ kind, unused: reason });
const rejected = (reason: string, when = isSet): Row => ({ kind: 'text', rejected: { when, reason } });
const BUILD = 'it concerns dracut’s own running';
const COMPRESSIONS = /^(?:gzip|pigz|zstd|xz|lz4|cat|none|no)?(?:\s+-(?:\d+|T\d*|-?[a-z][a-z0-9=-]*))*$/;

/** Every option of dracut.conf(5). */
const OPTIONS: Readonly<Record<string, Row>> = {
  dracutmodules: { kind: 'replace' },
  add_dracutmodules: { kind: 'list' },
  force_add_dracutmodules: { kind: 'list' },
  omit_dracutmodules: { kind: 'list' },
  drivers: { kind: 'replace' },
  add_drivers: { kind: 'list' },
  force_drivers: { kind: 'list' },
  omit_drivers: { kind: 'list' },
  filesystems: { kind: 'replace' },
  install_items: { kind: 'list' },
  install_optional_items: { kind: 'list' },
  fscks: { kind: 'list' },
  nofscks: { kind: 'yes-no' },
  fw_dir: { kind: 'replace' },
  libdirs: { kind: 'replace' },
  drivers_dir: { kind: 'text' },
  no_kernel: { kind: 'yes-no' },
  kernel_only: { kind: 'yes-no' },
  ro_mnt: { kind: 'yes-no' },
  i18n_install_all: { kind: 'yes-no' },
  kernel_cmdline: { kind: 'text', unread: 'only dracut’s own init reads it, and a guest is started by another one' },
  hostonly: { kind: 'yes-no', rejected: { when: isYes, reason: HOST } },
  hostonly_cmdline: { kind: 'yes-no', rejected: { when: isYes, reason: HOST } },
  hostonly_mode: notHost,
  hostonly_nics: notHost,
  hostonly_default_device: notHost,
  persistent_policy: notHost,
  use_fstab: notHost,
  add_device: notHost,
  add_fstab: unused('file systems of a guest are mounted by its agent'),
  early_microcode: rejected('a guest has no microcode to load', isYes),
  acpi_override: rejected('a guest’s ACPI tables come from its hypervisor', isYes),
  acpi_table_dir: unused('a guest’s ACPI tables come from its hypervisor'),
  reproducible: { kind: 'yes-no' },
  compress: {
    kind: 'text',
    unused: 'the initrd’s compression is a setting of its own: compress',
    rejected: {
      when: (value) => !COMPRESSIONS.test(value),
      reason: 'expected gzip, zstd, xz, lz4, cat or none, with a level at most',
    },
  },
  do_strip: unused('files are taken as they are', 'yes-no'),
  aggressive_strip: unused('files are taken as they are', 'yes-no'),
  do_hardlink: unused('equal files are not linked', 'yes-no'),
  do_prelink: unused('libraries are taken as they are', 'yes-no'),
  show_modules: unused(BUILD),
  profile: unused(BUILD),
  keep: unused(BUILD),
  printsize: unused(BUILD),
  stdloglvl: unused(BUILD),
  sysloglvl: unused(BUILD),
  fileloglvl: unused(BUILD),
  logfile: unused(BUILD),
  loginstall: unused(BUILD),
  tmpdir: unused(BUILD),
  parallel: unused(BUILD),
  noimageifnotneeded: unused(BUILD),
  enhanced_cpio: unused(BUILD),
  initrdname: unused('outputs are named on the command line'),
  machine_id: unused('outputs are named on the command line'),
  i18n_vars: unused('keymaps and fonts are not taken'),
  i18n_default_font: unused('keymaps and fonts are not taken'),
  mdadmconf: unused('a guest has no software RAID'),
  lvmconf: unused('a guest has no LVM'),
  add_dlopen_features: unused('libraries that programs recommend in their notes are always taken', 'list'),
  omit_dlopen_features: unused('libraries that programs recommend in their notes are always taken', 'list'),
  uefi: rejected(EFI, isYes),
  uefi_secureboot_cert: rejected(EFI),
  uefi_secureboot_key: rejected(EFI),
  uefi_secureboot_engine: rejected(EFI),
  uefi_splash_image: rejected(EFI),
  uefi_stub: rejected(EFI),
  sbat: rejected(EFI),
  kernel_image: rejected(EFI),
  sshkey: rejected('a guest has no SSH server'),
  squash_compress: rejected('a guest is not packed twice'),
  prefix: rejected('files are where programs look for them', (value) => isSet(value) && value !== '/'),
};

/**
 * Reads files in dracut's order (`main`, then the others by their names as `sort -V` has them; of two with one name the
 * earlier folder's) and the options of its command line. Throws `DRACUT_CONF_LINE` and `DRACUT_OPTION`.
 *
 * @param folders files of each folder, the one that goes first first.
 * @param variables values for `$NAME` in the files, such as `kernel`.
 */
export function readOptions(
  main: ConfSource | undefined,
  folders: readonly (readonly ConfSource[])[],
  commandLine: string,
  variables: ReadonlyMap<string, string>,
  report: Report,
): DracutOptions {
  const files = new Map<string, ConfSource>();
  for (const folder of folders)
    for (const file of folder) if (file.name!.endsWith('.conf') && !files.has(file.name!)) files.set(file.name!, file);
  const ordered = [...files.values()].sort((a, b) => versionOrder(a.name!, b.name!));
  const values = new Map(variables);
  const where = new Map<string, string>();
  for (const file of main === undefined ? ordered : [main, ...ordered]) {
    const { assignments, unspaced } = readConfFile(file.text, file.path, values, hasNoEffect);
    for (const { line, text } of unspaced) report(warning('DRACUT_CONF_SPACES', { path: file.path, line, text }));
    for (const assignment of assignments) {
      where.set(assignment.name, `${file.path}:${assignment.line}`);
      if (!Object.hasOwn(OPTIONS, assignment.name) && !isPrivate(assignment))
        report(
          warning('DRACUT_OPTION_UNKNOWN', {
            path: file.path,
            line: assignment.line,
            name: assignment.name,
            suggestion: didYouMean(assignment.name, Object.keys(OPTIONS)),
          }),
        );
    }
  }
  const set = new Map<string, OptionSet>();
  for (const [name, place] of where)
    if (Object.hasOwn(OPTIONS, name)) set.set(name, { value: values.get(name)!, where: place });
  const given = readCommandLine(commandLine, set, (name) => OPTIONS[name]!.kind);
  check(set, report);
  return { ...optionsOf(set), ...given };
}

function hasNoEffect(name: string): boolean {
  return Object.hasOwn(OPTIONS, name) && OPTIONS[name]!.unused !== undefined && OPTIONS[name]!.rejected === undefined;
}

/** Variables that are there for other files: names with capitals or a leading underscore. */
function isPrivate({ name }: Assignment): boolean {
  return /^_|[A-Z]/.test(name);
}

function check(set: ReadonlyMap<string, OptionSet>, report: Report): void {
  for (const [name, { value, where }] of set) {
    const row = OPTIONS[name]!;
    if (row.rejected?.when(value.trim()) === true)
      throw new BuildError('DRACUT_OPTION', {
        where,
        name: value.trim() === '' ? name : `${name}="${value.trim()}"`,
        reason: row.rejected.reason,
      });
    const reason = row.unused ?? row.unread;
    if (reason !== undefined && value.trim() !== '' && value.trim() !== 'no')
      report(warning('DRACUT_OPTION_UNUSED', { where, name, reason }));
  }
}

function optionsOf(set: ReadonlyMap<string, OptionSet>): Omit<DracutOptions, 'includes' | 'release'> {
  const list = (name: string) => words(set.get(name)?.value ?? '');
  const filled = (name: string) => (list(name).length === 0 ? undefined : list(name));
  const yes = (name: string) => set.get(name)?.value.trim() === 'yes';
  const modules = filled('dracutmodules');
  const named = (name: string) => list(name).map((one) => one.replaceAll('-', '_'));
  const dropped = new Set(named('omit_drivers'));
  const omitted = (name: string) => named(name).filter((one) => !dropped.has(one));
  return {
    modules: modules?.includes('auto') === true ? undefined : modules,
    addModules: list('add_dracutmodules'),
    forceAddModules: list('force_add_dracutmodules'),
    omitModules: list('omit_dracutmodules'),
    drivers: filled('drivers') === undefined ? undefined : omitted('drivers'),
    addDrivers: omitted('add_drivers'),
    forceDrivers: omitted('force_drivers'),
    omitDrivers: named('omit_drivers'),
    filesystems: filled('filesystems'),
    installItems: list('install_items'),
    installOptionalItems: list('install_optional_items'),
    fscks: yes('nofscks') ? [] : filled('fscks'),
    firmwareFolders: list('fw_dir').length === 0 ? undefined : list('fw_dir').flatMap((one) => one.split(':')),
    libFolders: filled('libdirs'),
    driversFolder: set.get('drivers_dir')?.value.trim() || undefined,
    noKernel: yes('no_kernel'),
    kernelOnly: yes('kernel_only'),
    readOnlyMount: yes('ro_mnt'),
    allKeymaps: yes('i18n_install_all'),
    driverOptions: ['drivers', 'add_drivers', 'force_drivers', 'filesystems'].flatMap((name) =>
      list(name).length === 0 ? [] : [{ name, where: set.get(name)!.where }],
    ),
    kernelCommandLine: (set.get('kernel_cmdline')?.value ?? '').trim(),
  };
}
