import type { Matrix, Tensor } from "@finitewidth/core";
import { cholesky, gram, innerProduct, multiply, solveLower, symmetricEigenvalues, transpose } from "@finitewidth/linalg";

/** How far a mixture of Gaussians over a random kernel is from the Gaussian of its mean kernel at infinite width. */
export interface GaussianDistance {
  /** χ²(mixture ‖ Gaussian) to leading order in the inverse widths. */
  readonly chiSquare: number;
  /** Kullback–Leibler divergence to the same order: half of it. */
  readonly relativeEntropy: number;
  /** Bound ½√χ² on the total variation: the largest difference of any probability. */
  readonly totalVariation: number;
}

const distanceOf = (chiSquare: number): GaussianDistance => ({
  chiSquare,
  relativeEntropy: 0.5 * chiSquare,
  totalVariation: 0.5 * Math.sqrt(Math.max(chiSquare, 0)),
});

/** L⁻¹ M L⁻ᵀ. */
const whitened = (factor: Matrix, m: Matrix): Matrix => solveLower(factor, transpose(solveLower(factor, m)));

const difference = (a: Matrix, b: Matrix): Matrix => ({ data: a.data.map((value, i) => value - b.data[i]!), shape: a.shape });

/**
 * Leading distance from the covariance Σ_abcd = Cov(K̂_ab, K̂_cd) (P × P × P × P) and the shift δ = E K̂ − K, for D outputs with total
 * covariance A = K + T: χ² ≈ (D/2) tr δ̃² + (D²/8) Σ V_ab,cd² + (D/4) Σ V_ab,cd V_bc,da, V = whitened(Σ + δδᵀ). O(P⁵). @throws
 * FinitewidthError (code "not-positive-definite") for a singular A. Source: docs/theories/referee.md, "Distance of the prior".
 */
export function leadingDistance(covariance: Tensor, shift: Matrix, total: Matrix, outputs: number): GaussianDistance {
  const p = total.shape[0];
  const { factor } = cholesky(total);
  const delta = whitened(factor, shift);
  const moments = covariance.data.map((value, at) => value + shift.data[Math.floor(at / (p * p))]! * shift.data[at % (p * p)]!);
  // whiten the pair (c, d), then (a, b)
  const half = new Float64Array(p ** 4);
  for (let ab = 0; ab < p * p; ab++)
    half.set(whitened(factor, { data: moments.slice(ab * p * p, (ab + 1) * p * p), shape: [p, p] }).data, ab * p * p);
  const v = new Float64Array(p ** 4);
  for (let cd = 0; cd < p * p; cd++) {
    const column = whitened(factor, { data: Float64Array.from({ length: p * p }, (_, ab) => half[ab * p * p + cd]!), shape: [p, p] }).data;
    column.forEach((value, ab) => (v[ab * p * p + cd] = value));
  }
  let [square, cyclic] = [0, 0];
  for (let a = 0; a < p; a++)
    for (let b = 0; b < p; b++)
      for (let c = 0; c < p; c++)
        for (let d = 0; d < p; d++) {
          const value = v[((a * p + b) * p + c) * p + d]!;
          square += value * value;
          cyclic += value * v[((b * p + c) * p + d) * p + a]!;
        }
  return distanceOf(0.5 * outputs * innerProduct(delta, delta) + (outputs * outputs * square) / 8 + (outputs * cyclic) / 4);
}

/**
 * The same from independent draws of K̂, over pairs of different draws: E[(D/2) tr ΔΔ′ + (D²/8)(tr ΔΔ′)² + (D/4) tr(ΔΔ′)²]; the first term
 * is left out where the mean is known to be K (one hidden layer). `cyclicPairs` of the
 * pairs (400) make the last term. Standard error: jackknife over draws, and over pairs for the last term. O(n² P² + cyclicPairs P³).
 */
export function sampledDistance(
  draws: readonly Matrix[],
  kernel: Matrix,
  temperature: number,
  outputs: number,
  options: { readonly meanKnown?: boolean; readonly cyclicPairs?: number } = {},
): GaussianDistance & { readonly standardError: number } {
  const total: Matrix = { data: kernel.data.slice(), shape: kernel.shape };
  for (let i = 0; i < kernel.shape[0]; i++) total.data[i * (kernel.shape[0] + 1)]! += temperature;
  const { factor } = cholesky(total);
  const n = draws.length;
  const size = kernel.data.length;
  const all: Matrix = { data: new Float64Array(n * size), shape: [n, size] };
  draws.forEach((draw, i) => all.data.set(whitened(factor, difference(draw, kernel)).data, i * size));
  const white = draws.map((_, i): Matrix => ({ data: all.data.subarray(i * size, (i + 1) * size), shape: kernel.shape }));
  const traces = gram(all);
  const rows = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const trace = traces.data[i * n + j]!;
      const value = (options.meanKnown ? 0 : 0.5 * outputs * trace) + (outputs * outputs * trace * trace) / 8;
      rows[i]! += value;
      rows[j]! += value;
    }
  }
  const sum = rows.reduce((a, b) => a + b, 0);
  const pairs = sum / (n * (n - 1));
  const left = rows.map((row) => (sum - 2 * row) / ((n - 1) * (n - 2)));
  const jackknife = Math.sqrt(((n - 1) / n) * left.reduce((s, value) => s + (value - pairs) ** 2, 0));
  const count = Math.min(options.cyclicPairs ?? 400, (n * (n - 1)) / 2);
  const cyclic = Float64Array.from({ length: count }, (_, k) => {
    const i = k % n;
    const j = (i + 1 + Math.floor(k / n)) % n;
    const m = multiply(white[i]!, white[j]!);
    return (outputs * innerProduct(m, transpose(m))) / 4;
  });
  const mean = cyclic.reduce((a, b) => a + b, 0) / count;
  const scatter = cyclic.reduce((s, value) => s + (value - mean) ** 2, 0) / (count - 1);
  // a draw is in 2·count/n of the pairs: they are worth about n/2 independent ones
  const cyclicError = Math.sqrt(scatter / Math.min(count, n / 2));
  return { ...distanceOf(pairs + mean), standardError: Math.hypot(jackknife, cyclicError) };
}

/**
 * Rigorous Wasserstein-2 distance of the noisy outputs to the Gaussian, all D of them: W² ≤ D E|K̂ − K|_F²/(√T + √λ_min(K + T))², with
 * E|K̂ − K|_F² = Σ_ab (Σ_abab + δ_ab²). O(P³).
 */
export function wassersteinBound(kernelFluctuation: number, total: Matrix, temperature: number, outputs = 1): number {
  const least = Math.max(symmetricEigenvalues(total)[0]!, 0);
  return Math.sqrt(outputs * kernelFluctuation) / (Math.sqrt(temperature) + Math.sqrt(least));
}
