import { lineMessage, type ScriptReport } from '../system/scripts.ts';

/** How a package's scripts are followed, from the best to the worst. */
const CLASSES = ['whole', 'rule', 'partial', 'failed', 'none'] as const;
type Class = (typeof CLASSES)[number];

const COUNTED: Readonly<Record<Class, string>> = {
  whole: 'interpreted whole',
  rule: 'followed by a rule',
  partial: 'followed in part',
  failed: 'with a script that ends in an error',
  none: 'not followed at all',
};

function classOf(one: ScriptReport): Class {
  return one.followed === 'whole' ? (one.by === 'rule' ? 'rule' : 'whole') : one.followed;
}

/** Lines of text: one for each script, followed by its lines not followed, and a last one that counts packages. */
export function* scriptLines(packages: number, reports: readonly ScriptReport[]): Generator<string> {
  const title = (one: ScriptReport) => `${one.package}.${one.script}`;
  const sorted = [...reports].sort((a, b) => (title(a) < title(b) ? -1 : title(a) > title(b) ? 1 : 0));
  const width = Math.max(0, ...sorted.map((one) => title(one).length));
  const worst = new Map<string, Class>();
  let verified = 0;
  let ruled = 0;
  for (const one of sorted) {
    const kind = classOf(one);
    const before = worst.get(one.package);
    if (before === undefined || CLASSES.indexOf(kind) > CLASSES.indexOf(before)) worst.set(one.package, kind);
    if (one.rule !== undefined) ruled++;
    if (one.rule?.verified) verified++;
    yield `${title(one).padEnd(width)}  ${verdict(one)}`;
    for (const line of one.lines) yield `    ${lineMessage(title(one), line)}`;
    for (const { command, reason } of one.leftOut) yield `    leaves out ${command}: ${reason}`;
  }
  const counts = CLASSES.map((kind) => [kind, [...worst.values()].filter((one) => one === kind).length] as const);
  const parts = [`${packages - worst.size} without scripts`];
  for (const [kind, count] of counts) {
    if (count === 0 && kind !== 'whole' && kind !== 'rule') continue;
    const rule = kind === 'rule' ? ` (${verified} of ${ruled} scripts are the verified ones)` : '';
    parts.push(`${count} ${COUNTED[kind]}${count > 0 ? rule : ''}`);
  }
  yield `${packages} packages: ${parts.join(', ')}`;
}

function verdict(one: ScriptReport): string {
  switch (one.followed) {
    case 'whole':
      if (one.rule === undefined) return 'interpreted whole';
      return `by a rule, ${one.rule.verified ? 'verified' : 'not verified'} against this script (${one.rule.digest})`;
    case 'partial':
      return 'in part';
    case 'none':
      return 'not at all';
    case 'failed':
      return `ends in an error: ${one.failure ?? ''}`;
    default:
      return one.followed satisfies never;
  }
}

/** A script in the JSON document. */
export function scriptRow(one: ScriptReport): Record<string, unknown> {
  const { package: of, version, script, followed, by, rule, failure, lines, leftOut } = one;
  return {
    ...{ package: of, version, script, followed, by },
    digest: rule?.digest ?? null,
    verified: rule?.verified ?? null,
    failure: failure ?? null,
    lines: lines.map(({ line, source, reason, file }) => ({ line, source, reason, file: file ?? null })),
    leftOut,
  };
}
