import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../src/bytes/digest.ts';
import type { Inode } from '../../src/tree/inode.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { data } from './data.ts';

/** The set of Alpine 3.19's installation medium: an index signed by Alpine, and a hundred packages, among them apk itself. */
export const ALPINE_SET = 'apk/alpine-3.19-x86_64-iso';

/** What apk is made of. */
const PROGRAM = ['musl-1.2.4_git20230717-r4', 'zlib-1.3.1-r0', 'libcrypto3-3.1.4-r5', 'libssl3-3.1.4-r5'];

/** What `needs` is asked for when apk shall run. */
export const APK_NEEDS = { data: [ALPINE_SET], tools: ['tar', 'gzip'] } as const;

/** How a run of apk ended. */
export interface ApkResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Alpine's own apk 2.14, which runs on any x86_64 Linux through the loader of its C library. */
export class ApkTools {
  private readonly folder: string;
  /** Folder with Alpine's public keys, as its package has them. */
  readonly keys: string;

  /** Unpacks it below `folder`. */
  constructor(folder: string) {
    this.folder = join(folder, 'apk-tools');
    mkdirSync(this.folder);
    for (const name of [...PROGRAM, 'apk-tools-2.14.0-r5', 'alpine-keys-2.4-r1']) {
      const archive = data(`${ALPINE_SET}/${name}.apk`);
      const tar = spawnSync('tar', ['-xzf', archive, '-C', this.folder, '--warning=no-unknown-keyword']);
      if (tar.status !== 0) throw new Error(`${name}: ${tar.stderr}`);
    }
    this.keys = join(this.folder, 'usr/share/apk/keys/x86_64');
  }

  /** The command and its first words, for callers that start it themselves. */
  command(): [string, string[]] {
    const loader = join(this.folder, 'lib/ld-musl-x86_64.so.1');
    return [loader, ['--library-path', join(this.folder, 'lib'), join(this.folder, 'sbin/apk')]];
  }

  /** Arguments that make apk install into a fresh root from one repository alone. */
  adding(root: string, repository: string, ...more: readonly string[]): string[] {
    return [
      ...['--root', root, '--initdb', '--no-progress', '--keys-dir', this.keys, '--no-cache'],
      ...['--repositories-file', '/dev/null', '--repository', repository, 'add', ...more],
    ];
  }

  /** Runs it, without standing in the way of a server in this process. */
  run(args: readonly string[]): Promise<ApkResult> {
    const [loader, words] = this.command();
    return result(loader, [...words, ...args]);
  }
}

/** Runs the apk of a root in that root. */
export function apkInside(root: string, args: readonly string[]): Promise<ApkResult> {
  return result('chroot', [root, '/sbin/apk', '--no-progress', ...args]);
}

function result(command: string, args: readonly string[]): Promise<ApkResult> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (piece) => out.push(piece));
  child.stderr.on('data', (piece) => err.push(piece));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
  });
}

/**
 * The database as apk 2.14.0 would have it: what it replaces and its tag are written with a package's first folder, so
 * that of a package without one they are listed in the next package. Ours are listed where they belong.
 */
export function misplaced(database: string): string {
  let kept: string[] = [];
  return database
    .split('\n\n')
    .map((stanza) => {
      if (stanza === '') return '';
      const lines = stanza.split('\n');
      const first = lines.findIndex((line) => line.startsWith('F:'));
      const own = lines.filter((line) => /^[rqs]:/.test(line));
      if (first >= 0) lines.splice(first - own.length, 0, ...kept);
      kept = first >= 0 ? [] : [...kept, ...own];
      return (first >= 0 ? lines : lines.filter((line) => !own.includes(line))).join('\n');
    })
    .join('\n\n');
}

/** What there is at each path of a root that apk made, or of ours. Times are left out: some are those of the run. */
export function described(tree: Tree): Map<string, string> {
  const links = new Map<unknown, number>();
  for (const { inode } of tree.walk()) links.set(inode, (links.get(inode) ?? 0) + 1);
  return new Map(
    [...tree.walk()].map(({ path, inode }) => {
      const { kind, mode, uid, gid } = inode;
      return [path, `${kind} ${mode.toString(8)} ${uid}:${gid} ${links.get(inode)} ${detail(path, inode)}`];
    }),
  );
}

function detail(path: string, inode: Inode): string {
  if (inode.kind === 'symlink') return inode.target;
  if (inode.kind === 'file') {
    const bytes = Buffer.from(inode.content.readSync());
    if (path === 'lib/apk/db/scripts.tar') return sha256(withoutTimes(bytes));
    if (path === 'lib/apk/db/installed') return sha256(Buffer.from(misplaced(bytes.toString('latin1')), 'latin1'));
    // the third field is the day
    if (/^etc\/shadow-?$/.test(path)) return bytes.toString('latin1').replace(/^([^:]*:[!*]?):\d+:/gm, '$1:DAY:');
    return sha256(bytes);
  }
  if (inode.kind === 'char' || inode.kind === 'block') return `${inode.major}:${inode.minor}`;
  return '';
}

/** A tar archive whose headers have neither time nor checksum. */
function withoutTimes(tar: Buffer): Buffer {
  for (let at = 0; at + 512 <= tar.length; ) {
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8) || 0;
    tar.fill(0, at + 136, at + 156);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return tar;
}
