import { oneOf, positiveInteger, positiveNumber, strictObject, type StandardSchemaV1 } from "@finitewidth/core";
import * as v from "valibot";

/** Options of the method "expectation-propagation". */
export interface ExpectationPropagationOptions {
  /**
   * "both": no unit or one unit is aligned with the labels, the branches weighed by their probabilities. "symmetric": all units share one
   * measure, aligned ones included. @defaultValue "both"
   */
  readonly branches: "both" | "symmetric";
  /** Averages over a unit: by sampling it, or on fixed nodes for kernels of rank ≤ 6; "auto": nodes where they can. @defaultValue "auto" */
  readonly averages: "auto" | "sampling" | "nodes";
  /** Particles for a unit of the bulk. @defaultValue 1000 */
  readonly particles: number;
  /** Sweeps towards the solution; half as many follow to average, and forty to sample it. @defaultValue 60 */
  readonly sweeps: number;
  /** Alignment ū beyond which a unit counts as aligned. @defaultValue 2.5 */
  readonly wall: number;
}

const atLeast = (least: number) => v.pipe(positiveInteger, v.minValue(least, `an integer ≥ ${least}`));

export const expectationPropagationOptions: StandardSchemaV1<unknown, ExpectationPropagationOptions> = strictObject({
  branches: v.optional(oneOf(["both", "symmetric"]), "both"),
  averages: v.optional(oneOf(["auto", "sampling", "nodes"]), "auto"),
  particles: v.optional(atLeast(100), 1000),
  sweeps: v.optional(atLeast(10), 60),
  wall: v.optional(positiveNumber, 2.5),
});
