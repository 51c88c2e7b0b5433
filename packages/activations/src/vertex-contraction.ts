import { shapeError, zeros, type Activation, type Matrix } from "@finitewidth/core";
import { kernelMap, squareSize } from "./kernel-map.js";

/** A share of the sorted quadruples i ≤ j ≤ k ≤ l: those whose pair (i, j), in lexicographic order, has an index in [from, to). */
export interface QuadrupleRange {
  readonly from: number;
  readonly to: number;
  /** Called once per pair (i, j): throw to stop. */
  tick?(): void;
}

/**
 * Σ_cd Cov(φ_aφ_b, φ_cφ_d) M_cd for h ~ N(0, K) and symmetric M, P × P: the contraction of the one-neuron vertex without a P⁴ tensor.
 * Every sorted quadruple is evaluated once: P⁴/24 four-point functions, 2 P² numbers of memory. Source: docs/theories/perturbative.md,
 * "Posterior".
 */
export function vertexContraction(activation: Activation, kernel: Matrix, weights: Matrix, tick?: () => void): Matrix {
  const n = squareSize(kernel, "kernel");
  const sum = fourPointContraction(activation, kernel, weights, { from: 0, to: (n * (n + 1)) / 2, ...(tick ? { tick } : {}) });
  return subtractDisconnected(sum, kernelMap(activation, kernel), weights);
}

/** Σ − G·Σ_cd G_cd M_cd: turns the sum of all parts of `fourPointContraction` into `vertexContraction`. */
export function subtractDisconnected(sum: Matrix, secondMoment: Matrix, weights: Matrix): Matrix {
  let total = 0;
  for (let i = 0; i < secondMoment.data.length; i++) total += secondMoment.data[i]! * weights.data[i]!;
  return { data: sum.data.map((value, i) => value - secondMoment.data[i]! * total), shape: sum.shape };
}

/**
 * The part of Σ_cd E φ_aφ_bφ_cφ_d M_cd that a range of sorted quadruples contributes; parts add up, so ranges can go to different workers.
 * One four-point function per quadruple of the range, n⁴/24 in all. @throws FinitewidthError (code "shape").
 */
export function fourPointContraction(activation: Activation, kernel: Matrix, weights: Matrix, range: QuadrupleRange): Matrix {
  const n = squareSize(kernel, "kernel");
  if (weights.shape[0] !== n || weights.shape[1] !== n)
    throw shapeError("weights", `${n} × ${n}`, `${weights.shape[0]} × ${weights.shape[1]}`);
  const { fourPoint } = activation.moments;
  const out = zeros(n, n);
  const m = weights.data;
  const o = out.data;
  /** Weight of the unordered pair (p, q) in a double sum. */
  const both = (p: number, q: number): number => (p === q ? m[p * n + p]! : m[p * n + q]! + m[q * n + p]!);
  const add = (value: number, p: number, q: number, r: number, s: number): void => {
    o[p * n + q]! += value * both(r, s);
    if (p !== r || q !== s) o[r * n + s]! += value * both(p, q);
  };
  const covariance = new Float64Array(16);
  const put = (row: number, index: number, i: number, j: number, k: number): void => {
    const source = index * n;
    covariance[5 * row] = kernel.data[source + index]!;
    if (row > 0) covariance[row] = covariance[4 * row] = kernel.data[source + i]!;
    if (row > 1) covariance[4 + row] = covariance[4 * row + 1] = kernel.data[source + j]!;
    if (row > 2) covariance[8 + row] = covariance[4 * row + 2] = kernel.data[source + k]!;
  };
  let pair = 0;
  for (let i = 0; i < n; i++) {
    put(0, i, i, i, i);
    for (let j = i; j < n; j++, pair++) {
      if (pair < range.from || pair >= range.to) continue;
      range.tick?.();
      put(1, j, i, j, j);
      for (let k = j; k < n; k++) {
        put(2, k, i, j, k);
        for (let l = k; l < n; l++) {
          put(3, l, i, j, k);
          const value = fourPoint(covariance);
          // the three pairings of a sorted quadruple, equal ones once
          add(value, i, j, k, l);
          if (j !== k) add(value, i, k, j, l);
          if (i !== j && k !== l) add(value, i, l, j, k);
        }
      }
    }
  }
  for (let p = 0; p < n; p++) {
    for (let q = p + 1; q < n; q++) {
      const value = o[p * n + q]! + o[q * n + p]!;
      o[p * n + q] = value;
      o[q * n + p] = value;
    }
  }
  return out;
}
