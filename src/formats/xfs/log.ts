import { at, raw, struct, u32be } from '../../bytes/struct.ts';
import { DADDR, NULL32 } from './layout.ts';
import type { Plan } from './plan.ts';

/** struct xlog_rec_header, without the cycles behind it; sectors of 512 bytes whatever the disk has. */
export const LogRecord = struct('xfs log record', 328, {
  magic: u32be,
  cycle: u32be,
  version: u32be,
  length: u32be,
  lsnCycle: at(16, u32be),
  lsnBlock: u32be,
  tailCycle: u32be,
  tailBlock: u32be,
  checksum: at(32, u32be),
  previous: u32be,
  operations: u32be,
  cycleData: raw(256),
  format: at(300, u32be),
  uuid: raw(16),
  size: at(320, u32be),
  pad: u32be,
});
export const LOG_MAGIC = 0xfeedbabe;
/** Client and flag of an operation that says that the file system was unmounted. */
export const LOG_CLIENT = 0xaa;
export const LOG_UNMOUNT = 0x20;

/** The start of a log with nothing to replay: one record, which says that the file system was unmounted. */
export function logStart({ settings, uuid }: Plan): Uint8Array {
  // the record fills one unit of the log: a sector of the disk, or 512 bytes for it and as many for its operation
  const unit = Math.max(2 * DADDR, settings.sectorSize);
  const bytes = new Uint8Array(unit);
  const view = new DataView(bytes.buffer);
  LogRecord.write(bytes, 0, {
    magic: LOG_MAGIC,
    cycle: 1,
    version: 2,
    length: unit - DADDR,
    lsnCycle: 1,
    tailCycle: 1,
    previous: NULL32,
    operations: 1,
    format: 1,
    uuid,
    size: 32768,
  });
  // the transaction's number, whose place in the sector the cycle takes
  view.setUint32(LogRecord.offset.cycleData, 0xb0c0d0d0);
  for (let sector = DADDR; sector < unit; sector += DADDR) view.setUint32(sector, 1);
  view.setUint32(DADDR + 4, 8);
  view.setUint8(DADDR + 8, LOG_CLIENT);
  view.setUint8(DADDR + 9, LOG_UNMOUNT);
  // XLOG_UNMOUNT_TYPE, in the byte order of the host that wrote it
  view.setUint16(DADDR + 12, 0x556e, true);
  return bytes;
}

/** How far behind the head its record begins at most: 256 KiB and headers, in sectors. */
const RECORD_MAX = 1024;

/**
 * Why a log must be replayed before the file system can be read, or undefined when nothing is left to do: its last record
 * says that the file system was unmounted, or nothing was ever written to it.
 */
export function logFault(read: (offset: number, length: number) => Uint8Array, size: number): string | undefined {
  const sectors = size / DADDR;
  const sector = (index: number) => read(index * DADDR, DADDR);
  const cycle = (index: number) => {
    const view = new DataView(sector(index).buffer);
    return view.getUint32(0) === LOG_MAGIC ? view.getUint32(4) : view.getUint32(0);
  };
  const first = cycle(0);
  if (first === 0 && cycle(sectors - 1) === 0) return undefined;
  // every sector before the head has the cycle of the first one, every sector behind it an earlier one
  let low = 0;
  let high = sectors;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (cycle(middle) === first) low = middle;
    else high = middle;
  }
  for (let back = 1; back <= RECORD_MAX; back++) {
    const index = high - back;
    const at = index < 0 ? index + sectors : index;
    if (at < 0) break;
    const bytes = sector(at);
    const view = new DataView(bytes.buffer);
    if (view.getUint32(0) !== LOG_MAGIC) continue;
    const record = LogRecord.read(bytes);
    const headers = record.version === 2 && record.size > 32768 ? Math.ceil(record.size / 32768) : 1;
    const data = new DataView(sector((at + headers) % sectors).buffer);
    const unmounted = record.operations === 1 && (data.getUint8(9) & LOG_UNMOUNT) !== 0;
    return unmounted ? undefined : 'its last record is of a change, not of an unmount';
  }
  return 'it has no record before its end';
}
