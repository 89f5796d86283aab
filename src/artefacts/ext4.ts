import type { Feature } from '../formats/ext4/features.ts';
import type { Ext4Options } from '../formats/ext4/options.ts';
import { completeDigests } from './digests.ts';
import { spelledExt4 } from './ext4-options.ts';
import { countsOf, type FileSystem, type FileSystemOptions, invalidOption, uuidOf } from './filesystem.ts';

/** The last second that inodes of 256 bytes hold, in 2446. */
const TIME_LAST = 2 ** 34 - 2 ** 31 - 1;

/** ext4; ext2 and ext3 are read, too. */
export const ext4: FileSystem = {
  name: 'ext4',
  holds: { xattrs: true, sockets: true, nanoseconds: true },
  // with blocks of 4 KiB; smaller blocks allow less. Extents count blocks with 32 bits
  limits: {
    fileSize: (2 ** 32 - 1) * 4096,
    path: Infinity,
    target: 4095,
    time: [-(2 ** 31), TIME_LAST],
  },
  // s_magic of the superblock, which is at 1024 for every block size
  magic: { offset: 1080, bytes: [0x53, 0xef] },
  async validate(options) {
    const { settingsOf } = await import('../formats/ext4/options.ts');
    settingsOf(await ext4Options(options));
  },
  async plan(tree, options, report) {
    const { ext4Image } = await import('../formats/ext4/emit.ts');
    await completeDigests(tree, report);
    const image = ext4Image(tree, { ...(await ext4Options(options)), report });
    return { size: image.size, open: () => image.open(), uuid: image.plan.uuid };
  },
  async tree(volume, name) {
    return (await import('../formats/ext4/read.ts')).openExt4(volume, { name }).tree();
  },
  async structures(volume, { name, offset }, check) {
    const { describeExt4 } = await import('../formats/ext4/inspect.ts');
    const facts = describeExt4(volume, { name, verify: false });
    const what = `${facts.kind} in ${name}`;
    if (check) {
      const { checkExt4 } = await import('../formats/ext4/check/check.ts');
      const { checked, faults, unchecked, unsummed } = checkExt4(volume, { name });
      return [
        {
          what,
          offset,
          size: facts.size,
          facts: { ...facts, checked: countsOf(checked) },
          faults: faults.map(({ at, reason }) => `${at}: ${reason}`),
          unchecked,
          unsummed,
        },
      ];
    }
    const { ext4Parts } = await import('../formats/ext4/parts.ts');
    const parts = ext4Parts(volume, { name }).map((part) => ({ ...part, offset: part.offset + offset }));
    return [{ what, offset, size: facts.size, facts: { ...facts }, faults: [], parts }];
  },
};

async function ext4Options(options: FileSystemOptions): Promise<Ext4Options> {
  const uuid = uuidOf(options);
  const { options: given, features } = spelledExt4(options.options ?? [], options.blockSize);
  if (uuid !== undefined && given.uuid !== undefined)
    throw invalidOption('fsOptions', '-U', '`fsUuid` names a UUID, too: leave one of them out');
  const { WRITABLE_FEATURES } = await import('../formats/ext4/features.ts');
  return {
    // of a tree whose files are from other times, too
    time: Math.min(Math.max(options.epoch, 0), TIME_LAST),
    blockSize: options.blockSize,
    label: options.label,
    features: featuresOf([...options.features, ...features], WRITABLE_FEATURES),
    freeSpace: options.freeSpace,
    ...(options.size === undefined ? {} : { size: options.size }),
    ...(uuid === undefined ? {} : { uuid }),
    ...given,
  };
}

/** Features that mke2fs knows by a second name. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['extents', 'extent'],
  ['uninit_groups', 'uninit_bg'],
]);

/** Features in mkfs.ext4's spelling: `name` switches one on, `^name` off. */
function featuresOf(words: readonly string[], known: readonly string[]): Partial<Record<Feature, boolean>> {
  const features: Partial<Record<Feature, boolean>> = {};
  for (const word of words) {
    const plain = word.replace(/^\^/, '');
    const name = ALIASES.get(plain) ?? plain;
    if (!known.includes(name)) throw invalidOption('fsFeatures', word, `expected one of ${known.join(', ')}`);
    features[name as Feature] = !word.startsWith('^');
  }
  return features;
}
