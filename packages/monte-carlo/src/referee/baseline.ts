import { readoutOf, resolveArchitecture, zeros, type Matrix, type Problem, type Registry } from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import {
  addDiagonal,
  affine,
  cholesky,
  choleskyInverse,
  innerProduct,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solveLower,
  solveLowerTransposed,
} from "@finitewidth/linalg";
import { hasControls, type LinearResponse } from "./controls.js";

/** What infinite width says about everything that is judged: where the effect of finite width is counted from. */
export interface Baseline {
  /** G¹ … G^L. */
  readonly hidden: readonly Matrix[];
  /** Latent outputs at the test inputs, P* × D, and the variance of one, P*. */
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly logEvidence: number;
  /** First order about it, where control variates are made of it. */
  readonly response?: LinearResponse;
}

/** The infinitely wide network in standard scaling, T > 0; undefined where its kernels cannot be worked out. O(P³). */
export function infiniteWidthBaseline(
  { network, inputs, targets, temperature }: Problem,
  tests: Matrix,
  registry: Registry,
): Baseline | undefined {
  try {
    const architecture = resolveArchitecture(registry, network);
    const own = infiniteWidthKernels(architecture, inputs);
    const cross = infiniteWidthKernels(architecture, inputs, tests);
    const { factor, logDeterminant } = cholesky(addDiagonal(own.preactivation.at(-1)!, temperature));
    const features = solveLower(factor, cross.preactivation.at(-1)!);
    const labels = solveLower(factor, targets);
    const variance = cross.othersDiagonal!.slice();
    features.data.forEach((value, i) => (variance[i % variance.length]! -= value * value));
    const quadratic = labels.data.reduce((sum, value) => sum + value * value, 0);
    const mean = multiplyTransposedLeft(features, labels).data;
    const [points, outputs] = targets.shape;
    const prior = { own: own.preactivation.at(-1)!, cross: cross.preactivation.at(-1)!, diagonal: cross.othersDiagonal! };
    return {
      ...(hasControls(architecture, points)
        ? {
            response: responseAbout(
              solveLowerTransposed(factor, labels),
              solveLowerTransposed(factor, features),
              choleskyInverse(factor),
              prior,
              readoutOf(architecture).biasVariance,
              own.hidden[0]!.data,
            ),
          }
        : {}),
      hidden: own.hidden,
      mean,
      variance,
      logEvidence: -0.5 * (outputs * (logDeterminant + points * Math.log(2 * Math.PI)) + quadratic),
    };
  } catch {
    return undefined;
  }
}

/** The response with its prior means, from (K + T)⁻¹ and K^{L+1} of training and test inputs, its bias left out. O(P² P*). */
function responseAbout(
  weights: Matrix,
  projection: Matrix,
  precision: Matrix,
  prior: { readonly own: Matrix; readonly cross: Matrix; readonly diagonal: Float64Array },
  bias: number,
  kernel: Float64Array,
): LinearResponse {
  const [own, cross] = [prior.own, prior.cross].map(({ data, shape }): Matrix => ({ data: data.map((value) => value - bias), shape }));
  const through = multiplyTransposedLeft(own!, projection);
  const tests = projection.shape[1];
  const variance = prior.diagonal.map((value) => value - bias);
  const residual = zeros(projection.shape[0], tests);
  for (let k = 0; k < residual.data.length; k++) {
    variance[k % tests]! += projection.data[k]! * (through.data[k]! - 2 * cross!.data[k]!);
    residual.data[k] = cross!.data[k]! - through.data[k]!;
  }
  const slope = affine(-0.5 * weights.shape[1], precision);
  const outer = multiplyTransposedRight(weights, weights);
  outer.data.forEach((value, i) => (slope.data[i]! += 0.5 * value));
  return {
    weights,
    projection,
    mean: multiplyTransposedLeft(residual, weights).data,
    variance,
    kernel,
    slope,
    likelihood: innerProduct(slope, own!),
  };
}
