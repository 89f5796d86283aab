/**
 * The results of all promises, in their order. Unlike `Promise.all` it waits for all of them also where one fails, so that nothing
 * still writes when the error is known; that is the first one in the order of the promises, whatever fails first.
 */
export async function together<T extends readonly unknown[]>(
  all: readonly [...T],
): Promise<{ -readonly [I in keyof T]: Awaited<T[I]> }> {
  const settled: readonly PromiseSettledResult<unknown>[] = await Promise.allSettled(all);
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return settled.map((one) => (one as PromiseFulfilledResult<unknown>).value) as {
    -readonly [I in keyof T]: Awaited<T[I]>;
  };
}
