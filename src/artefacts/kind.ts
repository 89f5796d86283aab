import type { Bytes, Content } from '../bytes/content.ts';
import type { RandomAccess } from '../bytes/file.ts';
import { type Poured, type PourOptions, type Prepared, preparePour } from '../bytes/pour.ts';
import type { Format } from '../compression/format.ts';
import type { Report } from '../events/events.ts';
import type { Measurement } from '../formats/verity/parameters.ts';
import type { Entry } from '../tree/entry.ts';
import type { Tree } from '../tree/tree.ts';
import type { Probe } from './probe.ts';

/** Name of an image kind: a row of the registry, or `file` for a file that no row recognises. */
export type ArtefactKind = 'directory' | 'tar' | 'initrd' | 'disk' | 'ext4' | 'erofs' | 'xfs' | 'file';

/** A structure inside an artefact: what it is, where it is stored, and its fields. */
export interface Structure {
  readonly what: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  readonly facts: Readonly<Record<string, unknown>>;
  /** Problems found in it; empty when there are none. */
  readonly faults: readonly string[];
  /** What could not be checked, one line each. */
  readonly unchecked?: readonly string[];
  /** What its format has no checksums for, one line each: not checked either, unless a hash tree is over it. */
  readonly unsummed?: readonly string[];
  /** For a hash tree of dm-verity that was checked: what has its root hash. */
  readonly measures?: MeasuredPart;
  /** Its parts, each with its offset in the file. */
  readonly parts?: readonly { readonly what: string; readonly offset: number; readonly size: number }[];
}

/** Bytes of a disk that were compared with a root hash of dm-verity, and have it. */
export interface MeasuredPart {
  /** The partition. */
  readonly of: string;
  /** Bytes from the start of the disk. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Hex. */
  readonly rootHash: string;
  /** Where the root hash is from: a file beside the image, the UUIDs of the partitions, or the caller. */
  readonly from: string;
}

/** A file or folder that was recognised, but not read yet. */
export interface Artefact {
  /** As the user named it. */
  readonly path: string;
  readonly kind: ArtefactKind;
  readonly compression: Format;
  /** Bytes of the file; 0 for a folder. */
  readonly size: number;
  /** The bytes of a disk or file system, decompressed into the workspace if they are compressed. */
  access(): Promise<RandomAccess>;
  /** The entries, in archive order for archives. */
  entries(): AsyncIterable<Entry>;
  /** The complete tree. Throws `ROOTFS_UNKNOWN` when there is none. */
  tree(): Promise<Tree>;
  /** SHA-256 of the manifest (`sha256:HEX`) of what came from a registry or a layout. */
  readonly digest?: string;
  /** The files of a folder or archive as they are, where {@link tree} is that of an image of a container in it. */
  stored?(): Promise<Tree>;
  /** Tables, headers and file systems; none for archives and folders. `check` also verifies every checksum. */
  structures(check?: boolean): Promise<Structure[]>;
}

/** An artefact that is ready to be written. */
export interface Planned {
  /** Bytes; undefined when the size is known only after compression. */
  readonly size: number | undefined;
  /** What `progress` counts up to: bytes to be written, or to be compressed, or to be hashed and written. */
  readonly work: number;
  /** The bytes, from the start on every call. For a folder: those of the tar archive with the same tree. */
  open(): Bytes;
  /** The numbers of its dm-verity hash tree; they cost no further reading once it was written. */
  measurement?(): Promise<Measurement>;
  /** Writes it under a temporary name beside `path`; `commit` of the result renames it. */
  prepare(path: string, how?: PrepareOptions): Promise<Prepared<Poured>>;
}

/** How an artefact is written to the build host. */
export interface PrepareOptions {
  /** Called with the bytes done so far, of {@link Planned.work}. */
  readonly progress?: (bytes: number) => void;
  /** Replace a folder that this program did not write. */
  readonly force?: boolean;
  /** Receives warnings about what the host cannot store, such as owners in a folder of an unprivileged user. */
  readonly report?: Report;
}

/** Which properties of a tree an image kind keeps. What it does not keep is reported before it is written. */
export interface Features {
  readonly xattrs: boolean;
  readonly sockets: boolean;
  readonly nanoseconds: boolean;
}

/** The largest values that an image kind stores. A tree beyond one is rejected with an error that names the path. */
export interface Limits {
  /** Bytes of one file. */
  readonly fileSize: number;
  /** Bytes of a path from the root. */
  readonly path: number;
  /** Bytes of a symbolic link's target. */
  readonly target: number;
  /** Major number of a device; absent: all that Linux has (12 bits). */
  readonly major?: number;
  /** Minor number of a device; absent: all that Linux has (20 bits). */
  readonly minor?: number;
  /** First and last modification time, in Unix seconds. */
  readonly time: readonly [first: number, last: number];
}

/**
 * A kind of image: how it is recognised, opened and written. One row of the registry in `registry.ts`; the contract test
 * in test/artefacts runs over every row.
 */
export interface ImageKind<O> {
  readonly name: Exclude<ArtefactKind, 'file'>;
  readonly features: Features;
  readonly limits: Limits;
  /** Opens a file of this kind; undefined when it is another kind. Absent for folders, which are not files. */
  open?(file: Probe): Promise<Artefact | undefined>;
  /** Rejects options that are invalid for every tree. Called before anything is fetched. */
  validate(options: O): Promise<void>;
  /**
   * Plans the artefact of a tree. Modules for writing are loaded lazily, here. `report` receives what takes long, and a
   * warning of what is stored otherwise than the tree has it, which is an error without it.
   */
  write(tree: Tree, options: O, report?: Report): Promise<Planned>;
}

/** A planned artefact that is one stream of bytes. */
export function stream(open: () => Bytes, size: number, options: Pick<PourOptions, 'sparse'> = {}): Planned {
  return {
    size,
    work: size,
    open,
    prepare: (path, { progress } = {}) =>
      preparePour(open(), path, {
        ...options,
        ...(progress === undefined ? {} : { progress }),
        size,
      }),
  };
}

/** A planned artefact whose bytes are made from `source` by `encode`, and whose size is known only then. */
export function encoded(source: Content, encode: (source: Bytes) => Bytes): Planned {
  return {
    size: undefined,
    work: source.size,
    open: () => encode(source.open()),
    prepare: (path, { progress } = {}) => preparePour(encode(counted(source.open(), progress)), path),
  };
}

/** Yields `source` unchanged; `progress` is called with the bytes so far. */
export async function* counted(source: Bytes, progress: (bytes: number) => void = () => {}): Bytes {
  let bytes = 0;
  for await (const piece of source) {
    yield piece;
    bytes += piece.length;
    progress(bytes);
  }
}
