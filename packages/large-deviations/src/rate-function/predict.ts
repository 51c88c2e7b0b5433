import { zeros, type Matrix, type MixingLaw, type Prediction, type Problem } from "@finitewidth/core";
import { multiplyTransposedRight } from "@finitewidth/linalg";
import {
  featuresOfSites,
  siteGeometryOf,
  siteKernelDiagonal,
  stackFeatures,
  stackSiteKernels,
  type SiteKernels,
  type StackedFeatures,
} from "@finitewidth/numerics";
import { predictRotated } from "./kronecker-solution.js";
import { predictSites } from "./site-solution.js";
import type { KroneckerState, LargeDeviationState, SiteState } from "./state.js";

/** N: width of the last hidden layer. */
export const referenceWidthOf = ({ chain }: MixingLaw): number => chain.layers.at(-1)!.width;
/** Outputs are divided by √N in mean-field scaling, and so are their fluctuations. */
const outputVariance = (problem: Problem, law: MixingLaw): number => (problem.scaling === "mean-field" ? 1 / referenceWidthOf(law) : 1);

/** Features of the sites where the law knows them, else kernels between them. */
export function siteSource(law: MixingLaw, inputs: Matrix): SiteKernels | StackedFeatures {
  const geometry = siteGeometryOf(law);
  return geometry === undefined ? stackSiteKernels(law.siteKernels(inputs), law.sites) : stackFeatures(featuresOfSites(geometry, inputs));
}

/** Latent outputs at some inputs with the mixing matrices at the minimiser. */
export function predictAt(
  state: LargeDeviationState,
  problem: Problem,
  law: MixingLaw,
  inputs: Matrix,
  wantCovariance: boolean,
): Prediction {
  return state.kind === "sites"
    ? predictOverSites(state, problem, law, inputs, wantCovariance)
    : predictKronecker(state, problem, law, inputs, wantCovariance);
}

/** Mean-field fluctuations of the mixing matrix move the mean by as much as the noise of the outputs: both are O(1/N). */
const withFluctuations = (problem: Problem): boolean => problem.scaling === "mean-field";

function predictKronecker(
  { mixing, spread, spectrum }: KroneckerState,
  problem: Problem,
  law: MixingLaw,
  inputs: Matrix,
  wantCovariance: boolean,
): Prediction {
  const outputs = problem.targets.shape[1];
  const points = inputs.shape[0];
  const own = wantCovariance ? law.siteKernels(inputs)[0]!.data : siteKernelDiagonal(law, inputs);
  const rotated = predictRotated(spectrum, mixing[0]!, law.siteKernels(problem.inputs, inputs)[0]!, own);
  const { vectors } = rotated;
  const mean = multiplyTransposedRight(rotated.mean, vectors);
  const scale = outputVariance(problem, law);
  const moves = withFluctuations(problem) ? spread.map((direction) => rotated.along(direction[0]!).data) : [];
  const entry = (a: number, b: number, mu: number, nu: number): number => {
    let sum = 0;
    for (let c = 0; c < outputs; c++)
      sum += vectors.data[a * outputs + c]! * vectors.data[b * outputs + c]! * rotated.spread[c]![wantCovariance ? mu * points + nu : mu]!;
    for (const move of moves) sum += move[mu * outputs + a]! * move[nu * outputs + b]!;
    return scale * sum;
  };
  const variance = zeros(points, outputs);
  for (let mu = 0; mu < points; mu++) for (let a = 0; a < outputs; a++) variance.data[mu * outputs + a] = Math.max(0, entry(a, a, mu, mu));
  if (!wantCovariance) return { mean, variance };
  const n = points * outputs;
  const covariance = zeros(n, n);
  for (let k = 0; k < n * n; k++)
    covariance.data[k] = entry(
      Math.floor(k / n) % outputs,
      (k % n) % outputs,
      Math.floor(Math.floor(k / n) / outputs),
      Math.floor((k % n) / outputs),
    );
  return { mean, variance, covariance };
}

/** Test points predicted together: the covariance among them is needed even for variances. */
const blockSize = 64;

function predictOverSites(
  { mixing, spread }: SiteState,
  problem: Problem,
  law: MixingLaw,
  inputs: Matrix,
  wantCovariance: boolean,
): Prediction {
  const outputs = problem.targets.shape[1];
  const [points, size] = inputs.shape;
  const scale = outputVariance(problem, law);
  const kernels = siteSource(law, problem.inputs);
  const mean = zeros(points, outputs);
  const variance = zeros(points, outputs);
  const step = wantCovariance ? points : blockSize;
  let covariance: Matrix | undefined;
  for (let from = 0; from < points; from += step) {
    const count = Math.min(step, points - from);
    const rows: Matrix = { data: inputs.data.subarray(from * size, (from + count) * size), shape: [count, size] };
    const prediction = predictSites(
      problem,
      law.chain,
      mixing,
      kernels,
      stackSiteKernels(law.siteKernels(problem.inputs, rows), law.sites),
      stackSiteKernels(law.siteKernels(rows), law.sites),
    );
    const moves = withFluctuations(problem) ? spread.map((direction) => prediction.along(direction)) : [];
    const n = count * outputs;
    // (output, point) → (point, output)
    const at = (k: number): number => (k % outputs) * count + Math.floor(k / outputs);
    const entry = (i: number, j: number): number =>
      scale * moves.reduce((sum, move) => sum + move[at(i)]! * move[at(j)]!, prediction.covariance.data[at(i) * n + at(j)]!);
    for (let k = 0; k < n; k++) {
      mean.data[from * outputs + k] = prediction.mean[at(k)]!;
      variance.data[from * outputs + k] = Math.max(0, entry(k, k));
    }
    if (wantCovariance)
      covariance = { data: Float64Array.from({ length: n * n }, (_, k) => entry(Math.floor(k / n), k % n)), shape: [n, n] };
  }
  return covariance === undefined ? { mean, variance } : { mean, variance, covariance };
}
