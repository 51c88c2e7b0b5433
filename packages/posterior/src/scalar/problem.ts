import { inputError, shapeError, zeros, type Matrix } from "@finitewidth/core";
import { projectedSpectrum } from "@finitewidth/linalg";
import { projectOn, requireParameters, type SpectralProblem } from "../spectrum/problem.js";
import { completeSpectrum, type ReducedKernel } from "../spectrum/reduced-kernel.js";
import { firstPositive, rankWarnings } from "@finitewidth/numerics";
import { scalarData, type ScalarData } from "./likelihood.js";

/** One output without the eigenvectors of its kernel: all that the evidence and the posterior of q need. */
export interface ScalarProblem {
  readonly data: ScalarData;
  /** Like `SpectralProblem.pinned`. */
  readonly pinned?: NonNullable<SpectralProblem["pinned"]>;
  readonly warnings: readonly string[];
}

/**
 * A problem for every column of `targets` (P × m) at a common temperature and variance of the readout bias, the same as `scalarData` of
 * `spectralProblem` up to signs and bases within clusters. Projections by `projectedSpectrum`, O(m P²); eigenvectors are made, once, only
 * where a singular kernel needs them (T = 0, or a readout bias). `path` names a column in errors.
 * @throws FinitewidthError (code "input"/"shape") naming the field; "not-positive-definite" for an indefinite kernel.
 */
export function scalarProblems(
  kernel: ReducedKernel,
  targets: Matrix,
  temperature: number,
  readoutBias = 0,
  path: (column: number) => string = (j) => (targets.shape[1] === 1 ? "targets" : `targets[${j}]`),
): ScalarProblem[] {
  requireParameters(temperature, readoutBias);
  if (targets.shape[1] === 0) return [];
  return (
    ("form" in kernel ? projected(kernel.form, targets, temperature, readoutBias, path) : undefined) ??
    completed(kernel, targets, temperature, readoutBias, path)
  );
}

/** Undefined where eigenvectors are needed. */
function projected(
  form: Extract<ReducedKernel, { form: unknown }>["form"],
  targets: Matrix,
  temperature: number,
  readoutBias: number,
  path: (column: number) => string,
): ScalarProblem[] | undefined {
  const [points, count] = targets.shape;
  if (form.diagonal.length !== points) throw shapeError(path(0), `${form.diagonal.length} rows, like inputs`, `${points}`);
  const bad = targets.data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw inputError(path(bad % count), "finite numbers", targets.data[bad]);
  const vectors = zeros(points, count + 1);
  for (let i = 0; i < points; i++) {
    vectors.data.set(targets.data.subarray(i * count, (i + 1) * count), i * (count + 1));
    vectors.data[i * (count + 1) + count] = 1;
  }
  const { values, projections } = projectedSpectrum(form, vectors);
  const first = firstPositive(values);
  if (first > 0 && (temperature === 0 || readoutBias > 0)) return undefined;
  const column = (j: number): Float64Array => Float64Array.from(values, (_, i) => projections.data[i * (count + 1) + j]!);
  const common = { values: values.slice(first), nullity: first, temperature, readoutBias, ones: column(count).slice(first) };
  const warnings = temperature === 0 ? rankWarnings(points - first, points) : [];
  return Array.from({ length: count }, (_, j) => {
    const y = column(j);
    return {
      data: { ...common, targets: y.slice(first), residualSquare: y.subarray(0, first).reduce((sum, value) => sum + value * value, 0) },
      warnings,
    };
  });
}

function completed(
  kernel: ReducedKernel,
  targets: Matrix,
  temperature: number,
  readoutBias: number,
  path: (column: number) => string,
): ScalarProblem[] {
  const spectrum = completeSpectrum(kernel);
  const [points, count] = targets.shape;
  return Array.from({ length: count }, (_, j) => {
    const one: Matrix = { data: Float64Array.from({ length: points }, (_entry, i) => targets.data[i * count + j]!), shape: [points, 1] };
    const problem = projectOn(spectrum, one, temperature, { readout: readoutBias, hidden: false }, path(j));
    return { data: scalarData(problem), ...(problem.pinned === undefined ? {} : { pinned: problem.pinned }), warnings: problem.warnings };
  });
}
