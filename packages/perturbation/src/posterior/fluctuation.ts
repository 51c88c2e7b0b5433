import { zeros, type Matrix } from "@finitewidth/core";
import { innerProduct, multiply, multiplyTransposedLeft, multiplyTransposedRight, block } from "@finitewidth/linalg";
import { fromPairs, pairIndex, pairWeights } from "../kernel-flow/index-pairs.js";
import type { GaussianPieces } from "./gaussian-pieces.js";

/**
 * Quadratic functionals of the fluctuation of the output kernel, with covariance Σ over n joint points of which the first P are training
 * points. First order in Σ.
 */
export interface Fluctuation {
  /** X_ab = ½ Σ_cd Σ_{ab,cd} A_cd: n × n. */
  readonly x: Matrix;
  /** Z_ad = Σ_bc Σ_{ab,cd} Γ⁻¹_bc, b and c over training points: n × n. */
  readonly z: Matrix;
  /** W_{xj,yk} = Σ q_xα q_yγ Σ_{αb,γd} a_bj a_dk for rows q (m × n): (m·D) × (m·D), index row·D + output. */
  crossOutputs(q: Matrix): Matrix;
  /** Its diagonal, m × D. */
  crossOutputsDiagonal(q: Matrix): Matrix;
}

/** Functionals of a covariance given over index pairs, n_p × n_p. O(n⁴) time. */
export function pairFluctuation(sigma: Matrix, n: number, { inverse, weights, gradient }: GaussianPieces): Fluctuation {
  const m = sigma.shape[0];
  const s = sigma.data;
  const [P, D] = weights.shape;
  const padded = zeros(n, n);
  for (let i = 0; i < P; i++) for (let j = 0; j < P; j++) padded.data[i * n + j] = gradient.data[i * P + j]!;
  const w = pairWeights(padded);
  const x = new Float64Array(m);
  for (let p = 0; p < m; p++) {
    let sum = 0;
    for (let q = 0; q < m; q++) sum += s[p * m + q]! * w[q]!;
    x[p] = 0.5 * sum;
  }
  const place = new Int32Array(n * n);
  for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) place[a * n + b] = pairIndex(n, a, b);
  const z = zeros(n, n);
  for (let a = 0; a < n; a++) {
    for (let b = 0; b < P; b++) {
      const row = place[a * n + b]! * m;
      for (let c = 0; c < P; c++) {
        const g = inverse.data[b * P + c]!;
        for (let d = 0; d < n; d++) z.data[a * n + d]! += g * s[row + place[c * n + d]!]!;
      }
    }
  }
  /** Σ_b Σ_{αb,γd} a_bj contracted with a_dk: (n·D) × (n·D). */
  const cross = (): Matrix => {
    const half = zeros(n * D, m);
    for (let alpha = 0; alpha < n; alpha++) {
      for (let b = 0; b < P; b++) {
        const row = place[alpha * n + b]! * m;
        for (let j = 0; j < D; j++) {
          const weight = weights.data[b * D + j]!;
          for (let q = 0; q < m; q++) half.data[(alpha * D + j) * m + q]! += weight * s[row + q]!;
        }
      }
    }
    const out = zeros(n * D, n * D);
    for (let row = 0; row < n * D; row++) {
      for (let gamma = 0; gamma < n; gamma++) {
        for (let d = 0; d < P; d++) {
          const value = half.data[row * m + place[gamma * n + d]!]!;
          for (let k = 0; k < D; k++) out.data[row * n * D + gamma * D + k]! += value * weights.data[d * D + k]!;
        }
      }
    }
    return out;
  };
  let cached: Matrix | undefined;
  const full = (): Matrix => (cached ??= cross());
  return {
    x: fromPairs(x, n),
    z,
    crossOutputs: (q) => projectRows(full(), q, D),
    crossOutputsDiagonal: (q) => {
      const rows = q.shape[0];
      const out = zeros(rows, D);
      const w4 = full().data;
      for (let j = 0; j < D; j++) {
        const one = zeros(n, n);
        for (let a = 0; a < n; a++) for (let c = 0; c < n; c++) one.data[a * n + c] = w4[(a * D + j) * n * D + c * D + j]!;
        const image = multiply(q, one);
        for (let r = 0; r < rows; r++) out.data[r * D + j] = rowProduct(image, q, r);
      }
      return out;
    },
  };
}

const rowProduct = (a: Matrix, b: Matrix, row: number): number => {
  const n = a.shape[1];
  let sum = 0;
  for (let i = row * n; i < (row + 1) * n; i++) sum += a.data[i]! * b.data[i]!;
  return sum;
};

/** (q ⊗ 1) W (q ⊗ 1)ᵀ with index point·D + output. */
function projectRows(w: Matrix, q: Matrix, D: number): Matrix {
  const [rows, n] = q.shape;
  const spread = zeros(rows * D, n * D);
  for (let r = 0; r < rows; r++)
    for (let a = 0; a < n; a++) for (let j = 0; j < D; j++) spread.data[(r * D + j) * n * D + a * D + j] = q.data[r * n + a]!;
  return multiplyTransposedRight(multiply(spread, w), spread);
}

/**
 * A fluctuation whose covariance is a sum of Gaussian pairings, Σ_{ab,cd} = Σ_t weight (C_ac C_bd + C_ad C_bc): linear units, where C is
 * the covariance of single units (of site combinations for convolutions; not symmetric then, both orders present in the sum).
 */
export interface GaussianPairing {
  readonly weight: number;
  /** n × n. */
  readonly covariance: Matrix;
}

/** Functionals of a sum of Gaussian pairings, without n⁴ objects. O(terms · n² P). Source: docs/theories/perturbative.md §7. */
export function pairingFluctuation(
  pairings: readonly GaussianPairing[],
  n: number,
  { inverse, weights, gradient }: GaussianPieces,
): Fluctuation {
  const [P, D] = weights.shape;
  const [x, z] = [zeros(n, n), zeros(n, n)];
  for (const { weight, covariance } of pairings) {
    const columns = block(covariance, 0, n, 0, P);
    const rows = block(covariance, 0, P, 0, n);
    const corner = block(covariance, 0, P, 0, P);
    addScaled(x, weight, multiplyTransposedRight(multiply(columns, gradient), columns));
    addScaled(z, weight, multiply(multiply(columns, inverse), rows));
    addScaled(z, weight * innerProduct(corner, inverse), covariance);
  }
  const each = (
    q: Matrix,
    use: (
      weight: number,
      parts: { readonly kernel: Matrix; readonly quadratic: Matrix; readonly forward: Matrix; readonly backward: Matrix },
    ) => void,
    diagonalOnly: boolean,
  ): void => {
    for (const { weight, covariance } of pairings) {
      const image = multiply(q, covariance);
      const corner = block(covariance, 0, P, 0, P);
      use(weight, {
        kernel: diagonalOnly ? image : multiplyTransposedRight(image, q),
        quadratic: multiplyTransposedLeft(weights, multiply(corner, weights)),
        forward: multiply(block(image, 0, q.shape[0], 0, P), weights),
        backward: multiply(multiplyTransposedRight(q, block(covariance, 0, P, 0, n)), weights),
      });
    }
  };
  return {
    x,
    z,
    crossOutputs(q) {
      const rows = q.shape[0];
      const out = zeros(rows * D, rows * D);
      each(
        q,
        (weight, { kernel, quadratic, forward, backward }) => {
          for (let r = 0; r < rows; r++) {
            for (let j = 0; j < D; j++) {
              for (let t = 0; t < rows; t++) {
                for (let k = 0; k < D; k++) {
                  out.data[(r * D + j) * rows * D + t * D + k]! +=
                    weight *
                    (kernel.data[r * rows + t]! * quadratic.data[j * D + k]! + forward.data[r * D + k]! * backward.data[t * D + j]!);
                }
              }
            }
          }
        },
        false,
      );
      return out;
    },
    crossOutputsDiagonal(q) {
      const rows = q.shape[0];
      const out = zeros(rows, D);
      each(
        q,
        (weight, { kernel, quadratic, forward, backward }) => {
          for (let r = 0; r < rows; r++) {
            const own = rowProduct(kernel, q, r);
            for (let j = 0; j < D; j++)
              out.data[r * D + j]! += weight * (own * quadratic.data[j * D + j]! + forward.data[r * D + j]! * backward.data[r * D + j]!);
          }
        },
        true,
      );
      return out;
    },
  };
}

/** target ← target + factor · m, in place. */
export function addScaled(target: Matrix, factor: number, m: Matrix): void {
  for (let i = 0; i < target.data.length; i++) target.data[i]! += factor * m.data[i]!;
}
