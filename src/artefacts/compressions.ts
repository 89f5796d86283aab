import { checkWritable, WRITERS, type WritableFormat } from '../compression/compress.ts';
import { BuildError } from '../errors/error.ts';

/** Rejects a level that the format does not have. */
export async function validateCompression(options: { compress: WritableFormat; level?: number }): Promise<void> {
  const { compress: format, level } = options;
  const writer = Object.hasOwn(WRITERS, format) ? WRITERS[format] : undefined;
  if (writer === undefined)
    throw new BuildError('COMPRESSION_UNKNOWN', { format, known: Object.keys(WRITERS).join(', ') });
  checkWritable(format);
  if (level === undefined || format === 'none') return;
  if (!Number.isInteger(level) || level < writer.lowest || level > writer.highest)
    throw new BuildError('COMPRESSION_LEVEL', { format, level, lowest: writer.lowest, highest: writer.highest });
}

/** Compression of a tar archive by file extension; undefined for formats that can only be read. */
const SUFFIXES: Readonly<Record<string, WritableFormat | undefined>> = {
  '': 'none',
  gz: 'gzip',
  zst: 'zstd',
  lz4: 'lz4',
  xz: undefined,
  bz2: undefined,
};

const TAR = /\.(?:tar(?:\.([a-z0-9]+))?|t(gz|zst|xz|bz2|lz4))$/;
/** File extensions that are not plausible for a folder. */
const OTHER = /\.(?:gz|xz|zst|lz4|bz2|zip|7z|rar|cpio|img|iso|raw|qcow2|vmdk|ext[234]|squashfs|erofs|xfs)$/;
const EXPECTED = 'expected a folder or .tar, .tar.gz, .tar.zst, .tar.lz4';

/**
 * Compression of the tar archive that a file name selects; undefined for a name that means a folder (`DIR/`, or no
 * known ending). Throws `NOT_SUPPORTED` for the ending of a format that cannot be written.
 */
export function tarCompression(path: string): WritableFormat | undefined {
  if (path.endsWith('/')) return undefined;
  const match = TAR.exec(path);
  if (match === null) {
    const other = OTHER.exec(path);
    if (other === null) return undefined;
    throw new BuildError('NOT_SUPPORTED', {
      what: path,
      reason: `a rootfs is not written as ${other[0]}; ${EXPECTED}`,
    });
  }
  const suffix = match[1] ?? match[2] ?? '';
  const format = Object.hasOwn(SUFFIXES, suffix) ? SUFFIXES[suffix] : undefined;
  if (format === undefined)
    throw new BuildError('NOT_SUPPORTED', { what: path, reason: `.${suffix} is not written; ${EXPECTED}` });
  return format;
}
