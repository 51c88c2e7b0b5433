import {
  hiddenWidths,
  readoutOf,
  resolveArchitecture,
  toStandardScaling,
  type EvidenceGradient,
  type Matrix,
  type Network,
  type Prediction,
  type Problem,
  type Registry,
} from "@finitewidth/core";
import { projectTargets, requireInRange, spanConstant, spectrumOf, isClearlyOfRank } from "@finitewidth/numerics";
import { infiniteWidthKernels } from "./network-law.js";

/** A readout bias that noiseless data fix, because what the weights make cannot contain a constant. */
export interface PinnedBias {
  /** One for each output. */
  readonly values: Float64Array;
  /** σ_b² of the readout, in standard scaling. */
  readonly variance: number;
  /** What it adds to the log density of the targets on the range of the kernel. */
  readonly logDensity: number;
  /** The network without it, and what it leaves of the targets. */
  readonly network: Network;
  readonly targets: Matrix;
}

/**
 * At T = 0 outputs f = g + b, g in the range of the kernel K without the readout bias: along u, the unit vector of what the constant vector
 * has outside that range, uᵀf = b uᵀ1, so that b = uᵀY/uᵀ1 and its log density is log N(b | 0, σ_b²) − log|uᵀ1|. The range is the same at
 * every width. Undefined without a bias and where the range holds the constant vector. O(P³).
 * @throws FinitewidthError (code "input") for targets outside the range of K and the constant vector.
 */
export function pinReadoutBias(problem: Problem, registry: Registry): PinnedBias | undefined {
  const variance = readoutOf(resolveArchitecture(registry, toStandardScaling(problem, registry).network)).biasVariance;
  if (!(variance > 0)) return undefined;
  const readout = hiddenWidths(resolveArchitecture(registry, problem.network)).length;
  const network = registry
    .priorModel(problem.network.type)
    .vary(problem.network, { biasVariance: (value, layer) => (layer === readout ? 0 : value) }, registry);
  const architecture = resolveArchitecture(registry, network);
  if (readoutOf(architecture).biasVariance > 0) return undefined;
  const kernel = infiniteWidthKernels(architecture, problem.inputs).preactivation.at(-1)!;
  if (isClearlyOfRank(kernel, kernel.shape[0])) return undefined;
  const range = spectrumOf(kernel);
  const { values, vectors } = spanConstant(range);
  const [points, rank] = vectors.shape;
  if (rank === range.values.length) return undefined;
  const { targets } = problem;
  requireInRange(projectTargets({ values, vectors }, targets), targets);
  let ones = 0;
  const outputs = targets.shape[1];
  const along = new Float64Array(outputs);
  for (let i = 0; i < points; i++) {
    const u = vectors.data[i * rank]!;
    ones += u;
    for (let a = 0; a < outputs; a++) along[a]! += u * targets.data[i * outputs + a]!;
  }
  const bias = along.map((value) => value / ones);
  const logDensity = bias.reduce(
    (sum, b) => sum - 0.5 * (Math.log(2 * Math.PI * variance) + (b * b) / variance) - Math.log(Math.abs(ones)),
    0,
  );
  return {
    values: bias,
    variance,
    logDensity,
    network,
    targets: { data: targets.data.map((y, at) => y - bias[at % outputs]!), shape: targets.shape },
  };
}

/** Outputs with the bias added back. */
export function withBias(prediction: Prediction, bias: PinnedBias | undefined): Prediction {
  if (bias === undefined) return prediction;
  const { mean } = prediction;
  return { ...prediction, mean: { data: mean.data.map((value, at) => value + bias.values[at % mean.shape[1]]!), shape: mean.shape } };
}

/** The derivative in log σ_b² of the readout, Σ_a (b_a²/σ_b² − 1)/2, put in; undefined where mean-field scaling ties σ_b² to the width. */
export function withBiasGradient(gradient: EvidenceGradient, bias: PinnedBias, problem: Problem): EvidenceGradient | undefined {
  if (problem.scaling !== "standard") return undefined;
  const own = bias.values.reduce((sum, b) => sum + 0.5 * ((b * b) / bias.variance - 1), 0);
  return { ...gradient, logBiasVariance: [...gradient.logBiasVariance.slice(0, -1), own] };
}
