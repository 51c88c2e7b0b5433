import { toMatrix, type MatrixLike } from "./arrays.js";
import { isCoded, valuesOf } from "./coded-matrix.js";
import { requireFinite } from "./finite.js";
import { inputError, refusal, shapeError } from "./errors.js";
import type { LikelihoodChoice } from "./likelihood.js";
import { createLikelihood, reasonToRefuse, requireEveryClass } from "./likelihoods.js";
import type { Network } from "./network.js";
import { inputSize } from "./layers.js";
import type { Problem, Scaling } from "./problem.js";
import type { Posterior } from "./posterior.js";
import type { Prediction } from "./prediction.js";
import { resolveArchitecture, type Registry } from "./registry.js";
import { inlineRun, type Run } from "./run.js";
import type { Matrix } from "./tensor.js";
import type { Theory } from "./theory.js";
import { validate } from "./validation.js";

/** A problem as users write it. */
export interface ProblemInput {
  /** As in an experiment file; defaults are filled in by the prior model's schema. */
  readonly network: { readonly type: string; readonly [key: string]: unknown };
  /** P × N0. */
  readonly inputs: MatrixLike;
  /** P × D, or P numbers. */
  readonly targets: MatrixLike;
  /** Noise variance T ≥ 0; left out when `likelihood` is given. */
  readonly temperature?: number;
  /** A registered likelihood with its parameters. @defaultValue Gaussian noise of variance `temperature` */
  readonly likelihood?: LikelihoodChoice;
  /** @defaultValue "standard" */
  readonly scaling?: Scaling;
}

/** Validates a problem against its prior model. @throws FinitewidthError (code "input" or "shape") naming the field. */
export function createProblem(input: ProblemInput, registry: Registry): Problem {
  const network = resolveNetworkInput(input.network, registry);
  const inputs = checkInputs(toMatrix(input.inputs, "inputs"), network, registry, "inputs");
  const targets = toMatrix(input.targets, "targets");
  if (inputs.shape[0] === 0) throw inputError("inputs", "at least one row", []);
  if (targets.shape[0] !== inputs.shape[0]) throw shapeError("targets", `${inputs.shape[0]} rows, like inputs`, `${targets.shape[0]}`);
  if (targets.shape[1] === 0) throw inputError("targets", "at least one column", []);
  requireSquares(targets, "targets");
  const scaling = input.scaling ?? "standard";
  if (input.likelihood === undefined) {
    if (!(Number.isFinite(input.temperature) && input.temperature! >= 0))
      throw inputError("likelihood.temperature", "a number ≥ 0", input.temperature);
    requireScale(inputs, input.temperature === 0);
    return { network, inputs, targets, temperature: input.temperature!, scaling };
  }
  if (input.temperature !== undefined) throw inputError("temperature", "nothing beside a likelihood of its own", input.temperature);
  const likelihood = createLikelihood(registry, input.likelihood);
  requireScale(inputs, likelihood.noise === 0);
  if (likelihood.noise !== undefined) return { network, inputs, targets, temperature: likelihood.noise, scaling };
  likelihood.check(targets, "targets");
  requireEveryClass(likelihood, targets, "targets");
  return { network, inputs, targets, temperature: 0, likelihood: input.likelihood, scaling };
}

/** Validates the `network` object with the schema of its prior model and builds its layers, which checks the names in it. */
export function resolveNetworkInput(network: { readonly type: string; readonly [key: string]: unknown }, registry: Registry): Network {
  const model = registry.priorModel(network.type);
  const resolved = validate(model.schema, network, "network");
  resolveArchitecture(registry, resolved);
  return resolved;
}

/** Beyond this squares overflow, and with them every kernel. */
const largestNumber = 1e150;

/** Below, squares of data underflow; without noise, squares of targets over kernels overflow. */
const smallestScale = { noisy: 1e-153, noiseless: 1e-70 } as const;

/** @throws FinitewidthError (code "input") for inputs that are not all 0 and whose kernel has no digits. */
function requireScale(inputs: Matrix, noiseless: boolean): void {
  const smallest = noiseless ? smallestScale.noiseless : smallestScale.noisy;
  let largest = 0;
  const values = valuesOf(inputs);
  for (let i = 0; i < values.length && largest < smallest; i++) largest = Math.max(largest, Math.abs(values[i]!));
  if (largest > 0 && largest < smallest)
    throw inputError(
      "inputs",
      `numbers the largest of which is at least ${smallest} in size${noiseless ? " where the temperature is 0" : ""} (rescale the data)`,
      largest,
    );
}

/** @throws FinitewidthError (code "input") naming the first entry whose square is no finite number. */
function requireSquares(m: Matrix, path: string): void {
  if (isCoded(m) && valuesOf(m).every((value) => Math.abs(value) <= largestNumber)) return;
  const {
    data,
    shape: [, columns],
  } = m;
  // a loop: a callback for each of millions of numbers takes seconds
  let at = 0;
  while (at < data.length && Math.abs(data[at]!) <= largestNumber) at++;
  if (at === data.length) return;
  const entry = `${path}[${Math.floor(at / columns)}][${at % columns}]`;
  throw inputError(entry, `a number of at most ${largestNumber} in size (rescale the data)`, data[at]);
}

/**
 * Checks sizes and the number of features against the architecture; returns `inputs`. O(P N0). @throws FinitewidthError (code "input" or
 * "shape") naming `path`.
 */
export function checkInputs(inputs: Matrix, network: Network, registry: Registry, path: string): Matrix {
  requireSquares(inputs, path);
  const size = inputSize(resolveArchitecture(registry, network));
  if (inputs.shape[1] === 0) throw inputError(path, "at least one feature per row", []);
  if (size !== undefined && inputs.shape[1] !== size)
    throw shapeError(path, `${size} features per row for this network`, `${inputs.shape[1]}`);
  return inputs;
}

/** A fitted theory with its predictions bound. */
export interface Fitted<Options = unknown, State = unknown> {
  readonly posterior: Posterior<Options, State>;
  /** Latent outputs f at the rows of `inputs`. */
  predict(inputs: MatrixLike, want?: { readonly covariance?: boolean }): Promise<Prediction>;
}

/**
 * Fits a theory: `const { posterior, predict } = await fit(exact, problem, { registry })`. Costs the fit of the theory; `predict` what its
 * predictions cost.
 * @throws FinitewidthError: "input"/"shape" for bad data, "refused" when the theory does not apply, "not-converged" when its iteration
 * failed or a number of its results is not finite.
 */
export async function fit<Options, State>(
  theory: Theory<Options, State>,
  input: ProblemInput,
  settings: {
    readonly registry: Registry;
    readonly options?: Record<string, unknown>;
    readonly seed?: number;
    readonly signal?: AbortSignal;
    readonly run?: Run;
  },
): Promise<Fitted<Options, State>> {
  const { registry } = settings;
  const problem = createProblem(input, registry);
  const options = validate(theory.options, settings.options ?? {}, "options");
  const reason = reasonToRefuse(theory, problem, options, registry);
  if (reason !== undefined) throw refusal(theory.name, reason);
  const run =
    settings.run ??
    inlineRun({
      registry,
      ...(settings.seed === undefined ? {} : { seed: settings.seed }),
      ...(settings.signal ? { signal: settings.signal } : {}),
    });
  const posterior = await theory.fit(problem, options, run);
  const { logEvidence } = posterior;
  // what is computed when it is first read waits
  requireFinite(theory.name, logEvidence === undefined ? {} : { logEvidence });
  return {
    posterior,
    predict: async (inputs, want = {}) => {
      const checked = checkInputs(toMatrix(inputs, "inputs"), problem.network, registry, "inputs");
      const features = problem.inputs.shape[1];
      if (checked.shape[1] !== features)
        throw shapeError("inputs", `${features} features per row, like the training inputs`, `${checked.shape[1]}`);
      const prediction = await theory.predict(posterior, checked, { covariance: want.covariance ?? false }, run);
      requireFinite(theory.name, {}, prediction);
      return prediction;
    },
  };
}
