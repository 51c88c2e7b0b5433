import type { Matrix } from "@finitewidth/core";
import { expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { cholesky, multiplyTransposedLeft, scaleMixtureScores, solveCholesky, symmetricEigen } from "../src/index.js";
import { randomMatrix, randomPositive } from "./matrices.js";

const prior = { q: [0.4, 1.1, 2.7], weights: [0.2, 0.5, 0.3] };

/** log E_q N(y | 0, q s K + (b + q c) 11ᵀ + T) and the posterior weights of q. */
function evidence(kernel: Matrix, y: Matrix, { s = 1, b = 0, c = 0, noise = 0.3 }): { value: number; weights: number[] } {
  const n = kernel.shape[0];
  const terms = prior.q.map((q, k) => {
    const a: Matrix = {
      data: kernel.data.map((value, e) => q * (s * value + c) + b + (e % (n + 1) === 0 ? noise : 0)),
      shape: kernel.shape,
    };
    const factor = cholesky(a);
    const square = multiplyTransposedLeft(y, solveCholesky(factor, y)).data[0]!;
    return Math.log(prior.weights[k]!) - 0.5 * (square + factor.logDeterminant + n * Math.log(2 * Math.PI));
  });
  const value = Math.log(terms.reduce((sum, term) => sum + Math.exp(term), 0));
  return { value, weights: terms.map((term) => Math.exp(term - value)) };
}

it.each([
  ["full rank, a bias", 9, 0.8],
  ["full rank, none", 9, 0],
  ["rank three of five, none", 3, 0],
])("scores are the derivatives of the log evidence: %s", (_, rank, b) => {
  const n = 5;
  const kernel = randomPositive(n, rank, 0, 3);
  const y = randomMatrix(n, 1, 4);
  const { values, vectors } = symmetricEigen(kernel);
  const kept = Array.from(values.keys()).filter((i) => values[i]! > 1e-12);
  expect(kept).toHaveLength(Math.min(rank, n));
  const seen = (x: ArrayLike<number>) =>
    Float64Array.from(kept, (i) => Array.from(x).reduce((sum, value, j) => sum + vectors.data[j * n + i]! * value, 0));
  const targets = seen(y.data);
  const { weights } = evidence(kernel, y, { b });
  const scores = scaleMixtureScores(
    {
      values: Float64Array.from(kept, (i) => values[i]!),
      targets,
      ones: seen(new Float64Array(n).fill(1)),
      noise: 0.3,
      biasVariance: b,
      nullity: n - kept.length,
      residualSquare: y.data.reduce((sum, value) => sum + value ** 2, 0) - targets.reduce((sum, value) => sum + value ** 2, 0),
    },
    { q: Float64Array.from(prior.q), weights: Float64Array.from(weights) },
  );
  const h = 1e-5;
  const slope = (of: (step: number) => Parameters<typeof evidence>[2]) =>
    (evidence(kernel, y, of(h)).value - evidence(kernel, y, of(-h)).value) / (2 * h);
  const close = { absolute: 1e-8, relative: 1e-7 };
  expectClose(
    scores.kernel,
    slope((step) => ({ b, s: Math.exp(step) })),
    close,
    "kernel",
  );
  expectClose(
    scores.noise,
    slope((step) => ({ b, noise: 0.3 * Math.exp(step) })),
    close,
    "noise",
  );
  expectClose(
    scores.bias,
    slope((step) => ({ b: b * Math.exp(step) })),
    close,
    "bias",
  );
  if (kept.length === n)
    expectClose(
      scores.constant,
      slope((step) => ({ b, c: step })),
      close,
      "constant",
    );
});
