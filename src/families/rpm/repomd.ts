import type { DigestAlgorithm } from '../../bytes/digest.ts';
import { BuildError } from '../../errors/error.ts';
import { attribute, XmlScanner } from '../../formats/xml/scan.ts';
import { toText } from '../../tree/path.ts';

/** One file of a repository's metadata. */
export interface RepomdFile {
  /** `primary`, `filelists`, `group_gz`, `modules` … */
  readonly type: string;
  readonly digest: { readonly algorithm: string; readonly hex: string };
  /** Path below the repository's root. */
  readonly location: string;
  /** Another root than the repository's (`xml:base`). */
  readonly base: string | undefined;
  /** Bytes as stored. */
  readonly size: number | undefined;
  /** Bytes decompressed. */
  readonly openSize: number | undefined;
  /** Unix seconds. */
  readonly timestamp: number;
}

/** A repository's table of contents. */
export interface Repomd {
  readonly revision: string;
  readonly files: readonly RepomdFile[];
  /** Newest time stamp of the files, in Unix seconds. */
  readonly date: number;
}

/** Digests by the names that repositories use. MD5 proves nothing and is left out. */
export const DIGEST_NAMES: ReadonlyMap<string, DigestAlgorithm> = new Map(
  Object.entries({
    sha: 'sha1',
    sha1: 'sha1',
    sha224: 'sha224',
    sha256: 'sha256',
    sha384: 'sha384',
    sha512: 'sha512',
  }),
);

/** Files of a table of contents; a hostile one must not make millions of objects. */
const FILES_MAX = 1000;

/** Reads a repomd.xml. `path` is what messages call it. */
export function parseRepomd(bytes: Uint8Array, path: string): Repomd {
  const files: RepomdFile[] = [];
  let revision = '';
  let rootSeen = false;
  let type: string | undefined;
  let draft: { -readonly [K in keyof RepomdFile]?: RepomdFile[K] } = {};
  let checksum = '';
  const invalid = (reason: string) => new BuildError('REPOMD_INVALID', { path, reason });
  const scanner = new XmlScanner(
    {
      open(name, attributes) {
        if (!rootSeen) {
          rootSeen = true;
          if (name !== 'repomd') throw invalid(`its root is <${name}>, not <repomd>`);
        }
        if (name === 'data') {
          type = toText(attribute(attributes, 'type') ?? '');
          draft = {};
        } else if (type === undefined) return;
        else if (name === 'checksum') checksum = attribute(attributes, 'type') ?? '';
        else if (name === 'location') {
          draft.location = toText(attribute(attributes, 'href') ?? '');
          draft.base = attribute(attributes, 'xml:base');
        }
      },
      close(name, text) {
        if (name === 'revision') revision = toText(text.trim());
        if (type === undefined) return;
        switch (name) {
          case 'checksum':
            draft.digest = { algorithm: checksum.toLowerCase(), hex: text.trim().toLowerCase() };
            break;
          case 'size':
            draft.size = count(text, name);
            break;
          case 'open-size':
            draft.openSize = count(text, name);
            break;
          case 'timestamp':
            draft.timestamp = Math.floor(Number(text.trim())) || 0;
            break;
          case 'data':
            if (draft.digest === undefined) throw invalid(`its entry "${type}" has no checksum`);
            if (draft.location === undefined || draft.location === '')
              throw invalid(`its entry "${type}" names no file`);
            if (files.length >= FILES_MAX) throw invalid(`more than ${FILES_MAX} files`);
            files.push({
              type,
              digest: draft.digest,
              location: draft.location,
              base: draft.base,
              size: draft.size,
              openSize: draft.openSize,
              timestamp: draft.timestamp ?? 0,
            });
            type = undefined;
        }
      },
    },
    path,
  );
  scanner.push(bytes);
  scanner.end();
  return { revision, files, date: Math.max(0, ...files.map((file) => file.timestamp)) };

  function count(text: string, name: string): number {
    const value = Number(text.trim());
    if (!Number.isSafeInteger(value) || value < 0) throw invalid(`"${text.trim().slice(0, 40)}" is no ${name}`);
    return value;
  }
}

/** How well a name's ending suits us: the first in the list is read fastest. */
const ENDINGS = ['.gz', '.zst', '.xz', '.bz2', '.xml', '.yaml'];

/**
 * The file of a kind that is read: of several forms (`group`, `group_gz`, `group_xz`) the one that is decoded fastest.
 * Undefined when there is none. Throws `RPM_UNSUPPORTED` when it exists as zchunk or as a database alone.
 */
export function fileOf(
  { files }: Repomd,
  kind: 'primary' | 'filelists' | 'group' | 'modules',
  path: string,
): RepomdFile | undefined {
  const named = files.filter(({ type }) => type === kind || type.startsWith(`${kind}_`));
  const plain = named.filter(
    ({ type }) => !/_(zck|db)$/.test(type) && (type === kind || kind === 'group' || kind === 'modules'),
  );
  const rank = ({ location }: RepomdFile) => {
    const at = ENDINGS.findIndex((ending) => location.endsWith(ending));
    return at < 0 ? ENDINGS.length : at;
  };
  const [best] = [...plain].filter(({ location }) => !location.endsWith('.zck')).sort((a, b) => rank(a) - rank(b));
  if (best === undefined && named.length > 0) {
    const zck = named.some(({ type, location }) => type.endsWith('_zck') || location.endsWith('.zck'));
    throw new BuildError('RPM_UNSUPPORTED', {
      path,
      what: `${kind} metadata that exists as ${zck ? 'zchunk' : 'an SQLite database'} only`,
    });
  }
  return best;
}
