import { createPause, type Matrix, type Problem, type Run, type Task } from "@finitewidth/core";
import { addToMoments, emptyMoments, mergeMoments, momentStandardError, type RunningMoments } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { batchCount, batchOf } from "./batch-means.js";
import { samplingProblem } from "./chain.js";
import { collapsedLogLikelihood } from "./densities.js";
import { visitSteinMehler } from "./stein-mehler.js";

/** Draws of one chain at which the shift is estimated. */
export interface ShiftChunk {
  /** In standard scaling. */
  readonly problem: Problem;
  readonly seed: number;
  readonly chain: number;
  /** Hidden parameters, draws × parameters. */
  readonly theta: Float64Array;
  readonly draws: number;
}

/** Shifts of the hidden kernels with their standard errors, P × P for each layer. */
export interface KernelShifts {
  readonly mean: readonly Matrix[];
  readonly standardError: readonly Matrix[];
}

/** First index of the streams; chunks of other computations of the same seed use others. */
const shiftStreams = 11;

/**
 * ⟨Ĝˡ⟩ − E_prior Ĝˡ from draws of the posterior, without knowing the prior mean: the derivative of Ĝˡ at ρθ + √(1 − ρ²) ξ along ∇ℓ(θ),
 * averaged over draws θ, uniform ρ and ξ ~ N(0, 1) (both signs). Its noise is smaller than that of ⟨Ĝˡ⟩ by a factor of about √N; larger
 * where the shift is not small. Cost: five forward runs and a gradient per draw. Source: docs/theories/monte-carlo.md, "Shift of the
 * kernels".
 */
export const shiftOfChain: Task<ShiftChunk, readonly RunningMoments[]> = {
  module: import.meta.url,
  name: "shiftOfChain",
  async run({ problem, seed, chain, theta, draws }, { registry, tick }) {
    const sampling = samplingProblem(problem, registry);
    const { network } = sampling;
    const likelihood = collapsedLogLikelihood(sampling);
    const { dimension } = likelihood;
    const random = stream(seed, shiftStreams, chain);
    const pause = createPause();
    const [gradient, xi, full] = [new Float64Array(dimension), new Float64Array(dimension), new Float64Array(network.parameters)];
    const batches = batchCount(draws);
    let moments: RunningMoments[] | undefined;
    let sums: Float64Array[] = [];
    let [batch, count] = [0, 0];
    const close = (): void => {
      moments ??= sums.map((sum) => emptyMoments(sum.length));
      sums.forEach((sum, l) =>
        addToMoments(
          moments![l]!,
          sum.map((value) => value / count),
        ),
      );
      [sums, count] = [[], 0];
    };
    for (let draw = 0; draw < draws; draw++) {
      if (batchOf(draw, draws, batches) !== batch) {
        close();
        batch++;
      }
      const at = theta.subarray(draw * dimension, (draw + 1) * dimension);
      likelihood.evaluate(at, gradient);
      visitSteinMehler(at, gradient, random, { xi, full }, (point, weight) =>
        network
          .forward(point)
          .hiddenKernels()
          .forEach(({ data }, l) => {
            const sum = (sums[l] ??= new Float64Array(data.length));
            for (let k = 0; k < sum.length; k++) sum[k]! += weight * data[k]!;
          }),
      );
      count++;
      tick((draw + 1) / draws);
      await pause();
    }
    close();
    return moments!;
  },
};

/** The shifts from the stored draws of all chains (chains × draws × parameters). */
export async function kernelShifts(
  problem: Problem,
  theta: { readonly data: Float64Array; readonly shape: readonly number[] },
  run: Run,
): Promise<KernelShifts> {
  const [chains, draws, parameters] = theta.shape as [number, number, number];
  const size = draws * parameters;
  const chunks = Array.from({ length: chains }, (_, chain): ShiftChunk => ({
    problem,
    seed: run.seed,
    chain,
    theta: theta.data.slice(chain * size, (chain + 1) * size),
    draws,
  }));
  let all: readonly RunningMoments[] | undefined;
  for await (const one of run.map(shiftOfChain, chunks)) all = all ? all.map((moments, l) => mergeMoments(moments, one[l]!)) : one;
  const points = problem.inputs.shape[0];
  const square = (data: Float64Array): Matrix => ({ data, shape: [points, points] });
  return { mean: all!.map(({ mean }) => square(mean)), standardError: all!.map((moments) => square(momentStandardError(moments))) };
}
