import { inputError } from "./errors.js";
import type { PriorProblem, Problem } from "./problem.js";
import { resolveArchitecture, type Registry } from "./registry.js";
import { hiddenWidths } from "./layers.js";

/**
 * Rewrites a mean-field problem as an equivalent standard one: outputs divided by √N_L means readout variances divided by N_L, and the
 * noise variance is T/N_L. Problems in standard scaling are returned as they are. Source: docs/theories/large-deviation.md. @throws
 * FinitewidthError (code "input") for a network without hidden layers.
 */
export function toStandardScaling(problem: Problem, registry: Registry): Problem {
  if (problem.scaling === "standard") return problem;
  const widths = hiddenWidths(resolveArchitecture(registry, problem.network));
  const width = widths.at(-1);
  if (width === undefined) throw inputError("scaling", `"standard" for a network without hidden layers`, "mean-field");
  const divide = (value: number, layer: number): number => (layer === widths.length ? value / width : value);
  const network = registry
    .priorModel(problem.network.type)
    .vary(problem.network, { weightVariance: divide, biasVariance: divide }, registry);
  return { ...problem, network, temperature: problem.temperature / width, scaling: "standard" };
}

/**
 * The question about the prior that belongs to a regression problem: the law of its outputs at the training inputs, in standard scaling.
 */
export function priorQuestion(problem: Problem, registry: Registry): PriorProblem {
  const { network, inputs, targets } = toStandardScaling(problem, registry);
  return { network, inputs, outputs: targets.shape[1], evaluateAt: [], samples: 2 };
}
