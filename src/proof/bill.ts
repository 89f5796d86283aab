import { createHash } from 'node:crypto';
import type { Content } from '../bytes/content.ts';
import type { PackageFacts } from '../families/facts.ts';
import { formatUuid } from '../formats/disk/uuid.ts';
import { purl } from '../formats/purl/purl.ts';
import type { LockedInput } from '../lock/lock.ts';
import { TreeDigest } from '../tree/digest.ts';
import type { Inode } from '../tree/inode.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';

/** A package of a guest, as bills of materials list it. */
export interface BillPackage extends PackageFacts {
  readonly purl: string;
  /** Of the archive, in hex; undefined for a package that was installed already. */
  readonly sha256?: string;
  readonly reason: string;
  /** Numbers of the packages that it depends on, in this list. */
  readonly dependsOn: readonly number[];
}

/** A file of a guest. */
export interface BillFile {
  /** With a leading slash. */
  readonly path: string;
  readonly sha256: string;
  readonly content: Content;
  /** Number of the package that brought it; undefined when none did. */
  readonly package?: number;
}

/** What a guest is made of. */
export interface Bill {
  readonly tool: { readonly name: string; readonly version: string };
  /** Name and version of the guest: its distribution and release. */
  readonly guest: { readonly name: string; readonly version: string; readonly purl: string };
  /** Unix seconds. */
  readonly epoch: number;
  /** Version 5 of RFC 9562, of the digest of the guest's tree. */
  readonly uuid: string;
  readonly packages: readonly BillPackage[];
  readonly inputs: readonly LockedInput[];
  /** Files that no package brought; with `allFiles` every file. */
  readonly files: readonly BillFile[];
}

/** What a bill is made from. */
export interface BillParts {
  readonly tool: Bill['tool'];
  /** Name, and the release as package URLs have it: `debian`, `debian-13`; undefined where nothing says it. */
  readonly distribution: { readonly name: string; readonly release: string; readonly distro: string } | undefined;
  readonly epoch: number;
  readonly tree: Tree;
  readonly facts: readonly PackageFacts[];
  /** For each package of `facts`. */
  readonly archives: readonly { readonly sha256?: string; readonly reason: string }[];
  readonly inputs: readonly LockedInput[];
  /** List every file, with the package that brought it. */
  readonly allFiles: boolean;
}

/** The bill of a finished guest. Every file of its tree must have its digest. */
export function billOf(parts: BillParts): Bill {
  const { tool, distribution, epoch, tree, facts, archives, inputs, allFiles } = parts;
  const dependencies = dependenciesOf(facts);
  return {
    tool,
    guest: guestOf(distribution),
    epoch,
    uuid: uuidOf(tree),
    packages: facts.map((one, i) => ({
      ...one,
      ...archives[i]!,
      purl: purlOf(one, distribution),
      dependsOn: dependencies[i]!,
    })),
    inputs,
    files: filesOf(tree, facts, allFiles),
  };
}

function guestOf(distribution: BillParts['distribution']): Bill['guest'] {
  const name = distribution === undefined ? 'guest' : `${distribution.name}-guest`;
  const version = distribution?.release ?? '';
  return { name, version, purl: purl({ type: 'generic', name, version }) };
}

/** The package URL that scanners match on. */
export function purlOf(
  { type, name, purlVersion: version, architecture, qualifiers }: PackageFacts,
  distribution: BillParts['distribution'],
): string {
  return purl({
    ...{ type, name, version },
    ...(distribution === undefined ? {} : { namespace: distribution.name }),
    qualifiers: {
      ...qualifiers,
      arch: architecture,
      ...(distribution === undefined ? {} : { distro: distribution.distro }),
    },
  });
}

/** For each package the others that it needs, by number. */
function dependenciesOf(facts: readonly PackageFacts[]): number[][] {
  const providers = new Map<string, number[]>();
  const add = (name: string, i: number): void => {
    const known = providers.get(name);
    if (known === undefined) providers.set(name, [i]);
    else if (!known.includes(i)) known.push(i);
  };
  // its own name goes before what others provide
  for (const [i, { name }] of facts.entries()) add(name, i);
  for (const [i, { provides }] of facts.entries()) for (const name of provides) add(name, i);
  return facts.map(({ needs }, i) => {
    const found = new Set<number>();
    for (const group of needs) {
      const provider = group.flatMap((name) => providers.get(name) ?? [])[0];
      if (provider !== undefined && provider !== i) found.add(provider);
    }
    return [...found].sort((a, b) => a - b);
  });
}

const NAMESPACE_URL = '6ba7b811-9dad-11d1-80b4-00c04fd430c8';

function uuidOf(tree: Tree): string {
  const digest = new TreeDigest();
  const numbers = new Map<Inode, number>();
  for (const { path, inode } of tree.walk()) {
    const seen = numbers.get(inode);
    if (seen === undefined) {
      numbers.set(inode, numbers.size);
      digest.add(path, inode);
    } else digest.link(path, seen);
  }
  const bytes = createHash('sha1')
    .update(Buffer.from(NAMESPACE_URL.replaceAll('-', ''), 'hex'))
    .update(`sha256:${Buffer.from(digest.value()).toString('hex')}`)
    .digest()
    .subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return formatUuid(bytes);
}

function filesOf(tree: Tree, facts: readonly PackageFacts[], all: boolean): BillFile[] {
  const owners = new Map<string, number>();
  for (const [i, { files }] of facts.entries()) for (const path of files) owners.set(merged(path), i);
  const found: BillFile[] = [];
  for (const { path, inode } of tree.walk()) {
    if (inode.kind !== 'file') continue;
    const owner = owners.get(merged(path));
    if (owner !== undefined && !all) continue;
    found.push({
      path: `/${display(path)}`,
      sha256: inode.content.sha256!,
      content: inode.content,
      ...(owner === undefined ? {} : { package: owner }),
    });
  }
  return found;
}

/** A path whatever the package thinks of a merged /usr. */
export function merged(path: string): string {
  return path.replace(/^(bin|sbin|lib\w*)\//, 'usr/$1/');
}
