import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";
import {
  combine,
  diagonalMatrix,
  frobenius,
  identity,
  multiply,
  multiplyTransposedLeft,
  symmetricEigen,
  symmetrise,
  transpose,
} from "@finitewidth/linalg";
import { brentRoot, fixedPoint } from "@finitewidth/numerics";

/** Saddle of a deep linear network in the proportional limit. */
export interface DeepLinearSaddle {
  /** Q = Π_l Q_l: D × D. */
  readonly orderParameter: Matrix;
  /** Q_1 … Q_L. */
  readonly layers: readonly Matrix[];
  /** V: P × D, solving C-renormalised regression for every eigenvector of Q. */
  readonly weights: Matrix;
  /** Mean of f at the training inputs: P × D. */
  readonly trainMean: Matrix;
  /** C¹ = K0, …, C^{L+1}: posterior mean kernels at unit weight variances. */
  readonly kernels: readonly Matrix[];
}

const settings = { tolerance: 1e-14, maximumIterations: 20_000, damping: { initial: 0.5, least: 0.5, shrink: 1 } } as const;

/**
 * Saddle of a deep linear network without biases for P ~ N, D fixed: Q_l = 1 + (Ω − d)/N_l with Ω = VᵀQK0V-type overlaps and d the
 * effective degrees of freedom per output, all commuting; posterior mean kernels C^{l+1} = (1 − D/N_l)Cˡ + (1/N_l) Σ_k⟨f_kf_kᵀ⟩/Q_{≥l,k}.
 * `kernel`: K0 = infinite-width readout kernel, P × P; targets: P × D. O(P³ + iterations·P D²).
 * @throws FinitewidthError (code "not-converged"). Source: docs/theories/forward-backward.md, "Proportional limit".
 */
export function solveDeepLinear(kernel: Matrix, targets: Matrix, temperature: number, widths: readonly number[]): DeepLinearSaddle {
  const [P, D] = targets.shape;
  const { values, vectors } = symmetricEigen(kernel);
  const projected = multiplyTransposedLeft(vectors, targets);
  const evaluate = (layers: readonly Matrix[]) => {
    const product = layers.reduce((q, layer) => multiply(q, layer), identity(D));
    const { values: q, vectors: u } = symmetricEigen(symmetrise(product));
    const rotated = multiply(projected, u);
    const weights = zeros(P, D);
    const mean = zeros(P, D);
    const freedom = new Float64Array(D);
    for (let i = 0; i < P; i++) {
      for (let k = 0; k < D; k++) {
        const signal = q[k]! * values[i]!;
        weights.data[i * D + k] = rotated.data[i * D + k]! / (signal + temperature);
        mean.data[i * D + k] = weights.data[i * D + k]! * signal;
        freedom[k]! += signal / (signal + temperature);
      }
    }
    const back = (m: Matrix): Matrix => multiply(multiply(u, m), transpose(u));
    const excess = combine(1, back(multiplyTransposedLeft(weights, mean)), -1, back(diagonalMatrix(freedom)));
    const wanted = widths.map((width) => combine(1, identity(D), 1 / width, symmetrise(excess)));
    return {
      residual: wanted.reduce((most, next, l) => Math.max(most, frobenius(combine(1, next, -1, layers[l]!))), 0),
      move: (factor: number): Matrix[] => layers.map((layer, l) => combine(1 - factor, layer, factor, wanted[l]!)),
      product,
      q,
      u,
      weights,
      mean,
    };
  };
  const {
    x: layers,
    step,
    converged,
  } = fixedPoint(
    widths.map(() => identity(D)),
    evaluate,
    { ...settings, tolerance: settings.tolerance * D },
  );
  if (!converged)
    throw new FinitewidthError("the deep linear saddle did not settle; raise the temperature or the widths", { code: "not-converged" });
  const { product, q, u, weights, mean } = step;
  const at = layers.map((layer) => multiply(multiplyTransposedLeft(u, layer), u));
  const kernels: Matrix[] = [kernel];
  for (const [l, width] of widths.entries()) {
    const added = zeros(P, P);
    for (let k = 0; k < D; k++) {
      let upper = 1;
      for (const q of at.slice(l)) upper *= q.data[k * D + k]!;
      for (let i = 0; i < P; i++) {
        const signal = q[k]! * values[i]!;
        added.data[i * P + i]! += (temperature * signal) / (signal + temperature) / upper;
        for (let j = 0; j < P; j++) added.data[i * P + j]! += (mean.data[i * D + k]! * mean.data[j * D + k]!) / upper;
      }
    }
    kernels.push(combine(1 - D / width, kernels[l]!, 1 / width, multiply(multiply(vectors, added), transpose(vectors))));
  }
  const inPlace = (m: Matrix): Matrix => multiply(vectors, multiply(m, transpose(u)));
  return { orderParameter: symmetrise(product), layers, weights: inPlace(weights), trainMean: inPlace(mean), kernels };
}

/**
 * Forward–backward order parameter of a linear network without biases at T = 0, D = 1: Q = Π_l(1 + (yᵀK0⁻¹y/Q − 1)/N_l), V = K0⁻¹y/Q. `fit`
 * is yᵀK0⁻¹y. The root below the largest Q at which a factor vanishes does not exist: the one with all factors positive is returned. O(L) a
 * step of Brent's method.
 */
export function interpolationOrderParameter(fit: number, widths: readonly number[]): number {
  const excess = (q: number): number => Math.log(q) - widths.reduce((sum, width) => sum + Math.log(1 + (fit / q - 1) / width), 0);
  // every factor is at least 1 − 1/N and falls with q, so log q meets the sum once
  let upper = Math.max(fit, 1);
  while (excess(upper) < 0) upper *= 2;
  let lower = Math.min(fit, 1);
  while (lower > Number.MIN_VALUE && excess(lower) > 0) lower *= 0.5;
  return brentRoot(excess, lower, upper, { tolerance: 1e-15 }).root;
}
