/**
 * `npm run build`: compiles src, test and bench into dist, incrementally, and removes what has no source any
 * more. Without that, the compiled test of a renamed source file would still run. Then src is bundled.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
/** Folders that the compiler reads; everything else in dist is removed too, except the output of other build steps. */
const SOURCES = ['src', 'test', 'bench'];
const KEPT = new Set(['.tsbuildinfo']);
const OUTPUTS = /\.(?:js|d\.ts)$/

/** Paths of files below a folder, relative to it. */
function files(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

let removed = 0;
const compiled = new Set();
for (const path of files(dist)) {
  const base = path.replace(OUTPUTS, '');
  if (KEPT.has(path) || path.split(/[\\/]/)[0] === 'bundle') continue;
  if (SOURCES.includes(path.split(/[\\/]/)[0]) && OUTPUTS.test(path) && existsSync(join(root, `${base}.ts`))) {
    if (path.endsWith('.js')) compiled.add(base);
    continue;
  }
  rmSync(join(dist, path));
  removed++;
}
if (removed > 0) console.error(`build: removed ${removed} files from dist that have no source any more`);

// the compiler remembers what it wrote, not whether it is still there
const memory = join(dist, '.tsbuildinfo');
if (existsSync(memory)) {
  const { fileNames = [] } = JSON.parse(readFileSync(memory, 'utf8'));
  const written = fileNames.map((name) => /^\.\.\/((?:src|test|bench)\/.*)(?<!\.d)\.ts$/.exec(name)?.[1]);
  if (written.some((base) => base !== undefined && existsSync(join(root, `${base}.ts`)) && !compiled.has(join(base))))
    rmSync(memory);
}

const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const { status } = spawnSync(process.execPath, [compiler, '-p', root], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
await bundle(dist);
