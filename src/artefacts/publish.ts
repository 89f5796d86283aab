import { basename } from 'node:path';
import { type Content, memory } from '../bytes/content.ts';
import { digestOf } from '../bytes/digest.ts';
import { hostFile } from '../bytes/file.ts';
import { isoTime } from '../bytes/iso-time.ts';
import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import type { Found, Source, Target } from '../fetch/registry/repository.ts';
import {
  type Annotations,
  type Descriptor,
  EMPTY,
  type Encoded,
  encodeManifest,
  type Index,
  type Manifest,
  platformOf,
  TYPES,
} from '../formats/oci/manifest.ts';
import type { ArtefactKind } from './kind.ts';
import { openArtefact } from './open.ts';
import type { OpenOptions } from './probe.ts';

/** Type of the artifact that a guest is in a registry. */
export const GUEST_TYPE = 'application/vnd.kata-containers.guest.v1';

const TITLE = 'org.opencontainers.image.title';
const CREATED = 'org.opencontainers.image.created';

/** A file that is published. */
export interface PublishedFile {
  readonly path: string;
  readonly name: string;
  readonly content: Content;
  readonly descriptor: Descriptor;
}

/** Reads what a file is, and its digest. Throws `ARTIFACT_FILES` for a folder. */
export async function publishedFile(path: string, options: OpenOptions): Promise<PublishedFile> {
  const artefact = await openArtefact(path, options);
  if (artefact.kind === 'directory')
    throw new BuildError(
      'ARTIFACT_FILES',
      { source: path, reason: 'it is a folder' },
      { hint: 'write it as an archive first: osbuilder extract FOLDER -o rootfs.tar' },
    );
  const content = hostFile(path);
  const mediaType = typeOf(artefact.kind, artefact.compression, path);
  const digest = `sha256:${await digestOf(content)}`;
  const name = basename(path);
  return { path, name, content, descriptor: { mediaType, digest, size: content.size, annotations: { [TITLE]: name } } };
}

/** Media type of a file by what it is. */
function typeOf(kind: ArtefactKind, compression: string, path: string): string {
  switch (kind) {
    case 'initrd':
      return 'application/vnd.kata-containers.guest.initrd.v1';
    case 'disk':
      return 'application/vnd.kata-containers.guest.image.v1';
    case 'ext4':
    case 'erofs':
    case 'xfs':
      return `application/vnd.kata-containers.guest.filesystem.v1+${kind}`;
    case 'tar': {
      const suffix = { none: '', gzip: '+gzip', zstd: '+zstd' }[compression];
      return suffix === undefined ? 'application/octet-stream' : `application/vnd.oci.image.layer.v1.tar${suffix}`;
    }
    default:
      return attachedType(path) ?? (/\.txt$/i.test(path) ? 'text/plain' : 'application/octet-stream');
  }
}

/** Type of a statement about others by its name: a bill of materials, provenance, reference values. */
export function attachedType(path: string): string | undefined {
  if (/\.cdx\.json$/i.test(path)) return 'application/vnd.cyclonedx+json';
  if (/\.spdx(?:\.json)?$/i.test(path)) return 'application/spdx+json';
  if (/\.(?:dsse|intoto|in-toto)(?:\.jsonl?)?$/i.test(path)) return 'application/vnd.in-toto+json';
  return undefined;
}

/** How files are published. */
export interface PublishOptions {
  readonly tag?: string | undefined;
  /** Unix seconds, for the note of when it was made; no note if left out. */
  readonly epoch?: number | undefined;
  /** Add it to the index under the tag, for this processor (`uname -m` name), in place of an earlier one. */
  readonly indexFor?: string | undefined;
  readonly report?: Report;
}

/** What was published. */
export interface Published {
  /** The manifest that has the files. */
  readonly manifest: Descriptor;
  /** What the tag names: the manifest, or the index that lists it. */
  readonly top: Descriptor;
  /** Bytes of blobs that had to be sent. */
  readonly sent: number;
}

const noteOf = (epoch: number | undefined): Annotations | undefined =>
  epoch === undefined ? undefined : { [CREATED]: isoTime(epoch) };

/** Writes files as one artifact. */
export async function publish(
  target: Target,
  files: readonly PublishedFile[],
  { tag, epoch, indexFor, report }: PublishOptions,
): Promise<Published> {
  const total = files.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  report?.({ kind: 'phase', phase: 'push', bytes: total, item: target.shown });
  let sent = 0;
  await target.putBlob(EMPTY.descriptor, memory(EMPTY.bytes));
  for (const { descriptor, content } of files) if (await target.putBlob(descriptor, content)) sent += descriptor.size;
  const annotations = noteOf(epoch);
  const encoded = encodeManifest({
    ...{ mediaType: TYPES.manifest, artifactType: GUEST_TYPE, config: EMPTY.descriptor },
    layers: files.map(({ descriptor }) => descriptor),
    ...(annotations === undefined ? {} : { annotations }),
  });
  let top = encoded;
  if (indexFor === undefined) await target.putManifest(encoded, tag);
  else {
    await target.putManifest(encoded);
    const known = tag === undefined ? undefined : (await target.current(tag))?.value;
    top = indexWith(known, encoded, indexFor);
    await target.putManifest(top, tag);
  }
  report?.({ kind: 'ended', phase: 'push', bytes: sent, item: target.shown });
  return { manifest: encoded.descriptor, top: top.descriptor, sent };
}

/** An index with one more manifest; the one for the same platform makes room. */
function indexWith(known: Manifest | Index | undefined, encoded: Encoded, uname: string): Encoded {
  const platform = platformOf(uname);
  const others = known?.kind === 'index' ? known.manifests : [];
  const kept = others.filter(
    (one) => one.platform?.os !== platform.os || one.platform.architecture !== platform.architecture,
  );
  const manifests = [...kept, { ...encoded.descriptor, platform }].sort((a, b) => {
    const [x, y] = [a, b].map((one) => `${one.platform?.os}/${one.platform?.architecture} ${one.digest}`);
    return x! < y! ? -1 : 1;
  });
  return encodeManifest({ mediaType: TYPES.index, manifests });
}

/** Writes a statement about a manifest, so that it is found beside it. */
export async function attach(
  target: Target,
  subject: Descriptor,
  statement: {
    readonly artifactType: string;
    readonly layer: Descriptor;
    readonly content: Content;
    readonly tag?: string;
  },
  epoch?: number,
): Promise<Descriptor> {
  const { artifactType, layer, content, tag } = statement;
  await target.putBlob(EMPTY.descriptor, memory(EMPTY.bytes));
  await target.putBlob(layer, content);
  const annotations = noteOf(epoch);
  const { mediaType, digest, size } = subject;
  const manifest: Omit<Manifest, 'kind'> = {
    ...{ mediaType: TYPES.manifest, artifactType, config: EMPTY.descriptor, layers: [layer] },
    subject: { mediaType, digest, size },
    ...(annotations === undefined ? {} : { annotations }),
  };
  const encoded = encodeManifest(manifest);
  await target.attach(encoded, { kind: 'manifest', ...manifest });
  if (tag !== undefined) await target.putManifest(encoded, tag);
  return encoded.descriptor;
}

/** Indexes inside of indexes: tools nest one or two. */
const DEEPEST = 8;

/**
 * Copies a manifest or an index with all that it names, each once. Returns the bytes that had to be sent. Throws
 * `OCI_MANIFEST_INVALID` for indexes nested more than eight deep.
 */
export async function copy(source: Source, found: Found, target: Target, tag?: string): Promise<number> {
  return copyOnce(source, found, target, { tag, seen: new Set(), depth: 0 });
}

interface Copying {
  readonly tag: string | undefined;
  /** Digests that were copied: indexes may name the same ones again and again. */
  readonly seen: Set<string>;
  readonly depth: number;
}

async function copyOnce(source: Source, found: Found, target: Target, { tag, seen, depth }: Copying): Promise<number> {
  let sent = 0;
  const { value, bytes, descriptor } = found;
  if (depth > DEEPEST)
    throw new BuildError('OCI_MANIFEST_INVALID', {
      source: `${source.shown}@${descriptor.digest}`,
      reason: `it is inside of ${depth} indexes, more than ${DEEPEST}`,
    });
  if (value.kind === 'index')
    for (const { digest } of value.manifests) {
      if (seen.has(digest)) continue;
      seen.add(digest);
      sent += await copyOnce(source, await source.manifest(digest), target, { tag: undefined, seen, depth: depth + 1 });
    }
  else {
    for (const one of [value.config, ...value.layers]) {
      if (seen.has(one.digest)) continue;
      seen.add(one.digest);
      if (await target.putBlob(one, await source.blob(one))) sent += one.size;
    }
  }
  await target.putManifest({ bytes, descriptor }, tag);
  return sent;
}
