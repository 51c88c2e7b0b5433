import type { LikelihoodChoice } from "./likelihood.js";
import type { Network } from "./network.js";
import type { Scaling } from "./problem.js";

/** How the truth is sampled. */
export type Sampling =
  /** Networks from the prior, weighted by the likelihood: unbiased, no chain to mix; for few training points. */
  | { readonly kind: "importance"; readonly samples: number }
  /** Markov chains over the weights of the network (method `monte-carlo`). */
  | { readonly kind: "chains"; readonly chains: number; readonly draws: number; readonly warmup: number };

/**
 * A network on which claims of theories are compared with sampled networks; inputs, targets and test inputs are made from the seed. Plain
 * data.
 */
export interface ScenarioDescription {
  readonly name: string;
  /** Theories whose claims are checked. */
  readonly theories: readonly { readonly name: string; readonly options?: Readonly<Record<string, unknown>> }[];
  /** The network, as in an experiment file, with all its widths multiplied by `factor`. */
  readonly network: (factor: number) => Network | { readonly type: string; readonly [field: string]: unknown };
  readonly points: number;
  readonly features: number;
  /** @defaultValue 1 */
  readonly outputs?: number;
  /** @defaultValue 2 */
  readonly tests?: number;
  readonly temperature: number;
  /** Likelihood of labels made of the targets: their signs (one output), or which of several is the largest. */
  readonly likelihood?: LikelihoodChoice;
  readonly scaling?: Scaling;
  readonly sampling: Sampling;
  /** "full": not in the quick suite. @defaultValue "quick" */
  readonly suite?: "quick" | "full";
  /** Multiples of the widths; claims with an error order are judged by their slope over them, exact ones at the first. @defaultValue [1] */
  readonly factors?: readonly number[];
  /** Size of the targets as a function of the width factor. */
  readonly targetScale?: (factor: number) => number;
  /** P × N0 and P* × N0 in place of Gaussian ones. */
  readonly inputs?: readonly (readonly number[])[];
  readonly testInputs?: readonly (readonly number[])[];
  /** Claims about the joint covariance of all outputs at all test inputs are checked too. @defaultValue false */
  readonly covariance?: boolean;
  /** Claims about the generalisation error at the test inputs, against targets without noise, are checked too. @defaultValue false */
  readonly generalization?: boolean;
  readonly seed: number;
}
