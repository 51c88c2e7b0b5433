import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Claim, FittedScenario } from "./claim.js";
import type { EvidenceGradient } from "./evidence-gradient.js";
import type { Posterior } from "./posterior.js";
import type { Prediction } from "./prediction.js";
import type { PriorResult } from "./prior-result.js";
import type { PriorProblem, Problem } from "./problem.js";
import type { Registry } from "./registry.js";
import type { Run } from "./run.js";
import type { Matrix } from "./tensor.js";

/** Plug-in kind: one treatment of the random kernel. */
export interface Theory<Options = unknown, State = unknown> {
  /** Name in `methods` of an experiment file. */
  readonly name: string;
  readonly summary: string;
  /** Validates the options of a method entry and fills in defaults. */
  readonly options: StandardSchemaV1<unknown, Options>;
  /** Takes likelihoods other than Gaussian noise, whatever `problem.likelihood` says; others are refused before `refuses` is asked. */
  readonly anyLikelihood?: boolean;
  /** A sentence for the user when the theory does not apply, saying why and what to use instead; undefined when it does. */
  refuses(problem: Problem, options: Options, registry: Registry): string | undefined;
  fit(problem: Problem, options: Options, run: Run): Promise<Posterior<Options, State>>;
  /** Latent outputs at the rows of `inputs`, P* × N0. */
  predict(posterior: Posterior<Options, State>, inputs: Matrix, want: { readonly covariance: boolean }, run: Run): Promise<Prediction>;
  /**
   * Derivatives of a fitted log evidence in the logarithms of variances and temperature, and its ratio to one unit more in every hidden
   * layer; undefined where they are not known. Sampled ones carry standard errors. `"gradients": true` in a method entry asks for them.
   */
  evidenceGradient?(posterior: Posterior<Options, State>, run: Run): Promise<EvidenceGradient | undefined>;
  /**
   * G¹ … G^L at infinite width on the training inputs, P × P each, where the fit has them still: who compares with them need not make
   * them. The posterior's own `hiddenKernels` where the theory leaves hidden layers as they are at infinite width. Costs O(L P²) at most.
   */
  infiniteKernels?(posterior: Posterior<Options, State>): readonly Matrix[] | undefined;
  /** Answers prior questions, where the theory can; `refusesPrior` says why not. */
  prior?(problem: PriorProblem, options: Options, run: Run): Promise<PriorResult>;
  refusesPrior?(problem: PriorProblem, options: Options, registry: Registry): string | undefined;
  /** Numbers of a fitted scenario that Monte Carlo can test: a pure function of what was fitted. */
  claims(fitted: FittedScenario<Options, State>, registry: Registry): Iterable<Claim>;
}
