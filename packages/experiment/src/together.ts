/**
 * Does the same with every item, in their order, so many at a time. The first error ends it: what is under way comes to its end, nothing
 * more is begun.
 */
export async function together<T>(items: readonly T[], atATime: number, action: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  let failure: { readonly error: unknown } | undefined;
  const work = async (): Promise<void> => {
    for (const item of rest) {
      if (failure) return;
      try {
        await action(item);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(items.length, atATime) }, work));
  if (failure) throw failure.error;
}

/** Actions that are asked for at any time and done one after the other. */
export function oneByOne(): (action: () => unknown) => Promise<void> {
  let last = Promise.resolve();
  return (action) => {
    const next = last.then(async () => void (await action()));
    last = next.catch(() => undefined);
    return next;
  };
}
