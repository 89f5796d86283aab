import { basename } from 'node:path';
import type { Bytes } from '../bytes/content.ts';
import { sha256, verified } from '../bytes/digest.ts';
import { slicesOf, spooled } from '../bytes/spool.ts';
import { decompressAny } from '../compression/decompress.ts';
import { BuildError } from '../errors/error.ts';
import { platformOf } from '../formats/oci/manifest.ts';
import { readTar } from '../formats/tar/read.ts';
import { overlayStream } from '../tree/overlay.ts';
import { display, fromText, normal } from '../tree/path.ts';
import { Tree } from '../tree/tree.ts';
import { bounded, type OpenOptions, spoolPath } from './probe.ts';

/**
 * Images of containers, stored in a folder or an archive: OCI image layouts
 * (https://github.com/opencontainers/image-spec/blob/main/image-layout.md) and what `docker save` writes. Their layers are
 * applied to one tree.
 */

/** Bytes of an index, a manifest or a configuration: registries reject larger ones, too. */
const JSON_LIMIT = 4 << 20;
/** No tool makes images of more layers. */
const LAYERS_LIMIT = 1024;
/** How deep indexes may refer to indexes. */
const DEPTH_LIMIT = 8;

/** What to do about a stored image whose bytes are not those that its digests name. */
export const DAMAGED_IMAGE =
  'the image is damaged, or was changed after it was saved: save it again; `skopeo copy SOURCE oci:FOLDER` checks what it copies';

/** A layer: its file, and what its bytes must be. */
interface Layer {
  readonly path: string;
  /** Digest and size of the file as stored. */
  readonly stored?: { readonly hex: string; readonly size: number };
}

/** A single image. */
interface Image {
  readonly layers: readonly Layer[];
  /** SHA-256 of each layer's plain tar archive in hex, as the configuration states. */
  readonly plain: readonly string[];
}

type Json = { readonly [key: string]: Json } | readonly Json[] | string | number | boolean | null | undefined;

/**
 * The root file system of an image of a container, where a tree is the content of one; undefined for other trees.
 * `path` names the source in messages; `name` the wanted image of those that `docker save` wrote. Layers are decompressed into
 * the workspace, and their digests are checked. Throws
 * `CONTAINER_INVALID` and `CONTAINER_SEVERAL`.
 */
export async function containerRootfs(
  tree: Tree,
  path: string,
  options: OpenOptions,
  name?: string,
): Promise<Tree | undefined> {
  const files = new Files(tree, path);
  const layout = name === undefined && isLayout(tree);
  const image = layout ? layoutImage(files, options) : isSaved(tree) ? savedImage(files, name) : undefined;
  if (image === undefined) return undefined;
  options.report?.({
    kind: 'note',
    message: `${path}: an image of a container; its ${image.layers.length} layers are applied`,
  });
  const root = new Tree();
  for (const [i, layer] of image.layers.entries()) {
    const source = `${path}: layer ${i + 1}`;
    const spool = spoolPath(options, basename(layer.path));
    const plain = bounded(decompressAny(files.bytes(layer), source), source, options, 'package');
    const checked = image.plain[i] === undefined ? plain : withDigest(plain, source, image.plain[i]);
    const report = options.report === undefined ? {} : { report: options.report };
    const entries = readTar(spooled(checked, spool), source, slicesOf(spool), report);
    // contents can be read once the spool is complete; entries are applied in their order
    await overlayStream(root, entries, {
      ...{ source, root: 'take', labels: 'keep', typeChange: 'replace', keepDirectoryLinks: false },
      ...report,
    });
  }
  return root;
}

const isLayout = (tree: Tree): boolean =>
  tree.file('oci-layout') !== undefined && tree.file('index.json') !== undefined;

/** `docker save`: a root file system with a file of that name has folders of its own beside it. */
function isSaved(tree: Tree): boolean {
  return tree.file('manifest.json') !== undefined && !['bin', 'etc', 'sbin', 'usr'].some((name) => tree.has(name));
}

/** The files of an image, by their paths in its folder or archive. */
class Files {
  readonly #tree: Tree;
  readonly path: string;

  constructor(tree: Tree, path: string) {
    this.#tree = tree;
    this.path = path;
  }

  invalid(reason: string): BuildError {
    return new BuildError('CONTAINER_INVALID', { path: this.path, reason });
  }

  json(path: string): Json {
    const found = this.#file(path);
    if (found.size > JSON_LIMIT) throw this.invalid(`${display(path)} has ${found.size} bytes`);
    try {
      return JSON.parse(Buffer.from(found.readSync()).toString('utf8')) as Json;
    } catch {
      throw this.invalid(`${display(path)} is not JSON`);
    }
  }

  /** A blob that is JSON. Its size and digest must be as the descriptor says: the digests of all else depend on it. */
  blob({ path, hex, size }: Descriptor): Json {
    const { content, url } = { content: this.#file(path), url: `${this.path}: ${display(path)}` };
    if (content.size !== size) throw new BuildError('CONTENT_SIZE', { path: url, declared: size, read: content.size });
    const value = this.json(path);
    const actual = sha256(content.readSync());
    if (actual !== hex)
      throw new BuildError('DIGEST_MISMATCH', { url, expected: hex, actual }, { hint: DAMAGED_IMAGE });
    return value;
  }

  bytes({ path, stored }: Layer): Bytes {
    const found = this.#file(path);
    if (stored === undefined) return found.open();
    const url = `${this.path}: ${display(path)}`;
    const digest = { algorithm: 'sha256' as const, hex: stored.hex };
    return verified(found.open(), { url, size: stored.size, digest, hint: DAMAGED_IMAGE });
  }

  #file(path: string) {
    const found = this.#tree.file(path);
    if (found === undefined) throw this.invalid(`it has no ${display(path)}`);
    return found.content;
  }
}

/** A descriptor of OCI: the type, digest and size of a blob. */
interface Descriptor {
  readonly type: string;
  readonly path: string;
  readonly hex: string;
  readonly size: number;
  readonly name: string | undefined;
  readonly platform: string | undefined;
  /** A signature or a statement about an image, not an image. */
  readonly attached: boolean;
}

function descriptorOf(value: Json, files: Files): Descriptor {
  const { mediaType, digest, size, annotations, platform } = fieldsOf(value);
  const match = typeof digest === 'string' ? /^sha256:([0-9a-f]{64})$/.exec(digest) : null;
  if (match === null) throw files.invalid(`a descriptor has no SHA-256 digest: ${JSON.stringify(digest ?? null)}`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw files.invalid(`a descriptor has no size: ${match[0]}`);
  const notes = fieldsOf(annotations);
  const { os, architecture } = fieldsOf(platform);
  const name = notes['org.opencontainers.image.ref.name'];
  return {
    ...{ type: String(mediaType ?? ''), path: `blobs/sha256/${match[1]}`, hex: match[1]!, size },
    name: typeof name === 'string' ? name : undefined,
    platform: architecture === undefined ? undefined : `${String(os)}/${String(architecture)}`,
    attached: 'vnd.docker.reference.type' in notes,
  };
}

/** The only image of a layout. An index inside the index, as for several processors, is followed. */
function layoutImage(files: Files, { architecture }: OpenOptions): Image {
  const wanted = architecture === undefined ? undefined : platformOf(architecture);
  const platform = wanted === undefined ? undefined : `${wanted.os}/${wanted.architecture}`;
  let index = files.json('index.json');
  for (let depth = 0; depth < DEPTH_LIMIT; depth++) {
    const found = listOf(fieldsOf(index)['manifests']).map((one) => descriptorOf(one, files));
    // the same one named twice is one
    const all = [...new Map(found.filter((one) => !one.attached).map((one) => [one.hex, one])).values()];
    const fitting = all.filter((one) => one.platform === platform && platform !== undefined);
    const images = all.length > 1 && fitting.length === 1 ? fitting : all;
    if (images.length === 0) throw files.invalid('its index lists no image');
    if (images.length > 1)
      throw several(
        files,
        images.map((one) => one.name ?? `sha256:${one.hex}${one.platform === undefined ? '' : ` (${one.platform})`}`),
      );
    const [image] = images as [Descriptor];
    const value = files.blob(image);
    if (fieldsOf(value)['manifests'] === undefined) return imageOf(value, files);
    index = value;
  }
  throw files.invalid('its indexes refer to each other too deeply');
}

function imageOf(manifest: Json, files: Files): Image {
  const { layers, config } = fieldsOf(manifest);
  const descriptors = limited(listOf(layers), files).map((one) => descriptorOf(one, files));
  for (const { type } of descriptors)
    if (!/(?:\.tar(?:\.gzip|\.zstd)?|\+gzip|\+zstd)$/.test(type))
      throw files.invalid(`a layer of the type "${type}" cannot be read`);
  return {
    layers: descriptors.map(({ path, hex, size }) => ({ path, stored: { hex, size } })),
    plain: plainDigests(files.blob(descriptorOf(config, files)), descriptors.length, files),
  };
}

/** The image `name`, or the only one, that `docker save` or `skopeo copy … docker-archive:` wrote. */
function savedImage(files: Files, name: string | undefined): Image | undefined {
  const all = files.json('manifest.json');
  if (!Array.isArray(all) || all.length === 0 || fieldsOf(all[0])['Layers'] === undefined) return undefined;
  const tags = all.map((one) => listOf(fieldsOf(one)['RepoTags']).map(String));
  const images = name === undefined ? all : all.filter((_, i) => tags[i]!.some((tag) => isNamed(tag, name)));
  if (images.length === 0)
    throw files.invalid(
      `it has no image "${name}", only ${tags.flat().slice(0, 12).join(', ') || 'some without a name'}`,
    );
  if (images.length > 1)
    throw several(
      files,
      images.map((one) => listOf(fieldsOf(one)['RepoTags'])[0] ?? fieldsOf(one)['Config']).map(String),
    );
  const { Layers: layers, Config: config } = fieldsOf(images[0]);
  const paths = limited(listOf(layers), files).map((one) => {
    if (typeof one !== 'string' || one === '') throw files.invalid('manifest.json names a layer that is no path');
    return normal(fromText(one));
  });
  return {
    layers: paths.map((path) => ({ path })),
    plain: typeof config === 'string' ? plainDigests(files.json(normal(fromText(config))), paths.length, files) : [],
  };
}

/** True for a name as Docker shortens it: without its registry, without `:latest`; or for the tag alone. */
function isNamed(tag: string, name: string): boolean {
  const short = (text: string) => text.replace(/^docker\.io\//, '').replace(/^library\//, '');
  const whole = /:[^/]*$/.test(name) ? name : `${name}:latest`;
  return short(tag) === short(whole) || (!/[:/]/.test(name) && tag.endsWith(`:${name}`));
}

/** The digests of the plain layers; none in a configuration that does not list them. */
function plainDigests(config: Json, layers: number, files: Files): string[] {
  const listed = fieldsOf(fieldsOf(config)['rootfs'])['diff_ids'];
  if (listed === undefined) return [];
  const digests = listOf(listed).map((one) => /^sha256:([0-9a-f]{64})$/.exec(String(one))?.[1]);
  if (digests.length !== layers) throw files.invalid(`it has ${layers} layers, but digests of ${digests.length}`);
  return digests.map((one) => {
    if (one === undefined) throw files.invalid('a layer has no SHA-256 digest');
    return one;
  });
}

function limited(layers: readonly Json[], files: Files): readonly Json[] {
  if (layers.length === 0) throw files.invalid('it has no layer');
  if (layers.length > LAYERS_LIMIT) throw files.invalid(`it has ${layers.length} layers, more than ${LAYERS_LIMIT}`);
  return layers;
}

function several(files: Files, names: readonly string[]): BuildError {
  return new BuildError('CONTAINER_SEVERAL', { path: files.path, images: names });
}

function fieldsOf(value: Json): Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, Json>) : {};
}

function listOf(value: Json): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** Yields bytes unchanged; throws `DIGEST_MISMATCH` at the end if their SHA-256 is another. */
async function* withDigest(source: Bytes, url: string, expected: string): Bytes {
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  for await (const piece of source) {
    hash.update(piece);
    yield piece;
  }
  const actual = hash.digest('hex');
  if (actual !== expected) throw new BuildError('DIGEST_MISMATCH', { url, expected, actual }, { hint: DAMAGED_IMAGE });
}
