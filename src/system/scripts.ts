import { type Event, type WarningEvent, warning } from '../events/events.ts';

/** A line of a script that could not be followed. */
export interface UnfollowedLine {
  /** Line in the script, from 1. */
  readonly line: number;
  /** The line as it is in the script. */
  readonly source: string;
  /** Why, for the user: `not emulated: frobnicate`. */
  readonly reason: string;
  /** The file with the line, when that is a file the script reads or calls rather than the script itself. */
  readonly file?: string;
}

/** A command in a script that is skipped on purpose because a guest does not need it. */
export interface LeftOut {
  readonly command: string;
  readonly reason: string;
}

/** How far one run of a script was followed. */
export type Outcome =
  /** The package has no such script. */
  | { readonly kind: 'absent' }
  /** Every effect was reproduced, except for commands skipped on purpose. */
  | { readonly kind: 'whole'; readonly by: 'rule' | 'interpreter'; readonly leftOut: readonly LeftOut[] }
  /** Some lines were skipped. */
  | { readonly kind: 'partial'; readonly lines: readonly UnfollowedLine[]; readonly leftOut: readonly LeftOut[] }
  /** Not followed at all: it is written in another language. */
  | { readonly kind: 'none'; readonly lines: readonly UnfollowedLine[] }
  /** It ended with an error, or a limit stopped it. */
  | FailedOutcome;

/** A script that ended with an error, or that a limit stopped. */
export interface FailedOutcome {
  readonly kind: 'failed';
  readonly status: number;
  /** The line it ended on, if that is in the script itself. */
  readonly line?: number;
  readonly reason: string;
  readonly lines: readonly UnfollowedLine[];
  readonly leftOut: readonly LeftOut[];
}

/** How far one script of a package was followed. */
export interface ScriptReport {
  readonly package: string;
  readonly version: string;
  readonly script: string;
  /** `whole`: every effect; `partial`: all but some lines; `none`: nothing; `failed`: it ended with an error, or was stopped. */
  readonly followed: 'whole' | 'partial' | 'none' | 'failed';
  readonly by: 'interpreter' | 'rule';
  /** For a rule: the digest of the script's own lines, and whether the rule was verified against exactly these. */
  readonly rule?: { readonly digest: string; readonly verified: boolean };
  /** Why it failed. */
  readonly failure?: string;
  readonly lines: readonly UnfollowedLine[];
  readonly leftOut: readonly LeftOut[];
}

/** `PKG.SCRIPT:LINE: reason: source line`, for warnings and reports. */
export function lineMessage(script: string, { line, source, reason, file }: UnfollowedLine): string {
  const where = file === undefined ? `${script}:${line}` : `${script}: ${file}:${line}`;
  return `${where}: ${reason}${source === '' ? '' : `: ${source}`}`;
}

/**
 * The reports of one run: a note for each skipped command, a warning for each line not followed, and one
 * for a failure, with a message from `failure` in the family's terms.
 */
export function* outcomeEvents(
  script: { readonly title: string; readonly package: string },
  outcome: Outcome,
  failure: (failed: FailedOutcome) => string,
): Generator<Extract<Event, { kind: 'note' }> | WarningEvent> {
  const { title, package: of } = script;
  if ('leftOut' in outcome)
    for (const { command, reason } of outcome.leftOut)
      yield { kind: 'note', message: `${title}: ${command} is left out: ${reason}` };
  if ('lines' in outcome)
    for (const line of outcome.lines)
      yield warning('SCRIPT_LINE', { script: title, ...line }, { package: of, line: line.line });
  if (outcome.kind === 'failed')
    yield warning('SCRIPT_FAILED', { reason: failure(outcome) }, { package: of, line: outcome.line });
}

/** One run of a package's script. */
export interface Followed {
  readonly package: { readonly name: string; readonly version: string; readonly architecture: string };
  /** As the family calls it: `postinst`, `post-install`. */
  readonly script: string;
  /** As the package manager passes them. */
  readonly args: readonly string[];
  readonly outcome: Outcome;
  /** For a rule: the digest of the script it replaces, and whether the rule was verified against that script. */
  readonly rule?: ScriptReport['rule'];
}

/** From the best to the worst. */
const GRADES = ['whole', 'partial', 'none', 'failed'] as const;

/** One report for each script, however often it ran: what was not followed in one run counts as not followed. */
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
