import { memory } from '../../bytes/content.ts';
import { BuildError, isBuildError } from '../../errors/error.ts';
import { parseChallenges } from '../../formats/oci/credentials.ts';
import { isInward, type Mirror, type Question, type Reply } from '../mirror.ts';
import type { Wallet } from './credentials.ts';

/** Bytes of an answer with a token. */
const TOKEN_LIMIT = 256 << 10;

/** What may be done in a repository. */
export type Action = 'pull' | 'push';

/** What a connection to a registry needs. */
export interface ConnectionOptions {
  readonly mirror: Mirror;
  readonly wallet: Wallet;
  /** Registries on other machines may be reached without TLS. */
  readonly plainHttp: boolean;
}

/** Requests to one repository of a registry: its address, and the credentials that it asks for. */
export class Connection {
  readonly registry: string;
  readonly name: string;
  private readonly options: ConnectionOptions;
  private readonly bases: Map<string, Promise<string>>;
  /** Header Authorization by what it is good for; `basic` for everything. */
  private readonly known = new Map<string, string>();

  /** `bases` remembers how registries are reached, for all connections. */
  constructor(registry: string, name: string, options: ConnectionOptions, bases: Map<string, Promise<string>>) {
    this.registry = registry;
    this.name = name;
    this.options = options;
    this.bases = bases;
  }

  /** Address of the registry, without a slash at the end. */
  base(): Promise<string> {
    let base = this.bases.get(this.registry);
    if (base === undefined) {
      base = this.findBase();
      this.bases.set(this.registry, base);
      base.catch(() => this.bases.delete(this.registry));
    }
    return base;
  }

  /** Address of something in this repository: `manifests/latest`. */
  async url(path: string): Promise<string> {
    return `${await this.base()}/v2/${this.name}/${path}`;
  }

  /** The registry speaks TLS, or is on this machine, or may be reached without. Throws `REGISTRY_PLAIN`. */
  private async findBase(): Promise<string> {
    const host = this.registry === 'docker.io' ? 'registry-1.docker.io' : this.registry;
    const secure = `https://${host}`;
    if (this.options.mirror.offline) return secure;
    const name = new URL(secure).hostname;
    const loopback = isInward(name) && /^(?:localhost|.*\.localhost|127\..*|\[::1\])$/i.test(name);
    try {
      await this.options.mirror.ask(`${secure}/v2/`, { method: 'GET', limit: TOKEN_LIMIT, once: true });
      return secure;
    } catch (error) {
      if (!isBuildError(error, 'CONNECTION_FAILED') || !speaksPlainly(error.cause)) {
        // an endless or strange answer came over TLS all the same; the request itself will say what is wrong
        if (isBuildError(error, 'DOWNLOAD_TOO_LONG')) return secure;
        throw error;
      }
      if (loopback || this.options.plainHttp) return `http://${host}`;
      const hint = 'if nobody else is in this network, say so with `registryPlainHttp`';
      throw new BuildError('REGISTRY_PLAIN', { registry: this.registry }, { hint, cause: error });
    }
  }

  /** Asks the registry, with the credentials that it wants. Throws `REGISTRY_DENIED` where those are not accepted. */
  async ask(address: string, actions: readonly Action[], question: Question): Promise<Reply> {
    const { mirror } = this.options;
    const own = (await this.base()) === new URL(address).origin;
    // an address on another host has a permission of its own in its query; it gets none of ours
    const sent = own ? this.current(actions) : undefined;
    const first = await mirror.ask(address, { ...question, authorization: sent });
    if (first.status !== 401 || !own) return this.rejectDenied(address, first);
    const authorization = await this.renew(address, actions, first.header('www-authenticate') ?? '', sent);
    if (authorization === undefined) return this.rejectDenied(address, first);
    return this.rejectDenied(address, await mirror.ask(address, { ...question, authorization }));
  }

  private rejectDenied(address: string, reply: Reply): Reply {
    if (reply.status === 401 || reply.status === 403) throw this.denied(address, reply.status);
    return reply;
  }

  /** The error for a registry that does not let us. */
  denied(address: string, status: number): BuildError {
    const reason =
      status === 401 ? 'it wants a user and a password, or others than these' : 'these credentials do not suffice';
    const hint = this.options.wallet.hint(this.registry);
    return new BuildError('REGISTRY_DENIED', { url: address.replace(/\?.*/, ''), status, reason }, { hint });
  }

  /** Header Authorization as far as it is known. */
  current(actions: readonly Action[]): string | undefined {
    return this.known.get('basic') ?? this.known.get(actions.join());
  }

  /**
   * Header Authorization for what the registry answered 401 to; undefined where it cannot be had, or is no other than
   * the one that was rejected.
   */
  async renew(
    address: string,
    actions: readonly Action[],
    header: string,
    sent: string | undefined,
  ): Promise<string | undefined> {
    const challenges = parseChallenges(header);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    // another request was answered in the same way, and knows better by now
    const known = this.current(actions);
    if (known !== undefined && known !== sent) return known;
    this.known.clear();
    if (bearer !== undefined) {
      const realm = bearer.parameters.get('realm');
      if (realm === undefined) throw this.answer(address, 'it names no token service');
      const token = await this.token(address, realm, bearer.parameters.get('service'), actions);
      this.known.set(actions.join(), `Bearer ${token}`);
      return `Bearer ${token}`;
    }
    if (!challenges.some(({ scheme }) => scheme === 'basic')) return undefined;
    const found = this.options.wallet.find(this.registry, this.name);
    if (found?.kind !== 'password') return undefined;
    const basic = basicOf(found.user, found.password);
    if (basic === sent) return undefined;
    this.known.set('basic', basic);
    return basic;
  }

  /** A token for what is to be done (https://distribution.github.io/distribution/spec/auth/token/ and …/auth/oauth/). */
  private async token(
    address: string,
    realm: string,
    service: string | undefined,
    actions: readonly Action[],
  ): Promise<string> {
    const base = await this.base();
    let url: URL;
    try {
      url = new URL(realm);
    } catch {
      throw this.answer(address, 'its token service is no URL');
    }
    const plain = url.protocol === 'http:' && (base.startsWith('http:') || isInward(url.hostname));
    if (url.protocol !== 'https:' && !plain) throw this.answer(address, 'its token service does not use TLS');
    url.username = '';
    url.password = '';
    url.hash = '';
    const found = this.options.wallet.find(this.registry, this.name);
    const scope = `repository:${this.name}:${actions.join()}`;
    const question = { limit: TOKEN_LIMIT, namedBy: base };
    let reply: Reply;
    if (found?.kind === 'identity') {
      const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: found.token, scope });
      form.set('service', service ?? this.registry);
      form.set('client_id', 'osbuilder');
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const body = memory(Buffer.from(form.toString()));
      reply = await this.options.mirror.ask(url.href, { ...question, method: 'POST', headers, body });
    } else {
      if (service !== undefined) url.searchParams.set('service', service);
      url.searchParams.set('scope', scope);
      const authorization = found === undefined ? undefined : basicOf(found.user, found.password);
      reply = await this.options.mirror.ask(url.href, { ...question, method: 'GET', authorization });
    }
    if (reply.status === 401 || reply.status === 403) throw this.denied(url.href, reply.status);
    if (reply.status !== 200) throw this.answer(url.href, `the token service answered ${reply.status}`);
    const token = tokenIn(reply.bytes);
    if (token === undefined) throw this.answer(url.href, 'the token service sent no token');
    return token;
  }

  /** The error for an answer that makes no sense. */
  answer(address: string, reason: string): BuildError {
    return new BuildError('REGISTRY_ANSWER', { url: address.replace(/\?.*/, ''), reason });
  }
}

function basicOf(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function tokenIn(bytes: Uint8Array): string | undefined {
  try {
    const { token, access_token: other } = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>;
    const found = typeof token === 'string' && token !== '' ? token : other;
    // RFC 6750 section 2.1; anything else could not stand in a header
    return typeof found === 'string' && /^[A-Za-z0-9._~+/-]+=*$/.test(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** True when a server answered the start of TLS with something else. */
function speaksPlainly(cause: unknown): boolean {
  for (let error = cause as (Error & { code?: string }) | undefined; error !== undefined; ) {
    if (
      /^(?:ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNEXPECTED_MESSAGE)|EPROTO)$/.test(
        error.code ?? '',
      )
    )
      return true;
    error = error.cause as typeof error;
  }
  return false;
}
