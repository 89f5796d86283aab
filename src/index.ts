/**
 * osbuilder as a library: the same build as the command line's, and the rooms below it.
 *
 * ```ts
 * import { build, Cache, gather, Mirror } from 'osbuilder';
 * ```
 *
 * @module
 */

export { kataDisk } from './artefacts/disk.ts';
export { image } from './artefacts/image.ts';
export { initrd } from './artefacts/initrd.ts';
export type { Artefact, ArtefactKind } from './artefacts/kind.ts';
export { openArtefact } from './artefacts/open.ts';
export type { Output } from './artefacts/outputs.ts';
export { type Bytes, type Content, concat, type FileContent, memory, slice, zeros } from './bytes/content.ts';
export { hostFile, type RandomAccess, randomAccess } from './bytes/file.ts';
export { type Poured, type PourOptions, pour } from './bytes/pour.ts';
export { compress } from './compression/compress.ts';
export { decompress } from './compression/decompress.ts';
export { PROFILES, profileFrom, profileNamed } from './distros/distros.ts';
export type { Profile } from './distros/profile.ts';
export { BuildError, isBuildError } from './errors/error.ts';
export { type Event, type Report, silent, type Warning } from './events/events.ts';
export type { Chosen, Plan } from './families/family.ts';
export { Cache } from './fetch/cache.ts';
export type { Host } from './fetch/host.ts';
export { Mirror, type MirrorOptions } from './fetch/mirror.ts';
export type { Package } from './fetch/package.ts';
export { cpioArchive } from './formats/cpio/emit.ts';
export { readCpio } from './formats/cpio/read.ts';
export { gptDisk, readGpt } from './formats/disk/gpt.ts';
export { ext4Image } from './formats/ext4/emit.ts';
export { openExt4 } from './formats/ext4/read.ts';
export { tarArchive } from './formats/tar/emit.ts';
export { readTar } from './formats/tar/read.ts';
export { type BuildResult, build } from './pipeline/build.ts';
export type { OrderRequest } from './pipeline/order.ts';
export { plan } from './pipeline/plan.ts';
export type { BuildRequest } from './pipeline/request.ts';
export { configSchema, gather } from './settings/gather.ts';
export type { Settings } from './settings/table.ts';
export type { Entry } from './tree/entry.ts';
export { directory, file, type Inode, rootMeta, symlink } from './tree/inode.ts';
export { type TreeOfOptions, treeOf } from './tree/overlay.ts';
export { display, fromText, toText } from './tree/path.ts';
export { Tree } from './tree/tree.ts';
export { closePool, setJobs } from './workers/shared.ts';
