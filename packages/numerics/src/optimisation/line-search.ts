import { dot } from "@finitewidth/linalg";
import { along, type Objective, type ValueAndGradient } from "./result.js";

/** A step that satisfies the strong Wolfe conditions, or the best one found. */
export interface LineSearchResult {
  readonly step: number;
  readonly point: Float64Array;
  readonly at: ValueAndGradient;
  readonly evaluations: number;
  /** Sufficient decrease holds. */
  readonly success: boolean;
}

/**
 * Step length t along a descent direction with f(x + t d) ≤ f(x) + c₁ t g·d and |∇f·d| ≤ c₂ |g·d|, by bracketing and safeguarded cubic
 * interpolation. Points outside the domain (value +∞ or NaN) shrink the bracket. Near the minimum, where the decrease drowns in rounding, a
 * step that makes the slope smaller counts as decrease (Hager and Zhang's approximate condition). At most `maxEvaluations`, one or two near
 * the end of a minimisation. Source: J. Nocedal, S. Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6.
 */
export function lineSearch(
  f: Objective,
  x: Float64Array,
  start: ValueAndGradient,
  direction: Float64Array,
  firstStep = 1,
  maxEvaluations = 40,
): LineSearchResult {
  const [c1, c2] = [1e-4, 0.9];
  const slope0 = dot(start.gradient, direction);
  const noise = 1e-13 * Math.max(1, Math.abs(start.value));
  const sample = (t: number) => {
    const point = along(x, t, direction);
    const at = f(point);
    const valid = Number.isFinite(at.value);
    return { t, point, at, value: valid ? at.value : Infinity, slope: valid ? dot(at.gradient, direction) : Infinity };
  };
  type Sample = ReturnType<typeof sample>;
  const decreases = (s: Sample): boolean =>
    s.value <= start.value + c1 * s.t * slope0 || (s.value <= start.value + noise && Math.abs(s.slope) < Math.abs(slope0));
  const flat = (s: Sample): boolean => Math.abs(s.slope) <= -c2 * slope0;
  const origin: Sample = { t: 0, point: x, at: start, value: start.value, slope: slope0 };
  let low = origin;
  let high: Sample | undefined;
  let t = firstStep;
  for (let evaluations = 1; ; evaluations++) {
    const s = sample(t);
    const accepted = decreases(s);
    if (accepted && flat(s)) return { step: t, point: s.point, at: s.at, evaluations, success: true };
    if (!accepted || (low.t > 0 && s.value > low.value)) high = s;
    else if (s.slope >= 0) {
      high = low;
      low = s;
    } else if (high !== undefined && s.slope * (high.t - low.t) >= 0) {
      high = low;
      low = s;
    } else low = s;
    if (evaluations >= maxEvaluations || (high !== undefined && Math.abs(high.t - low.t) <= 1e-14 * Math.max(low.t, high.t))) {
      return { step: low.t, point: low.point, at: low.at, evaluations, success: low.t > 0 };
    }
    t = high === undefined ? 2.5 * low.t : inside(low, high);
  }
}

/** Minimiser of the cubic through two samples, kept 10 % away from the ends; the middle where a value is infinite. */
function inside(a: { t: number; value: number; slope: number }, b: { t: number; value: number; slope: number }): number {
  const width = b.t - a.t;
  let fraction = 0.5;
  if (Number.isFinite(b.value) && Number.isFinite(b.slope)) {
    const d1 = a.slope + b.slope - (3 * (b.value - a.value)) / width;
    const discriminant = d1 * d1 - a.slope * b.slope;
    if (discriminant >= 0) {
      const d2 = Math.sign(width) * Math.sqrt(discriminant);
      const candidate = 1 - (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2);
      if (Number.isFinite(candidate)) fraction = candidate;
    }
  }
  return a.t + Math.min(Math.max(fraction, 0.1), 0.9) * width;
}
