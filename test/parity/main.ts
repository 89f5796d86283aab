/**
 * `npm run parity -- --suite S --packages "A B"`: the same packages installed by apt and dpkg (mmdebstrap) and by this
 * program, compared path by path. Ends with 0 when every difference is explained, 1 when one is not, 2 when nothing
 * could be compared.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openArtefact } from '../../src/artefacts/open.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { osbuilder } from '../support/cli.ts';
import { testHost } from '../support/host.ts';
import { rpmGuest } from '../support/rpm-guest.ts';
import { BOTH, obstacle, reference } from './reference.ts';
import { type Comparison, comparison, report, tables } from './report.ts';
import { compareWithDnf, RPM_SETS, rpmObstacle } from './rpm.ts';
import { SETS } from './sets.ts';

const HELP = `npm run parity -- --suite SUITE --packages "A B …" [options]

Installs the packages with mmdebstrap and with osbuilder, and says path by path what differs, and why.

  --sets             all sets of docs/parity.md instead, as its tables
  --family rpm       the sets of rpm packages instead: a made distribution, with dnf --installroot
  --suite SUITE      Debian's suite: trixie, bookworm, …
  --packages "A B"   packages besides the essential and required ones and init
  --arch ARCH        Debian's name of the architecture (default: amd64; mmdebstrap needs to run its programs)
  --cache-dir DIR    where trees of mmdebstrap are kept (default: osbuilder-parity in the folder for temporary files)
  --keep FILE        write our tree there, as a tar
  --again            make mmdebstrap's tree again, though there is one
  --all              print every path that is explained, not five of each class
  --json             one JSON document on stdout
  --help             this text

Ends with 0 when every difference is explained, 1 when one is not, 2 when nothing could be compared.
`;
/** Earlier than every date in the archive: time stamps and password dates are the same on both sides. */
const EPOCH = 1_700_000_000;

/** Ends with 2: nothing was compared. */
class Misused extends Error {}

function options() {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse();
  } catch (error) {
    throw new Misused((error as Error).message);
  }
  const { values } = parsed;
  if (values.help) return undefined;
  if (values.sets && (values.suite ?? values.packages ?? values.keep) !== undefined)
    throw new Misused('--sets goes without --suite, --packages and --keep');
  if (values.family !== 'apt' && values.family !== 'rpm') throw new Misused(`--family ${values.family}: apt or rpm`);
  const whole = values.sets || values.family === 'rpm';
  const packages = wordsOf(values.packages ?? '');
  if (!whole && (values.suite === undefined || packages.length === 0))
    throw new Misused('--suite SUITE and --packages "A B" are needed');
  const suite = values.suite ?? '';
  if (!whole && !/^[a-z][a-z0-9-]*$/.test(suite)) throw new Misused(`--suite ${suite}: that is no name of a suite`);
  for (const name of packages)
    if (!/^[a-z0-9][a-z0-9.+-]+$/.test(name)) throw new Misused(`--packages: "${name}" is no name of a package`);
  return {
    sets: values.sets,
    rpm: values.family === 'rpm',
    suite,
    packages,
    architecture: values.arch,
    folder: values['cache-dir'] ?? join(tmpdir(), `osbuilder-parity-${process.getuid?.() ?? 'user'}`),
    keep: values.keep,
    again: values.again,
    all: values.all,
    json: values.json,
  };
}

/** Sorted names without duplicates. */
function wordsOf(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter((name) => name !== ''))].sort();
}

type ParsedOptions = NonNullable<ReturnType<typeof options>>;

function parse() {
  return parseArgs({
    allowPositionals: false,
    options: {
      sets: { type: 'boolean', default: false },
      family: { type: 'string', default: 'apt' },
      suite: { type: 'string' },
      packages: { type: 'string' },
      arch: { type: 'string', default: 'amd64' },
      'cache-dir': { type: 'string' },
      keep: { type: 'string' },
      again: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
}

/** Runs our program and parses its JSON output. */
async function run(given: ParsedOptions, args: readonly string[]) {
  const result = await osbuilder(
    [
      ...[args[0]!, '--distro', 'debian', '--os-version', given.suite, '--arch', given.architecture],
      ...['--repo-suites', given.suite, '--json', ...args.slice(1)],
    ],
    { env: { OSBUILDER_CACHE_DIR: join(given.folder, 'osbuilder') } },
  );
  if (result.code !== 0)
    throw new Error(`osbuilder ended with ${result.code}: ${result.stderr.trim() || result.stdout}`);
  return JSON.parse(result.stdout) as {
    packages: { name: string; version: string; url: string }[];
    warnings: { code: string; message: string; package?: string }[];
  };
}

/** Our tree, and the warnings. */
async function ours(given: ParsedOptions, packages: readonly string[], folder: string) {
  const path = given.keep ?? join(folder, 'ours.tar');
  const { warnings } = await run(given, [
    ...['rootfs', '--packages', packages.join(' '), '--rootfs-only', '--no-trim', '--keep-dpkg-db'],
    ...['--source-date-epoch', String(EPOCH), '-o', path],
  ]);
  return { tree: await treeOf(path, folder), warnings };
}

async function treeOf(path: string, folder: string): Promise<Tree> {
  return (await openArtefact(path, { workspace: () => folder })).tree();
}

async function main(): Promise<number> {
  const given = options();
  if (given === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  if (given.rpm) return rpmSets(given);
  const why = obstacle();
  if (why !== undefined) throw new Misused(why);
  if (given.sets) {
    const all: Comparison[] = [];
    for (const [suite, packages] of SETS) {
      process.stderr.write(`${suite}: ${packages}\n`);
      all.push(await compared({ ...given, suite, packages: wordsOf(packages) }));
    }
    process.stdout.write(given.json ? `${JSON.stringify(all, undefined, 2)}\n` : tables(all));
    return all.every((one) => one.unexplained.length === 0) ? 0 : 1;
  }
  const result = await compared(given);
  process.stdout.write(given.json ? `${JSON.stringify(result, undefined, 2)}\n` : report(result, given.all));
  return result.unexplained.length === 0 ? 0 : 1;
}

/** The sets of rpm packages, each with dnf and with this program. */
async function rpmSets(given: ParsedOptions): Promise<number> {
  const why = rpmObstacle();
  if (why) throw new Misused(why);
  const closing: (() => void | Promise<void>)[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-parity-'));
  try {
    const guest = await rpmGuest(testHost({ after: (close) => void closing.push(close) }));
    const all: Comparison[] = [];
    for (const [i, set] of RPM_SETS.entries()) {
      process.stderr.write(`${set.name}: ${set.packages}\n`);
      const own = join(folder, String(i));
      mkdirSync(own);
      all.push((await compareWithDnf(guest, set, own)).comparison);
    }
    const text = given.all ? all.map((one) => report(one, true)).join('\n') : tables(all);
    process.stdout.write(given.json ? `${JSON.stringify(all, undefined, 2)}\n` : text);
    return all.every((one) => one.unexplained.length === 0) ? 0 : 1;
  } finally {
    for (const close of closing) await close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compared(given: ParsedOptions): Promise<Comparison> {
  mkdirSync(given.folder, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-parity-'));
  try {
    // both use the archive that our program uses on this machine
    const planned = await run(given, ['plan', '--packages', BOTH.join(' ')]);
    const mirror = planned.packages[0]!.url.replace(/\/pool\/.*$/, '');
    const path = await reference(given.folder, { ...given, mirror, epoch: EPOCH }, given.again);
    const theirs = await treeOf(path, folder);
    // apt takes the first of `usrmerge | usr-is-merged`; ours installs that only on request
    const merging = theirs.has('var/lib/dpkg/info/usrmerge.list') ? ['usrmerge'] : [];
    const made = await ours(given, [...BOTH, ...merging, ...given.packages], folder);
    return comparison({ ...given, ours: made.tree, theirs, warnings: made.warnings });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n${error instanceof Misused ? 'See --help.\n' : ''}`);
  process.exitCode = 2;
}
