import {
  likelihoodOf,
  type FinitewidthError,
  type GeneralizationError,
  type Matrix,
  type Posterior,
  type Prediction,
  type Problem,
  type Registry,
} from "@finitewidth/core";
import { classesOf, classificationScores, decisions, type ClassificationScores } from "@finitewidth/likelihoods";

/** What one method gave. */
export type MethodOutcome = OutcomeOf & (Solved | Failed);

interface OutcomeOf {
  /** Key of the results. */
  readonly label: string;
  /** Name of the theory. */
  readonly method: string;
  /** Asked for by name, not by `"methods": "applicable"`. */
  readonly named: boolean;
  readonly seconds: number;
}
interface Solved {
  readonly status: "ok";
  readonly posterior: Posterior;
  readonly predictive?: Prediction;
  readonly generalizationError?: GeneralizationError;
  readonly generalizationStandardError?: GeneralizationError;
  /** At the test points; the accuracy alone for Gaussian noise on class labels. */
  readonly classification?: Classification;
  readonly warnings: readonly string[];
}
interface Failed {
  readonly status: "failed";
  readonly error: FinitewidthError | Error;
}
/** A method that succeeded. */
export type SolvedOutcome = OutcomeOf & Solved;

/** Scores of classes with their standard errors over the test points. */
export type Classification = Partial<Omit<ClassificationScores, "standardError">> & {
  readonly standardError: Partial<ClassificationScores["standardError"]>;
};

/**
 * Scores of class probabilities; under Gaussian noise the accuracy of signs (±1) or largest outputs (one-hot); undefined for other targets.
 */
export function classificationOf(
  problem: Problem,
  { mean, probabilities }: Prediction,
  targets: Matrix,
  registry: Registry,
): Classification | undefined {
  if (targets.shape[0] === 0) return undefined;
  const likelihood = likelihoodOf(problem, registry);
  if (likelihood) return probabilities && likelihood.labels ? classificationScores(probabilities, likelihood.labels(targets)) : undefined;
  const known = classesOf(problem.targets) && classesOf(targets);
  if (!known) return undefined;
  const { accuracy, standardError } = classificationScores(decisions(mean), known.labels);
  return { accuracy, standardError: { accuracy: standardError.accuracy } };
}
