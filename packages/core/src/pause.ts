/** Milliseconds of work between two looks at the event loop. */
const stretch = 30;

/** A function to await now and then in a long loop: lets timers, signals and messages through when enough time has passed. */
export function createPause(): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    if (performance.now() - last < stretch) return undefined;
    return new Promise((resolve) =>
      setTimeout(() => {
        last = performance.now();
        resolve();
      }),
    );
  };
}
