import { memory } from '../bytes/content.ts';
import { pour, STDOUT } from '../bytes/pour.ts';
import { BuildError } from '../errors/error.ts';
import type { Host } from '../fetch/host.ts';
import { type Lock, lockText } from '../lock/lock.ts';
import { build } from '../pipeline/build.ts';
import { lock as makeLock } from '../pipeline/make-lock.ts';
import { updateLock } from '../pipeline/update-lock.ts';
import { validateLockPlace } from '../pipeline/validate-outputs.ts';
import { type LockChange, lockChanges } from '../proof/lock-changes.ts';
import { printable } from '../report/escape.ts';
import { size } from '../report/terminal.ts';
import type { Settings } from '../settings/table.ts';
import { type Context, withHost } from './context.ts';
import { readLock, settingsWithLock } from './locked-settings.ts';
import { requestOf } from './request.ts';

/** Where a lock is unless another file is named. */
export const LOCK_FILE = 'osbuilder.lock.json';

/** `osbuilder lock [SOURCE]` and `osbuilder lock --update [NAME…]`. */
export async function lock(context: Context): Promise<void> {
  const { terminal, settings, collected, call, outputs } = context;
  const path = context.flag('output') ?? settings.lock ?? LOCK_FILE;
  const update = call.own['update'] === true;
  if (!update && settings.lock !== undefined)
    throw new BuildError('USAGE', { reason: '--lock names a lock to build from; -o says where a new one goes' });
  if (!update && call.positional.length > 1)
    throw new BuildError('USAGE', { reason: `unexpected argument "${call.positional[1]}": names are for --update` });
  if (update && call.positional.length > 0 && outputs.length > 0)
    throw new BuildError('USAGE', { reason: 'update single packages first, then build from the lock' });
  const old = update ? readLock(settings.lock ?? path) : undefined;
  const from = update ? (settings.lock ?? path) : undefined;
  const kept = await withHost(context, (host) => lockOf(context, path, from, old, host));
  const changes = old === undefined ? undefined : lockChanges(old, kept);
  const text = Buffer.from(lockText(kept));
  if (path === STDOUT) terminal.out(text);
  else await pour(memory(text).open(), path);
  if (settings.json && path !== STDOUT) {
    const { packages, repositories, inputs, outputs: made } = kept;
    const document = {
      lock: path,
      ...{ packages: packages.length, repositories: repositories.length, inputs: inputs.length },
      outputs: made,
      ...(changes === undefined ? {} : { changes }),
      warnings: collected.warnings,
      notes: collected.notes,
    };
    terminal.out(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  const say =
    path === STDOUT || outputs.some((one) => one.path === STDOUT)
      ? (line: string) => terminal.screen.write(line)
      : terminal.out;
  if (changes !== undefined) for (const line of changeTable(changes)) say(`${printable(line)}\n`);
  if (changes?.length === 0) say('nothing has changed\n');
  for (const { kind, name, size: bytes, sha256 } of kept.outputs)
    say(`${kind.padEnd(7)}${size(bytes)}  sha256:${sha256}  ${name}\n`);
  say(`${path}: ${kept.packages.length} packages, ${kept.inputs.length} inputs, ${kept.outputs.length} outputs\n`);
}

/** A new lock, which goes to `path`; `from` is the lock whose settings it takes over. */
async function lockOf(
  context: Context,
  path: string,
  from: string | undefined,
  old: Lock | undefined,
  host: Host,
): Promise<Lock> {
  const { call, outputs } = context;
  const settings = from === undefined ? context.settings : withoutLock(context, from);
  const source = from === undefined ? call.positional[0] : undefined;
  const request = {
    ...(await requestOf(context, settings)),
    outputs,
    ...(source === undefined ? {} : { source }),
    ...(context.kernelPath === undefined ? {} : { kernel: context.kernelPath }),
  };
  validateLockPlace(request, path);
  const listening = { ...host, report: context.report };
  if (old !== undefined && outputs.length === 0) return updateLock(request, old, call.positional, listening);
  if (outputs.length === 0) return makeLock(request, listening);
  return (await build(request, listening)).lock();
}

/** The settings of a lock, to choose its packages anew. */
function withoutLock(context: Context, from: string): Settings {
  const settings = settingsWithLock(context, from);
  return { ...settings, lock: undefined };
}

/** Changes as lines: what, from, to. */
export function changeTable(changes: readonly LockChange[]): string[] {
  const rows = changes.map(({ what, name, from, to, detail }) => [
    `${from === undefined ? '+' : to === undefined ? '-' : '~'} ${what}`,
    name,
    from === undefined
      ? to!
      : to === undefined
        ? from
        : detail?.startsWith('built again')
          ? `${to}`
          : `${from} -> ${to}`,
    detail ?? '',
  ]);
  const width = (i: number) => Math.max(0, ...rows.map((row) => row[i]!.length));
  const [first, second] = [width(0), width(1)];
  return rows.map(([a, b, c, d]) =>
    `${a!.padEnd(first)}  ${b!.padEnd(second)}  ${c}${d === '' ? '' : `  (${d})`}`.trimEnd(),
  );
}
