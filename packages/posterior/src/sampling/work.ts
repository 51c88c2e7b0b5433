import type { RandomStream, Run, Task, TaskContext } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { bridgeEvidence, gaussianRatios, type BridgeOptions, type LogRatio } from "./bridge.js";
import { weightedDraws, type DrawPlan, type WeightedDraws } from "./importance.js";
import { hamiltonianRun, type ChainRun, type MarkovOptions } from "./markov.js";
import type { LaplaceFit, PosteriorTarget } from "./target.js";

/** A part of the sampling of one posterior, as plain data: what the target is made from, and the stream to draw from. */
export interface SamplingChunk<Data, Options> {
  readonly data: Data;
  readonly fit: LaplaceFit;
  readonly options: Options;
  readonly seed: number;
  readonly indices: readonly number[];
}

/** The parts of samplers that run in parallel, for targets of one kind. */
export interface SamplingTasks<Data> {
  /** One Hamiltonian chain. */
  readonly chain: Task<SamplingChunk<Data, Omit<MarkovOptions, "chains">>, ChainRun>;
  /** One estimate of the evidence along a path of bridges. */
  readonly bridge: Task<SamplingChunk<Data, BridgeOptions>, LogRatio>;
  /** Log ratios of the posterior to the fit at `draws` points of the fit. */
  readonly ratios: Task<SamplingChunk<Data, { readonly draws: number }>, Float64Array>;
  /** Some batches of importance draws. */
  readonly importance: Task<SamplingChunk<Data, DrawPlan>, WeightedDraws>;
}

/** A posterior that this thread and workers can evaluate: the target, and the data from which the tasks make it again. */
export interface SamplingSource<Data> {
  readonly target: PosteriorTarget;
  readonly data: Data;
  readonly tasks: SamplingTasks<Data>;
}

/** A task that rebuilds the target from the data of its chunk. `name`: under which `module` exports the task. */
function samplingTask<Data, Options, Result>(
  module: string,
  name: string,
  build: (data: Data) => PosteriorTarget,
  work: (
    target: PosteriorTarget,
    chunk: SamplingChunk<Data, Options>,
    random: RandomStream,
    tick: TaskContext["tick"],
  ) => Result | Promise<Result>,
): Task<SamplingChunk<Data, Options>, Result> {
  return {
    module,
    name,
    run: (chunk, { tick }) => work(build(chunk.data), chunk, stream(chunk.seed, samplingStreams, ...chunk.indices), tick),
  };
}

/** First index of all streams of samplers. */
export const samplingStreams = 7331;

/** Tasks for a kind of target; a module exports each of them under the name given. */
export const chainTask = <Data>(module: string, name: string, build: (data: Data) => PosteriorTarget): SamplingTasks<Data>["chain"] =>
  samplingTask(module, name, build, (target, { fit, options }, random, tick) => hamiltonianRun(target, fit, options, random, tick));
/** The evidence by a bridge between the fit and the target. */
export const bridgeTask = <Data>(module: string, name: string, build: (data: Data) => PosteriorTarget): SamplingTasks<Data>["bridge"] =>
  samplingTask(module, name, build, (target, { fit, options }, random, tick) => bridgeEvidence(target, fit, options, random, tick));
/** Importance ratios of draws from the fit. */
export const ratiosTask = <Data>(module: string, name: string, build: (data: Data) => PosteriorTarget): SamplingTasks<Data>["ratios"] =>
  samplingTask(module, name, build, (target, { fit, options }, random, tick) => gaussianRatios(target, fit, options.draws, random, tick));
/** Weighted draws from the fit. */
export const importanceTask = <Data>(
  module: string,
  name: string,
  build: (data: Data) => PosteriorTarget,
): SamplingTasks<Data>["importance"] =>
  samplingTask(module, name, build, (target, { fit, options }, random, tick) => weightedDraws(target, fit, options, random, tick));

/** Results of a map in the order of the chunks. */
export async function collect<A, B>(run: Run, task: Task<A, B>, chunks: readonly A[]): Promise<B[]> {
  const out: B[] = [];
  for await (const result of run.map(task, chunks)) out.push(result);
  return out;
}
