import { collect } from '../bytes/content.ts';
import { decompressAny } from '../compression/decompress.ts';
import { BuildError } from '../errors/error.ts';
import type { File } from '../tree/inode.ts';
import { basename } from '../tree/path.ts';
import { Tree } from '../tree/tree.ts';

/** The largest module that is read, in bytes. */
const MODULE_LIMIT = 256 << 20;

/** A kernel module, ready to be loaded. */
export interface LoadedModule {
  readonly name: string;
  /** Not compressed. */
  readonly bytes: Uint8Array;
}

/** The modules of one kernel, from a folder `lib/modules/VERSION`. */
export class KernelModules {
  private readonly files = new Map<string, { readonly file: File; readonly path: string }>();
  private readonly builtIn = new Set<string>();
  private readonly kernel: string;

  /** `folder`: path of that folder in `tree`. `kernel` names it in errors. */
  constructor(tree: Tree, folder: string, kernel: string) {
    this.kernel = kernel;
    const top = tree.stat(folder);
    if (top?.kind === 'directory')
      for (const { path, inode } of new Tree(top).walk()) {
        const name = /^(.*)\.ko(?:\.(?:gz|xz|zst))?$/.exec(basename(path))?.[1];
        if (name !== undefined && inode.kind === 'file') this.files.set(plain(name), { file: inode, path });
      }
    for (const line of (tree.text(`${folder}/modules.builtin`) ?? '').split('\n'))
      if (line !== '') this.builtIn.add(plain(basename(line).replace(/\.ko$/, '')));
  }

  /** True when the kernel has the driver, built in or as a module. */
  has(name: string): boolean {
    return this.builtIn.has(plain(name)) || this.files.has(plain(name));
  }

  /**
   * Drivers in the order in which they are loaded: what each depends on comes first. Those that are built into the kernel
   * are left out. Throws `DRIVER_MISSING`.
   */
  async closure(drivers: readonly string[]): Promise<LoadedModule[]> {
    const order = new Map<string, LoadedModule>();
    const begun = new Set<string>();
    const need = async (name: string, by: string | undefined): Promise<void> => {
      if (begun.has(name) || this.builtIn.has(name)) return;
      begun.add(name);
      const found = this.files.get(name);
      if (found === undefined)
        throw new BuildError('DRIVER_MISSING', { kernel: this.kernel, driver: name, by: by ?? null });
      const bytes = await collect(decompressAny(found.file.content.open(), found.path), MODULE_LIMIT);
      const { depends, before } = needsOf(bytes);
      // what only should be there before it (crc32c for ext4) may be missing
      for (const other of before) if (this.has(other)) await need(plain(other), name);
      for (const other of depends) await need(plain(other), name);
      order.set(name, { name, bytes });
    };
    for (const name of drivers) await need(plain(name), undefined);
    return [...order.values()];
  }
}

/** Names of modules have `-` and `_` for the same. */
function plain(name: string): string {
  return name.replaceAll('-', '_');
}

/** What a module's `.modinfo` says that it needs: `depends=a,b` and `softdep=pre: c d post: e`. */
function needsOf(bytes: Uint8Array): { depends: string[]; before: string[] } {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const depends = /\0depends=([^\0]*)\0/.exec(text)?.[1] ?? '';
  const before = [...text.matchAll(/\0softdep=([^\0]*)(?=\0)/g)].flatMap(
    ([, words]) => /pre:([^:]*?)(?:\s\S+:|$)/.exec(words!)?.[1]?.split(/\s+/) ?? [],
  );
  return { depends: depends.split(',').filter(Boolean), before: before.filter(Boolean) };
}
