import { zeros, type Matrix, type MixingLaw, type Prediction, type Problem, type Run } from "@finitewidth/core";
import { siteGeometryOf } from "@finitewidth/numerics";
import type { SiteState } from "../exact/state.js";
import { prunedMeans, someDraws } from "./parts.js";
import {
  addPrediction,
  eachConditional,
  finishPrediction,
  predictGiven,
  predictJointly,
  testKernels,
  type PredictionSums,
  type SiteDraws,
  type TestKernels,
} from "./predict.js";
import { siteProblem, type SiteProblem } from "./problem.js";

/** Predictions from what `fitSiteChain` left in `state`; `problem` in standard scaling. Cost: (PD)³ + (PD)² P* D a draw. */
export function predictSiteChain(
  state: SiteState,
  problem: Problem,
  law: MixingLaw,
  inputs: Matrix,
  wantCovariance: boolean,
  run: Run,
): Prediction {
  const sites = siteProblem(problem, law, state.rotation);
  const draws = storedDraws(state);
  const kernels = testKernels(law, problem.inputs, inputs, wantCovariance);
  const points = inputs.shape[0];
  const { outputs } = sites;
  if (wantCovariance) return predictWithCovariance(sites, draws, points, outputs, inputs, problem, law, run);
  let sums: PredictionSums | undefined;
  eachConditional(sites, draws, (conditional, k) => {
    if (k % 16 === 0) run.signal?.throwIfAborted();
    const { mean, variance } = predictGiven(sites, conditional, kernels);
    sums = addPrediction(sums, draws, k, mean, variance);
  });
  const pruned = prunedAt(sites, draws, state, kernels);
  return { ...finishPrediction(sums!, points, outputs), ...(pruned === undefined ? {} : { pruned }) };
}

/** Means at the test inputs with parts removed one after the other, in the order of their scores: P* × D a step. */
function prunedAt(problem: SiteProblem, draws: SiteDraws, { removed }: SiteState, kernels: TestKernels): Prediction["pruned"] {
  const parts = siteGeometryOf(problem.law)?.parts;
  if (removed === undefined || parts === undefined || kernels.kind !== "features") return undefined;
  const order = removed.map((label) => parts.find((part) => part.label === label)!);
  const means = prunedMeans(problem, someDraws(draws), order, kernels.features);
  return { removed, means: means.map((data) => ({ data, shape: [kernels.points, problem.outputs] as const })) };
}

/** The draws that `fitSiteChain` kept. */
export function storedDraws({ points, weights, batches, batchCount }: SiteState): SiteDraws {
  const [count, dimension] = points.shape;
  return {
    points: Array.from({ length: count }, (_, k) => points.data.subarray(k * dimension, (k + 1) * dimension)),
    weights,
    batches: Int32Array.from(batches),
    batchCount,
  };
}

/** Mean, variances and the whole covariance, index point·D + output. */
function predictWithCovariance(
  sites: SiteProblem,
  draws: SiteDraws,
  points: number,
  outputs: number,
  inputs: Matrix,
  problem: Problem,
  law: MixingLaw,
  run: Run,
): Prediction {
  const kernels = testKernels(law, problem.inputs, inputs, true);
  const marginal = testKernels(law, problem.inputs, inputs, false);
  const size = points * outputs;
  let sums: PredictionSums | undefined;
  let origin: Float64Array | undefined;
  const first = new Float64Array(size);
  const second = new Float64Array(size * size);
  eachConditional(sites, draws, (conditional, k) => {
    run.signal?.throwIfAborted();
    const given = predictGiven(sites, conditional, marginal);
    sums = addPrediction(sums, draws, k, given.mean, given.variance);
    const joint = predictJointly(sites, conditional, kernels);
    origin ??= joint.mean.slice();
    const weight = draws.weights[k]!;
    for (let i = 0; i < size; i++) {
      const m = joint.mean[i]! - origin[i]!;
      first[i]! += weight * m;
      for (let j = 0; j < size; j++)
        second[i * size + j]! += weight * (joint.covariance.data[i * size + j]! + m * (joint.mean[j]! - origin[j]!));
    }
  });
  const total = draws.weights.reduce((sum, value) => sum + value, 0);
  const { rotation } = sites;
  const covariance = zeros(size, size);
  for (let mu = 0; mu < points; mu++) {
    for (let nu = 0; nu < points; nu++) {
      for (let b = 0; b < outputs; b++) {
        for (let c = 0; c < outputs; c++) {
          let value = 0;
          for (let a = 0; a < outputs; a++) {
            for (let e = 0; e < outputs; e++) {
              const [i, j] = [a * points + mu, e * points + nu];
              value +=
                rotation.data[b * outputs + a]! *
                rotation.data[c * outputs + e]! *
                (second[i * size + j]! / total - (first[i]! * first[j]!) / (total * total));
            }
          }
          covariance.data[(mu * outputs + b) * size + nu * outputs + c] = value;
        }
      }
    }
  }
  return { ...finishPrediction(sums!, points, outputs), covariance };
}
