import type { Matrix, PriorResult, WishartChain } from "@finitewidth/core";
import { mixingMoments } from "@finitewidth/numerics";
import { fourIndices } from "../four-indices.js";

/** Points up to which P⁴ tensors are given. */
const tensorLimit = 8;

/**
 * Second moment, fourth cumulant, excess kurtosis of one output and the covariance of the entries of K̂^{L+1} for a chain of one site with
 * kernel K (P × P), biases included, in closed form: f | chain ~ N(0, M_1 ⊗ K + B ⊗ 11ᵀ), so the fourth cumulant of one output is
 * Σ_pairings Cov(M_11 K + B_11), and Cov(K̂_ij, K̂_kl) = E f_1i f_1j f_2k f_2l − E f_1i f_1j E f_2k f_2l. O(P⁴) for P ≤ 8, O(P²) above.
 * Source: docs/theories/exact.md, "Prior".
 */
export function priorMoments(chain: WishartChain, kernel: Matrix): PriorResult {
  const moments = mixingMoments(chain, 2);
  const points = kernel.shape[0];
  const k = (i: number, j: number): number => kernel.data[i * points + j]!;
  const [meanQ, meanB] = [moments.mean.data[0]!, moments.biasMean.data[0]!];
  // entries of pairs of outputs: (1,1) is 0, (1,2) is 1, (2,2) is 3 of the 4 × 4 covariances
  const entry = (p: number, q: number) => ({
    qq: moments.covariance.data[p * 4 + q]!,
    bq: moments.biasMixingCovariance.data[p * 4 + q]!,
    qb: moments.biasMixingCovariance.data[q * 4 + p]!,
    bb: moments.biasCovariance.data[p * 4 + q]!,
  });
  const bilinear = ({ qq, qb, bq, bb }: ReturnType<typeof entry>, x: number, y: number): number => qq * x * y + qb * x + bq * y + bb;
  const [same, across, mixed] = [entry(0, 0), entry(0, 3), entry(1, 1)];
  const cumulant = (i: number, j: number, m: number, n: number): number =>
    bilinear(same, k(i, j), k(m, n)) + bilinear(same, k(i, m), k(j, n)) + bilinear(same, k(i, n), k(j, m));
  const covariance = (i: number, j: number, m: number, n: number): number =>
    bilinear(across, k(i, j), k(m, n)) + bilinear(mixed, k(i, m), k(j, n)) + bilinear(mixed, k(i, n), k(j, m));
  const excessKurtosis = Float64Array.from({ length: points }, (_, i) => {
    const variance = meanQ * k(i, i) + meanB;
    // a zero input without biases: the limit of small inputs
    return variance > 0 ? (3 * bilinear(same, k(i, i), k(i, i))) / variance ** 2 : (3 * same.qq) / meanQ ** 2;
  });
  return {
    secondMoment: { data: kernel.data.map((value) => meanQ * value + meanB), shape: kernel.shape },
    ...(points <= tensorLimit ? { fourthCumulant: fourIndices(points, cumulant), kernelCovariance: fourIndices(points, covariance) } : {}),
    excessKurtosis,
    // Ĝˡ is unbiased in a linear network
    kernelMeanShift: { data: new Float64Array(points * points), shape: [points, points] },
    warnings: [],
  };
}
