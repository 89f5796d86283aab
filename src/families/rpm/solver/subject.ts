import { rpmvercmp } from '../../../formats/rpm/version.ts';
import { compilePattern, matches } from '../../../shell/pattern.ts';

/** One way to read what a user spells: as a name, or with version, release and architecture. */
export interface Subject {
  /** A name, or a pattern of names. */
  readonly name: string;
  /** An architecture, or a pattern of them, where one is spelled. */
  readonly arch: string | undefined;
  /** True when neither a version nor an architecture is spelled. */
  readonly onlyName: boolean;
  /** Whether a package whose name fits has the version, release and architecture that are spelled. */
  readonly fits: (name: string, evr: string, arch: string) => boolean;
}

const NAME = '([^:(/=<> ]+)';
const EPOCH = '(?:([0-9]+):)?';
const VERSION = '([^-:(/=<> ]+)';
const ARCH = '([^-:.(/=<> ]+)';

interface Form {
  readonly pattern: RegExp;
  readonly parts: readonly ('name' | 'epoch' | 'version' | 'release' | 'arch')[];
}

/** What a package may be spelled as, in the order in which dnf tries. */
const FORMS: readonly Form[] = [
  {
    pattern: new RegExp(`^${NAME}-${EPOCH}${VERSION}-${VERSION}\\.${ARCH}$`),
    parts: ['name', 'epoch', 'version', 'release', 'arch'],
  },
  { pattern: new RegExp(`^${NAME}\\.${ARCH}$`), parts: ['name', 'arch'] },
  { pattern: new RegExp(`^${NAME}$`), parts: ['name'] },
  { pattern: new RegExp(`^${NAME}-${EPOCH}${VERSION}-${VERSION}$`), parts: ['name', 'epoch', 'version', 'release'] },
  { pattern: new RegExp(`^${NAME}-${EPOCH}${VERSION}$`), parts: ['name', 'epoch', 'version'] },
];

/** True when a text is a pattern for dnf. */
export const isGlob = (text: string): boolean => /[*?[]/.test(text);

/** Turns a pattern into a test, as fnmatch(3) without flags reads it. */
export function globTest(pattern: string): (text: string) => boolean {
  if (!isGlob(pattern)) return (text) => text === pattern;
  const compiled = compilePattern(pattern);
  return (text) => matches(compiled, text);
}

/** The ways to read a text, in dnf's order: the first that some package fits is meant. */
export function* subjectsOf(text: string): Generator<Subject> {
  for (const { pattern, parts } of FORMS) {
    const found = pattern.exec(text);
    if (found === null) continue;
    const part = (name: Form['parts'][number]) => {
      const at = parts.indexOf(name);
      return at < 0 ? undefined : found[at + 1];
    };
    const [name, arch, epoch] = [part('name')!, part('arch'), part('epoch')];
    const archTest = arch === undefined ? undefined : globTest(arch);
    const version = versionTest(part('version'));
    const release = versionTest(part('release'));
    const fits = (_: string, evr: string, own: string) => {
      if (archTest !== undefined && !archTest(own)) return false;
      if (epoch === undefined && version === undefined && release === undefined) return true;
      const split = /^(?:([0-9]+):)?(.*?)(?:-([^-]*))?$/s.exec(evr)!;
      return (
        (epoch === undefined || Number(epoch) === Number(split[1] ?? 0)) &&
        (version === undefined || version(split[2]!)) &&
        (release === undefined || release(split[3] ?? ''))
      );
    };
    yield { name, arch, onlyName: parts.length === 1, fits };
  }
  // last, as libdnf does (Query::filterSubject): the text as a pattern of everything at once
  if (!isGlob(text)) return;
  const test = globTest(text);
  const epochs = text.includes(':');
  const fits = (name: string, evr: string, arch: string) => {
    const plain = evr.replace(/^\d+:/, '');
    return test(`${name}-${!epochs ? plain : evr === plain ? `0:${evr}` : evr}.${arch}`);
  };
  yield { name: '*', arch: undefined, onlyName: false, fits };
}

function versionTest(text: string | undefined): ((own: string) => boolean) | undefined {
  if (text === undefined) return undefined;
  return isGlob(text) ? globTest(text) : (own) => rpmvercmp(own, text) === 0;
}
