import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { randomAccess } from '../../bytes/file.ts';
import { hostNames, hostStat } from '../../bytes/host-directory.ts';
import { dependenciesOf, SENSE } from '../../formats/rpm/dependencies.ts';
import { fileTable } from '../../formats/rpm/files.ts';
import { TAG } from '../../formats/rpm/layout.ts';
import { type ReadAt, type RpmPackage, readPackage } from '../../formats/rpm/package.ts';
import { kindOf } from '../../tree/inode.ts';
import { display } from '../../tree/path.ts';
import { hasBlank, hasControl } from './package.ts';
import type { Primary } from './primary.ts';
import { evrText, PackageTableBuilder } from './solver/table.ts';
import { TextList } from './solver/texts.ts';
import { EQUAL, GREATER, KINDS, LESS } from './solver/types.ts';

/** What a folder of packages without metadata amounts to. */
export interface PackageFolder {
  readonly primary: Primary;
  /** When the newest of them was built, in Unix seconds. */
  readonly date: number;
  /** SHA-256 over names and digests of the packages. */
  readonly digest: string;
}

/** The packages of a folder by name of file, in byte order; none when there is no such folder. */
export function packagesIn(folder: string): string[] {
  const stat = hostStat(folder);
  if (stat === undefined || kindOf(stat.mode) === 'file') return [];
  return hostNames(folder, '').filter((name) => name.endsWith('.rpm'));
}

/** Opens a package of the build host: its headers, nothing proven. */
export function openPackage(path: string, name = path): { readonly rpm: RpmPackage; readonly size: number } {
  const file = randomAccess(path);
  const readAt: ReadAt = (offset, length) => {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, file.size - offset)));
    file.readAt(offset, bytes);
    return bytes;
  };
  return { rpm: readPackage(readAt, name), size: file.size };
}

/** Reads the packages of a folder as metadata of them would tell; source packages are left out. */
export function readFolder(folder: string): PackageFolder {
  const builder = new PackageTableBuilder();
  const lines: string[] = [];
  let date = 0;
  const digest = createHash('sha256');
  for (const name of packagesIn(folder)) {
    const path = join(folder, name);
    const { rpm, size } = openPackage(path);
    const { main } = rpm;
    const text = (tag: number) => main.string(tag) ?? '';
    // source packages name no source of their own
    if (!main.has(TAG.sourceRpm)) continue;
    const evr = evrText(main.number(TAG.epoch)?.toString(), text(TAG.version), text(TAG.release));
    const fault = (reason: string) => main.corrupt(0, reason);
    if (hasBlank(text(TAG.name) + evr + text(TAG.arch)))
      throw fault('a blank or a control character in its name, version or architecture');
    builder.package(text(TAG.name), evr, text(TAG.arch));
    for (const kind of KINDS)
      for (const { name: wanted, flags, version } of dependenciesOf(main, kind)) {
        // what rpm itself has to be able to do is no package's business
        if (kind === 'requires' && (flags & SENSE.rpmlib) !== 0) continue;
        if (hasControl(wanted + version)) throw fault(`a control character in its ${kind}: ${display(wanted)}`);
        const comparison =
          (flags & SENSE.less ? LESS : 0) | (flags & SENSE.greater ? GREATER : 0) | (flags & SENSE.equal ? EQUAL : 0);
        builder.dependency(kind, wanted, version === '' ? 0 : comparison, version.replace(/^0+:/, ''));
      }
    for (const file of fileTable(main).files) builder.file(`/${file.path}`);
    const sum = digestOfFile(path, size);
    digest.update(`${sum}  ${name}\n`);
    const built = main.number(TAG.buildTime) ?? 0;
    date = Math.max(date, built);
    const installed = main.number(TAG.longSize) ?? main.number(TAG.size) ?? 0;
    lines.push(['sha256', sum, size, installed, built, name, '', text(TAG.sourceRpm)].join('\t'));
  }
  return { primary: { table: builder.finish(), facts: new TextList(lines) }, date, digest: digest.digest('hex') };
}

function digestOfFile(path: string, size: number): string {
  const file = randomAccess(path);
  const hash = createHash('sha256');
  const piece = new Uint8Array(Math.min(size, 1 << 20));
  for (let at = 0; at < size; at += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, size - at));
    file.readAt(at, part);
    hash.update(part);
  }
  return hash.digest('hex');
}
