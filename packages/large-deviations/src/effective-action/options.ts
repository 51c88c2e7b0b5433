import { nonNegativeInteger, oneOf, strictObject, type StandardSchemaV1 } from "@finitewidth/core";
import { inferenceEntries, type InferenceOptions } from "@finitewidth/likelihoods";
import * as v from "valibot";
import type { Closure } from "./deep-problem.js";

/** Options of the method "effective-action"; `inference`, `posteriorDraws`, `evidence` are for likelihoods other than Gaussian noise. */
export interface EffectiveActionOptions extends InferenceOptions {
  /**
   * Average over the posterior of the order parameter, or take its saddle. One hidden layer and one output; others always take the saddle.
   * @defaultValue "integral"
   */
  readonly mode: "integral" | "saddle";
  /** How order parameters enter the kernel recursion of deep networks. @defaultValue "nested" */
  readonly closure: Closure;
  /** Second order parameter for the mean of the activation (one hidden layer). @defaultValue "two-parameter" */
  readonly mean: "two-parameter" | "plain";
  /**
   * Add the first correction beyond the Gaussian equivalence to the evidence and the predictive mean (one hidden layer, one output).
   * @defaultValue "none"
   */
  readonly correction: "none" | "cumulant";
  /** Draws of single units for the correction and its diagnostic; 0 turns the diagnostic off. @defaultValue 4000 */
  readonly draws: number;
}

export const effectiveActionOptions: StandardSchemaV1<unknown, EffectiveActionOptions> = strictObject({
  mode: v.optional(oneOf(["integral", "saddle"]), "integral"),
  closure: v.optional(oneOf(["nested", "product", "affine"]), "nested"),
  mean: v.optional(oneOf(["two-parameter", "plain"]), "two-parameter"),
  correction: v.optional(oneOf(["none", "cumulant"]), "none"),
  draws: v.optional(nonNegativeInteger, 4000),
  ...inferenceEntries,
});
