import { join } from 'node:path';
import { compose } from '../bytes/content.ts';
import { parseLinux } from '../formats/erofs/kernels.ts';
import type { ErofsOptions } from '../formats/erofs/options.ts';
import { completeDigests } from './digests.ts';
import { countsOf, type FileSystem, type FileSystemOptions, invalidOption, uuidOf } from './filesystem.ts';

/** Kata's own: `mkfs.erofs -zlz4hc -Enoinline_data`. */
const KATA: readonly string[] = ['-zlz4hc', '-Enoinline_data'];

let spools = 0;

/** EROFS: read-only, plain or compressed. */
export const erofs: FileSystem = {
  name: 'erofs',
  holds: { xattrs: true, sockets: true, nanoseconds: true },
  limits: { fileSize: (2 ** 32 - 1) * 4096, path: Infinity, target: 4095, time: [-(2 ** 53) + 1, 2 ** 53 - 1] },
  // the magic number of the superblock, which is at 1024
  magic: { offset: 1024, bytes: [0xe2, 0xe1, 0xf5, 0xe0] },
  async validate(options) {
    const { settingsOf } = await import('../formats/erofs/options.ts');
    settingsOf(erofsOptions(options));
  },
  async plan(tree, options, report) {
    const { erofsImage } = await import('../formats/erofs/emit.ts');
    await completeDigests(tree, report);
    const image = await erofsImage(tree, {
      ...erofsOptions(options),
      report,
      spool() {
        if (options.workspace === undefined) throw new TypeError('compression needs a workspace');
        return join(options.workspace(), `erofs-${process.pid}-${spools++}`);
      },
    });
    const size = options.size?.(image.size) ?? image.size;
    // what is behind the file system is not a part of it
    const content = size === image.size ? image : compose(size, [{ offset: 0, content: image }]);
    return { size, open: () => content.open(), uuid: image.plan.uuid, mappable: image.plan.spool === undefined };
  },
  async tree(volume, name) {
    return (await (await import('../formats/erofs/read.ts')).openErofs(volume, { name })).tree();
  },
  async structures(volume, { name, offset }, check) {
    const { describeErofs, verifyErofs } = await import('../formats/erofs/inspect.ts');
    const facts = describeErofs(volume, { name, verify: false });
    const structure = { what: `erofs in ${name}`, offset, size: facts.size, facts: { ...facts }, faults: [] };
    if (!check) return [structure];
    const { checked, faults } = await verifyErofs(volume, { name });
    return [
      {
        ...structure,
        facts: { ...facts, checked: countsOf(checked) },
        faults: faults.map(({ at, reason }) => `${at}: ${reason}`),
        unsummed: ['the content of files and all metadata but the first block, for which erofs has no checksums'],
      },
    ];
  },
};

function erofsOptions(options: FileSystemOptions): ErofsOptions {
  const uuid = uuidOf(options);
  if (options.blockSize !== 4096)
    throw invalidOption('blockSize', String(options.blockSize), 'erofs is written with 4096');
  if (options.freeSpace > 0)
    throw invalidOption(
      'rootFreeSpace',
      String(options.freeSpace / 1024 ** 2),
      'erofs is read-only and has no free space',
    );
  if (options.features.length > 0)
    throw invalidOption('fsFeatures', options.features.join(' '), 'erofs has no features to choose; use `fsOptions`');
  const kernel = kernelOf(options);
  return {
    label: options.label,
    ...(kernel === undefined ? {} : { kernel }),
    ...(uuid === undefined ? {} : { uuid }),
    ...spelled(options.options ?? KATA),
  };
}

function kernelOf({ kernel }: FileSystemOptions): ErofsOptions['kernel'] {
  if (kernel === undefined) return undefined;
  const parsed = parseLinux(kernel);
  if (parsed === undefined) throw invalidOption('kernelCompat', kernel, 'expected a version of Linux such as 5.15');
  return parsed;
}

/** Options in mkfs.erofs' spelling: `-zlz4hc,9 -C65536 -Enoinline_data`. */
function spelled(words: readonly string[]): ErofsOptions {
  const options: {
    -readonly [K in 'compression' | 'level' | 'clusterSize' | 'inlineData' | 'tailPacking']?: ErofsOptions[K];
  } = {
    compression: 'none',
    inlineData: true,
  };
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    const invalid = (reason: string) => invalidOption('fsOptions', word, reason);
    const letter = word.slice(0, 2);
    if (!['-z', '-C', '-E'].includes(letter))
      throw invalid('expected -zCOMPRESSOR[,LEVEL], -CBYTES, -E[^]noinline_data or -Eztailpacking');
    const value = word.length > 2 ? word.slice(2) : left.shift();
    if (value === undefined || value === '') throw invalid('it needs a value');
    if (letter === '-z') {
      const match = /^(lz4hc|lz4)(?:,(?:level=)?(\d+))?$/.exec(value);
      if (match === null)
        throw invalid('expected lz4 or lz4hc, which every kernel with compression reads, and a level');
      options.compression = match[1] as 'lz4' | 'lz4hc';
      if (match[2] !== undefined) options.level = Number(match[2]);
    } else if (letter === '-C') {
      if (!/^\d+$/.test(value)) throw invalid('expected a number of bytes');
      options.clusterSize = Number(value);
    } else
      for (const one of value.split(',')) {
        const match = /^(\^?)(noinline_data|ztailpacking)$/.exec(one);
        if (match === null) throw invalid('expected noinline_data or ztailpacking, or one of them behind a ^');
        if (match[2] === 'ztailpacking') options.tailPacking = match[1] === '';
        else options.inlineData = match[1] === '^';
      }
  }
  if (options.tailPacking && options.compression === 'none')
    throw invalidOption(
      'fsOptions',
      words.join(' '),
      'ztailpacking is for compressed files: it goes with -zlz4hc or -zlz4',
    );
  if (options.clusterSize !== undefined && options.compression === 'none')
    throw invalidOption('fsOptions', words.join(' '), '-C is for compressed clusters: it goes with -zlz4hc or -zlz4');
  return options;
}
