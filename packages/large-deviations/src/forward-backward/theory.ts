import { refusal, type Problem, type Run, type Theory } from "@finitewidth/core";
import { conditionOnIndependentPoints } from "@finitewidth/kernels";
import { claimsOf } from "./claims.js";
import type { ForwardBackwardPosterior } from "./fit-context.js";
import { fitTask } from "./fit.js";
import { requireMemory } from "@finitewidth/linalg";
import { memoryNeed } from "./memory-need.js";
import { forwardBackwardOptions, type ForwardBackwardOptions } from "./options.js";
import { predictForwardBackward } from "./predict.js";
import { forwardBackwardRefusal } from "./refusals.js";
import type { ForwardBackwardState } from "./state.js";

const name = "forward-backward";

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
  claims: claimsOf,
});
