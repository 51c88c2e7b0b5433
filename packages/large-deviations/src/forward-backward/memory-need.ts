import { resolveArchitecture, type Problem, type Registry } from "@finitewidth/core";
import { denseChain } from "@finitewidth/kernels";
import type { MemoryNeed } from "@finitewidth/linalg";
import { isLinear } from "./linear-closure.js";
import type { ForwardBackwardOptions } from "./options.js";

/**
 * Arrays at the peak of a fit, measured (docs/benchmarks.md): the chain of kernels, its starts, the Newton steps with their products, and
 * for nonlinear layers the quadrature nodes with what is made at them. `problem`: one that is not refused.
 */
export function memoryNeed({ network, inputs }: Problem, { closure, nodes = 13 }: ForwardBackwardOptions, registry: Registry): MemoryNeed {
  const { widths, activation } = denseChain(resolveArchitecture(registry, network))!;
  const points = inputs.shape[0];
  const sampled = isLinear(activation) || closure === "gaussian-variational" ? 0 : (4 * widths.length * 2 ** nodes) / points;
  return {
    method: "forward-backward",
    points,
    arrays: 30 + 30 * widths.length + sampled,
    together: 3.2,
    instead: '"effective-action", which takes a tenth of it',
  };
}
