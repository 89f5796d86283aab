import type { Tree } from '../../tree/tree.ts';
import type { PackageFacts } from '../facts.ts';
import type { InstalledDatabase, InstalledPackage, Requirement } from '../installed.ts';
import { parseDeb822, type Stanza } from './deb822.ts';
import { COPYRIGHT_MAX, factsIn } from './describe.ts';
import { parseRelations } from './relations.ts';

const ADMIN = 'var/lib/dpkg';

const REQUIREMENTS = { 'Pre-Depends': 'depends on', Depends: 'depends on', Recommends: 'recommends' } as const;

/**
 * dpkg's database: `status`, and `info/*.list`. Images of containers without a package manager keep a stanza per
 * package in `status.d` instead, with `*.md5sums` as lists of files.
 */
export function readInstalled(tree: Tree): InstalledDatabase | undefined {
  const status = tree.text(`${ADMIN}/status`);
  const parts = tree.list(`${ADMIN}/status.d`).filter((name) => !name.endsWith('.md5sums'));
  if (status === undefined && parts.length === 0) return undefined;
  const stanzas = parseDeb822(status ?? '', `/${ADMIN}/status`).filter(isInstalled);
  for (const name of parts) {
    const path = `${ADMIN}/status.d/${name}`;
    for (const each of parseDeb822(tree.text(path) ?? '', `/${path}`)) stanzas.push(each);
  }
  const automatic = automaticallyInstalled(tree);
  return {
    packages: stanzas.map((one) => packageOf(one, automatic)),
    files: () => filesOf(tree),
    facts: () => factsOf(stanzas, tree),
  };
}

function factsOf(stanzas: readonly Stanza[], tree: Tree): PackageFacts[] {
  const files = new Map<string, string[]>();
  for (const { package: name, path } of filesOf(tree)) {
    const known = files.get(name);
    if (known === undefined) files.set(name, [path]);
    else known.push(path);
  }
  return stanzas.map((stanza) => {
    const [name, version, architecture] = ['Package', 'Version', 'Architecture'].map((key) => stanza.get(key) ?? '');
    const copyright = tree.file(`usr/share/doc/${name}/copyright`)?.content;
    const text =
      copyright === undefined || copyright.size > COPYRIGHT_MAX
        ? undefined
        : Buffer.from(copyright.readSync()).toString('utf8');
    const about = { name: name!, version: version!, architecture: architecture! };
    return factsIn(stanza, about, text, files.get(name!) ?? []);
  });
}

/** True for a package whose files are there; others are remembered for their configuration files. */
function isInstalled(stanza: Stanza): boolean {
  const state = stanza.get('Status')?.split(/\s+/)[2];
  return state !== undefined && state !== 'not-installed' && state !== 'config-files';
}

/** What apt installed for others; undefined when apt left no record, so that nothing is known. */
function automaticallyInstalled(tree: Tree): ReadonlySet<string> | undefined {
  const path = 'var/lib/apt/extended_states';
  const text = tree.text(path);
  if (text === undefined) return undefined;
  return new Set(
    parseDeb822(text, `/${path}`).flatMap((one) =>
      one.get('Auto-Installed') === '1' ? [one.get('Package') ?? ''] : [],
    ),
  );
}

function packageOf(stanza: Stanza, automatic: ReadonlySet<string> | undefined): InstalledPackage {
  const field = (name: string): string => stanza.get(name) ?? '';
  const relations = (name: string) => parseRelations(field(name).replace(/\n/g, ' '));
  const requires = Object.entries(REQUIREMENTS).flatMap(([name, verb]) =>
    relations(name).map((group): Requirement => ({ verb, names: group.map((one) => one.name) })),
  );
  const kilobytes = Number(field('Installed-Size') || Number.NaN);
  const reason =
    field('Essential') === 'yes'
      ? 'Essential'
      : field('Priority') === 'required'
        ? 'Priority: required'
        : automatic !== undefined && !automatic.has(field('Package'))
          ? 'asked for'
          : undefined;
  return {
    name: field('Package'),
    version: field('Version'),
    architecture: field('Architecture'),
    size: Number.isSafeInteger(kilobytes) ? kilobytes * 1024 : undefined,
    reason,
    requires,
    provides: relations('Provides').flatMap((group) => group.map((one) => one.name)),
  };
}

function* filesOf(tree: Tree): Generator<{ package: string; path: string }> {
  for (const name of tree.list(`${ADMIN}/info`)) {
    const match = /^([^:]+)(?::[^:]+)?\.list$/.exec(name);
    if (match === null) continue;
    for (const line of (tree.text(`${ADMIN}/info/${name}`) ?? '').split('\n'))
      if (line.length > 1 && line !== '/.') yield { package: match[1]!, path: line.slice(1) };
  }
  for (const name of tree.list(`${ADMIN}/status.d`)) {
    const of = /^(.+)\.md5sums$/.exec(name)?.[1];
    if (of === undefined) continue;
    for (const line of (tree.text(`${ADMIN}/status.d/${name}`) ?? '').split('\n')) {
      const path = /^[0-9a-f]{32} [ *](?:\.?\/)?(.+)$/.exec(line)?.[1];
      if (path !== undefined) yield { package: of, path };
    }
  }
}
