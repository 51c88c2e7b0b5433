import {
  createPause,
  FinitewidthError,
  readoutOf,
  resolveArchitecture,
  type Architecture,
  type FiniteNetwork,
  type Problem,
  type Registry,
  type Task,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { addToMoments, emptyMoments, type ChainReport, type ChainState, type RunningMoments } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import type { MonteCarloOptions } from "../options.js";
import { batchCount, batchOf, mergeBatches, singleBatch, type BatchMeans } from "./batch-means.js";
import { readoutAt, type SamplingProblem } from "./densities.js";
import { openChain } from "./open-chain.js";

/** One chain to run. */
export interface ChainChunk {
  /** In standard scaling. */
  readonly problem: Problem;
  readonly options: MonteCarloOptions;
  readonly seed: number;
  readonly chain: number;
  /** Draws of the hidden parameters to keep. */
  readonly stored: number;
}

/** What one chain found. */
export interface ChainResult {
  /** f at the training inputs, conditioned on the hidden layers draw by draw. */
  readonly train: BatchMeans;
  /** Ĝ¹ … Ĝ^L, one running mean over batches for each. */
  readonly kernels: readonly RunningMoments[];
  /** Readout norm, D × D. */
  readonly readoutNorm: RunningMoments;
  /** Traces of the quantities that tell whether chains agree: one value per draw. */
  readonly traces: Readonly<Record<string, Float64Array>>;
  /** Hidden parameters of the stored draws, stored × parameters. */
  readonly theta: Float64Array;
  readonly report: ChainReport;
}

/** Outputs at training inputs whose traces are kept. */
const tracedOutputs = 16;
/** First index of the streams of chains; chunks of other computations of the same seed use others. */
const chainStreams = 1;

/** The network of a problem in standard scaling, realised on its training inputs. */
export function samplingProblem(problem: Problem, registry: Registry): SamplingProblem {
  const { network, inputs, targets, temperature } = problem;
  const architecture = resolveArchitecture(registry, network);
  return {
    network: realise(architecture, inputs, targets.shape[1]),
    targets,
    temperature,
    readoutBias: Math.sqrt(readoutOf(architecture).biasVariance),
  };
}

/** Whether an activation is piecewise constant: gradients of hidden weights vanish. */
export const isStepwise = ({ layers }: Architecture): boolean => {
  const steps = (list: Architecture["layers"]): boolean =>
    list.some(
      (layer) => (layer.kind === "pointwise" && layer.activation.degree === 0) || (layer.kind === "merge" && layer.branches.some(steps)),
    );
  return steps(layers);
};

/** Runs one chain: warm-up, then the records of every draw, the readout always conditioned on the hidden layers exactly (Rao–Blackwell). */
export const sampleChain: Task<ChainChunk, ChainResult> = {
  module: import.meta.url,
  name: "sampleChain",
  async run(chunk, { registry, tick }) {
    const { options } = chunk;
    const problem = samplingProblem(chunk.problem, registry);
    const random = stream(chunk.seed, chainStreams, chunk.chain);
    const hidden = problem.network.parameters - problem.network.readoutParameters;
    const recorder = createRecorder(problem, options, chunk.stored, hidden);
    const chain = openChain(problem, options, random, tick, isStepwise(resolveArchitecture(registry, chunk.problem.network)));
    const pause = createPause();
    for (;;) {
      const next = chain.next();
      if (next.done) return { ...recorder.finish(), report: next.value };
      if (!next.value.warmup) recorder.add(next.value, next.value.iteration - options.warmup);
      await pause();
    }
  },
};

function createRecorder(problem: SamplingProblem, options: MonteCarloOptions, stored: number, hidden: number) {
  const { draws } = options;
  const [points, outputs] = problem.targets.shape;
  const size = points * outputs;
  const batches = batchCount(draws);
  const scratch = new Float64Array(problem.network.parameters);
  const traced = Array.from({ length: Math.min(size, tracedOutputs) }, (_, k) => Math.floor((k * size) / Math.min(size, tracedOutputs)));
  const traces: Record<string, Float64Array> = {
    "log density": new Float64Array(draws),
    "log likelihood": new Float64Array(draws),
    "readout norm": new Float64Array(draws),
  };
  for (const i of traced) traces[`f[${Math.floor(i / outputs)}, ${i % outputs}]`] = new Float64Array(draws);
  const theta = new Float64Array(stored * hidden);
  const readoutNorm = emptyMoments(outputs * outputs);

  let train: BatchMeans | undefined;
  let kernels: RunningMoments[] | undefined;
  let [sumMean, sumSecond, sumNorm] = [new Float64Array(size), new Float64Array(size), new Float64Array(outputs * outputs)];
  let sumKernels: Float64Array[] = [];
  let [count, batch, kept] = [0, 0, 0];

  const closeBatch = (): void => {
    const averaged = (sum: Float64Array): Float64Array => sum.map((value) => value / count);
    const single = singleBatch(averaged(sumMean), averaged(sumSecond));
    train = train === undefined ? single : mergeBatches(train, single);
    kernels ??= sumKernels.map((sum) => emptyMoments(sum.length));
    sumKernels.forEach((sum, l) => addToMoments(kernels![l]!, averaged(sum)));
    addToMoments(readoutNorm, averaged(sumNorm));
    [sumMean, sumSecond, sumNorm] = [new Float64Array(size), new Float64Array(size), new Float64Array(outputs * outputs)];
    sumKernels = [];
    count = 0;
  };
  return {
    add(state: ChainState, draw: number): void {
      if (batchOf(draw, draws, batches) !== batch) {
        closeBatch();
        batch++;
      }
      const position = state.position.subarray(0, hidden);
      const { readout, state: network } = readoutAt(problem, position, scratch);
      const { mean, variance } = readout.train();
      for (let i = 0; i < size; i++) {
        sumMean[i]! += mean.data[i]!;
        sumSecond[i]! += variance[Math.floor(i / outputs)]! + mean.data[i]! ** 2;
      }
      const norm = readout.readoutNorm();
      let trace = 0;
      for (let i = 0; i < norm.data.length; i++) sumNorm[i]! += norm.data[i]!;
      for (let d = 0; d < outputs; d++) trace += norm.data[d * (outputs + 1)]!;
      network.hiddenKernels().forEach((kernel, l) => {
        const sum = (sumKernels[l] ??= new Float64Array(kernel.data.length));
        let diagonal = 0;
        for (let i = 0; i < sum.length; i++) sum[i]! += kernel.data[i]!;
        for (let i = 0; i < points; i++) diagonal += kernel.data[i * (points + 1)]!;
        (traces[`trace of hidden kernel ${l + 1}`] ??= new Float64Array(draws))[draw] = diagonal;
      });
      let prior = 0;
      for (const value of position) prior -= 0.5 * value * value;
      traces["log density"]![draw] = readout.logLikelihood + prior;
      traces["log likelihood"]![draw] = readout.logLikelihood;
      traces["readout norm"]![draw] = trace;
      for (const i of traced) traces[`f[${Math.floor(i / outputs)}, ${i % outputs}]`]![draw] = mean.data[i]!;
      if (!Number.isFinite(readout.logLikelihood) || mean.data.some((value) => !Number.isFinite(value))) {
        throw new FinitewidthError(`draw ${draw} of a chain is not a number; the network overflows at the sampled weights`, {
          code: "not-converged",
        });
      }
      if (Math.floor(((draw + 1) * stored) / draws) > kept) theta.set(position, kept++ * hidden);
      count++;
    },
    finish(): Omit<ChainResult, "report"> {
      closeBatch();
      return { train: train!, kernels: kernels!, readoutNorm, traces, theta };
    },
  };
}

/** Numbers per draw that predictions need. */
export const hiddenParameters = (network: FiniteNetwork): number => network.parameters - network.readoutParameters;
