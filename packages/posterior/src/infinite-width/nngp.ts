import {
  inputError,
  oneOf,
  resolveArchitecture,
  shapeError,
  strictObject,
  toStandardScaling,
  withLazy,
  zeros,
  type InfiniteWidthKernels,
  type Matrix,
  type Posterior,
  type Prediction,
  type PriorProblem,
  type PriorResult,
  type Problem,
  type Registry,
  type Run,
  type StandardSchemaV1,
  type Theory,
} from "@finitewidth/core";
import { infiniteWidthKernels, outputKernel, type OutputKernel } from "@finitewidth/kernels";
import {
  fitLatentPosterior,
  inferenceEntries,
  predictLatentPosterior,
  type InferenceOptions,
  type LatentPosteriorState,
} from "@finitewidth/likelihoods";
import { requireMemory, trace } from "@finitewidth/linalg";
import * as v from "valibot";
import { infiniteWidthGradient } from "./evidence-gradient.js";
import {
  chosenForm,
  fitIteratively,
  fitTiles,
  iterativeWarnings,
  predictLarge,
  trainTiles,
  type IterativeState,
  type KernelBetween,
  type Solver,
  type TiledState,
} from "./large.js";
import {
  conditionGaussianProcess,
  independentOutputs,
  predictGaussianProcess,
  trainGaussianProcess,
  type GaussianProcess,
} from "@finitewidth/numerics";

/** Options of `nngp`: the solver under Gaussian noise, the rest for other likelihoods. */
export interface NngpOptions extends InferenceOptions {
  /**
   * "dense": a Cholesky factor, beyond 16 000 points of the lower triangle in tiles. "iterative": preconditioned conjugate gradients, the
   * log evidence with a standard error. "auto": dense up to 20 000 points, iterative beyond. @defaultValue "auto"
   */
  readonly solver?: Solver;
}

const nngpOptions = strictObject({
  solver: v.exactOptional(oneOf(["auto", "dense", "iterative"])),
  ...inferenceEntries,
}) as StandardSchemaV1<unknown, NngpOptions>;

const kernels = (registry: Registry, { network }: Pick<Problem, "network">, inputs: Matrix, others?: Matrix): InfiniteWidthKernels =>
  infiniteWidthKernels(resolveArchitecture(registry, network), inputs, others);

const output = (registry: Registry, { network }: Pick<Problem, "network">, inputs: Matrix, others?: Matrix): OutputKernel =>
  outputKernel(resolveArchitecture(registry, network), inputs, others);

const kernelBetween =
  (registry: Registry, network: Problem["network"]): KernelBetween =>
  (inputs, others) =>
    output(registry, { network }, inputs, others).kernel;

/** What predictions need: a conditioned Gaussian process in one of its forms, or what another likelihood than Gaussian noise left. */
export type NngpState = Pick<GaussianProcess, "root" | "form" | "weights"> | TiledState | IterativeState | LatentPosteriorState;

async function fit(problem: Problem, options: NngpOptions, run: Run): Promise<Posterior<NngpOptions, NngpState>> {
  run.signal?.throwIfAborted();
  if (problem.likelihood !== undefined) return fitLikelihood(problem, options, run);
  const { network, inputs, targets, temperature } = toStandardScaling(problem, run.registry);
  if (targets.shape[0] !== inputs.shape[0]) throw shapeError("targets", `${inputs.shape[0]} rows, like inputs`, `${targets.shape[0]}`);
  const chosen = chosenForm(inputs.shape[0], temperature, options.solver);
  if (chosen !== "whole") return fitLarge(chosen, { network, inputs, targets, temperature }, problem, options, run);
  // the kernel that becomes the factor, and its copy where the kernels work beside the inputs
  requireMemory({ method: "nngp", points: inputs.shape[0], arrays: 2.3, together: 1 + inputs.shape[1] / inputs.shape[0] });
  const kernel = (): Matrix => output(run.registry, { network }, inputs).kernel;
  let meanVariance = 0;
  const process = conditionGaussianProcess(
    () => {
      const made = kernel();
      meanVariance = trace(made) / inputs.shape[0];
      return made;
    },
    targets,
    temperature,
  );
  const { root, form, weights, logEvidence, warnings } = process;
  run.signal?.throwIfAborted();
  const fitted = {
    theory: "nngp",
    problem,
    options,
    state: { root, form, weights },
    solver: { converged: true, iterations: 0, residual: 0, jitter: 0 },
    logEvidence,
    diagnostics: { form },
    warnings,
  };
  return withLazy(fitted, {
    train: (): Prediction =>
      independentOutputs(trainGaussianProcess({ root, form, weights }, kernel, targets, temperature, meanVariance), targets.shape[1]),
    // At infinite width the hidden kernels do not learn: posterior and prior agree.
    hiddenKernels: (): readonly Matrix[] => kernels(run.registry, { network }, inputs).hidden,
  });
}

/** More points than one array should hold, or iterations that were asked for. */
function fitLarge(
  form: "tiles" | "iterative",
  { network, inputs, targets, temperature }: Pick<Problem, "network" | "inputs" | "targets" | "temperature">,
  problem: Problem,
  options: NngpOptions,
  run: Run,
): Posterior<NngpOptions, NngpState> {
  const between = kernelBetween(run.registry, network);
  const hiddenKernels = (): readonly Matrix[] => kernels(run.registry, { network }, inputs).hidden;
  const common = { theory: "nngp", problem, options };
  const solver = { converged: true, iterations: 0, residual: 0, jitter: 0 };
  if (form === "tiles") {
    const { state, logEvidence } = fitTiles(between, inputs, targets, temperature, run);
    const fitted = { ...common, state, solver, logEvidence, diagnostics: { form }, warnings: [] };
    return withLazy(fitted, {
      train: (): Prediction => independentOutputs(trainTiles(state, targets, temperature), targets.shape[1]),
      hiddenKernels,
    });
  }
  const { state, process, diagnostics } = fitIteratively(between, inputs, targets, temperature, run);
  const fitted = {
    ...common,
    state,
    solver: { ...solver, converged: process.converged, iterations: process.iterations, residual: process.residual },
    logEvidence: process.logEvidence,
    standardError: { logEvidence: process.logEvidenceError },
    diagnostics,
    warnings: iterativeWarnings(process),
  };
  return withLazy(fitted, { hiddenKernels });
}

/** Likelihoods other than Gaussian noise: a Gaussian process observed through them. */
async function fitLikelihood(problem: Problem, options: NngpOptions, run: Run): Promise<Posterior<NngpOptions, NngpState>> {
  const standard = toStandardScaling(problem, run.registry);
  const infinite = kernels(run.registry, standard, standard.inputs);
  const fitted = await fitLatentPosterior(standard, { kernel: infinite.preactivation.at(-1)!, chain: { widths: [] } }, options, run);
  return { theory: "nngp", problem, options, ...fitted, hiddenKernels: infinite.hidden };
}

async function predict(
  posterior: Posterior<NngpOptions, NngpState>,
  inputs: Matrix,
  want: { readonly covariance: boolean },
  run: Run,
): Promise<Prediction> {
  const problem = toStandardScaling(posterior.problem, run.registry);
  const { state } = posterior;
  const { kernel: cross, othersDiagonal } = output(run.registry, problem, problem.inputs, inputs);
  if ("latent" in state) {
    const train = (): Matrix => output(run.registry, problem, problem.inputs).kernel;
    return predictLatentPosterior(problem, state, { widths: [] }, { train, cross, prior: othersDiagonal! }, run);
  }
  const prior = want.covariance ? output(run.registry, problem, inputs).kernel : othersDiagonal!;
  const predicted =
    state.form === "tiles" || state.form === "iterative"
      ? predictLarge(state, kernelBetween(run.registry, problem.network), problem.inputs, problem.temperature, cross, prior, run)
      : predictGaussianProcess(state, cross, prior);
  return independentOutputs(predicted, problem.targets.shape[1]);
}

async function prior(problem: PriorProblem, _options: NngpOptions, run: Run): Promise<PriorResult> {
  const { kernel } = output(run.registry, problem, problem.inputs);
  const points = kernel.shape[0];
  const warnings: string[] = [];
  const logDensity = problem.evaluateAt.map((value, i) => {
    if (value.shape[0] !== points || value.shape[1] !== problem.outputs)
      throw shapeError(`evaluateAt[${i}]`, `${points} × ${problem.outputs} numbers`, value.shape.join(" × "));
    try {
      const process = conditionGaussianProcess(kernel, value, 0);
      warnings.push(...process.warnings.filter((warning) => !warnings.includes(warning)));
      return process.logEvidence;
    } catch (error) {
      throw inputError(`evaluateAt[${i}]`, "a value of f that the prior can take", (error as Error).message);
    }
  });
  return {
    secondMoment: kernel,
    ...(points <= 8
      ? {
          fourthCumulant: { data: new Float64Array(points ** 4), shape: [points, points, points, points] },
          kernelCovariance: { data: new Float64Array(points ** 4), shape: [points, points, points, points] },
        }
      : {}),
    excessKurtosis: new Float64Array(points),
    kernelMeanShift: zeros(points, points),
    ...(logDensity.length > 0 ? { logDensity: Float64Array.from(logDensity) } : {}),
    warnings,
  };
}

/**
 * Infinite-width limit: f ~ GP(0, K^{L+1}) for any activation, any number of outputs, T ≥ 0, biases, either scaling. Evidence, predictions,
 * and hidden kernels G¹ … G^L, which the data do not change. Makes no claims about networks of finite width.
 * Source: docs/theories/nngp.md; J. Lee et al., Deep neural networks as Gaussian processes (2018).
 */
export const nngp: Theory<NngpOptions, NngpState> = {
  name: "nngp",
  summary: "Infinite-width Gaussian process (NNGP): any activation, no feature learning.",
  options: nngpOptions,
  anyLikelihood: true,
  refuses: ({ likelihood, temperature }, { solver }) => {
    if (solver !== "iterative") return undefined;
    if (likelihood !== undefined) return '"solver": "iterative" is for Gaussian noise; leave it out, or use "solver": "dense".';
    return temperature > 0 ? undefined : '"solver": "iterative" needs a temperature T > 0; use "solver": "dense".';
  },
  fit,
  predict,
  infiniteKernels: ({ hiddenKernels }) => hiddenKernels,
  evidenceGradient: async (posterior, run) =>
    "latent" in posterior.state || posterior.state.form === "tiles" || posterior.state.form === "iterative"
      ? undefined
      : infiniteWidthGradient(nngp as Theory, posterior, posterior.state, run),
  prior,
  refusesPrior: () => undefined,
  claims: () => [],
};
