import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { osbuilder } from './cli.ts';
import { type Fault, type StaticServer, serve } from './server.ts';

/** The compiled program against a mirror that misbehaves: what tests of every family need for that. */

const OUTPUTS = ['--agent', 'demo', '--agent-init', '--rootfs', 'r.tar', '--initrd', 'i.img', '--json'];

interface Document {
  readonly outputs: readonly { readonly kind: string; readonly sha256: string }[];
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string | null };
}

/** What came of a build. */
export interface Run {
  readonly code: number | null;
  readonly stderr: string;
  readonly error: NonNullable<Document['error']> | undefined;
  readonly sums: readonly string[];
  /** The files in the output folder. */
  readonly written: readonly string[];
}

/** A repository, what an undisturbed build of it gives, and builds from mirrors that have it. */
export interface Scene {
  readonly root: string;
  /** Sums of the outputs. */
  readonly good: readonly string[];
  /** A cache that is new. */
  cacheOf(): string;
  /** Builds with that mirror, or several, from a cache that is new unless given. */
  build(urls: readonly string[], cache?: string, more?: readonly string[]): Promise<Run>;
}

/** Builds once from the folder itself. `flags` chooses distribution and packages for a mirror and a cache. */
export async function sceneOf(
  folder: string,
  root: string,
  flags: (url: string, cache: string) => readonly string[],
): Promise<Scene> {
  let count = 0;
  let caches = 0;
  const cacheOf = () => join(folder, `cache-${caches++}`);
  const build = async (urls: readonly string[], cache = cacheOf(), more: readonly string[] = []) => {
    const out = join(folder, `out-${count++}`);
    mkdirSync(out);
    const [first, ...others] = urls;
    const words = [...flags(first!, cache), ...others.flatMap((url) => ['--repo-url', url])];
    const result = await osbuilder(['build', ...words, ...OUTPUTS, ...more], {
      cwd: out,
      env: { http_proxy: '', TMPDIR: out },
    });
    const document = JSON.parse(result.stdout) as Document;
    const sums = (document.outputs ?? []).map(({ kind, sha256 }) => `${kind} ${sha256}`);
    const written = readdirSync(out);
    rmSync(out, { recursive: true });
    return { code: result.code, stderr: result.stderr, error: document.error, sums, written } satisfies Run;
  };
  const undisturbed = await build([root]);
  assert.equal(undisturbed.code, 0, undisturbed.stderr);
  return { root, good: undisturbed.sums, cacheOf, build };
}

/** Every file with its final name in the cache has the digest at the beginning of its name. */
export function assertCacheSound(cache: string): void {
  for (const category of ['archives', 'indexes'])
    for (const path of files(join(cache, category))) {
      const name = basename(path);
      if (name.startsWith('.') || /^(release|repomd)-/.test(name)) continue;
      assert.equal(
        createHash('sha256').update(readFileSync(path)).digest('hex'),
        name.slice(0, 64),
        `${category}/${name}`,
      );
    }
}

function files(folder: string): string[] {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

/** An error that people and programs can act on, and nothing incomplete. */
export function assertRejected(run: Run, code: string): void {
  assert.equal(run.code, 1, run.stderr);
  assert.ok(run.error !== undefined, run.stderr);
  assert.equal(run.error.code, code, run.stderr);
  assert.ok(run.error.message.length > 20 && !run.error.message.includes('\n'), run.error.message);
  assert.ok((run.error.hint ?? '').length > 10, `${code} has no hint: ${run.error.message}`);
  assert.deepEqual(run.written, []);
  assert.ok(run.stderr.includes(`[${run.error.code}]`));
}

/** Sets up a server, builds while it is faulty (`code`: the expected error; none: it recovers), then when it works. */
export async function faulty<S extends Scene>(
  made: S,
  t: { after(fn: () => void | Promise<void>): void },
  corrupt: (server: StaticServer, made: S) => void,
  code: string | undefined,
  options: { readonly more?: readonly string[]; readonly asked?: (server: StaticServer) => void } = {},
): Promise<void> {
  const faulty = await serve(t, made.root);
  corrupt(faulty, made);
  const cache = made.cacheOf();
  const run = await made.build([faulty.url], cache, options.more);
  assertCacheSound(cache);
  options.asked?.(faulty);
  if (code === undefined) {
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(run.sums, made.good);
    return;
  }
  assertRejected(run, code);
  // the same mirror, working again, and the cache that the faulty one filled
  faulty.reset();
  const again = await made.build([faulty.url], cache);
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(again.sums, made.good);
  assertCacheSound(cache);
  assert.deepEqual(
    files(cache).filter((path) => path.endsWith('.download')),
    [],
  );
}

/** A fault at one path, or at several. */
export const fault = (paths: string | readonly string[], what: Fault) => (server: StaticServer) => {
  for (const path of typeof paths === 'string' ? [paths] : paths) server.fault(path, what);
};
