import {
  inputError,
  withLazy,
  zeros,
  type Figure,
  type Json,
  type Matrix,
  type MixingLaw,
  type Posterior,
  type Prediction,
  type Problem,
  type Run,
} from "@finitewidth/core";
import { identity, multiply, multiplyTransposedLeft, symmetricEigenvalues } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { mixingDraws, meanMixing, thinSample, type MixingDraws } from "../matrix/draws.js";
import { hiddenKernelSums, hiddenKernelsOnTraining } from "../matrix/hidden-kernels.js";
import { predictMatrix } from "../matrix/predict.js";
import { matrixTarget, type MatrixTarget } from "../matrix/target.js";
import { matrixSource } from "../matrix/work.js";
import { defaultSampling, samplePosterior, type SamplingOptions } from "../sampling/sample.js";
import type { PosteriorSample } from "../sampling/target.js";
import { eigenProblem, hiddenKernelLimit, hiddenKernelWarnings } from "../input-space/eigen-problem.js";
import { eigenbasis, overTrainingPoints, type Eigenbasis } from "../input-space/eigenbasis.js";
import { trainCross, trainDiagonal } from "../scalar/predict.js";
import { projectOn, type SpectralProblem } from "../spectrum/problem.js";
import { siteKernelDiagonal, type Spectrum } from "@finitewidth/numerics";
import { eigenvalueFigure } from "./eigenvalue-figure.js";
import { hasHiddenBias, lacksHiddenKernels, type PlainChain } from "./chain.js";
import type { ExactOptions } from "./options.js";
import type { LogDensityAt } from "./prior.js";
import type { MatrixState } from "./state.js";
import { outputRotation } from "./rotation.js";

/** Groups of draws, each with a form of its own (r × r) per layer, that learned kernels are averaged over at least. */
const leastGroups = 8;
/** Multiplications that predictions and learned kernels may take. */
const workLimit = 1e10;

/**
 * @throws FinitewidthError (code "input") at T = 0 for a singular posterior: a layer narrower than the outputs, or targets of rank below D.
 * A density of the prior (`density`) is finite at such targets too when all widths exceed rank K + D − 1, where E|Q|^{−rank/2} exists.
 */
function requireProper(problem: SpectralProblem, chain: PlainChain, path: string, density: boolean): void {
  if (problem.temperature > 0) return;
  const d = problem.targets.shape[1];
  const narrow = chain.widths.findIndex((width) => width < d);
  if (narrow >= 0)
    throw inputError(`network.widths[${narrow}]`, `at least ${d}, the number of outputs, when the temperature is 0`, chain.widths[narrow]);
  const values = symmetricEigenvalues(multiplyTransposedLeft(problem.targets, problem.targets));
  const independent = values.filter((value) => value > 1e-13 * values[d - 1]!).length;
  const finite = density && Math.min(...chain.widths) > problem.spectrum.values.length + d - 1;
  if (independent < d && !finite) throw inputError(path, `${d} linearly independent columns when the temperature is 0`, independent);
}

/**
 * A problem with several outputs (or biases in hidden layers) ready to sample: rotated targets and the posterior over chain coordinates.
 */
export interface MatrixProblem {
  readonly spectral: SpectralProblem;
  readonly rotation: Matrix;
  readonly target: MatrixTarget;
}

/**
 * Rotates the outputs of a problem and sets up the target. `path` names the targets in errors; `density` see `requireProper`. O(P r D +
 * D³).
 */
export function matrixProblem(given: SpectralProblem, chain: PlainChain, path = "targets", density = false): MatrixProblem {
  // A readout bias that T = 0 pins is no longer random.
  const effective = given.pinned === undefined ? chain : { ...chain, readoutBias: 0 };
  requireProper(given, effective, path, density);
  const rotation =
    given.targets.shape[1] === 1 ? identity(1) : outputRotation(given, Math.min(...effective.widths) < given.targets.shape[1]);
  const spectral = { ...given, targets: multiply(given.targets, rotation) };
  return { spectral, rotation, target: matrixTarget(effective, spectral) };
}

const laterBiases = (chain: PlainChain) => ({ readout: chain.readoutBias, hidden: hasHiddenBias(chain) });

/**
 * Fits any number of outputs and biases in any layer by sampling the chain of mixing matrices. One diagonalisation, O(P³) or O(P r²), then
 * O(L D³ + D² r) an evaluation of `samplePosterior`; predictions and hidden kernels when they are read.
 */
export async function fitMatrix(
  problem: Problem,
  law: MixingLaw,
  chain: PlainChain,
  learnedKernels: boolean,
  options: ExactOptions,
  run: Run,
): Promise<Posterior<ExactOptions, MatrixState>> {
  const found = eigenProblem(problem, law, laterBiases(chain), run, learnedKernels ? (leastGroups + 1) * chain.widths.length : 0);
  const { kept } = found;
  const { spectral, rotation, target } = matrixProblem(found.spectral, chain);
  run.signal?.throwIfAborted();
  const full = await samplePosterior(matrixSource(target, spectral), run, { ...defaultSampling, ...options });
  const { values } = kept;
  const points = problem.inputs.shape[0];
  const rank = values.length;
  const outputs = problem.targets.shape[1];
  const limit = Math.max(400, Math.floor(workLimit / (outputs * Math.max(rank, 1) * points)));
  const sample = full.batchCount === 1 ? full : thinSample(full, limit);
  const draws = mixingDraws(target, sample);
  const breathe = (): void => run.signal?.throwIfAborted();
  const offset = spectral.pinned?.bias ?? new Float64Array(outputs);
  const basis = eigenbasis(kept, law, problem.inputs);
  const order = meanMixing(draws, rotation);
  const unknown = lacksHiddenKernels(chain);
  // of what costs P² or more nothing is done before it is read
  const train = (): Prediction => trainPrediction(spectral, draws, rotation, offset, basis, breathe);
  let learnt: ReturnType<typeof learn> | undefined;
  const kernels = () => (learnt ??= learn(target, withVectors(spectral, basis.rows(0, points)), sample, breathe));
  const withKernels = learnedKernels && !unknown && points <= hiddenKernelLimit;
  const sampled = full.batchCount > 1;
  const { diagnostics } = full;
  const errors = {
    logEvidence: full.logEvidenceStandardError,
    orderParameter: outputs === 1 ? order.standardError.data[0]! : order.standardError,
  };
  const standardError = withKernels ? withLazy(errors, { hiddenKernels: () => kernels().standardError! }) : errors;
  const fitted = {
    theory: "exact",
    problem,
    options,
    state: {
      kind: "matrix" as const,
      ...kept,
      targets: spectral.targets,
      ones: spectral.ones,
      rotation,
      offset,
      mixing: draws.mixing,
      bias: draws.bias,
      weights: draws.weights,
      batches: Float64Array.from(draws.batches),
    },
    solver: { converged: full.warnings.length === 0, iterations: diagnostics.draws, residual: full.logEvidenceStandardError, jitter: 0 },
    logEvidence: full.logEvidence + (spectral.pinned?.logDensity ?? 0),
    orderParameter: outputs === 1 ? order.mean.data[0]! : order.mean,
    ...(sampled ? { standardError } : {}),
    diagnostics: {
      ...(diagnostics as unknown as { readonly [key: string]: Json }),
      dimension: target.dimension,
      rank,
      kept: draws.weights.length,
    },
    warnings: [
      ...spectral.warnings,
      ...full.warnings,
      ...(learnedKernels && !unknown ? hiddenKernelWarnings(points) : []),
      ...(unknown
        ? ["hidden kernels are left out: with skips they are known for networks without biases beyond the first layer only"]
        : []),
    ],
    figures: [mixingFigure(target, draws, run.seed)],
  };
  return withLazy(fitted, { train, ...(withKernels ? { hiddenKernels: () => kernels().mean } : {}) });
}

const withVectors = (problem: SpectralProblem, vectors: Matrix): SpectralProblem => ({
  ...problem,
  spectrum: { values: problem.spectrum.values, vectors },
});

/** Predictions at the training points, block by block. */
function trainPrediction(
  spectral: SpectralProblem,
  draws: MixingDraws,
  rotation: Matrix,
  offset: Float64Array,
  basis: Eigenbasis,
  breathe: () => void,
): Prediction {
  const { values } = spectral.spectrum;
  const points = spectral.nullity + values.length;
  const outputs = offset.length;
  const { mean, variance, ...errors } = overTrainingPoints(points, basis, (rows) => {
    const part = shifted(predictMatrix(spectral, draws, rotation, trainCross(rows, values), trainDiagonal(rows, values), breathe), offset);
    const spread = part.standardError;
    return {
      mean: part.mean.data,
      variance: part.variance.data,
      ...(spread ? { meanError: spread.mean.data, varianceError: spread.variance.data } : {}),
    } as Readonly<Record<"mean" | "variance" | "meanError" | "varianceError", Float64Array>>;
  });
  const matrix = (data: Float64Array): Matrix => ({ data, shape: [points, outputs] });
  return {
    mean: matrix(mean),
    variance: matrix(variance),
    ...("meanError" in errors ? { standardError: { mean: matrix(errors.meanError), variance: matrix(errors.varianceError) } } : {}),
  };
}

function learn(target: MatrixTarget, spectral: SpectralProblem, sample: PosteriorSample, breathe: () => void) {
  const [points, rank] = spectral.spectrum.vectors.shape;
  // every group of batches costs two products with the eigenvectors per layer
  const perGroup = target.chain.widths.length * points * Math.max(rank, 1) * (rank + points);
  const groups = sample.batchCount === 1 ? 1 : Math.min(sample.batchCount, Math.max(leastGroups, Math.floor(workLimit / perGroup)));
  return hiddenKernelsOnTraining(target, spectral, hiddenKernelSums(target, spectral, sample, groups, breathe));
}

function shifted(prediction: Prediction, offset: Float64Array): Prediction {
  const outputs = offset.length;
  return {
    ...prediction,
    mean: { data: prediction.mean.data.map((value, i) => value + offset[i % outputs]!), shape: prediction.mean.shape },
  };
}

/** Predicts from what `fitMatrix` left in `state`. O(P P* r + n D r (D + P*)) for n draws. */
export function predictFromMatrix(
  state: MatrixState,
  problem: Problem,
  law: MixingLaw,
  inputs: Matrix,
  joint: boolean,
  run: Run,
): Prediction {
  const { targets } = state;
  const outputs = targets.shape[1];
  const spectral: SpectralProblem = {
    spectrum: { values: state.values, vectors: zeros(0, 0) },
    targets,
    nullity: 0,
    residualSquare: 0,
    temperature: problem.temperature,
    ones: state.ones,
    readoutBias: 0,
    warnings: [],
  };
  const batches = Int32Array.from(state.batches);
  const draws: MixingDraws = {
    outputs,
    mixing: state.mixing,
    bias: state.bias,
    weights: state.weights,
    batches,
    batchCount: batches.reduce((most, batch) => Math.max(most, batch), 0) + 1,
  };
  const cross = eigenbasis(state, law, problem.inputs).cross(inputs);
  const prior = joint ? law.siteKernels(inputs)[0]! : siteKernelDiagonal(law, inputs);
  return shifted(
    predictMatrix(spectral, draws, state.rotation, cross, prior, () => run.signal?.throwIfAborted()),
    state.offset,
  );
}

/**
 * log density of f(X) (P × D) under the prior with a diagonalised kernel, by sampling the chain at T = 0; on the range of K where K is
 * singular. O(P r D) once and O(L D³ + D² r) an evaluation of `samplePosterior`.
 */
export async function matrixLogDensity(
  chain: PlainChain,
  kernel: Spectrum,
  value: Matrix,
  path: string,
  options: SamplingOptions,
  run: Run,
): Promise<LogDensityAt> {
  const { spectral, target } = matrixProblem(projectOn(kernel, value, 0, laterBiases(chain), path), chain, path, true);
  const sample = await samplePosterior(matrixSource(target, spectral), run, options);
  return {
    logDensity: sample.logEvidence + (spectral.pinned?.logDensity ?? 0),
    standardError: sample.logEvidenceStandardError,
    warnings: [...spectral.warnings, ...sample.warnings],
  };
}

/** Eigenvalues of Q under posterior and prior. */
function mixingFigure(target: MatrixTarget, draws: MixingDraws, seed: number): Figure {
  const d = draws.outputs;
  const matrixAt = (mixing: Float64Array, k: number): Matrix => ({ data: mixing.slice(k * d * d, (k + 1) * d * d), shape: [d, d] });
  const random = stream(seed, 9001);
  const x = new Float64Array(target.dimension);
  const prior = (): Matrix => {
    target.samplePrior(random, x);
    return matrixAt(mixingDraws(target, { points: [x], weights: Float64Array.of(1), batches: new Int32Array(1), batchCount: 1 }).mixing, 0);
  };
  return eigenvalueFigure(draws.weights, (k) => matrixAt(draws.mixing, k), prior, [
    { label: "infinite width", x: target.chain.variances.reduce((product, s) => product * s, 1) },
  ]);
}
