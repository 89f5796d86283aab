import { copyOf } from '../../bytes/content.ts';
import type { RandomAccess } from '../../bytes/file.ts';
import { at, raw, struct, text, u16, u32, u64 } from '../../bytes/struct.ts';

/** Bytes of the header; it is at this offset too. */
export const DAX_HEADER_SIZE = 4096;
/** Where the header is in an image, in bytes. */
export const DAX_HEADER_OFFSET = 4096;
/** Where the data of the resulting kernel device begins, in bytes. */
export const DAX_DATA_OFFSET = 2 * 1024 * 1024;

// struct nd_pfn_sb in the kernel's drivers/nvdimm/pfn.h
const PfnInfo = struct('NVDIMM pfn info block', DAX_HEADER_SIZE, {
  signature: text(16),
  uuid: raw(16),
  parentUuid: raw(16),
  flags: at(48, u32),
  versionMajor: u16,
  versionMinor: u16,
  dataOffset: at(56, u64),
  pages: u64,
  mode: at(72, u32), // 1: the page map is in RAM
  startPad: u32,
  endTrunc: u32,
  align: u32,
  padding: raw(4000),
  checksum: at(4088, raw(8)),
});

const SIGNATURE = 'NVDIMM_PFN_INFO';

/** The header that makes the kernel map an NVDIMM image page by page, so that its file system can be used in place. */
export function daxHeader(): Uint8Array {
  const block = PfnInfo.bytes({
    signature: SIGNATURE,
    versionMinor: 2,
    dataOffset: DAX_DATA_OFFSET,
    mode: 1,
    align: DAX_DATA_OFFSET,
  });
  new DataView(block.buffer).setBigUint64(PfnInfo.offset.checksum, fletcher64(block), true);
  return block;
}

/** A header's fields and whether its checksum is right; undefined when there is no header. */
export function readDaxHeader(
  block: Uint8Array,
): { readonly dataOffset: number; readonly align: number; readonly sound: boolean } | undefined {
  const info = PfnInfo.read(block);
  if (info.signature !== SIGNATURE) return undefined;
  const cleared = copyOf(block.subarray(0, DAX_HEADER_SIZE));
  cleared.fill(0, PfnInfo.offset.checksum, DAX_HEADER_SIZE);
  const stored = new DataView(block.buffer, block.byteOffset).getBigUint64(PfnInfo.offset.checksum, true);
  return { dataOffset: info.dataOffset, align: info.align, sound: fletcher64(cleared) === stored };
}

/** True when a header for NVDIMM devices is at its offset, valid or not. */
export function hasDaxHeader(disk: RandomAccess): boolean {
  if (disk.size < DAX_HEADER_OFFSET + DAX_HEADER_SIZE) return false;
  const block = new Uint8Array(DAX_HEADER_SIZE);
  disk.readAt(DAX_HEADER_OFFSET, block);
  return readDaxHeader(block) !== undefined;
}

/** The kernel's nd_fletcher64 (drivers/nvdimm/core.c) over little-endian 32-bit words. */
export function fletcher64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let low = 0;
  let high = 0n;
  for (let offset = 0; offset + 4 <= bytes.length; offset += 4) {
    low = (low + view.getUint32(offset, true)) >>> 0;
    high += BigInt(low);
  }
  return BigInt.asUintN(64, (high << 32n) | BigInt(low));
}
