import { memory } from '../bytes/content.ts';
import { ET_DYN } from '../formats/elf/layout.ts';
import { type CachedLibrary, compareSonames, ldCache } from '../formats/ldcache/emit.ts';
import type { Tree } from '../tree/tree.ts';
import { type ConfigureContext, made, putLink, warn } from './context.ts';
import { elfOf } from './elfs.ts';
import { configuredFolders, LibrarySearch, type Loaded } from './library-search.ts';

/** ldconfig(8): /etc/ld.so.cache, generated from the sonames of the libraries in the tree. */

/** What the libraries of an architecture look like, and the cache flags glibc's ldconfig gives them. */
interface LoaderArchitecture {
  readonly bits: 32 | 64;
  /** `e_machine` of their ELF headers. */
  readonly elfMachine: number;
  /** FLAG_ELF_LIBC6 (3) and the machine's required bits, from the dl-cache.h files and ldconfig.h of glibc. */
  readonly flags: number;
  readonly littleEndian: boolean;
}

/** By the name of the machine. */
const ARCHITECTURES: Readonly<Record<string, LoaderArchitecture>> = {
  x86_64: { bits: 64, elfMachine: 62, flags: 0x0303, littleEndian: true },
  aarch64: { bits: 64, elfMachine: 183, flags: 0x0a03, littleEndian: true },
  ppc64le: { bits: 64, elfMachine: 21, flags: 0x0503, littleEndian: true },
  s390x: { bits: 64, elfMachine: 22, flags: 0x0403, littleEndian: false },
  riscv64: { bits: 64, elfMachine: 243, flags: 0x1003, littleEndian: true },
  armv7l: { bits: 32, elfMachine: 40, flags: 0x0903, littleEndian: true },
  i686: { bits: 32, elfMachine: 3, flags: 0x0003, littleEndian: true },
  loongarch64: { bits: 64, elfMachine: 258, flags: 0x0003, littleEndian: true },
};

/** Rewrites /etc/ld.so.cache; missing links for sonames are created. */
export function updateLoaderCache(tree: Tree, context: ConfigureContext): void {
  const ours = ARCHITECTURES[context.machine];
  if (ours === undefined) {
    warn(context, 'LOADER_CACHE', { architecture: context.machine });
    return;
  }
  const libraries: CachedLibrary[] = [];
  const seen = new Set<string>();
  for (const folder of loaderFolders(tree, context)) {
    const real = tree.realpath(folder);
    if (real === undefined || seen.has(real)) continue;
    seen.add(real);
    libraries.push(...librariesIn(tree, context, folder, ours));
  }
  const generator = generatorOf(tree);
  const bytes = ldCache(libraries, {
    littleEndian: ours.littleEndian,
    ...(generator === undefined ? {} : { generator }),
  });
  tree.writeFile('etc/ld.so.cache', memory(bytes), made(context, 0o644));
}

/** Folders the loader's cache covers, in order of precedence. */
export function loaderFolders(tree: Tree, context: ConfigureContext): string[] {
  return [...configuredFolders(tree), ...context.defaultLibraryFolders];
}

interface Found {
  readonly name: string;
  readonly isLink: boolean;
}

function librariesIn(tree: Tree, context: ConfigureContext, folder: string, ours: LoaderArchitecture): CachedLibrary[] {
  const bySoname = new Map<string, Found>();
  for (const name of tree.list(folder)) {
    if (name === 'glibc-hwcaps' && tree.stat(`${folder}/${name}`)?.kind === 'directory')
      warn(context, 'LOADER_HWCAPS', { folder });
    // file names that ldconfig treats as libraries: elf/dl-is_dso.h of glibc
    if (!/^(?:(?:lib|ld-).*\.so|ld(?:64)?\.so\.)/s.test(name)) continue;
    if (/\.dpkg-(new|tmp)$/.test(name) || name.endsWith('-gdb.py')) continue;
    const file = tree.file(`${folder}/${name}`);
    if (file === undefined) continue;
    const elf = elfOf(file);
    if (elf === undefined || elf.type !== ET_DYN || !elf.dynamic) continue;
    if (elf.bits !== ours.bits || elf.machine !== ours.elfMachine || elf.littleEndian !== ours.littleEndian) continue;
    let soname = elf.soname ?? name;
    let isLink = tree.lstat(`${folder}/${name}`)?.kind === 'symlink';
    // a link with another name than the soname is a library of its own, except the one compilers use
    if (isLink && name !== soname && !(name.endsWith('.so') && soname.startsWith(name))) isLink = false;
    // and a link is listed under its own name
    if (isLink) soname = name;
    const present = bySoname.get(soname);
    const better =
      present === undefined ||
      (present.isLink && !isLink) ||
      (present.isLink === isLink && compareSonames(name, present.name) > 0);
    if (better) bySoname.set(soname, { name, isLink });
  }
  const libraries: CachedLibrary[] = [];
  for (const [soname, found] of bySoname) {
    if (!found.isLink && tree.lstat(`${folder}/${soname}`) === undefined)
      putLink(tree, context, `${folder}/${soname}`, found.name);
    libraries.push({ soname, path: `${folder}/${soname}`, flags: ours.flags });
  }
  return libraries;
}

/** The generator name that the tree's own ldconfig writes: it is a string in the program. */
function generatorOf(tree: Tree): string | undefined {
  for (const path of ['usr/sbin/ldconfig', 'sbin/ldconfig', 'usr/sbin/ldconfig.real', 'sbin/ldconfig.real']) {
    const found = /ldconfig \([^)\0]{0,200}\) stable release version [0-9.]+/.exec(tree.text(path) ?? '');
    if (found !== null) return found[0].replace(/\.$/, '');
  }
  return undefined;
}

/** A library that a program or library needs and that is missing. */
export interface MissingLibrary {
  readonly path: string;
  readonly soname: string;
}

/**
 * Libraries that programs at `paths` (and the libraries they load) need and that the loader would not find: by
 * RPATH or RUNPATH, then in the folders of the cache.
 */
export function missingLibraries(tree: Tree, context: ConfigureContext, paths: Iterable<string>): MissingLibrary[] {
  const missing: MissingLibrary[] = [];
  for (const path of paths) {
    const closure = libraryClosure(tree, context, path);
    for (const soname of closure.missing) missing.push({ path, soname });
  }
  return missing;
}

/** Where a program's libraries are found, by soname, its loader included; and those that are not. */
export function libraryClosure(
  tree: Tree,
  context: ConfigureContext,
  path: string,
): { readonly found: ReadonlyMap<string, string>; readonly missing: readonly string[] } {
  const found = new Map<string, string>();
  const missing = new Set<string>();
  const start = tree.file(path);
  const main = start === undefined ? undefined : elfOf(start);
  if (main === undefined) return { found, missing: [] };
  if (main.interpreter !== undefined && !tree.has(main.interpreter)) missing.add(main.interpreter);
  const search = new LibrarySearch(tree, { folders: context.defaultLibraryFolders });
  const todo: Loaded[] = [{ path, elf: main }];
  for (let item = todo.shift(); item !== undefined; item = todo.shift())
    for (const soname of item.elf.needed) {
      if (found.has(soname) || missing.has(soname)) continue;
      const hit = search.find(item, soname);
      if (hit === undefined) {
        missing.add(soname);
        continue;
      }
      found.set(soname, hit);
      todo.push({ path: hit, elf: elfOf(tree.file(hit)!)!, by: item });
    }
  return { found, missing: [...missing] };
}
