import {
  refusal,
  resolveArchitecture,
  type Claim,
  type FittedScenario,
  type Problem,
  type Registry,
  type Run,
  type Theory,
} from "@finitewidth/core";
import { conditionOnIndependentPoints, denseChain } from "@finitewidth/kernels";
import { forceNumber, trustedForce } from "./diagnose.js";
import type { ForwardBackwardPosterior } from "./fit-context.js";
import { fitTask } from "./fit.js";
import { requireMemory } from "@finitewidth/linalg";
import { isLinear } from "./linear-closure.js";
import { memoryNeed } from "./memory-need.js";
import { forwardBackwardOptions, type ForwardBackwardOptions } from "./options.js";
import { predictForwardBackward } from "./predict.js";
import { forwardBackwardRefusal } from "./refusals.js";
import type { ForwardBackwardState } from "./state.js";

const name = "forward-backward";
const source = 'docs/theories/forward-backward.md, "When to trust it"';

async function fit(problem: Problem, options: ForwardBackwardOptions, run: Run): Promise<ForwardBackwardPosterior> {
  run.signal?.throwIfAborted();
  const reason = forwardBackwardRefusal(problem, options, run.registry);
  if (reason !== undefined) throw refusal(name, reason);
  requireMemory(memoryNeed(problem, options, run.registry));
  const chunk = { problem, options, seed: run.seed };
  const fitted: ForwardBackwardPosterior[] = [];
  for await (const posterior of run.map(fitTask, [chunk])) fitted.push(posterior);
  return fitted[0]!;
}

/**
 * Hidden kernels: with mean-field scaling, or with strong data (a force number above the threshold, as for targets of order √N), the whole
 * shift of order one is captured, error O(1/N). Otherwise the first layer's error is O(1/N²) (its prior mean
 * has no shift) and deeper ones' O(1/N), the prior shift of the kernels, which is not part of this theory. The predictor is claimed only
 * with mean-field scaling above the threshold, the evidence above it in standard scaling, up to terms of order one. Nothing is claimed for
 * the variational closure, whose error does not fall with N, nor for order "proportional".
 */
function* claims(
  { posterior, predictive }: FittedScenario<ForwardBackwardOptions, ForwardBackwardState>,
  registry: Registry,
): Iterable<Claim> {
  const { problem, options, state, hiddenKernels, train } = posterior;
  const meanField = problem.scaling === "mean-field";
  const exactClosure = options.closure === "quadrature" || isLinear(denseChain(resolveArchitecture(registry, problem.network))!.activation);
  if (!exactClosure || options.order === "proportional" || (options.order === "first" && meanField)) return;
  const trusted = forceNumber(state.kernels.at(-1)!, state) >= trustedForce;
  const strong = meanField || trusted;
  for (const [l, value] of (hiddenKernels ?? []).entries()) {
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
  if (!meanField && trusted && posterior.logEvidence !== undefined)
    yield {
      id: "log-evidence",
      statement: "The action at the saddle is the log evidence up to terms that stay of order one as it grows with N.",
      source,
      estimand: { of: "posterior", quantity: "logEvidence" },
      value: { data: Float64Array.of(posterior.logEvidence), shape: [1] },
      error: { order: 0 },
    };
  if (!meanField || !trusted) return;
  yield {
    id: "train-mean",
    statement: "The mean of f at the training inputs is Gaussian regression with the adapted kernel.",
    source,
    estimand: { of: "posterior", quantity: "train.mean" },
    value: train!.mean,
    error: { order: 1 },
  };
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
export const forwardBackward: Theory<ForwardBackwardOptions, ForwardBackwardState> = conditionOnIndependentPoints({
  name,
  summary:
    "Adapted kernels of deep networks from forward–backward equations (large deviations of the kernels; strong data or mean-field scaling).",
  options: forwardBackwardOptions,
  refuses: forwardBackwardRefusal,
  fit,
  predict: async (posterior, inputs, want, run) => predictForwardBackward(posterior, inputs, want, run),
  claims,
});
