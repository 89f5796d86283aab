import { initrd, tar } from './archives.ts';
import { directory } from './folder.ts';
import type { ImageKind } from './kind.ts';
import { disk, ext4 } from './volumes.ts';

/**
 * Every kind of image that can be opened and written, in the order in which a file is tried: kinds recognised by their
 * first bytes alone come first. To add a kind, add a row; the contract test runs over all of them.
 */
export const IMAGE_KINDS = { directory, tar, initrd, ext4, disk } as const satisfies Record<string, ImageKind<never>>;
