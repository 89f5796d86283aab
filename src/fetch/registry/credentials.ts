import { BuildError } from '../../errors/error.ts';
import { type AuthFile, type Credentials, parseAuthFile } from '../../formats/oci/credentials.ts';

/** Where credentials for registries come from. Nothing is read before a registry asks for some. */
export interface CredentialSources {
  /** Files of `docker login` and the like, the first that has an entry counts. */
  files?(): readonly { readonly path: string; readonly bytes: Uint8Array }[];
  /** User and password of the environment, and the registry that they are for; the only one that asks if left out. */
  readonly named?: { readonly user: string; readonly password: string; readonly registry?: string };
}

/** The credentials of one run. */
export class Wallet {
  private readonly sources: CredentialSources;
  private files: AuthFile[] | undefined;
  /** The registry that the user and password of the environment were given to. */
  private taken: string | undefined;

  constructor(sources: CredentialSources) {
    this.sources = sources;
    this.taken = sources.named?.registry?.toLowerCase();
  }

  /** Credentials for a repository. Throws `AUTH_FILE_INVALID` and `AUTH_HELPER`. */
  find(registry: string, name: string): Credentials | undefined {
    const { named } = this.sources;
    if (named !== undefined && (this.taken === undefined || this.taken === registry)) {
      this.taken = registry;
      return { kind: 'password', user: named.user, password: named.password };
    }
    this.files ??= (this.sources.files?.() ?? []).map(({ path, bytes }) => parseAuthFile(bytes, path));
    let failure: BuildError | undefined;
    for (const file of this.files)
      try {
        const found = file.find(registry, name);
        if (found !== undefined) return found;
      } catch (error) {
        // a later file may have the password itself
        if (!(error instanceof BuildError)) throw error;
        failure ??= error;
      }
    if (failure !== undefined) throw failure;
    return undefined;
  }

  /** What to do where a registry wants credentials and there are none. */
  hint(registry: string): string {
    return this.taken !== undefined && this.taken !== registry
      ? `the user and password of the environment are for ${this.taken} (OSBUILDER_REGISTRY_HOST says for which); log in to ${registry} with podman login, docker login or skopeo login`
      : `log in with podman login, docker login or skopeo login, or set OSBUILDER_REGISTRY_USER and OSBUILDER_REGISTRY_PASSWORD`;
  }
}
