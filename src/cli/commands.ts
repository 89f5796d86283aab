import type { SettingKey } from '../settings/table.ts';

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
  /** Its value in help: `FILE`. For strings only. */
  readonly value?: string;
  /** It may be given several times; its value is a list then. */
  readonly many?: true;
  readonly describe: string;
}

/** The flag of every command that names a settings file. */
export const CONFIG: OwnFlag = {
  type: 'string',
  value: 'FILE',
  describe: 'settings file (default: osbuilder.yaml or osbuilder.yml here, if there is one)',
};

/** A command, for help, parsing and completion. */
export interface CommandRow {
  /** The command with its positionals: `<needed>`, `[optional]`, `<many..>`. */
  readonly usage: string;
  readonly describe: string;
  readonly own: Readonly<Record<string, OwnFlag>>;
  readonly examples?: readonly (readonly [string, string])[];
}

const KERNEL: OwnFlag = {
  type: 'string',
  value: 'FILE',
  describe: 'where the kernel of --kernel-package goes',
};

/** Which guest of a config file with several. */
const ONLY: OwnFlag = {
  type: 'string',
  value: 'NAME',
  describe: 'the guest of the config file, where it has several; `*` stands for any letters',
};

const OUTPUT: OwnFlag = { type: 'string', alias: 'o', value: 'PATH', describe: 'where the result goes' };

/** Every command: help, strictness and shell completion derive from this table. */
export const COMMANDS: Readonly<Record<string, CommandRow>> = {
  rootfs: {
    usage: 'rootfs [source]',
    describe: 'make the tree of files, as a folder (OUT/) or an archive (OUT.tar[.gz|.zst])',
    own: { output: OUTPUT, kernel: KERNEL, only: ONLY },
    examples: [['osbuilder rootfs --distro debian --agent ./kata-agent -o rootfs.tar', 'a Debian guest as an archive']],
  },
  initrd: {
    usage: 'initrd [source]',
    describe: 'make an initrd, from a distribution or from any rootfs (folder, tar, initrd, image)',
    own: {
      output: { ...OUTPUT, describe: 'where the result goes (kata-containers-initrd.img)' },
      kernel: KERNEL,
      only: ONLY,
    },
    examples: [['osbuilder initrd --distro debian --agent demo --agent-init -o initrd.img', 'try it without an agent']],
  },
  image: {
    usage: 'image [source]',
    describe: 'make a disk image, from a distribution or from any rootfs (folder, tar, initrd, image)',
    own: { output: { ...OUTPUT, describe: 'where the result goes (kata-containers.img)' }, kernel: KERNEL, only: ONLY },
    examples: [
      ['osbuilder image --distro debian --agent ./kata-agent', 'a Debian guest as a disk image'],
      ['osbuilder image rootfs.tar --root-free-space 64 -o guest.img', 'an image of an existing rootfs'],
    ],
  },
  build: {
    usage: 'build [source]',
    describe: 'make several artefacts of one tree in one pass',
    own: {
      rootfs: { type: 'string', value: 'PATH', describe: 'the tree of files, as a folder or an archive' },
      initrd: { type: 'string', value: 'PATH', describe: 'the initrd' },
      image: { type: 'string', value: 'PATH', describe: 'the disk image' },
      kernel: KERNEL,
      only: {
        ...ONLY,
        value: '"A B"',
        describe: 'only these guests of a config file with several; `*` stands for any letters',
      },
      shard: {
        type: 'string',
        value: 'I/N',
        describe:
          'only the I-th of N parts of the guests, or auto: the part that Slurm, Kubernetes or GitLab gives this job',
      },
      list: { type: 'boolean', describe: 'print the names of the guests; with --json as the matrix of a CI' },
    },
    examples: [
      ['osbuilder build --distro debian --agent demo --rootfs r.tar --initrd i.img', 'both at once'],
      ['osbuilder build --config guests.yaml --shard 2/4', 'a quarter of the guests of a file'],
    ],
  },
  extension: {
    usage: 'extension <name> [sources..]',
    describe:
      'make an extension image for Kata’s guests, which is mounted below /run/kata-extensions/NAME: of packages, or of folders, archives and images, laid over each other',
    own: {
      output: { ...OUTPUT, describe: 'where the result goes (kata-containers-NAME-extension.img)' },
      base: {
        type: 'string',
        value: 'IMAGE',
        describe: 'a guest without the extension: take only what is new or changed against it',
      },
    },
    examples: [
      ['osbuilder extension coco coco-guest-components.tar.zst pause-image.tar.zst', 'of Kata’s tarballs'],
      [
        'osbuilder extension tools --distro debian --agent ./kata-agent --extra-pkgs strace --base kata-containers.img',
        'what strace and its libraries add to a guest',
      ],
    ],
  },
  lock: {
    usage: 'lock [what..]',
    describe:
      'write a lock file: all that decides on the bytes of a guest, made from packages or an existing rootfs (WHAT); with --update, WHAT are names of packages to choose anew (default: all)',
    own: {
      output: { ...OUTPUT, describe: 'where the lock goes (osbuilder.lock.json)' },
      update: { type: 'boolean', describe: 'choose packages of a lock anew, and show what changes' },
      only: ONLY,
      rootfs: { type: 'string', value: 'PATH', describe: 'build the tree of files as well, and lock its digest' },
      initrd: { type: 'string', value: 'PATH', describe: 'build the initrd as well, and lock its digest' },
      image: { type: 'string', value: 'PATH', describe: 'build the disk image as well, and lock its digest' },
      kernel: { ...KERNEL, describe: 'write the kernel of --kernel-package as well, and lock its digest' },
    },
    examples: [
      ['osbuilder lock --distro debian --agent demo --image kata.img', 'build an image, and lock what it is made of'],
      ['osbuilder image --lock osbuilder.lock.json --frozen -o again.img', 'build the same image again, years later'],
      ['osbuilder lock --update openssl', 'take the new openssl, and what must come with it'],
    ],
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
      only: ONLY,
    },
    examples: [['osbuilder plan --distro debian --extra-pkgs nginx --scripts', 'is every script of nginx understood?']],
  },
  why: {
    usage: 'why <package> [artefact]',
    describe:
      'show the chain of reasons that brought a package into a plan, or into an artefact with a package database',
    own: { only: ONLY },
    examples: [
      ['osbuilder why libc6 --distro debian', 'why would a Debian guest have it?'],
      ['osbuilder why openssl rootfs.tar', 'why is it in this rootfs?'],
    ],
  },
  which: {
    usage: 'which <path> [artefact]',
    describe: 'show the package that owns a path, and each step that made, changed or removed it',
    own: { only: ONLY },
    examples: [['osbuilder which /etc/passwd --distro debian --agent demo', 'what made this file?']],
  },
  inspect: {
    usage: 'inspect <file>',
    describe: 'show what an artefact is and holds',
    own: {
      list: { type: 'boolean', describe: 'list its files' },
      cat: { type: 'string', value: 'PATH', describe: 'print the file at this path' },
    },
    examples: [
      ['osbuilder inspect kata-containers.img', 'partitions, file system, packages'],
      ['osbuilder inspect initrd.img --cat /etc/os-release', 'one of its files'],
      ['osbuilder inspect rootfs.tar --sbom guest.cdx.json', 'a bill of materials of the packages in it'],
    ],
  },
  extract: {
    usage: 'extract <file>',
    describe: 'take the tree of any artefact out into a folder or an archive',
    own: { output: { ...OUTPUT, describe: 'DIR/ or FILE.tar[.gz|.zst]' } },
    examples: [['osbuilder extract kata-containers.img -o rootfs.tar', 'the files of an image as an archive']],
  },
  diff: {
    usage: 'diff <a> <b>',
    describe:
      'show in what two artefacts or two locks differ: packages, files, owners, modes, texts, units, accounts; ends with 1 when they do',
    own: {},
    examples: [
      ['osbuilder diff old.img new.img', 'what has changed in the guest?'],
      ['osbuilder diff old.lock.json new.lock.json', 'what was it made of before, and what now?'],
    ],
  },
  repro: {
    usage: 'repro [source]',
    describe:
      'build a guest twice, with another time zone, locale, umask, folder and number of threads, and compare the bytes',
    own: { only: ONLY },
    examples: [['osbuilder repro --distro alpine --agent demo --agent-init', 'does it depend on this machine?']],
  },
  verify: {
    usage: 'verify <files..>',
    describe: 'recompute every checksum of an artefact, and compare it with a lock or a signed statement',
    own: {
      rebuild: { type: 'boolean', describe: 'build what the lock says again, compare, and show which paths differ' },
      key: {
        type: 'string',
        value: 'FILE',
        describe: 'public key (PEM): verify the signed statement among the files, and that it is about the others',
      },
      'root-hash': {
        type: 'string',
        value: 'HASH|FILE',
        describe:
          'root hash that a measured image must have: hex, root_hash=…,salt=…, or a file with it (default: root_hash_VARIANT.txt beside the image, or its partitions)',
      },
    },
    examples: [
      ['osbuilder verify initrd.img kata-containers.img', 'are both undamaged?'],
      ['osbuilder verify kata-containers.img --root-hash root_hash_.txt', 'has each block the digest it must have?'],
    ],
  },
  push: {
    usage: 'push <reference> <files..>',
    describe:
      'push artefacts to a registry (oci://HOST/NAME:TAG) or a layout (oci:DIR, oci-archive:FILE); bills of materials and provenance among them are attached to the others, or to what is there',
    own: {
      index: {
        type: 'boolean',
        describe: 'add it to the index under the tag, for the architecture of --arch, beside those of others',
      },
    },
    examples: [
      ['osbuilder push oci://registry.example.org/guests/kata:1.0 kata.img kata.cdx.json', 'an image and its SBOM'],
      ['osbuilder push oci://localhost:5000/copy:1 oci:layout', 'a layout as it is'],
    ],
  },
  pull: {
    usage: 'pull <reference>',
    describe: 'pull the files of an artifact from a registry or a layout, each checked by its digest',
    own: {
      output: { ...OUTPUT, describe: 'folder for the files; oci:DIR or oci-archive:FILE for a copy of everything' },
      attached: { type: 'boolean', describe: 'what is attached to it, too: bills of materials, provenance' },
      key: { type: 'string', value: 'FILE', describe: 'public key (PEM): take it only when it is signed with that' },
    },
    examples: [['osbuilder pull oci://registry.example.org/guests/kata:1.0 -o guest/', 'the files of a guest']],
  },
  boot: {
    usage: 'boot <artefact>',
    describe:
      'start an initrd or disk image in a machine that QEMU imitates, with a kernel from packages, and show its console',
    own: {
      kernel: { type: 'string', value: 'FILE', describe: 'the kernel (default: one from packages)' },
      'first-stage': {
        type: 'string',
        value: 'FILE',
        describe: 'the initrd that mounts a disk (default: one with the drivers that the disk needs)',
      },
      disk: { type: 'string', value: 'DEVICE', describe: 'what a disk image is: virtio-blk (default) or nvdimm' },
      extension: {
        type: 'string',
        value: 'NAME=FILE',
        many: true,
        describe: 'an extension image that the guest mounts, with its root hash beside it; repeatable',
      },
      load: { type: 'string', value: '"A B"', describe: 'more drivers to load first, with all that they depend on' },
      writable: { type: 'boolean', describe: 'the guest may write to its disk; what it wrote is dropped at the end' },
      memory: { type: 'string', value: 'MIB', describe: 'memory of the machine (default: by the size of the guest)' },
      append: { type: 'string', value: 'WORDS', describe: 'more words for the kernel’s command line' },
      until: { type: 'string', value: 'TEXT', describe: 'end the machine when a line of its console has this text' },
      'until-regex': { type: 'string', value: 'REGEX', describe: 'the same for lines that this pattern matches' },
      'until-off': { type: 'boolean', describe: 'after --until, let the guest run until it powers off' },
      'fail-regex': { type: 'string', value: 'REGEX', describe: 'also fail at lines that this pattern matches' },
      timeout: {
        type: 'string',
        value: 'SECONDS',
        describe: 'give up after that time (default: 120 with KVM, 600 without; none at a terminal)',
      },
      accelerator: { type: 'string', value: 'NAME', describe: 'kvm or tcg (default: KVM where it can be used)' },
    },
    examples: [
      ['osbuilder boot kata-containers-initrd.img --until KATA-AGENT-READY', 'does it start its agent?'],
      ['osbuilder boot kata-containers.img --disk nvdimm', 'as Kata starts it; Ctrl-A X ends it, Ctrl-A H helps'],
      ['osbuilder boot arm64.img --kernel ./Image --json', 'with a kernel of your own; what came when, as JSON'],
    ],
  },
  distros: {
    usage: 'distros',
    describe: 'show distributions, releases, architectures, and what is verified how',
    own: {
      show: { type: 'string', value: 'NAME', describe: 'print this distribution’s profile, to begin your own from' },
    },
    examples: [['osbuilder distros --show debian', 'an example for --profile']],
  },
  modules: {
    usage: 'modules',
    describe: 'show the modules of the dracut method, and which of them a system can give',
    own: {
      show: { type: 'string', value: 'NAME', describe: 'print this module, to begin your own from' },
    },
    examples: [
      ['osbuilder modules --sysroot /', 'which of them can be taken from this machine, and why not'],
      ['osbuilder modules --dracut-module mine.yaml --show mine', 'check a module of your own'],
    ],
  },
  'drop-in': {
    usage: 'drop-in <folder>',
    describe:
      'write a Makefile and scripts in the places of Kata’s tools/osbuilder, so that its build runs on this program',
    own: {},
    examples: [['osbuilder drop-in kata-containers/tools/osbuilder', 'after the old files were moved away']],
  },
  matrix: {
    usage: 'matrix <engine>',
    describe:
      'print a manifest with which an engine builds all guests of a config file: kubernetes, argo, slurm, gitlab or github',
    own: {
      shards: { type: 'string', value: 'N', describe: 'number of jobs (default: 4)' },
      container: { type: 'string', value: 'IMAGE', describe: 'image of the jobs, which has Node (default: node:22)' },
      program: {
        type: 'string',
        value: '"A B"',
        describe: 'the command that starts osbuilder in a job (default: npx --yes osbuilder@VERSION)',
      },
    },
    examples: [['osbuilder matrix slurm --shards 8 > guests.sh', 'then: sbatch guests.sh']],
  },
  cache: {
    usage: 'cache <action>',
    describe:
      'show what the cache holds (info), check all of it (verify), keep it below --cache-size (gc), or empty it (clear)',
    own: {},
    examples: [['osbuilder cache info', 'how much is kept, and where']],
  },
};

/** Commands that answer by themselves, without settings. */
export const ANSWERS: Readonly<Record<string, CommandRow>> = {
  help: {
    usage: 'help [command]',
    describe: 'show the commands, or the flags and examples of one',
    own: {},
    examples: [['osbuilder help initrd', 'the same as osbuilder initrd --help']],
  },
  version: { usage: 'version', describe: 'show the version', own: {} },
  completion: {
    usage: 'completion <shell>',
    describe: 'print a completion script for bash, zsh or fish',
    own: {},
    examples: [
      ['source <(osbuilder completion bash)', 'in ~/.bashrc'],
      ['source <(osbuilder completion zsh)', 'in ~/.zshrc, after compinit'],
      ['osbuilder completion fish | source', 'in ~/.config/fish/config.fish'],
    ],
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

/** `initrd [SOURCE]`: a command and its positionals, as help shows them. */
export function shownUsage(row: CommandRow): string {
  return row.usage.replace(/([[<])(\w+)(\.\.)?[\]>]/g, (_, open: string, name: string, many: string | undefined) => {
    const word = `${name.toUpperCase()}${many === undefined ? '' : '…'}`;
    return open === '<' ? word : `[${word}]`;
  });
}
