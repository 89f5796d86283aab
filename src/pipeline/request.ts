import type { Output } from '../artefacts/outputs.ts';
import type { KeepList } from '../rootfs/chisel/list.ts';
import type { OrderRequest } from './order.ts';

/** What to build, and from what. */
export interface BuildRequest extends OrderRequest {
  /** An existing rootfs to start from instead of a distribution: a folder, archive, initrd or image; `-` is standard input. */
  readonly source?: string;
  /** What is kept of the guest; everything if absent. */
  readonly keep?: KeepList;
  readonly outputs: readonly Output[];
  /** Where the kernel of the settings' `kernelPackage` is written, if anywhere. */
  readonly kernel?: string;
  /** Parsed YAML of the user's own dracut modules, and where each comes from. */
  readonly dracutModules?: readonly { readonly value: unknown; readonly path: string }[];
  /** Further files that the request was made from, such as a configuration file: no output may replace them. */
  readonly readFrom?: readonly string[];
  /** Version of this program, for the guest's summary. */
  readonly version: string;
}
