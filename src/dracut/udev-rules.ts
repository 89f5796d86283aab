/** What a file of udev rules names: programs that it runs, users and groups that own devices. */
export interface RuleNeeds {
  readonly programs: readonly string[];
  readonly users: readonly string[];
  readonly groups: readonly string[];
}

const PROGRAMS = [/PROGRAM==?"([^ "]+)/g, /RUN[+=]=?"([^ "]+)/g, /IMPORT\{program\}==?"([^ "]+)/g];
const USERS = [/OWNER=?"([^ "]+)/g];
const GROUPS = [/GROUP=?"([^ "]+)/g];

/** Reads a file of udev(7) rules; of several of a kind on a line the last counts, as for dracut. */
export function ruleNeeds(text: string): RuleNeeds {
  const lines = text.split('\n');
  const named = (patterns: readonly RegExp[]) =>
    patterns.flatMap((pattern) =>
      lines.flatMap((line) => {
        const last = [...line.matchAll(pattern)].at(-1);
        return last === undefined ? [] : [last[1]!];
      }),
    );
  return { programs: named(PROGRAMS), users: named(USERS), groups: named(GROUPS) };
}
