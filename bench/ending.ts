/** Ends the process when the work has ended, as the program does; with 1 and the reason when it failed. */
export function ending(work: Promise<void>): void {
  work.then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${String((error as Error).stack)}\n`);
      process.exit(1);
    },
  );
}
