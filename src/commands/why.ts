import { openRootfs } from '../artefacts/open.ts';
import { BuildError } from '../errors/error.ts';
import { nearestNames } from '../errors/nearest.ts';
import { databasesIn } from '../families/families.ts';
import { dependentsOf, reasonsFor } from '../families/installed.ts';
import { plan as planBuild } from '../pipeline/plan.ts';
import { printable } from '../report/escape.ts';
import { type Context, withHost } from './context.ts';
import { profileOf } from './packages.ts';

/** A package on the way from what was asked for to the one in question. */
interface Link {
  readonly name: string;
  readonly version: string;
  readonly reason: string;
  readonly by?: string;
}

/** The reasons of one set of packages. */
interface Reasons {
  readonly where: string;
  readonly links: ReadonlyMap<string, Link>;
  /** Packages that need one; undefined for a plan, which knows the first reason only. */
  dependents?(name: string): readonly string[];
}

/** `osbuilder why PACKAGE [ARTEFACT]`: the chain of reasons that brought a package into a plan or an artefact. */
export async function why(context: Context): Promise<void> {
  const { terminal, settings, collected, call } = context;
  const [name, artefact] = call.positional as [string, string?];
  const reasons = artefact === undefined ? await planned(context) : await installed(context, artefact);
  const chain = chainOf(reasons, name);
  const dependents = reasons.dependents?.(name);
  if (settings.json) {
    const document = {
      package: name,
      version: chain[0]!.version,
      chain,
      ...(dependents === undefined ? {} : { dependents }),
      warnings: collected.warnings,
      notes: collected.notes,
    };
    terminal.out(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  const width = (key: 'name' | 'version') => Math.max(...chain.map((one) => one[key].length));
  for (const one of chain)
    terminal.out(
      `${printable(`${one.name.padEnd(width('name'))}  ${one.version.padEnd(width('version'))}  ${one.reason}`)}\n`,
    );
  const others = dependents?.filter((one) => one !== chain[0]!.by) ?? [];
  if (others.length > 0) terminal.out(`also needed by ${printable(others.join(', '))}\n`);
}

/** From a package up to what was asked for. */
function chainOf({ where, links }: Reasons, name: string): Link[] {
  const chain: Link[] = [];
  for (let at: string | undefined = name; at !== undefined; ) {
    const link = links.get(at);
    if (link === undefined) {
      const near = nearestNames(at, links.keys());
      const hint = near.length === 0 ? undefined : `there is ${near.join(', ')}`;
      throw new BuildError('PACKAGE_ABSENT', { name: at, where }, hint === undefined ? {} : { hint });
    }
    chain.push(link);
    at = chain.some((one) => one.name === link.by) ? undefined : link.by;
  }
  return chain;
}

async function planned(context: Context): Promise<Reasons> {
  const profile = await profileOf(context);
  const { settings, terminal } = context;
  const { architecture: hostArchitecture, version } = terminal;
  const request = { settings, hostArchitecture, version, ...(profile === undefined ? {} : { profile }) };
  const { chosen } = await withHost(context, (host) => planBuild(request, host));
  const links = chosen.map(({ package: { name, version }, reason, by }): [string, Link] => [
    name,
    { name, version, reason, ...(by === undefined ? {} : { by }) },
  ]);
  return { where: 'the plan', links: new Map(links) };
}

async function installed(context: Context, path: string): Promise<Reasons> {
  return withHost(context, async (host) => {
    const artefact = await openRootfs(path, host);
    const databases = await databasesIn(await artefact.tree());
    if (databases.length === 0) throw new BuildError('DATABASE_MISSING', { path: artefact.path });
    const links = new Map<string, Link>();
    for (const database of databases)
      for (const [name, { package: one, reason, by }] of reasonsFor(database))
        links.set(name, { name, version: one.version, reason, ...(by === undefined ? {} : { by }) });
    return {
      where: artefact.path,
      links,
      dependents: (name) =>
        databases.flatMap((database) =>
          database.packages.filter((one) => one.name === name).flatMap((one) => dependentsOf(database, one)),
        ),
    };
  });
}
