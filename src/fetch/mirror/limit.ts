/** Limits how many tasks run at the same time, per name; the others wait in order. */
export class Limit {
  private readonly most: number;
  private readonly lanes = new Map<string, { running: number; waiting: (() => void)[] }>();

  constructor(most: number) {
    this.most = most;
  }

  /** Runs `work` when the lane has a free place. */
  async run<T>(lane: string, work: () => Promise<T>): Promise<T> {
    const leave = await this.enter(lane);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** Waits for a free place in the lane. Returns what gives it back. */
  async enter(lane: string): Promise<() => void> {
    let state = this.lanes.get(lane);
    if (state === undefined) {
      state = { running: 0, waiting: [] };
      this.lanes.set(lane, state);
    }
    const { waiting } = state;
    if (state.running >= this.most) await new Promise<void>((resolve) => waiting.push(resolve));
    else state.running++;
    return () => {
      // the place goes straight to the next in line
      const next = waiting.shift();
      if (next !== undefined) next();
      else state.running--;
    };
  }
}
