import { zeros, type Matrix, type Observation } from "@finitewidth/core";
import { cholesky, identity, multiply, multiplyTransposedRight, solveCholesky, symmetricEigen, trace } from "@finitewidth/linalg";
import { minimiseLbfgs } from "@finitewidth/numerics";
import { laplaceGivenMixing } from "./laplace-dense.js";

/** Minimum of the effective action of a mixing matrix with a Laplace approximation inside. */
export interface MixingSaddle {
  /** d × d. */
  readonly mixing: Matrix;
  /** (N/2)(log|Q| − tr Q) + log p_Laplace(Y | Q) there. */
  readonly value: number;
  /** log Z by Laplace in E, Q = C eᴱ Cᵀ, normalised by the prior's own Laplace approximation. */
  readonly logEvidence: number;
  readonly iterations: number;
  readonly converged: boolean;
  /** Largest entry of the gradient over the log-Cholesky coordinates. */
  readonly residual: number;
}

const differenceStep = 2e-3;

/**
 * Most probable mixing matrix of one hidden layer of width N, N Q ~ W_d(N, I): maximises the density of Q against the invariant measure
 * times p_Laplace(Y | Q), over log-Cholesky coordinates, with the gradient that includes the motion of the mode. Quick look only: the inner
 * Laplace approximation moves probabilities by 0.02–0.2. O(d³P³) per evaluation. Source: docs/theories/classification.md.
 */
export function mixingSaddle(
  kernel: Matrix,
  observation: Observation,
  width: number,
  start: Matrix = identity(observation.latents),
): MixingSaddle {
  const d = observation.latents;
  const lower: [number, number][] = [];
  for (let i = 0; i < d; i++) for (let j = 0; j <= i; j++) lower.push([i, j]);
  let warm: Float64Array | undefined;
  const inner = (mixing: Matrix): { value: number; gradient: Matrix } => {
    const at = laplaceGivenMixing(kernel, mixing, observation, warm ? { start: warm } : {});
    warm = at.fit.alpha;
    const factor = cholesky(mixing);
    const inverse = solveCholesky(factor, identity(d));
    return {
      value: 0.5 * width * (factor.logDeterminant - trace(mixing)) + at.logEvidence,
      gradient: { data: at.gradient.data.map((g, i) => g + 0.5 * width * (inverse.data[i]! - identity(d).data[i]!)), shape: [d, d] },
    };
  };
  const unpack = (x: Float64Array): Matrix => {
    const c = zeros(d, d);
    lower.forEach(([i, j], k) => (c.data[i * d + j] = i === j ? Math.exp(x[k]!) : x[k]!));
    return c;
  };
  const root = cholesky(start).factor;
  const found = minimiseLbfgs(
    (x) => {
      const c = unpack(x);
      const { value, gradient } = inner(multiplyTransposedRight(c, c));
      const bar = multiply(gradient, c);
      return {
        value: -value,
        gradient: Float64Array.from(lower, ([i, j]) => -2 * bar.data[i * d + j]! * (i === j ? c.data[i * d + j]! : 1)),
      };
    },
    Float64Array.from(lower, ([i, j]) => (i === j ? Math.log(root.data[i * d + j]!) : root.data[i * d + j]!)),
    { gradientTolerance: 1e-8 },
  );
  const c = unpack(found.point);
  const n = lower.length;
  /** −action at C eᴱ Cᵀ, E = Σ_k e_k × the orthonormal symmetric basis. */
  const along = (steps: readonly (readonly [number, number])[]): number => {
    const e = zeros(d, d);
    for (const [k, size] of steps) {
      const [i, j] = lower[k]!;
      const entry = i === j ? size : size * Math.SQRT1_2;
      e.data[i * d + j]! += entry;
      if (i !== j) e.data[j * d + i]! += entry;
    }
    const { values, vectors } = symmetricEigen(e);
    const half = zeros(d, d);
    for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) half.data[i * d + j] = vectors.data[i * d + j]! * Math.exp(0.5 * values[j]!);
    const side = multiply(c, half);
    return inner(multiplyTransposedRight(side, side)).value;
  };
  const hessian = zeros(n, n);
  const h = differenceStep;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const at = (di: number, dj: number): number => along([[i, di], [j, dj]]); // prettier-ignore
      const value = (at(h, h) - at(h, -h) - at(-h, h) + at(-h, -h)) / (4 * h * h);
      hessian.data[i * n + j] = hessian.data[j * n + i] = -value;
    }
  }
  return {
    mixing: multiplyTransposedRight(c, c),
    value: -found.value,
    logEvidence: -found.value + 0.5 * width * d - 0.5 * cholesky(hessian).logDeterminant + 0.5 * n * Math.log(width / 2),
    iterations: found.iterations,
    converged: found.converged,
    residual: found.residual,
  };
}
