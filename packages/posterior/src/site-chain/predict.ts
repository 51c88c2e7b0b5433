import { zeros, type Matrix, type MixingLaw, type Prediction } from "@finitewidth/core";
import {
  affine,
  gram,
  identity,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solveCholesky,
  solveLower,
  transpose,
} from "@finitewidth/linalg";
import { outputDesign, siteCovariance, stackSiteKernels, type SiteKernels, type StackedFeatures } from "@finitewidth/numerics";
import { batchError, batchMean, batchSums, type BatchSums } from "../matrix/draws.js";
import type { PosteriorSample } from "../sampling/target.js";
import { addBiases, conditionOnChain, type SiteConditional } from "./conditional.js";
import { siteCovarianceOf, type SiteProblem } from "./problem.js";
import { conditionOnWeights, type WeightConditional } from "./weight-space.js";

/** The draws that averages are taken over. */
export type SiteDraws = Pick<PosteriorSample, "points" | "weights" | "batches" | "batchCount">;

/** Calls `visit` with the Gaussian posterior given each draw's chain. */
export function eachConditional(
  problem: SiteProblem,
  draws: SiteDraws,
  visit: (conditional: SiteConditional | WeightConditional, k: number) => void,
  onDraw?: (done: number) => void,
): void {
  draws.points.forEach((x, k) => {
    const conditional = problem.weights ? conditionOnWeights(problem, problem.weights, x) : conditionOnChain(problem, x);
    if (conditional !== undefined) visit(conditional, k);
    onDraw?.(k + 1);
  });
}

/** Sums of means m and of c + (m − origin)² for mean and variance of the outputs by the law of total variance; point-major. */
export interface PredictionSums {
  readonly origin: Float64Array;
  readonly first: BatchSums;
  readonly second: BatchSums;
}

export function addPrediction(
  sums: PredictionSums | undefined,
  draws: SiteDraws,
  k: number,
  mean: Float64Array,
  variance: Float64Array,
): PredictionSums {
  const size = mean.length;
  // second moments about the first draw's mean: nothing cancels
  const into = sums ?? { origin: mean.slice(), first: batchSums(draws.batchCount, size), second: batchSums(draws.batchCount, size) };
  const batch = draws.batches[k]!;
  const weight = draws.weights[k]!;
  into.first.weights[batch]! += weight;
  into.second.weights[batch]! += weight;
  for (let i = 0; i < size; i++) {
    const m = mean[i]! - into.origin[i]!;
    into.first.sums[batch * size + i]! += weight * m;
    into.second.sums[batch * size + i]! += weight * (variance[i]! + m * m);
  }
  return into;
}

export function finishPrediction({ origin, first, second }: PredictionSums, points: number, outputs: number): Prediction {
  const size = origin.length;
  const shape = [points, outputs] as const;
  const shift = batchMean(first);
  const square = batchMean(second);
  const mean = { data: origin.map((value, i) => value + shift[i]!), shape };
  const variance = { data: square.map((value, i) => Math.max(0, value - shift[i]! ** 2)), shape };
  const used = first.weights.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0);
  if (used < 2) return { mean, variance };
  // a batch moves the variance by its excess of c + m² less 2 E m times its excess of m
  const influence = { ...second, sums: second.sums.map((value, i) => value - 2 * shift[i % size]! * first.sums[i]!) };
  return {
    mean,
    variance,
    standardError: {
      mean: { data: batchError(first, shift), shape },
      variance: { data: batchError(influence, batchMean(influence)), shape },
    },
  };
}

/** Means and variances of the outputs, rotated back, from means over (output, point) and the D × D covariance at every point. */
function rotateBack(
  problem: SiteProblem,
  means: Float64Array,
  covariance: (a: number, b: number, mu: number) => number,
  points: number,
): { readonly mean: Float64Array; readonly variance: Float64Array } {
  const { outputs, rotation } = problem;
  const mean = new Float64Array(points * outputs);
  const variance = new Float64Array(points * outputs);
  for (let mu = 0; mu < points; mu++) {
    for (let b = 0; b < outputs; b++) {
      let [m, v] = [0, 0];
      for (let a = 0; a < outputs; a++) {
        const weight = rotation.data[b * outputs + a]!;
        m += weight * means[a * points + mu]!;
        for (let c = 0; c < outputs; c++) v += weight * rotation.data[b * outputs + c]! * covariance(a, c, mu);
      }
      mean[mu * outputs + b] = m;
      variance[mu * outputs + b] = Math.max(0, v);
    }
  }
  return { mean, variance };
}

/** f at the training inputs given the chain, T > 0: y − T(Σ + T)⁻¹y and T − T²(Σ + T)⁻¹. */
export function trainGiven(
  problem: SiteProblem,
  conditional: SiteConditional | WeightConditional,
): { readonly mean: Float64Array; readonly variance: Float64Array } {
  if ("weights" in conditional && problem.covariance.kind === "features")
    return predictFromWeights(problem, conditional, problem.covariance.features);
  const { alpha, root } = conditional as SiteConditional;
  const { targets, temperature, points } = problem;
  const size = targets.length;
  const means = targets.map((y, k) => y - temperature * alpha[k]!);
  const inverse = solveCholesky(root, identity(size)).data;
  return rotateBack(
    problem,
    means,
    (a, b, mu) => (a === b ? temperature : 0) - temperature * temperature * inverse[(a * points + mu) * size + b * points + mu]!,
    points,
  );
}

/** f = Ψ θ at some points, θ | Y, chain ~ N(A⁻¹b, T A⁻¹). O(n² P D) for n weights. */
function predictFromWeights(
  problem: SiteProblem,
  { factors, root, weights }: WeightConditional,
  features: StackedFeatures,
): { readonly mean: Float64Array; readonly variance: Float64Array } {
  const { outputs, temperature } = problem;
  const { points } = features;
  const design = outputDesign(features, factors[0]!.f);
  const width = outputs * points;
  const half = solveLower(root.factor, transpose(design));
  const rows = half.shape[0];
  return rotateBack(
    problem,
    multiply(design, { data: weights, shape: [weights.length, 1] }).data,
    (a, b, mu) => {
      let sum = 0;
      for (let k = 0; k < rows; k++) sum += half.data[k * width + a * points + mu]! * half.data[k * width + b * points + mu]!;
      return temperature * sum;
    },
    points,
  );
}

/** Kernels, or features, at test inputs. */
export type TestKernels =
  | { readonly kind: "kernels"; readonly points: number; readonly cross: SiteKernels; readonly own: SiteKernels }
  | { readonly kind: "features"; readonly points: number; readonly features: StackedFeatures };

const ownBlock = 16;

/** K_ij(x, x) for every test input: S² × P*. */
function ownDiagonal(law: MixingLaw, inputs: Matrix): SiteKernels {
  const [points, size] = inputs.shape;
  const stacked = zeros(law.sites * law.sites, points);
  for (let from = 0; from < points; from += ownBlock) {
    const count = Math.min(ownBlock, points - from);
    const kernels = law.siteKernels({ data: inputs.data.subarray(from * size, (from + count) * size), shape: [count, size] });
    kernels.forEach((kernel, pair) => {
      for (let mu = 0; mu < count; mu++) stacked.data[pair * points + from + mu] = kernel.data[mu * count + mu]!;
    });
  }
  return { sites: law.sites, rows: points, columns: 1, stacked };
}

export function testKernels(law: MixingLaw, train: Matrix, inputs: Matrix, joint: boolean): TestKernels {
  const points = inputs.shape[0];
  const own = siteCovarianceOf(law, inputs);
  if (own.kind === "features") return { ...own, points };
  return {
    kind: "kernels",
    points,
    cross: stackSiteKernels(law.siteKernels(train, inputs), law.sites),
    own: joint ? own.kernels : ownDiagonal(law, inputs),
  };
}

/** Training × test covariance and that of the test outputs: all pairs, or (D P*) × D with every point paired with itself. */
function testCovariances(
  problem: SiteProblem,
  { factors, design, mixing }: SiteConditional,
  kernels: TestKernels,
  joint: boolean,
): { readonly cross: Matrix; readonly own: Matrix } {
  const { outputs } = problem;
  const factor = factors[0]!.f;
  let [cross, own]: [Matrix | undefined, Matrix | undefined] = [undefined, undefined];
  if (kernels.kind === "kernels") {
    const m = gram(factor);
    cross = siteCovariance(kernels.cross, outputs, m);
    own = siteCovariance(kernels.own, outputs, m);
  } else {
    const there = outputDesign(kernels.features, factor);
    cross = multiplyTransposedRight(design!, there);
    own = joint ? gram(there) : pairedOutputs(there, outputs);
  }
  addBiases(problem, cross, mixing);
  addBiases(problem, own, mixing);
  return { cross, own };
}

/** Rows (a, μ), columns b: Ψ_(aμ) · Ψ_(bμ). */
function pairedOutputs(design: Matrix, outputs: number): Matrix {
  const [rows, width] = design.shape;
  const points = rows / outputs;
  const out = zeros(rows, outputs);
  for (let r = 0; r < rows; r++) {
    for (let b = 0; b < outputs; b++) {
      const other = b * points + (r % points);
      let sum = 0;
      for (let k = 0; k < width; k++) sum += design.data[r * width + k]! * design.data[other * width + k]!;
      out.data[r * outputs + b] = sum;
    }
  }
  return out;
}

/** f at test inputs given the chain: Cᵀα and C* − Cᵀ(Σ + T)⁻¹C, point by point. O((PD)² P* D). */
export function predictGiven(
  problem: SiteProblem,
  given: SiteConditional | WeightConditional,
  kernels: TestKernels,
): { readonly mean: Float64Array; readonly variance: Float64Array } {
  if ("weights" in given && kernels.kind === "features") return predictFromWeights(problem, given, kernels.features);
  const conditional = given as SiteConditional;
  const { outputs } = problem;
  const { points } = kernels;
  const { cross, own } = testCovariances(problem, conditional, kernels, false);
  const half = solveLower(conditional.root.factor, cross);
  const rows = half.shape[0];
  const width = outputs * points;
  return rotateBack(
    problem,
    projectedMeans(conditional, cross),
    (a, b, mu) => {
      let sum = own.data[(a * points + mu) * outputs + b]!;
      for (let k = 0; k < rows; k++) sum -= half.data[k * width + a * points + mu]! * half.data[k * width + b * points + mu]!;
      return sum;
    },
    points,
  );
}

const projectedMeans = ({ alpha }: SiteConditional, cross: Matrix): Float64Array =>
  multiplyTransposedLeft(cross, { data: alpha, shape: [alpha.length, 1] }).data;

/** The joint law given the chain, not rotated back: means and covariance over (output, point). */
export function predictJointly(
  problem: SiteProblem,
  given: SiteConditional | WeightConditional,
  kernels: TestKernels,
): { readonly mean: Float64Array; readonly covariance: Matrix } {
  if ("weights" in given && kernels.kind === "features") {
    const { factors, root, weights } = given;
    const design = outputDesign(kernels.features, factors[0]!.f);
    const half = solveLower(root.factor, transpose(design));
    return {
      mean: multiply(design, { data: weights, shape: [weights.length, 1] }).data,
      covariance: affine(problem.temperature, multiplyTransposedLeft(half, half)),
    };
  }
  const conditional = given as SiteConditional;
  const { cross, own } = testCovariances(problem, conditional, kernels, true);
  const half = solveLower(conditional.root.factor, cross);
  const reduction = multiplyTransposedLeft(half, half);
  return {
    mean: projectedMeans(conditional, cross),
    covariance: { data: own.data.map((value, k) => value - reduction.data[k]!), shape: own.shape },
  };
}
