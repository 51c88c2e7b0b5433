/** Adapts the logarithm of a step size until the mean acceptance meets its target. */
export interface StepSizeAdaptation {
  /** To use in the next iteration. */
  current(): number;
  /** Averaged over the iterations since the last restart: to use after the warm-up. */
  average(): number;
  update(acceptance: number): void;
  restart(stepSize: number): void;
}

/** Dual averaging. Source: M. Hoffman, A. Gelman, The No-U-Turn sampler, JMLR 15 (2014), section 3.2, with its constants. */
export function dualAveraging(stepSize: number, target: number): StepSizeAdaptation {
  const [gamma, offset, kappa] = [0.05, 10, 0.75];
  let [centre, error, count, log, logAverage] = [0, 0, 0, 0, 0];
  const restart = (start: number): void => {
    centre = Math.log(10 * start);
    [error, count] = [0, 0];
    log = logAverage = Math.log(start);
  };
  restart(stepSize);
  return {
    current: () => Math.exp(log),
    average: () => Math.exp(logAverage),
    restart,
    update: (acceptance) => {
      count++;
      const eta = 1 / (count + offset);
      error = (1 - eta) * error + eta * (target - acceptance);
      log = centre - (Math.sqrt(count) / gamma) * error;
      const weight = count ** -kappa;
      logAverage = weight * log + (1 - weight) * logAverage;
    },
  };
}

/**
 * Last iterations (exclusive) of the windows whose positions shape the metric, for a warm-up of the given length: a start of 15 % (at most
 * 75) and an end of 10 % (at most 50) are for the step size alone, the windows between double from 25 on. Empty for fewer than 20.
 */
export function metricWindows(warmup: number): { readonly start: number; readonly ends: readonly number[] } {
  if (warmup < 20) return { start: warmup, ends: [] };
  const start = Math.min(75, Math.floor(0.15 * warmup));
  const stop = warmup - Math.min(50, Math.floor(0.1 * warmup));
  const ends: number[] = [];
  let at = start;
  for (let size = 25; at < stop; size *= 2) {
    // a rest that the next window would not fill joins this one
    at = at + size + 2 * size > stop ? stop : at + size;
    ends.push(at);
  }
  return { start, ends };
}
