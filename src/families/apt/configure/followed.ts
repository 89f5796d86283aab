import type { LeftOut, ScriptReport, UnfollowedLine } from '../../../system/scripts.ts';
import type { AptPackage } from '../package.ts';
import type { Outcome, ScriptName } from './runner.ts';

/** How far one run of a package's script was followed. */
export interface Followed {
  readonly package: AptPackage;
  readonly script: ScriptName;
  /** As dpkg gives them: `configure` and an empty version, `triggered` and names, … */
  readonly args: readonly string[];
  readonly outcome: Outcome;
  /** Of a rule: the digest of what it stands for, and whether it was verified against that. */
  readonly rule?: ScriptReport['rule'];
}

/** From the best to the worst. */
const GRADES = ['whole', 'partial', 'none', 'failed'] as const;

/** One report for each script, whatever number of times it ran: what was not followed once is not followed. */
export function scriptReports(followed: readonly Followed[]): ScriptReport[] {
  const reports = new Map<string, ScriptReport>();
  for (const { package: of, script, outcome, rule } of followed) {
    if (outcome.kind === 'absent') continue;
    const key = `${of.name}:${of.architecture}.${script}`;
    const before = reports.get(key);
    const grade = GRADES[Math.max(GRADES.indexOf(outcome.kind), GRADES.indexOf(before?.followed ?? 'whole'))]!;
    const failure = before?.failure ?? (outcome.kind === 'failed' ? outcome.reason : undefined);
    reports.set(key, {
      package: of.name,
      version: of.version,
      script,
      followed: grade,
      by: rule === undefined ? 'interpreter' : 'rule',
      ...(rule === undefined ? {} : { rule }),
      ...(failure === undefined ? {} : { failure }),
      lines: merged(before?.lines, 'lines' in outcome ? outcome.lines : undefined, sameLine),
      leftOut: merged(before?.leftOut, 'leftOut' in outcome ? outcome.leftOut : undefined, sameCommand),
    });
  }
  return [...reports.values()];
}

function sameLine(a: UnfollowedLine, b: UnfollowedLine): boolean {
  return a.line === b.line && a.file === b.file && a.reason === b.reason;
}

function sameCommand(a: LeftOut, b: LeftOut): boolean {
  return a.command === b.command;
}

function merged<T>(a: readonly T[] = [], b: readonly T[] = [], same: (a: T, b: T) => boolean): T[] {
  return [...a, ...b.filter((one) => !a.some((other) => same(one, other)))];
}
