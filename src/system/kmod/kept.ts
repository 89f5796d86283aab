import { BIG_ENDIAN } from '../../bytes/byte-order.ts';
import type { Reopening } from '../../bytes/content.ts';
import { sha256 } from '../../bytes/digest.ts';
import { statesOf } from '../../bytes/host-directory.ts';
import { isBuildError } from '../../errors/error.ts';
import type { Cache } from '../../fetch/cache.ts';
import { CODE } from '../../fetch/code.ts';
import type { Host } from '../../fetch/host.ts';
import type { ModuleData } from '../../formats/kmod/module.ts';
import { storedModules, storeModules } from '../../formats/kmod/packed.ts';

/** Increase when what is kept has another form. */
const VERSION = 1;

/**
 * Facts of kernel modules that earlier builds read, in the cache: thousands of modules are unpacked for them, which takes most of
 * the time of a guest with a kernel. They are kept for exactly these files, as long as none of them changes, and for this
 * program's code. What cannot be kept is read again by the next build.
 */
export class KeptModules {
  private readonly cache: Cache;
  private readonly code: string;

  constructor(cache: Cache, code: string) {
    this.cache = cache;
    this.code = code;
  }

  /** The name of what is kept of files; undefined when one of them is not there. */
  nameOf(files: readonly Reopening[]): string | undefined {
    const states = statesOf(files);
    if (states === undefined) return undefined;
    const inputs = [VERSION, this.code, BIG_ENDIAN ? 'big' : 'little', states];
    return `${sha256(Buffer.from(JSON.stringify(inputs)))}.modules`;
  }

  /** The facts that are kept under a name, in the order of its files. */
  read(name: string): readonly ModuleData[] | undefined {
    const kept = this.cache.read('parsed', name);
    return kept === undefined ? undefined : storedModules(kept);
  }

  /** Keeps facts under a name. */
  async write(name: string, facts: readonly ModuleData[]): Promise<void> {
    try {
      await this.cache.write('parsed', name, storeModules(facts));
    } catch (error) {
      // the facts are there without it
      if (!isBuildError(error, 'WRITE_FAILED')) throw error;
    }
  }
}

/** What earlier builds of this program kept; undefined where everything is to be made again, and where the code is not known. */
export function keptModules({ cache, anew }: Pick<Host, 'cache' | 'anew'>): KeptModules | undefined {
  return anew === true || CODE === '' ? undefined : new KeptModules(cache, CODE);
}
