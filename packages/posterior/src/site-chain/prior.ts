import {
  FinitewidthError,
  zeros,
  type Matrix,
  type MixingLaw,
  type PriorProblem,
  type PriorResult,
  type Run,
  type Tensor,
} from "@finitewidth/core";
import { multiply, multiplyTransposedRight } from "@finitewidth/linalg";
import { mixingMoments, stackSiteKernels, type MixingMoments, type SiteKernels } from "@finitewidth/numerics";
import { checkValues, collectLogDensities } from "../exact/prior.js";
import type { SamplingOptions } from "../sampling/sample.js";
import { isConfined } from "./conditional.js";
import { meanCovariance, siteProblem, type SiteProblem } from "./problem.js";
import { sampleSiteChain } from "./sample.js";
import { fourIndices } from "../four-indices.js";

/** Points up to which P⁴ tensors are given. */
const tensorLimit = 8;

/** Pairs of points as rows, pairs of sites as columns. */
function pairRows({ sites, rows, stacked }: SiteKernels, diagonalOnly: boolean): Matrix {
  const pairs = diagonalOnly ? rows : rows * rows;
  const out = zeros(pairs, sites * sites);
  for (let p = 0; p < pairs; p++) {
    const at = diagonalOnly ? p * rows + p : p;
    for (let c = 0; c < sites * sites; c++) out.data[p * sites * sites + c] = stacked.data[c * rows * rows + at]!;
  }
  return out;
}

/** Block of a covariance over (output, site) pairs: rows M_(ai)(bj), columns M_(ci)(ej), both over the pairs (i, j). */
function outputBlock(
  moments: MixingMoments,
  outputs: number,
  sites: number,
  [a, b, c, e]: readonly [number, number, number, number],
): { readonly mixing: Matrix; readonly bias: number; readonly left: Float64Array; readonly right: Float64Array } {
  const d = outputs * sites;
  const pair = (x: number, y: number, p: number): number => (x * sites + Math.floor(p / sites)) * d + y * sites + (p % sites);
  const n = sites * sites;
  const mixing = zeros(n, n);
  for (let p = 0; p < n; p++)
    for (let q = 0; q < n; q++) mixing.data[p * n + q] = moments.covariance.data[pair(a, b, p) * d * d + pair(c, e, q)]!;
  const cross = (x: number, y: number, z: number, w: number): Float64Array =>
    Float64Array.from({ length: n }, (_, q) => moments.biasMixingCovariance.data[(x * outputs + y) * d * d + pair(z, w, q)]!);
  return {
    mixing,
    bias: moments.biasCovariance.data[(a * outputs + b) * outputs * outputs + c * outputs + e]!,
    left: cross(c, e, a, b),
    right: cross(a, b, c, e),
  };
}

/** Cov(C_ab(pair), C_ce(pair')) of the conditional covariances of the outputs: pairs × pairs. */
function covarianceOfPairs(
  rows: Matrix,
  moments: MixingMoments,
  outputs: number,
  sites: number,
  which: readonly [number, number, number, number],
): Matrix {
  const { mixing, bias, left, right } = outputBlock(moments, outputs, sites, which);
  const out = multiplyTransposedRight(multiply(rows, mixing), rows);
  const [pairs, n] = rows.shape;
  const along = (weights: Float64Array, p: number): number => {
    let sum = 0;
    for (let q = 0; q < n; q++) sum += weights[q]! * rows.data[p * n + q]!;
    return sum;
  };
  const [lefts, rights] = [left, right].map((weights) => Float64Array.from({ length: pairs }, (_, p) => along(weights, p))) as [
    Float64Array,
    Float64Array,
  ];
  for (let p = 0; p < pairs; p++) for (let q = 0; q < pairs; q++) out.data[p * pairs + q]! += bias + lefts[p]! + rights[q]!;
  return out;
}

/** Moments over (output, site), or undefined with a warning when they would not fit. */
function momentsOf(law: MixingLaw, outputs: number, what: string, warnings: string[]): MixingMoments | undefined {
  try {
    return mixingMoments(law.chain, outputs);
  } catch (error) {
    if (!(error instanceof FinitewidthError) || error.code !== "memory") throw error;
    warnings.push(`${what} left out: ${error.message}`);
    return undefined;
  }
}

/**
 * Second moment, fourth cumulant, excess kurtosis and covariance of the last kernel of a deep linear network over several sites, in closed
 * form through E[M⊗M], biases included; log densities by sampling the chain. Quantities whose moments do not fit into memory are left out.
 * Source: docs/theories/convolution.md §5; docs/theories/exact.md.
 */
export async function siteChainPrior(
  problem: PriorProblem,
  law: MixingLaw,
  options: Partial<SamplingOptions>,
  run: Run,
): Promise<PriorResult> {
  const points = problem.inputs.shape[0];
  const kernels = stackSiteKernels(law.siteKernels(problem.inputs), law.sites);
  const warnings: string[] = [];
  const { sites } = law;
  const secondMoment = meanCovariance(law, { kind: "kernels", kernels });
  const one = momentsOf(law, 1, "excess kurtosis and fourth cumulant", warnings);
  const small = points <= tensorLimit;
  const two = small ? momentsOf(law, 2, "covariance of the kernel", warnings) : undefined;
  checkValues(problem);
  const at = (value: Matrix, path: string): SiteProblem =>
    siteProblem({ ...problem, targets: value, temperature: 0, scaling: "standard" }, law, undefined, path);
  const confined = problem.evaluateAt.length > 0 && isConfined(at(problem.evaluateAt[0]!, "evaluateAt[0]"));
  const densities = confined
    ? { warnings: ["log densities are left out: a narrow layer confines the outputs to a subspace, where they have no density"] }
    : await collectLogDensities(problem, (value, path) => siteChainLogDensity(at(value, path), options, run));
  return {
    secondMoment,
    ...(one === undefined
      ? {}
      : {
          excessKurtosis: excessKurtosis(kernels, one, secondMoment),
          ...(small ? { fourthCumulant: fourthCumulant(kernels, one, sites) } : {}),
        }),
    ...(two === undefined ? {} : { kernelCovariance: kernelCovariance(kernels, two, sites) }),
    // Ĝ^l is unbiased in a linear network
    kernelMeanShift: zeros(points, points),
    ...densities,
    warnings: [...warnings, ...densities.warnings],
  };
}

function excessKurtosis(kernels: SiteKernels, moments: MixingMoments, secondMoment: Matrix): Float64Array {
  const points = kernels.rows;
  const covariance = covarianceOfPairs(pairRows(kernels, true), moments, 1, kernels.sites, [0, 0, 0, 0]);
  return Float64Array.from({ length: points }, (_, mu) => {
    const variance = secondMoment.data[mu * points + mu]!;
    return variance > 0 ? (3 * covariance.data[mu * points + mu]!) / variance ** 2 : 0;
  });
}

function fourthCumulant(kernels: SiteKernels, moments: MixingMoments, sites: number): Tensor {
  const n = kernels.rows;
  const c = covarianceOfPairs(pairRows(kernels, false), moments, 1, sites, [0, 0, 0, 0]);
  const at = (i: number, j: number, k: number, l: number): number => c.data[(i * n + j) * n * n + k * n + l]!;
  return fourIndices(n, (i, j, k, l) => at(i, j, k, l) + at(i, k, j, l) + at(i, l, j, k));
}

/** Cov(K̂_ij, K̂_kl) = E f_1i f_1j f_2k f_2l − E f_1i f_1j E f_2k f_2l. */
function kernelCovariance(kernels: SiteKernels, moments: MixingMoments, sites: number): Tensor {
  const n = kernels.rows;
  const rows = pairRows(kernels, false);
  const [across, mixed] = [
    covarianceOfPairs(rows, moments, 2, sites, [0, 0, 1, 1]),
    covarianceOfPairs(rows, moments, 2, sites, [0, 1, 0, 1]),
  ];
  const at = (m: Matrix, i: number, j: number, k: number, l: number): number => m.data[(i * n + j) * n * n + k * n + l]!;
  return fourIndices(n, (i, j, k, l) => at(across, i, j, k, l) + at(mixed, i, k, j, l) + at(mixed, i, l, j, k));
}

/** log density of f(X) under the prior: the evidence at T = 0. */
async function siteChainLogDensity(problem: SiteProblem, options: Partial<SamplingOptions>, run: Run) {
  const sample = await sampleSiteChain(problem, options, run);
  return { logDensity: sample.logEvidence, standardError: sample.logEvidenceStandardError, warnings: sample.warnings };
}
