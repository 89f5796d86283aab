import type { Package } from '../../fetch/package.ts';

/**
 * A package as an APKINDEX or `/lib/apk/db/installed` describes it, by the one-letter fields of those files. Text is kept
 * as byte strings; relations are parsed on demand.
 */
export interface ApkRecord {
  /** `P` */
  readonly name: string;
  /** `V` */
  readonly version: string;
  /** Name of the archive in its folder, where it is not `NAME-VERSION.apk`. */
  readonly file?: string;
  /** `C`: checksum of the control segment, `Q1` and base64 of SHA-1, or `Q2` and base64 of SHA-256. */
  readonly identity: string;
  /** `A` */
  readonly architecture: string;
  /** `S`: bytes of the archive. */
  readonly size: number;
  /** `I`: bytes when installed. */
  readonly installedSize: number;
  /** `D` */
  readonly depends: string;
  /** `p` */
  readonly provides: string;
  /** `i` */
  readonly installIf: string;
  /** `k` */
  readonly providerPriority: number;
  /** `o` */
  readonly origin: string;
  /** The unparsed fields, one per line, for the database of installed packages. */
  readonly stanza: string;
}

/** A package of an opened repository. */
export interface ApkPackage extends ApkRecord, Package {
  /** Numbers of the repositories that have it, in their order; the first one is fetched from. */
  readonly repositories: readonly number[];
}

/** The values of the stanza that is being read. */
interface Draft {
  name: string;
  version: string;
  identity: string;
  architecture: string;
  size: number;
  installedSize: number;
  depends: string;
  provides: string;
  installIf: string;
  providerPriority: number;
  origin: string;
}

const fresh = (): Draft => ({
  name: '',
  version: '',
  identity: '',
  architecture: '',
  size: 0,
  installedSize: 0,
  depends: '',
  provides: '',
  installIf: '',
  providerPriority: 0,
  origin: '',
});

/**
 * Reads the text of an index: stanzas of `X:value` lines, separated by empty lines. `bad` is called for a line that is
 * not a field, with its number.
 */
export function parseIndex(text: string, bad: (line: number, text: string) => void): ApkRecord[] {
  const records: ApkRecord[] = [];
  let draft: Draft | undefined;
  let start = 0;
  let lines = 0;
  for (let at = 0; at <= text.length; ) {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    lines++;
    if (end === at) {
      if (draft !== undefined) {
        if (draft.name === '' || draft.version === '') bad(lines, text.slice(start, at));
        else records.push({ ...draft, stanza: text.slice(start, at - 1) });
        draft = undefined;
      }
      if (end === text.length) break;
      at = end + 1;
      continue;
    }
    if (draft === undefined) {
      draft = fresh();
      start = at;
    }
    if (text.charCodeAt(at + 1) !== 58 /* : */) bad(lines, text.slice(at, end));
    else {
      const from = at + 2;
      switch (text.charCodeAt(at)) {
        case 80: // P
          draft.name = text.slice(from, end);
          break;
        case 86: // V
          draft.version = text.slice(from, end);
          break;
        case 67: // C
          draft.identity = text.slice(from, end);
          break;
        case 65: // A
          draft.architecture = text.slice(from, end);
          break;
        case 83: // S
          draft.size = Number(text.slice(from, end));
          break;
        case 73: // I
          draft.installedSize = Number(text.slice(from, end));
          break;
        case 68: // D
          draft.depends = joined(draft.depends, text.slice(from, end));
          break;
        case 112: // p
          draft.provides = joined(draft.provides, text.slice(from, end));
          break;
        case 105: // i
          draft.installIf = joined(draft.installIf, text.slice(from, end));
          break;
        case 107: // k
          draft.providerPriority = Number(text.slice(from, end));
          break;
        case 111: // o
          draft.origin = text.slice(from, end);
          break;
      }
    }
    at = end + 1;
    if (at > text.length) {
      // the last line ended without a newline
      if (draft.name === '' || draft.version === '') bad(lines, text.slice(start));
      else records.push({ ...draft, stanza: text.slice(start) });
      break;
    }
  }
  return records;
}

/** A list field may be spread over several lines. */
function joined(before: string, more: string): string {
  return before === '' ? more : `${before} ${more}`;
}
