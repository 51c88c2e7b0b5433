import {
  hiddenWidths,
  likelihoodOf,
  readoutOf,
  resolveArchitecture,
  stackRows,
  toStandardScaling,
  zeros,
  type FiniteNetworkState,
  type Likelihood,
  type Matrix,
  type NetworkDraw,
  type Observable,
  type Problem,
  type Registry,
  type Task,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { block, diagonalOf, innerProduct, multiply, multiplyTransposedLeft, multiplyTransposedRight } from "@finitewidth/linalg";
import { conditionTargets, predictGaussianProcess, type ConditionedTargets } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { accumulate, type SufficientSums } from "./sufficient-sums.js";

/** One chunk of networks drawn from the prior. */
export interface SampleChunk {
  readonly problem: Problem;
  readonly testInputs: Matrix;
  readonly testTargets?: Matrix;
  readonly of: "prior" | "posterior";
  /** Names of the observables that are wanted. */
  readonly quantities: readonly string[];
  readonly samples: number;
  readonly seed: number;
  readonly index: number;
}

/**
 * Draws networks from the prior and sums, Rao–Blackwellised over the readout, the terms of the wanted observables: given the hidden
 * layers the outputs are Gaussian with kernel K̂ = ΦΦᵀ + σ_b², so a draw contributes its exact conditional moments with weight N(Y | 0, K̂
 * + T). No theory enters.
 */
export const sampleNetworks: Task<SampleChunk, SufficientSums> = {
  module: import.meta.url,
  name: "sampleNetworks",
  run(chunk, { registry, tick }) {
    const problem = toStandardScaling(chunk.problem, registry);
    const architecture = resolveArchitecture(registry, problem.network);
    const posterior = chunk.of === "posterior";
    const inputs = posterior ? stackRows(problem.inputs, chunk.testInputs) : problem.inputs;
    const likelihood = likelihoodOf(problem, registry);
    const network = realise(architecture, inputs, likelihood?.latents(problem.targets.shape[1]) ?? problem.targets.shape[1]);
    const observed = likelihood && posterior ? observeOutputs(likelihood, problem.targets) : undefined;
    const random = stream(chunk.seed, chunk.index);
    const theta = new Float64Array(network.parameters);
    const bias = readoutOf(architecture).biasVariance;
    const readout = { bias, width: hiddenWidths(architecture).at(-1)! };
    const points = problem.inputs.shape[0];
    const answers = chunk.testTargets ? { testTargets: chunk.testTargets } : {};
    const termsOf = termsOfObservables(chunk, registry, hiddenWidths(architecture).length);

    const sums: Record<string, Float64Array> = {};
    let [logScale, weight, weightSquared] = [-Number.MAX_VALUE, 0, 0];
    for (let s = 0; s < chunk.samples; s++) {
      if (s % 256 === 0) tick(s / chunk.samples);
      random.normals(theta);
      const state = network.forward(theta);
      const kernel = multiplyTransposedRight(state.features, state.features);
      if (bias !== 0) for (let i = 0; i < kernel.data.length; i++) kernel.data[i]! += bias;
      let kernels: readonly Matrix[] | undefined;
      const draw = { kernel, points, ...answers, hiddenKernels: () => (kernels ??= trainingKernels(state, points)) };
      if (!posterior) {
        accumulate(sums, termsOf(draw), 1);
        continue;
      }
      const { logWeight, ...conditional } = observed ? observed(state.outputs) : conditionOnTargets(kernel, problem, readout);
      if (logWeight > logScale) {
        const factor = Math.exp(logScale - logWeight);
        weight *= factor;
        weightSquared *= factor * factor;
        for (const total of Object.values(sums)) for (let i = 0; i < total.length; i++) total[i]! *= factor;
        logScale = logWeight;
      }
      const w = Math.exp(logWeight - logScale);
      weight += w;
      weightSquared += w * w;
      accumulate(sums, termsOf({ ...draw, conditional }), w);
    }
    if (!posterior) return { samples: chunk.samples, logScale: 0, weight: chunk.samples, weightSquared: chunk.samples, sums };
    return { samples: chunk.samples, logScale, weight, weightSquared, sums };
  },
};

/** Terms of the wanted observables; shared ones once. */
function termsOfObservables(
  { of, quantities }: SampleChunk,
  registry: Registry,
  layers: number,
): (draw: NetworkDraw) => Readonly<Record<string, Float64Array>> {
  const wanted = registry.observables.filter((observable) => observable.of === of && quantities.includes(observable.name));
  const same = (a: Observable, b: Observable): boolean => a.terms === b.terms && a.perLayer === b.perLayer;
  const distinct = wanted.filter((one, i) => wanted.findIndex((other) => same(one, other)) === i);
  return (draw) => {
    const terms: Record<string, Float64Array> = {};
    for (const observable of distinct)
      for (let l = 1; l <= (observable.perLayer ? layers : 1); l++) Object.assign(terms, observable.terms(draw, l));
    return terms;
  };
}

const trainingKernels = (state: FiniteNetworkState, points: number): Matrix[] =>
  state.hiddenKernels().map((kernel) => (kernel.shape[0] === points ? kernel : block(kernel, 0, points, 0, points)));

/** Weight p(Y | f) and outputs of networks whose readout is drawn too, for likelihoods other than Gaussian noise. */
function observeOutputs(likelihood: Likelihood, targets: Matrix) {
  const observation = likelihood.observe(targets);
  const lift = likelihood.contrasts(targets.shape[1]);
  return (outputs: Matrix): { readonly logWeight: number } & NonNullable<NetworkDraw["conditional"]> => {
    const n = outputs.shape[0];
    return {
      logWeight: observation.evaluate(outputs.data.subarray(0, targets.shape[0] * observation.latents)),
      mean: lift ? multiply(outputs, lift) : outputs,
      variance: new Float64Array(n),
      covariance: () => zeros(n, n),
      ...(likelihood.probabilities ? { probabilities: likelihood.probabilities(outputs) } : {}),
    };
  };
}

/** log N(Y | 0, K̂ + T), and mean and variance of f at all inputs given Y. O(P³ + P² n). */
function conditionOnTargets(
  kernel: Matrix,
  { targets, temperature }: Problem,
  { bias, width }: { readonly bias: number; readonly width: number },
): { readonly logWeight: number } & NonNullable<NetworkDraw["conditional"]> {
  const P = targets.shape[0];
  const n = kernel.shape[0];
  const training = block(kernel, 0, P, 0, P);
  const process = conditionTargets(training, targets, temperature);
  const cross = block(kernel, 0, P, 0, n);
  const { mean, variance } = predictGaussianProcess(process, cross, diagonalOf(kernel));
  return {
    logWeight: process.logEvidence,
    mean,
    variance,
    covariance: () => predictGaussianProcess(process, cross, kernel).covariance!,
    readoutNorm: () => readoutNorm(process, { data: training.data.map((value) => value - bias), shape: training.shape }, width),
  };
}

/** [RᵀΦΦᵀR + 1 (N − tr (K̂ + T)⁻¹ΦΦᵀ)]/N with R = (K̂ + T)⁻¹Y and ΦΦᵀ = K̂ − σ_b²: D × D. */
function readoutNorm(process: ConditionedTargets, features: Matrix, width: number): Matrix {
  const norm = multiplyTransposedLeft(process.weights, multiply(features, process.weights));
  const prior = width - innerProduct(process.resolvent(), features);
  const D = norm.shape[0];
  for (let d = 0; d < D; d++) norm.data[d * D + d]! += prior;
  return { data: norm.data.map((value) => value / width), shape: norm.shape };
}
