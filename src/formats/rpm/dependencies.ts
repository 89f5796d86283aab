import type { Header } from './header.ts';
import { TAG } from './layout.ts';

/** Bits of a dependency's flags (rpm: include/rpm/rpmds.h, RPMSENSE_…). */
export const SENSE = {
  less: 1 << 1,
  greater: 1 << 2,
  equal: 1 << 3,
  posttrans: 1 << 5,
  prereq: 1 << 6,
  pretrans: 1 << 7,
  interpreter: 1 << 8,
  pre: 1 << 9,
  post: 1 << 10,
  preun: 1 << 11,
  postun: 1 << 12,
  verify: 1 << 13,
  triggerIn: 1 << 16,
  triggerUn: 1 << 17,
  triggerPostun: 1 << 18,
  missingOk: 1 << 19,
  preuntrans: 1 << 20,
  postuntrans: 1 << 21,
  rpmlib: 1 << 24,
  triggerPrein: 1 << 25,
  keyring: 1 << 26,
  config: 1 << 28,
  meta: 1 << 29,
} as const;

/** The comparison among a dependency's flags. */
export const COMPARISON = SENSE.less | SENSE.greater | SENSE.equal;

/** One dependency of a header: `name`, or `name OPERATOR version`. */
export interface RpmDependency {
  readonly name: string;
  /** `SENSE` bits. */
  readonly flags: number;
  /** `[EPOCH:]VERSION[-RELEASE]`; empty when there is none. */
  readonly version: string;
}

/** The three tags of each kind of dependency. */
export const DEPENDENCY_TAGS = {
  provides: [TAG.provideName, TAG.provideFlags, TAG.provideVersion],
  requires: [TAG.requireName, TAG.requireFlags, TAG.requireVersion],
  conflicts: [TAG.conflictName, TAG.conflictFlags, TAG.conflictVersion],
  obsoletes: [TAG.obsoleteName, TAG.obsoleteFlags, TAG.obsoleteVersion],
  recommends: [TAG.recommendName, TAG.recommendFlags, TAG.recommendVersion],
  suggests: [TAG.suggestName, TAG.suggestFlags, TAG.suggestVersion],
  supplements: [TAG.supplementName, TAG.supplementFlags, TAG.supplementVersion],
  enhances: [TAG.enhanceName, TAG.enhanceFlags, TAG.enhanceVersion],
  order: [TAG.orderName, TAG.orderFlags, TAG.orderVersion],
  triggers: [TAG.triggerName, TAG.triggerFlags, TAG.triggerVersion],
  fileTriggers: [TAG.fileTriggerName, TAG.fileTriggerSense, TAG.fileTriggerVersion],
  transFileTriggers: [TAG.transFileTriggerName, TAG.transFileTriggerSense, TAG.transFileTriggerVersion],
} as const satisfies Readonly<Record<string, readonly [name: number, flags: number, version: number]>>;

/** Kinds of dependencies. */
export type DependencyKind = keyof typeof DEPENDENCY_TAGS;

/** All dependencies of a kind, in the header's order. Old packages may have names alone. */
export function dependenciesOf(header: Header, kind: DependencyKind): RpmDependency[] {
  const [nameTag, flagsTag, versionTag] = DEPENDENCY_TAGS[kind];
  const names = header.strings(nameTag);
  const flags = header.numbers(flagsTag);
  const versions = header.strings(versionTag);
  for (const [tag, list] of [
    [flagsTag, flags],
    [versionTag, versions],
  ] as const)
    if (list.length > 0 && list.length !== names.length)
      throw header.corrupt(0, `tag ${tag} has ${list.length} values for ${names.length} ${kind}`);
  return names.map((name, i) => ({ name, flags: flags[i] ?? 0, version: versions[i] ?? '' }));
}

/** As rpm writes it: `name`, `name >= 1:2-3`. */
export function dependencyText({ name, flags, version }: RpmDependency): string {
  const operator = `${flags & SENSE.less ? '<' : ''}${flags & SENSE.greater ? '>' : ''}${flags & SENSE.equal ? '=' : ''}`;
  return operator === '' || version === '' ? name : `${name} ${operator} ${version}`;
}
