import type { RegistryReference } from '../../formats/oci/reference.ts';
import type { Mirror } from '../mirror.ts';
import { Connection } from './connection.ts';
import { type CredentialSources, Wallet } from './credentials.ts';
import { type Found, Repository } from './repository.ts';

/** Access to registries; nothing is asked before something is wanted of one. */
export class Registries {
  private readonly mirror: Mirror;
  private readonly wallet: Wallet;
  private readonly plainHttp: boolean;
  private readonly bases = new Map<string, Promise<string>>();
  private readonly open = new Map<string, Repository>();
  private readonly named = new Map<string, Promise<Found>>();

  constructor(mirror: Mirror, credentials: CredentialSources = {}, { plainHttp = false } = {}) {
    this.mirror = mirror;
    this.wallet = new Wallet(credentials);
    this.plainHttp = plainHttp;
  }

  /** The repository of a reference. */
  repository({ registry, name }: Pick<RegistryReference, 'registry' | 'name'>): Repository {
    const key = `${registry}/${name}`;
    let found = this.open.get(key);
    if (found === undefined) {
      const { mirror, wallet, plainHttp } = this;
      found = new Repository(new Connection(registry, name, { mirror, wallet, plainHttp }, this.bases), mirror);
      this.open.set(key, found);
    }
    return found;
  }

  /** What a reference names; a tag that moves during a build is what it was at first. */
  resolve(reference: RegistryReference): Promise<Found> {
    const { registry, name, tag, digest } = reference;
    const key = `${registry}/${name} ${digest ?? tag!}`;
    let found = this.named.get(key);
    if (found === undefined) {
      found = this.repository(reference).manifest(digest ?? tag!);
      this.named.set(key, found);
    }
    return found;
  }
}
