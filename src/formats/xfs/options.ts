import { BuildError } from '../../errors/error.ts';
import type { Report } from '../../events/events.ts';

/** Features that can be chosen, by the names that mkfs.xfs has for them. */
export const FEATURES = ['finobt', 'rmapbt', 'reflink', 'inobtcount', 'sparse', 'bigtime', 'nrext64'] as const;
/** One of {@link FEATURES}. */
export type Feature = (typeof FEATURES)[number];

/** How a tree is stored as XFS. Sizes in bytes. */
export interface XfsOptions {
  /** Sixteen bytes; derived from the content by default. */
  readonly uuid?: Uint8Array;
  /** At most 12 bytes of UTF-8. */
  readonly label?: string;
  /** By default finobt, inobtcount, sparse and bigtime: what Linux 5.10 and later read, without reflink as Kata asks. */
  readonly features?: Readonly<Partial<Record<Feature, boolean>>>;
  /** 512 (the default) or 4096. */
  readonly sectorSize?: number;
  /** 512 (the default), 1024 or 2048. */
  readonly inodeSize?: number;
  /** Allocation groups: at least 2; 4 by default. */
  readonly groups?: number;
  /** Length of the log; by default as mkfs.xfs chooses it. */
  readonly logSize?: number;
  /** Percentage of blocks that inodes may take; 25 by default, more where the tree needs it. */
  readonly inodePercent?: number;
  /** Allow less than 300 MiB, which mkfs.xfs calls unsupported; 64 MiB are needed at least. */
  readonly small?: boolean;
  /** Free space to leave. */
  readonly freeSpace?: number;
  /** The size to use, or what gives it for the least size; the least size by default. */
  readonly size?: number | ((least: number) => number);
  /** Called with a warning about each property of the tree that XFS does not keep; without it such a tree is rejected. */
  readonly report?: Report | undefined;
}

/** Options with defaults filled in. */
export interface Settings extends XfsOptions {
  readonly chosen: ReadonlySet<Feature>;
  readonly sectorSize: number;
  readonly inodeSize: number;
  readonly inodePercent: number;
  readonly freeSpace: number;
}

const DEFAULTS: readonly Feature[] = ['finobt', 'inobtcount', 'sparse', 'bigtime'];

/** Fills in defaults. Throws `XFS_OPTION` for values that are invalid. */
export function settingsOf(options: XfsOptions): Settings {
  const check = (option: string, value: string | number, valid: boolean, expected: string) => {
    if (!valid) throw new BuildError('XFS_OPTION', { option, value: String(value), expected });
  };
  const { sectorSize = 512, inodeSize = 512, inodePercent = 25, freeSpace = 0, groups, logSize } = options;
  check('sectorSize', sectorSize, sectorSize === 512 || sectorSize === 4096, '512 or 4096');
  check('inodeSize', inodeSize, [512, 1024, 2048].includes(inodeSize), '512, 1024 or 2048');
  check(
    'inodePercent',
    inodePercent,
    Number.isInteger(inodePercent) && inodePercent > 0 && inodePercent <= 100,
    '1 to 100',
  );
  check('uuid', options.uuid?.length ?? 16, (options.uuid?.length ?? 16) === 16, 'sixteen bytes');
  const label = options.label ?? '';
  check('label', label, Buffer.byteLength(label) <= 12 && !label.includes('\0'), 'at most 12 bytes of UTF-8');
  if (groups !== undefined)
    check('groups', groups, Number.isInteger(groups) && groups >= 2 && groups <= 1024, '2 to 1024');
  if (logSize !== undefined) {
    const valid = Number.isInteger(logSize / 4096) && logSize >= 16 * MIB && logSize <= 2 ** 31 - 10 * MIB;
    check('logSize', logSize, valid, 'a multiple of 4096 between 16 MiB and 2038 MiB');
  }
  const chosen = new Set<Feature>(DEFAULTS);
  for (const [name, on] of Object.entries(options.features ?? {})) {
    check('features', name, (FEATURES as readonly string[]).includes(name), FEATURES.join(', '));
    if (on) chosen.add(name as Feature);
    else chosen.delete(name as Feature);
  }
  // the counters belong to the btree of free inodes, too
  if (!chosen.has('finobt')) {
    if (options.features?.inobtcount) check('features', 'inobtcount', false, 'with finobt only');
    chosen.delete('inobtcount');
  }
  return { ...options, sectorSize, inodeSize, inodePercent, freeSpace, chosen };
}

const MIB = 1024 * 1024;
