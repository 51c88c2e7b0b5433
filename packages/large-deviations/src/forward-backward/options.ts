import { nonNegativeInteger, oneOf, strictObject, type StandardSchemaV1 } from "@finitewidth/core";
import * as v from "valibot";

/** Options of the method "forward-backward". */
export interface ForwardBackwardOptions {
  /**
   * "first": first order in the conjugate kernels; "proportional": Onsager-corrected, one hidden layer and one output. @defaultValue "full"
   */
  readonly order: "full" | "first" | "proportional";
  /** How to average under tilted measures of nonlinear activations. @defaultValue "quadrature" */
  readonly closure: "quadrature" | "gaussian-variational";
  /**
   * 2^nodes quasi-random nodes where no lattice serves. @defaultValue 15 for kinked activations and at most 8 training points, 13 otherwise
   */
  readonly nodes?: number | undefined;
}

export const forwardBackwardOptions: StandardSchemaV1<unknown, ForwardBackwardOptions> = strictObject({
  order: v.optional(oneOf(["full", "first", "proportional"]), "full"),
  closure: v.optional(oneOf(["quadrature", "gaussian-variational"]), "quadrature"),
  nodes: v.optional(v.pipe(nonNegativeInteger, v.minValue(6, "an integer from 6 to 18"), v.maxValue(18, "an integer from 6 to 18"))),
});
