import { existsSync, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import type { Output } from '../artefacts/outputs.ts';
import { BuildError } from '../errors/error.ts';
import type { Host } from '../fetch/host.ts';
import { build } from '../pipeline/build.ts';
import type { Written } from '../pipeline/write.ts';
import { difference } from '../proof/difference.ts';
import { size } from '../report/terminal.ts';
import { roleOf } from '../settings/role.ts';
import { SETTING_KEYS, type Settings } from '../settings/table.ts';
import { setJobs } from '../workers/shared.ts';
import { type Context, withHost } from './context.ts';
import { differenceLines } from './diff.ts';
import { requestOf } from './request.ts';

/** What one of two builds finds. */
interface Surroundings {
  readonly zone: string;
  readonly locale: string;
  readonly umask: number;
  readonly jobs: number;
}

/** Lines of differences that an error shows. */
const LINES = 40;

/**
 * `osbuilder repro [SOURCE]`: builds a rootfs, an initrd and an image twice, with other surroundings, and compares. Throws
 * `NOT_REPRODUCIBLE`. The host name, the user and the clock cannot be changed from inside a process.
 */
export async function repro(context: Context): Promise<void> {
  const { terminal, settings, collected } = context;
  const first = { zone: 'UTC', locale: 'C', umask: 0o022, jobs: 1 };
  const jobs = Math.max(2, settings.jobs ?? availableParallelism());
  const second = { zone: 'Pacific/Kiritimati', locale: 'tr_TR.UTF-8', umask: 0o077, jobs };
  const results = await withHost(context, async (host) => {
    const made: Written[][] = [];
    for (const [i, one] of [first, second].entries()) {
      const folder = join(host.workspace(), `build-${i}${'-further-away'.repeat(i)}`);
      mkdirSync(folder);
      made.push(await within(context, one, folder, host));
    }
    const [a, b] = made as [Written[], Written[]];
    const rows = a.map((one, i) => ({ kind: one.kind, size: one.size, sha256: one.sha256, again: b[i]!.sha256 }));
    const differing = rows.flatMap(({ kind, sha256, again }, i) => (sha256 === again ? [] : [{ kind, i }]));
    if (differing.length > 0) {
      const { i } = differing[0]!;
      const lines = differenceLines(await difference(a[i]!.path, b[i]!.path, host)).slice(0, LINES);
      const detail = lines.length === 0 ? '; their trees are the same' : lines.map((line) => `\n  ${line}`).join('');
      throw new BuildError('NOT_REPRODUCIBLE', { outputs: differing.map(({ kind }) => kind), detail });
    }
    return rows;
  });
  if (settings.json) {
    const outputs = results.map(({ kind, size: bytes, sha256 }) => ({ kind, size: bytes, sha256 }));
    const document = { same: true, outputs, varied: { first, second }, warnings: collected.warnings };
    terminal.out(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  for (const { kind, size: bytes, sha256 } of results)
    terminal.out(`${kind.padEnd(7)}${size(bytes)}  sha256:${sha256}  the same twice\n`);
}

/** One build in its surroundings, which are put back afterwards. */
async function within(context: Context, one: Surroundings, folder: string, host: Host): Promise<Written[]> {
  const { call } = context;
  const [zone, locale, here] = [process.env['TZ'], process.env['LC_ALL'], process.cwd()];
  // paths that settings name are relative to the folder of the user
  const settings = absolute(context.settings);
  // the files that they name are read before the folder changes
  const guest = await requestOf(context, settings);
  const source = call.positional[0] === undefined ? {} : { source: resolve(call.positional[0]) };
  const umask = process.umask(one.umask);
  process.env['TZ'] = one.zone;
  process.env['LC_ALL'] = one.locale;
  process.chdir(folder);
  await setJobs(one.jobs);
  try {
    const outputs: Output[] = [
      { kind: 'rootfs', path: join(folder, 'rootfs.tar') },
      { kind: 'initrd', path: 'initrd.img' },
      { kind: 'image', path: 'image.img' },
    ];
    const made = await build({ ...guest, outputs, ...source }, { ...host, report: context.report, anew: true });
    return made.outputs.map((output) => ({ ...output, path: resolve(output.path) }));
  } finally {
    process.chdir(here);
    process.umask(umask);
    restore('TZ', zone);
    restore('LC_ALL', locale);
  }
}

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

/** Settings with the paths of inputs and local repositories made absolute. */
function absolute(settings: Settings): Settings {
  const values: Record<string, unknown> = { ...settings };
  const full = (text: unknown) => (typeof text === 'string' && existsSync(text) ? resolve(text) : text);
  for (const key of SETTING_KEYS) {
    const role = roleOf(key);
    if (role !== 'input' && role !== 'place' && key !== 'lock') continue;
    const value = values[key];
    values[key] = Array.isArray(value) ? value.map(full) : full(value);
  }
  return values as Settings;
}
