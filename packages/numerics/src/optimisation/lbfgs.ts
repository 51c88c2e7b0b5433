import { inputError } from "@finitewidth/core";
import { dot } from "@finitewidth/linalg";
import { lineSearch } from "./line-search.js";
import { largestEntry, type Minimum, type Objective } from "./result.js";

export interface LbfgsOptions {
  /** Stop when every |gradient| entry is below this. @defaultValue 1e-9 */
  readonly gradientTolerance?: number;
  /** @defaultValue 500 */
  readonly maxIterations?: number;
  /** Pairs kept; with as many as the iterations this is BFGS. @defaultValue 20 */
  readonly memory?: number;
  /** Longest step in any coordinate. @defaultValue Infinity */
  readonly maxStep?: number;
  /** Called after each iteration; throw to cancel. */
  readonly onIteration?: (iteration: number, residual: number) => void;
}

interface Pair {
  readonly s: Float64Array;
  readonly y: Float64Array;
  readonly rho: number;
}

/**
 * Local minimum by limited-memory BFGS with a strong Wolfe line search: the inverse Hessian is built from the last `memory` steps.
 * O(memory·n) an iteration besides the objective. @throws FinitewidthError (code "input") when the start is outside the domain.
 * Source: J. Nocedal, S. Wright, Numerical Optimization (2006), algorithm 7.5.
 */
export function minimiseLbfgs(f: Objective, start: Float64Array, options: LbfgsOptions = {}): Minimum {
  const { gradientTolerance = 1e-9, maxIterations = 500, memory = 20, maxStep = Infinity, onIteration } = options;
  let x: Float64Array = start.slice();
  let at = f(x);
  if (!Number.isFinite(at.value)) throw inputError("start", "a point where the objective is finite", at.value);
  let pairs: Pair[] = [];
  let evaluations = 1;
  let iterations = 0;
  let restarted = false;
  for (; iterations < maxIterations && largestEntry(at.gradient) > gradientTolerance; iterations++) {
    let direction = descent(pairs, at.gradient);
    if (!(dot(direction, at.gradient) < 0)) {
      pairs = [];
      direction = at.gradient.map((value) => -value);
    }
    const longest = largestEntry(direction);
    const first = pairs.length === 0 ? Math.min(1, 1 / longest) : 1;
    const search = lineSearch(f, x, at, direction, Math.min(first, maxStep / longest));
    evaluations += search.evaluations;
    if (!search.success) {
      if (restarted || pairs.length === 0) break;
      restarted = true;
      pairs = [];
      continue;
    }
    restarted = false;
    const s = search.point.map((value, i) => value - x[i]!);
    const y = search.at.gradient.map((value, i) => value - at.gradient[i]!);
    const curvature = dot(s, y);
    // A pair without positive curvature would make the inverse Hessian indefinite.
    if (curvature > 1e-12 * Math.sqrt(dot(s, s) * dot(y, y))) pairs = [...pairs, { s, y, rho: 1 / curvature }].slice(-memory);
    x = search.point;
    at = search.at;
    onIteration?.(iterations + 1, largestEntry(at.gradient));
  }
  const residual = largestEntry(at.gradient);
  return { point: x, value: at.value, gradient: at.gradient, residual, converged: residual <= gradientTolerance, iterations, evaluations };
}

/** −H g by the two-loop recursion. */
function descent(pairs: readonly Pair[], gradient: Float64Array): Float64Array {
  const q = gradient.map((value) => -value);
  const weights: number[] = [];
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { s, y, rho } = pairs[i]!;
    const weight = rho * dot(s, q);
    weights[i] = weight;
    for (let j = 0; j < q.length; j++) q[j]! -= weight * y[j]!;
  }
  const last = pairs.at(-1);
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.y));
    for (let j = 0; j < q.length; j++) q[j]! *= scale;
  }
  for (const [i, { s, y, rho }] of pairs.entries()) {
    const weight = weights[i]! - rho * dot(y, q);
    for (let j = 0; j < q.length; j++) q[j]! += weight * s[j]!;
  }
  return q;
}
