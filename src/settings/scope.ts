/** Where a setting has an effect: in which commands, from which base, for which artefacts. */

/** Kinds of artefact a build can write. */
export type OutputKind = 'rootfs' | 'initrd' | 'image' | 'extension';

/** What a command will do, as far as it determines which settings have an effect. */
export interface Situation {
  /** Name of the command, as it is typed. */
  readonly command: string;
  /**
   * The base of the guest; undefined if the command builds none. `kernel`: an existing guest is booted, and its kernel
   * comes from packages.
   */
  readonly base: 'packages' | 'rootfs' | 'system' | 'kernel' | undefined;
  /** The existing rootfs that the command was given. */
  readonly source?: string;
  /** The artefacts to write; empty for commands that write no artefact of a guest. */
  readonly outputs: readonly OutputKind[];
  /** The maintainer scripts are followed (builds, and `plan --scripts`). */
  readonly scripts: boolean;
  /** Something in a registry is named: as source, as an input, or by the command. */
  readonly remote?: boolean;
  /** A file or folder that is read holds images of containers, which may be for several processors. */
  readonly containers?: boolean;
  /** The kernel of a package is written beside the artefacts. */
  readonly kernelWritten?: boolean;
  /** Values of all settings by key. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Why a setting has no effect. */
export interface Idle {
  /**
   * `command`: it belongs to another command. `artefact`: it belongs to an artefact that is not built now. `situation`:
   * it belongs here, but another given setting makes it ineffective.
   */
  readonly because: 'command' | 'artefact' | 'situation';
  /** Text: completes "… has no effect: ". */
  readonly reason: string;
}

/** Returns why a setting has no effect in a situation; undefined when it has one. */
export type Scope = (situation: Situation) => Idle | undefined;

const otherCommand = ({ command, base }: Situation): Idle => ({
  because: 'command',
  reason:
    base === 'packages'
      ? `"osbuilder ${command}" only decides on packages, which it does not change`
      : `"osbuilder ${command}" makes no guest`,
});

const existing = ({ source }: Situation) =>
  source === undefined ? 'an existing rootfs is given' : `"${source}" is given as an existing rootfs`;

/** In every command. */
export const everywhere: Scope = () => undefined;

/** Where packages are chosen: builds from a distribution, and plans. */
export const whereChosen: Scope = (situation) => {
  if (situation.base === 'packages') return undefined;
  if (situation.base === undefined || situation.base === 'kernel') return otherCommand(situation);
  return {
    because: 'situation',
    reason:
      situation.base === 'system'
        ? 'the guest is made of files of an existing system, so no packages are chosen'
        : `${existing(situation)}, so no packages are chosen`,
  };
};

/** Where repositories are read: to choose the packages of a guest, or for a kernel to boot one with. */
export const whereRead: Scope = (situation) => (situation.base === 'kernel' ? undefined : whereChosen(situation));

/** Where the distribution is named, rather than given as a profile. */
export const whereNamed: Scope = (situation) =>
  whereRead(situation) ??
  (situation.settings['profile'] === undefined
    ? undefined
    : { because: 'situation', reason: '"profile" is a distribution of its own' });

/** Where packages are chosen by the profile's own list. */
export const whereProfileChooses: Scope = (situation) =>
  whereChosen(situation) ??
  (situation.settings['packages'] === undefined
    ? undefined
    : { because: 'situation', reason: `"packages" takes the place of the profile's list, which it would change` });

/** Where packages are installed: builds from a distribution. */
export const whereInstalled: Scope = (situation) =>
  situation.outputs.length === 0 ? otherCommand(situation) : whereChosen(situation);

/** Where a kernel may come from a package: into a guest that is built, or to boot one. */
export const whereKernelChosen: Scope = (situation) =>
  situation.base === 'kernel' ? undefined : whereInstalled(situation);

/** Where a kernel package is installed. */
export const whereKernel: Scope = (situation) =>
  whereInstalled(situation) ??
  (situation.settings['kernelPackage'] === undefined
    ? { because: 'situation', reason: 'no "kernel-package" is named' }
    : undefined);

/** Where the kernel of a package is written, or a lock is made for builds that may write it. */
export const whereKernelWritten: Scope = (situation) =>
  whereKernel(situation) ??
  (situation.kernelWritten === true || situation.command === 'lock'
    ? undefined
    : { because: 'artefact', reason: 'no "kernel" is written' });

/** Where the scripts of packages are followed: builds from a distribution, and `plan --scripts`. */
export const whereFollowed: Scope = (situation) =>
  whereChosen(situation) ??
  (situation.scripts
    ? undefined
    : { because: 'situation', reason: 'no script is followed: "osbuilder plan --scripts" follows them' });

/** Where a guest is built, from packages or an existing rootfs. */
export const whereMade: Scope = (situation) => (situation.outputs.length === 0 ? otherCommand(situation) : undefined);

/** Where Kata's parts are put into a guest. */
export const whereProvisioned: Scope = (situation) =>
  whereMade(situation) ??
  (situation.settings['rootfsOnly'] === true
    ? {
        because: 'situation',
        reason:
          situation.command === 'extension'
            ? 'an extension has none of Kata’s parts, unless it is the difference from a base guest with them'
            : '"rootfs-only" leaves out all of Kata’s parts',
      }
    : undefined);

/** Where a guest is built or packages are chosen for one. */
export const whereGuest: Scope = (situation) =>
  situation.base === undefined || situation.base === 'kernel' ? otherCommand(situation) : undefined;

/** Where something gets a date. */
export const whereDated: Scope = (situation) => (situation.command === 'push' ? undefined : whereGuest(situation));

/** Where a guest's architecture matters: it is built, or packages are chosen for it, or it is booted, or one of several is read. */
export const whereMachine: Scope = (situation) => {
  const { command } = situation;
  // pull chooses among several architectures under one tag
  return command === 'boot' || command === 'pull' || situation.remote === true || situation.containers === true
    ? undefined
    : whereGuest(situation);
};

/** Where it is said how a guest is made. */
export const whereMethod: Scope = (situation) =>
  situation.command === 'which'
    ? { because: 'command', reason: '"osbuilder which" shows how packages make a guest' }
    : (whereMade(situation) ??
      (situation.base === 'rootfs'
        ? { because: 'situation', reason: `${existing(situation)}, which is taken as it is` }
        : undefined));

/** Where a guest is made of files of a system. */
export const whereDracut: Scope = (situation) =>
  whereMethod(situation) ??
  (situation.settings['buildMethod'] === 'dracut'
    ? undefined
    : { because: 'situation', reason: '"build-method" is not dracut' });

/** The same, and where dracut's modules are listed. */
export const whereDracutModules: Scope = (situation) =>
  situation.command === 'modules' ? undefined : whereDracut(situation);

/** Where kernel modules are taken from a system. */
export const whereDracutKernel: Scope = (situation) =>
  whereDracut(situation) ??
  (situation.settings['dracutKversion'] === undefined && situation.settings['dracutOptions'] === undefined
    ? { because: 'situation', reason: 'no kernel is named with "dracut-kversion", so no kernel modules are taken' }
    : undefined);

/** Where an initrd is written. */
export const whereInitrd: Scope = (situation) =>
  whereMade(situation) ??
  (situation.outputs.includes('initrd') ? undefined : { because: 'artefact', reason: 'no initrd is made' });

/** Where a compressed initrd is written. */
export const whereCompressed: Scope = (situation) =>
  whereInitrd(situation) ??
  (situation.settings['compress'] === 'none'
    ? { because: 'situation', reason: 'the initrd is not compressed' }
    : undefined);

/** Where a disk image is written. */
export const whereImage: Scope = (situation) =>
  whereMade(situation) ??
  (situation.outputs.includes('image') || situation.outputs.includes('extension')
    ? undefined
    : { because: 'artefact', reason: 'no image is made' });

/** Where the form of a disk image is free; an extension has the one that guests expect. */
const whereFormed =
  (key: string, needed: unknown, form: string): Scope =>
  (situation) =>
    whereImage(situation) ??
    (situation.command !== 'extension' || situation.settings[key] === needed
      ? undefined
      : { because: 'command', reason: `guests expect of an extension that it is ${form}` });

/** Where the file system of an image is chosen. */
export const whereFileSystemChosen = whereFormed('fsType', 'erofs', 'EROFS');
/** Where a file system is written whose form depends on the kernels that read it. */
export const whereLayoutsDiffer: Scope = (situation) =>
  whereImage(situation) ??
  (situation.settings['fsType'] === 'erofs' || situation.command === 'extension'
    ? undefined
    : { because: 'situation', reason: 'only erofs has forms that older kernels do not read' });
/** Where the partition table of an image is chosen. */
export const wherePartitioned = whereFormed('partitionTable', 'mbr', 'a disk with an MBR');
/** Where an image may have a header for NVDIMM devices. */
export const whereMapped = whereFormed('skipDaxHeader', true, 'a plain disk without a header for NVDIMM devices');

/** Where a measured disk image is written. */
export const whereMeasured: Scope = (situation) =>
  whereImage(situation) ??
  (situation.settings['measuredRootfs'] === true
    ? undefined
    : { because: 'situation', reason: 'it is about the root hash of a measured rootfs, and none is measured' });

/** Where a measured disk image is written in Kata's layout. */
export const whereMeasuredForKata: Scope = (situation) =>
  whereMeasured(situation) ??
  (situation.settings['partitionTable'] === 'gpt'
    ? { because: 'situation', reason: 'a disk with a GPT has its root hash in the UUIDs of its partitions' }
    : undefined);

/** Where a measured disk image is written in the layout that systemd discovers. */
export const whereDiscovered: Scope = (situation) =>
  whereMeasured(situation) ??
  (situation.settings['partitionTable'] === 'gpt'
    ? undefined
    : { because: 'situation', reason: 'only a disk with a GPT has a place for a signature' });

/** Where a guest is checked before it is written as an initrd or image. */
export const whereChecked: Scope = (situation) => {
  const made = whereMade(situation);
  if (made !== undefined) return made;
  if (situation.settings['rootfsOnly'] === true)
    return { because: 'situation', reason: 'a rootfs without Kata’s parts is not checked for them' };
  return situation.outputs.some((kind) => kind === 'initrd' || kind === 'image')
    ? undefined
    : { because: 'artefact', reason: 'only an initrd or an image is checked' };
};

/** Where something may be fetched from a mirror. */
export const whereFetched: Scope = (situation) =>
  situation.remote === true || situation.base === 'packages' || situation.base === 'kernel'
    ? undefined
    : { because: 'command', reason: 'nothing is fetched' };

/** Where packages or layers are unpacked. */
export const whereUnpacked: Scope = (situation) =>
  situation.command === 'push' || situation.command === 'pull'
    ? { because: 'command', reason: `"osbuilder ${situation.command}" unpacks nothing` }
    : situation.base === 'rootfs' || situation.command === 'extract'
      ? undefined
      : whereFetched(situation);

/** Where the cache is used or managed. */
export const whereCached: Scope = (situation) =>
  situation.command === 'cache' ||
  situation.remote === true ||
  situation.base === 'packages' ||
  situation.base === 'kernel'
    ? undefined
    : { because: 'command', reason: 'nothing is read from the cache' };

/** Where threads share work. */
export const whereShared: Scope = (situation) =>
  situation.base !== undefined || situation.command === 'extract'
    ? undefined
    : { because: 'command', reason: 'there is no work for several threads' };

/** Where an existing rootfs is the base of a guest. */
export const whereExisting: Scope = (situation) =>
  whereMade(situation) ??
  (situation.base === 'rootfs' ? undefined : { because: 'situation', reason: 'no existing rootfs is given' });

/** Where a folder may be written. */
export const whereWritten: Scope = (situation) => {
  const { command } = situation;
  if (command === 'extract') return undefined;
  if (['which', 'lock', 'verify', 'repro'].includes(command))
    return { because: 'command', reason: `"osbuilder ${command}" replaces no folder` };
  return whereMade(situation);
};

/** Where a lock may be read. */
export const whereLocked: Scope = (situation) => (situation.command === 'verify' ? undefined : whereGuest(situation));

/** Where artefacts are written, and something may be written about them. */
export const whereBuilt: Scope = (situation) => {
  const { command } = situation;
  if (command === 'push' || command === 'pull') return otherCommand(situation);
  // the outputs of these are for themselves
  if (['which', 'lock', 'verify', 'repro', 'extension'].includes(command))
    return { because: 'command', reason: `"osbuilder ${command}" writes nothing about a guest: build it` };
  return whereMade(situation);
};

/** Where a bill of materials may be written: of a guest that is built, or of any artefact. */
export const whereListed: Scope = (situation) => (situation.command === 'inspect' ? undefined : whereBuilt(situation));

/** Where what was built is pushed. */
export const wherePushed: Scope = (situation) => whereBuilt(situation);

/** Where a registry or a mirror may be asked. */
export const whereRemote: Scope = (situation) =>
  situation.command === 'push' || situation.command === 'pull' ? undefined : whereFetched(situation);

/** Where packages are fetched, and a registry may have them. */
export const whereRemoteCached: Scope = (situation) =>
  situation.base === 'packages' || situation.base === 'kernel'
    ? undefined
    : { because: 'command', reason: 'no packages are fetched' };

/** Where packages may be pushed to the registry that has them. */
export const whereRemoteCacheKept: Scope = (situation) =>
  whereRemoteCached(situation) ??
  (situation.settings['remoteCache'] === undefined
    ? { because: 'situation', reason: 'no "remote-cache" is named' }
    : undefined);

const whereWith =
  (key: string, name: string, where: Scope = whereBuilt): Scope =>
  (situation) =>
    where(situation) ??
    (situation.settings[key] === undefined ? { because: 'situation', reason: `no "${name}" is written` } : undefined);

/** Where a bill of materials is written. */
export const whereBilled = whereWith('sbom', 'sbom', whereListed);
/** Where provenance is written. */
export const whereAttested = whereWith('provenance', 'provenance');
/** Where something is signed: provenance, or what is pushed. */
export const whereSigned: Scope = (situation) => {
  if (situation.command === 'push') return undefined;
  return situation.settings['push'] === undefined ? whereAttested(situation) : whereBuilt(situation);
};
/** Where reference values are written. */
export const whereReferenced = whereWith('referenceValues', 'reference-values');
