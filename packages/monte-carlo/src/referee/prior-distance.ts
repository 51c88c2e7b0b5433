import { hiddenWidths, readoutOf, resolveArchitecture, type Json, type Matrix, type Problem, type Run, type Task } from "@finitewidth/core";
import { infiniteWidthKernels, realise } from "@finitewidth/kernels";
import { gram } from "@finitewidth/linalg";
import { sampledDistance, type GaussianDistance } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { reducedInputs } from "../prior/reduced-inputs.js";

/** A problem whose prior is compared with its Gaussian process. */
export interface DistanceChunk {
  /** In standard scaling, T > 0. */
  readonly problem: Problem;
  readonly seed: number;
}

const distanceStreams = 5;
/** Training points up to which it is computed, networks drawn, and flops for products of pairs. */
const limits = { points: 300, draws: 200, flops: 1e9 };

/** Leading χ² between the prior of the noisy outputs and the Gaussian process, from networks drawn from the prior. */
export const measurePriorDistance: Task<DistanceChunk, GaussianDistance & { readonly standardError: number }> = {
  module: import.meta.url,
  name: "measurePriorDistance",
  run({ problem, seed }, { registry, tick }) {
    const { network, inputs, targets, temperature } = problem;
    const architecture = resolveArchitecture(registry, network);
    const realised = realise(architecture, reducedInputs(architecture, inputs), 1);
    const random = stream(seed, distanceStreams);
    const bias = readoutOf(architecture).biasVariance;
    const theta = new Float64Array(realised.parameters);
    const draws = Array.from({ length: limits.draws }, (_, k): Matrix => {
      tick((0.5 * k) / limits.draws);
      const kernel = gram(realised.forward(random.normals(theta)).features);
      for (let i = 0; i < kernel.data.length; i++) kernel.data[i]! += bias;
      return kernel;
    });
    const kernel = infiniteWidthKernels(architecture, inputs).preactivation.at(-1)!;
    const cyclicPairs = Math.max(20, Math.min(400, Math.floor(limits.flops / (4 * inputs.shape[0] ** 3))));
    // the mean kernel of one hidden layer without a normalisation is that of infinite width
    return sampledDistance(draws, kernel, temperature, targets.shape[1], {
      meanKnown: hiddenWidths(architecture).length === 1 && architecture.layers.every(({ kind }) => kind !== "normalise"),
      cyclicPairs,
    });
  },
};

/** So many significant digits without a power of ten, while a reader can take them in. */
const plain = (value: number, digits: number): string => String(Number(value.toPrecision(digits)));

/** The distance with a sentence, for results; empty for more than 300 points. */
export async function priorDistance(problem: Problem, run: Run): Promise<{ readonly [key: string]: Json }> {
  if (problem.inputs.shape[0] > limits.points) return {};
  for await (const { chiSquare, relativeEntropy, totalVariation, standardError } of run.map(measurePriorDistance, [
    { problem, seed: run.seed },
  ])) {
    const sentence = `before data, labels of this network differ from those of a Gaussian process by χ² ≈ ${plain(chiSquare, 2)} ± ${plain(standardError, 1)} to leading order: ${
      chiSquare > 1 ? "another prior altogether" : `no event differs by more than about ${totalVariation.toPrecision(2)} in probability`
    }`;
    return { priorDistance: { chiSquare, relativeEntropy, totalVariation: Math.min(totalVariation, 1), standardError, sentence } };
  }
  return {};
}
