/**
 * Which packages run on an architecture, best first, as rpm and dnf have them. A family that is not here takes its own
 * name alone. `:` parts classes that are never exchanged for each other.
 */
const POLICIES: ReadonlyMap<string, readonly string[]> = new Map([
  ['x86_64', ['x86_64', 'i686', 'i586', 'i486', 'i386']],
  ['i686', ['i686', 'i586', 'i486', 'i386']],
  ['i586', ['i586', 'i486', 'i386']],
  ['i486', ['i486', 'i386']],
  ['s390x', ['s390x', 's390']],
  ['ppc64', ['ppc64', 'ppc']],
  ['armv7hl', ['armv7hl', 'armv6hl']],
]);

/** Score of a package that has no code and goes with every architecture. */
export const NOARCH = 1;

/** Scores of architectures: `NOARCH`, else above it and lower for a better one. One that is missing does not run. */
export function architectureScores(architecture: string): ReadonlyMap<string, number> {
  const scores = new Map([['noarch', NOARCH]]);
  const policy = POLICIES.get(architecture) ?? [architecture];
  policy.forEach((name, i) => {
    if (!scores.has(name)) scores.set(name, i + 2);
  });
  return scores;
}

/** rpm's colours of files, as bits: 1 for 32-bit, 2 for 64-bit. Packages without a common bit can be installed together. */
export function architectureColour(architecture: string): number {
  if (architecture === 'noarch') return 3;
  return architecture === 's390x' || architecture.includes('64') ? 2 : 1;
}
