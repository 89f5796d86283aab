import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Output } from '../artefacts/outputs.ts';
import { BuildError } from '../errors/error.ts';
import type { LockedOutput } from '../lock/lock.ts';
import { build } from '../pipeline/build.ts';
import { difference } from '../proof/difference.ts';
import { type Context, withHost } from './context.ts';
import { differenceLines } from './diff.ts';
import { fileNamed, readLock, settingsWithLock } from './locked-settings.ts';
import { requestOf } from './request.ts';

/** Kinds of output by the kind of artefact that a file is. */
const OUTPUT_OF: Readonly<Record<string, LockedOutput['kind']>> = { tar: 'rootfs', initrd: 'initrd', disk: 'image' };
/** Paths that an error names at most. */
const PATHS = 20;

/** The output of a lock that a file should be: by its digest, its name, its kind. Throws `LOCK_OUTPUT_UNKNOWN`. */
export function lockedOutput({ settings }: Context, path: string, kind: string, sha256: string): LockedOutput {
  const { outputs } = readLock(settings.lock!);
  const same = outputs.filter((one) => one.kind === OUTPUT_OF[kind]);
  const found =
    outputs.find((one) => one.sha256 === sha256) ??
    outputs.find((one) => one.name === basename(path)) ??
    (same.length === 1 ? same[0] : undefined);
  if (found !== undefined) return found;
  const known = outputs.map((one) => `${one.kind} ${one.name}`).join(', ');
  const hint = 'a lock names outputs when they are built with it: osbuilder lock … --image FILE';
  throw new BuildError('LOCK_OUTPUT_UNKNOWN', { path, known }, { hint });
}

/**
 * Builds an output of a lock again, and compares it with the lock and with a file. Throws `LOCK_OUTPUT_DIFFERS`, which
 * says what differs from a fresh build.
 */
export async function rebuilt(context: Context, path: string, row: LockedOutput, actual: string): Promise<void> {
  const lock = context.settings.lock!;
  // whether it would start was decided when it was locked
  const complete = { ...settingsWithLock(context, lock), frozen: true, force: true, skipRootfsCheck: true };
  const request = await requestOf(context, complete);
  const source = sourceOf(lock);
  await withHost(context, async (host) => {
    const { kind } = row;
    const target = join(host.workspace(), 'again', kind === 'rootfs' ? row.name : `again-${row.name}`);
    const outputs: Output[] =
      kind === 'kernel' ? [{ kind: 'rootfs', path: `${target}.tar` }] : [{ kind, path: target }];
    const result = await build(
      {
        ...request,
        outputs,
        ...(kind === 'kernel' ? { kernel: target } : {}),
        ...(source === undefined ? {} : { source }),
      },
      { ...host, report: context.report, anew: true },
    );
    const { sha256 } = kind === 'kernel' ? result.kernel! : result.outputs[0]!;
    const fail = (file: string, digest: string, detail: string): never => {
      throw new BuildError('LOCK_OUTPUT_DIFFERS', { path: file, expected: row.sha256, actual: digest, detail });
    };
    // the file may be what the lock says, and only be built in another way here
    const but = actual === row.sha256 ? ', but' : ';';
    if (actual !== sha256 && kind === 'kernel') fail(path, actual, `${but} a fresh kernel differs`);
    if (actual !== sha256) {
      const lines = differenceLines(await difference(path, target, host));
      const shown = lines
        .slice(0, PATHS)
        .map((line) => `\n  ${line}`)
        .join('');
      const more = lines.length > PATHS ? `\n  … and ${lines.length - PATHS} more` : '';
      const why =
        lines.length === 0
          ? `${but} a fresh build has the same tree, written in another way`
          : `${but} a fresh build differs:`;
      fail(path, actual, `${why}${shown}${more}`);
    }
    if (sha256 !== row.sha256) fail(path, sha256, ', and a fresh build here gives the same bytes as the file');
    rmSync(target, { recursive: true, force: true });
  });
}

/** The existing rootfs that a lock was made from, beside the lock. */
function sourceOf(lock: string): string | undefined {
  const input = readLock(lock).inputs.find(({ setting }) => setting === 'source');
  if (input === undefined) return undefined;
  const found = fileNamed(input.name, lock);
  if (found !== undefined) return found;
  throw new BuildError('LOCK_INPUT_MISSING', { setting: 'source', name: input.name, sha256: input.sha256 });
}
