import { resolveArchitecture, type Matrix, type Problem, type Registry } from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { addDiagonal, cholesky, multiplyTransposedLeft, solveLower } from "@finitewidth/linalg";

/** What infinite width says about everything that is judged: where the effect of finite width is counted from. */
export interface Baseline {
  /** G¹ … G^L. */
  readonly hidden: readonly Matrix[];
  /** Latent outputs at the test inputs, P* × D, and the variance of one, P*. */
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly logEvidence: number;
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
    const [points, outputs] = targets.shape;
    const variance = cross.othersDiagonal!.slice();
    features.data.forEach((value, i) => (variance[i % variance.length]! -= value * value));
    const quadratic = labels.data.reduce((sum, value) => sum + value * value, 0);
    return {
      hidden: own.hidden,
      mean: multiplyTransposedLeft(features, labels).data,
      variance,
      logEvidence: -0.5 * (outputs * (logDeterminant + points * Math.log(2 * Math.PI)) + quadratic),
    };
  } catch {
    return undefined;
  }
}
