import { BuildError } from '../errors/error.ts';

/**
 * Bytes of a name at most: a virtio-blk device has a serial number of 20 (virtio 1.2, 5.2.6.4), a guest finds its
 * extension by `extension-NAME` there, and QEMU cuts longer ones off.
 */
const NAME_MAX = 10;

/** Rejects what Kata's runtimes and guests do not take as the name of an extension (`EXTENSION_NAME`). */
export function expectExtensionName(name: string): void {
  const reject = (reason: string): never => {
    throw new BuildError('EXTENSION_NAME', { name, reason });
  };
  if (!/^[A-Za-z0-9_-]+$/.test(name)) reject('letters, digits, "_" and "-" are allowed');
  if (name.length > NAME_MAX)
    reject(
      `it has ${name.length} characters, and a guest finds its disk by a serial number with space for ${NAME_MAX}`,
    );
}

/** The serial number of the virtio-blk device that carries an extension. */
export const extensionSerial = (name: string): string => `extension-${name}`;

/** Where a guest mounts an extension. */
export const extensionMount = (name: string): string => `/run/kata-extensions/${name}`;

/**
 * The word for the kernel's command line that makes a guest mount an extension. `parameters`: a line as in
 * `root_hash_VARIANT.txt`; without one the extension is not measured, and the guest expects a disk without hash tree.
 */
export function extensionWord(name: string, parameters: string | undefined): string {
  const key = `kata.extension.${name}.verity_params`;
  return parameters === undefined ? key : `${key}=${parameters}`;
}

/** What a runtime's configuration file needs to give an extension to its guests (TOML). */
export function extensionConfiguration(name: string, path: string, parameters: string | undefined): string {
  return [
    '[[hypervisor.qemu.guest_extension_images]]',
    `name = ${quoted(name)}`,
    `path = ${quoted(path)}`,
    `verity_params = ${quoted(parameters ?? '')}`,
    '',
  ].join('\n');
}

/** A basic string of TOML 1.0: JSON's form, with control characters as \uXXXX. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll('\x7f', '\\u007f');
}
