import { BuildError } from '../../errors/error.ts';
import { attribute, XmlScanner } from '../../formats/xml/scan.ts';
import { toText } from '../../tree/path.ts';

/** A group of packages. */
export interface Group {
  readonly id: string;
  readonly name: string;
  readonly packages: readonly {
    readonly name: string;
    readonly kind: 'mandatory' | 'default' | 'optional' | 'conditional';
    /** Of a conditional one: the package that it comes with. */
    readonly requires: string;
  }[];
}

/** An environment: groups. */
export interface Environment {
  readonly id: string;
  readonly name: string;
  readonly groups: readonly string[];
  /** Optional groups that are marked as default. */
  readonly defaults: readonly string[];
}

/** Groups and environments of a repository. */
export interface Comps {
  readonly groups: readonly Group[];
  readonly environments: readonly Environment[];
}

const ENTRIES_MAX = 100_000;
const KINDS = ['mandatory', 'default', 'optional', 'conditional'] as const;

/** Reads a comps.xml in one piece, decompressed. */
export function parseComps(bytes: Uint8Array, path: string): Comps {
  const groups: Group[] = [];
  const environments: Environment[] = [];
  const open: string[] = [];
  let id = '';
  let name = '';
  let packages: Group['packages'][number][] = [];
  let members: string[] = [];
  let defaults: string[] = [];
  let kind: (typeof KINDS)[number] = 'mandatory';
  let requires = '';
  let marked = false;
  let translated = false;
  let entries = 0;
  const scanner = new XmlScanner(
    {
      open(tag, attributes) {
        open.push(tag);
        if (tag === 'group' || tag === 'environment') {
          id = name = '';
          packages = [];
          members = [];
          defaults = [];
        } else if (tag === 'packagereq') {
          const word = attribute(attributes, 'type') ?? 'mandatory';
          kind = KINDS.find((one) => one === word) ?? 'optional';
          requires = toText(attribute(attributes, 'requires') ?? '');
        } else if (tag === 'groupid') marked = attribute(attributes, 'default') === 'true';
        else if (tag === 'name') translated = attribute(attributes, 'xml:lang') !== undefined;
      },
      close(tag, text) {
        open.pop();
        const parent = open.at(-1);
        const value = toText(text.trim());
        if (tag === 'id' && (parent === 'group' || parent === 'environment')) id = value;
        else if (tag === 'name' && !translated && (parent === 'group' || parent === 'environment')) name = value;
        else if (tag === 'packagereq' && value !== '') packages.push({ name: value, kind, requires });
        else if (tag === 'groupid' && parent === 'grouplist') members.push(value);
        else if (tag === 'groupid' && parent === 'optionlist' && marked) defaults.push(value);
        else if (tag === 'group' && id !== '') groups.push({ id, name, packages });
        else if (tag === 'environment' && id !== '') environments.push({ id, name, groups: members, defaults });
        if (++entries > ENTRIES_MAX * 10) throw new BuildError('REPOMD_INVALID', { path, reason: 'too many entries' });
      },
    },
    path,
  );
  scanner.push(bytes);
  scanner.end();
  return { groups, environments };
}

/**
 * The packages that `@name` asks for: of a group its mandatory and default members, and conditional ones whose package
 * is among `asked`; of an environment those of its groups. Undefined when no repository has it.
 */
export function packagesOfGroup(
  comps: readonly Comps[],
  name: string,
  asked: ReadonlySet<string>,
): string[] | undefined {
  const found = new Set<string>();
  let known = false;
  const addGroup = (id: string) => {
    for (const { groups } of comps)
      for (const group of groups)
        if (group.id === id || group.name === id) {
          known = true;
          for (const one of group.packages)
            if (one.kind === 'mandatory' || one.kind === 'default') found.add(one.name);
            else if (one.kind === 'conditional' && (asked.has(one.requires) || found.has(one.requires)))
              found.add(one.name);
        }
  };
  for (const { environments } of comps)
    for (const one of environments)
      if (one.id === name || one.name === name) {
        known = true;
        for (const id of [...one.groups, ...one.defaults]) addGroup(id);
      }
  addGroup(name);
  return known ? [...found] : undefined;
}
