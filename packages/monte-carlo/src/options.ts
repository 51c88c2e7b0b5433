import { oneOf, positiveInteger, positiveNumber, nonNegativeInteger, strictObject, type StandardSchemaV1 } from "@finitewidth/core";
import * as v from "valibot";

/** Options of the method `monte-carlo`. */
export interface MonteCarloOptions {
  /**
   * "hmc": Hamiltonian Monte Carlo, any network. "mala": one adjusted Langevin step per draw. "langevin": the unadjusted dynamics of the
   * papers, with its discretisation bias. "gibbs": layer by layer, exact conditionals, identity activation only.
   */
  readonly sampler: "hmc" | "mala" | "langevin" | "gibbs";
  /**
   * How "hmc" moves. "rotation" solves the Gaussian prior of the weights exactly, so that the likelihood alone limits its steps; "leapfrog"
   * does not. Left out of the options where it is "leapfrog".
   */
  readonly integrator?: "leapfrog" | "rotation";
  readonly chains: number;
  /** Draws kept per chain. */
  readonly draws: number;
  /** Iterations per chain that adapt the sampler and are thrown away. */
  readonly warmup: number;
  readonly target: "posterior";
  /** "integrated": the readout layer is integrated out and the chain moves in the hidden weights. "sampled": it moves in all weights. */
  readonly readout: "integrated" | "sampled";
  /** What the warm-up learns about scales: nothing, or a variance per weight. */
  readonly metric: "unit" | "diagonal";
  readonly targetAcceptance?: number;
  /** η of the unadjusted Langevin dynamics in whitened weights; without it, tuned like an adjusted chain and halved. */
  readonly stepSize?: number;
  /** Draws per chain kept for predictions; fewer when they would take more than 256 MiB. */
  readonly storedDraws?: number;
  /** Log evidence with its standard error, by annealing from the prior. */
  readonly evidence: boolean;
  /** Gradient of the log evidence in the logarithms of the variances and of T, and in the widths; needs `evidence`. */
  readonly gradients: boolean;
  /** Shifts of the hidden kernels from their prior means, resolved below the noise of the kernels themselves. */
  readonly shifts: boolean;
}

const fraction = v.pipe(
  v.number("a number between 0 and 1"),
  v.gtValue(0, "a number between 0 and 1"),
  v.ltValue(1, "a number between 0 and 1"),
);

/** Schema of the options, defaults filled in; unknown keys are rejected. */
export const monteCarloOptions = strictObject({
  sampler: v.optional(oneOf(["hmc", "mala", "langevin", "gibbs"]), "hmc"),
  integrator: v.exactOptional(oneOf(["leapfrog", "rotation"])),
  chains: v.optional(positiveInteger, 4),
  draws: v.optional(v.pipe(positiveInteger, v.minValue(8, "an integer ≥ 8")), 1000),
  warmup: v.optional(nonNegativeInteger, 500),
  target: v.optional(oneOf(["posterior"]), "posterior"),
  readout: v.optional(oneOf(["integrated", "sampled"]), "integrated"),
  metric: v.optional(oneOf(["unit", "diagonal"]), "unit"),
  targetAcceptance: v.exactOptional(fraction),
  stepSize: v.exactOptional(positiveNumber),
  storedDraws: v.exactOptional(positiveInteger),
  evidence: v.optional(v.boolean("true or false"), false),
  gradients: v.optional(v.boolean("true or false"), false),
  shifts: v.optional(v.boolean("true or false"), false),
}) as StandardSchemaV1<unknown, MonteCarloOptions>;
