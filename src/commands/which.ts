import { openRootfs } from '../artefacts/open.ts';
import { BuildError } from '../errors/error.ts';
import { databasesIn } from '../families/families.ts';
import { holdersOf } from '../families/installed.ts';
import { trace } from '../pipeline/trace.ts';
import { printable } from '../report/escape.ts';
import { changeLine } from '../report/history.ts';
import type { Change } from '../tree/history.ts';
import type { Kind } from '../tree/inode.ts';
import { wayTo } from '../tree/links.ts';
import { display, fromText, parts } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { type Context, withHost } from './context.ts';
import { requestOf } from './request.ts';

/** A package in the answer. */
interface Owner {
  readonly name: string;
  readonly version: string;
}

/** A tree, and what is known about the origin of its paths. */
interface Origins {
  readonly tree: Tree;
  readonly where: string;
  /** Packages that hold a path, whose links are resolved. */
  owners(path: string): readonly Owner[];
  /** What the steps of the build did to it; undefined for an artefact, which does not record them. */
  changes?(path: string): readonly Change[];
}

/** One path on the way: a link that is followed, or the end. */
interface Stop {
  readonly path: string;
  /** `missing` for a path that is not there (any more). */
  readonly kind: Kind | 'missing';
  readonly target?: string;
  readonly packages: readonly Owner[];
  readonly changes?: readonly Change[];
}

/** `osbuilder which PATH [ARTEFACT]`: the package that owns a path, and the steps that made, changed or removed it. */
export async function which(context: Context): Promise<void> {
  const { terminal, settings, collected, call } = context;
  const [path, artefact] = call.positional as [string, string?];
  const stops = await withHost(context, async (host) => {
    const origins = artefact === undefined ? await traced(context, host) : await recorded(artefact, host);
    return stopsOn(origins, path);
  });
  if (settings.json) {
    const last = stops.at(-1)!;
    const document = { path: stops[0]!.path, resolved: last.path, kind: last.kind, chain: stops };
    terminal.out(`${JSON.stringify({ ...document, warnings: collected.warnings }, null, 2)}\n`);
    return;
  }
  for (const { path: at, kind, target, packages, changes } of stops) {
    terminal.out(`${at}${target === undefined ? '' : ` -> ${target}`}${kind === 'missing' ? ' (missing)' : ''}\n`);
    for (const { name, version } of packages) terminal.out(`  in package ${printable(`${name} ${version}`)}\n`);
    for (const change of changes ?? []) terminal.out(`  ${changeLine(change)}\n`);
    if (packages.length === 0 && (changes ?? []).length === 0)
      terminal.out('  in no package: a script, an overlay or a step of the build made it\n');
  }
}

/** The chain of links to a path and its end. Throws `NO_SUCH_PATH` for a path that never was there. */
function stopsOn({ tree, where, owners, changes }: Origins, text: string): Stop[] {
  const { links, path, inode } = wayTo(tree, fromText(text));
  const stop = (at: string, kind: Stop['kind'], target?: string): Stop => ({
    path: `/${display(at)}`,
    kind,
    ...(target === undefined ? {} : { target: display(target) }),
    packages: owners(at),
    ...(changes === undefined ? {} : { changes: changes(at) }),
  });
  const end = stop(path, inode?.kind ?? 'missing');
  if (end.kind === 'missing' && links.length === 0 && end.packages.length === 0 && (end.changes ?? []).length === 0) {
    const near = namesakes(tree, path);
    const hint = near.length === 0 ? undefined : `there is ${near.join(', ')}`;
    const message = { path: display(path), ...(where === '' ? {} : { where }) };
    throw new BuildError('NO_SUCH_PATH', message, hint === undefined ? {} : { hint });
  }
  return [...links.map((link) => stop(link.path, 'symlink', link.target)), end];
}

/** The first three paths whose last name is the wanted one. */
function namesakes(tree: Tree, path: string): string[] {
  const wanted = path.slice(path.lastIndexOf('/') + 1);
  const found: string[] = [];
  for (const visit of tree.walk()) {
    if (visit.name !== wanted || visit.path === '') continue;
    found.push(`/${display(visit.path)}`);
    if (found.length === 3) break;
  }
  return found;
}

type Host = Parameters<Parameters<typeof withHost>[1]>[0];

async function traced(context: Context, host: Host): Promise<Origins> {
  const { tree, history, plan } = await trace(await requestOf(context), host);
  const versions = new Map(plan.chosen.map(({ package: { name, version } }) => [name, version]));
  return {
    tree,
    where: 'the guest',
    owners(path) {
      // several packages may hold a directory; a file belongs to the package that put it there last
      const last = history.of(path).findLast(({ by }) => by.step === 'package')?.by.package;
      const directory = tree.lstat(path)?.kind === 'directory';
      const names = directory || last === undefined ? history.holders(tree, path) : [last];
      return names.map((name) => ({ name, version: versions.get(name) ?? '' }));
    },
    changes: (path) => history.of(path),
  };
}

async function recorded(path: string, host: Host): Promise<Origins> {
  const artefact = await openRootfs(path, host);
  const tree = await artefact.tree();
  const databases = await databasesIn(tree);
  if (databases.length === 0) throw new BuildError('DATABASE_MISSING', { path: artefact.path });
  return {
    tree,
    where: artefact.path,
    owners: (at) =>
      databases.flatMap((database) => {
        const names = new Set(holdersOf(database, tree, parts(at).join('/')));
        return database.packages.filter(({ name }) => names.has(name)).map(({ name, version }) => ({ name, version }));
      }),
  };
}
