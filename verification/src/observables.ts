import type { NetworkDraw, Observable, Plugin, TermAverages } from "@finitewidth/core";

const rowsOf = (draw: NetworkDraw, from: "train" | "predictive"): readonly [first: number, last: number] =>
  from === "train" ? [0, draw.points] : [draw.points, draw.kernel.shape[0]];

/** Conditional mean and conditional second moment of f, (points·D) each, and the average of both over draws. */
function outputMoments(from: "train" | "predictive") {
  const [mean, square] = [`${from}.mean`, `${from}.square`];
  return {
    terms(draw: NetworkDraw) {
      const [first, last] = rowsOf(draw, from);
      const { mean: all, variance } = draw.conditional!;
      const D = all.shape[1];
      const m = all.data.slice(first * D, last * D);
      return { [mean]: m, [square]: m.map((value, i) => variance[first + Math.floor(i / D)]! + value * value) };
    },
    mean: (averages: TermAverages) => averages.of(mean),
    variance: (averages: TermAverages) => averages.of(square).map((value, i) => value - averages.of(mean)[i]! ** 2),
  };
}

/** Conditional mean m and m mᵀ + (conditional covariance ⊗ 1) of all outputs at all test inputs, index point·D + output. */
function jointTerms(draw: NetworkDraw): Readonly<Record<string, Float64Array>> {
  const { mean, covariance } = draw.conditional!;
  const [n, D] = mean.shape;
  const own = covariance().data;
  const m = mean.data.subarray(draw.points * D);
  const products = new Float64Array(m.length ** 2);
  for (let i = 0; i < m.length; i++) {
    for (let j = 0; j < m.length; j++) {
      const [a, b] = [draw.points + Math.floor(i / D), draw.points + Math.floor(j / D)];
      products[i * m.length + j] = m[i]! * m[j]! + (i % D === j % D ? own[a * n + b]! : 0);
    }
  }
  return { "predictive.mean": m, "predictive.products": products };
}

const posterior = (name: string, label: string, of: Omit<Observable, "name" | "of" | "label">): Observable => ({
  name,
  of: "posterior",
  label,
  ...of,
});
const kernelTerms: Observable["terms"] = ({ kernel: { data } }) => ({ kernel: data });
const kernelProductTerms: Observable["terms"] = ({ kernel: { data } }) => {
  const n = data.length;
  const all = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) all[i * n + j] = data[i]! * data[j]!;
  return { kernel: data, kernelProducts: all };
};
const prior = (name: string, label: string, value: Observable["value"], products = false): Observable => ({
  name,
  of: "prior",
  label,
  terms: products ? kernelProductTerms : kernelTerms,
  value,
});

const [train, predictive] = [outputMoments("train"), outputMoments("predictive")];

/** The quantities of the result files. */
export const observables: readonly Observable[] = [
  posterior("logEvidence", "log density of the targets", {
    terms: () => ({}),
    value: ({ logMeanWeight }) => Float64Array.of(logMeanWeight),
  }),
  posterior("predictive.mean", "posterior mean of the outputs at the test inputs", { terms: predictive.terms, value: predictive.mean }),
  posterior("predictive.variance", "posterior variance of the outputs at the test inputs", {
    terms: predictive.terms,
    value: predictive.variance,
  }),
  posterior("predictive.covariance", "joint posterior covariance of all outputs at all test inputs", {
    terms: jointTerms,
    value: (averages) => {
      const mean = averages.of("predictive.mean");
      const n = mean.length;
      return averages.of("predictive.products").map((value, i) => value - mean[Math.floor(i / n)]! * mean[i % n]!);
    },
  }),
  posterior("generalizationError", "mean squared distance of the outputs from the test targets, over test inputs and outputs", {
    terms: ({ points, testTargets, conditional }) => {
      if (testTargets === undefined) return {};
      const { mean, variance } = conditional!;
      const [count, D] = testTargets.shape;
      let total = 0;
      for (let i = 0; i < count; i++)
        for (let d = 0; d < D; d++) total += (testTargets.data[i * D + d]! - mean.data[(points + i) * D + d]!) ** 2 + variance[points + i]!;
      return { generalizationError: Float64Array.of(total / (count * D)) };
    },
    value: (averages) => averages.of("generalizationError"),
  }),
  posterior("readoutNorm", "posterior mean of the squared readout weights, by pairs of outputs, in units of the prior", {
    terms: ({ conditional }) => (conditional!.readoutNorm ? { readoutNorm: conditional!.readoutNorm().data } : {}),
    value: (averages) => averages.of("readoutNorm"),
  }),
  posterior("predictive.probabilities", "posterior probabilities of the classes at the test inputs", {
    terms: (draw) => {
      const probabilities = draw.conditional?.probabilities;
      if (probabilities === undefined) return {};
      return { "predictive.probabilities": probabilities.data.slice(draw.points * probabilities.shape[1]) };
    },
    value: (averages) => averages.of("predictive.probabilities"),
  }),
  posterior("train.mean", "posterior mean of the outputs at the training inputs", { terms: train.terms, value: train.mean }),
  posterior("train.variance", "posterior variance of the outputs at the training inputs", { terms: train.terms, value: train.variance }),
  posterior("hiddenKernel", "posterior mean of the kernel of a hidden layer on the training inputs", {
    perLayer: true,
    terms: (draw, layer) => ({ [`hidden.${layer}`]: draw.hiddenKernels()[layer - 1]!.data }),
    value: (averages, _points, layer) => averages.of(`hidden.${layer}`),
  }),
  prior("secondMoment", "covariance of one output", (averages) => averages.of("kernel")),
  prior("kernelMean", "mean of the output kernel", (averages) => averages.of("kernel")),
  prior(
    "excessKurtosis",
    "excess kurtosis of an output at every input",
    (averages, P) => {
      const [kernel, products] = [averages.of("kernel"), averages.of("kernelProducts")];
      return Float64Array.from({ length: P }, (_, a) => 3 * (products[((a * P + a) * P + a) * P + a]! / kernel[a * P + a]! ** 2 - 1));
    },
    true,
  ),
  prior(
    "kernelCovariance",
    "covariance of the entries of the output kernel",
    (averages, P) => {
      const kernel = averages.of("kernel");
      return averages.of("kernelProducts").map((value, i) => value - kernel[Math.floor(i / (P * P))]! * kernel[i % (P * P)]!);
    },
    true,
  ),
  prior(
    "fourthMoment",
    "fourth moments of one output",
    (averages, P) => {
      const products = averages.of("kernelProducts");
      const at = (a: number, b: number, c: number, d: number): number => products[((a * P + b) * P + c) * P + d]!;
      return Float64Array.from({ length: P ** 4 }, (_, i) => {
        const [a, b, c, d] = [Math.floor(i / P ** 3), Math.floor(i / P ** 2) % P, Math.floor(i / P) % P, i % P];
        return at(a, b, c, d) + at(a, c, b, d) + at(a, d, b, c);
      });
    },
    true,
  ),
];

/** Registers the observables that claims are about. */
export const plugin: Plugin = { name: "@finitewidth/verification", module: import.meta.url, observables };
