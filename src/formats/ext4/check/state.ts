import { BuildError } from '../../../errors/error.ts';
import type { MappedExtent, Volume } from '../volume.ts';
import { Findings } from './findings.ts';
import { Marks } from './marks.ts';

/** Inodes per piece of the table of inodes. */
const PIECE = 1 << 14;

/** What an inode is, as the first pass found it. */
export const KIND = {
  unused: 0,
  reserved: 1,
  file: 2,
  directory: 3,
  symlink: 4,
  device: 5,
  other: 6,
  value: 7,
  bad: 8,
} as const;
type Kind = (typeof KIND)[keyof typeof KIND];

interface Piece {
  readonly kind: Uint8Array;
  /** File type as directory entries have it, 0 for none. */
  readonly type: Uint8Array;
  /** i_links_count */
  readonly links: Uint16Array;
  /** Directory entries that name it. */
  readonly names: Uint32Array;
}

/** A directory, as the passes find it. */
export interface FoundDirectory {
  readonly number: number;
  readonly seed: number;
  readonly flags: number;
  /** Bytes. */
  readonly size: number;
  /** Where its blocks are; undefined for one that is stored in its inode. */
  readonly runs: readonly MappedExtent[] | undefined;
  /** The records of a directory that is stored in its inode. */
  readonly inline?: readonly Uint8Array[];
  /** The directory that has it as an entry; 0 when none was found. */
  parent: number;
  /** What its entry ".." names. */
  dotDot: number;
}

/** The number of each kind of use that an inode's value has in extended attributes. */
export interface ValueInode {
  /** The count stored in the inode. */
  readonly stored: number;
  uses: number;
}

/** Whose usage a quota file states. */
export type QuotaKind = 'user' | 'group' | 'project';

/** What an owner uses. */
export interface Usage {
  bytes: number;
  inodes: number;
}

/** What all passes of a check share. Memory grows with what is in use, not with the size of the image. */
export class State {
  readonly volume: Volume;
  readonly findings = new Findings();
  /** Blocks per cluster; 1 without bigalloc. */
  readonly ratio: number;
  readonly clustersPerGroup: number;
  /** Clusters in use, counted from the first data block: metadata of the file system, then files. */
  readonly used = new Marks();
  /** Blocks of the file system's own metadata: superblocks, descriptors, bitmaps and inode tables. */
  readonly fixed = new Marks();
  /** Blocks that cannot be used; whatever metadata they hold is not read. */
  readonly bad = new Marks();
  /** Clusters that two owners claim; a limited number of them. */
  readonly shared = new Set<number>();
  readonly directories = new Map<number, FoundDirectory>();
  /** Inodes with encrypted content or names. */
  readonly encrypted = new Set<number>();
  /** References to blocks of extended attributes: found, and as the block says. */
  readonly xattrBlocks = new Map<number, { found: number; stored: number; first: number; clusters: number }>();
  readonly valueInodes = new Map<number, ValueInode>();
  /** What each owner uses; empty without the feature quota. */
  readonly usage: Readonly<Record<QuotaKind, Map<number, Usage>>> = {
    user: new Map(),
    group: new Map(),
    project: new Map(),
  };
  /** Whether groups may say that their bitmaps and tables are not initialised. */
  readonly lazy: boolean;
  private readonly pieces = new Map<number, Piece>();

  constructor(volume: Volume) {
    this.volume = volume;
    const { sb, features } = volume;
    const shift = features.has('bigalloc') ? sb.logClusterSize - sb.logBlockSize : 0;
    this.ratio = shift > 0 && shift < 22 ? 2 ** shift : 1;
    this.clustersPerGroup = sb.blocksPerGroup / this.ratio;
    this.lazy = volume.checksums || features.has('uninit_bg');
  }

  /** The cluster of a block. */
  cluster(block: number): number {
    return Math.floor((block - this.volume.sb.firstDataBlock) / this.ratio);
  }

  /** First block of a group. */
  groupStart(group: number): number {
    return this.volume.sb.firstDataBlock + group * this.volume.sb.blocksPerGroup;
  }

  /** True for a run of blocks inside the file system. */
  inRange(block: number, count = 1): boolean {
    return block >= this.volume.sb.firstDataBlock && block + count <= this.volume.blocks;
  }

  private piece(number: number): Piece {
    const index = Math.floor(number / PIECE);
    let piece = this.pieces.get(index);
    if (piece === undefined) {
      piece = {
        kind: new Uint8Array(PIECE),
        type: new Uint8Array(PIECE),
        links: new Uint16Array(PIECE),
        names: new Uint32Array(PIECE),
      };
      this.pieces.set(index, piece);
    }
    return piece;
  }

  setInode(number: number, kind: Kind, type: number, links: number): void {
    const piece = this.piece(number);
    piece.kind[number % PIECE] = kind;
    piece.type[number % PIECE] = type;
    piece.links[number % PIECE] = links;
  }

  kind(number: number): Kind {
    return (this.pieces.get(Math.floor(number / PIECE))?.kind[number % PIECE] ?? 0) as Kind;
  }

  type(number: number): number {
    return this.pieces.get(Math.floor(number / PIECE))?.type[number % PIECE] ?? 0;
  }

  links(number: number): number {
    return this.pieces.get(Math.floor(number / PIECE))?.links[number % PIECE] ?? 0;
  }

  names(number: number): number {
    return this.pieces.get(Math.floor(number / PIECE))?.names[number % PIECE] ?? 0;
  }

  addName(number: number): void {
    this.piece(number).names[number % PIECE]! += 1;
  }

  /** Numbers of the inodes that are in use, ascending. */
  *inUse(): Generator<number> {
    for (const index of [...this.pieces.keys()].sort((a, b) => a - b)) {
      const { kind } = this.pieces.get(index)!;
      for (let i = 0; i < PIECE; i++) if (kind[i] !== KIND.unused) yield index * PIECE + i;
    }
  }

  /** Runs one part of a check; an error of the image becomes a fault, and the check goes on. */
  attempt(at: string, inode: number | undefined, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      this.findings.fault(at, faultOf(error), inode);
    }
  }
}

/** The reason inside an error of the reader, without the image's name. */
function faultOf(error: BuildError): string {
  const { at, reason } = error.context as { at?: string; reason?: string };
  return reason === undefined ? error.message : at === undefined ? reason : `${at}: ${reason}`;
}
