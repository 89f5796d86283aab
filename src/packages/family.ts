import type { FileContent } from '../bytes/content.ts';
import type { Entry } from '../tree/entry.ts';

/** What every package world knows of a package that can be fetched. */
export interface Package {
  readonly name: string;
  readonly version: string;
  /** In the distribution's own words (`amd64`, `x86_64`, `all`, `noarch`). */
  readonly architecture: string;
  /** Bytes of the archive. */
  readonly size: number;
  /** SHA-256 of the archive in hex; where the index names another proof, the family checks that one. */
  readonly sha256: string;
  /** Where it can be had: the same file on each mirror, best first. `file:` URLs for local folders. */
  readonly urls: readonly string[];
}

/** A package that was decided on, and why. */
export interface Chosen<P extends Package = Package> {
  readonly package: P;
  /** For people: `Essential`, `asked for`, `init depends on it (systemd-sysv)`. */
  readonly reason: string;
}

/** A package whose archive was opened: its control files and its payload's entries, contents lying in a spool. */
export interface Unpacked<P extends Package = Package> {
  readonly package: P;
  /** Control files (`control`, `postinst`, `conffiles`, …; `.PKGINFO`, `.post-install` for apk), with permission bits. */
  readonly control: ReadonlyMap<string, { readonly mode: number; readonly content: FileContent }>;
  /** The payload in archive order. */
  readonly entries: readonly Entry[];
}

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
