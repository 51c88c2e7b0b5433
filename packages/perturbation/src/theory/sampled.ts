import type { Matrix, Problem, Task } from "@finitewidth/core";
import { stackRows, zeros } from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { block, innerProduct } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { gaussianPieces } from "../posterior/gaussian-pieces.js";
import { accumulateProjection, type SampledProjection } from "../sampled/accumulate.js";
import { sampleChainBatch } from "../sampled/chain-sampler.js";
import { drawKernels } from "../sampled/network-draws.js";
import { averageSites, chainOf, createSetting, type Setting } from "./setting.js";
import { combineMatrices, combineProjections, testRows, trainingBlock, trainingRows, type Batch } from "./batch.js";
import type { Engine } from "./options.js";

/** One batch of a sampled engine, for the training points or for a block of test points. */
export interface SampledChunk {
  /** In standard scaling. */
  readonly problem: Problem;
  readonly engine: Engine;
  /** log2 of the draws of this batch. */
  readonly log2Draws: number;
  readonly seed: number;
  readonly batch: number;
  /** Test points; none: the training points see the fluctuation. */
  readonly test?: Matrix;
  readonly covariance: boolean;
}

/** Evaluates one batch. */
export const sampledBatch: Task<SampledChunk, Batch> = {
  module: import.meta.url,
  name: "sampledBatch",
  run({ problem, engine, log2Draws, seed, batch, test, covariance }, { registry, tick }) {
    const setting = createSetting(problem.network, engine, problem.inputs.shape[0], registry);
    const inputs = test === undefined ? problem.inputs : stackRows(problem.inputs, test);
    const sampling = { log2Draws, seed, batch, covariance, test: test !== undefined, tick };
    return setting.engine === "networks"
      ? networkBatch(setting, problem, inputs, sampling)
      : chainBatch(setting, problem, inputs, sampling);
  },
};

interface Sampling {
  readonly log2Draws: number;
  readonly seed: number;
  readonly batch: number;
  readonly covariance: boolean;
  readonly test: boolean;
  tick(fraction: number): void;
}

function chainBatch(setting: Setting, problem: Problem, inputs: Matrix, sampling: Sampling): Batch {
  const P = problem.inputs.shape[0];
  const chain = chainOf(setting, inputs, sampling.test ? "inputs (training inputs first)" : "inputs");
  const pieces = gaussianPieces(trainingBlock(chain.output, P), problem.targets, problem.temperature);
  const rows = sampling.test ? testRows(chain.output, pieces) : trainingRows(pieces);
  const { shifts, projections } = sampleChainBatch({ ...sampling, chain, trainPoints: P, rows, pieces });
  const factors = setting.widths.map((width) => 1 / width);
  const L = chain.layers.length;
  return {
    hidden: sampling.test ? [] : shifts.hidden.map((list) => averageSites(combineMatrices(list, factors), setting.sites)),
    preactivation: sampling.test
      ? []
      : shifts.preactivation.map((list, l) => averageSites(combineMatrices(list, factors), l < L ? setting.sites : 1)),
    ...assemble(projections, factors, combineMatrices(shifts.preactivation[L]!, factors)),
    traces: projections.map(({ weightsTrace, inverseTrace }, k) => ({
      gradientX: innerProduct(pieces.gradient, trainingBlock(shifts.preactivation[L]![k]!, P)),
      weightsZ: weightsTrace,
      inverseZ: inverseTrace,
    })),
  };
}

function assemble(projections: readonly SampledProjection[], factors: readonly number[], x: Matrix): Pick<Batch, "projected" | "z"> {
  return {
    projected: { x, ...combineProjections(projections, factors) },
    z: combineMatrices(
      projections.map((p) => p.z),
      factors,
    ),
  };
}

/** Kernels of drawn networks: their mean is E K̂, their fluctuation stands for Σ at the widths of the network. */
function networkBatch(setting: Setting, problem: Problem, inputs: Matrix, sampling: Sampling): Batch {
  const P = problem.inputs.shape[0];
  const n = inputs.shape[0];
  const infinite = infiniteWidthKernels(setting.architecture, inputs);
  const output = infinite.preactivation.at(-1)!;
  const pieces = gaussianPieces(trainingBlock(output, P), problem.targets, problem.temperature);
  const rows = sampling.test ? testRows(output, pieces) : trainingRows(pieces);
  const count = 2 ** sampling.log2Draws;
  const draws = drawKernels(setting.architecture, inputs, count, sampling.seed, sampling.batch, sampling.tick);
  const mean = combineMatrices(
    draws.map((draw) => draw.output),
    draws.map(() => 1 / count),
  );
  // Deviations from the batch mean carry a factor (S − 1)/S of the covariance.
  const bessel = Math.sqrt(count / (count - 1));
  const centred = draws.map(({ output: k }): Matrix => ({
    data: k.data.map((value, i) => bessel * (value - mean.data[i]!)),
    shape: k.shape,
  }));
  const scores = centred.map((m) => innerProduct(pieces.gradient, trainingBlock(m, P)));
  const x = zeros(n, n);
  for (const [s, m] of centred.entries()) for (let i = 0; i < x.data.length; i++) x.data[i]! += (0.5 * scores[s]! * m.data[i]!) / count;
  const projection = accumulateProjection(
    centred.map((m) => (n === P ? m : block(m, 0, n, 0, P))),
    count,
    rows,
    pieces,
    stream(sampling.seed, sampling.batch, 0, 1),
    sampling.covariance,
  );
  const layers = infinite.hidden.length;
  const hiddenMean = (l: number): Matrix =>
    combineMatrices(
      draws.map((draw) => draw.hidden[l]!),
      draws.map(() => 1 / count),
    );
  const hidden = sampling.test
    ? []
    : Array.from({ length: layers }, (_, l) =>
        combineMatrices(
          draws.map((draw) => draw.hidden[l]!),
          scores.map((score) => (0.5 * bessel * score) / count),
        ),
      );
  return {
    hidden,
    preactivation: [],
    ...assemble([projection], [1], x),
    traces: [
      {
        gradientX: innerProduct(pieces.gradient, trainingBlock(x, P)),
        weightsZ: projection.weightsTrace,
        inverseZ: projection.inverseTrace,
      },
    ],
    priorShift: {
      output: combineMatrices([mean, output], [1, -1]),
      hidden: sampling.test ? [] : infinite.hidden.map((g, l) => combineMatrices([hiddenMean(l), trainingBlock(g, P)], [1, -1])),
    },
  };
}
