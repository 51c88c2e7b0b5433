import type { Matrix } from "@finitewidth/core";
import { predictScaleMixture } from "@finitewidth/linalg";
import { projectOn } from "../spectrum/problem.js";
import { completeSpectrum, type ReducedKernel } from "../spectrum/reduced-kernel.js";
import { scalarData } from "./likelihood.js";
import type { ScalarPosterior } from "./posterior.js";
import { nodeTables, predictScalar, projectCross } from "./predict.js";

/** Data of one output with a reduced kernel. */
export interface ReducedData {
  readonly kernel: ReducedKernel;
  /** y: P numbers. */
  readonly targets: Float64Array;
  readonly temperature: number;
  readonly readoutBias: number;
}

/**
 * Predictive means and variances of f at points with cross kernel K_x (P × P*) and prior variances (P*), like `predictScalar`, from the
 * tridiagonal form by `predictScaleMixture` where that is possible and faster; small problems, many points, T → 0 and kernels of low rank
 * take the eigenvectors. O(P² P* + n P P*) besides the reduction. @throws FinitewidthError like `spectralProblem`.
 */
export function predictReduced(
  { kernel, targets, temperature, readoutBias }: ReducedData,
  posterior: ScalarPosterior,
  cross: Matrix,
  prior: Float64Array,
): { readonly mean: Float64Array; readonly variance: Float64Array } {
  const nodes = { q: posterior.logQ.map(Math.exp), weights: posterior.weights };
  const direct =
    "form" in kernel
      ? predictScaleMixture({ form: kernel.form, targets, noise: temperature, biasVariance: readoutBias, nodes }, cross, prior)
      : undefined;
  if (direct !== undefined) return direct;
  const problem = projectOn(completeSpectrum(kernel), { data: targets, shape: [targets.length, 1] }, temperature, {
    readout: readoutBias,
    hidden: false,
  });
  const data = scalarData(problem);
  const { mean, variance } = predictScalar(
    posterior,
    data,
    nodeTables(posterior, data),
    projectCross(problem.spectrum.vectors, cross),
    prior,
  );
  const offset = problem.pinned?.bias[0] ?? 0;
  return { mean: mean.map((value) => value + offset), variance };
}
