import { inParts, randomAccessMemory } from '../bytes/file.ts';
import { BuildError } from '../errors/error.ts';
import { readModule } from '../formats/kmod/module.ts';
import { moduleName } from '../system/kmod/find.ts';
import { builtinNames } from '../system/kmod/indexes.ts';
import { modulePaths } from '../system/kmod/install.ts';
import { formatOf, moduleBytes } from '../system/kmod/load.ts';
import { softWords } from '../system/kmod/lookup.ts';
import type { Tree } from '../tree/tree.ts';

/** A kernel module, ready to be loaded. */
export interface LoadedModule {
  readonly name: string;
  /** Not compressed. */
  readonly bytes: Uint8Array;
}

/**
 * The modules of one kernel, from a folder `lib/modules/VERSION`. Only those that are asked for and what they name are read:
 * a first stage needs ten of four thousand, and a lookup of all aliases reads each.
 */
export class KernelModules {
  private readonly paths: ReadonlyMap<string, string>;
  private readonly builtIn: ReadonlySet<string>;
  private readonly kernel: string;
  private readonly tree: Tree;
  private readonly folder: string;

  /** `folder`: path of that folder in `tree`. `kernel` names it in errors. */
  constructor(tree: Tree, folder: string, kernel: string) {
    this.tree = tree;
    this.folder = folder;
    this.kernel = kernel;
    this.paths = new Map(modulePaths(tree, folder).map((path) => [moduleName(path), path]));
    this.builtIn = new Set(builtinNames(tree.text(`${folder}/modules.builtin`) ?? ''));
  }

  /** True when the kernel has the driver, built in or as a module. */
  has(name: string): boolean {
    const own = moduleName(name);
    return this.builtIn.has(own) || this.paths.has(own);
  }

  /**
   * Drivers in the order in which they are loaded: what each depends on comes first. Those that are built into the kernel
   * are left out. Throws `DRIVER_MISSING`, `MODULE_CORRUPT`.
   */
  async closure(drivers: readonly string[]): Promise<LoadedModule[]> {
    const order = new Map<string, LoadedModule>();
    const begun = new Set<string>();
    const need = async (name: string, by: string | undefined): Promise<void> => {
      if (begun.has(name) || this.builtIn.has(name)) return;
      begun.add(name);
      const path = this.paths.get(name);
      const content = path === undefined ? undefined : this.tree.file(`${this.folder}/${path}`)?.content;
      if (path === undefined || content === undefined)
        throw new BuildError('DRIVER_MISSING', { kernel: this.kernel, driver: name, by: by ?? null });
      const bytes = await moduleBytes(content, inParts(content, formatOf), path);
      for (const [key, value] of readModule(randomAccessMemory(bytes), path).info) {
        // what only should be there before it (crc32c for ext4) may be missing
        if (key === 'softdep')
          for (const other of softWords(value.split(/\s+/), ['pre:']))
            if (this.has(other)) await need(moduleName(other), name);
        if (key === 'depends')
          for (const other of value.split(',')) if (other !== '') await need(moduleName(other), name);
      }
      order.set(name, { name, bytes });
    };
    for (const name of drivers) await need(moduleName(name), undefined);
    return [...order.values()];
  }
}
