import { oneOf, positiveInteger } from "@finitewidth/core";
import * as v from "valibot";
import type { LatentOptions } from "./problem.js";

/** Options that theories of latent outputs share, for likelihoods other than Gaussian noise. */
export interface InferenceOptions {
  /** @defaultValue "auto" */
  readonly inference?: LatentOptions["inference"];
  /** Posterior draws of sampled answers, all chains together. @defaultValue 1000 */
  readonly posteriorDraws?: number;
  /** Whether log Z is sampled where that takes long. @defaultValue where points × latent outputs ≤ 400 */
  readonly evidence?: boolean;
}

/** Entries of an options schema; what is left out stays out. */
export const inferenceEntries = {
  inference: v.exactOptional(oneOf(["auto", "expectation-propagation", "laplace", "laplace-shifted", "sampling"])),
  posteriorDraws: v.exactOptional(positiveInteger),
  evidence: v.exactOptional(v.boolean("true or false")),
};

/** Options with defaults filled in. */
export const latentOptions = ({ inference = "auto", posteriorDraws = 1000, evidence }: InferenceOptions): LatentOptions => ({
  inference,
  draws: posteriorDraws,
  evidence,
});
