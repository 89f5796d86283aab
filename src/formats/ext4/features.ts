import { BuildError } from '../../errors/error.ts';
import { COMPAT, INCOMPAT, RO_COMPAT } from './layout.ts';

/** Features that the writer can switch on and off. */
export const WRITABLE_FEATURES = [
  'has_journal',
  'ext_attr',
  'resize_inode',
  'dir_index',
  'orphan_file',
  'filetype',
  'extent',
  '64bit',
  'flex_bg',
  'metadata_csum_seed',
  'large_dir',
  'sparse_super',
  'large_file',
  'huge_file',
  'uninit_bg',
  'dir_nlink',
  'extra_isize',
  'metadata_csum',
] as const;

/** A feature by its name in mke2fs. */
export type Feature = (typeof WRITABLE_FEATURES)[number];

/** The features that `mkfs.ext4` of e2fsprogs 1.47 switches on by default: all but these. */
export const DEFAULT_FEATURES: ReadonlySet<Feature> = new Set(
  WRITABLE_FEATURES.filter((name) => !['metadata_csum_seed', 'large_dir', 'uninit_bg'].includes(name)),
);

const NEEDS: readonly (readonly [Feature, Feature])[] = [
  ['resize_inode', 'sparse_super'],
  ['metadata_csum_seed', 'metadata_csum'],
  ['64bit', 'extent'],
  ['orphan_file', 'has_journal'],
  ['large_dir', 'dir_index'],
];

/** The set of features that the switches select; an error when one needs another that is off. */
export function chosenFeatures(switches: Readonly<Partial<Record<Feature, boolean>>> = {}): Set<Feature> {
  const chosen = new Set(DEFAULT_FEATURES);
  for (const [name, on] of Object.entries(switches)) {
    if (!(WRITABLE_FEATURES as readonly string[]).includes(name))
      throw new BuildError('EXT4_FEATURE', { feature: name, reason: 'the writer does not know it' });
    if (on) chosen.add(name as Feature);
    else if (on === false) chosen.delete(name as Feature);
  }
  // features that depend on one that was switched off are switched off too, unless requested explicitly
  for (const [name, needed] of NEEDS) {
    if (!chosen.has(name) || chosen.has(needed)) continue;
    if (switches[name]) throw new BuildError('EXT4_FEATURE', { feature: name, reason: `it needs ${needed}` });
    chosen.delete(name);
  }
  if (chosen.has('metadata_csum') && chosen.has('uninit_bg'))
    throw new BuildError('EXT4_FEATURE', { feature: 'uninit_bg', reason: 'metadata_csum replaces it' });
  return chosen;
}

/** The three feature words of the superblock. */
export function featureWords(features: ReadonlySet<string>): { compat: number; incompat: number; roCompat: number } {
  const word = (bits: Readonly<Record<string, number>>) =>
    Object.entries(bits).reduce((sum, [name, bit]) => (features.has(name) ? sum | bit : sum), 0);
  return { compat: word(COMPAT), incompat: word(INCOMPAT), roCompat: word(RO_COMPAT) };
}

/**
 * Names of the features in the three words, bits without a name as `I31` (compatible C, incompatible I, read-only R).
 */
export function featureNames(compat: number, incompat: number, roCompat: number): string[] {
  const names: string[] = [];
  for (const [value, bits, letter] of [
    [compat, COMPAT, 'C'],
    [incompat, INCOMPAT, 'I'],
    [roCompat, RO_COMPAT, 'R'],
  ] as const) {
    for (let bit = 0; bit < 32; bit++) {
      if (((value >>> bit) & 1) === 0) continue;
      const known = Object.entries(bits).find(([, mask]) => mask === 1 << bit);
      names.push(known?.[0] ?? `${letter}${bit}`);
    }
  }
  return names;
}
