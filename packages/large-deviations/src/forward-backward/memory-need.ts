import { resolveArchitecture, type Problem, type Registry } from "@finitewidth/core";
import { denseChain } from "@finitewidth/kernels";
import type { MemoryNeed } from "@finitewidth/linalg";
import { isLinear } from "./linear-closure.js";
import { isBiasFree } from "./linear-saddle.js";
import type { ForwardBackwardOptions } from "./options.js";

/**
 * Arrays at the peak of a fit, measured (docs/benchmarks.md): the trust-region steps of a linear network without biases above the first
 * layer; else the chain of kernels, its starts, the Newton steps with their products, and for nonlinear layers the quadrature nodes.
 * `problem`: one that is not refused.
 */
export function memoryNeed(
  { network, inputs }: Problem,
  { order, closure, nodes = 13 }: ForwardBackwardOptions,
  registry: Registry,
): MemoryNeed {
  const { widths, activation, biasVariance } = denseChain(resolveArchitecture(registry, network))!;
  const points = inputs.shape[0];
  // nodes and their features; the scrambles that measure the error take their place
  const sampled = isLinear(activation) || closure === "gaussian-variational" ? 0 : (2 * 2 ** nodes) / points;
  const inRange = isLinear(activation) && order === "full" && isBiasFree(biasVariance.slice(1));
  return {
    method: "forward-backward",
    points,
    arrays: inRange ? 17 + 4 * widths.length : 30 + 30 * widths.length + sampled,
    together: 3.2,
    instead: '"effective-action", which takes a tenth of it',
  };
}
