import { compareVersions } from './version.ts';

/** How a relationship bounds a version. */
export type Comparison = '<<' | '<=' | '=' | '>=' | '>>';

/** One package a relationship names: `python3:any (>= 3.11)`. */
export interface Relation {
  readonly name: string;
  /** The qualifier after the colon: `any`, `native`, an architecture; undefined: the package's own. */
  readonly qualifier: string | undefined;
  readonly comparison: Comparison | undefined;
  /** Empty when unbounded. */
  readonly version: string;
}

/** Alternatives, best first: any one of them is sufficient. */
export type Alternatives = readonly Relation[];

// `<` and `>` are the old spelling of `<=` and `>=`
const COMPARISONS: Record<string, Comparison> = {
  '<<': '<<',
  '<=': '<=',
  '<': '<=',
  '=': '=',
  '==': '=',
  '>=': '>=',
  '>': '>=',
  '>>': '>>',
};

const ITEM =
  /^([A-Za-z0-9][A-Za-z0-9.+_~-]*)(?:\s*:\s*([A-Za-z0-9-]+))?\s*(?:\(\s*(<<|<=|<|==|=|>=|>>|>)?\s*([^()\s<>=][^()\s]*)\s*\)\s*)?(?:\[[^\]]*\]\s*)?(?:<[^<>]*>\s*)*$/;

/**
 * Parses a relationship field. Empty items (a trailing comma) are skipped, as in dpkg and apt. What cannot be
 * parsed is passed to `onInvalid`, and appears in the result under its whole text: no package has such a name.
 */
export function parseRelations(field: string, onInvalid?: (item: string) => void): Alternatives[] {
  const groups: Alternatives[] = [];
  if (field === '') return groups;
  for (const group of field.split(',')) {
    const alternatives: Relation[] = [];
    for (const item of group.split('|')) {
      const text = item.trim();
      if (text === '') continue;
      alternatives.push(parseRelation(text, onInvalid));
    }
    if (alternatives.length > 0) groups.push(alternatives);
  }
  return groups;
}

function parseRelation(text: string, onInvalid: ((item: string) => void) | undefined): Relation {
  const match = ITEM.exec(text);
  if (match === null) {
    onInvalid?.(text);
    return { name: text, qualifier: undefined, comparison: undefined, version: '' };
  }
  const [, name, qualifier, comparison, version] = match;
  return {
    name: name!,
    qualifier,
    comparison: version === undefined ? undefined : (COMPARISONS[comparison ?? '='] ?? '='),
    version: version ?? '',
  };
}

/** The relationship as control files write it. */
export function printRelation({ name, qualifier, comparison, version }: Relation): string {
  const bound = comparison === undefined ? '' : ` (${comparison} ${version})`;
  return `${name}${qualifier === undefined ? '' : `:${qualifier}`}${bound}`;
}

/** Alternatives as control files write them. */
export function printAlternatives(alternatives: Alternatives): string {
  return alternatives.map(printRelation).join(' | ');
}

/** True when a version satisfies the relation's bounds. */
export function versionSatisfies(version: string, { comparison, version: bound }: Relation): boolean {
  if (comparison === undefined) return true;
  const order = compareVersions(version, bound);
  switch (comparison) {
    case '<<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '=':
      return order === 0;
    case '>=':
      return order >= 0;
    case '>>':
      return order > 0;
    default: {
      const never: never = comparison;
      throw new TypeError(`no such comparison: ${String(never)}`);
    }
  }
}
