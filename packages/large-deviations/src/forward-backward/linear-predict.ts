import { zeros, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  cholesky,
  gram,
  multiply,
  multiplyTransposedLeft,
  solveCholesky,
  solveLower,
  symmetricEigen,
  transpose,
} from "@finitewidth/linalg";
import { splitBySpan } from "@finitewidth/numerics";
import type { TestKernels } from "./closure.js";
import { isInRange } from "./linear-saddle.js";

/** Mean (P* × D), variance (P*) or covariance (P* × P*) of one output. */
export interface LinearPrediction {
  readonly mean: Matrix;
  readonly variance: Float64Array;
  readonly joint?: Matrix;
}

/**
 * Latent outputs of a linear network without biases above the first layer, in the coordinates b = κ^{−½}Uᵀk of K¹ = U diag(κ) Uᵀ: there
 * f = √c bᵀw with w ~ N(0, Σ), cκ^½Σκ^½ = UᵀC^{L+1}U, and a part √c·(k** − |b|²) that the data do not reach. With Σ = ZZᵀ and G = √(cκ) Z
 * the posterior of Z⁻¹w is N((GᵀG + T)⁻¹GᵀUᵀY, T(GᵀG + T)⁻¹), which needs no inverse of C + T and no difference of large numbers at small
 * T. `test`: kernels of the first layer between test and training points. c = Π g_l α², O(P³ + P* r²).
 */
export function predictLinear(
  {
    firstKernel,
    readoutKernel,
    targets,
    temperature,
    gain,
  }: {
    readonly firstKernel: Matrix;
    readonly readoutKernel: Matrix;
    readonly targets: Matrix;
    readonly temperature: number;
    readonly gain: number;
  },
  test: TestKernels,
): LinearPrediction {
  const [P, outputs] = targets.shape;
  const points = test.cross.shape[0];
  const { values, vectors } = symmetricEigen(firstKernel);
  const first = values.findIndex((value) => isInRange(value, values[P - 1]!));
  const r = first < 0 ? 0 : P - first;
  const kept = values.slice(P - r);
  const inside = zeros(P, r);
  for (let i = 0; i < P; i++) for (let j = 0; j < r; j++) inside.data[i * r + j] = vectors.data[i * P + P - r + j]!;
  const own = test.joint?.data ?? test.variances;
  const split = splitBySpan(multiplyTransposedLeft(inside, transpose(test.cross)), kept, own);
  const stride = test.joint === undefined || points === 1 ? 1 : points + 1;
  const outside = Float64Array.from({ length: points }, (_, t) => gain * split.outside[t * stride]!);
  if (r === 0)
    return {
      mean: zeros(points, outputs),
      variance: outside,
      ...(test.joint ? { joint: { data: split.outside.map((value) => gain * value), shape: test.joint.shape } } : {}),
    };
  // cΣ = κ^{−½} Uᵀ C U κ^{−½} = Z Zᵀ
  const compressed = multiplyTransposedLeft(inside, multiply(readoutKernel, inside));
  for (let i = 0; i < r; i++) for (let j = 0; j < r; j++) compressed.data[i * r + j]! /= Math.sqrt(kept[i]!) * Math.sqrt(kept[j]!);
  const sigma = symmetricEigen(compressed);
  const z = zeros(r, r);
  for (let i = 0; i < r; i++)
    for (let k = 0; k < r; k++) z.data[i * r + k] = sigma.vectors.data[i * r + k]! * Math.sqrt(Math.max(sigma.values[k]!, 0));
  const g: Matrix = { data: z.data.map((value, at) => value * Math.sqrt(kept[Math.floor(at / r)]!)), shape: [r, r] };
  const factor = cholesky(addDiagonal(gram(transpose(g)), temperature));
  const loaded = multiplyTransposedLeft(z, split.inside);
  const mean = multiplyTransposedLeft(loaded, solveCholesky(factor, multiplyTransposedLeft(g, multiplyTransposedLeft(inside, targets))));
  const left = solveLower(factor.factor, loaded);
  const within = gram(transpose(left));
  const variance = outside.map((value, t) => value + temperature * within.data[t * (points + 1)]!);
  if (!test.joint) return { mean, variance };
  return {
    mean,
    variance,
    joint: {
      data: within.data.map((value, at) => temperature * value + gain * split.outside[points === 1 ? 0 : at]!),
      shape: test.joint.shape,
    },
  };
}
