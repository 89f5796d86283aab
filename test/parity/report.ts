import type { Tree } from '../../src/tree/tree.ts';
import { Causes } from './cause.ts';
import { type Class, classOf, DROPPED } from './classes.ts';
import { compare, type Difference, rowsOf, spell } from './compare.ts';
import { CLASSES } from './left-out.ts';

/** Result of comparing two trees. */
export interface Comparison {
  readonly suite: string;
  readonly packages: readonly string[];
  /** Packages installed by them. */
  readonly installed: number;
  /** Paths of their tree. */
  readonly paths: number;
  readonly equal: number;
  readonly explained: readonly { readonly class: string; readonly reason: string; readonly paths: readonly string[] }[];
  /** A folder on one side only counts with its contents. */
  readonly unexplained: readonly { readonly difference: string; readonly cause: string; readonly paths: number }[];
  readonly warnings: readonly string[];
}

/** What is known of packages besides their trees. */
export interface FamilyFacts {
  readonly classes: readonly Class[];
  /** Versions of installed packages by name. */
  readonly theirs: ReadonlyMap<string, string>;
  readonly ours: ReadonlyMap<string, string>;
  /** Finds the likely cause of a path. */
  readonly causes: { of(path: string): string };
}

/** Compares the two trees of one set of packages. */
export function comparison(of: {
  readonly suite: string;
  readonly packages: readonly string[];
  readonly ours: Tree;
  readonly theirs: Tree;
  readonly warnings: readonly { readonly message: string }[];
  /** Of packages other than Debian's. */
  readonly family?: FamilyFacts;
}): Comparison {
  const [theirs, ours] = [rowsOf(of.theirs), rowsOf(of.ours)];
  const differences = compare(theirs, ours);
  const causes = of.family?.causes ?? new Causes(of.theirs);
  const classes = of.family?.classes ?? [...DROPPED, ...CLASSES];
  const texts = (path: string) => [of.theirs.text(path) ?? '', of.ours.text(path) ?? ''] as const;
  const explained = new Map<string, { class: string; reason: string; paths: string[] }>();
  const unexplained: { path?: string; difference: string; cause: string; paths: number }[] = [];
  const installed = of.family?.theirs ?? versions(of.theirs);
  const mine = of.family?.ours ?? versions(of.ours);
  for (const [name, version] of installed)
    if (mine.get(name) !== version)
      unexplained.push({
        difference: `package ${name} ${version}: ${mine.get(name) ?? 'none'} here`,
        cause: 'the choice of packages',
        paths: 1,
      });
  for (const name of mine.keys())
    if (!installed.has(name))
      unexplained.push({ difference: `package ${name}: only here`, cause: 'the choice of packages', paths: 1 });
  for (const one of differences) {
    const found = classOf(one, classes, texts);
    if (found === undefined) {
      const above = unexplained.at(-1);
      if (above?.path !== undefined && one.path.startsWith(`${above.path}/`) && lone(one)) above.paths++;
      else
        unexplained.push({
          ...(lone(one) ? { path: one.path } : {}),
          difference: spell(one),
          cause: causes.of(one.path),
          paths: 1,
        });
    } else {
      const entry = explained.get(found.name) ?? { class: found.name, reason: found.reason, paths: [] };
      entry.paths.push(one.path);
      explained.set(found.name, entry);
    }
  }
  return {
    suite: of.suite,
    packages: of.packages,
    installed: installed.size,
    paths: theirs.size,
    equal: theirs.size - differences.filter((one) => one.theirs !== undefined).length,
    explained: [...explained.values()],
    unexplained: unexplained.map(({ difference, cause, paths }) => ({ difference, cause, paths })),
    warnings: of.warnings.map((one) => one.message),
  };
}

/** True when only one side has the path. */
function lone({ parts }: Difference): boolean {
  return parts[0] === 'missing' || parts[0] === 'added';
}

/** Versions by package, from dpkg's status. */
function versions(tree: Tree): Map<string, string> {
  const found = new Map<string, string>();
  for (const stanza of (tree.text('var/lib/dpkg/status') ?? '').split('\n\n')) {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1];
    const name = field('Package');
    if (name !== undefined) found.set(name, field('Version') ?? '');
  }
  return found;
}

/** Unexplained differences printed without `--all`. */
const SHOWN = 200;

/** The comparison as text. */
export function report(of: Comparison, all: boolean): string {
  const known = of.explained.reduce((sum, one) => sum + one.paths.length, 0);
  const unknown = of.unexplained.reduce((sum, one) => sum + one.paths, 0);
  const lines = [
    `${of.suite}: ${of.packages.join(' ')}`,
    `${of.installed} packages, ${of.paths} paths: ${of.equal} equal, ${known} differ as explained, ${unknown} differ unexplained`,
  ];
  for (const one of of.explained) {
    lines.push('', `${one.class} (${one.paths.length}): ${one.reason}`);
    lines.push(...one.paths.slice(0, all ? undefined : 5).map((path) => `  ${path}`));
    if (!all && one.paths.length > 5) lines.push(`  … and ${one.paths.length - 5} more`);
  }
  if (of.warnings.length > 0) lines.push('', 'Warnings', ...of.warnings.map((one) => `  ${one}`));
  if (of.unexplained.length > 0) lines.push('', 'Unexplained');
  const shown = all ? of.unexplained : of.unexplained.slice(0, SHOWN);
  for (const { difference, cause, paths } of shown) {
    lines.push(`  ${difference}${paths > 1 ? `, and ${paths - 1} below it` : ''}`);
    lines.push(`    ${cause}`);
  }
  if (shown.length < of.unexplained.length) lines.push(`  … and ${of.unexplained.length - shown.length} more (--all)`);
  return `${lines.join('\n')}\n`;
}

/** Comparisons as the tables of docs/parity.md. */
export function tables(all: readonly Comparison[]): string {
  const count = (of: readonly { readonly paths: number | readonly string[] }[]) =>
    of.reduce((sum, { paths }) => sum + (typeof paths === 'number' ? paths : paths.length), 0);
  const lines = [
    '| suite | requested packages | installed | paths | equal | explained | unexplained | warnings |',
    '|---|---|---|---|---|---|---|---|',
  ];
  for (const one of all)
    lines.push(
      `| ${[one.suite, one.packages.join(' '), one.installed, one.paths, one.equal, count(one.explained), count(one.unexplained), one.warnings.length].join(' | ')} |`,
    );
  const classes = new Map<string, { reason: string; sets: number; paths: number }>();
  for (const { explained } of all)
    for (const one of explained) {
      const entry = classes.get(one.class) ?? { reason: one.reason, sets: 0, paths: 0 };
      classes.set(one.class, { ...entry, sets: entry.sets + 1, paths: entry.paths + one.paths.length });
    }
  lines.push('', '| class | sets | paths | reason |', '|---|---|---|---|');
  for (const [name, { reason, sets, paths }] of [...classes].sort(([, a], [, b]) => b.paths - a.paths))
    lines.push(`| ${name} | ${sets} | ${paths} | ${reason} |`);
  for (const one of all)
    for (const { difference, cause } of one.unexplained)
      lines.push('', `Unexplained in ${one.suite} with ${one.packages.join(' ')}: ${difference} (${cause})`);
  const warnings = new Set(all.flatMap((one) => one.warnings));
  lines.push('', 'Warnings of these builds:', '', ...[...warnings].sort().map((one) => `- ${one}`));
  return `${lines.join('\n')}\n`;
}
