import {
  refusal,
  readoutOf,
  resolveArchitecture,
  type FiniteNetwork,
  type PriorProblem,
  type PriorResult,
  type Run,
  type Tensor,
} from "@finitewidth/core";
import { infiniteWidthKernels, realise } from "@finitewidth/kernels";
import { affine, gram, symmetricEigenvalues } from "@finitewidth/linalg";
import { mergeMoments, momentStandardError, momentVariance } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { drawPrior, logAdd, symmetricFromRow, type PriorChunk, type PriorSums } from "./draw.js";
import { reducedInputs } from "./reduced-inputs.js";

/** Points up to which tensors of fourth order are given. */
const fourthOrderPoints = 8;

/** Networks per chunk: the same whatever runs them. Between 8 and 64 chunks, whose spread gives the errors of fourth-order quantities. */
function chunkSizes(samples: number): number[] {
  const chunks = Math.min(samples, Math.max(8, Math.min(64, Math.round(samples / 500))));
  return Array.from({ length: chunks }, (_, i) => Math.floor(((i + 1) * samples) / chunks) - Math.floor((i * samples) / chunks));
}

/**
 * The prior of the network's outputs by drawing networks: second moment E K̂, shift E K̂ − K∞, covariance of the entries of K̂, connected
 * fourth cumulant κ_abcd = Cov(K̂_ab, K̂_cd) + Cov(K̂_ac, K̂_bd) + Cov(K̂_ad, K̂_bc), excess kurtosis, and log densities log E N(f | 0,
 * K̂), each with its standard error. Cost: one forward run per network. @throws FinitewidthError (code "refused") for fewer than 2 samples.
 * Source: docs/theories/monte-carlo.md, "Prior".
 */
export async function samplePrior(problem: PriorProblem, run: Run): Promise<PriorResult> {
  run.signal?.throwIfAborted();
  const { network, outputs, evaluateAt, samples } = problem;
  if (samples < 2) throw refusal("monte-carlo", "needs at least 2 samples to know its own error.");
  const architecture = resolveArchitecture(run.registry, network);
  const inputs = reducedInputs(architecture, problem.inputs);
  const points = inputs.shape[0];
  const products = points <= fourthOrderPoints;
  const warnings: string[] = [];

  const dense = evaluateAt.length === 0 || hasDensity(realise(architecture, inputs, 1), readoutOf(architecture).biasVariance, run.seed);
  if (!dense)
    warnings.push(
      "no density: the outputs at these inputs lie in a subspace (fewer units than points, or duplicate or dependent inputs); logDensity is left out",
    );
  const chunks = chunkSizes(samples).map((count, index): PriorChunk => ({
    network,
    inputs,
    outputs,
    evaluateAt: dense ? evaluateAt : [],
    products,
    samples: count,
    seed: run.seed,
    index,
  }));
  const parts: PriorSums[] = [];
  for await (const part of run.map(drawPrior, chunks)) parts.push(part);

  const kernel = parts.map((part) => part.kernel).reduce(mergeMoments);
  const kernelError = momentStandardError(kernel);
  const limit = infiniteWidthKernels(architecture, inputs).preactivation.at(-1)!;
  const secondMoment = symmetricFromRow(kernel.mean, points);
  const square = (row: Float64Array): Tensor => symmetricFromRow(row, points);
  const { excessKurtosis, kurtosisError } = kurtosisOf(parts, kernel.mean, momentVariance(kernel), points);
  for (let a = 0; a < points; a++)
    if (secondMoment.data[a * (points + 1)] === 0) warnings.push(`inputs[${a}]: its output is always 0; its excess kurtosis is given as 0`);

  const standardError: Record<string, number | Tensor | Float64Array> = {
    secondMoment: square(kernelError),
    kernelMeanShift: square(kernelError),
    excessKurtosis: kurtosisError,
  };
  const fourth = products ? fourthOrderOf(parts, kernel.mean, points) : undefined;
  if (fourth) Object.assign(standardError, { kernelCovariance: fourth.covarianceError, fourthCumulant: fourth.cumulantError });
  const densities = densitiesOf(parts, samples);
  if (densities.length > 0) {
    standardError["logDensity"] = Float64Array.from(densities, (density) => density.standardError);
    const singular = parts.reduce((sum, part) => sum + part.singular, 0);
    if (singular > 0)
      warnings.push(
        `the kernels of ${singular} of ${samples} networks were singular in floating point (duplicate or dependent inputs?) and count as density 0`,
      );
    densities.forEach(({ effective }, e) => {
      if (effective < 100)
        warnings.push(
          `evaluateAt[${e}]: only ${Math.floor(effective)} of ${samples} networks count for its density; the error is not to be trusted, draw more`,
        );
    });
  }
  return {
    secondMoment,
    ...(fourth ? { fourthCumulant: fourth.cumulant, kernelCovariance: fourth.covariance } : {}),
    excessKurtosis,
    ...(densities.length > 0 ? { logDensity: Float64Array.from(densities, (density) => density.value) } : {}),
    kernelMeanShift: { data: secondMoment.data.map((value, i) => value - limit.data[i]!), shape: [points, points] },
    standardError,
    diagnostics: { samples },
    warnings,
  };
}

/** Networks that are drawn to see whether any has a kernel that is not singular: single ones of few rectifiers may be dead. */
const rankDraws = 16;

/** Whether the outputs of networks drawn from the prior, given their hidden layers, have a density: K̂ is not singular in all of them. */
function hasDensity(network: FiniteNetwork, bias: number, seed: number): boolean {
  const random = stream(seed, rankStream);
  const theta = new Float64Array(network.parameters);
  for (let k = 0; k < rankDraws; k++) {
    const values = symmetricEigenvalues(affine(1, gram(network.forward(random.normals(theta)).features), bias));
    if (values[0]! > 1e-13 * values.length * values.at(-1)!) return true;
  }
  return false;
}
const rankStream = 3;

/** Scatter of chunk values around their mean, as a standard error of it; chunks have equal weight to one draw. */
function spread(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length * (values.length - 1)));
}

/** 3 Var K̂_aa/(E K̂_aa)² and its error: the chunks' linearised values. */
function kurtosisOf(parts: readonly PriorSums[], mean: Float64Array, variance: Float64Array, points: number) {
  const excessKurtosis = new Float64Array(points);
  const kurtosisError = new Float64Array(points);
  for (let a = 0; a < points; a++) {
    const k = (a * (a + 3)) / 2;
    const [m, v] = [mean[k]!, variance[k]!];
    if (m === 0) continue;
    excessKurtosis[a] = (3 * v) / (m * m);
    kurtosisError[a] = spread(
      parts.map(({ kernel }) => {
        const shift = kernel.mean[k]! - m;
        return (3 * (kernel.scatter[k]! / kernel.count + shift * shift)) / (m * m) - ((6 * v) / (m * m * m)) * shift;
      }),
    );
  }
  return { excessKurtosis, kurtosisError };
}

/** Cov(K̂_ab, K̂_cd) and κ_abcd with errors from the spread of the chunks. */
function fourthOrderOf(parts: readonly PriorSums[], mean: Float64Array, points: number) {
  const entries = mean.length;
  const total = parts.reduce((sum, { kernel }) => sum + kernel.count, 0);
  /** Covariances about the common mean, one table per chunk. */
  const tables = parts.map(({ kernel, coScatter }) =>
    Float64Array.from({ length: entries * entries }, (_, i) => {
      const [k, m] = [Math.floor(i / entries), i % entries];
      return coScatter![i]! / kernel.count + (kernel.mean[k]! - mean[k]!) * (kernel.mean[m]! - mean[m]!);
    }),
  );
  const unbias = total / (total - 1);
  const pooled = Float64Array.from(
    { length: entries * entries },
    (_, i) => unbias * tables.reduce((sum, table, c) => sum + (table[i]! * parts[c]!.kernel.count) / total, 0),
  );
  const pair = (a: number, b: number): number => (a >= b ? (a * (a + 1)) / 2 + b : (b * (b + 1)) / 2 + a);
  const shape = [points, points, points, points];
  const tensor = (): Tensor => ({ data: new Float64Array(points ** 4), shape });
  const [covariance, covarianceError, cumulant, cumulantError] = [tensor(), tensor(), tensor(), tensor()];
  let at = 0;
  for (let a = 0; a < points; a++) {
    for (let b = 0; b < points; b++) {
      for (let c = 0; c < points; c++) {
        for (let d = 0; d < points; d++, at++) {
          const [i, j, k] = [pair(a, b) * entries + pair(c, d), pair(a, c) * entries + pair(b, d), pair(a, d) * entries + pair(b, c)];
          covariance.data[at] = pooled[i]!;
          cumulant.data[at] = pooled[i]! + pooled[j]! + pooled[k]!;
          covarianceError.data[at] = spread(tables.map((table) => table[i]!));
          cumulantError.data[at] = spread(tables.map((table) => table[i]! + table[j]! + table[k]!));
        }
      }
    }
  }
  return { covariance, covarianceError, cumulant, cumulantError };
}

/** log of the mean density per value of f, its error (delta method) and the effective number of networks behind it. */
function densitiesOf(parts: readonly PriorSums[], samples: number) {
  return parts[0]!.logDensity.map((_, e) => {
    const logSum = parts.reduce((sum, part) => logAdd(sum, part.logDensity[e]!.logSum), -Infinity);
    const logSquares = parts.reduce((sum, part) => logAdd(sum, part.logDensity[e]!.logSquares), -Infinity);
    const effective = Math.exp(2 * logSum - logSquares);
    // Var w/(n w̄²) = n Σw²/(Σw)² − 1 over n
    return { value: logSum - Math.log(samples), standardError: Math.sqrt(Math.max(0, 1 / effective - 1 / samples)), effective };
  });
}
