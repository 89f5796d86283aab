import type { Elf } from '../formats/elf/read.ts';
import { readLdCache } from '../formats/ldcache/read.ts';
import type { Tree } from '../tree/tree.ts';
import { elfOf } from './elfs.ts';
import { globPaths } from './glob.ts';

/** Where the dynamic loader of a tree looks for libraries: ld.so(8) for glibc, `ldso/dynlink.c` for musl. */

/** What is known of a machine's loader, by the name of the machine and the size of its words. */
interface Machine {
  /** Debian's folder for its libraries. */
  readonly triplet: string;
  /** The value of `$PLATFORM`, where it does not depend on the model of the processor. */
  readonly platform?: string;
  /** Folders below glibc-hwcaps, the most specific one first (glibc: sysdeps/…/dl-hwcaps_subdirs.c). */
  readonly hwcaps?: readonly string[];
}

const MACHINES: Readonly<Record<string, Machine>> = {
  'x86_64/64': { triplet: 'x86_64-linux-gnu', platform: 'x86_64', hwcaps: ['x86-64-v4', 'x86-64-v3', 'x86-64-v2'] },
  'x86_64/32': { triplet: 'x86_64-linux-gnux32', platform: 'x86_64' },
  'i386/32': { triplet: 'i386-linux-gnu' },
  'aarch64/64': { triplet: 'aarch64-linux-gnu', platform: 'aarch64' },
  'arm/32': { triplet: 'arm-linux-gnueabihf' },
  'ppc64le/64': { triplet: 'powerpc64le-linux-gnu', hwcaps: ['power10', 'power9'] },
  'ppc64/64': { triplet: 'powerpc64-linux-gnu' },
  's390x/64': { triplet: 's390x-linux-gnu', hwcaps: ['z17', 'z16', 'z15', 'z14', 'z13'] },
  'riscv/64': { triplet: 'riscv64-linux-gnu' },
  'loongarch64/64': { triplet: 'loongarch64-linux-gnu' },
};

function machineOf(elf: Elf): Machine | undefined {
  const name = elf.machineName === 'ppc64' && elf.littleEndian ? 'ppc64le' : elf.machineName;
  return MACHINES[`${name}/${elf.bits}`];
}

/** True when a process of `a` can load `b`. */
export function sameKind(a: Elf, b: Elf): boolean {
  return a.machine === b.machine && a.bits === b.bits && a.littleEndian === b.littleEndian;
}

/** Folders that /etc/ld.so.conf names, in order; absolute. */
export function configuredFolders(tree: Tree): string[] {
  const folders: string[] = [];
  const seen = new Set<string>();
  const read = (file: string, depth: number) => {
    const text = seen.has(file) ? undefined : tree.text(file);
    seen.add(file);
    if (text === undefined || depth > 10) return;
    for (const row of text.split('\n')) {
      const line = row.replace(/#.*/, '').trim();
      if (line === '') continue;
      const include = /^include\s+(.+)$/.exec(line);
      if (include === null) {
        if (!line.startsWith('hwcap ')) folders.push(line.split(/[\s=]/)[0]!.replace(/(.)\/+$/, '$1'));
        continue;
      }
      for (const pattern of include[1]!.split(/\s+/))
        for (const path of globPaths(tree, pattern.startsWith('/') ? pattern : `/etc/${pattern}`))
          read(path, depth + 1);
    }
  };
  read('etc/ld.so.conf', 0);
  return folders;
}

/** An object in the chain of those that loaded each other, the program last. */
export interface Loaded {
  /** Absolute path, as it was found. */
  readonly path: string;
  readonly elf: Elf;
  /** The object that needs it; absent for the program. */
  readonly by?: Loaded;
}

/** How to search. */
export interface SearchOptions {
  /** Look into /etc/ld.so.cache before the folders, as glibc does. */
  readonly cache?: boolean;
  /** Further default folders, before those of the machine. */
  readonly folders?: readonly string[];
}

/** Finds libraries in one tree, as its loader would. Answers are remembered: the tree must not change. */
export class LibrarySearch {
  private readonly tree: Tree;
  private readonly options: SearchOptions;
  private configured: readonly string[] | undefined;
  private cached: ReadonlyMap<string, readonly string[]> | undefined;
  private readonly defaults = new Map<string, readonly string[]>();
  private readonly found = new Map<string, string | undefined>();
  private readonly folders = new Map<string, boolean>();
  private readonly chains = new WeakMap<Loaded, readonly string[]>();

  constructor(tree: Tree, options: SearchOptions = {}) {
    this.tree = tree;
    this.options = options;
  }

  /** The path of the library that `needer` gets for `soname`; undefined if there is none. */
  find(needer: Loaded, soname: string): string | undefined {
    const { elf } = needer;
    if (soname.includes('/')) return this.fits(soname, elf) ? soname : undefined;
    if (this.isMusl(needer)) return this.findMusl(needer, soname);
    for (const folder of this.ownFolders(needer)) {
      const path = `${folder}/${soname}`;
      if (this.fits(path, elf)) return path;
    }
    return elf.noDefaultFolders ? undefined : this.findShared(soname, elf);
  }

  /** Paths of a library's copies for newer processors, beside the generic one. */
  hwcapsOf(path: string, elf: Elf): string[] {
    const slash = path.lastIndexOf('/');
    const folder = path.slice(0, slash);
    return (machineOf(elf)?.hwcaps ?? [])
      .map((name) => `${folder}/glibc-hwcaps/${name}${path.slice(slash)}`)
      .filter((copy) => this.fits(copy, elf));
  }

  /** Folders that are searched for any object of this kind. */
  defaultFolders(elf: Elf): readonly string[] {
    const key = `${elf.machineName}/${elf.bits}/${elf.littleEndian}`;
    let folders = this.defaults.get(key);
    if (folders === undefined) {
      const triplet = machineOf(elf)?.triplet;
      folders = [
        ...(this.options.folders ?? []),
        ...(triplet === undefined ? [] : [`/lib/${triplet}`, `/usr/lib/${triplet}`]),
        ...(elf.bits === 64 ? ['/lib64', '/usr/lib64'] : []),
        '/lib',
        '/usr/lib',
      ];
      this.defaults.set(key, folders);
    }
    return folders;
  }

  /** Every folder that is searched: those of ld.so.conf, then the default ones for objects of this kind. */
  allFolders(elf?: Elf): readonly string[] {
    this.configured ??= configuredFolders(this.tree);
    return [
      ...this.configured,
      ...(elf === undefined ? ['/lib64', '/usr/lib64', '/lib', '/usr/lib'] : this.defaultFolders(elf)),
    ];
  }

  private fits(path: string, elf: Elf): boolean {
    const file = this.tree.file(path);
    const other = file === undefined ? undefined : elfOf(file);
    return other !== undefined && sameKind(elf, other);
  }

  /** Folders of RPATH and RUNPATH. RPATH is inherited, and not used by an object with RUNPATH; RUNPATH is not inherited. */
  private ownFolders(needer: Loaded): readonly string[] {
    return needer.elf.runpath.length > 0 ? this.expanded(needer.elf.runpath, needer) : this.inherited(needer);
  }

  /** Folders of an object's RPATH and then of those that loaded it; for musl, of RUNPATH as well. */
  private inherited(of: Loaded, musl = false): readonly string[] {
    const known = this.chains.get(of);
    if (known !== undefined) return known;
    const { rpath, runpath } = of.elf;
    const own = runpath.length === 0 ? rpath : musl ? runpath : [];
    const above = of.by === undefined ? [] : this.inherited(of.by, musl);
    const folders = own.length === 0 ? above : [...new Set([...this.expanded(own, of), ...above])];
    this.chains.set(of, folders);
    return folders;
  }

  /** Folders with `$ORIGIN`, `$LIB` and `$PLATFORM` replaced; those with a value that is not known are left out. */
  private expanded(folders: readonly string[], of: Loaded): string[] {
    const machine = machineOf(of.elf);
    const values: Record<string, string | undefined> = { LIB: this.libOf(of.elf), PLATFORM: machine?.platform };
    return folders.flatMap((folder) => {
      let unknown = false;
      const text = folder.replace(/\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)\b)/g, (_, braced, bare) => {
        const name = (braced ?? bare) as string;
        if (name === 'ORIGIN') {
          const real = this.tree.realpath(of.path) ?? '';
          return `/${real.replace(/\/?[^/]*$/, '')}`;
        }
        const value = values[name];
        if (value === undefined) unknown = true;
        return value ?? '';
      });
      // a folder relative to the working directory leads nowhere in a guest
      const path = text.replace(/^\/+/, '/').replace(/(.)\/+$/, '$1');
      return unknown || !text.startsWith('/') || !this.isFolder(path) ? [] : [path];
    });
  }

  private isFolder(path: string): boolean {
    let is = this.folders.get(path);
    if (is === undefined) {
      is = this.tree.stat(path)?.kind === 'directory';
      this.folders.set(path, is);
    }
    return is;
  }

  /** `$LIB`: glibc was configured with it, and Debian's and Red Hat's layouts differ. */
  private libOf(elf: Elf): string {
    const triplet = machineOf(elf)?.triplet;
    if (triplet !== undefined && this.tree.stat(`usr/lib/${triplet}`)?.kind === 'directory') return `lib/${triplet}`;
    return elf.bits === 64 && this.tree.stat('usr/lib64')?.kind === 'directory' ? 'lib64' : 'lib';
  }

  private findShared(soname: string, elf: Elf): string | undefined {
    const key = `${elf.machine}/${elf.bits}/${elf.littleEndian}/${soname}`;
    if (this.found.has(key)) return this.found.get(key);
    this.configured ??= configuredFolders(this.tree);
    const candidates = this.options.cache === true ? (this.cacheEntries().get(soname) ?? []) : [];
    const folders = [...this.configured, ...this.defaultFolders(elf)];
    const path = [...candidates, ...folders.map((folder) => `${folder}/${soname}`)].find((one) => this.fits(one, elf));
    this.found.set(key, path);
    return path;
  }

  private cacheEntries(): ReadonlyMap<string, readonly string[]> {
    if (this.cached === undefined) {
      const bytes = this.tree.file('etc/ld.so.cache')?.content.readSync();
      const paths = new Map<string, string[]>();
      for (const { soname, path } of (bytes === undefined ? undefined : readLdCache(bytes))?.libraries ?? []) {
        const known = paths.get(soname);
        if (known === undefined) paths.set(soname, [path]);
        else known.push(path);
      }
      this.cached = paths;
    }
    return this.cached;
  }

  private isMusl(needer: Loaded): boolean {
    let program = needer;
    while (program.by !== undefined) program = program.by;
    const { interpreter, needed } = program.elf;
    if (interpreter !== undefined) return interpreter.includes('/ld-musl-');
    return needed.some((name) => name.startsWith('libc.musl-'));
  }

  /** musl: one list of folders; RPATH and RUNPATH are the same and inherited; its own parts are the loader itself. */
  private findMusl(needer: Loaded, soname: string): string | undefined {
    const { elf } = needer;
    const loader = this.muslLoader(needer);
    // ldso/dynlink.c, load_library(): reserved
    if (loader !== undefined && /^lib(?:c|pthread|rt|m|dl|util|xnet)\./.test(soname)) return loader;
    const folders = [...this.inherited(needer, true)];
    const name = /ld-musl-(.+)\.so\.1$/.exec(loader ?? '')?.[1];
    const text = name === undefined ? undefined : this.tree.text(`etc/ld-musl-${name}.path`);
    folders.push(...(text?.split(/[:\n]/).filter((one) => one !== '') ?? ['/lib', '/usr/local/lib', '/usr/lib']));
    return folders.map((folder) => `${folder}/${soname}`).find((path) => this.fits(path, elf));
  }

  private muslLoader(needer: Loaded): string | undefined {
    let program = needer;
    while (program.by !== undefined) program = program.by;
    if (program.elf.interpreter !== undefined) return program.elf.interpreter;
    const name = this.tree
      .list('lib')
      .find((one) => /^ld-musl-.+\.so\.1$/.test(one) && this.fits(`/lib/${one}`, program.elf));
    return name === undefined ? undefined : `/lib/${name}`;
  }
}
