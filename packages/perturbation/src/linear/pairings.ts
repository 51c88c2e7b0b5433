import { zeros, type Matrix } from "@finitewidth/core";
import { symmetricEigen } from "@finitewidth/linalg";
import { pairCount, toPairs } from "../kernel-flow/index-pairs.js";
import type { KernelChain } from "../kernel-flow/kernel-chain.js";
import type { GaussianPairing } from "../posterior/fluctuation.js";

/**
 * The fluctuation of the output kernel of a linear network by hidden layer (coefficients of 1/N_k): K̂^{L+1} is a quadratic form Σ_r w_r
 * hʳhʳᵀ in Gaussian units, r over the principal site combinations of its form. O(L rank² n² sites²).
 * Source: docs/theories/perturbative.md §7 and §8.
 */
export function linearPairings(chain: KernelChain): readonly (readonly GaussianPairing[])[] {
  const { sites } = chain;
  const n = chain.output.shape[0];
  return chain.layers.map(({ kernel }, k) => {
    const { values, vectors } = symmetricEigen(chain.siteForms[k]!);
    const largest = Math.max(...values.map(Math.abs));
    const kept = Array.from(values.keys()).filter((r) => Math.abs(values[r]!) > 1e-14 * largest);
    return kept.flatMap((r) =>
      kept.map((t): GaussianPairing => ({ weight: values[r]! * values[t]!, covariance: projectSites(kernel, vectors, r, t, n, sites) })),
    );
  });
}

/** Σ_ab e_ar e_bt K_{μa,νb}. */
function projectSites(kernel: Matrix, vectors: Matrix, r: number, t: number, n: number, sites: number): Matrix {
  if (sites === 1) return kernel;
  const out = zeros(n, n);
  const size = n * sites;
  for (let mu = 0; mu < n; mu++) {
    for (let a = 0; a < sites; a++) {
      const left = vectors.data[a * sites + r]!;
      for (let nu = 0; nu < n; nu++) {
        let sum = 0;
        for (let b = 0; b < sites; b++) sum += vectors.data[b * sites + t]! * kernel.data[(mu * sites + a) * size + nu * sites + b]!;
        out.data[mu * n + nu]! += left * sum;
      }
    }
  }
  return out;
}

/** Covariance over index pairs that the pairings of all layers make at some widths; n points. O(pairings n⁴). */
export function pairingCovariance(layers: readonly (readonly GaussianPairing[])[], widths: readonly number[], n: number): Matrix {
  const m = pairCount(n);
  const data = new Float64Array(m * m);
  const row = (a: number, b: number, c: Matrix): Float64Array => {
    const image = { data: new Float64Array(n * n), shape: [n, n] } as const;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) image.data[i * n + j] = c.data[a * n + i]! * c.data[b * n + j]! + c.data[a * n + j]! * c.data[b * n + i]!;
    return toPairs(image);
  };
  for (const [k, pairings] of layers.entries()) {
    for (const { weight, covariance } of pairings) {
      let p = 0;
      for (let a = 0; a < n; a++) {
        for (let b = a; b < n; b++, p++) {
          const values = row(a, b, covariance);
          for (let q = 0; q < m; q++) data[p * m + q]! += (weight / widths[k]!) * values[q]!;
        }
      }
    }
  }
  return { data, shape: [m, m] };
}
