import type { Call, Command } from '../../../shell/command.ts';
import { updateCertificates } from '../../../system/certificates.ts';
import { type CommandTable, nothing, withOptions } from '../../../system/commands/binding.ts';
import { updateLocale } from '../../../system/commands/locale.ts';
import { KERNEL, leftOut, type Omissions, OWN_KEY } from '../../../system/commands/omitted.ts';
import { ldconfig } from '../../../system/commands/programs.ts';
import { warn } from '../../../system/context.ts';
import { updateLoaderCache } from '../../../system/loader.ts';
import { pamAuthUpdate } from '../../../system/pam.ts';
import { addShell, removeShell, updateShells } from '../../../system/shells.ts';
import type { DebianWorld } from './binding.ts';

const BYTE_CODE = 'Python makes its byte code when it imports a module';

/**
 * What a Debian guest intentionally omits although a script calls it. Each use is reported: in verbose builds, in
 * `plan --scripts`, in JSON.
 */
const OMITTED: Omissions = [
  [BYTE_CODE, 'py3compile py3clean pypy3compile pypy3clean pycompile pyclean'],
  ['an index of documentation, which is made on demand', 'update-info-dir update-dhelp'],
  [
    'a cache of desktops, which work without it or rebuild it',
    'update-icon-caches update-mime update-menus update-fonts-alias update-fonts-dir update-fonts-scale update-gsfontmap',
  ],
  ['a catalogue of document types, for tools that check documents', 'update-xmlcatalog update-catalog'],
  ['newer lists come from the network only', 'update-pciids update-usbids'],
  [KERNEL, 'update-initramfs update-grub update-grub2 linux-update-symlinks linux-check-removal linux-run-hooks'],
  [OWN_KEY, 'ssl-cert-check'],
  ['a console’s font and keyboard are set up where there is a console', 'setupcon'],
];

/** Debian's commands that only act on a running system. */
const RUNNING = 'update-motd exim exim4 sysv-rc-conf update-passwd';

/** Python, as far as it is called to compile byte code, which it does itself on demand. */
function python(world: DebianWorld): Command {
  return (call) => {
    if (!call.args.some((arg) => /py_compile|compileall|py3compile/.test(arg))) return call.shell.unknown(call.name);
    world.leaveOut('py_compile', BYTE_CODE);
    return 0;
  };
}

/** Folders of scripts that are run for a kernel: they make its initrd and tell boot loaders of it. */
const KERNEL_HOOKS = /^\/(?:etc|usr\/share)\/kernel\//;

/** run-parts(8), as far as kernels call it. */
function runParts(world: DebianWorld): Command {
  return (call) => {
    const folders = call.args.filter((arg) => !arg.startsWith('-'));
    if (folders.length === 0 || !folders.every((folder) => KERNEL_HOOKS.test(folder)))
      return call.shell.unknown(call.name);
    world.leaveOut('run-parts', KERNEL);
    return 0;
  };
}

/** Commands of packages that every Debian system has, and those that are omitted. */
export function systemCommands(world: DebianWorld): CommandTable {
  const { tree, context } = world;
  const shells = (change: typeof addShell): Command =>
    withOptions('', 'no-act', (_, given) => {
      if (!given.has('no-act')) change(tree, context, given.operands);
      return 0;
    });
  const table: Record<string, Command> = {
    ...leftOut(world, OMITTED),
    'add-shell': shells(addShell),
    'remove-shell': shells(removeShell),
    'update-shells': withOptions('', 'no-act verbose', (_, given) => {
      // until usrmerge is configured, both spellings of a path are equivalent
      if (!given.has('no-act')) updateShells(tree, context, world.known('usrmerge')?.status !== 'unpacked');
      return 0;
    }),
    ldconfig: ldconfig(world, () => {
      // deferred to the end: libc-bin awaits that trigger
      world.trigger('ldconfig');
      if (world.package === 'libc-bin') updateLoaderCache(tree, context);
    }),
    'pam-auth-update': withOptions(
      '',
      'package force root=',
      (_, given) => {
        pamAuthUpdate(tree, context, given.has('force'));
        return 0;
      },
      { root: '/' },
    ),
    'update-ca-certificates': withOptions(
      'fv',
      'fresh verbose hooksdir=',
      (_, given) => {
        updateCertificates(tree, context, given.last('hooksdir') !== '');
        return 0;
      },
      { hooksdir: '/etc/ca-certificates/update.d' },
    ),
    'update-locale': updateLocale,
    'run-parts': runParts(world),
    'make-ssl-cert': (call) => makeCertificate(world, call),
    // there is no reader
    sensible_pager: nothing,
  };
  for (const name of ['python3', 'python3.11', 'python3.12', 'python3.13', 'python3.14']) table[name] = python(world);
  for (const name of RUNNING.split(' ')) table[name] = nothing;
  return table;
}

function makeCertificate({ context, leaveOut }: DebianWorld, call: Call): number {
  leaveOut(call.name, OWN_KEY);
  const reason =
    'no certificate is made at build time; run "make-ssl-cert generate-default-snakeoil" in the guest if a service uses it';
  warn(context, 'LEFT_TO_FIRST_BOOT', { reason });
  return 0;
}
