import {
  generalizationError,
  generalizationStandardError,
  scalarTensor,
  type Claim,
  type Matrix,
  type Posterior,
  type Prediction,
  type PriorResult,
  type Tensor,
} from "@finitewidth/core";

const source = "Bassetti et al. (2024); docs/theories/exact.md";

/** Claims about the prior: moments of the outputs and of the last kernel, no error but Monte Carlo's. */
export function* priorClaims(prior: PriorResult): Iterable<Claim> {
  const { secondMoment, fourthCumulant, kernelCovariance, excessKurtosis } = prior;
  const claim = (
    quantity: "secondMoment" | "fourthMoment" | "excessKurtosis" | "kernelCovariance",
    statement: string,
    value: Tensor,
  ): Claim => ({ id: `prior-${quantity}`, statement, source, estimand: { of: "prior", quantity }, value, error: "exact" });
  if (secondMoment !== undefined) yield claim("secondMoment", "The covariance of one output is E[q] K.", secondMoment);
  if (secondMoment !== undefined && fourthCumulant !== undefined) {
    const n = secondMoment.shape[0];
    const s = (i: number, j: number): number => secondMoment.data[i * n + j]!;
    const value = fourthCumulant.data.map((cumulant, at) => {
      const [i, j, k, l] = [Math.floor(at / n ** 3), Math.floor(at / n ** 2) % n, Math.floor(at / n) % n, at % n];
      return cumulant + s(i, j) * s(k, l) + s(i, k) * s(j, l) + s(i, l) * s(j, k);
    });
    yield claim("fourthMoment", "Fourth moments of one output are E[q²] times the sum over pairings of K.", {
      data: value,
      shape: fourthCumulant.shape,
    });
  }
  if (excessKurtosis !== undefined)
    yield claim("excessKurtosis", "The excess kurtosis of an output is 3(Π(1 + 2/N_l) − 1) without biases.", {
      data: excessKurtosis,
      shape: [excessKurtosis.length],
    });
  if (kernelCovariance !== undefined)
    yield claim("kernelCovariance", "The entries of the last kernel covary as the mixing matrix of two outputs says.", kernelCovariance);
}

/**
 * Claims about the posterior: evidence, predictions, learned kernels, and the order parameter where it is a function of the readout alone:
 * `norm` is the prior mean of the mixing variable of one fully connected hidden layer; generalisation errors where there are test targets.
 */
export function* posteriorClaims(posterior: Posterior, predictive: Prediction, norm?: number, testTargets?: Matrix): Iterable<Claim> {
  const common = { source, error: "exact" as const };
  const spread = (standardError: Tensor | undefined) => (standardError === undefined ? {} : { standardError });
  const { standardError } = posterior;
  if (posterior.logEvidence !== undefined)
    yield {
      ...common,
      id: "log-evidence",
      statement: "The evidence is the prior average over the mixing variable of a Gaussian density.",
      estimand: { of: "posterior", quantity: "logEvidence" },
      value: scalarTensor(posterior.logEvidence),
      ...(standardError?.logEvidence === undefined ? {} : { standardError: scalarTensor(standardError.logEvidence) }),
    };
  yield {
    ...common,
    id: "predictive-mean",
    statement: "The predictive mean averages Gaussian-process means over the posterior of the mixing variable.",
    estimand: { of: "posterior", quantity: "predictive.mean" },
    value: predictive.mean,
    ...spread(predictive.standardError?.mean),
  };
  yield {
    ...common,
    id: "predictive-variance",
    statement: "The predictive variance adds the spread of those means.",
    estimand: { of: "posterior", quantity: "predictive.variance" },
    value: predictive.variance,
    ...spread(predictive.standardError?.variance),
  };
  // sampled covariances come without their errors
  if (predictive.covariance !== undefined && predictive.standardError === undefined)
    yield {
      ...common,
      id: "predictive-covariance",
      statement:
        "Outputs covary over the posterior, at one input and between two, as Gaussian processes averaged over the mixing variable do.",
      estimand: { of: "posterior", quantity: "predictive.covariance" },
      value: predictive.covariance,
    };
  if (testTargets !== undefined) {
    const error = generalizationStandardError(predictive, testTargets);
    yield {
      ...common,
      id: "generalization-error",
      statement: "The squared distance of the outputs from test targets is that of their mean and their variance.",
      estimand: { of: "posterior", quantity: "generalizationError" },
      value: scalarTensor(generalizationError(predictive, testTargets).total),
      ...spread(error && scalarTensor(error.total)),
    };
  }
  // at T = 0 they are the targets
  if (posterior.train !== undefined && posterior.problem.temperature > 0) {
    yield {
      ...common,
      id: "train-mean",
      statement: "The same at the training inputs.",
      estimand: { of: "posterior", quantity: "train.mean" },
      value: posterior.train.mean,
      ...spread(posterior.train.standardError?.mean),
    };
    yield {
      ...common,
      id: "train-variance",
      statement: "The same at the training inputs.",
      estimand: { of: "posterior", quantity: "train.variance" },
      value: posterior.train.variance,
      ...spread(posterior.train.standardError?.variance),
    };
  }
  const { orderParameter } = posterior;
  if (orderParameter !== undefined && norm !== undefined) {
    const inPriorUnits = (value: number | Tensor): Tensor =>
      typeof value === "number" ? scalarTensor(value / norm) : { data: value.data.map((entry) => entry / norm), shape: value.shape };
    yield {
      ...common,
      id: "order-parameter",
      statement: "The mixing variable is the squared norm of the readout weights.",
      estimand: { of: "posterior", quantity: "readoutNorm" },
      value: inPriorUnits(orderParameter),
      ...spread(standardError?.orderParameter === undefined ? undefined : inPriorUnits(standardError.orderParameter)),
    };
  }
  for (const [l, value] of (posterior.hiddenKernels ?? []).entries()) {
    yield {
      ...common,
      id: `hidden-kernel-${l + 1}`,
      statement: `The kernel of hidden layer ${l + 1} gains the outer product of the outputs, divided by its width.`,
      estimand: { of: "posterior", quantity: "hiddenKernel", layer: l + 1 },
      value,
      ...spread(standardError?.hiddenKernels?.[l]),
    };
  }
}
