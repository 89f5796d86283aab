import { FEATURES, type Feature, type XfsOptions } from '../formats/xfs/options.ts';
import { completeDigests } from './digests.ts';
import { countsOf, type FileSystem, type FileSystemOptions, invalidOption, uuidOf } from './filesystem.ts';

/** XFS of version 5. */
export const xfs: FileSystem = {
  name: 'xfs',
  holds: { xattrs: true, sockets: true, nanoseconds: true },
  limits: {
    fileSize: 2 ** 53 - 1,
    path: Infinity,
    target: 1023,
    major: 2 ** 9 - 1,
    minor: 2 ** 18 - 1,
    time: [-(2 ** 31), 18446744072 - 2 ** 31],
  },
  // sb_magicnum: XFSB
  magic: { offset: 0, bytes: [0x58, 0x46, 0x53, 0x42] },
  async validate(options) {
    const { settingsOf } = await import('../formats/xfs/options.ts');
    settingsOf(xfsOptions(options));
  },
  async plan(tree, options, report) {
    const { xfsImage } = await import('../formats/xfs/emit.ts');
    await completeDigests(tree, report);
    const image = xfsImage(tree, { ...xfsOptions(options), report });
    return { size: image.size, open: () => image.open(), uuid: image.plan.uuid };
  },
  async tree(volume, name) {
    return (await import('../formats/xfs/read.ts')).openXfs(volume, { name }).tree();
  },
  async structures(volume, { name, offset }, check) {
    const { describeXfs } = await import('../formats/xfs/inspect.ts');
    const facts = describeXfs(volume, { name, verify: false });
    const structure = { what: `xfs in ${name}`, offset, size: facts.size, facts: { ...facts }, faults: [] };
    if (!check) return [structure];
    const { checkXfs } = await import('../formats/xfs/check.ts');
    const { checked, faults, unchecked } = checkXfs(volume, { name });
    return [
      {
        ...structure,
        facts: { ...facts, checked: countsOf(checked) },
        faults: faults.map(({ at, reason }) => `${at}: ${reason}`),
        unchecked,
        unsummed: ['the content of files, for which xfs has no checksums'],
      },
    ];
  },
};

function xfsOptions(options: FileSystemOptions): XfsOptions {
  const uuid = uuidOf(options);
  if (options.blockSize !== 4096)
    throw invalidOption('blockSize', String(options.blockSize), 'xfs is written with 4096');
  if (options.features.length > 0)
    throw invalidOption(
      'fsFeatures',
      options.features.join(' '),
      'features of xfs are options: use `fsOptions`, as in -m reflink=1',
    );
  const given = spelled(options.options ?? []);
  if (uuid !== undefined && given.uuid !== undefined)
    throw invalidOption('fsOptions', '-m uuid', '`fsUuid` names a UUID, too: leave one of them out');
  // the kernel: "Filesystem has null UUID - can't mount"
  if ((uuid ?? given.uuid)?.every((byte) => byte === 0))
    throw invalidOption(
      options.uuid === undefined ? 'fsOptions' : 'fsUuid',
      options.uuid ?? '-m uuid',
      'no kernel mounts xfs without a UUID',
    );
  const { sectorSize = 512 } = options;
  if (given.sectorSize !== undefined && given.sectorSize < sectorSize)
    throw invalidOption(
      'fsOptions',
      `-s size=${given.sectorSize}`,
      `no kernel mounts xfs with such sectors from this disk, whose own (or those of a measured rootfs) have ${sectorSize} bytes`,
    );
  return {
    ...(sectorSize > 512 ? { sectorSize } : {}),
    ...(options.label === '' ? {} : { label: options.label }),
    freeSpace: options.freeSpace,
    ...(options.size === undefined ? {} : { size: options.size }),
    ...(uuid === undefined ? {} : { uuid }),
    ...given,
  };
}

/** Options of mkfs.xfs that say what is always so. */
const FIXED: readonly string[] = [
  '-m crc=1',
  '-n ftype=1',
  '-n version=2',
  '-n size=4096',
  '-b size=4096',
  '-l version=2',
  '-l internal=1',
  '-l lazy-count=1',
  '-i attr=2',
  '-i projid32bit=1',
];

/** Options in mkfs.xfs' spelling: `-m reflink=0,rmapbt=1 -i size=512 -s size=4096`; reflink is off unless asked for. */
function spelled(words: readonly string[]): XfsOptions {
  const features: Partial<Record<Feature, boolean>> = {};
  let options: { -readonly [K in keyof XfsOptions]: XfsOptions[K] } = {};
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (word === '--unsupported') {
      options.small = true;
      continue;
    }
    const letter = word.slice(0, 2);
    if (!['-m', '-i', '-s', '-l', '-d', '-n', '-b', '-L'].includes(letter))
      throw invalidOption(
        'fsOptions',
        word,
        'expected -m, -i, -s, -l, -d, -n, -b, -L or --unsupported, as mkfs.xfs has them',
      );
    const value = word.length > 2 ? word.slice(2) : left.shift();
    if (value === undefined || value === '') throw invalidOption('fsOptions', word, 'it needs a value');
    if (letter === '-L') {
      options.label = value;
      continue;
    }
    for (const one of value.split(',')) {
      const [name = '', number] = one.split('=');
      const text = `${letter} ${one}`;
      const invalid = (reason: string) => invalidOption('fsOptions', text, reason);
      const bytes = () =>
        sizeOf(number, () => invalid('expected a number of bytes, or one with k, m, g or b behind it'));
      if ((letter === '-m' || letter === '-i') && (FEATURES as readonly string[]).includes(name)) {
        // some names have no value, which means yes
        if (number !== undefined && number !== '0' && number !== '1') throw invalid('expected 0 or 1');
        features[name as Feature] = number !== '0';
        continue;
      }
      switch (`${letter} ${name}`) {
        case '-m uuid':
          options = { ...options, ...uuidOption(number ?? '') };
          break;
        case '-i size':
          options.inodeSize = bytes();
          break;
        case '-i maxpct':
          options.inodePercent = bytes();
          break;
        case '-s size':
        case '-d sectsize':
          options.sectorSize = bytes();
          break;
        case '-d agcount':
          options.groups = bytes();
          break;
        case '-l size':
          options.logSize = bytes();
          break;
        default:
          if (!FIXED.includes(text)) throw invalid('xfs is not written so');
      }
    }
  }
  return { ...options, features };
}

function uuidOption(text: string): Pick<XfsOptions, 'uuid'> {
  const uuid = uuidOf({ uuid: text } as FileSystemOptions);
  return uuid === undefined ? {} : { uuid };
}

/** A number of bytes in mkfs' spelling: `b` counts blocks of 4096 bytes, `k`, `m` and `g` are powers of 1024. */
function sizeOf(text: string | undefined, invalid: () => Error): number {
  const match = /^(\d{1,12})([bkmg]?)$/.exec(text ?? '');
  if (match === null) throw invalid();
  const unit = { '': 1, b: 4096, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match[2] as '' | 'b' | 'k' | 'm' | 'g'];
  return Number(match[1]) * unit;
}
