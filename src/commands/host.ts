import { createReadStream, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardUnfinished } from '../bytes/pour.ts';
import { removeQuietly, writeFailed } from '../bytes/reason.ts';
import { readRegular, SMALL_FILE_LIMIT } from '../bytes/regular.ts';
import { BuildError } from '../errors/error.ts';
import { type Report, silent } from '../events/events.ts';
import { hostSourcePaths } from '../families/apt/host-sources.ts';
import { Cache } from '../fetch/cache.ts';
import { FolderCache } from '../fetch/folder-cache.ts';
import type { Host } from '../fetch/host.ts';
import { UNPACK_LIMITS, type UnpackLimits } from '../fetch/limits.ts';
import { Mirror, proxiesOf, type RemoteCache } from '../fetch/mirror.ts';
import { Registries } from '../fetch/registry/registries.ts';
import { RegistryCache } from '../fetch/registry/remote-cache.ts';
import { referenceOf } from '../formats/oci/reference.ts';
import { closePool } from '../workers/shared.ts';
import { defaultCacheDirectory } from './cache-directory.ts';
import { credentialSources } from './credentials.ts';

/** How {@link createHost} gives access to the build host. Everything has a default. */
export interface HostOptions {
  /** Folder for downloads and unpacked packages; by default the user's cache folder. */
  readonly cacheDirectory?: string;
  /** Receives events: progress, notes, warnings. By default they are dropped. */
  readonly report?: Report;
  /** Use the cache and local folders only. */
  readonly offline?: boolean;
  /** Seconds after which a mirror that sends nothing is asked again; 60 by default. */
  readonly timeout?: number;
  /** Check every file of the cache by its digest before it is used. */
  readonly verifyCache?: boolean;
  /** The most bytes that packages may unpack to: 8 GiB for each and 64 GiB for all of a build by default. */
  readonly unpackLimits?: Partial<UnpackLimits>;
  /** Variables for proxies (`http_proxy`, …), for credentials of registries (`OSBUILDER_REGISTRY_USER`, …), and for the cache folder (`XDG_CACHE_HOME`); `process.env` by default. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** PEM certificates of authorities to trust besides Node's own. */
  readonly certificates?: readonly string[];
  /** Registries on other machines may be reached without TLS. */
  readonly registryPlainHttp?: boolean;
  /** `uname -m` name of the guest's processor, for images of containers that are for several. */
  readonly architecture?: string;
  /** A repository of a registry that has packages by their digests, and whether fetched ones are pushed to it. */
  readonly remoteCache?: { readonly reference: string; readonly write: boolean };
  /** Unix seconds, to check whether signed metadata has expired; by default the present time. Never in an output. */
  readonly now?: number;
}

/** A {@link Host} with connections and a temporary folder of its own. */
export interface OwnHost extends Host {
  /** Ends connections and threads, and removes the temporary folder. */
  close(): Promise<void>;
}

/** Hosts that are not closed yet. */
let open = 0;

/**
 * Access to the build host and the network, as the command line has it: a cache on disk, a mirror with the proxies of the
 * environment, the host's own apt sources, a temporary folder. Close it at the end. Throws `WRITE_FAILED` when the cache
 * folder cannot be made; `workspace()` throws it when the temporary folder cannot.
 *
 * @example
 * ```ts
 * import { createHost, openArtefact } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * try {
 *   const artefact = await openArtefact('rootfs.tar', host);
 *   console.log(artefact.kind, (await artefact.tree()).text('etc/hostname')); // prints: tar kata
 * } finally {
 *   await host.close();
 * }
 * ```
 */
export function createHost(options: HostOptions = {}): OwnHost {
  const { report = silent, environment = process.env, now = Math.floor(Date.now() / 1000) } = options;
  const cache = new Cache(options.cacheDirectory ?? defaultCacheDirectory(environment), {
    verifyAll: options.verifyCache ?? false,
    limits: { ...UNPACK_LIMITS, ...options.unpackLimits },
    now,
  });
  cache.rejectOthers();
  cache.rejectShared();
  const patience = (options.timeout ?? 60) * 1000;
  const mirror = new Mirror({
    cache,
    report,
    timeouts: { connect: Math.min(patience, 15_000), headers: patience, body: patience },
    offline: options.offline ?? false,
    proxy: proxiesOf(environment),
    certificates: options.certificates ?? [],
  });
  const registries = new Registries(mirror, credentialSources(environment), {
    plainHttp: options.registryPlainHttp ?? false,
  });
  if (options.remoteCache !== undefined) mirror.lookFirst(remoteCacheOf(options.remoteCache, registries, report));
  open++;
  let closed = false;
  let workspace: string | undefined;
  let release = () => {};
  return {
    ...{ cache, mirror, report, now, registries, hostSources: hostSources(), unpackLimits: cache.limits },
    ...(options.architecture === undefined ? {} : { architecture: options.architecture }),
    readFile: (path) => readRegular(path, SMALL_FILE_LIMIT),
    input: () => createReadStream('', { fd: 0, autoClose: false }),
    workspace() {
      if (workspace === undefined) {
        workspace = freshWorkspace();
        release = guardUnfinished(workspace);
      }
      return workspace;
    },
    async close() {
      if (closed) return;
      closed = true;
      open--;
      await mirror.close();
      // threads are shared by all hosts of a process
      if (open === 0) await closePool();
      if (workspace !== undefined && !removeQuietly(workspace))
        report({ kind: 'note', message: `the temporary folder ${workspace} could not be removed` });
      workspace = undefined;
      release();
    },
  };
}

/** The remote cache that a reference names. Throws `REFERENCE_INVALID`. */
function remoteCacheOf(
  { reference, write }: NonNullable<HostOptions['remoteCache']>,
  registries: Registries,
  report: Report,
): RemoteCache {
  if (/^(?:https?|file):\/\//i.test(reference)) {
    if (write)
      throw new BuildError('REFERENCE_INVALID', {
        reference,
        reason: 'a folder is read only: leave out --remote-cache-write',
      });
    return new FolderCache(reference, report);
  }
  const found = referenceOf(reference);
  if (found.kind !== 'registry' || found.digest !== undefined)
    throw new BuildError('REFERENCE_INVALID', {
      reference,
      reason: 'a remote cache is a repository (oci://HOST/NAME) or a folder (http://HOST/PATH)',
    });
  return new RegistryCache(registries.repository(found), { write, report });
}

/** Makes a temporary folder for decompressed inputs. Throws `WRITE_FAILED`. */
function freshWorkspace(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'osbuilder-'));
  } catch (cause) {
    throw writeFailed(tmpdir(), cause, 'set TMPDIR to a folder that you may write');
  }
}

/** The build host's own apt sources, if it has any. */
function hostSources(): { path: string; text: string }[] {
  return hostSourcePaths((folder) => listFolder(folder)).flatMap((path) => {
    try {
      return [{ path, text: readFileSync(path, 'utf8') }];
    } catch {
      return [];
    }
  });
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
