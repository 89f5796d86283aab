import { parseUuid } from '../formats/disk/uuid.ts';
import type { Ext4Options } from '../formats/ext4/options.ts';
import { invalidOption } from './filesystem.ts';

/** What options in mkfs.ext4's spelling say; `features` are those of `-O`. */
export interface SpelledExt4 {
  readonly options: Ext4Options;
  readonly features: readonly string[];
}

/** Options of `-E` that say what is always so. */
const FIXED: readonly string[] = ['lazy_itable_init=0', 'lazy_journal_init=0', 'nodiscard'];

const EXPECTED = 'expected -b, -e, -E, -G, -i, -I, -J, -L, -m, -O or -U, as mkfs.ext4 has them';

/** Reads options as mkfs.ext4 spells them: `-I 512 -m 1 -O ^resize_inode`. Throws `SETTING_INVALID`. */
export function spelledExt4(words: readonly string[], blockSize: number): SpelledExt4 {
  const options: { -readonly [K in keyof Ext4Options]: Ext4Options[K] } = {};
  const features: string[] = [];
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    const letter = word.slice(0, 2);
    if (!/^-[beEGiIJLmOU]$/.test(letter)) throw invalidOption('fsOptions', word, EXPECTED);
    const value = word.length > 2 ? word.slice(2) : left.shift();
    if (value === undefined || value === '') throw invalidOption('fsOptions', word, 'it needs a value');
    const invalid = (reason: string) => invalidOption('fsOptions', `${letter} ${value}`, reason);
    const number = (pattern = /^\d{1,12}$/): number => {
      if (!pattern.test(value)) throw invalid('expected a number');
      return Number(value);
    };
    switch (letter) {
      case '-b':
        if (number() !== blockSize) throw invalid(`\`blockSize\` is ${blockSize}: give the size there`);
        break;
      case '-e':
        if (value !== 'continue' && value !== 'remount-ro' && value !== 'panic')
          throw invalid('expected continue, remount-ro or panic');
        options.onErrors = value;
        break;
      case '-E':
        for (const one of value.split(',')) {
          const seed = /^hash_seed=(.*)$/.exec(one)?.[1];
          if (seed === undefined && !FIXED.includes(one)) throw invalid('ext4 is not written so');
          if (seed !== undefined) options.hashSeed = uuid(seed, invalid);
        }
        break;
      case '-G':
        options.groupsPerFlex = number();
        break;
      case '-i':
        options.bytesPerInode = number();
        break;
      case '-I':
        options.inodeSize = number();
        break;
      case '-J': {
        const size = /^size=(\d{1,5})$/.exec(value)?.[1];
        if (size === undefined) throw invalid('expected size=MIB');
        options.journalBlocks = (Number(size) * 1024 * 1024) / blockSize;
        break;
      }
      case '-L':
        options.label = value;
        break;
      case '-m':
        options.reservedPercent = number(/^\d{1,2}(?:\.\d{1,6})?$/);
        break;
      case '-U':
        options.uuid = uuid(value, invalid);
        break;
      default:
        features.push(...value.split(','));
    }
  }
  return { options, features };
}

function uuid(text: string, invalid: (reason: string) => Error): Uint8Array {
  const bytes = parseUuid(text);
  if (bytes === undefined) throw invalid('a UUID is 8-4-4-4-12 hexadecimal digits');
  return bytes;
}
