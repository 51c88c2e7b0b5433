import { growsFasterThanLinear } from "@finitewidth/activations";
import { resolveArchitecture, type Activation, type Problem, type Registry } from "@finitewidth/core";
import { denseChain } from "@finitewidth/kernels";
import { sobolMaximumDimensions } from "@finitewidth/numerics";
import { isLinear } from "./linear-closure.js";
import type { ForwardBackwardOptions } from "./options.js";

/** φ jumps somewhere it can be seen: at 0. */
export const jumps = ({ value }: Activation): boolean => Math.abs(value(1e-12) - value(-1e-12)) > 1e-6;

/** Why the equations do not apply, or undefined. */
export function forwardBackwardRefusal(problem: Problem, options: ForwardBackwardOptions, registry: Registry): string | undefined {
  const { network, targets } = problem;
  const chain = denseChain(resolveArchitecture(registry, network));
  if (chain === undefined)
    return 'the forward–backward equations are derived here for fully connected chains with one activation throughout, and this network is none; use "nngp", "perturbative" or "monte-carlo".';
  const { activation } = chain;
  const depth = chain.widths.length;
  if (options.order === "proportional") {
    if (depth > 1)
      return `order "proportional" needs one hidden layer, got ${depth}: no Onsager-corrected equations are known for deeper nonlinear networks; use "effective-action".`;
    if (targets.shape[1] > 1) return `order "proportional" needs one output, got ${targets.shape[1]}; use "effective-action".`;
  }
  if (options.order !== "first" && growsFasterThanLinear(activation))
    return `the tilted measure of "${activation.name}" does not exist: φ grows faster than linearly, so its kernels have heavy tails; use order "first".`;
  if (options.order !== "first" && options.closure === "gaussian-variational" && jumps(activation))
    return `the closure "gaussian-variational" needs a continuous activation, and "${activation.name}" jumps; use the closure "quadrature".`;
  if (
    targets.shape[0] > sobolMaximumDimensions &&
    !isLinear(activation) &&
    (options.order === "first" || options.closure === "quadrature")
  ) {
    return `the nodes reach ${sobolMaximumDimensions} training points, got ${targets.shape[0]}; use order "full" with the closure "gaussian-variational".`;
  }
  return undefined;
}
