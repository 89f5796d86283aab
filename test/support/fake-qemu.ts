import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { memory } from '../../src/bytes/content.ts';
import { pour } from '../../src/bytes/pour.ts';
import { cpioArchive } from '../../src/formats/cpio/emit.ts';
import { rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';

/** What the stand-in for QEMU does, in order. */
export type FakeStep =
  /** Writes to the console. */
  | { readonly console: string }
  | { readonly stderr: string }
  /** Ends with that status. */
  | { readonly exit: number }
  /** Takes no notice of SIGTERM. */
  | { readonly deaf: true };

const PROGRAM = `
const { appendFileSync, writeFileSync } = require('node:fs');
const args = process.argv.slice(2);
const chardev = args[args.indexOf('-chardev') + 1];
const log = /(?:path|logfile)=((?:[^,]|,,)*)/.exec(chardev)[1].replaceAll(',,', ',');
if (process.env.FAKE_QEMU_TRACE) writeFileSync(process.env.FAKE_QEMU_TRACE, JSON.stringify({ pid: process.pid, args }));
for (const step of JSON.parse(process.env.FAKE_QEMU ?? '[]')) {
  if ('console' in step) appendFileSync(log, step.console);
  if ('stderr' in step) process.stderr.write(step.stderr);
  if ('deaf' in step) process.on('SIGTERM', () => {});
  if ('exit' in step) process.exitCode = step.exit;
}
if (process.exitCode === undefined) setInterval(() => {}, 1000);
`;

/** A folder of programs with the names of QEMU, which only write what the variable FAKE_QEMU says. */
export function fakeQemu(folder: string, programs: readonly string[] = ['qemu-system-x86_64']): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  for (const name of programs) {
    writeFileSync(join(bin, name), `#!${process.execPath}${PROGRAM}`);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
}

/** Variables that make the stand-in do these steps. `trace`: a file for its process id and arguments. */
export function fakeSteps(
  bin: string,
  steps: readonly FakeStep[],
  trace?: string,
): { PATH: string; FAKE_QEMU: string; FAKE_QEMU_TRACE?: string } {
  return {
    PATH: bin,
    FAKE_QEMU: JSON.stringify(steps),
    ...(trace === undefined ? {} : { FAKE_QEMU_TRACE: trace }),
  };
}

/** An initrd with an /init, and a file that is a kernel as far as its first bytes say, of x86_64. */
export async function fakeGuest(folder: string): Promise<{ initrd: string; kernel: string }> {
  const tree = new Tree();
  tree.writeFile('init', '#!/bin/sh\n', rootMeta(0o755));
  const initrd = join(folder, 'initrd.img');
  await pour(cpioArchive(tree).open(), initrd);
  const image = new Uint8Array(4096);
  image.set(Buffer.from('HdrS'), 0x202);
  const kernel = join(folder, 'vmlinuz');
  await pour(memory(image).open(), kernel);
  return { initrd, kernel };
}
