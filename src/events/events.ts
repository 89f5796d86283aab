/** What the engine tells while it works. It never prints: one room (`report/`) turns events into lines or JSON. */

/** The phases of a build, in their order. */
export type Phase = 'plan' | 'fetch' | 'unpack' | 'configure' | 'provision' | 'write';

/** A warning that does not stop the build (unless `--strict`): a stable code, a sentence, and where it is about. */
export interface Warning {
  readonly code: string;
  readonly message: string;
  readonly package?: string;
  readonly line?: number;
}

export type Event =
  | { readonly kind: 'phase'; readonly phase: Phase; readonly bytes?: number }
  | { readonly kind: 'progress'; readonly phase: Phase; readonly bytes: number; readonly item?: string }
  | { readonly kind: 'ended'; readonly phase: Phase; readonly bytes?: number }
  | { readonly kind: 'fetched'; readonly url: string; readonly size: number; readonly cached: boolean }
  | { readonly kind: 'retried'; readonly url: string; readonly attempt: number; readonly reason: string }
  | { readonly kind: 'note'; readonly message: string }
  | ({ readonly kind: 'warning' } & Warning)
  | {
      readonly kind: 'written';
      readonly artefact: string;
      readonly path: string;
      readonly size: number;
      readonly sha256: string;
    };

/** Takes events as they happen. */
export type Report = (event: Event) => void;

/** Drops every event. */
export const silent: Report = () => {};
