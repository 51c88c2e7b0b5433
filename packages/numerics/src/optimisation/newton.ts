import { inputError, zeros, type Matrix } from "@finitewidth/core";
import { dot, symmetricEigen, type SymmetricEigen } from "@finitewidth/linalg";
import { along, largestEntry, type Minimum, type Objective, type ValueAndGradient } from "./result.js";

export interface NewtonOptions {
  /** Stop when every |gradient| entry is below this. @defaultValue 1e-9 */
  readonly gradientTolerance?: number;
  /** @defaultValue 200 */
  readonly maxIterations?: number;
  /** Longest step in any coordinate. @defaultValue 2 */
  readonly maxStep?: number;
  /** Second derivatives; central differences of the gradient by default. */
  readonly hessian?: (x: Float64Array) => Matrix;
  /** Called after each iteration; throw to cancel. */
  readonly onIteration?: (iteration: number, residual: number) => void;
}

/** Hessian by central differences of the gradient, symmetrised: 2n gradients, error about step². */
export function differenceHessian(f: Objective, x: Float64Array, step = 1e-5): Matrix {
  const n = x.length;
  const out = zeros(n, n);
  for (let j = 0; j < n; j++) {
    const e = new Float64Array(n);
    e[j] = 1;
    const up = f(along(x, step, e)).gradient;
    const down = f(along(x, -step, e)).gradient;
    for (let i = 0; i < n; i++) {
      const entry = (0.5 * (up[i]! - down[i]!)) / (2 * step);
      out.data[i * n + j]! += entry;
      out.data[j * n + i]! += entry;
    }
  }
  return out;
}

/**
 * Local minimum of a function of a few variables by damped Newton steps: eigenvalues of the Hessian that are not clearly positive are
 * replaced by their absolute values, steps are clipped to `maxStep` and halved until the function decreases (Armijo); near the minimum,
 * where the decrease drowns in rounding, a smaller gradient counts. Ends with plain Newton steps while they shrink the gradient.
 * Cost: 2n + 1 gradients an iteration unless `hessian` is given. @throws FinitewidthError (code "input") when the start is outside the
 * domain.
 */
export function minimiseNewton(f: Objective, start: Float64Array, options: NewtonOptions = {}): Minimum {
  const { gradientTolerance = 1e-9, maxIterations = 200, maxStep = 2, onIteration } = options;
  let evaluations = 1;
  const counted: Objective = (x) => {
    evaluations++;
    return f(x);
  };
  const hessian = options.hessian ?? ((x: Float64Array) => differenceHessian(counted, x));
  let x: Float64Array = start.slice();
  let at = f(x);
  if (!Number.isFinite(at.value)) throw inputError("start", "a point where the objective is finite", at.value);
  let iterations = 0;
  for (; iterations < maxIterations && largestEntry(at.gradient) > gradientTolerance; iterations++) {
    const direction = newtonDirection(symmetricEigen(hessian(x)), at.gradient);
    const step = search(counted, x, at, direction, Math.min(1, maxStep / largestEntry(direction)));
    if (!step) break;
    x = step.point;
    at = step.at;
    onIteration?.(iterations + 1, largestEntry(at.gradient));
  }
  for (let polish = 0; polish < 4 && largestEntry(at.gradient) > 0; polish++) {
    const point = along(x, 1, newtonDirection(symmetricEigen(hessian(x)), at.gradient));
    const next = counted(point);
    if (!(Number.isFinite(next.value) && largestEntry(next.gradient) < largestEntry(at.gradient))) break;
    x = point;
    at = next;
  }
  const residual = largestEntry(at.gradient);
  return { point: x, value: at.value, gradient: at.gradient, residual, converged: residual <= gradientTolerance, iterations, evaluations };
}

/** −|H|⁻¹ g with eigenvalues of H bounded below by 1e-6 of the largest. */
function newtonDirection(eigen: SymmetricEigen, gradient: Float64Array): Float64Array {
  const n = gradient.length;
  const out = new Float64Array(n);
  const floor = 1e-6 * largestEntry(eigen.values) || 1;
  for (let k = 0; k < n; k++) {
    let projection = 0;
    for (let i = 0; i < n; i++) projection += eigen.vectors.data[i * n + k]! * gradient[i]!;
    projection /= -Math.max(Math.abs(eigen.values[k]!), floor);
    for (let i = 0; i < n; i++) out[i]! += projection * eigen.vectors.data[i * n + k]!;
  }
  return out;
}

function search(
  f: Objective,
  x: Float64Array,
  at: ValueAndGradient,
  direction: Float64Array,
  first: number,
): { readonly point: Float64Array; readonly at: ValueAndGradient } | undefined {
  const slope = dot(at.gradient, direction);
  const residual = largestEntry(at.gradient);
  for (let t = first; t > 1e-12; t *= 0.5) {
    const point = along(x, t, direction);
    const next = f(point);
    if (!Number.isFinite(next.value)) continue;
    const rounding = Math.abs(next.value - at.value) <= 1e-11 * Math.abs(at.value) && largestEntry(next.gradient) < residual;
    if (next.value <= at.value + 1e-4 * t * slope || rounding) return { point, at: next };
  }
  return undefined;
}
