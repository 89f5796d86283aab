/**
 * Joins the modules of dist/src into few files below dist/bundle: loading 200 small modules is half of what a short command
 * costs. What is loaded later stays in files of its own, and so do the tasks of worker threads, which keep their paths. The
 * files are CommonJS: Node loads them, and the libraries they use, in three quarters of the time that modules need.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rollup } from '@rollup/wasm-node';

/** The program, the library, and modules that threads load by their path. */
const ENTRIES = /^(cli\/main|index|workers\/thread|.*-task)\.js$/;
const STAMP = '.inputs';

/**
 * What is loaded together, with all it imports. Modules that the same ones of these need are in one file: a thread so loads
 * what it shares with the program, and not the program. The rest is divided by what is loaded when.
 */
const TOGETHER = {
  // --help; not cli/start, which waits for modules of `core` while it is loaded
  help: ['cli/device', 'cli/program-help'],
  // what every build of an artefact needs
  core: ['cli/run', 'commands/artefacts', 'commands/commands', 'commands/host', 'pipeline/build', 'report/errors'],
  // the thread that most builds have
  writer: ['workers/thread', 'bytes/writer-task'],
  // what other threads share with the program
  threads: /^(workers\/thread|.*-task)$/,
};

/** What is loaded together where nothing of {@link TOGETHER} needs it: what every script needs. */
const LATER = { scripts: ['system/scriptlet'] };

/** Bundles the compiled modules of `dist/src` into `dist/bundle`, unless they are the ones that are in it. */
export async function bundle(dist) {
  const source = join(dist, 'src');
  const target = join(dist, 'bundle');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .map((name) => name.split(sep).join('/'))
    .filter((name) => /\.(?:js|d\.ts)$/.test(name))
    .sort();
  const names = files.filter((name) => name.endsWith('.js'));
  const inputs = createHash('sha256').update(readFileSync(import.meta.filename ?? new URL(import.meta.url)));
  for (const name of files) {
    const { size, mtimeMs } = statSync(join(source, name));
    inputs.update(`${name} ${size} ${mtimeMs}\n`);
  }
  const stamp = `${inputs.digest('hex')}\n`;
  if (existsSync(join(target, STAMP)) && readFileSync(join(target, STAMP), 'utf8') === stamp) return;
  rmSync(target, { recursive: true, force: true });
  const entries = names.filter((name) => ENTRIES.test(name)).map((name) => name.slice(0, -'.js'.length));
  if (entries.length === 0) return;
  await joinModules(target, Object.fromEntries(entries.map((name) => [name, join(source, `${name}.js`)])), {
    plugins: [modulePaths(source), identity(source, names), assembled(source)],
    manualChunks: together(source, entries),
  });
  declarations(source, target);
  writeFileSync(join(target, STAMP), stamp);
}

/** Bundles a module of the benches with the threads it starts, to be measured as the program is. */
export async function bundleBench(dist, name, tasks) {
  const source = join(dist, 'src');
  const input = Object.fromEntries(tasks.map((task) => [task, join(source, `${task}.js`)]));
  const target = join(dist, 'bench', 'bundle');
  await joinModules(target, { [name]: join(dist, 'bench', `${name}.js`), ...input }, {
    plugins: [modulePaths(source), assembled(source)],
  });
  return join(target, `${name}.js`);
}

/** Joins the modules that `input` names, and all they import, into files below `target`. */
async function joinModules(target, input, { plugins, manualChunks }) {
  const joined = await rollup({
    input,
    external: (id) => !/^[./]/.test(id),
    treeshake: false,
    plugins,
    onwarn(warning) {
      // the compiler's helper for dynamic imports asks for `this` at the top of a module
      if (warning.code !== 'THIS_IS_UNDEFINED') throw new Error(`bundle: ${warning.message}`);
    },
  });
  await joined.write({
    ...{ dir: target, format: 'cjs', entryFileNames: '[name].js' },
    ...{ interop: 'auto', dynamicImportInCjs: false },
    chunkFileNames: 'parts/[name]-[hash].js',
    ...(manualChunks === undefined ? {} : { manualChunks }),
  });
  await joined.close();
  writeFileSync(join(target, 'package.json'), '{ "type": "commonjs" }\n');
}

/** Copies the declarations that the library's need: a sixth of all. */
function declarations(source, target) {
  const wanted = ['index.d.ts'].filter((name) => existsSync(join(source, name)));
  for (const name of wanted) {
    const text = readFileSync(join(source, name), 'utf8');
    mkdirSync(dirname(join(target, name)), { recursive: true });
    writeFileSync(join(target, name), text);
    for (const [, path] of text.matchAll(/(?:from|import\()\s*['"](\.[^'"]+)['"]/g)) {
      const next = posix.join(posix.dirname(name), path.replace(/\.[jt]s$/, '.d.ts'));
      if (!wanted.includes(next)) wanted.push(next);
    }
  }
}

/** Lets `import.meta.url` name the place that a module would have in the bundle, beside the tasks it starts, and loads these. */
function modulePaths(source) {
  return {
    name: 'module-paths',
    resolveImportMeta(property, { moduleId, chunkId }) {
      if (property !== 'url') return null;
      const own = relative(source, moduleId).split(sep).join('/');
      return `new URL(${JSON.stringify(posix.relative(posix.dirname(chunkId), own))}, require('node:url').pathToFileURL(__filename)).href`;
    },
    // a task is named by its URL
    renderDynamicImport({ targetModuleId }) {
      if (targetModuleId !== null) return null;
      return { left: "Promise.resolve().then(() => require(require('node:url').fileURLToPath(", right: ')))' };
    },
  };
}

/**
 * Puts the digest of all modules, and of what is said of the libraries they use, into the module that has it: what is kept in a
 * cache is kept for exactly this code.
 */
function identity(source, names) {
  const hash = createHash('sha256');
  const { dependencies } = JSON.parse(readFileSync(join(source, '..', '..', 'package.json'), 'utf8'));
  hash.update(JSON.stringify(dependencies));
  for (const name of names) hash.update(`\0${name}\0`).update(readFileSync(join(source, name)));
  const code = hash.digest('hex');
  return {
    name: 'identity',
    transform(text, id) {
      if (relative(source, id).split(sep).join('/') !== 'fetch/code.js') return null;
      if (!text.includes("CODE = ''")) throw new Error('bundle: fetch/code.js has no place for the digest');
      return { code: text.replace("CODE = ''", `CODE = '${code}'`), map: null };
    },
  };
}

/** Puts WebAssembly in its binary form where a module exports its text. */
function assembled(source) {
  return {
    name: 'assembled',
    async transform(text, id) {
      const found = [...text.matchAll(/^export const (\w+) = `\n\(module$/gm)].map(([, name]) => name);
      if (found.length === 0) return null;
      const { assemble } = await import(pathToFileURL(join(source, 'compression/wasm/assemble.js')));
      const texts = await import(pathToFileURL(id));
      let code = text;
      for (const name of found) {
        const binary = Buffer.from(assemble(texts[name])).toString('base64');
        code = `${code.replace(`export const ${name} = `, `const ${name}_TEXT = `)}\nexport const ${name} = '${binary}';\n`;
      }
      return { code, map: null };
    },
  };
}

/** Finds the file that a module belongs to. */
function together(source, entries) {
  let files;
  return (id, { getModuleInfo }) => {
    files ??= filesOf((name) => join(source, `${name}.js`), entries, getModuleInfo);
    return files.get(id);
  };
}

/** The file of each module that {@link TOGETHER} or {@link LATER} divides. */
function filesOf(path, entries, getModuleInfo) {
  const users = new Map();
  for (const [group, roots] of Object.entries(TOGETHER))
    for (const id of reached(roots instanceof RegExp ? entries.filter((name) => roots.test(name)) : roots, path, getModuleInfo))
      users.set(id, [...(users.get(id) ?? []), group]);
  const files = new Map();
  for (const [id, groups] of users) if (groups.join() !== 'threads') files.set(id, groups.join('-'));
  for (const [group, roots] of Object.entries(LATER)) {
    const members = reached(roots, path, getModuleInfo);
    const withAll = (id) => roots.some((name) => reached([id], (one) => one, getModuleInfo).has(path(name)));
    // what others need without the rest has a file of its own: they would load all of it
    const alone = [...members].filter((id) => getModuleInfo(id).importers.some((by) => !members.has(by) && !withAll(by)));
    const elsewhere = reached(alone, (one) => one, getModuleInfo);
    for (const id of members) if (!files.has(id)) files.set(id, elsewhere.has(id) ? `${group}-shared` : group);
  }
  return files;
}

/** Modules that `roots` import at once, with themselves. */
function reached(roots, path, getModuleInfo) {
  const seen = new Set();
  const left = roots.map(path);
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    if (seen.has(one)) continue;
    const module = getModuleInfo(one);
    if (module === null || module.isExternal) continue;
    seen.add(one);
    left.push(...module.importedIds);
  }
  return seen;
}
