import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";
import { identity, lu, multiply, symmetricEigen, trace } from "@finitewidth/linalg";
import { fixedPoint } from "@finitewidth/numerics";
import { congruence, largest, plus, riccatiMinimiser, spectralFunction } from "./small-matrix.js";

/**
 * log det A + vec(Y)ᵀA⁻¹vec(Y) as a function of a symmetric positive definite Q, with the two positive semidefinite parts of its gradient.
 */
export interface MatrixEnergy {
  readonly value: number;
  /** Γ₊ = [tr A⁻¹∂A]. */
  readonly plus: Matrix;
  /** Γ₋ = [rᵀ ∂A r], r = A⁻¹vec(Y). */
  readonly minus: Matrix;
}

/** S(Q) = tr Q − log det Q + E(Q)/N over symmetric positive definite n × n matrices; density ∝ exp(−N S/2) |Q|^{−(n+1)/2} dQ. */
export interface MatrixAction {
  readonly dimension: number;
  readonly width: number;
  energy(orderParameter: Matrix): MatrixEnergy;
}

/** S and ∂S/∂Q = I − Q⁻¹ + (Γ₊ − Γ₋)/N. One energy and O(n³). */
export function matrixAction(action: MatrixAction, orderParameter: Matrix): { readonly value: number; readonly gradient: Matrix } {
  const eigen = symmetricEigen(orderParameter);
  if (!(eigen.values[0]! > 0)) return { value: Infinity, gradient: zeros(action.dimension, action.dimension) };
  const energy = action.energy(orderParameter);
  const logDeterminant = eigen.values.reduce((sum, value) => sum + Math.log(value), 0);
  const inverse = spectralFunction(eigen, (value) => 1 / value);
  let gradient = plus(identity(action.dimension), inverse, -1);
  gradient = plus(plus(gradient, energy.plus, 1 / action.width), energy.minus, -1 / action.width);
  return { value: trace(orderParameter) - logDeterminant + energy.value / action.width, gradient };
}

/**
 * One majorise–minimise step: log det A is concave in Q (linearised), the data term is ≤ const + tr(Q⁻¹C), C = Q Γ₋ Q; the minimiser is a
 * Riccati solution in closed form. S never increases and Q stays positive definite. One energy and O(n³).
 */
export function majoriseMinimiseStep(action: MatrixAction, orderParameter: Matrix): Matrix {
  const energy = action.energy(orderParameter);
  const h = plus(identity(action.dimension), energy.plus, 1 / action.width);
  const c = congruence(orderParameter, energy.minus);
  return riccatiMinimiser(h, { data: c.data.map((value) => value / action.width), shape: c.shape });
}

/** A minimum of the matrix action and how the solver ended. */
export interface MatrixActionMinimum {
  readonly orderParameter: Matrix;
  readonly action: number;
  /** Largest entry of Q^½ ∂S/∂Q Q^½. */
  readonly residual: number;
  readonly converged: boolean;
  readonly iterations: number;
}

/**
 * Majorise–minimise from `start` (the identity by default) until max|ΔQ| ≤ 1e-13 max|Q|; damped Newton in the chart Q^½ exp(X) Q^½ when
 * that stalls. One energy a step, at most 2000; n(n + 1) energies and O(n⁶) a step of Newton's method.
 */
export function minimiseMatrixAction(
  action: MatrixAction,
  start: Matrix = identity(action.dimension),
  onIteration?: (iteration: number) => void,
): MatrixActionMinimum {
  const { step, iterations } = fixedPoint(
    start,
    (q) => {
      const next = majoriseMinimiseStep(action, q);
      return { residual: largest(plus(next, q, -1)) / largest(next), move: () => next };
    },
    { tolerance: 1e-13, maximumIterations: 2000, standstill: { progress: 0.9, steps: 30, counted: 1e-9 }, onIteration },
  );
  const polished = newtonPolish(action, step.move());
  return { ...polished, iterations: iterations + polished.iterations, converged: polished.residual <= 1e-6 };
}

/**
 * All minima found from the identity and, where the action need not be convex, from 0.01 and a large multiple of it; lowest first. One or
 * three times `minimiseMatrixAction`. @throws FinitewidthError (code "not-converged").
 */
export function matrixMinima(
  action: MatrixAction,
  convex: boolean,
  large = 10,
  onIteration?: (iteration: number) => void,
): readonly [MatrixActionMinimum, ...MatrixActionMinimum[]] {
  const scales = convex ? [1] : [1, 0.01, large];
  const found: MatrixActionMinimum[] = [];
  for (const scale of scales) {
    const start = identity(action.dimension);
    const minimum = minimiseMatrixAction(action, { data: start.data.map((value) => value * scale), shape: start.shape }, onIteration);
    if (!Number.isFinite(minimum.action)) continue;
    if (!found.some((other) => largest(plus(other.orderParameter, minimum.orderParameter, -1)) < 1e-5 * largest(other.orderParameter)))
      found.push(minimum);
  }
  found.sort((a, b) => a.action - b.action);
  const [first, ...rest] = found;
  if (first === undefined)
    throw new FinitewidthError("the matrix order parameter did not converge; raise the temperature", { code: "not-converged" });
  return [first, ...rest];
}

/** Free entries of a symmetric matrix, row by row of the upper triangle. */
function pairs(n: number): readonly (readonly [number, number])[] {
  return Array.from({ length: n }, (_, i) => Array.from({ length: n - i }, (__, j) => [i, i + j] as const)).flat();
}
const fromFree = (n: number, free: Float64Array): Matrix => {
  const out = zeros(n, n);
  pairs(n).forEach(([i, j], at) => (out.data[i * n + j] = out.data[j * n + i] = free[at]!));
  return out;
};
/** Gradient with respect to the free entries: off-diagonal ones occur twice. */
const toFree = (n: number, gradient: Matrix): Float64Array =>
  Float64Array.from(pairs(n), ([i, j]) => (i === j ? 1 : 2) * gradient.data[i * n + j]!);

const squareRoot = (q: Matrix): Matrix => spectralFunction(symmetricEigen(q), (value) => Math.sqrt(Math.max(value, 0)));
const exponential = (x: Matrix): Matrix => spectralFunction(symmetricEigen(x), Math.exp);

/** Hessian of S in the free entries of X at X = 0, Q = Q₀^½ exp(X) Q₀^½, by central differences: n(n+1) energies. */
export function matrixHessian(action: MatrixAction, orderParameter: Matrix): Matrix {
  const n = action.dimension;
  const root = squareRoot(orderParameter);
  const count = (n * (n + 1)) / 2;
  const out = zeros(count, count);
  const h = 2e-5;
  for (let j = 0; j < count; j++) {
    for (const sign of [1, -1]) {
      const free = new Float64Array(count);
      free[j] = sign * h;
      const x = fromFree(n, free);
      const inner = congruence(root, matrixAction(action, congruence(root, exponential(x))).gradient);
      // gradient in the chart, to first order in X
      const chart = plus(plus(inner, multiply(x, inner), 0.5), multiply(inner, x), 0.5);
      toFree(n, chart).forEach((value, i) => {
        const share = (0.5 * sign * value) / (2 * h);
        out.data[i * count + j]! += share;
        out.data[j * count + i]! += share;
      });
    }
  }
  return out;
}

function newtonPolish(
  action: MatrixAction,
  start: Matrix,
): { readonly orderParameter: Matrix; readonly action: number; readonly residual: number; readonly iterations: number } {
  const n = action.dimension;
  const evaluate = (q: Matrix) => {
    const root = squareRoot(q);
    const at = matrixAction(action, q);
    const gradient = congruence(root, at.gradient);
    return { q, root, value: at.value, gradient, residual: largest(gradient) };
  };
  let here = evaluate(start);
  let iterations = 0;
  // the Hessian costs n(n+1) energies: only where it is affordable and needed
  const limit = n <= 10 ? 50 : n <= 20 ? 3 : 0;
  for (; here.residual > 1e-8 && iterations < limit; iterations++) {
    const eigen = symmetricEigen(matrixHessian(action, here.q));
    const floor = 1e-6 * Math.max(...eigen.values.map(Math.abs));
    const gradient = toFree(n, here.gradient);
    const inverse = spectralFunction(eigen, (value) => 1 / Math.max(Math.abs(value), floor));
    const direction = multiply(inverse, { data: gradient.map((value) => -value), shape: [gradient.length, 1] }).data;
    let next: ReturnType<typeof evaluate> | undefined;
    for (let t = 1; t > 1e-8; t *= 0.5) {
      const candidate = evaluate(
        congruence(
          here.root,
          exponential(
            fromFree(
              n,
              direction.map((value) => t * value),
            ),
          ),
        ),
      );
      if (
        candidate.value < here.value ||
        (candidate.value <= here.value + 1e-13 * Math.abs(here.value) && candidate.residual < here.residual)
      ) {
        next = candidate;
        break;
      }
    }
    if (!next) break;
    here = next;
  }
  return { orderParameter: here.q, action: here.value, residual: here.residual, iterations };
}

/**
 * Laplace evidence −(PD/2) log 2π − (N/2)(S* − n) − ½[log det Hess − (n(n−1)/2) log 2] in the chart X, with the invariant measure and the
 * prior treated alike. `count` is P·D. The prior is singular for N < n: then there is none. O(n²) energies.
 */
export function matrixLogEvidence(action: MatrixAction, minimum: MatrixActionMinimum, count: number): number {
  const n = action.dimension;
  const { logAbsoluteDeterminant } = lu(matrixHessian(action, minimum.orderParameter));
  return (
    -0.5 * count * Math.log(2 * Math.PI) -
    0.5 * action.width * (minimum.action - n) -
    0.5 * (logAbsoluteDeterminant - 0.5 * n * (n - 1) * Math.LN2)
  );
}
