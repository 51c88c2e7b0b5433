import { correlationPath, pairOf, pathDeterminant } from "./path.js";

/** For every ordered (i, l) with the two others j, k: indices of the pairs in six-vectors. */
const splits = [0, 1, 2, 3].flatMap((i) =>
  [0, 1, 2, 3]
    .filter((l) => l !== i)
    .map((l) => {
      const [j, k] = [0, 1, 2, 3].filter((m) => m !== i && m !== l) as [number, number];
      return { il: pairOf(i, l), ij: pairOf(i, j), ik: pairOf(i, k), lj: pairOf(l, j), lk: pairOf(l, k) };
    }),
);

/**
 * E Π max(h_i, 0), h ~ N(0, C), row-major C, singular ones included: Price's theorem twice along the path from independence, integrated by
 * parts so that every term carries τ or τ². Absolute error about 1e-13·Π√C_ii. 18–161 nodes.
 * Source: docs/theories/perturbative.md, "Four-point functions".
 */
export function reluFourPoint(covariance: Float64Array): number {
  let scale = 1;
  for (let i = 0; i < 4; i++) {
    if (!(covariance[5 * i]! > 0)) return 0;
    scale *= Math.sqrt(covariance[5 * i]!);
  }
  const path = correlationPath(covariance, 0);
  const { correlation: r, complement, constant, linear, square, rule } = path;
  const product = r[0]! * r[5]! + r[1]! * r[4]! + r[2]! * r[3]!;
  // the b term: Σ_i Σ_{m≠i} u_im [p_im (1 − r_im²) + t(first + τ second)], collected by pairs {i, m}
  const own = new Float64Array(6);
  const first = new Float64Array(6);
  const second = new Float64Array(6);
  let head = 1 / (4 * Math.PI * Math.PI) + product / 16;
  for (let s = 0; s < splits.length; s++) {
    const { il, ij, ik, lj, lk } = splits[s]!;
    const weight = (r[ij]! * r[ik]!) / Math.PI;
    own[il]! += weight;
    const [xj, xk] = [r[il]! * r[ij]!, r[il]! * r[ik]!];
    first[ij]! += weight * (r[lj]! - xj);
    second[ij]! += weight * xj;
    first[ik]! += weight * (r[lk]! - xk);
    second[ik]! += weight * xk;
  }
  for (let p = 0; p < 6; p++) head += r[p]! / (8 * Math.PI);
  let total = 0;
  for (let q = 0; q < rule.nodes.length; q++) {
    const t = rule.nodes[q]!;
    const tau = rule.complements[q]!;
    const root = Math.sqrt(pathDeterminant(path, t, tau));
    const base = tau * (1 + t);
    let sum = 0;
    for (let p = 0; p < 6; p++) {
      const rest = base + t * t * complement[p]!;
      const minor = t * (constant[p]! + tau * (linear[p]! + tau * square[p]!));
      const inverse = 1 / Math.sqrt(rest);
      const fraction = 0.25 + Math.atan2(minor, rest * inverse * root) / (2 * Math.PI);
      const slope = (r[p]! * inverse) / (2 * Math.PI);
      const kernel = (root * inverse) / (2 * Math.PI) + minor * inverse * inverse * fraction;
      sum +=
        r[p]! * slope * kernel +
        tau * product * slope * fraction +
        fraction * inverse * (own[p]! * rest + t * (first[p]! + tau * second[p]!));
    }
    total += rule.weights[q]! * tau * sum;
  }
  return Math.max(0, scale * (head + total));
}
