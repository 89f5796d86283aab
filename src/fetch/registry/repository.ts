import type { Content } from '../../bytes/content.ts';
import { memory, slice } from '../../bytes/content.ts';
import { sha256 } from '../../bytes/digest.ts';
import { hostFile } from '../../bytes/file.ts';
import { BuildError, isBuildError } from '../../errors/error.ts';
import {
  type Descriptor,
  type Encoded,
  encodeManifest,
  hexOf,
  type Index,
  JSON_LIMIT,
  type Manifest,
  parseManifest,
  TYPES,
} from '../../formats/oci/manifest.ts';
import { DIGEST } from '../../formats/oci/reference.ts';
import type { Mirror, Reply, Want } from '../mirror.ts';
import type { Action, Connection } from './connection.ts';

/** A manifest or an index as it was read, with what names it. */
export interface Found {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly value: Manifest | Index;
}

/** Where manifests and blobs can be read: a registry, or a layout. */
export interface Source {
  /** Its name in messages. */
  readonly shown: string;
  /** The manifest with a tag or a digest. Throws `NOT_FOUND`, and `OCI_MANIFEST_INVALID`. */
  manifest(reference: string): Promise<Found>;
  /** A blob; its size and digest were checked. */
  blob(descriptor: Descriptor): Promise<Content>;
  /** Manifests that say they are about the one with this digest. */
  referrers(digest: string): Promise<readonly Descriptor[]>;
}

/** Where manifests and blobs can be written. */
export interface Target {
  /** Its name in messages. */
  readonly shown: string;
  /** Writes a blob unless it is there. Returns whether it had to be sent. */
  putBlob(descriptor: Descriptor, content: Content): Promise<boolean>;
  /** Writes a manifest whose blobs are there, under its digest and a tag. */
  putManifest(encoded: Encoded, tag?: string): Promise<void>;
  /** Writes a manifest about another one, so that {@link Source.referrers} finds it. */
  attach(encoded: Encoded, manifest: Manifest): Promise<void>;
  /** The manifest with a tag, if there is one. */
  current(tag: string): Promise<Found | undefined>;
}

const ACCEPT = [TYPES.manifest, TYPES.index, TYPES.dockerManifest, TYPES.dockerIndex].join(', ');
/** What to do when a registry gives other bytes than their digest names. */
const OTHER_BYTES =
  'the registry, or something on the way, gave other bytes than the digest names, and they were thrown away: try again, or push it anew';
/** Bytes of an answer to an upload. */
const ANSWER_LIMIT = 1 << 20;
/** Blobs beyond this many bytes are sent in pieces of that size, so that a broken connection costs no more. */
const PIECE = 8 << 20;
/** How often a piece is tried again without progress. */
const ATTEMPTS = 4;

/** One repository of a registry (https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md). */
export class Repository implements Source, Target {
  readonly shown: string;
  private readonly connection: Connection;
  private readonly mirror: Mirror;

  constructor(connection: Connection, mirror: Mirror) {
    this.connection = connection;
    this.mirror = mirror;
    this.shown = `oci://${connection.registry}/${connection.name}`;
  }

  async manifest(reference: string): Promise<Found> {
    const hex = DIGEST.exec(reference)?.[1];
    const source = `${this.shown}${hex === undefined ? ':' : '@'}${reference}`;
    const kept = hex === undefined ? undefined : this.mirror.cache.read('archives', hex);
    if (kept !== undefined && sha256(kept) === hex) return foundOf(kept, undefined, source);
    const url = await this.connection.url(`manifests/${reference}`);
    const reply = await this.connection.ask(url, ['pull'], {
      ...{ method: 'GET', headers: { accept: ACCEPT }, limit: JSON_LIMIT },
    });
    if (reply.status === 404) throw notFound(url);
    if (reply.status !== 200) throw this.failed(url, reply);
    const actual = sha256(reply.bytes);
    const promised = hex ?? DIGEST.exec(reply.header('docker-content-digest') ?? '')?.[1];
    if (promised !== undefined && promised !== actual)
      throw new BuildError('DIGEST_MISMATCH', { url, expected: promised, actual }, { hint: OTHER_BYTES });
    const found = foundOf(reply.bytes, reply.header('content-type'), source);
    await this.mirror.cache.write('archives', actual, reply.bytes);
    return found;
  }

  async current(tag: string): Promise<Found | undefined> {
    try {
      return await this.manifest(tag);
    } catch (error) {
      if (isBuildError(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async blob(descriptor: Descriptor): Promise<Content> {
    return hostFile(await this.blobFile(descriptor));
  }

  /** A blob as a file for the cache. */
  async blobWant(digest: string, size: number): Promise<Want> {
    const actions: readonly Action[] = ['pull'];
    return {
      urls: [await this.connection.url(`blobs/${digest}`)],
      ...{ size, digest: { algorithm: 'sha256', hex: hexOf(digest) }, category: 'archives' },
      access: {
        current: () => this.connection.current(actions),
        renew: (address, challenge, sent) => this.connection.renew(address, actions, challenge, sent),
      },
    };
  }

  /** Path in the cache of a blob. */
  async blobFile({ digest, size }: Descriptor): Promise<string> {
    const want = await this.blobWant(digest, size);
    const url = want.urls[0]!;
    try {
      return await this.mirror.fetch(want);
    } catch (error) {
      if (isBuildError(error, 'HTTP_STATUS') && [401, 403].includes(error.context.status))
        throw this.connection.denied(url, error.context.status);
      if (isBuildError(error, 'DIGEST_MISMATCH'))
        throw new BuildError('DIGEST_MISMATCH', error.context, { cause: error, hint: OTHER_BYTES });
      throw error;
    }
  }

  async referrers(digest: string): Promise<readonly Descriptor[]> {
    const url = await this.connection.url(`referrers/${digest}`);
    const reply = await this.connection.ask(url, ['pull'], {
      ...{ method: 'GET', headers: { accept: TYPES.index }, limit: JSON_LIMIT },
    });
    if (reply.status === 200) {
      const found = foundOf(reply.bytes, TYPES.index, `${this.shown}: what is attached to ${digest}`).value;
      return found.kind === 'index' ? found.manifests : [];
    }
    // before version 1.1 of the specification: an index under a tag made of the digest
    if (reply.status !== 404) throw this.failed(url, reply);
    const fallback = await this.current(fallbackTag(digest));
    return fallback?.value.kind === 'index' ? fallback.value.manifests : [];
  }

  async putBlob(descriptor: Descriptor, content: Content): Promise<boolean> {
    const { digest } = descriptor;
    const url = await this.connection.url(`blobs/${digest}`);
    const there = await this.connection.ask(url, BOTH, { method: 'HEAD', limit: ANSWER_LIMIT });
    if (there.status === 200) return false;
    let upload = await this.beginUpload(await this.mountQuery(digest));
    if (upload.mounted) return false;
    const size = content.size;
    for (let offset = 0, failures = 0, complete = false; !complete; ) {
      const before = offset;
      try {
        if (size > PIECE && offset < size) {
          const end = Math.min(size, offset + PIECE);
          upload = await this.sendPiece(upload.address!, content, offset, end);
          offset = end;
        } else {
          await this.finishUpload(upload.address!, digest, content, offset);
          complete = true;
        }
        this.mirror.report({ kind: 'progress', phase: 'push', bytes: offset, item: digest });
        failures = 0;
      } catch (error) {
        if (!isPassing(error) || ++failures > ATTEMPTS) throw error;
        this.mirror.report({ kind: 'retried', url, attempt: failures, reason: (error as Error).message });
        const state = await this.uploadState(upload.address!);
        if (state === undefined || state.offset > size) upload = await this.beginUpload('');
        else upload = state;
        offset = state === undefined || state.offset > size ? 0 : state.offset;
        if (offset > before) failures = 0;
      }
    }
    await this.notePlace(digest);
    return true;
  }

  async putManifest({ bytes, descriptor }: Encoded, tag?: string): Promise<void> {
    await this.sendManifest(bytes, descriptor, tag ?? descriptor.digest);
    // where only the tag was written, the digest names it as well
    await this.mirror.cache.write('archives', hexOf(descriptor.digest), bytes);
  }

  async attach(encoded: Encoded, manifest: Manifest): Promise<void> {
    const reply = await this.sendManifest(encoded.bytes, encoded.descriptor, encoded.descriptor.digest);
    const { subject, annotations } = manifest;
    if (subject === undefined || reply.header('oci-subject') !== undefined) return;
    const tag = fallbackTag(subject.digest);
    const known = (await this.current(tag))?.value;
    const others = known?.kind === 'index' ? known.manifests : [];
    const row = { ...encoded.descriptor, ...(annotations === undefined ? {} : { annotations }) };
    const manifests = [...others.filter(({ digest }) => digest !== row.digest), row];
    await this.putManifest(encodeManifest({ mediaType: TYPES.index, manifests }), tag);
  }

  private async sendManifest(bytes: Uint8Array, { mediaType, digest }: Descriptor, reference: string): Promise<Reply> {
    const url = await this.connection.url(`manifests/${reference}`);
    const headers = { 'content-type': mediaType };
    const reply = await this.connection.ask(url, BOTH, {
      ...{ method: 'PUT', headers, body: memory(bytes), limit: ANSWER_LIMIT },
    });
    if (reply.status !== 201) throw this.failed(url, reply);
    const said = reply.header('docker-content-digest');
    if (said !== undefined && said !== digest)
      throw new BuildError(
        'DIGEST_MISMATCH',
        { url, expected: hexOf(digest), actual: said.replace(/^sha256:/, '') },
        { hint: OTHER_BYTES },
      );
    return reply;
  }

  /** Begins an upload, or has the registry take the blob from another of its repositories. */
  private async beginUpload(query: string): Promise<Upload> {
    const url = `${await this.connection.url('blobs/uploads/')}${query}`;
    const reply = await this.connection.ask(url, BOTH, { method: 'POST', body: memory(''), limit: ANSWER_LIMIT });
    // a registry that does not mount begins an upload
    if (reply.status === 201 && query !== '') return { mounted: true, offset: 0, address: undefined };
    if (reply.status !== 202 && query !== '') return this.beginUpload('');
    if (reply.status !== 202) throw this.failed(url, reply);
    return { mounted: false, offset: 0, address: this.located(url, reply) };
  }

  private async sendPiece(address: string, content: Content, offset: number, end: number): Promise<Upload> {
    const headers = { 'content-type': 'application/octet-stream', 'content-range': `${offset}-${end - 1}` };
    const body = slice(content, offset, end - offset);
    const reply = await this.askUpload(address, 'PATCH', headers, body);
    if (reply.status !== 202) throw this.failed(address, reply);
    return { mounted: false, offset: end, address: this.located(address, reply) };
  }

  private async finishUpload(address: string, digest: string, content: Content, offset: number): Promise<void> {
    const url = new URL(address);
    url.searchParams.set('digest', digest);
    const headers = { 'content-type': 'application/octet-stream' };
    const body =
      offset === 0 ? content : offset === content.size ? memory('') : slice(content, offset, content.size - offset);
    const reply = await this.askUpload(url.href, 'PUT', headers, body);
    if (reply.status !== 201) throw this.failed(url.href, reply);
  }

  /** How far an upload has come; undefined where the registry does not know it any more. */
  private async uploadState(address: string): Promise<Upload | undefined> {
    try {
      const reply = await this.askUpload(address, 'GET', {}, undefined);
      const range = /^(?:bytes=)?0-(\d+)$/.exec(reply.header('range') ?? '');
      if (reply.status !== 204 || range === null) return undefined;
      // no registry can say that it has nothing in this way: the specification has 0-0 for both
      const last = Number(range[1]);
      return { mounted: false, offset: last === 0 ? 0 : last + 1, address: this.located(address, reply) };
    } catch (error) {
      if (isPassing(error) || isBuildError(error, 'REGISTRY_ANSWER')) return undefined;
      throw error;
    }
  }

  private async askUpload(
    address: string,
    method: 'GET' | 'PATCH' | 'PUT',
    headers: Readonly<Record<string, string>>,
    body: Content | undefined,
  ): Promise<Reply> {
    const namedBy = await this.connection.base();
    const sent = body === undefined ? {} : { body };
    const once = method !== 'GET';
    return this.connection.ask(address, BOTH, { ...{ method, headers, limit: ANSWER_LIMIT, namedBy, once }, ...sent });
  }

  /** Where a registry says that an upload goes on. */
  private located(address: string, reply: Reply): string {
    const to = reply.header('location');
    if (to === undefined || !URL.canParse(to, address))
      throw this.connection.answer(address, 'it does not say where the upload goes on');
    const url = new URL(to, address);
    const from = new URL(address);
    if (!/^https?:$/.test(url.protocol) || (from.protocol === 'https:' && url.protocol !== 'https:'))
      throw this.connection.answer(address, 'the upload would go on without TLS');
    url.username = '';
    url.password = '';
    return url.href;
  }

  private failed(address: string, reply: Reply): BuildError {
    const url = address.replace(/\?.*/, '');
    const code = codeIn(reply.bytes);
    if (reply.status >= 500 || reply.status === 429 || reply.status === 408)
      return new BuildError('HTTP_STATUS', { url, status: reply.status });
    const why = code === undefined ? '' : ` (${code})`;
    return new BuildError('REGISTRY_ANSWER', { url, reason: `status ${reply.status}${why}` });
  }

  /** The query that has a registry take a blob from another repository, where we know that it has it. */
  private async mountQuery(digest: string): Promise<string> {
    const { registry, name } = this.connection;
    const from = this.places(digest).find((one) => one.registry === registry && one.name !== name)?.name;
    return from === undefined ? '' : `?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
  }

  /** Notes that this repository has a blob. */
  async notePlace(digest: string): Promise<void> {
    const { registry, name } = this.connection;
    const known = this.places(digest).filter((one) => one.registry !== registry || one.name !== name);
    const all = [{ registry, name }, ...known].slice(0, 8);
    await this.mirror.cache.write('indexes', `oci-${hexOf(digest)}`, Buffer.from(JSON.stringify(all)));
  }

  private places(digest: string): readonly Place[] {
    const bytes = this.mirror.cache.read('indexes', `oci-${hexOf(digest)}`);
    if (bytes === undefined) return [];
    try {
      const listed = JSON.parse(bytes.toString('utf8')) as unknown;
      return Array.isArray(listed) ? listed.filter(isPlace) : [];
    } catch {
      return [];
    }
  }
}

const BOTH: readonly Action[] = ['pull', 'push'];

interface Place {
  readonly registry: string;
  readonly name: string;
}

const isPlace = (one: unknown): one is Place =>
  typeof one === 'object' &&
  one !== null &&
  typeof (one as Place).registry === 'string' &&
  typeof (one as Place).name === 'string';

interface Upload {
  readonly mounted: boolean;
  readonly offset: number;
  /** Where it goes on; undefined for a blob that was mounted. */
  readonly address: string | undefined;
}

function fallbackTag(digest: string): string {
  return digest.replace(':', '-');
}

/** True for failures of the connection, after which an upload may go on. */
function isPassing(error: unknown): boolean {
  return (
    isBuildError(error, 'CONNECTION_FAILED') ||
    isBuildError(error, 'DOWNLOAD_STALLED') ||
    isBuildError(error, 'HTTP_STATUS') ||
    (isBuildError(error, 'REGISTRY_ANSWER') && /status (?:404|416)/.test(error.context.reason))
  );
}

function foundOf(bytes: Uint8Array, type: string | undefined, source: string): Found {
  const value = parseManifest(bytes, source);
  const said = type?.split(';')[0]?.trim();
  // Docker's manifests state their type, and so do those of OCI that follow its advice
  const mediaType = said !== undefined && /^application\/vnd\.(oci|docker)\./.test(said) ? said : value.mediaType;
  const isIndex = mediaType === TYPES.index || mediaType === TYPES.dockerIndex;
  if (isIndex !== (value.kind === 'index'))
    throw new BuildError('OCI_MANIFEST_INVALID', { source, reason: `it is no ${mediaType}` });
  return { value, bytes, descriptor: { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length } };
}

function notFound(url: string): BuildError {
  const hint = 'check the name, the tag and the digest; skopeo list-tags shows the tags of a repository';
  return new BuildError('NOT_FOUND', { url, status: 404 }, { hint });
}

/** The code of an error as registries write it; their sentences could repeat what we sent. */
function codeIn(bytes: Uint8Array): string | undefined {
  try {
    const { errors } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { errors: readonly { code: unknown }[] };
    const code = String(errors[0]?.code);
    return /^[A-Z_]{1,64}$/.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}
