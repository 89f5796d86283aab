import type { Comparison } from '../volume.ts';

/** One problem of a file system. */
export interface Fault {
  /** Where it is: `inode 12 (/etc/passwd)`, `block bitmap of group 3`. */
  readonly at: string;
  readonly reason: string;
}

/** What was checked, what was found wrong, and what could not be checked. */
export interface Ext4Verified {
  /** Checksums and structures checked, by kind. */
  readonly checked: Readonly<Record<string, number>>;
  readonly faults: readonly Fault[];
  /** One sentence each. */
  readonly unchecked: readonly string[];
  /** What has no checksums, one sentence each. */
  readonly unsummed: readonly string[];
}

/** Faults that are listed; a badly damaged image has millions. */
const MOST_FAULTS = 1000;

interface Found extends Fault {
  /** The inode that the fault is about: its path is added at the end. */
  readonly inode?: number | undefined;
}

/** Collects what a check finds. */
export class Findings {
  readonly checked: Record<string, number> = {};
  readonly found: Found[] = [];
  readonly unchecked = new Set<string>();
  readonly unsummed = new Set<string>();
  private more = 0;
  private readonly seen = new Set<string>();

  /** Notes a problem. The same sentence at the same place is noted once. */
  fault(at: string, reason: string, inode?: number): void {
    const key = `${at}\n${reason}`;
    if (this.seen.has(key)) return;
    if (this.found.length >= MOST_FAULTS) {
      this.more++;
      return;
    }
    this.seen.add(key);
    this.found.push({ at, reason, inode });
  }

  /** Notes a problem of an inode. */
  inode(number: number, reason: string): void {
    this.fault(`inode ${number}`, reason, number);
  }

  count(kind: string, by = 1): void {
    this.checked[kind] = (this.checked[kind] ?? 0) + by;
  }

  /** Compares a checksum. Returns true when it is right. */
  sum(kind: string, at: string, sums: Comparison | undefined, inode?: number): boolean {
    this.count(kind);
    if (sums === undefined) this.fault(at, 'there is no checksum where one should be', inode);
    else if (sums.stored !== sums.computed)
      this.fault(
        at,
        `checksum 0x${sums.stored.toString(16)} is stored, 0x${sums.computed.toString(16)} is right`,
        inode,
      );
    else return true;
    return false;
  }

  /** The inodes that faults are about. */
  inodes(): Set<number> {
    return new Set(this.found.flatMap(({ inode }) => (inode === undefined ? [] : [inode])));
  }

  result(paths: ReadonlyMap<number, string>): Ext4Verified {
    const faults = this.found.map(({ at, reason, inode }) => {
      const path = inode === undefined ? undefined : paths.get(inode);
      return { at: path === undefined ? at : `${at} (${path})`, reason };
    });
    if (this.more > 0)
      faults.push({ at: 'the file system', reason: `${this.more} more problems, which are not listed` });
    return { checked: this.checked, faults, unchecked: [...this.unchecked], unsummed: [...this.unsummed] };
  }
}
