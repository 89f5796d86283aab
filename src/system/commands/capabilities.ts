import type { Call, Command, Options } from '../../shell/command.ts';
import type { Inode } from '../../tree/inode.ts';
import { withOptions } from './binding.ts';

/** Capabilities in the order of their numbers: linux/capability.h. */
const NAMES =
  'chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'.split(
    ' ',
  );
const ATTRIBUTE = 'security.capability';
/** VFS_CAP_REVISION_2 and VFS_CAP_FLAGS_EFFECTIVE of linux/capability.h. */
const REVISION_2 = 0x02000000;
const EFFECTIVE = 1;

interface Sets {
  effective: bigint;
  permitted: bigint;
  inheritable: bigint;
}

/** Reads capabilities as cap_from_text(3) does; undefined when they cannot be parsed. */
export function parseCapabilities(text: string): Sets | undefined {
  const sets: Sets = { effective: 0n, permitted: 0n, inheritable: 0n };
  for (const clause of text.trim().split(/\s+/)) {
    const match = /^([a-z0-9_,]*)((?:[-+=][eip]*)+)$/i.exec(clause);
    if (match === null) return undefined;
    let bits = 0n;
    const names = match[1]!.toLowerCase();
    if (names === '' || names === 'all') bits = (1n << BigInt(NAMES.length)) - 1n;
    else
      for (const name of names.split(',')) {
        const number = NAMES.indexOf(name.replace(/^cap_/, ''));
        if (number < 0) return undefined;
        bits |= 1n << BigInt(number);
      }
    for (const [, sign, letters = ''] of match[2]!.matchAll(/([-+=])([eip]*)/g)) {
      for (const [letter, key] of [
        ['e', 'effective'],
        ['p', 'permitted'],
        ['i', 'inheritable'],
      ] as const) {
        const named = letters.includes(letter);
        if (sign === '=') sets[key] = named ? sets[key] | bits : sets[key] & ~bits;
        else if (named) sets[key] = sign === '+' ? sets[key] | bits : sets[key] & ~bits;
      }
    }
  }
  return sets;
}

/** The attribute of a file as the kernel stores it: `struct vfs_cap_data`, revision 2, little endian. */
export function encodeCapabilities(sets: Sets): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, REVISION_2 | (sets.effective !== 0n ? EFFECTIVE : 0), true);
  view.setUint32(4, Number(sets.permitted & 0xffffffffn), true);
  view.setUint32(8, Number(sets.inheritable & 0xffffffffn), true);
  view.setUint32(12, Number(sets.permitted >> 32n), true);
  view.setUint32(16, Number(sets.inheritable >> 32n), true);
  return bytes;
}

function show(value: Uint8Array): string {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const permitted = BigInt(view.getUint32(4, true)) | (BigInt(view.getUint32(12, true)) << 32n);
  const inheritable = BigInt(view.getUint32(8, true)) | (BigInt(view.getUint32(16, true)) << 32n);
  const names = NAMES.filter((_, i) => ((permitted | inheritable) >> BigInt(i)) & 1n).map((name) => `cap_${name}`);
  const flags = (view.getUint32(0, true) & EFFECTIVE ? 'e' : '') + (inheritable ? 'i' : '') + (permitted ? 'p' : '');
  return `${names.join(',')}=${flags}`;
}

/** `setcap`. */
export const setcap: Command = withOptions('+qrf', '', setCapabilities);

function setCapabilities(call: Call, given: Options): number {
  const operands = [...given.operands];
  const clear = given.has('r') ? '' : operands.shift();
  if (operands.length === 0 || clear === undefined) return call.fail('usage: setcap (-r|capabilities) filename');
  const sets = given.has('r') ? undefined : parseCapabilities(clear);
  if (!given.has('r') && sets === undefined) return call.fail(`fatal error: Invalid argument: ${clear}`);
  for (const path of operands) {
    let inode: Inode | undefined;
    if (!call.attempt(path, () => (inode = call.files.stat(path)))) return 1;
    if (inode?.kind !== 'file') return call.fail(`'${path}' is not a regular file`);
    if (sets === undefined) inode.xattrs?.delete(ATTRIBUTE);
    // the kernel stores one bit for all effective ones: cap_set_file(3)
    else if (sets.effective !== 0n && ((sets.permitted | sets.inheritable) & ~sets.effective) !== 0n)
      return call.fail(`Invalid file '${path}' for capability operation`);
    else {
      inode.xattrs ??= new Map();
      inode.xattrs.set(ATTRIBUTE, encodeCapabilities(sets));
    }
  }
  return 0;
}

/** `getcap`. */
export const getcap: Command = withOptions('', '', (call, given) => {
  for (const path of given.operands) {
    const value = call.files.find(path)?.xattrs?.get(ATTRIBUTE);
    if (value !== undefined && value.length >= 20) call.out(`${path} ${show(value)}\n`);
  }
  return 0;
});
