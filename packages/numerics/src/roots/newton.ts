import { inputError } from "@finitewidth/core";
import type { Root, RootOptions } from "./result.js";

/** f and f′ at a point. */
export interface ValueAndSlope {
  readonly value: number;
  readonly slope: number;
}

/**
 * Root of f in [lower, upper] with f(lower) ≤ 0 ≤ f(upper), by Newton's method kept inside a shrinking bracket: it bisects when a Newton
 * step leaves the bracket or the slope is not positive. So the root found is one where f crosses upwards: a minimum, when f is the
 * derivative of an action. The end points are not evaluated. One evaluation a step. @throws FinitewidthError (code "input") for an empty
 * bracket or NaN.
 */
export function newtonRoot(
  f: (x: number) => ValueAndSlope,
  lower: number,
  upper: number,
  options: RootOptions & { readonly start?: number } = {},
): Root {
  const { tolerance = 1e-14, maxIterations = 200 } = options;
  if (!(lower <= upper)) throw inputError("lower, upper", "lower ≤ upper", `${lower}, ${upper}`);
  let a = lower;
  let b = upper;
  let x = options.start ?? 0.5 * (a + b);
  let residual = Infinity;
  for (let iterations = 1; iterations <= maxIterations; iterations++) {
    const { value, slope } = f(x);
    if (Number.isNaN(value)) throw inputError("f", `a number at ${x}`, value);
    residual = Math.abs(value);
    if (value === 0) return { root: x, residual, converged: true, iterations };
    if (value > 0) b = x;
    else a = x;
    const width = tolerance * Math.max(1, Math.abs(x));
    let next = slope > 0 ? x - value / slope : Number.NaN;
    if (Math.abs(next - x) <= width && next >= a && next <= b) return { root: next, residual, converged: true, iterations };
    if (!(a < next && next < b)) next = 0.5 * (a + b);
    if (b - a <= width) return { root: next, residual, converged: true, iterations };
    x = next;
  }
  return { root: x, residual, converged: false, iterations: maxIterations };
}
