import { zeros, type Matrix, type Problem, type WishartChain } from "@finitewidth/core";
import { affine, multiply, multiplyTransposedLeft, multiplyTransposedRight, symmetricEigen } from "@finitewidth/linalg";
import { splitBySpan } from "@finitewidth/numerics";
import { kroneckerChainData } from "./chain-data.js";
import { chainFluctuations } from "./chain-minimiser.js";
import { chainAtMinimum, matrixRateMinima } from "./matrix-minimiser.js";
import { rateLayers } from "./rate-layers.js";
import { scalarRateCorrections, scalarRateMinima } from "./scalar-minimiser.js";
import { spectralData, type SpectralData } from "./spectral-data.js";
import type { Solution } from "./solution.js";

/** One site, covariance Q ⊗ K: spectral reduction. `kernel` is K¹; the variances of the upper layers are taken into it while solving. */
export function solveKronecker(
  problem: Problem,
  chain: WishartChain,
  kernel: Matrix,
  referenceWidth: number,
): { readonly solution: Solution; readonly data: SpectralData } {
  const { targets, temperature, scaling } = problem;
  const { widths, skips, variance, scales, indices } = rateLayers(chain);
  const data = spectralData(kernel, targets, temperature);
  const scaled = { ...data, eigenvalues: data.eigenvalues.map((value) => variance * value) };
  const ratios = widths.map((width) => width / referenceWidth);
  // M_l of the unit-variance chain times the variances of the layers from l up
  const withVariances = (unit: readonly Matrix[]): Matrix[] =>
    scales.map((_, l) =>
      affine(
        scales.slice(l).reduce((product, scale) => product * scale, 1),
        // a layer that only carries units on is the next one with weights, scaled
        unit[indices.slice(l).find((index) => index !== undefined)!]!,
      ),
    );
  if (targets.shape[1] === 1) {
    const scalar = {
      eigenvalues: scaled.eigenvalues,
      squares: data.targets.data.map((value) => value * value),
      temperature,
      widths,
      skips,
      referenceWidth,
      scaling,
    };
    const minima = scalarRateMinima(scalar);
    const [best] = minima;
    const corrections = scalarRateCorrections(scalar, best);
    const one = (value: number): Matrix => ({ data: Float64Array.of(value), shape: [1, 1] });
    const q = variance * Math.exp(best.logQ);
    const solution: Solution = {
      mixing: withVariances(chainAtMinimum(one(Math.exp(best.logQ)), ratios, skips)),
      spread: [[one(q / Math.sqrt(best.curvature))]],
      action: best.action,
      minima: minima.map((minimum) => ({ action: minimum.action, mixing: one(variance * Math.exp(minimum.logQ)) })),
      solver: { converged: true, iterations: 0, residual: 0, jitter: 0 },
      logEvidence: corrections.logEvidence,
      diagnostics: {
        curvature: best.curvature,
        lagrangeMultiplier: best.rate.multiplier,
        layerFactors: Array.from(best.rate.layerFactors),
        meanLogQCorrection: corrections.meanLogQ,
        meanQCorrection: corrections.meanQ,
      },
    };
    return { solution, data };
  }
  const minima = matrixRateMinima({ data: scaled, widths, skips, referenceWidth, scaling });
  const [best] = minima;
  const mixing = withVariances(chainAtMinimum(best.q, ratios, skips));
  const carried = chain.layers.some(({ skip }) => skip !== undefined);
  const fluctuations = carried ? undefined : chainFluctuations({ chain, data: kroneckerChainData(data), referenceWidth, scaling }, mixing);
  const solution: Solution = {
    mixing,
    spread: best.spread.map((direction) => [affine(variance, direction)]),
    action: best.action,
    minima: minima.map((minimum) => ({ action: minimum.action, mixing: affine(variance, minimum.q) })),
    solver: { converged: best.converged, iterations: best.iterations, residual: best.residual, jitter: 0 },
    ...(fluctuations?.logEvidence === undefined ? {} : { logEvidence: fluctuations.logEvidence }),
    diagnostics: {},
  };
  return { solution, data };
}

/** Posterior of f at some inputs given Q = O diag(q) Oᵀ, one column per eigenvector of Q: f = Σ_a f̃_a o_aᵀ. */
export interface RotatedPrediction {
  /** f̃_a, P* × D. */
  readonly mean: Matrix;
  /** Covariances of the f̃_a: P* numbers each, or P*² when the whole covariance was asked for. */
  readonly spread: readonly Float64Array[];
  readonly vectors: Matrix;
  readonly values: Float64Array;
  /** Derivative of the mean (P* × D, outputs not rotated) when Q moves by B. */
  along(direction: Matrix): Matrix;
}

/**
 * f̃_a = q_a k̂ᵀ(q_aκ + T)⁻¹ŷ_a and q_a K_xx − q_a² k̂ᵀ(q_aκ + T)⁻¹k̂ in the eigenbasis of K, k̂ = VᵀK_x (by `splitBySpan`, without the
 * difference). `own` holds K_xx, or its diagonal. O(D P P*), or O(D P P*²) for whole covariances. Source: docs/theories/exact.md.
 */
export function predictRotated(data: SpectralData, q: Matrix, cross: Matrix, own: Float64Array): RotatedPrediction {
  const { eigenvalues, vectors: basis, targets, temperature } = data;
  const { values: q0, vectors } = symmetricEigen(q);
  const values = q0.map((value) => Math.max(value, 0));
  const [rank, d] = [eigenvalues.length, values.length];
  const points = cross.shape[1];
  const projected = multiplyTransposedLeft(basis, cross);
  const rotated = multiply(targets, vectors);
  const inverse = (i: number, a: number): number => {
    const v = values[a]! * eigenvalues[i]! + temperature;
    return v > 0 ? 1 / v : 0;
  };
  // A null direction of K has no cross kernel but rounding.
  for (let i = 0; i < rank; i++) if (eigenvalues[i] === 0) projected.data.fill(0, i * points, (i + 1) * points);
  const weights = zeros(rank, d);
  for (let i = 0; i < rank; i++)
    for (let a = 0; a < d; a++) weights.data[i * d + a] = values[a]! * inverse(i, a) * rotated.data[i * d + a]!;
  const { inside, outside } = splitBySpan(projected, eigenvalues, own);
  const whole = own.length === points * points && points > 1;
  const spread = Array.from(values, (qa, a) => {
    if (!whole) {
      const out = outside.map((value) => qa * value);
      for (let i = 0; i < rank; i++) {
        const factor = qa * temperature * inverse(i, a);
        for (let mu = 0; mu < points; mu++) out[mu]! += factor * inside.data[i * points + mu]! ** 2;
      }
      return out;
    }
    const half: Matrix = {
      data: inside.data.map((value, k) => value * Math.sqrt(qa * temperature * inverse(Math.floor(k / points), a))),
      shape: inside.shape,
    };
    const left = multiplyTransposedLeft(half, half);
    return outside.map((value, k) => qa * value + left.data[k]!);
  });
  return {
    mean: multiplyTransposedLeft(projected, weights),
    spread,
    vectors,
    values,
    along(direction) {
      const inside = multiply(multiplyTransposedLeft(vectors, direction), vectors);
      const change = zeros(rank, d);
      for (let i = 0; i < rank; i++) {
        for (let a = 0; a < d; a++) {
          let sum = 0;
          for (let b = 0; b < d; b++) sum += inside.data[a * d + b]! * inverse(i, b) * rotated.data[i * d + b]!;
          // 1 − q_aκ/(q_aκ + T); at T = 0 the mean does not depend on Q
          change.data[i * d + a] = temperature * inverse(i, a) * sum;
        }
      }
      return multiplyTransposedRight(multiplyTransposedLeft(projected, change), vectors);
    },
  };
}
