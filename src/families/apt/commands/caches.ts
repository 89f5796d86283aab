import type { Call, Command } from '../../../shell/command.ts';
import { type CommandTable, nothing, plainOperands, withOptions } from '../../../system/commands/binding.ts';
import { warn } from '../../../system/context.ts';
import type { DebianWorld } from './binding.ts';

/**
 * Caches that a guest's own programs make by loading its modules or reading many files, and that something in the guest
 * requires: each is left to the guest, and this is reported. Caches that programs can do without, or make
 * themselves, are omitted without a report (`systemCommands`).
 */
export function cacheCommands({ context, leaveOut }: DebianWorld): CommandTable {
  const left = (long: string, needed: (call: Call) => boolean, message: string): Command =>
    withOptions('nV', long, (call) => {
      if (!needed(call)) return 0;
      leaveOut(call.name, 'made in the guest: a warning says how');
      warn(context, 'LEFT_TO_FIRST_BOOT', { reason: message });
      return 0;
    });
  const holds = (call: Call, folder: string, ending: string) =>
    call.files.find(folder)?.kind === 'directory' && call.files.list(folder).some((name) => name.endsWith(ending));
  return {
    'glib-compile-schemas': left(
      'strict allow-any-name targetdir=',
      (call) => plainOperands(call).some((folder) => holds(call, folder, '.gschema.xml')),
      'settings of GLib programs are not compiled at build time; run "glib-compile-schemas /usr/share/glib-2.0/schemas" in the guest if a program uses them',
    ),
    'gdk-pixbuf-query-loaders': left(
      'update-cache',
      (call) => plainOperands(call).some((path) => path.endsWith('.so')),
      'loaders of gdk-pixbuf are not listed at build time; run "dpkg-trigger /usr/lib/*/gdk-pixbuf-2.0/2.10.0/loaders && dpkg --triggers-only --pending" in the guest if a program shows images in rare formats',
    ),
    'update-mime-database': left(
      '',
      (call) => holds(call, `${plainOperands(call)[0] ?? ''}/packages`, '.xml'),
      'the database of file types is not made at build time; run "update-mime-database /usr/share/mime" in the guest if a program uses it',
    ),
    'locale-gen': left(
      'keep-existing purge no-purge aliases=',
      (call) => {
        const locales = plainOperands(call);
        const listed = call.files.find('/etc/locale.gen')?.kind === 'file' ? call.files.read('/etc/locale.gen') : '';
        return locales.length > 0 || listed.split('\n').some((line) => /^\s*[^#\s]/.test(line));
      },
      'locales are not compiled at build time; run "locale-gen" in the guest if it speaks another than C.UTF-8',
    ),
    // GTK has an input method of its own
    'gtk-query-immodules-2.0': nothing,
    'gtk-query-immodules-3.0': nothing,
  };
}
