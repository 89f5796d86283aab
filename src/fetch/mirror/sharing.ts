/** Tasks that run at most once at a time per name: callers with the same name share one run and its result. */
export class Sharing<T> {
  private readonly running = new Map<string, Promise<T>>();

  /**
   * Joins the running task of that name, or starts one. When a joined task was aborted by the caller that started it,
   * it is started again, unless `isStopped` says that this caller gave up as well.
   */
  run(name: string, start: () => Promise<T>, isStopped: () => boolean): Promise<T> {
    const running = this.running.get(name);
    if (running !== undefined)
      return running.catch((error: Error) => {
        if (error.name !== 'AbortError' || isStopped()) throw error;
        return this.run(name, start, isStopped);
      });
    const mine = start().finally(() => this.running.delete(name));
    this.running.set(name, mine);
    return mine;
  }
}
