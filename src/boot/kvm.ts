import { accessSync, constants, existsSync, readFileSync } from 'node:fs';

/** What KVM is on this machine: `dead` is there and opens, but never runs a machine. */
export type KvmState = 'usable' | 'missing' | 'forbidden' | 'dead';

/** Looks for KVM. `cpuinfo`: what the kernel says of the processors. */
export function kvmState(device = '/dev/kvm', cpuinfo = '/proc/cpuinfo'): KvmState {
  if (!existsSync(device)) return 'missing';
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
  } catch {
    return 'forbidden';
  }
  try {
    // seen with kvm-pvm, which needs no virtualization of the processor: QEMU's machine never runs there
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync(cpuinfo, 'latin1'))?.[1];
    return flags === undefined || /\b(vmx|svm)\b/.test(flags) ? 'usable' : 'dead';
  } catch {
    return 'usable';
  }
}

/** Whether KVM is used; when it is not, why. `wanted`: what the user asked for. */
export function kvmUse(
  wanted: 'kvm' | 'tcg' | undefined,
  guest: string,
  own: string,
  state: KvmState,
): { readonly kvm: boolean; readonly reason?: string } {
  if (wanted === 'tcg') return { kvm: false };
  const without = (reason: string) => ({ kvm: false, reason });
  if (guest !== own) return wanted === 'kvm' ? without(`KVM of ${own} runs no guest of ${guest}`) : { kvm: false };
  switch (state) {
    case 'usable':
      return { kvm: true };
    case 'missing':
      return without('there is no /dev/kvm');
    case 'forbidden':
      return without('no permission for /dev/kvm; its group, often "kvm", has it');
    case 'dead':
      return wanted === 'kvm'
        ? { kvm: true }
        : without('there is a /dev/kvm, but the processors have neither vmx nor svm');
    default:
      return state satisfies never;
  }
}
