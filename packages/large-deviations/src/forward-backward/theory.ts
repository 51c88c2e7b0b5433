import {
  refusal,
  type Claim,
  type Matrix,
  type Posterior,
  type Problem,
  type Registry,
  type Run,
  type Scenario,
  type Theory,
} from "@finitewidth/core";
import { trustedForce } from "./diagnose.js";
import { fitTask } from "./fit.js";
import { isLinear } from "./linear-closure.js";
import { forwardBackwardOptions, type ForwardBackwardOptions } from "./options.js";
import { predictForwardBackward } from "./predict.js";
import { forwardBackwardRefusal } from "./refusals.js";

const name = "forward-backward";
const source = 'docs/theories/forward-backward.md, "When to trust it"';

async function fit(problem: Problem, options: ForwardBackwardOptions, run: Run): Promise<Posterior> {
  run.signal?.throwIfAborted();
  const reason = forwardBackwardRefusal(problem, options, run.registry);
  if (reason !== undefined) throw refusal(name, reason);
  const chunk = { problem, options, seed: run.seed };
  const fitted: Posterior[] = [];
  for await (const posterior of run.map(fitTask, [chunk])) fitted.push(posterior);
  return fitted[0]!;
}

/**
 * Hidden kernels: with mean-field scaling, or with strong data (a force number above the threshold, as for targets of order √N), the whole
 * shift of order one is captured, error O(1/N). Otherwise the first layer's error is O(1/N²) (its prior mean
 * has no shift) and deeper ones' O(1/N), the prior shift of the kernels, which is not part of this theory. The predictor is claimed only
 * with mean-field scaling above the threshold. Nothing is claimed for the variational closure, whose error does not fall with N, nor for
 * order "proportional".
 */
async function* claims(scenario: Scenario, options: ForwardBackwardOptions, run: Run): AsyncIterable<Claim> {
  const { problem, testInputs } = scenario;
  if (forwardBackwardRefusal(problem, options, run.registry) !== undefined) return;
  const activation = run.registry.activation(problem.network.activation);
  const meanField = problem.scaling === "mean-field";
  const exactClosure = isLinear(activation) || options.closure === "quadrature";
  if (!exactClosure || options.order === "proportional" || (options.order === "first" && meanField)) return;
  const posterior = await fit(problem, options, run);
  const strong = meanField || (posterior.diagnostics["forceNumber"] as number) >= trustedForce;
  for (const [l, value] of (posterior.hiddenKernels ?? []).entries()) {
    const order = !strong && l === 0 ? 2 : 1;
    yield {
      id: `hidden-kernel-${l + 1}`,
      statement: `The posterior mean kernel of hidden layer ${l + 1} solves the forward–backward equations${!strong && l > 0 ? ", up to the prior shift of order 1/N" : ""}.`,
      source,
      estimand: { of: "posterior", quantity: "hiddenKernel", layer: l + 1 },
      value,
      error: { order },
    };
  }
  if (!meanField || (posterior.diagnostics["forceNumber"] as number) < trustedForce) return;
  yield {
    id: "train-mean",
    statement: "The mean of f at the training inputs is Gaussian regression with the adapted kernel.",
    source,
    estimand: { of: "posterior", quantity: "train.mean" },
    value: posterior.train!.mean,
    error: { order: 1 },
  };
  const predictive = predictForwardBackward(posterior, testInputs, { covariance: false }, run);
  yield {
    id: "predictive-mean",
    statement: "The mean of f at test inputs is Gaussian regression with the adapted kernel.",
    source,
    estimand: { of: "posterior", quantity: "predictive.mean" },
    value: predictive.mean,
    error: { order: 1 },
  };
}

/**
 * Forward–backward equations for the adapted kernels of deep networks: every layer's kernel is the second moment of a tilted measure,
 * tilted by the force of the data that comes back from the layer above. Any activation of at most linear growth, any depth, widths, biases
 * and number of outputs. Source: docs/theories/forward-backward.md; Fischer, Lindner, Dahmen, Ringel, Krämer, Helias (2024), Critical
 * feature learning in deep neural networks.
 */
export const forwardBackward: Theory<ForwardBackwardOptions> = {
  name,
  summary:
    "Adapted kernels of deep networks from forward–backward equations (large deviations of the kernels; strong data or mean-field scaling).",
  options: forwardBackwardOptions,
  refuses: (problem: Problem, options: ForwardBackwardOptions, registry: Registry) => forwardBackwardRefusal(problem, options, registry),
  fit,
  predict: async (posterior: Posterior, inputs: Matrix, want: { readonly covariance: boolean }, run: Run) =>
    predictForwardBackward(posterior, inputs, want, run),
  claims,
};
