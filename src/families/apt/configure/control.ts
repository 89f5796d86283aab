import type { Unpacked } from '../../../fetch/package.ts';
import type { AptPackage } from '../package.ts';

/** The text of a control file as a byte string, or undefined when the package does not have it. */
export function controlText(of: Unpacked<AptPackage>, name: string): string | undefined {
  const file = of.control.get(name);
  return file === undefined ? undefined : Buffer.from(file.content.readSync()).toString('latin1');
}
