import type { KeyObject } from 'node:crypto';
import { Layout, LayoutTarget } from '../artefacts/layout.ts';
import { openArtefact } from '../artefacts/open.ts';
import type { OpenOptions } from '../artefacts/probe.ts';
import { attach, attachedType, copy, type PublishedFile, publish, publishedFile } from '../artefacts/publish.ts';
import { isImage, manifestOf, named, registriesOf, titleOf } from '../artefacts/reference.ts';
import { withoutSlashes } from '../bytes/ending.ts';
import { hostStat } from '../bytes/host-directory.ts';
import { makeFolders, type Poured, pour } from '../bytes/pour.ts';
import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import type { Found, Source, Target } from '../fetch/registry/repository.ts';
import type { Descriptor, Manifest } from '../formats/oci/manifest.ts';
import { isReference, type Reference, referenceOf } from '../formats/oci/reference.ts';
import { SIGNATURE_TYPE, signatureOf, verifySignature } from './image-signature.ts';

/** How something is pushed. */
export interface PushOptions {
  /** Unix seconds, for the note of when it was made. */
  readonly epoch?: number | undefined;
  /** Add it to the index under the tag, for this processor (`uname -m` name). */
  readonly indexFor?: string | undefined;
  /** Sign the manifest with it. */
  readonly key?: KeyObject | undefined;
  /** Statements about the files, whatever their names, with their media types. */
  readonly about?: readonly { readonly path: string; readonly type: string }[];
}

/** What was pushed. */
export interface Pushed {
  /** `oci://HOST/NAME@sha256:…`: the same for ever. */
  readonly reference: string;
  readonly digest: string;
  readonly tag?: string;
  readonly files: readonly {
    readonly name: string;
    readonly size: number;
    readonly digest: string;
    readonly mediaType: string;
  }[];
  /** Statements beside it, by their names; `signature` for a signature. */
  readonly attached: readonly { readonly name: string; readonly digest: string }[];
  /** Bytes of files that had to be sent: the others were there. */
  readonly sent: number;
}

/**
 * Pushes files to a registry, a layout or its archive: artefacts as one artifact, statements about them (SBOM,
 * provenance) attached to it. Statements alone are attached to what is there. A layout among `files` is copied as it is.
 */
export async function push(
  text: string,
  paths: readonly string[],
  options: PushOptions,
  host: OpenOptions & { readonly report: Report },
): Promise<Pushed> {
  const reference = referenceOf(text);
  const { target, finish } = await targetOf(reference, host);
  const tag = reference.tag ?? (reference.kind === 'registry' ? undefined : 'latest');
  if (reference.digest !== undefined && paths.some((path) => attachedType(path) === undefined))
    throw new BuildError('REFERENCE_INVALID', {
      reference: text,
      reason: 'what is pushed decides on its digest: name a tag, or statements to attach to this digest',
    });
  const [only] = paths;
  if (paths.length === 1 && only !== undefined && isReference(only)) {
    const { source, top } = await named(referenceOf(only), host, openArtefact);
    const sent = await copy(source, top, target, tag);
    const attached = await sign(target, top.descriptor, options);
    await finish();
    return described(target, top.descriptor, tag, [], attached, sent);
  }
  const files: PublishedFile[] = [];
  const statements: PublishedFile[] = [];
  for (const path of paths) {
    const one = await publishedFile(path, host);
    (attachedType(path) === undefined ? files : statements).push(one);
  }
  const names = files.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  // what is pulled has no folders
  if (twice !== undefined) throw twiceNamed(text, twice);
  for (const { path, type } of options.about ?? []) {
    const one = await publishedFile(path, host);
    statements.push({ ...one, descriptor: { ...one.descriptor, mediaType: type } });
  }
  const made =
    files.length > 0
      ? await publish(target, files, { tag, epoch: options.epoch, indexFor: options.indexFor, report: host.report })
      : { ...(await subjectOf(target, reference)), sent: 0 };
  let { sent } = made;
  const attached: { name: string; digest: string }[] = [];
  for (const one of statements) {
    const artifactType = one.descriptor.mediaType;
    const statement = { artifactType, layer: one.descriptor, content: one.content };
    const { digest } = await attach(target, made.manifest, statement, options.epoch);
    attached.push({ name: one.name, digest });
    sent += one.descriptor.size;
  }
  attached.push(...(await sign(target, made.manifest, options)));
  if (made.top.digest !== made.manifest.digest) attached.push(...(await sign(target, made.top, options)));
  await finish();
  return described(target, made.top, reference.digest === undefined ? tag : undefined, files, attached, sent);
}

/** What statements alone are about: what the reference names already. */
async function subjectOf(
  target: Target,
  { tag, digest, text }: Reference,
): Promise<{ readonly manifest: Descriptor; readonly top: Descriptor }> {
  const found = await target.current(digest ?? tag ?? 'latest');
  if (found !== undefined) return { manifest: found.descriptor, top: found.descriptor };
  throw new BuildError(
    'NOT_FOUND',
    { url: text },
    { hint: 'statements alone are attached to what is there: push the artefact first, or with them' },
  );
}

async function sign(target: Target, subject: Descriptor, { key, epoch }: PushOptions) {
  if (key === undefined) return [];
  const repository = target.shown.replace(/^oci:\/\//, '');
  const { digest } = await attach(target, subject, signatureOf(subject.digest, repository, key), epoch);
  return [{ name: 'signature', digest }];
}

function described(
  target: Target,
  { digest }: Descriptor,
  tag: string | undefined,
  files: readonly PublishedFile[],
  attached: Pushed['attached'],
  sent: number,
): Pushed {
  return {
    ...{ reference: `${target.shown}@${digest}`, digest },
    ...(tag === undefined ? {} : { tag }),
    files: files.map(({ name, descriptor }) => ({
      ...{ name, size: descriptor.size, digest: descriptor.digest, mediaType: descriptor.mediaType },
    })),
    ...{ attached, sent },
  };
}

async function targetOf(
  reference: Reference,
  host: OpenOptions,
): Promise<{ readonly target: Target; readonly finish: () => Promise<void> }> {
  const none = async () => {};
  if (reference.kind === 'registry')
    return { target: registriesOf(reference, host).repository(reference), finish: none };
  if (reference.kind === 'docker-archive')
    throw new BuildError('REFERENCE_INVALID', {
      reference: reference.text,
      reason: 'archives of docker are read only: write oci-archive:FILE, which docker load takes as well',
    });
  let target: LayoutTarget;
  if (reference.kind === 'oci-archive') target = LayoutTarget.archive(reference.path, host);
  // made with its first file: a source that fails leaves no empty folder
  else if (hostStat(reference.path) === undefined) target = LayoutTarget.folder(reference.path, undefined);
  else {
    const folder = await openArtefact(reference.path, host);
    if (folder.kind !== 'directory')
      throw new BuildError('REFERENCE_INVALID', {
        reference: reference.text,
        reason: `${reference.path} is no folder: a layout in one file is oci-archive:${reference.path}`,
      });
    const stored = await folder.stored!();
    target = LayoutTarget.folder(
      reference.path,
      stored.has('index.json') ? new Layout(stored, reference.text) : undefined,
    );
  }
  return { target, finish: () => target.finish() };
}

/** How something is pulled. */
export interface PullOptions {
  /** Folder for the files, or a reference of a layout (`oci:DIR`, `oci-archive:FILE`) to copy to. */
  readonly output: string;
  /** Statements about it as well. */
  readonly attached: boolean;
  /** Take it only when it is signed with this key. */
  readonly key?: KeyObject | undefined;
}

/** What was pulled. */
export interface Pulled {
  readonly reference: string;
  readonly digest: string;
  readonly files: readonly Poured[];
}

/** Pulls the files of an artifact, or copies anything to a layout. */
export async function pull(text: string, options: PullOptions, host: OpenOptions): Promise<Pulled> {
  const { source, top } = await named(referenceOf(text), host, openArtefact);
  if (isReference(options.output)) {
    if (options.key !== undefined) await verifySignature(source, top.descriptor.digest, options.key);
    return copied(source, top, text, options, host);
  }
  const { manifest, found } = await manifestOf(source, top, host);
  const digest = found.descriptor.digest;
  if (options.key !== undefined) await verifyEither(source, [digest, top.descriptor.digest], options.key);
  if (isImage(manifest))
    throw new BuildError(
      'ARTIFACT_FILES',
      { source: text, reason: 'it is an image of a container' },
      { hint: 'osbuilder extract takes its tree out, and -o oci:DIR copies it as it is' },
    );
  const rows = rowsOf(manifest, text);
  if (options.attached) rows.push(...(await attachedRows(source, digest, text)));
  const names = rows.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw twiceNamed(text, twice);
  // everything is fetched and checked before the first is written
  const contents = await Promise.all(rows.map(({ layer }) => source.blob(layer)));
  const folder = withoutSlashes(options.output);
  makeFolders(folder);
  const files: Poured[] = [];
  for (const [i, { name, layer }] of rows.entries())
    files.push(await pour(contents[i]!.open(), `${folder}/${name}`, { size: layer.size }));
  return { reference: `${source.shown}@${digest}`, digest, files };
}

/** A signature of the manifest, or of the index that it was chosen from. */
async function verifyEither(source: Source, digests: readonly string[], key: KeyObject): Promise<void> {
  let failure: unknown;
  for (const digest of new Set(digests))
    try {
      await verifySignature(source, digest, key);
      return;
    } catch (error) {
      failure ??= error;
    }
  throw failure;
}

async function copied(
  source: Source,
  top: Found,
  text: string,
  { output, attached }: PullOptions,
  host: OpenOptions,
): Promise<Pulled> {
  const to = referenceOf(output);
  const from = referenceOf(text);
  const { target, finish } = await targetOf(to, host);
  await copy(source, top, target, to.tag ?? from.tag ?? 'latest');
  if (attached)
    for (const one of await source.referrers(top.descriptor.digest)) {
      const found = await source.manifest(one.digest);
      if (found.value.kind !== 'manifest') continue;
      for (const layer of [found.value.config, ...found.value.layers])
        await target.putBlob(layer, await source.blob(layer));
      await target.attach({ bytes: found.bytes, descriptor: found.descriptor }, found.value);
    }
  await finish();
  return { reference: `${target.shown}@${top.descriptor.digest}`, digest: top.descriptor.digest, files: [] };
}

interface Row {
  readonly name: string;
  readonly layer: Descriptor;
}

/** The files of an artifact and their names, which lead nowhere else. */
function rowsOf({ layers }: Manifest, text: string): Row[] {
  if (layers.length === 0) throw new BuildError('ARTIFACT_FILES', { source: text, reason: 'it has none' });
  return layers.map((layer) => ({ name: nameOf(layer, text), layer }));
}

function twiceNamed(text: string, name: string): BuildError {
  return new BuildError('ARTIFACT_FILES', { source: text, reason: `two of them are named "${name}"` });
}

function nameOf(layer: Descriptor, text: string): string {
  const name = titleOf(layer) ?? layer.digest.replace(':', '-');
  if (/[/\\\0]/.test(name) || name === '.' || name === '..' || name.length > 255)
    throw new BuildError('ARTIFACT_FILES', { source: text, reason: `"${name}" is no name of a file` });
  return name;
}

async function attachedRows(source: Source, digest: string, text: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const one of await source.referrers(digest)) {
    const { value } = await source.manifest(one.digest);
    if (value.kind !== 'manifest' || value.artifactType === SIGNATURE_TYPE) continue;
    for (const layer of value.layers) rows.push({ name: nameOf(layer, text), layer });
  }
  return rows;
}
