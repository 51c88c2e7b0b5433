import { FinitewidthError, zeros, type Activation, type Matrix } from "@finitewidth/core";
import {
  affine,
  combine,
  diagonalMatrix,
  identity,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  symmetricEigen,
  symmetrise,
} from "@finitewidth/linalg";
import { respondToTargets } from "@finitewidth/numerics";
import { dataForce } from "./data-term.js";
import { gradientSize, stateAt, type LinearState } from "./linear-state.js";
import { checkSaddleProblem, type Saddle, type SaddleOptions, type SaddleProblem } from "./saddle-problem.js";
import { moveRoot, trustedStep } from "./trust-region.js";

/** Eigenvalues of K¹ below this share of the largest are outside its range. */
const rankTolerance = 1e-12;
/** Below this numbers lose their digits. */
const leastNormal = 2.3e-308;
/** Whether a direction with this eigenvalue belongs to the range of K¹. */
export const isInRange = (value: number, largest: number): boolean => value > Math.max(rankTolerance * largest, leastNormal);
const settings = { maximumSteps: 200, firstRadius: 1, largestRadius: 8, accept: 1e-4, forcing: 0.1 } as const;

/** Whether the P × P equation applies: no biases above the first layer. */
export const isBiasFree = (biasVariance: readonly number[]): boolean => biasVariance.every((value) => value === 0);

/**
 * Forward–backward equations of a linear network (φ(h) = αh) without biases above the first layer. All kernels lie in the range of K¹ =
 * FFᵀ, C^{l+1} = c_l F Σ_{l+1} Fᵀ with Σ_{l+1} = Π_{k≤l}(1 + M/N_k), so that one symmetric r × r matrix Σ = Σ_{L+1} (r the rank of K¹) is
 * left: it minimises −ln N(Y|0, C^{L+1} + T) + Σ_j i(σ_j), i(σ) = ½Σ_l [μ − N_l ln(1 + μ/N_l)], ln σ = Σ_l ln(1 + μ/N_l), whose stationary
 * points are M = Σ Fᵀ(VVᵀ − DR)F. Trust-region Newton steps Σ^½ exp(E) Σ^½ with the exact Hessian. At T > 0 the minimum always exists: the
 * rate grows without limit at σ → 0 and ∞ and the data term is bounded below. O(P³) per step of conjugate gradients.
 * @throws FinitewidthError: "input"/"shape" for bad arguments; "refused" at T = 0 where σ → 0 raises the action without limit (D ≥ the
 * smallest width and targets that leave directions of the inputs out); "not-converged". Source: docs/theories/forward-backward.md,
 * "Solver".
 */
export function solveLinearSaddle(
  activation: Activation,
  problem: Omit<SaddleProblem, "closure" | "infiniteWidth">,
  options: SaddleOptions = {},
): Saddle {
  checkSaddleProblem(problem);
  const { firstKernel, targets, temperature, widths, weightVariance } = problem;
  const { tolerance = 1e-10, strength = 1, start, beforeSweep } = options;
  const [P, D] = targets.shape;
  const gains = weightVariance.map((g) => g * activation.value(1) ** 2);
  const total = gains.reduce((product, gain) => product * gain, 1);

  const { values, vectors } = symmetricEigen(firstKernel);
  const kept = Array.from(values.keys()).filter((i) => isInRange(values[i]!, values[P - 1]!));
  const r = kept.length;
  const inside = zeros(P, r);
  for (let i = 0; i < P; i++) kept.forEach((k, j) => (inside.data[i * r + j] = vectors.data[i * P + k]!));
  const scales = zeros(r, 1);
  kept.forEach((k, j) => (scales.data[j] = Math.sqrt(total * values[k]!)));
  const projected = multiplyTransposedLeft(inside, targets);
  if (temperature === 0 && D >= Math.min(...widths) && rankOf(projected) < r) {
    throw new FinitewidthError(
      `[forward-backward] at T = 0 the equations have no solution with ${D} outputs and a layer of width ${Math.min(...widths)}: kernels shrink without limit in the directions of the inputs that the targets leave out; give likelihood.temperature > 0 or widths above the number of outputs`,
      { code: "refused", path: "likelihood.temperature" },
    );
  }
  const reduced = { scales, targets: projected, temperature, widths, strength };

  const started = (): Matrix => {
    if (!start) return identity(r);
    // Σ = F⁻¹ C F⁻ᵀ
    const compressed = multiplyTransposedLeft(inside, multiply(start.at(-1)!, inside));
    const whitened = {
      data: compressed.data.map((value, i) => value / (scales.data[Math.floor(i / r)]! * scales.data[i % r]!)),
      shape: compressed.shape,
    };
    const eigen = symmetricEigen(symmetrise(whitened));
    return multiply(eigen.vectors, diagonalMatrix(eigen.values.map((value) => Math.sqrt(Math.max(value, 1e-12)))));
  };
  let state = r === 0 ? undefined : stateAt(reduced, started());
  let sweeps = 0;
  let residual = 0;
  let radius: number = settings.firstRadius * Math.sqrt(r * Math.max(...widths));
  while (state) {
    beforeSweep?.(sweeps);
    const size = Math.sqrt(state.gradient.data.reduce((sum, value, i) => sum + (value / state!.curvature.data[i]!) ** 2, 0) / r);
    residual = size;
    if (residual < tolerance) break;
    if (sweeps >= settings.maximumSteps || !Number.isFinite(residual)) {
      throw new FinitewidthError(
        `the forward–backward equations of the linear network were not solved: relative residual ${residual.toExponential(1)} after ${sweeps} trust-region steps`,
        { code: "not-converged" },
      );
    }
    const { step, promised, atBoundary } = trustedStep(state, strength, radius, Math.min(settings.forcing, residual));
    sweeps++;
    const next = stateAt(reduced, moveRoot(state.root, step));
    const gained = next ? state.value - next.value : Number.NEGATIVE_INFINITY;
    // below the rounding of the action the gradient decides
    const blind = promised < 1e-11 * (1 + Math.abs(state.value));
    const agreement = blind && next ? (gradientSize(next) < gradientSize(state) ? 1 : 0) : gained / promised;
    if (agreement < 0.25) radius *= 0.25;
    else if (agreement > 0.75 && atBoundary) radius *= 2;
    if (next && agreement > settings.accept) state = next;
    else if (blind && residual < 100 * tolerance) break;
  }
  return assemble(
    activation,
    problem,
    gains,
    state && { state, inside, scales: scales.data.map((value) => value / Math.sqrt(total)) },
    strength,
    residual,
    sweeps,
  );
}

function rankOf(m: Matrix): number {
  const values = symmetricEigen(m.shape[0] < m.shape[1] ? multiplyTransposedRight(m, m) : multiplyTransposedLeft(m, m)).values;
  return values.filter((value) => value > 1e-12 * values.at(-1)!).length;
}

/** Kernels, conjugate kernels and action of a solution; all kernels 0 where K¹ is. */
function assemble(
  activation: Activation,
  { firstKernel, targets, temperature, widths, weightVariance }: Omit<SaddleProblem, "closure" | "infiniteWidth">,
  gains: readonly number[],
  found: { readonly state: LinearState; readonly inside: Matrix; readonly scales: Float64Array } | undefined,
  strength: number,
  residual: number,
  sweeps: number,
): Saddle {
  const P = firstKernel.shape[0];
  const L = widths.length;
  const kernels: Matrix[] = [];
  let rate = 0;
  if (found) {
    const { state, inside, scales } = found;
    const r = scales.length;
    // eigenvectors of Σ are the columns of Z scaled to unit length
    const sigma = state.overlaps.map((mu) => widths.reduce((product, width) => product * (1 + mu / width), 1));
    const basis = zeros(r, r);
    for (let i = 0; i < r; i++)
      for (let k = 0; k < r; k++) basis.data[i * r + k] = (scales[i]! * state.root.data[i * r + k]!) / Math.sqrt(sigma[k]!);
    const spread = multiply(inside, basis);
    const variances = new Float64Array(r).fill(1);
    for (const [l, width] of widths.entries()) {
      for (let k = 0; k < r; k++) variances[k]! *= gains[l]! * (1 + state.overlaps[k]! / width);
      const scaled = zeros(P, r);
      for (let i = 0; i < P; i++) for (let k = 0; k < r; k++) scaled.data[i * r + k] = spread.data[i * r + k]! * Math.sqrt(variances[k]!);
      kernels.push(multiplyTransposedRight(scaled, scaled));
      for (const mu of state.overlaps) rate += 0.5 * (mu - width * Math.log1p(mu / width));
    }
  } else {
    for (let l = 0; l < L; l++) kernels.push(zeros(P, P));
  }
  const data = respondToTargets(kernels[L - 1]!, targets, temperature);
  const force = affine(2 * strength, dataForce(data));
  const overlap = multiply(kernels[L - 1]!, force);
  const conjugates: Matrix[] = [];
  conjugates[L - 1] = affine(1 / (2 * widths[L - 1]!), force);
  for (let l = L - 1; l >= 1; l--) {
    // (1 − 2gCA)⁻¹ = 1 + M/N_l, M = 2N_l C^{l+1}A^{l+1}
    const tilted = combine(1, conjugates[l]!, 1 / widths[l]!, multiply(conjugates[l]!, overlap));
    conjugates[l - 1] = affine((gains[l]! * widths[l]!) / widths[l - 1]!, symmetrise(tilted));
  }
  return {
    kernels: [firstKernel, ...kernels],
    conjugates,
    hidden: kernels.map((kernel, l) => affine(1 / weightVariance[l]!, kernel)),
    data,
    rate,
    action: data.logDensity - rate,
    residual,
    sweeps,
    effectiveFraction: 1,
  };
}
