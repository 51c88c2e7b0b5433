import { positiveInteger, strictObject, type StandardSchemaV1 } from "@finitewidth/core";
import { inferenceEntries, type InferenceOptions } from "@finitewidth/likelihoods";
import * as v from "valibot";

/**
 * Options of the theory "exact"; they matter for several outputs, biases in hidden layers and convolutions, whose mixing matrix is sampled,
 * and `inference`, `posteriorDraws`, `evidence` for likelihoods other than Gaussian noise.
 */
export interface ExactOptions extends InferenceOptions {
  /** Importance draws, for up to 12 coordinates of the mixing chain. */
  readonly draws?: number;
  /** Hamiltonian chains, for more. */
  readonly chains?: number;
  /** Draws kept of every chain. */
  readonly chainDraws?: number;
  readonly warmup?: number;
}

const count = (least: number) => v.optional(v.pipe(positiveInteger, v.minValue(least, `an integer ≥ ${least}`)));

/** `draws` ≥ 1000, `chains` ≥ 2, `chainDraws` ≥ 40, `warmup` ≥ 20; defaults in `defaultSampling`. */
export const exactOptions: StandardSchemaV1<unknown, ExactOptions> = strictObject({
  draws: count(1000),
  chains: count(2),
  chainDraws: count(40),
  warmup: count(20),
  ...inferenceEntries,
}) as StandardSchemaV1<unknown, ExactOptions>;
