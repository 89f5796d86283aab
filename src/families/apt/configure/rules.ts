import { createHash } from 'node:crypto';
import type { Unpacked } from '../../../fetch/package.ts';
import type { Tree } from '../../../tree/tree.ts';
import type { DebianContext } from '../architecture.ts';
import type { AptPackage } from '../package.ts';
import type { Debconf } from './debconf.ts';
import { splitScript } from './snippets.ts';

/** The environment of a rule that replaces a package's script. */
export interface Step {
  readonly tree: Tree;
  readonly context: DebianContext;
  readonly package: AptPackage;
  readonly unpacked: Unpacked<AptPackage>;
  readonly debconf: Debconf;
  /** The text of the script the rule replaces (byte string); empty when the package has none. */
  readonly script: string;
  /** Activates a trigger, as `dpkg-trigger` does. */
  trigger(name: string): void;
  /** Reports that a command was left out on purpose, and why. */
  leaveOut(command: string, reason: string): void;
}

/** Replaces the hand-written part of a package's scripts; debhelper's parts are followed in addition. */
export interface Rule {
  /** Before unpacking (`preinst install`). Absent: nothing to do. */
  readonly preinst?: (step: Step) => void;
  /** `postinst configure` for the first time. Absent: nothing to do. */
  readonly postinst?: (step: Step) => void;
  /** `postinst triggered`, once at the end, with the names of the triggers. Absent: nothing to do. */
  readonly triggered?: (step: Step, triggers: readonly string[]) => void;
}

/** Scripts that change nothing on a fresh tree: those that only handle earlier versions or a running system. */
export const NOTHING: Rule = {};

/**
 * What a rule was verified against: SHA-256 over the hand-written lines of a script, without comments, blank lines,
 * the architecture's triplet and the package's own version, so that a rebuild without changes is the same script.
 */
export function scriptDigest(script: string, version: string, triplet: string | undefined): string {
  const text = splitScript(script)
    .own.map((line) => line.text)
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replaceAll(version, '@VERSION@')
    .replace(/^rtlddir=.*$/m, 'rtlddir=');
  return createHash('sha256')
    .update(triplet === undefined ? text : text.replaceAll(triplet, '@TRIPLET@'), 'latin1')
    .digest('hex')
    .slice(0, 16);
}
