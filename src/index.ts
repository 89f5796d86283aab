/**
 * osbuilder as a library: the same build as the command line's, and the parts that it is made of.
 *
 * A guest is a {@link Tree}: {@link openArtefact} reads one from a folder, an archive or an image, {@link build} makes one from
 * packages. Everything with bytes is a {@link Content}, of known size and readable again and again; {@link pour} writes one to
 * a file. Names and paths in a tree are byte strings, see {@link fromText}. Sizes are bytes, times are Unix seconds. Errors
 * are {@link BuildError}s with a stable code; they name settings by their keys.
 *
 * ```ts
 * import { build, createHost, settingsFrom } from 'osbuilder';
 *
 * const host = createHost({ report: (event) => { if (event.kind === 'warning') console.error(event.message); } });
 * await build(
 *   {
 *     settings: settingsFrom({ distro: 'debian', agent: 'demo' }),
 *     outputs: [{ kind: 'image', path: 'kata-containers.img' }],
 *     hostArchitecture: 'x86_64',
 *     version: '1.0',
 *   },
 *   host,
 * );
 * await host.close();
 * ```
 *
 * @module
 */

// artefacts: reading, writing, checking
export type { ArchiveOptions } from './artefacts/archives.ts';
export { type KataDiskOptions, kataDisk } from './artefacts/disk.ts';
export type { DiskOptions } from './artefacts/disk-options.ts';
export type { FileSystemOptions } from './artefacts/filesystem.ts';
export { type ImageOptions, image } from './artefacts/image.ts';
export { type InitrdOptions, initrd } from './artefacts/initrd.ts';
export type {
  Artefact,
  ArtefactKind,
  Features,
  ImageKind,
  Limits,
  MeasuredPart,
  Planned,
  PrepareOptions,
  Structure,
} from './artefacts/kind.ts';
export type { VerityOptions } from './artefacts/layouts.ts';
export { openArtefact, openRootfs } from './artefacts/open.ts';
export {
  type Output,
  type PouredOutput,
  type VerityFacts,
  type WriteOptions,
  writeRootfs,
} from './artefacts/outputs.ts';
export type { OpenOptions } from './artefacts/probe.ts';
export { IMAGE_KINDS } from './artefacts/registry.ts';
export { type Verified, verifyArtefact } from './artefacts/verify.ts';
// bytes and formats
export {
  type Bytes,
  type Content,
  collect,
  concat,
  type Extent,
  type FileContent,
  memory,
  type Reopening,
  slice,
  zeros,
} from './bytes/content.ts';
export type { DigestAlgorithm } from './bytes/digest.ts';
export { hostFile, type RandomAccess, randomAccess } from './bytes/file.ts';
export { type Poured, type PourOptions, type Prepared, pour } from './bytes/pour.ts';
export { type ContentAt, slicesOf, slicesOfMemory } from './bytes/spool.ts';
// a build, and what it needs
export { createHost, type HostOptions, type OwnHost } from './commands/host.ts';
export { type CompressOptions, compress, type WritableFormat } from './compression/compress.ts';
export { type DecompressOptions, decompress } from './compression/decompress.ts';
export type { Format } from './compression/format.ts';
// distributions and package databases
export { PROFILES, profileFrom, profileNamed } from './distros/distros.ts';
export type {
  HostArchiveRules,
  Profile,
  ProfileLink,
  ProfilePackages,
  ProfileRepository,
  Release,
} from './distros/profile.ts';
export type { Code, Context } from './errors/catalogue.ts';
export { BuildError, isBuildError } from './errors/error.ts';
export type { WarningCode, WarningContext } from './errors/warnings.ts';
export { type Event, type Phase, type Report, silent, type Warning, type WarningEvent } from './events/events.ts';
export type { PackageFacts } from './families/facts.ts';
export { databasesIn, type FoundDatabase } from './families/families.ts';
export type { Chosen, Order, Plan, RepositoryTrust } from './families/family.ts';
export {
  type InstalledDatabase,
  type InstalledPackage,
  type Reasoned,
  type Requirement,
  reasonsFor,
} from './families/installed.ts';
export {
  Cache,
  type CacheCategory,
  type CacheCollected,
  type CacheEntry,
  type CacheVerified,
} from './fetch/cache.ts';
export type { LedgerRow } from './fetch/cache-ledger.ts';
export type { Host } from './fetch/host.ts';
export type { UnpackLimits } from './fetch/limits.ts';
export type { Document, ReadOptions as DocumentOptions, Validators } from './fetch/mirror/document.ts';
export type { Question, Reply } from './fetch/mirror/exchange.ts';
export type { Every } from './fetch/mirror/pace.ts';
export type { ProxyOptions } from './fetch/mirror/proxy.ts';
export type { Timeouts } from './fetch/mirror/timeouts.ts';
export type { Access, Arrived, Proof, Want } from './fetch/mirror/want.ts';
export { Mirror, type MirrorOptions, type RemoteCache } from './fetch/mirror.ts';
export type { Package } from './fetch/package.ts';
export type { Registries } from './fetch/registry/registries.ts';
export type {
  Found,
  Repository,
  Source as RegistrySource,
  Target as RegistryTarget,
} from './fetch/registry/repository.ts';
export { type CpioArchive, type CpioOptions, cpioArchive } from './formats/cpio/emit.ts';
export { type CpioReadOptions, readCpio } from './formats/cpio/read.ts';
export {
  type GptFound,
  type GptPartition,
  type GptTable,
  gptDisk,
  readGpt,
  type TablePart,
} from './formats/disk/gpt.ts';
export { parseUuid } from './formats/disk/uuid.ts';
export { ext4Image } from './formats/ext4/emit.ts';
export type { Ext4Options } from './formats/ext4/options.ts';
export { type Ext4Reader, openExt4, type TreeOptions as Ext4TreeOptions } from './formats/ext4/read.ts';
export type { ReadOptions as Ext4ReadOptions } from './formats/ext4/volume.ts';
export type { Descriptor, Encoded, Index as OciIndex, Manifest as OciManifest } from './formats/oci/manifest.ts';
export { type LayoutReference, type Reference, type RegistryReference, referenceOf } from './formats/oci/reference.ts';
export { type TarOptions, tarArchive } from './formats/tar/emit.ts';
export { readTar, type TarReadOptions } from './formats/tar/read.ts';
export { type HashFormat, KATA_FORMAT } from './formats/verity/layout.ts';
export type { Measurement } from './formats/verity/parameters.ts';
export type { Signer } from './formats/verity/signature.ts';
export { type Measured, measured } from './formats/verity/tree.ts';
export { xfsImage } from './formats/xfs/emit.ts';
export type { XfsOptions } from './formats/xfs/options.ts';
export { openXfs, type XfsReader } from './formats/xfs/read.ts';
export type { ReadOptions as XfsReadOptions } from './formats/xfs/volume.ts';
// locks
export {
  type Lock,
  type LockedInput,
  type LockedOutput,
  type LockedPackage,
  type LockedRepository,
  type LockedValue,
  lockText,
  parseLock,
} from './lock/lock.ts';
export { lockSchema } from './lock/schema.ts';
export { type BuildResult, build } from './pipeline/build.ts';
export type { Extended } from './pipeline/extension.ts';
export type { WrittenKernel } from './pipeline/kernel.ts';
export { lock } from './pipeline/make-lock.ts';
export type { OrderRequest } from './pipeline/order.ts';
export { plan } from './pipeline/plan.ts';
export type { BuildRequest, ExtensionRequest } from './pipeline/request.ts';
export { type Traced, type TraceRequest, trace } from './pipeline/trace.ts';
export type { Written } from './pipeline/write.ts';
export { type ArtefactDifference, difference, type NamedDifference } from './proof/difference.ts';
export { type LockChange, lockChanges } from './proof/lock-changes.ts';
export type { FieldDifference, PathDifference } from './proof/tree-difference.ts';
export type { Chiselled, KeptItem, Totals } from './rootfs/chisel/chisel.ts';
export type { KeepItem, KeepList } from './rootfs/chisel/list.ts';
export {
  configSchema,
  gather,
  type SettingValues,
  type Sources,
  settingsFrom,
} from './settings/gather.ts';
export type { SettingKey, Settings } from './settings/table.ts';
// trees
export type { Entry } from './tree/entry.ts';
export { type Change, History, type Property, type Step } from './tree/history.ts';
export {
  type Device,
  type Directory,
  directory,
  type File,
  file,
  type Inode,
  type Kind,
  type Meta,
  rootMeta,
  type Special,
  type Symlink,
  symlink,
} from './tree/inode.ts';
export { type OverlayOptions, overlayEntries, type TreeOfOptions, treeOf } from './tree/overlay.ts';
export { display, fromText, toText } from './tree/path.ts';
export { type Place, Tree, type Visit } from './tree/tree.ts';
export { closePool, setJobs } from './workers/shared.ts';
