/** Calls `tick` again and again, so many milliseconds apart, until the function that this returns is called. */
export type Every = (milliseconds: number, tick: () => void) => () => void;

/** The timer of the system; it does not keep the process alive. */
export const timer: Every = (milliseconds, tick) => {
  const id = setInterval(tick, milliseconds);
  id.unref();
  return () => clearInterval(id);
};

/** Bytes per second that a download must reach; slower ones would hold a build for days. */
const LEAST = 500;

/** A body that arrived too slowly. */
export class TooSlow extends Error {
  override readonly name = 'TooSlow';
  /** Bytes that arrived in the window. */
  readonly bytes: number;

  constructor(bytes: number) {
    super(`only ${bytes} bytes`);
    this.bytes = bytes;
  }
}

/**
 * Watches a download: `slow` is called when fewer bytes arrived in a window than the minimum rate. The window moves
 * by halves, so that one in which this program itself was busy is not counted against the server.
 */
export function watchPace(
  window: number,
  slow: (error: TooSlow) => void,
  every: Every = timer,
): { count(bytes: number): void; stop(): void } {
  const least = (LEAST * window) / 1000;
  let before: number | undefined;
  let now = 0;
  const stop = every(window / 2, () => {
    if (before !== undefined && before + now < least) slow(new TooSlow(before + now));
    before = now;
    now = 0;
  });
  return {
    count(bytes) {
      now += bytes;
    },
    stop,
  };
}
