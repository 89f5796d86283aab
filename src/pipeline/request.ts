import type { OrderRequest } from './order.ts';
import type { Output } from './write.ts';

/** What to make, and of what. */
export interface BuildRequest extends OrderRequest {
  /** An existing rootfs to start from (folder, archive, initrd, image) instead of a distribution. */
  readonly source?: string;
  readonly outputs: readonly Output[];
  /** Version of this program, for the guest's summary. */
  readonly version: string;
}
