import type { Network } from "./network.js";
import { hiddenLayers, widthsOf } from "./network.js";
import { inputError } from "./errors.js";
import type { Problem } from "./theory.js";

/**
 * Rewrites a mean-field problem as an equivalent standard one: outputs divided by √N_L means readout variances divided by N_L, and the
 * noise variance is T/N_L. Problems in standard scaling are returned as they are. Source: docs/theories/large-deviation.md.
 */
export function toStandardScaling(problem: Problem): Problem {
  if (problem.scaling === "standard") return problem;
  const { network } = problem;
  const width = widthsOf(network)?.at(-1);
  if (width === undefined) throw inputError("scaling", `"standard" for a network without widths`, "mean-field");
  const last = hiddenLayers(network);
  const divide = (values: readonly number[]): number[] => values.map((value, l) => (l === last ? value / width : value));
  const scaled: Network = { ...network, weightVariance: divide(network.weightVariance), biasVariance: divide(network.biasVariance) };
  return { ...problem, network: scaled, temperature: problem.temperature / width, scaling: "standard" };
}
