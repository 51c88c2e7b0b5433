import { inputError } from "@finitewidth/core";
import type { Root, RootOptions } from "./result.js";

/**
 * Root of a continuous function with a sign change in [lower, upper], by Brent's method: inverse quadratic interpolation, secant and
 * bisection. Never leaves the bracket; superlinear for smooth f. One evaluation a step, about ten for smooth f. @throws FinitewidthError
 * (code "input") without a sign change or for NaN. Source: R. P. Brent, Algorithms for Minimization without Derivatives (1973), chapter 4.
 */
export function brentRoot(f: (x: number) => number, lower: number, upper: number, options: RootOptions = {}): Root {
  const { tolerance = 1e-14, maxIterations = 200 } = options;
  let a = lower;
  let b = upper;
  let fa = f(a);
  let fb = f(b);
  if (!(fa * fb <= 0) && Math.sign(fa) * Math.sign(fb) !== -1)
    throw inputError("lower, upper", "a bracket with a sign change", `f(${a}) = ${fa}, f(${b}) = ${fb}`);
  let c = a;
  let fc = fa;
  let step = b - a;
  let previous = step;
  for (let iterations = 0; ; iterations++) {
    if (Math.sign(fb) === Math.sign(fc)) {
      c = a;
      fc = fa;
      step = previous = b - a;
    }
    if (Math.abs(fc) < Math.abs(fb)) {
      [a, b, c] = [b, c, b];
      [fa, fb, fc] = [fb, fc, fb];
    }
    const width = tolerance * Math.max(1, Math.abs(b));
    const middle = 0.5 * (c - b);
    const converged = Math.abs(middle) <= width || fb === 0;
    if (converged || iterations >= maxIterations) return { root: b, residual: Math.abs(fb), converged, iterations };
    const interpolated = interpolate(a, b, c, fa, fb, fc);
    // An interpolated step must stay well inside the bracket and halve the step before last.
    if (
      Math.abs(previous) >= width &&
      Math.abs(fa) > Math.abs(fb) &&
      interpolated !== undefined &&
      0 < interpolated / middle &&
      Math.abs(interpolated) < Math.min(1.5 * Math.abs(middle) - 0.5 * width, 0.5 * Math.abs(previous))
    ) {
      previous = step;
      step = interpolated;
    } else {
      previous = step = middle;
    }
    a = b;
    fa = fb;
    b += Math.abs(step) > width ? step : Math.sign(middle) * width;
    fb = f(b);
    if (Number.isNaN(fb)) throw inputError("f", `a number at ${b}`, fb);
  }
}

/** Step from b to the root of the secant (a = c) or of the inverse parabola through three points. */
function interpolate(a: number, b: number, c: number, fa: number, fb: number, fc: number): number | undefined {
  const s = fb / fa;
  if (a === c) return ((b - c) * s) / (1 - s);
  const q = fa / fc;
  const r = fb / fc;
  const denominator = (q - 1) * (r - 1) * (s - 1);
  return denominator === 0 ? undefined : (-s * ((c - b) * q * (q - r) - (b - a) * (r - 1))) / denominator;
}
