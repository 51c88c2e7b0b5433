import {
  FinitewidthError,
  hiddenWidths,
  isLinear,
  resolveArchitecture,
  scalarTensor,
  type Claim,
  type FittedScenario,
  type Plugin,
  type Registry,
  type Tensor,
  type Theory,
} from "@finitewidth/core";
import { conditionOnIndependentPoints } from "@finitewidth/kernels";
import type { PerturbativeOptions } from "./options.js";
import { perturbativeOptions } from "./options.js";
import { fitPerturbative, type PerturbativeState } from "./fit.js";
import { predictPerturbative } from "./predict.js";
import { priorPerturbative, refusesPriorPerturbative } from "./prior.js";
import { engineRefusal } from "./setting.js";
import { sampledBatch } from "./sampled.js";

/**
 * What `"auto"` chose, or by sampling where a four-point function of an activation without closed forms would take too many nodes, as at
 * large variances.
 */
async function orSampled<Out>(options: PerturbativeOptions, solve: (options: PerturbativeOptions) => Promise<Out>): Promise<Out> {
  try {
    return await solve(options);
  } catch (error) {
    if (options.engine !== "auto" || !(error instanceof FinitewidthError && error.code === "refused")) throw error;
    return solve({ ...options, engine: "sampled" });
  }
}

const source = "docs/theories/perturbative.md §4; Zavatone-Veth et al. (2021)";

/**
 * First order in the inverse widths around the infinite-width limit: kernels of all layers, predictions, evidence, prior cumulants; any
 * activation with Gaussian moments, any depth and widths, biases, several outputs, T ≥ 0; linear and one-layer nonlinear periodic
 * convolutions; other architectures through the kernels of drawn networks.
 * Source: docs/theories/perturbative.md; S. Yaida (2019); J. Zavatone-Veth, A. Canatar, B. Ruben, C. Pehlevan (2021).
 */
export const perturbative: Theory<PerturbativeOptions, PerturbativeState> = conditionOnIndependentPoints({
  name: "perturbative",
  summary: "First-order 1/N corrections to posterior, evidence, hidden kernels and prior of any network.",
  options: perturbativeOptions,
  refuses: (problem, options, registry) =>
    engineRefusal(resolveArchitecture(registry, problem.network), options.engine, problem.inputs.shape[0]),
  fit: (problem, options, run) => orSampled(options, (own) => fitPerturbative(problem, own, run)),
  predict: (posterior, inputs, want, run) =>
    orSampled(posterior.options, (options) => predictPerturbative({ ...posterior, options }, inputs, want, run)),
  prior: priorPerturbative,
  refusesPrior: (problem, options, registry) =>
    engineRefusal(resolveArchitecture(registry, problem.network), options.engine, problem.inputs.shape[0]) ??
    refusesPriorPerturbative(problem, options, { registry }),
  claims,
});

/**
 * Posterior claims hold up to second order; the kernel's prior mean and covariance are exact for one hidden layer, the mean also for linear
 * units.
 */
function* claims(
  { scenario, posterior, predictive, prior }: FittedScenario<PerturbativeOptions, PerturbativeState>,
  registry: Registry,
): Iterable<Claim> {
  const order = { order: 2 } as const;
  const claim = (
    id: string,
    statement: string,
    quantity: Claim["estimand"]["quantity"],
    value: Tensor,
    standardError: Tensor | undefined,
    layer?: number,
  ): Claim => ({
    id,
    statement,
    source,
    estimand: { of: "posterior", quantity, ...(layer === undefined ? {} : { layer }) },
    value,
    ...(standardError ? { standardError } : {}),
    error: order,
  });
  const { standardError: errors } = posterior;
  yield claim(
    "log-evidence",
    "Log evidence to first order in the inverse widths.",
    "logEvidence",
    scalarTensor(posterior.logEvidence!),
    errors?.logEvidence === undefined ? undefined : scalarTensor(errors.logEvidence),
  );
  yield claim(
    "predictive-mean",
    "Posterior mean at the test points to first order.",
    "predictive.mean",
    predictive.mean,
    predictive.standardError?.mean,
  );
  yield claim(
    "predictive-variance",
    "Posterior variance at the test points to first order.",
    "predictive.variance",
    predictive.variance,
    predictive.standardError?.variance,
  );
  // sampled covariances come without their errors
  if (predictive.covariance !== undefined && predictive.standardError === undefined)
    yield claim(
      "predictive-covariance",
      "Joint posterior covariance of all outputs at the test points to first order.",
      "predictive.covariance",
      predictive.covariance,
      undefined,
    );
  for (const [l, kernel] of (posterior.hiddenKernels ?? []).entries())
    yield claim(
      `hidden-kernel-${l + 1}`,
      `Posterior mean of the kernel of hidden layer ${l + 1} to first order.`,
      "hiddenKernel",
      kernel,
      errors?.hiddenKernels?.[l],
      l + 1,
    );
  if (prior === undefined) return;
  const architecture = resolveArchitecture(registry, scenario.problem.network);
  const single = hiddenWidths(architecture).length === 1;
  yield {
    id: "kernel-mean",
    statement: "Prior mean of the output kernel, infinite width plus mean shift.",
    source: "docs/theories/perturbative.md §2; Yaida (2019)",
    estimand: { of: "prior", quantity: "kernelMean" },
    value: prior.secondMoment!,
    error: single || isLinear(architecture.layers) ? "exact" : order,
  };
  if (prior.kernelCovariance !== undefined)
    yield {
      id: "kernel-covariance",
      statement: "Prior covariance of the output kernel (four-point vertex).",
      source: "docs/theories/perturbative.md §2; Yaida (2019)",
      estimand: { of: "prior", quantity: "kernelCovariance" },
      value: prior.kernelCovariance,
      error: single ? "exact" : order,
    };
}

/** Registers the theory "perturbative". */
export const plugin: Plugin = {
  name: "@finitewidth/perturbation",
  module: import.meta.url,
  theories: [perturbative as Theory],
  tasks: [sampledBatch],
};
