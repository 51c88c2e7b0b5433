import { oneOf, positiveInteger, strictObject, type StandardSchemaV1 } from "@finitewidth/core";
import * as v from "valibot";

/** How the fluctuation of the kernel is computed. */
export type Engine = "auto" | "exact" | "sampled" | "networks";

/** Options of the method `perturbative`. */
export interface PerturbativeOptions {
  /**
   * "exact": deterministic four-point functions, n⁴/24 of them per layer; "sampled": single-neuron noise, n² memory, standard errors from
   * 16 batches; "networks": kernels of drawn networks, for any architecture. "auto": closed forms for linear networks, then the first that
   * is fast.
   */
  readonly engine: Engine;
  /** Draws per layer (networks drawn, for "networks"), in 16 batches; rounded up to 16 times a power of two. */
  readonly samples: number;
}

export const perturbativeOptions: StandardSchemaV1<unknown, PerturbativeOptions> = strictObject({
  engine: v.optional(oneOf(["auto", "exact", "sampled", "networks"]), "auto"),
  samples: v.optional(positiveInteger, 4096),
});
