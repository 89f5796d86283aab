import { sha256 } from '../../bytes/digest.ts';
import { BuildError } from '../../errors/error.ts';
import { DIGEST } from './reference.ts';

/*
 * Manifests and indexes: https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md and image-index.md.
 */

/** Media types of what this program reads and writes. */
export const TYPES = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  empty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

/** Bytes of an index, a manifest or a configuration: registries reject larger ones, too. */
export const JSON_LIMIT = 4 << 20;
/** No tool makes images of more layers. */
export const LAYERS_LIMIT = 1024;
/** Manifests in one index. */
const MANIFESTS_LIMIT = 4096;
/** Images that an error names. */
const SHOWN = 12;
/** Levels of nesting that no manifest has. */
const DEEPEST = 64;

/** Notes on a manifest or on what it names. */
export type Annotations = Readonly<Record<string, string>>;

/** What stores a blob or a manifest: its type, digest and size. */
export interface Descriptor {
  readonly mediaType: string;
  /** `sha256:HEX`. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Annotations;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  readonly artifactType?: string;
}

/** A single image or artifact. */
export interface Manifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Annotations;
}

/** Several manifests, by platform or by name. */
export interface Index {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Annotations;
}

type Json = { readonly [key: string]: Json } | readonly Json[] | string | number | boolean | null | undefined;

/** Reads a manifest or an index. `source` is its name in messages. Throws `OCI_MANIFEST_INVALID`. */
export function parseManifest(bytes: Uint8Array, source: string): Manifest | Index {
  const reader = new Reader(source);
  const value = reader.object(reader.json(bytes), 'it');
  const { schemaVersion, mediaType } = value;
  if (schemaVersion !== 2) throw reader.invalid('its schemaVersion is not 2');
  const type = reader.optionalText(mediaType, 'mediaType');
  const annotations = reader.annotations(value['annotations']);
  const notes = annotations === undefined ? {} : { annotations };
  // the specification asks for one of the two, so that no reader takes one for the other (CVE-2021-41190)
  if (value['manifests'] !== undefined && (value['layers'] !== undefined || value['config'] !== undefined))
    throw reader.invalid('it is a manifest and an index at once');
  if (value['manifests'] !== undefined) {
    const manifests = reader.list(value['manifests'], 'manifests', MANIFESTS_LIMIT);
    return {
      ...{ kind: 'index', mediaType: type ?? TYPES.index, ...notes },
      manifests: manifests.map((one) => reader.descriptor(one)),
    };
  }
  const artifactType = reader.optionalText(value['artifactType'], 'artifactType');
  return {
    ...{ kind: 'manifest', mediaType: type ?? TYPES.manifest, ...notes },
    ...(artifactType === undefined ? {} : { artifactType }),
    config: reader.descriptor(value['config']),
    layers: reader.list(value['layers'], 'layers', LAYERS_LIMIT).map((one) => reader.descriptor(one)),
    ...(value['subject'] === undefined ? {} : { subject: reader.descriptor(value['subject']) }),
  };
}

/** JSON from outside, read with errors that name its source. */
class Reader {
  private readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  invalid(reason: string): BuildError {
    return new BuildError('OCI_MANIFEST_INVALID', { source: this.source, reason });
  }

  json(bytes: Uint8Array): Json {
    if (bytes.length > JSON_LIMIT) throw this.invalid(`it has ${bytes.length} bytes, more than ${JSON_LIMIT}`);
    const text = Buffer.from(bytes).toString('utf8');
    if (isDeeper(text, DEEPEST)) throw this.invalid('its values are nested too deeply');
    try {
      return JSON.parse(text) as Json;
    } catch {
      throw this.invalid('it is not JSON');
    }
  }

  object(value: Json, what: string): Readonly<Record<string, Json>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.invalid(`${what} is no object`);
    return value as Readonly<Record<string, Json>>;
  }

  list(value: Json, what: string, most: number): readonly Json[] {
    if (!Array.isArray(value)) throw this.invalid(`${what} is no list`);
    if (value.length > most) throw this.invalid(`${what} has ${value.length} entries, more than ${most}`);
    return value as readonly Json[];
  }

  optionalText(value: Json, what: string): string | undefined {
    if (value === undefined || typeof value === 'string') return value;
    throw this.invalid(`${what} is no text`);
  }

  annotations(value: Json): Annotations | undefined {
    if (value === undefined || value === null) return undefined;
    const notes = this.object(value, 'annotations');
    for (const [name, one] of Object.entries(notes))
      if (typeof one !== 'string') throw this.invalid(`the annotation "${name}" is no text`);
    return notes as Annotations;
  }

  descriptor(value: Json): Descriptor {
    const fields = this.object(value, 'a descriptor');
    const { mediaType, digest, size } = fields;
    if (typeof mediaType !== 'string') throw this.invalid('a descriptor has no mediaType');
    if (typeof digest !== 'string' || !DIGEST.test(digest))
      throw this.invalid(`a descriptor has no SHA-256 digest: ${JSON.stringify(digest ?? null)?.slice(0, 200)}`);
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw this.invalid(`the descriptor of ${digest} has no size`);
    const annotations = this.annotations(fields['annotations']);
    const artifactType = this.optionalText(fields['artifactType'], 'artifactType');
    const platform = this.platform(fields['platform']);
    return {
      ...{ mediaType, digest, size },
      ...(annotations === undefined ? {} : { annotations }),
      ...(platform === undefined ? {} : { platform }),
      ...(artifactType === undefined ? {} : { artifactType }),
    };
  }

  private platform(value: Json): Descriptor['platform'] {
    if (value === undefined || value === null) return undefined;
    const { os, architecture, variant } = this.object(value, 'platform');
    if (typeof os !== 'string' || typeof architecture !== 'string')
      throw this.invalid('a platform has no os or architecture');
    return { os, architecture, ...(typeof variant === 'string' ? { variant } : {}) };
  }
}

/** True when brackets are open deeper than `most`, so that no parser sees such a text. */
export function isDeeper(text: string, most: number): boolean {
  let open = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quoted) {
      if (char === '\\') at++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '[' || char === '{') open++;
    else if (char === ']' || char === '}') open--;
    if (open > most) return true;
  }
  return false;
}

/** A signature or a statement that docker's buildx puts into an index beside the images. */
export function isAttached({ annotations }: Descriptor): boolean {
  return annotations !== undefined && 'vnd.docker.reference.type' in annotations;
}

/** True for a layer of a container's file system; what else a manifest names is a file. */
export function isTarLayer(mediaType: string): boolean {
  return /^application\/vnd\.(?:oci\.image\.layer\.(?:v1|nondistributable\.v1)\.tar|docker\.image\.rootfs\.(?:diff|foreign\.diff)\.tar)(?:[.+](?:gzip|zstd))?$/.test(
    mediaType,
  );
}

/** Names of processors as Go spells them, by `uname -m`. */
const GO_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    x86_64: 'amd64',
    aarch64: 'arm64',
    armv7l: 'arm',
    ppc64le: 'ppc64le',
    s390x: 's390x',
    riscv64: 'riscv64',
    loongarch64: 'loong64',
  }),
);

/** The platform of a guest, by the `uname -m` name of its processor. */
export function platformOf(uname: string): { readonly os: string; readonly architecture: string } {
  return { os: 'linux', architecture: GO_NAMES.get(uname) ?? uname };
}

/**
 * The entry of an index for a processor (`uname -m` name). An index with one image that names no platform has that.
 * Throws `PLATFORM_MISSING` and, for an empty index, `OCI_MANIFEST_INVALID`.
 */
export function chosenManifest(index: Index, uname: string, source: string): Descriptor {
  const listed = index.manifests.filter((one) => !isAttached(one) && one.platform?.os !== 'unknown');
  // the same one named twice is one
  const images = [...new Map(listed.map((one) => [`${one.digest} ${JSON.stringify(one.platform)}`, one])).values()];
  if (images.length === 0) throw new BuildError('OCI_MANIFEST_INVALID', { source, reason: 'its index lists no image' });
  const { os, architecture } = platformOf(uname);
  const fits = images.find(({ platform }) => platform?.os === os && platform.architecture === architecture);
  const [only] = images;
  if (fits !== undefined) return fits;
  if (images.length === 1 && only!.platform === undefined) return only!;
  const names = images.map(({ platform, digest }) =>
    platform === undefined ? digest : `${platform.os}/${platform.architecture}`,
  );
  const known = names.length > SHOWN ? [...names.slice(0, SHOWN), `${names.length - SHOWN} more`] : names;
  throw new BuildError('PLATFORM_MISSING', { source, platform: `${os}/${architecture}`, known });
}

/** The empty configuration of an artifact. */
export const EMPTY = {
  bytes: Buffer.from('{}'),
  descriptor: { mediaType: TYPES.empty, digest: `sha256:${sha256('{}')}`, size: 2 } satisfies Descriptor,
} as const;

/** Something to be pushed: its bytes and the descriptor that names them. */
export interface Encoded {
  readonly bytes: Uint8Array;
  readonly descriptor: Descriptor;
}

/** A manifest or an index as bytes, always the same for the same content. */
export function encodeManifest(value: Omit<Manifest, 'kind'> | Omit<Index, 'kind'>): Encoded {
  const { kind: _, ...fields } = value as Manifest | Index;
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...fields }));
  const artifactType = 'artifactType' in value ? value.artifactType : undefined;
  return {
    bytes,
    descriptor: {
      ...{ mediaType: value.mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length },
      ...(artifactType === undefined ? {} : { artifactType }),
    },
  };
}

/** The SHA-256 of a digest in hex. */
export function hexOf(digest: string): string {
  return DIGEST.exec(digest)![1]!;
}
