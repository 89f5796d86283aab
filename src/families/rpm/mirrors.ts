import { createHash } from 'node:crypto';
import { BuildError } from '../../errors/error.ts';
import { attribute, XmlScanner } from '../../formats/xml/scan.ts';
import { display, toText } from '../../tree/path.ts';
import { DIGEST_NAMES } from './repomd.ts';

/** A version of repomd.xml that a metalink promises. */
export interface PromisedRepomd {
  readonly size: number | undefined;
  /** Its digests, strongest first; those that prove nothing are left out. */
  readonly digests: readonly { readonly algorithm: string; readonly hex: string }[];
}

/** Places that have a repository, best first, and which versions of its repomd.xml are right. */
export interface MirrorList {
  /** Base URLs of the repository. */
  readonly bases: readonly string[];
  /** The newest version, then older ones that are still right; empty for a plain list of mirrors. */
  readonly promised: readonly PromisedRepomd[];
}

const MIRRORS_MAX = 2000;
const STRENGTH = ['sha512', 'sha384', 'sha256', 'sha224', 'sha1'];

/** Reads what a mirrorlist or metalink URL gave: a metalink is recognised by its content. */
export function parseMirrorList(bytes: Uint8Array, path: string): MirrorList {
  const text = Buffer.from(bytes).toString('utf8');
  if (/^\ufeff?\s*</.test(text)) return parseMetalink(bytes, path);
  const bases = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^https?:\/\//i.test(line))
    .slice(0, MIRRORS_MAX);
  if (bases.length === 0) throw new BuildError('MIRRORLIST_INVALID', { path, reason: 'it names no http or https URL' });
  return { bases, promised: [] };
}

/** A metalink of version 3 (http://www.metalinker.org/): mirrors with preferences, digests of repomd.xml. */
function parseMetalink(bytes: Uint8Array, path: string): MirrorList {
  const urls: { readonly url: string; readonly preference: number }[] = [];
  const promised: PromisedRepomd[] = [];
  let inFile = false;
  let size: number | undefined;
  let digests: { algorithm: string; hex: string }[] = [];
  let hash = '';
  let preference = 0;
  const close = () => {
    const order = digests.filter(({ algorithm }) => STRENGTH.includes(algorithm));
    order.sort((a, b) => STRENGTH.indexOf(a.algorithm) - STRENGTH.indexOf(b.algorithm));
    if (order.length > 0) promised.push({ size, digests: order });
    size = undefined;
    digests = [];
  };
  const countOf = (text: string) => {
    if (!/^\s*\d{1,15}\s*$/.test(text))
      throw new BuildError('MIRRORLIST_INVALID', { path, reason: `"${display(text.slice(0, 40))}" is no size` });
    return Number(text);
  };
  const scanner = new XmlScanner(
    {
      open(tag, attributes) {
        const name = localName(tag);
        if (name === 'file') inFile = attribute(attributes, 'name') === 'repomd.xml';
        else if (name === 'hash') hash = DIGEST_NAMES.get((attribute(attributes, 'type') ?? '').toLowerCase()) ?? '';
        else if (name === 'url') preference = Number(attribute(attributes, 'preference') ?? '0') || 0;
        // the newest version comes first, its alternates after it
        else if (name === 'alternates') close();
      },
      close(tag, text) {
        if (!inFile) return;
        const name = localName(tag);
        if (name === 'size') size = countOf(text);
        else if (name === 'hash') digests.push({ algorithm: hash, hex: text.trim().toLowerCase() });
        else if (name === 'alternate') close();
        else if (name === 'url' && urls.length < MIRRORS_MAX) {
          const url = toText(text.trim());
          if (/^https?:\/\//i.test(url) && url.endsWith('/repodata/repomd.xml')) urls.push({ url, preference });
        } else if (name === 'file') {
          close();
          inFile = false;
        }
      },
    },
    path,
  );
  scanner.push(bytes);
  scanner.end();
  if (urls.length === 0)
    throw new BuildError('MIRRORLIST_INVALID', { path, reason: 'it names no mirror of repomd.xml' });
  if (promised.length === 0)
    throw new BuildError('MIRRORLIST_INVALID', { path, reason: 'it promises no digest of repomd.xml' });
  // sort is stable: mirrors of one preference stay in the order of the list
  const sorted = [...urls].sort((a, b) => b.preference - a.preference);
  return { bases: sorted.map(({ url }) => url.slice(0, -'/repodata/repomd.xml'.length)), promised };
}

/** A name without its prefix, which documents choose: `mm0:alternates` of MirrorManager. */
const localName = (tag: string): string => tag.slice(tag.indexOf(':') + 1);

/** Throws `DIGEST_MISMATCH` when a repomd.xml is none of those that a metalink promises. */
export function checkPromised(bytes: Uint8Array, { promised }: MirrorList, url: string): void {
  const fits = ({ size, digests: [strongest] }: PromisedRepomd) =>
    (size === undefined || size === bytes.length) &&
    createHash(strongest!.algorithm).update(bytes).digest('hex') === strongest!.hex;
  if (promised.some(fits)) return;
  const { algorithm, hex } = promised[0]!.digests[0]!;
  const actual = createHash(algorithm).update(bytes).digest('hex');
  throw new BuildError(
    'DIGEST_MISMATCH',
    { url, expected: hex, actual },
    { hint: 'this mirror is not up to date, or gives other bytes than the metalink promises' },
  );
}
