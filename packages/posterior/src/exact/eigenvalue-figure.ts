import type { Figure, Mark, Matrix } from "@finitewidth/core";
import { symmetricEigenvalues } from "@finitewidth/linalg";

/** Matrices of each law whose eigenvalues are drawn. */
const drawn = 500;
/** Eigenvalues below this fraction of the largest are the null space of a singular matrix. */
const negligible = 1e-12;

/**
 * Density of the logarithms of the eigenvalues of the mixing matrix, under the posterior (weighted draws, `posterior(k)` the k-th) and
 * under the prior (`prior()` a fresh draw). Null eigenvalues of singular laws are left out. O(n d³).
 */
export function eigenvalueFigure(
  weights: Float64Array,
  posterior: (k: number) => Matrix,
  prior: () => Matrix,
  marks: readonly Mark[],
): Figure {
  const count = Math.min(weights.length, drawn);
  const stride = Math.max(1, Math.floor(weights.length / count));
  const after = Array.from({ length: count }, (_, k) => ({ logs: logEigenvalues(posterior(k * stride)), weight: weights[k * stride]! }));
  const before = Array.from({ length: drawn }, () => logEigenvalues(prior()));
  const posteriorLogs = after.flatMap(({ logs }) => logs);
  const posteriorWeights = after.flatMap(({ logs, weight }) => logs.map(() => weight));
  const priorLogs = before.flat();
  const all = [...posteriorLogs, ...priorLogs];
  const from = all.reduce((a, b) => Math.min(a, b), Infinity) - 0.5;
  const to = all.reduce((a, b) => Math.max(a, b), -Infinity) + 0.5;
  const grid = Float64Array.from({ length: 161 }, (_, i) => from + ((to - from) * i) / 160);
  return {
    kind: "density",
    title: "Eigenvalues of the mixing matrix Q: density of their logarithm",
    label: "eigenvalue of Q",
    logX: true,
    series: [
      {
        label: "prior",
        x: grid.map(Math.exp),
        y: kernelDensity(
          grid,
          priorLogs,
          priorLogs.map(() => 1),
        ),
      },
      { label: "posterior", x: grid.map(Math.exp), y: kernelDensity(grid, posteriorLogs, posteriorWeights) },
    ],
    marks,
  };
}

function logEigenvalues(mixing: Matrix): number[] {
  const values = symmetricEigenvalues(mixing);
  return Array.from(
    values.filter((value) => value > negligible * values.at(-1)!),
    Math.log,
  );
}

/** Weighted Gaussian kernel density with Silverman's bandwidth. */
function kernelDensity(grid: Float64Array, values: readonly number[], weights: readonly number[]): Float64Array {
  const total = weights.reduce((sum, w) => sum + w, 0);
  const mean = values.reduce((sum, value, i) => sum + weights[i]! * value, 0) / total;
  const deviation = Math.sqrt(values.reduce((sum, value, i) => sum + weights[i]! * (value - mean) ** 2, 0) / total);
  const width = Math.max(1.06 * deviation * values.length ** -0.2, 1e-3);
  return grid.map(
    (at) =>
      values.reduce((sum, value, i) => sum + weights[i]! * Math.exp(-0.5 * ((at - value) / width) ** 2), 0) /
      (total * width * Math.sqrt(2 * Math.PI)),
  );
}
