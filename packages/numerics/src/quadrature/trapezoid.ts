/** Integral, error estimate (difference of the last two halvings) and number of evaluations. */
export interface TrapezoidResult {
  readonly value: number;
  readonly error: number;
  readonly evaluations: number;
  readonly converged: boolean;
}

/** When to stop. */
export interface TrapezoidOptions {
  /** @defaultValue 1e-12, relative to the integral of |f| */
  readonly tolerance?: number;
  /** First number of intervals. @defaultValue 32 */
  readonly intervals?: number;
  /** @defaultValue 12 halvings */
  readonly maximumHalvings?: number;
}

/**
 * ∫ f over [from, to] by the trapezoid rule with halving of the step until two successive sums agree. Exponentially convergent for analytic
 * f that vanishes at both ends (bell-shaped integrands over a truncated line) or is periodic; evaluations are never repeated.
 */
export function trapezoid(f: (x: number) => number, from: number, to: number, options: TrapezoidOptions = {}): TrapezoidResult {
  const { tolerance = 1e-12, intervals = 32, maximumHalvings = 12 } = options;
  let n = intervals;
  let step = (to - from) / n;
  let sum = 0;
  let size = 0;
  const add = (x: number, factor: number): void => {
    const value = f(x);
    sum += factor * value;
    size += factor * Math.abs(value);
  };
  add(from, 0.5);
  add(to, 0.5);
  for (let i = 1; i < n; i++) add(from + i * step, 1);
  let value = sum * step;
  let error = Infinity;
  for (let halving = 0; halving < maximumHalvings; halving++) {
    for (let i = 0; i < n; i++) add(from + (i + 0.5) * step, 1);
    n *= 2;
    step = (to - from) / n;
    error = Math.abs(sum * step - value);
    value = sum * step;
    if (error <= tolerance * size * Math.abs(step)) return { value, error, evaluations: n + 1, converged: true };
  }
  return { value, error, evaluations: n + 1, converged: false };
}
