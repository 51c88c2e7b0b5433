import {
  inputError,
  resolveNetwork,
  rowsOf,
  strictObject,
  zeros,
  type Claim,
  type Figure,
  type Json,
  type Matrix,
  type MixingLaw,
  type Posterior,
  type Prediction,
  type Problem,
  type Registry,
  type Run,
  type Scenario,
  type StandardSchemaV1,
  type Tensor,
  type Theory,
} from "@finitewidth/core";
import { multiplyTransposedRight } from "@finitewidth/linalg";
import {
  expandSites,
  featuresOfSites,
  hasUpperBiases,
  siteGeometryOf,
  stackFeatures,
  stackSiteKernels,
  type SiteKernels,
  type StackedFeatures,
} from "@finitewidth/numerics";
import { actionFigure, eigenvalueFigure, siteMapFigure } from "./figures.js";
import { firstHiddenKernelOverSites, hiddenKernelsAtMinimum } from "./hidden-kernels.js";
import { predictRotated, solveKronecker } from "./kronecker-solution.js";
import { predictSites, solveSites } from "./site-solution.js";
import type { Solution } from "./solution.js";
import type { SpectralData } from "./spectral-data.js";

/** The theory has no options. */
export type LargeDeviationOptions = Readonly<Record<string, never>>;

function mixingLaw(problem: Pick<Problem, "network">, registry: Registry): MixingLaw | undefined {
  const { priorModel, activation } = resolveNetwork(registry, problem.network);
  return priorModel.mixing?.(problem.network, activation);
}

function requireLaw(problem: Problem, registry: Registry): MixingLaw {
  const law = mixingLaw(problem, registry);
  if (law === undefined) throw inputError("network", "a network with a known mixing law", problem.network.type);
  return law;
}

/** One site and no biases above the first layer: everything is a function of the eigenvalues of Q and K. */
const isKronecker = ({ chain }: MixingLaw): boolean => chain.layers.every(({ sites }) => sites === 1) && !hasUpperBiases(chain);
const referenceWidthOf = ({ chain }: MixingLaw): number => chain.layers.at(-1)!.width;
/** Outputs are divided by √N in mean-field scaling, and so are their fluctuations. */
const outputVariance = (problem: Problem, law: MixingLaw): number => (problem.scaling === "mean-field" ? 1 / referenceWidthOf(law) : 1);

function refuses(problem: Problem, _options: LargeDeviationOptions, registry: Registry): string | undefined {
  if (mixingLaw(problem, registry) !== undefined) return undefined;
  return `the rate function is known for linear networks only, and this one has activation "${problem.network.activation}"; use "effective-action" or "forward-backward"`;
}

async function fit(problem: Problem, _options: LargeDeviationOptions, run: Run): Promise<Posterior> {
  const law = requireLaw(problem, run.registry);
  const { chain } = law;
  const outputs = problem.targets.shape[1];
  const N = referenceWidthOf(law);
  run.signal?.throwIfAborted();
  const kernel = isKronecker(law) ? law.siteKernels(problem.inputs)[0]! : undefined;
  const kronecker = kernel === undefined ? undefined : solveKronecker(problem, chain, kernel, N);
  const solution = kronecker?.solution ?? solveSites(problem, chain, siteSource(law, problem.inputs), N);
  run.signal?.throwIfAborted();
  const arrays = { ...mixingArrays(solution), ...(kronecker ? spectralArrays(kronecker.data) : {}) };
  const hiddenKernels = hiddenKernelsOf(problem, law, kernel, solution, kronecker?.data);
  const base: Posterior = {
    theory: largeDeviation.name,
    problem,
    arrays,
    solver: solution.solver,
    ...(solution.logEvidence === undefined ? {} : { logEvidence: solution.logEvidence }),
    orderParameter: orderParameter(law, solution.mixing[0]!),
    ...(hiddenKernels === undefined ? {} : { hiddenKernels }),
    diagnostics: { action: solution.action, referenceWidth: N, minima: minimaReport(law, solution, outputs), ...solution.diagnostics },
    warnings: warningsOf(law, solution, outputs, N),
    figures: figuresOf(problem, law, solution, kronecker?.data),
  };
  return { ...base, train: predictAt(base, law, problem.inputs, false) };
}

/** Features of the sites where the law knows them, else kernels between them. */
function siteSource(law: MixingLaw, inputs: Matrix): SiteKernels | StackedFeatures {
  const geometry = siteGeometryOf(law);
  return geometry === undefined ? stackSiteKernels(law.siteKernels(inputs), law.sites) : stackFeatures(featuresOfSites(geometry, inputs));
}

function mixingArrays({ mixing, spread }: Solution): Record<string, Tensor> {
  const arrays: Record<string, Tensor> = {};
  mixing.forEach((m, l) => {
    arrays[`mixing${l + 1}`] = m;
    const directions = spread.map((direction) => direction[l]).filter((direction) => direction !== undefined);
    if (directions.length === 0) return;
    const data = new Float64Array(directions.length * m.data.length);
    directions.forEach((direction, k) => data.set(direction.data, k * m.data.length));
    arrays[`spread${l + 1}`] = { data, shape: [directions.length, ...m.shape] };
  });
  return arrays;
}

const spectralArrays = ({ eigenvalues, vectors, targets }: SpectralData): Record<string, Tensor> => ({
  eigenvalues: { data: eigenvalues, shape: [eigenvalues.length] },
  vectors,
  rotatedTargets: targets,
});

/** The mixing matrices and the directions of their fluctuations, back from plain arrays. */
function storedSolution({ arrays }: Posterior): { readonly mixing: Matrix[]; readonly spread: Matrix[][] } {
  const mixing: Matrix[] = [];
  const spread: Matrix[][] = [];
  for (let l = 1; arrays[`mixing${l}`] !== undefined; l++) {
    const m = arrays[`mixing${l}`] as Matrix;
    mixing.push(m);
    const directions = arrays[`spread${l}`];
    const size = m.data.length;
    for (let k = 0; k < (directions?.shape[0] ?? 0); k++)
      (spread[k] ??= []).push({ data: directions!.data.subarray(k * size, (k + 1) * size), shape: m.shape });
  }
  return { mixing, spread };
}

/**
 * A number for one output and one site, else the matrix over (output, site), brought from reduced sites to all sites of the first layer.
 */
function orderParameter(law: MixingLaw, mixing: Matrix): number | Tensor {
  const basis = siteGeometryOf(law)?.siteBases?.[0];
  const full = basis === undefined || basis.shape[0] > 200 ? mixing : expandSites(basis, mixing);
  return full.data.length === 1 ? full.data[0]! : full;
}

function minimaReport(law: MixingLaw, { minima }: Solution, outputs: number): Json {
  return minima.map(({ action, mixing }) => {
    const value = orderParameter(law, mixing);
    if (typeof value === "number") return { action, q: value, logQ: Math.log(value) };
    return value.shape[0]! > 4 * outputs ? { action } : { action, q: rowsOf(value as Matrix) };
  });
}

function warningsOf(law: MixingLaw, { solver, minima }: Solution, outputs: number, N: number): string[] {
  const warnings: string[] = [];
  if (!solver.converged) warnings.push(`the minimiser did not converge: largest gradient ${solver.residual.toPrecision(2)}`);
  const [first, second] = minima;
  if (first && second)
    warnings.push(
      `${minima.length} minima: different starts disagree; the second lies ${(second.action - first.action).toPrecision(3)} higher in action, ${(N * (second.action - first.action)).toPrecision(3)} in log evidence`,
    );
  const narrow = law.chain.layers.find((layer) => layer.width < outputs * layer.sites);
  if (narrow)
    warnings.push(
      `a layer of ${narrow.width} units is narrower than its mixing matrix (${outputs * narrow.sites}): the limit of large widths is far away, prefer "exact"`,
    );
  return warnings;
}

function hiddenKernelsOf(
  problem: Problem,
  law: MixingLaw,
  kernel: Matrix | undefined,
  solution: Solution,
  data: SpectralData | undefined,
): readonly Matrix[] | undefined {
  const N = referenceWidthOf(law);
  if (siteGeometryOf(law) === undefined)
    return data === undefined || kernel === undefined
      ? undefined
      : hiddenKernelsAtMinimum(law.chain, solution.mixing, kernel, data, problem.scaling, N);
  if (law.chain.layers.length > 1) return undefined;
  const first = firstHiddenKernelOverSites(problem, law, solution.mixing, N);
  return first === undefined ? undefined : [first];
}

function figuresOf(problem: Problem, law: MixingLaw, solution: Solution, data: SpectralData | undefined): Figure[] {
  const outputs = problem.targets.shape[1];
  if (data !== undefined && outputs === 1) return [actionFigure(problem, law.chain, data, solution, referenceWidthOf(law))];
  if (law.sites === 1) return [eigenvalueFigure(solution, law.chain)];
  const map = siteMapFigure(law, solution, outputs);
  return map === undefined ? [] : [map];
}

function predictAt(posterior: Posterior, law: MixingLaw, inputs: Matrix, wantCovariance: boolean): Prediction {
  return posterior.arrays["eigenvalues"] === undefined
    ? predictOverSites(posterior, law, inputs, wantCovariance)
    : predictKronecker(posterior, law, inputs, wantCovariance);
}

/** Mean-field fluctuations of the mixing matrix move the mean by as much as the noise of the outputs: both are O(1/N). */
const withFluctuations = (problem: Problem): boolean => problem.scaling === "mean-field";

function predictKronecker(posterior: Posterior, law: MixingLaw, inputs: Matrix, wantCovariance: boolean): Prediction {
  const { problem, arrays } = posterior;
  const outputs = problem.targets.shape[1];
  const points = inputs.shape[0];
  const { mixing, spread } = storedSolution(posterior);
  const data: SpectralData = {
    eigenvalues: arrays["eigenvalues"]!.data,
    vectors: arrays["vectors"] as Matrix,
    targets: arrays["rotatedTargets"] as Matrix,
    temperature: problem.temperature,
  };
  const own = wantCovariance ? law.siteKernels(inputs)[0]!.data : diagonalKernel(law, inputs);
  const rotated = predictRotated(data, mixing[0]!, law.siteKernels(problem.inputs, inputs)[0]!, own);
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

/** K¹ of every input with itself, without the whole matrix. */
function diagonalKernel(law: MixingLaw, inputs: Matrix): Float64Array {
  const [points, size] = inputs.shape;
  return Float64Array.from(
    { length: points },
    (_, mu) => law.siteKernels({ data: inputs.data.subarray(mu * size, (mu + 1) * size), shape: [1, size] })[0]!.data[0]!,
  );
}

/** Test points predicted together: the covariance among them is needed even for variances. */
const blockSize = 64;

function predictOverSites(posterior: Posterior, law: MixingLaw, inputs: Matrix, wantCovariance: boolean): Prediction {
  const { problem } = posterior;
  const outputs = problem.targets.shape[1];
  const [points, size] = inputs.shape;
  const { mixing, spread } = storedSolution(posterior);
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

async function* claims(scenario: Scenario, options: LargeDeviationOptions, run: Run): AsyncIterable<Claim> {
  const { problem, testInputs } = scenario;
  if (refuses(problem, options, run.registry) !== undefined) return;
  const posterior = await fit(problem, options, run);
  const prediction = predictAt(posterior, requireLaw(problem, run.registry), testInputs, false);
  const source = "docs/theories/large-deviation.md";
  const meanField = problem.scaling === "mean-field";
  yield {
    id: "predictive-mean",
    statement: "The posterior mean at test inputs is that of the kernel renormalised at the minimiser of the rate function.",
    source: `${source} §2`,
    estimand: { of: "posterior", quantity: "predictive.mean" },
    value: prediction.mean,
    error: { order: 1 },
  };
  yield {
    id: "predictive-variance",
    statement: meanField
      ? "Posterior variance at test inputs, of order 1/N: renormalised kernel plus fluctuations of the mixing matrix."
      : "The posterior variance at test inputs is that of the renormalised kernel.",
    source: `${source} §5`,
    estimand: { of: "posterior", quantity: "predictive.variance" },
    value: prediction.variance,
    error: { order: meanField ? 2 : 1 },
  };
  if (!meanField && posterior.logEvidence !== undefined) {
    yield {
      id: "log-evidence",
      statement: "Laplace approximation of the log evidence around the minimiser.",
      source: `${source} §3`,
      estimand: { of: "posterior", quantity: "logEvidence" },
      value: { data: Float64Array.of(posterior.logEvidence), shape: [1] },
      error: { order: 1 },
    };
  }
  if (meanField) {
    for (const [l, kernel] of (posterior.hiddenKernels ?? []).entries()) {
      yield {
        id: `hidden-kernel-${l + 1}`,
        statement: `Hidden kernel of layer ${l + 1}: a spike of rank D on the infinite-width kernel, of order 1.`,
        source: `${source} §5`,
        estimand: { of: "posterior", quantity: "hiddenKernel", layer: l + 1 },
        value: kernel,
        error: { order: 1 },
      };
    }
  }
}

/**
 * Large deviations of deep linear networks, fully connected or convolutional: the mixing matrix sits at the minimiser of its rate function
 * plus the data term. Standard scaling: proportional limit, log det included; mean-field scaling: minimiser without log det, predictions
 * with their 1/N fluctuations. Source: docs/theories/large-deviation.md; Bassetti, Gherardi, Ingrosso, Pastore, Rotondo (2024), section 5.
 */
export const largeDeviation: Theory<LargeDeviationOptions> = {
  name: "large-deviation",
  summary: "Minimiser of the rate function of deep linear networks (large widths; mean-field scaling or P/N fixed).",
  options: strictObject({}) as StandardSchemaV1<unknown, LargeDeviationOptions>,
  refuses,
  fit,
  predict: async (posterior, inputs, want, run) =>
    predictAt(posterior, requireLaw(posterior.problem, run.registry), inputs, want.covariance),
  claims,
};
