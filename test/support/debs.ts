import { readFileSync, statSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { sha256 } from '../../src/bytes/digest.ts';
import type { AptPackage } from '../../src/families/apt/package.ts';

/** Makers of small packages for tests, byte by byte, so that hostile ones can be made too. */

/** A member of a tar archive to be made. */
export interface TarMember {
  readonly name: string;
  readonly data?: string | Uint8Array;
  readonly type?: string;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly user?: string;
  readonly group?: string;
  readonly mtime?: number;
  /** A size that lies. */
  readonly size?: number;
  readonly device?: readonly [number, number];
}

/** A GNU tar archive. */
export function tar(members: readonly TarMember[]): Buffer {
  const blocks: Buffer[] = [];
  for (const member of members) {
    const body = Buffer.from(member.data ?? '');
    const type = member.type ?? (member.name.endsWith('/') ? '5' : '0');
    if (member.name.length > 100) {
      const long = Buffer.from(`${member.name}\0`);
      blocks.push(header({ name: '././@LongLink' }, 'L', long.length), padded(long));
    }
    blocks.push(header(member, type, member.size ?? body.length), padded(body));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function padded(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

function header(member: TarMember, type: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  block.write(member.name.slice(0, 100), 0, 'latin1');
  octal(member.mode ?? (type === '5' ? 0o755 : 0o644), 100, 8);
  octal(member.uid ?? 0, 108, 8);
  octal(member.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(member.mtime ?? 1_600_000_000, 136, 12);
  block.write('        ', 148, 'latin1');
  block.write(type, 156, 'latin1');
  block.write(member.link ?? '', 157, 'latin1');
  block.write('ustar  \0', 257, 'latin1');
  block.write(member.user ?? 'root', 265, 'latin1');
  block.write(member.group ?? 'root', 297, 'latin1');
  if (member.device !== undefined) {
    octal(member.device[0], 329, 8);
    octal(member.device[1], 337, 8);
  }
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** An ar archive. `size` lies about a member's length. */
export function ar(members: readonly { name: string; data: Uint8Array; size?: number }[]): Buffer {
  const pieces: Buffer[] = [Buffer.from('!<arch>\n')];
  for (const { name, data, size } of members) {
    const head = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(size ?? data.length).padEnd(10)}\`\n`;
    pieces.push(Buffer.from(head, 'latin1'), Buffer.from(data));
    if (data.length % 2 === 1) pieces.push(Buffer.from('\n'));
  }
  return Buffer.concat(pieces);
}

/** What a small package holds. */
export interface SmallDeb {
  readonly name: string;
  readonly version?: string;
  readonly architecture?: string;
  /** Further lines of the control file. */
  readonly fields?: string;
  readonly control?: Readonly<Record<string, string>>;
  readonly files: readonly TarMember[];
}

/** A package in gzip, as dpkg-deb would make it. */
export function deb(small: SmallDeb): Buffer {
  const { name, version = '1', architecture = 'amd64', fields = '' } = small;
  const control = `Package: ${name}\nVersion: ${version}\nArchitecture: ${architecture}\nMaintainer: Nobody <nobody@example.org>\n${fields}Description: made for a test\n`;
  const members = Object.entries({ control, ...small.control }).map(([file, text]) => ({
    name: `./${file}`,
    data: text,
    mode: /^(pre|post)(inst|rm)$|^config$/.test(file) ? 0o755 : 0o644,
  }));
  return ar([
    { name: 'debian-binary', data: Buffer.from('2.0\n') },
    { name: 'control.tar.gz', data: gzipSync(tar([{ name: './' }, ...members])) },
    { name: 'data.tar.gz', data: gzipSync(tar(small.files)) },
  ]);
}

/** A package record for an archive on disk; with an empty version no identity is expected. */
export function packageOf(file: string, version = '1', name = '', more: Partial<AptPackage> = {}): AptPackage {
  return {
    name,
    version,
    architecture: 'amd64',
    size: statSync(file).size,
    sha256: sha256(readFileSync(file)),
    urls: [`file://${file}`],
    sha512: '',
    archive: '',
    source: name,
    essential: false,
    protected: false,
    priority: 'optional',
    section: 'misc',
    multiArch: 'no',
    installedSize: 0,
    depends: '',
    preDepends: '',
    recommends: '',
    suggests: '',
    conflicts: '',
    breaks: '',
    replaces: '',
    provides: '',
    suite: 'test',
    codename: 'test',
    pin: 500,
    ...more,
  };
}
