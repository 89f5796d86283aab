import type { FileContent } from '../bytes/content.ts';
import { hostFile } from '../bytes/file.ts';
import { pour } from '../bytes/pour.ts';
import { BuildError } from '../errors/error.ts';
import type { Found, Source } from '../fetch/registry/repository.ts';
import { Repository } from '../fetch/registry/repository.ts';
import { chosenManifest, type Descriptor, hexOf, type Manifest, TYPES } from '../formats/oci/manifest.ts';
import { type Reference, type RegistryReference, referenceOf } from '../formats/oci/reference.ts';
import type { Entry } from '../tree/entry.ts';
import { file } from '../tree/inode.ts';
import { overlayEntries } from '../tree/overlay.ts';
import { Tree } from '../tree/tree.ts';
import { containerRootfs } from './containers.ts';
import { entriesOf } from './entries.ts';
import type { Artefact } from './kind.ts';
import { expectSize, Layout } from './layout.ts';
import { type OpenOptions, spoolPath } from './probe.ts';

/** Opens a file or folder of the build host, as `openArtefact` does. */
type Open = (path: string, options: OpenOptions) => Promise<Artefact>;

/** What a reference names: where it is read from, and its manifest or index. */
export interface Named {
  readonly source: Source;
  readonly top: Found;
}

/** Finds what a reference names. `open` opens archives of layouts. Throws errors of registries, and `NOT_FOUND`. */
export async function named(reference: Reference, options: OpenOptions, open: Open): Promise<Named> {
  if (reference.kind === 'registry') {
    const registries = registriesOf(reference, options);
    return { source: registries.repository(reference), top: await registries.resolve(reference) };
  }
  const source = new Layout(await storedTree(reference.path, options, open), `${reference.kind}:${reference.path}`);
  return { source, top: await source.top(reference.digest ?? reference.tag, options.architecture) };
}

/** The access to registries. Throws a `TypeError` where the caller of the library gave none. */
export function registriesOf(reference: RegistryReference, { registries }: OpenOptions) {
  if (registries === undefined) throw new TypeError(`${reference.text}: this host has no access to registries`);
  return registries;
}

/** The files of a layout: those of its folder or archive as they are. */
async function storedTree(path: string, options: OpenOptions, open: Open): Promise<Tree> {
  const artefact = await open(path, options);
  if (artefact.stored !== undefined) return artefact.stored();
  throw new BuildError('CONTAINER_INVALID', { path, reason: 'it is no folder or archive of a layout' });
}

/**
 * Opens what a reference names: an image of a container becomes one tree, an artifact's only archive or image is opened as
 * that, several archives are applied in their order.
 */
export async function openReference(text: string, options: OpenOptions, open: Open): Promise<Artefact> {
  const reference = referenceOf(text);
  if (reference.kind === 'docker-archive') {
    const artefact = { ...(await open(reference.path, options)), path: text };
    if (reference.tag === undefined) return artefact;
    const stored = await storedTree(reference.path, options, open);
    const root = await containerRootfs(stored, reference.path, options, reference.tag);
    if (root === undefined)
      throw new BuildError('CONTAINER_INVALID', { path: reference.path, reason: 'it is no archive of docker save' });
    return {
      ...artefact,
      tree: async () => root,
      async *entries() {
        yield* entriesOf(root);
      },
    };
  }
  const { source, top } = await named(reference, options, open);
  const { manifest, found } = await manifestOf(source, top, options);
  const digest = found.descriptor.digest;
  if (isImage(manifest)) {
    let made: Promise<Tree> | undefined;
    const tree = () => (made ??= imageTree(text, source, found, manifest, options));
    return {
      ...{ path: text, kind: 'tar', compression: 'none', digest },
      size: manifest.layers.reduce((sum, { size }) => sum + size, 0),
      access: () => Promise.reject(new TypeError(`${text} is an image of a container`)),
      tree,
      async *entries() {
        yield* entriesOf(await tree());
      },
      structures: async () => [],
    };
  }
  return { ...(await openFiles(text, source, manifest, options, open)), path: text, digest };
}

/** The manifest for the guest's processor. */
export async function manifestOf(
  source: Source,
  top: Found,
  { architecture }: Pick<OpenOptions, 'architecture'>,
): Promise<{ readonly manifest: Manifest; readonly found: Found }> {
  let found = top;
  // an index of indexes is allowed, and nobody makes one
  for (let depth = 0; depth < 8; depth++) {
    const { value } = found;
    if (value.kind === 'manifest') return { manifest: value, found };
    const chosen = chosenManifest(value, architecture ?? 'x86_64', source.shown);
    found = await source.manifest(chosen.digest);
    expectSize(found, chosen, source.shown);
  }
  throw new BuildError('OCI_MANIFEST_INVALID', {
    source: source.shown,
    reason: 'its indexes refer to each other too deeply',
  });
}

/** True for an image of a container; everything else is an artifact with files. */
export function isImage({ config, artifactType }: Manifest): boolean {
  return (
    artifactType === undefined &&
    [TYPES.config, 'application/vnd.docker.container.image.v1+json'].includes(config.mediaType)
  );
}

/** The tree of an image of a container. */
async function imageTree(
  text: string,
  source: Source,
  found: Found,
  manifest: Manifest,
  options: OpenOptions,
): Promise<Tree> {
  const layout = new Tree();
  for (const folder of ['blobs', 'blobs/sha256']) layout.makeDirectory(folder);
  const put = (path: string, content: FileContent) => layout.set(path, file(content));
  const descriptors = [manifest.config, ...manifest.layers];
  const contents = await Promise.all(descriptors.map((one) => blobContent(source, one, options)));
  for (const [i, { digest }] of descriptors.entries()) put(`blobs/sha256/${hexOf(digest)}`, contents[i]!);
  layout.writeFile(`blobs/sha256/${hexOf(found.descriptor.digest)}`, found.bytes);
  layout.writeFile('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
  layout.writeFile('index.json', JSON.stringify({ schemaVersion: 2, manifests: [found.descriptor] }));
  return (await containerRootfs(layout, text, options))!;
}

/** A blob as a file: of the cache, of a layout, or of the workspace. */
async function blobContent(source: Source, descriptor: Descriptor, options: OpenOptions): Promise<FileContent> {
  return hostFile(await blobPath(source, descriptor, options, hexOf(descriptor.digest)));
}

async function blobPath(source: Source, descriptor: Descriptor, options: OpenOptions, name: string): Promise<string> {
  if (source instanceof Repository) return source.blobFile(descriptor);
  const path = spoolPath(options, name);
  await pour((await source.blob(descriptor)).open(), path, { size: descriptor.size });
  return path;
}

/** Opens the files of an artifact. */
async function openFiles(
  text: string,
  source: Source,
  manifest: Manifest,
  options: OpenOptions,
  open: Open,
): Promise<Artefact> {
  const wrong = (reason: string) => new BuildError('ARTIFACT_FILES', { source: text, reason });
  if (manifest.layers.length === 0) throw wrong('it has none');
  const files = [];
  for (const [i, layer] of manifest.layers.entries()) {
    const title = titleOf(layer) ?? `file ${i + 1}`;
    const path = await blobPath(source, layer, options, hexOf(layer.digest));
    files.push({ title, artefact: await open(path, options) });
  }
  const [only] = files;
  if (files.length === 1) return only!.artefact;
  // Kata's artefacts have a version and a list of digests beside the tarball
  const guests = files.filter(({ artefact }) => artefact.kind !== 'file');
  const [first] = guests;
  if (guests.length === 1) return first!.artefact;
  const names = files.map(({ title }) => title).join(', ');
  if (first === undefined || guests.some(({ artefact }) => artefact.kind !== 'tar'))
    throw wrong(`it has several (${names}); push what is meant alone, or pull it and name the file`);
  const entries = async function* (): AsyncIterable<Entry> {
    for (const { artefact } of guests) yield* artefact.entries();
  };
  return {
    ...first.artefact,
    entries,
    async tree() {
      const tree = new Tree();
      for (const { title, artefact } of guests) {
        const all: Entry[] = [];
        for await (const entry of artefact.entries()) all.push(entry);
        overlayEntries(tree, all, { source: `${text}: ${title}`, root: 'take', labels: 'keep' });
      }
      return tree;
    },
  };
}

/** The name of a file of an artifact (image-spec, annotations.md). */
export function titleOf({ annotations }: Descriptor): string | undefined {
  const title = annotations?.['org.opencontainers.image.title'];
  return title === '' ? undefined : title;
}
