import { whereDracut, whereDracutKernel, whereDracutModules } from './scope.ts';
import { anyText, choice, setting, text, texts } from './setting.ts';

const DRACUT = 'A guest made of files of a system';

/** Rows of the settings table for guests that are made of files of a system. */
export const DRACUT_SETTINGS = {
  sysroot: setting(
    DRACUT,
    whereDracutModules,
    text('DIR|FILE'),
    'OSBUILDER_SYSROOT',
    'the system whose files are taken: a folder, an archive or an image (default: this machine, `/`; with --distro: its packages)',
  ),
  dracutKversion: setting(
    DRACUT,
    whereDracut,
    text('RELEASE'),
    'DRACUT_KVERSION',
    'take modules of this kernel of the system, as `uname -r` says it (default: no kernel modules)',
  ),
  dracutConfDir: setting(
    DRACUT,
    whereDracut,
    text('DIR'),
    'DRACUT_CONF_DIR',
    'a folder of dracut.conf files: drivers, modules, files (default: what Kata’s own say)',
  ),
  dracutOptions: setting(
    DRACUT,
    whereDracut,
    anyText('"--add X …"'),
    'DRACUT_OPTIONS',
    'options of dracut, as on its command line',
  ),
  dracutModule: setting(
    DRACUT,
    whereDracutModules,
    texts('FILE'),
    'OSBUILDER_DRACUT_MODULE',
    'a dracut module of your own, as a YAML file (docs/dracut.md shows one); repeatable',
  ),
  modulesLoad: setting(
    DRACUT,
    whereDracutKernel,
    choice('drivers', 'all', 'none'),
    'OSBUILDER_MODULES_LOAD',
    'kernel modules that the guest loads when it starts: those that --drivers or `drivers` of dracut.conf names, all that are taken, or none',
    'drivers' as const,
  ),
};
