import { scalarTensor, type Claim, type Posterior, type Prediction } from "@finitewidth/core";

const source = "docs/theories/classification.md";

/** Largest relative error of class probabilities by expectation propagation on small exact cases; see the theory page. */
const probabilityError = 0.03;

/** Claims about a posterior under a likelihood other than Gaussian noise: what is exact up to standard errors, and probabilities. */
export function* likelihoodClaims(posterior: Posterior, predictive: Prediction): Iterable<Claim> {
  const { logEvidence, standardError } = posterior;
  if (logEvidence !== undefined && standardError?.logEvidence !== undefined)
    yield {
      id: "log-evidence",
      statement: "The evidence of labels is the average over the mixing variable of the probability of the labels.",
      source,
      estimand: { of: "posterior", quantity: "logEvidence" },
      value: scalarTensor(logEvidence),
      standardError: scalarTensor(standardError.logEvidence),
      error: "exact",
    };
  const sampled = predictive.standardError?.probabilities;
  if (predictive.probabilities)
    yield {
      id: "probabilities",
      statement: "Class probabilities are averages over the joint posterior of the mixing variable and the outputs.",
      source,
      estimand: { of: "posterior", quantity: "predictive.probabilities" },
      value: predictive.probabilities,
      ...(sampled ? { standardError: sampled } : {}),
      error: sampled ? "exact" : { relative: probabilityError },
    };
  for (const [l, kernel] of (posterior.hiddenKernels ?? []).entries()) {
    const own = standardError?.hiddenKernels?.[l];
    yield {
      id: `hidden-kernel-${l + 1}`,
      statement: "A hidden kernel is (1 − r/N) of what is below it, and what the outputs say about r directions.",
      source,
      estimand: { of: "posterior", quantity: "hiddenKernel", layer: l + 1 },
      value: kernel,
      ...(own ? { standardError: own } : {}),
      error: own ? "exact" : { relative: probabilityError },
    };
  }
}
