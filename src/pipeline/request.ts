import type { Output } from '../artefacts/outputs.ts';
import type { KeepList } from '../rootfs/chisel/list.ts';
import type { OrderRequest } from './order.ts';

/** What an extension is made of besides `source` or packages. */
export interface ExtensionRequest {
  readonly name: string;
  /** Laid over `source`, in order: folders, archives, images. */
  readonly layers: readonly string[];
  /** A guest without the extension: only what is new or changed against it is taken. */
  readonly base?: string;
}

/** What to build, and from what. */
export interface BuildRequest extends OrderRequest {
  /** An existing rootfs to start from instead of a distribution: a folder, archive, initrd or image; `-` is standard input. */
  readonly source?: string;
  /** An extension for a guest, rather than a guest. */
  readonly extension?: ExtensionRequest;
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
