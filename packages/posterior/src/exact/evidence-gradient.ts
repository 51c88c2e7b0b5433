import {
  randomLayers,
  resolveArchitecture,
  toStandardScaling,
  widthRatios,
  type EvidenceGradient,
  type Posterior,
  type Problem,
  type Run,
  type Theory,
} from "@finitewidth/core";
import { denseChain, type DenseChain } from "@finitewidth/kernels";
import { multiply, scaleMixtureScores, symmetricEigen, type ScaleMixtureScores } from "@finitewidth/linalg";
import type { ExactOptions } from "./options.js";
import type { ExactState, MatrixState, ScalarState } from "./state.js";

type ExactPosterior = Posterior<ExactOptions, ExactState>;
type Scores = Pick<ScaleMixtureScores, "kernel" | "noise" | "bias" | "constant">;

/**
 * Gradient of the evidence of a deep linear chain by Fisher's identity over the mixing variable: its law given whitened factors depends on
 * none of the variances, so derivatives are posterior means of those of log N(Y | 0, Q ⊗ K + b + T). One output: quadrature nodes. Several
 * outputs without biases after the first layer: weighted draws, errors from their batches. Undefined for other networks, and for a readout
 * bias that T = 0 fixes.
 * Source: docs/theories/evidence.md, "Gradients of theories".
 */
export async function exactGradient(
  theory: Theory<ExactOptions, ExactState>,
  posterior: ExactPosterior,
  run: Run,
): Promise<EvidenceGradient | undefined> {
  const problem = toStandardScaling(posterior.problem, run.registry);
  const architecture = resolveArchitecture(run.registry, problem.network);
  const chain = denseChain(architecture);
  const { state } = posterior;
  if (chain === undefined || randomLayers(architecture.layers).length !== chain.weightVariance.length) return undefined;
  if (state.kind === "scalar") {
    if (problem.temperature === 0 && chain.biasVariance.at(-1)! > 0 && state.readoutBias === 0) return undefined;
    const scores = scalarScores(state, problem);
    return { ...gradientOf(chain, problem, scores), widths: await widthRatios(theory as Theory, posterior, run) };
  }
  if (state.kind !== "matrix" || chain.biasVariance.slice(1).some((variance) => variance > 0)) return undefined;
  const { mean, standardError } = matrixScores(state, problem);
  const nowhere = chain.widths.map(() => null);
  return {
    ...gradientOf(chain, problem, mean),
    widths: nowhere,
    standardError: { ...gradientOf(chain, problem, standardError, Math.hypot), widths: nowhere },
  };
}

/** Scores of the scale of K, of its constant part and of the noise as derivatives in all variances. */
function gradientOf(
  { weightVariance, biasVariance }: DenseChain,
  { temperature }: Problem,
  { kernel, noise, bias, constant }: Scores,
  subtract: (a: number, b: number) => number = (a, b) => a - b,
): Omit<EvidenceGradient, "widths" | "standardError"> {
  const first = biasVariance[0]! * constant;
  const last = biasVariance.length - 1;
  return {
    logWeightVariance: weightVariance.map((_, l) => (l === 0 ? subtract(kernel, first) : kernel)),
    logBiasVariance: biasVariance.map((variance, l) => (variance > 0 ? (l === 0 ? first : l === last ? bias : null) : null)),
    logTemperature: temperature > 0 ? noise : null,
  };
}

/** What the eigenvectors of K leave out of the targets: number of directions, and their square. */
function outside({ targets: { shape, data }, temperature }: Problem, projected: Float64Array, rank: number) {
  if (temperature === 0) return { nullity: 0, residualSquare: 0 };
  const square = (values: Float64Array): number => values.reduce((sum, value) => sum + value * value, 0);
  return { nullity: shape[0] - rank, residualSquare: Math.max(square(data) - square(projected), 0) };
}

function scalarScores({ values, targets, ones, logQ, weights, readoutBias }: ScalarState, problem: Problem): Scores {
  const data = {
    values,
    targets,
    ones,
    noise: problem.temperature,
    biasVariance: readoutBias,
    ...outside(problem, targets, values.length),
  };
  return scaleMixtureScores(data, { q: logQ.map(Math.exp), weights });
}

/** Every draw of Q is diagonalised: one scale mixture for each of its eigenvalues. */
function matrixScores(
  { values, targets, ones, mixing, weights, batches }: MatrixState,
  problem: Problem,
): { readonly mean: Scores; readonly standardError: Scores } {
  const outputs = targets.shape[1];
  const rank = values.length;
  const { nullity, residualSquare } = outside(problem, targets.data, rank);
  const batchCount = batches.reduce((most, batch) => Math.max(most, batch), 0) + 1;
  const sums = Array.from({ length: batchCount }, () => ({ weight: 0, kernel: 0, noise: 0, constant: 0 }));
  for (const [k, weight] of weights.entries()) {
    const q = { data: mixing.subarray(k * outputs * outputs, (k + 1) * outputs * outputs), shape: [outputs, outputs] } as const;
    const { values: scales, vectors } = symmetricEigen(q);
    const rotated = multiply(targets, vectors);
    const sum = sums[batches[k]!]!;
    sum.weight += weight;
    for (let a = 0; a < outputs; a++) {
      const column = Float64Array.from({ length: rank }, (_, i) => rotated.data[i * outputs + a]!);
      const data = {
        values,
        targets: column,
        ones,
        noise: problem.temperature,
        biasVariance: 0,
        nullity,
        residualSquare: residualSquare / outputs,
      };
      const found = scaleMixtureScores(data, { q: Float64Array.of(Math.max(scales[a]!, 0)), weights: Float64Array.of(weight) });
      sum.kernel += found.kernel;
      sum.noise += found.noise;
      sum.constant += found.constant;
    }
  }
  const total = sums.reduce((all, { weight }) => all + weight, 0);
  const mean = (key: "kernel" | "noise" | "constant"): number => sums.reduce((all, sum) => all + sum[key], 0) / total;
  // linearised ratio over batches
  const error = (key: "kernel" | "noise" | "constant"): number => {
    const centre = mean(key);
    const scatter = sums.reduce((all, sum) => all + ((sum[key] - sum.weight * centre) / total) ** 2, 0);
    return batchCount > 1 ? Math.sqrt((scatter * batchCount) / (batchCount - 1)) : 0;
  };
  return {
    mean: { kernel: mean("kernel"), noise: mean("noise"), constant: mean("constant"), bias: 0 },
    standardError: { kernel: error("kernel"), noise: error("noise"), constant: error("constant"), bias: 0 },
  };
}
