import { WARNING_HINTS, WARNINGS, type WarningCode, type WarningContext } from '../errors/warnings.ts';

/** What the engine reports while it works. It never prints: one folder (`report/`) turns events into lines or JSON. */

/**
 * The phases of a build, in their order. `read` opens an existing rootfs; `hash` is what some outputs need before `write`;
 * `push` sends to a registry.
 */
export type Phase = 'plan' | 'fetch' | 'unpack' | 'read' | 'configure' | 'provision' | 'hash' | 'write' | 'push';

/** A warning that does not stop the build (unless `--strict`): a stable code, a sentence, and where it is about. */
export interface Warning {
  readonly code: WarningCode;
  readonly message: string;
  /** What the sentence was made from, for programs. */
  readonly context: object;
  /** What to do about it. */
  readonly hint?: string;
  readonly package?: string;
  /** Line of the script or file, from 1. */
  readonly line?: number;
}

/** Where in the guest a warning arose. */
export interface WarningPlace {
  readonly package?: string | undefined;
  readonly line?: number | undefined;
}

/** Makes the event of a warning: `report(warning('UNIT_MISSING', { unit }))`. */
export function warning<C extends WarningCode>(
  code: C,
  context: WarningContext<C>,
  place: WarningPlace = {},
): WarningEvent {
  const hint = WARNING_HINTS[code];
  return {
    kind: 'warning',
    code,
    message: (WARNINGS[code] as (context: WarningContext<C>) => string)(context),
    context,
    ...(hint === undefined ? {} : { hint }),
    ...(place.package === undefined ? {} : { package: place.package }),
    ...(place.line === undefined ? {} : { line: place.line }),
  };
}

/** A warning as it is reported. */
export type WarningEvent = { readonly kind: 'warning' } & Warning;

/** What the engine reports while it works: phases and their progress, files, notes, warnings, results. */
export type Event =
  | {
      /** A phase begins. `bytes`: all that it will work on, where that is known; `item`: the file it is about. */
      readonly kind: 'phase';
      readonly phase: Phase;
      readonly bytes?: number;
      readonly item?: string;
    }
  | {
      readonly kind: 'progress';
      readonly phase: Phase;
      /** Bytes done; of downloads: since the mirror was opened, with what an earlier build had left of them. */
      readonly bytes: number;
      /** Bytes that came from a mirror, of those; all of them by default. */
      readonly received?: number;
      readonly item?: string;
    }
  | { readonly kind: 'ended'; readonly phase: Phase; readonly bytes?: number; readonly item?: string }
  /** A download of this size begins, which is part of the running phase. */
  | { readonly kind: 'expected'; readonly url: string; readonly size: number }
  | { readonly kind: 'fetched'; readonly url: string; readonly size: number; readonly cached: boolean }
  | { readonly kind: 'retried'; readonly url: string; readonly attempt: number; readonly reason: string }
  | { readonly kind: 'note'; readonly message: string }
  | WarningEvent
  | {
      readonly kind: 'written';
      readonly artefact: string;
      readonly path: string;
      readonly size: number;
      readonly sha256: string;
    };

/** Takes events as they happen. */
export type Report = (event: Event) => void;

/**
 * Drops every event.
 *
 * @example
 * ```ts
 * import { createHost, silent } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache', report: silent });
 * await host.close();
 * ```
 */
export const silent: Report = () => {};
