/** A line of a script that could not be followed. */
export interface UnfollowedLine {
  /** Line in the script, from 1. */
  readonly line: number;
  /** The line as it stands there. */
  readonly source: string;
  /** Why, for people: `not emulated: frobnicate`. */
  readonly reason: string;
  /** The file the line stands in, when it is not the script itself but one that it reads or calls. */
  readonly file?: string;
}

/** What a script calls for and a guest does without, on purpose. */
export interface LeftOut {
  readonly command: string;
  readonly reason: string;
}

/** How far one script of a package was followed. */
export interface ScriptReport {
  readonly package: string;
  readonly version: string;
  readonly script: string;
  /** `whole`: every effect; `partial`: all but some lines; `none`: nothing; `failed`: it ended with an error, or was stopped. */
  readonly followed: 'whole' | 'partial' | 'none' | 'failed';
  readonly by: 'interpreter' | 'rule';
  /** Of a rule: the digest of the script's own lines, and whether the rule was verified against just these. */
  readonly rule?: { readonly digest: string; readonly verified: boolean };
  /** Why it failed. */
  readonly failure?: string;
  readonly lines: readonly UnfollowedLine[];
  readonly leftOut: readonly LeftOut[];
}

/** `PKG.SCRIPT:LINE: reason: source line`, as warnings and reports say it. */
export function lineMessage(script: string, { line, source, reason, file }: UnfollowedLine): string {
  const where = file === undefined ? `${script}:${line}` : `${script}: ${file}:${line}`;
  return `${where}: ${reason}${source === '' ? '' : `: ${source}`}`;
}
