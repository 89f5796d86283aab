import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readRegular, SMALL_FILE_LIMIT } from '../bytes/regular.ts';
import { BuildError } from '../errors/error.ts';
import { SALT_LIMIT } from '../formats/verity/layout.ts';
import type { Signer } from '../formats/verity/signature.ts';
import { isSigningKey } from '../formats/x509/pkcs7.ts';
import { type FileSystem, type FileSystemOptions, invalidOption } from './filesystem.ts';
import type { DiskLayout, LayoutOptions } from './layouts.ts';

/** How a disk image is made. Sizes in bytes. */
export interface DiskOptions extends Omit<FileSystemOptions, 'size'>, LayoutOptions {
  readonly fileSystem: FileSystem['name'];
  readonly layout: DiskLayout['name'];
}

/** Rejects options of a disk that contradict each other, whatever the tree. */
export function rejectDiskOptions({ verity, layout, sectorSize, fileSystem, blockSize }: DiskOptions): void {
  if (sectorSize !== undefined && sectorSize !== 512) {
    if (sectorSize !== 4096)
      throw invalidOption('sectorSize', String(sectorSize), 'logical sectors have 512 or 4096 bytes');
    if (layout !== 'gpt')
      throw invalidOption(
        'sectorSize',
        String(sectorSize),
        'only disks with a GPT are written with other sectors than 512',
      );
    rejectSmallBlocks(fileSystem, blockSize, `a disk with sectors of ${sectorSize} bytes`);
  }
  if (verity === undefined) return;
  rejectSmallBlocks(fileSystem, blockSize, 'a measured rootfs');
  const { salt, signer } = verity;
  if (salt !== undefined && (salt.length === 0 || salt.length > SALT_LIMIT))
    throw invalidOption('veritySalt', `${salt.length} bytes`, `a salt has 1 to ${SALT_LIMIT} bytes`);
  if (signer !== undefined && layout !== 'gpt')
    throw invalidOption('verityKey', 'a key', 'only disks with a GPT have a place for the signature');
}

/** Options for the file system in a disk; what mounts it sees the sectors of the disk, or those of dm-verity. */
export function fileSystemOptions(options: DiskOptions): FileSystemOptions {
  // dm-verity's device has logical sectors of the size of its blocks (kernel, verity_io_hints)
  return options.verity === undefined ? options : { ...options, sectorSize: 4096 };
}

function rejectSmallBlocks(fileSystem: string, blockSize: number, what: string): void {
  if (blockSize < 4096)
    throw invalidOption(
      'blockSize',
      String(blockSize),
      `no kernel mounts ${fileSystem} with such blocks from ${what}; use 4096`,
    );
}

/** The bytes of a salt in hex. Throws `SETTING_INVALID`. */
export function saltOf(hex: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})+$/i.test(hex) || hex.length > 2 * SALT_LIMIT)
    throw invalidOption('veritySalt', hex, `expected the hexadecimal digits of 1 to ${SALT_LIMIT} bytes`);
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

/** Reads a key and its certificate from PEM files. Throws `SETTING_INVALID`, also when they do not belong together. */
export function readSigner(keyPath: string, certificatePath: string): Signer {
  let key: KeyObject;
  try {
    key = createPrivateKey(readRegular(keyPath, SMALL_FILE_LIMIT));
  } catch (cause) {
    if (cause instanceof BuildError) throw cause;
    throw invalidFile('verityKey', keyPath, 'expected a private key in PEM, not encrypted');
  }
  if (!isSigningKey(key))
    throw invalidFile(
      'verityKey',
      keyPath,
      `a key of the kind ${key.asymmetricKeyType}; the kernel verifies rsa and ec`,
    );
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(readRegular(certificatePath, SMALL_FILE_LIMIT));
  } catch (cause) {
    if (cause instanceof BuildError) throw cause;
    throw invalidFile('verityCert', certificatePath, 'expected an X.509 certificate in PEM or DER');
  }
  if (!certificate.checkPrivateKey(key))
    throw invalidFile('verityCert', certificatePath, `it does not belong to the key ${keyPath}`);
  return { key, certificate: Uint8Array.from(certificate.raw) };
}

/** Rejects what is in a file. Unlike an invalid value it is no misuse of the command line. */
function invalidFile(setting: 'verityKey' | 'verityCert', path: string, reason: string): BuildError {
  return new BuildError('SETTING_INVALID', { source: `\`${setting}\``, value: path, reason });
}
