import {
  inputError,
  randomLayers,
  resolveArchitecture,
  zeros,
  type Matrix,
  type MixingLaw,
  type Posterior,
  type Prediction,
  type Problem,
  type RandomStream,
  type Run,
} from "@finitewidth/core";
import { gram, multiply, multiplyTransposedRight, solveLower } from "@finitewidth/linalg";
import {
  averageOverSites,
  blockDiagonal,
  expandSites,
  learnedFeatureCovariance,
  siteGeometryOf,
  type SiteGeometry,
  type StackedFeatures,
} from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { batchError, batchMean, batchSums, type BatchSums } from "../matrix/draws.js";
import type { ExactOptions } from "../exact/options.js";
import type { ExactState, SiteState } from "../exact/state.js";
import type { PosteriorSample } from "../sampling/target.js";
import { drawHiddenKernels, hasSiteMaps, networkCost, reducedTaps, type NetworkDrawing } from "./network-draw.js";
import { mapFigure, mixingFigures, siteLimit } from "./figures.js";
import { partReport } from "./parts.js";
import { addPrediction, eachConditional, finishPrediction, trainGiven, type PredictionSums, type SiteDraws } from "./predict.js";
import { isConfined, type SiteConditional } from "./conditional.js";
import { siteProblem, type SiteProblem } from "./problem.js";
import { drawsForAverages, drawsForNetworks, sampleSiteChain } from "./sample.js";
import { learnedWeightCovariance, type WeightConditional } from "./weight-space.js";

/** Whether hidden kernels above the first layer cannot be drawn: what a skip carries is not among the filters that are drawn. */
export const lacksDeeperKernels = ({ chain }: MixingLaw): boolean => chain.layers.some(({ skip }) => skip !== undefined);

/** What is said then. */
export const deeperKernelsLeftOut =
  "hidden kernels above the first layer are left out: with skips they are known where every layer of weights reads one site only";

/**
 * Exact posterior of a deep linear network over several sites (convolutions), any channels, biases, outputs, T ≥ 0; `problem` in standard
 * scaling. Evidence and averages over the mixing matrices by quadrature, importance sampling or Hamiltonian Monte Carlo according to the
 * number of coordinates; first hidden kernel in closed form given the chain, deeper ones by drawing the network.
 * Cost: (PD)³ + (PDS)² a draw. Source: docs/theories/convolution.md §6, §7; Bassetti et al. (2024).
 */
export async function fitSiteChain(
  problem: Problem,
  law: MixingLaw,
  options: ExactOptions,
  run: Run,
): Promise<Posterior<ExactOptions, SiteState>> {
  const sites = siteProblem(problem, law);
  if (problem.temperature === 0 && isConfined(sites))
    throw inputError(
      "likelihood.temperature",
      "a positive number: a narrow layer confines the outputs to a subspace, where they have no density",
      0,
    );
  const sample = await sampleSiteChain(sites, options, run);
  const draws = drawsForAverages(sample, sites.targets.length);
  const geometry = siteGeometryOf(law);
  const averages = averageDraws(sites, problem, draws, geometry, run);
  const parts = partReport(sites, draws, averages.mixing.mean, problem.targets, geometry);
  const { diagnostics, warnings } = sample;
  const error = sample.logEvidenceStandardError;
  const sampled = draws.batchCount > 1;
  const kernelErrors =
    averages.kernels !== undefined && (sampled || averages.kernels.length > 1)
      ? { hiddenKernels: averages.kernels.map(({ standardError }) => standardError) }
      : {};
  return {
    theory: "exact",
    problem,
    options,
    state: {
      kind: "sites",
      points: { data: flatten(draws.points, sites.layout.dimension), shape: [draws.points.length, sites.layout.dimension] },
      weights: draws.weights,
      batches: Float64Array.from(draws.batches),
      batchCount: draws.batchCount,
      rotation: sites.rotation,
      ...(averages.featureCovariance === undefined ? {} : { featureCovariance: averages.featureCovariance }),
      ...(parts?.order === undefined ? {} : { removed: parts.order.map(({ label }) => label) }),
    },
    solver: {
      converged: warnings.length === 0,
      iterations: diagnostics.draws,
      residual: diagnostics.logEvidenceSpread ?? error,
      jitter: 0,
    },
    logEvidence: sample.logEvidence,
    train: averages.train,
    orderParameter: averages.mixing.mean,
    ...(averages.kernels === undefined ? {} : { hiddenKernels: averages.kernels.map(({ mean }) => mean) }),
    ...(sampled
      ? { standardError: { logEvidence: error, orderParameter: averages.mixing.standardError, ...kernelErrors } }
      : "hiddenKernels" in kernelErrors
        ? { standardError: kernelErrors }
        : {}),
    diagnostics: {
      ...diagnostics,
      ...(diagnostics.path === undefined ? {} : { path: [...diagnostics.path] }),
      batchCount: draws.batchCount,
      kept: draws.points.length,
      dimension: sites.layout.dimension,
      sites: law.sites,
      ...parts?.diagnostics,
    },
    warnings: averages.kernels !== undefined && lacksDeeperKernels(law) ? [...warnings, deeperKernelsLeftOut] : warnings,
    figures: [
      ...(parts?.figures ?? mapFigure(law, averages.mixing.mean, geometry, sites.outputs)),
      ...mixingFigures(sites, draws, run.seed),
    ],
  };
}

const flatten = (points: readonly Float64Array[], dimension: number): Float64Array => {
  const out = new Float64Array(points.length * dimension);
  points.forEach((point, k) => out.set(point, k * dimension));
  return out;
};

interface MatrixAverage {
  readonly mean: Matrix;
  readonly standardError: Matrix;
}
interface Averages {
  readonly train: Prediction;
  readonly mixing: MatrixAverage;
  readonly kernels?: readonly MatrixAverage[];
  /** E[A]: posterior covariance of the first layer's filters over features. */
  readonly featureCovariance?: Matrix;
}

function addValues(sums: BatchSums, draws: SiteDraws, k: number, values: Float64Array): void {
  const batch = draws.batches[k]!;
  const weight = draws.weights[k]!;
  sums.weights[batch]! += weight;
  for (let i = 0; i < values.length; i++) sums.sums[batch * sums.size + i]! += weight * values[i]!;
}

function finish(sums: BatchSums, shape: readonly [number, number]): MatrixAverage {
  const mean = batchMean(sums);
  return { mean: { data: mean, shape }, standardError: { data: batchError(sums, mean), shape } };
}

function averageDraws(
  sites: SiteProblem,
  problem: Problem,
  draws: PosteriorSample,
  geometry: SiteGeometry | undefined,
  run: Run,
): Averages {
  const { outputs, law, rotation } = sites;
  const points = problem.targets.shape[0];
  const depth = law.chain.layers.length;
  let train: PredictionSums | undefined;
  const d = sites.layout.layers[0]!.rows;
  const mixing = batchSums(draws.batchCount, d * d);
  const features = geometry?.siteFeatures(problem.inputs);
  const reduced = sites.covariance.kind === "features" ? sites.covariance.features : undefined;
  const width = features?.[0]?.shape[1] ?? 0;
  const core = batchSums(draws.batchCount, width * width);
  eachConditional(
    sites,
    draws,
    (conditional, k) => {
      if (k % 16 === 0) run.signal?.throwIfAborted();
      if (problem.temperature > 0) {
        const f = trainGiven(sites, conditional);
        train = addPrediction(train, draws, k, f.mean, f.variance);
      }
      const { factors } = conditional;
      addValues(mixing, draws, k, gram(factors[0]!.f).data);
      if (reduced) addValues(core, draws, k, learnedFeatures(sites, conditional, reduced).data);
    },
    (done) => run.onProgress?.(done, draws.points.length, "averages over draws"),
  );
  const deeper =
    features && reduced && geometry && depth > 1 && hasSiteMaps(geometry) && !lacksDeeperKernels(law)
      ? deeperKernels(
          { problem: sites, weightVariance: weightVariances(problem, run), geometry, features, reduced, taps: reducedTaps(geometry) },
          draws,
          run,
        )
      : [];
  const turned = rotateMixing(finish(mixing, [d, d]), rotation, geometry?.siteBases?.[0], law.sites);
  return {
    // without noise the outputs at the training inputs are the targets
    train: train === undefined ? { mean: problem.targets, variance: zeros(points, outputs) } : finishPrediction(train, points, outputs),
    mixing: turned,
    ...(features ? { featureCovariance: finish(core, [width, width]).mean, kernels: [firstKernel(core, features, width), ...deeper] } : {}),
  };
}

/** σ_w² of layers 1 … L+1. */
const weightVariances = ({ network }: Problem, { registry }: Run): readonly number[] =>
  randomLayers(resolveArchitecture(registry, network).layers).map(({ weightVariance }) => weightVariance);

/** Covariance over features of the first layer's filters given the chain and the data. */
function learnedFeatures(sites: SiteProblem, conditional: SiteConditional | WeightConditional, features: StackedFeatures): Matrix {
  const channels = sites.law.chain.layers[0]!.width;
  if ("weights" in conditional) return learnedWeightCovariance(sites, conditional, features.width, channels);
  const { factors, alpha, root } = conditional;
  return learnedFeatureCovariance(features, factors[0]!.f, channels, { alpha, weight: 1, whiten: (b) => solveLower(root.factor, b) });
}

/** E[Ĝ²] … E[Ĝ^L], from one network at each of a few thousand draws. */
function deeperKernels(drawing: NetworkDrawing, draws: PosteriorSample, run: Run): MatrixAverage[] {
  const { problem } = drawing;
  const points = drawing.features[0]!.shape[0];
  const networks = drawsForNetworks(draws, problem.targets.length, networkCost(drawing));
  const sums = problem.law.chain.layers.slice(1).map(() => batchSums(networks.batchCount, points * points));
  const random: RandomStream = stream(run.seed, 7, 1);
  // the networks are drawn around the outputs at the points
  const { weights: _, ...onPoints } = problem;
  eachConditional(
    onPoints,
    networks,
    (conditional, k) => {
      if (k % 16 === 0) run.signal?.throwIfAborted();
      drawHiddenKernels(drawing, conditional as SiteConditional, random).forEach((kernel, l) =>
        addValues(sums[l]!, networks, k, kernel.data),
      );
    },
    (done) => run.onProgress?.(done, networks.points.length, "hidden kernels"),
  );
  return sums.map((sum) => finish(sum, [points, points]));
}

/** E[Ĝ¹] = mean_i Φ_i E[A] Φ_iᵀ, batch by batch. */
function firstKernel(core: BatchSums, features: readonly Matrix[], width: number): MatrixAverage {
  const points = features[0]!.shape[0];
  const kernels = batchSums(core.weights.length, points * points);
  core.weights.forEach((weight, b) => {
    if (weight === 0) return;
    kernels.weights[b] = weight;
    kernels.sums.set(
      averageOverSites(features, { data: core.sums.slice(b * width * width, (b + 1) * width * width), shape: [width, width] }).data,
      b * points * points,
    );
  });
  return finish(kernels, [points, points]);
}

/**
 * (O⊗1) M (O⊗1)ᵀ, then from reduced sites to all sites where these are few enough. Errors are those of the entries, rotated as if
 * independent.
 */
function rotateMixing({ mean, standardError }: MatrixAverage, rotation: Matrix, basis: Matrix | undefined, sites: number): MatrixAverage {
  const outputs = rotation.shape[0];
  const turn = zeros(outputs * sites, outputs * sites);
  for (let a = 0; a < outputs; a++)
    for (let b = 0; b < outputs; b++)
      for (let i = 0; i < sites; i++) turn.data[(a * sites + i) * outputs * sites + b * sites + i] = rotation.data[a * outputs + b]!;
  const full = basis !== undefined && basis.shape[0] <= siteLimit ? blockDiagonal(basis, outputs) : undefined;
  const apply = (m: Matrix, left: Matrix): Matrix => expandSites(left, m);
  const squared = (m: Matrix): Matrix => ({ data: m.data.map((value) => value * value), shape: m.shape });
  const mapped = full === undefined ? apply(mean, turn) : apply(apply(mean, turn), full);
  const variance =
    full === undefined ? apply(squared(standardError), squared(turn)) : apply(apply(squared(standardError), squared(turn)), squared(full));
  return { mean: mapped, standardError: { data: variance.data.map((value) => Math.sqrt(Math.max(0, value))), shape: variance.shape } };
}

/** E[Ĝ¹_ij | Y] between sites i and j of the first hidden layer on the training inputs: P × P, from a posterior of `fitSiteChain`. */
export function firstHiddenKernelBetweenSites(
  posterior: Posterior<ExactOptions, ExactState>,
  law: MixingLaw,
  i: number,
  j: number,
): Matrix {
  const features = siteGeometryOf(law)?.siteFeatures(posterior.problem.inputs);
  const covariance = posterior.state.kind === "sites" ? posterior.state.featureCovariance : undefined;
  const [left, right] = [features?.[i], features?.[j]];
  if (left === undefined || right === undefined || covariance === undefined)
    throw inputError("i, j", `sites of a convolutional network, less than ${features?.length ?? 0}`, [i, j]);
  return multiplyTransposedRight(multiply(left, covariance), right);
}
