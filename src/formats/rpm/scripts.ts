import { BuildError } from '../../errors/error.ts';
import { type DependencyKind, dependenciesOf, type RpmDependency } from './dependencies.ts';
import type { Header } from './header.ts';
import { TAG } from './layout.ts';

/** A script of a package. */
export interface RpmScript {
  /** Path and options of its interpreter: `/bin/sh`, `/sbin/ldconfig`, `<lua>`. */
  readonly program: readonly string[];
  /** Its text; undefined when the program is run as it is. */
  readonly body: string | undefined;
  /** Expand macros in the text before it is run (`%post -e`). */
  readonly expand: boolean;
  /** Put the package's tags into the text (`%post -q`). */
  readonly queryFormat?: boolean;
}

/** A trigger: a script that runs when a package, or a file below a path, is installed. */
export interface RpmTrigger {
  readonly script: RpmScript;
  /** Names with versions, or prefixes of paths, and when it runs. */
  readonly conditions: readonly RpmDependency[];
  /** Where each condition stands among all of the package. */
  readonly rows: readonly number[];
  /** File triggers of higher priority run first. */
  readonly priority: number;
}

/** Scripts of an installation by rpm's name. */
export type ScriptName = 'pretrans' | 'prein' | 'postin' | 'posttrans';

/** RPMSCRIPT_FLAG_EXPAND and RPMSCRIPT_FLAG_QFORMAT. */
const EXPAND = 1;
const QUERY_FORMAT = 2;
/** RPMTRIGGER_DEFAULT_PRIORITY. */
const DEFAULT_PRIORITY = 1_000_000;
const SHELL = '/bin/sh';

const SCRIPTS: Readonly<Record<ScriptName, readonly [body: number, program: number, flags: number]>> = {
  pretrans: [TAG.preTrans, TAG.preTransProg, TAG.preTransFlags],
  prein: [TAG.preIn, TAG.preInProg, TAG.preInFlags],
  postin: [TAG.postIn, TAG.postInProg, TAG.postInFlags],
  posttrans: [TAG.postTrans, TAG.postTransProg, TAG.postTransFlags],
};

/** A script of a package; undefined when it has none of that name. */
export function scriptOf(header: Header, name: ScriptName): RpmScript | undefined {
  const [bodyTag, programTag, flagsTag] = SCRIPTS[name];
  const body = header.string(bodyTag);
  const program = header.strings(programTag);
  if (body === undefined && program.length === 0) return undefined;
  return {
    program: program.length === 0 ? [SHELL] : program,
    body,
    ...flagged(header.number(flagsTag)),
  };
}

const flagged = (flags = 0) => ({ expand: (flags & EXPAND) !== 0, queryFormat: (flags & QUERY_FORMAT) !== 0 });

/** The three kinds of triggers, and their tags. */
const TRIGGERS = {
  triggers: {
    scripts: TAG.triggerScripts,
    program: TAG.triggerScriptProg,
    flags: TAG.triggerScriptFlags,
    index: TAG.triggerIndex,
    priorities: undefined,
  },
  fileTriggers: {
    scripts: TAG.fileTriggerScripts,
    program: TAG.fileTriggerProg,
    flags: TAG.fileTriggerFlags,
    index: TAG.fileTriggerIndex,
    priorities: TAG.fileTriggerPriorities,
  },
  transFileTriggers: {
    scripts: TAG.transFileTriggerScripts,
    program: TAG.transFileTriggerProg,
    flags: TAG.transFileTriggerFlags,
    index: TAG.transFileTriggerIndex,
    priorities: TAG.transFileTriggerPriorities,
  },
} as const satisfies Partial<Record<DependencyKind, object>>;

/** Triggers of a package. Each script has one or more conditions; `INDEX` says which. */
export function triggersOf(header: Header, kind: keyof typeof TRIGGERS): RpmTrigger[] {
  const tags = TRIGGERS[kind];
  const bodies = header.strings(tags.scripts);
  if (bodies.length === 0) return [];
  const programs = header.strings(tags.program);
  const flags = header.numbers(tags.flags);
  const index = header.numbers(tags.index);
  const priorities = tags.priorities === undefined ? [] : header.numbers(tags.priorities);
  const conditions = dependenciesOf(header, kind);
  if (index.length !== conditions.length)
    throw new BuildError('RPM_CORRUPT', {
      path: header.path,
      offset: 0,
      reason: `${index.length} indexes for ${conditions.length} conditions of triggers`,
    });
  return bodies.map((body, i) => ({
    script: {
      program: programs[i] === undefined || programs[i] === '' ? [SHELL] : [programs[i]],
      body,
      ...flagged(flags[i]),
    },
    conditions: conditions.filter((_, at) => index[at] === i),
    rows: [...index.keys()].filter((at) => index[at] === i),
    priority: priorities[i] ?? DEFAULT_PRIORITY,
  }));
}
