import type { Activation } from "@finitewidth/core";
import type { TiltClosure } from "./closure.js";
import { firstOrderClosure, usesFourPointFunctions } from "./first-order-closure.js";
import { gaussianVariationalClosure } from "./gaussian-variational.js";
import { homogeneousClosure, isHomogeneousPlane } from "./homogeneous-closure.js";
import { isLinear, linearClosure } from "./linear-closure.js";
import { gaussianNodes, usesLattice, type NodeOptions } from "./nodes.js";
import { quadratureClosure } from "./quadrature-closure.js";

/** Which averages to take. */
export interface ClosureOptions extends Omit<NodeOptions, "smooth" | "odd"> {
  /** "first": first order in the conjugate kernels. */
  readonly order: "full" | "first";
  readonly closure: "quadrature" | "gaussian-variational";
}

/**
 * The closure for an activation: closed form for linear φ, exact angles for relu and sign at two points, else nodes or the variational
 * Gaussian.
 */
export function createClosure(activation: Activation, options: ClosureOptions): TiltClosure {
  const nodes = () => gaussianNodes({ ...options, smooth: activation.smooth, odd: activation.odd });
  if (options.order === "first") return firstOrderClosure(activation, nodes());
  if (isLinear(activation)) return linearClosure(activation);
  if (options.closure === "gaussian-variational") return gaussianVariationalClosure(activation);
  const quadrature = quadratureClosure(activation, nodes());
  return isHomogeneousPlane(activation, options.dimensions) ? homogeneousClosure(activation, quadrature) : quadrature;
}

/** Whether the closure's averages carry the error of random nodes, which other scrambles can estimate. */
export const isSampled = (
  activation: Activation,
  { order, closure, dimensions }: Pick<ClosureOptions, "order" | "closure" | "dimensions">,
): boolean =>
  !isLinear(activation) &&
  !usesLattice(dimensions, activation.smooth) &&
  !isHomogeneousPlane(activation, dimensions) &&
  (order === "first" ? !usesFourPointFunctions(activation, dimensions) : closure === "quadrature");
