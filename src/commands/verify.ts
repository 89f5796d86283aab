import { existsSync, statSync } from 'node:fs';
import type { MeasuredPart } from '../artefacts/kind.ts';
import { verifyArtefact } from '../artefacts/verify.ts';
import { digestOf } from '../bytes/digest.ts';
import { accessTo, hostFile } from '../bytes/file.ts';
import { reading } from '../bytes/reason.ts';
import { readRegular } from '../bytes/regular.ts';
import { BuildError } from '../errors/error.ts';
import { systemFailure } from '../errors/system.ts';
import { isElfKernel, recogniseKernel } from '../formats/kernel/image.ts';
import { isReference } from '../formats/oci/reference.ts';
import { parseRoot } from '../formats/verity/parameters.ts';
import { type Context, withHost } from './context.ts';
import { looksLikeJson } from './diff.ts';

/** What is printed of one file. */
interface Result {
  readonly path: string;
  readonly kind: string;
  readonly sound: boolean;
  readonly faults: readonly string[];
  readonly unchecked: readonly string[];
  readonly measured: readonly MeasuredPart[];
  readonly lock?: 'same' | 'different';
  readonly rebuilt?: 'same' | 'different';
}

/**
 * `osbuilder verify FILE… [--lock L [--rebuild]]`: checks checksums and structure, and whether the files are what a lock
 * says. All files are checked, also behind one that cannot be. Throws `UNSOUND`; the error of the only file that could not
 * be checked (`READ_FAILED`, `ROOTFS_UNKNOWN`, `LOCK_OUTPUT_UNKNOWN`, `LOCK_OUTPUT_DIFFERS`, …), and `UNVERIFIED` for several.
 */
export async function verify(context: Context): Promise<void> {
  const { terminal, settings, call } = context;
  const rebuild = call.own['rebuild'] === true;
  if (rebuild && settings.lock === undefined)
    throw new BuildError('USAGE', { reason: '--rebuild builds what a lock says: name it with --lock' });
  const results: Result[] = [];
  const given = context.flag('root-hash');
  const root = given === undefined ? {} : { rootHash: rootHashOf(given) };
  const attested = await attestedOf(context);
  const failures: BuildError[] = [];
  for (const path of call.positional) {
    try {
      await check(path);
    } catch (thrown) {
      const error = systemFailure(thrown) ?? thrown;
      // misuse is about the whole call
      if (!(error instanceof BuildError) || error.code === 'USAGE' || call.positional.length === 1) throw thrown;
      failures.push(error);
      if (!settings.json) terminal.out(`${path}: NOT verified: ${error.message}\n`);
    }
  }
  const unsound = results.filter((one) => !one.sound);
  if (unsound.length > 0)
    throw new BuildError('UNSOUND', {
      path: unsound[0]!.path,
      count: unsound.length,
      faults: [...unsound.flatMap((one) => one.faults), ...failures.map(({ message }) => message)],
    });
  if (failures.length === 1) throw failures[0]!;
  if (failures.length > 0)
    throw new BuildError('UNVERIFIED', {
      count: call.positional.length,
      reasons: failures.map(({ message }) => message),
    });
  if (settings.json) terminal.out(`${JSON.stringify({ files: results }, null, 2)}\n`);

  async function check(path: string): Promise<void> {
    if (attested?.files.includes(path)) {
      if (!settings.json) terminal.out(`${path}: signed by this key\n`);
      return;
    }
    const { kind, faults, unchecked, measured } = (await isKernel(path, settings.lock))
      ? { kind: 'kernel', faults: [], unchecked: settings.lock === undefined ? [UNCHECKED_KERNEL] : [], measured: [] }
      : await withHost(context, (host) => verifyArtefact(path, { ...host, ...root }));
    if (given !== undefined && kind !== 'disk')
      throw new BuildError('USAGE', { reason: `${path} is no disk, so --root-hash is of nothing in it` });
    if (attested !== undefined && !attested.digests.has(await digestOf(hostFile(path))))
      throw new BuildError('ATTESTATION_SUBJECT', { path, statement: attested.files.join(', ') });
    const found = { path, kind, sound: faults.length === 0, faults, unchecked, measured };
    const locked = settings.lock === undefined ? {} : await lockResult(context, path, kind, rebuild);
    results.push({ ...found, ...locked });
    if (settings.json) return;
    const soundness = kind === 'kernel' ? '' : faults.length === 0 ? ', sound' : ', NOT sound';
    terminal.out(`${path}: ${kind}${soundness}${words(locked)}\n`);
    for (const fault of faults.slice(0, 20)) terminal.out(`  ${fault}\n`);
    if (faults.length > 20) terminal.out(`  … and ${faults.length - 20} more\n`);
    for (const { of, size, rootHash, from } of measured)
      terminal.out(`  ${of}: all ${size} bytes have the root hash ${rootHash}, which is from ${from}\n`);
    for (const line of unchecked) terminal.out(`  not checked: ${line}\n`);
  }
}

const UNCHECKED_KERNEL = 'all of it: a kernel has no checksums; a lock says what its bytes should be';

/** True for a kernel, which has no structure of its own to check: as its bytes say, or a lock. */
async function isKernel(path: string, lock: string | undefined): Promise<boolean> {
  if (isReference(path)) return false;
  const stat = reading(path, () => statSync(path, { throwIfNoEntry: false }));
  if (stat?.isFile() !== true) return false;
  const content = hostFile(path);
  const form = recogniseKernel(accessTo(content))?.form;
  if (form === 'elf' ? isElfKernel(accessTo(content)) : form !== undefined && form !== 'compressed') return true;
  // an initrd is compressed as well
  if (form === undefined || lock === undefined) return false;
  const { readLock } = await import('./locked-settings.ts');
  const kernels = readLock(lock).outputs.filter(({ kind, size }) => kind === 'kernel' && size === content.size);
  if (kernels.length === 0) return false;
  const digest = await digestOf(content);
  return kernels.some(({ sha256 }) => sha256 === digest);
}

function words({ lock, rebuilt }: Pick<Result, 'lock' | 'rebuilt'>): string {
  return `${lock === undefined ? '' : ', as the lock says'}${rebuilt === undefined ? '' : ', built again with the same bytes'}`;
}

async function lockResult(
  context: Context,
  path: string,
  kind: string,
  rebuild: boolean,
): Promise<Pick<Result, 'lock' | 'rebuilt'>> {
  const { lockedOutput, rebuilt } = await import('./rebuild.ts');
  const actual = kind === 'directory' ? '' : await digestOf(hostFile(path));
  const row = lockedOutput(context, path, kind, actual);
  if (!rebuild) {
    if (row.sha256 === actual) return { lock: 'same' };
    const detail = '; --rebuild builds it again and shows which paths differ';
    throw new BuildError('LOCK_OUTPUT_DIFFERS', { path, expected: row.sha256, actual, detail });
  }
  await rebuilt(context, path, row, actual);
  return { lock: 'same', rebuilt: 'same' };
}

/** A root hash as it is, or the line in a file. */
function rootHashOf(given: string): string {
  const asText = parseRoot(given);
  if (!('reason' in asText)) return given;
  if (!existsSync(given))
    throw new BuildError('USAGE', { reason: `--root-hash ${given}: no file, and no root hash: ${asText.reason}` });
  const text = readRegular(given, 4096).toString('latin1').trim();
  const inFile = parseRoot(text);
  if ('reason' in inFile)
    throw new BuildError('USAGE', { reason: `--root-hash ${given}: no root hash in it: ${inFile.reason}` });
  return text;
}

/** Signed statements among the files, verified with the key that `--key` names, and the digests that they are about. */
async function attestedOf(
  context: Context,
): Promise<{ readonly files: readonly string[]; readonly digests: ReadonlySet<string> } | undefined> {
  const key = context.flag('key');
  if (key === undefined) {
    const text = context.call.positional.find((path) => looksLikeJson(path));
    if (text === undefined) return undefined;
    throw new BuildError('USAGE', {
      reason: `${text} is JSON, not an artefact: a signed statement is verified with --key, and a lock is named with --lock`,
    });
  }
  const { ENVELOPE_LIMIT, verificationKey, verifySigned } = await import('../proof/provenance.ts');
  const publicKey = verificationKey(readRegular(key, 1 << 16), key);
  const files = context.call.positional.filter((path) => looksLikeJson(path));
  if (files.length === 0) throw new BuildError('USAGE', { reason: '--key verifies a signed statement: name its file' });
  const digests = new Set<string>();
  for (const path of files)
    for (const { sha256 } of verifySigned(readRegular(path, ENVELOPE_LIMIT).toString('utf8'), publicKey, path).subject)
      digests.add(sha256);
  return { files, digests };
}
