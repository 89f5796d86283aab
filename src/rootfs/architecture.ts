import { inParts } from '../bytes/file.ts';
import { readElf } from '../formats/elf/read.ts';
import type { Tree } from '../tree/tree.ts';

/** Programs that a rootfs of any distribution is likely to have. */
const PROGRAMS = ['sbin/init', 'usr/lib/systemd/systemd', 'usr/bin/kata-agent', 'bin/busybox', 'bin/sh', 'usr/bin/env'];

/**
 * The architecture of an existing rootfs, read from its programs: it may differ from the build host's, which must
 * not influence the outputs.
 */
export function architectureIn(tree: Tree): string | undefined {
  for (const path of PROGRAMS) {
    const content = tree.file(path)?.content;
    const elf = content === undefined || content.size < 64 ? undefined : inParts(content, readElf);
    if (elf !== undefined) return elf.machineName === 'ppc64' && elf.littleEndian ? 'ppc64le' : elf.machineName;
  }
  return undefined;
}
