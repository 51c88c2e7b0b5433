import {
  inputError,
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
import { infiniteWidthGradient } from "./evidence-gradient.js";
import {
  conditionGaussianProcess,
  independentOutputs,
  predictGaussianProcess,
  trainGaussianProcess,
  type GaussianProcess,
} from "@finitewidth/numerics";

/** Options for likelihoods other than Gaussian noise. */
const nngpOptions = strictObject(inferenceEntries) as StandardSchemaV1<unknown, InferenceOptions>;

const kernels = (registry: Registry, { network }: Pick<Problem, "network">, inputs: Matrix, others?: Matrix): InfiniteWidthKernels =>
  infiniteWidthKernels(resolveArchitecture(registry, network), inputs, others);

const output = (registry: Registry, { network }: Pick<Problem, "network">, inputs: Matrix, others?: Matrix): OutputKernel =>
  outputKernel(resolveArchitecture(registry, network), inputs, others);

/** What predictions need: the conditioned Gaussian process, or what another likelihood than Gaussian noise left of it. */
export type NngpState = Pick<GaussianProcess, "root" | "form" | "weights"> | LatentPosteriorState;

async function fit(problem: Problem, options: InferenceOptions, run: Run): Promise<Posterior<InferenceOptions, NngpState>> {
  run.signal?.throwIfAborted();
  if (problem.likelihood !== undefined) return fitLikelihood(problem, options, run);
  const { network, inputs, targets, temperature } = toStandardScaling(problem, run.registry);
  if (targets.shape[0] !== inputs.shape[0]) throw shapeError("targets", `${inputs.shape[0]} rows, like inputs`, `${targets.shape[0]}`);
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

/** Likelihoods other than Gaussian noise: a Gaussian process observed through them. */
async function fitLikelihood(problem: Problem, options: InferenceOptions, run: Run): Promise<Posterior<InferenceOptions, NngpState>> {
  const standard = toStandardScaling(problem, run.registry);
  const infinite = kernels(run.registry, standard, standard.inputs);
  const fitted = await fitLatentPosterior(standard, { kernel: infinite.preactivation.at(-1)!, chain: { widths: [] } }, options, run);
  return { theory: "nngp", problem, options, ...fitted, hiddenKernels: infinite.hidden };
}

async function predict(
  posterior: Posterior<InferenceOptions, NngpState>,
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
  return independentOutputs(predictGaussianProcess(state, cross, prior), problem.targets.shape[1]);
}

async function prior(problem: PriorProblem, _options: InferenceOptions, run: Run): Promise<PriorResult> {
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
export const nngp: Theory<InferenceOptions, NngpState> = {
  name: "nngp",
  summary: "Infinite-width Gaussian process (NNGP): any activation, no feature learning.",
  options: nngpOptions,
  anyLikelihood: true,
  refuses: () => undefined,
  fit,
  predict,
  evidenceGradient: async (posterior, run) =>
    "latent" in posterior.state ? undefined : infiniteWidthGradient(nngp as Theory, posterior, posterior.state, run),
  prior,
  refusesPrior: () => undefined,
  claims: () => [],
};
