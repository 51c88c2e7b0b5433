import type { Matrix, PaperFigure } from "@finitewidth/core";
import { atLeast, atMost } from "../shared/checks.js";
import { linear } from "../shared/numbers.js";
import { curve } from "../shared/series.js";

interface Numbers {
  /** 1/N; the first is infinite width. */
  readonly inverseWidths: readonly number[];
  readonly accuracy: readonly number[];
  readonly bias: readonly number[];
  readonly tests: number;
}

const sizes = { quick: { train: 20, test: 300, side: 7 }, paper: { train: 100, test: 2000, side: 14 } };
/** Width at which the correction is computed; at others it is in proportion to 1/N. */
const width = 100;
const inverseWidths = linear(0, 0.03, 31);

/** Test accuracy of networks of quadratic units against 1/N. */
export const yaidaAccuracy: PaperFigure<Numbers> = {
  name: "yaida-accuracy",
  summary: "test error and accuracy against 1/N, quadratic units: a finite optimum",
  paper: "Yaida 2019, Non-Gaussian processes and neural networks at finite widths, PMLR 107, arXiv:1910.00019",
  statement:
    "With quadratic units the first correction in 1/N improves the test error of Bayesian inference, up to an optimal width that is finite.",
  differences:
    "Twenty digits of ten classes at 7 × 7 (quick) instead of a thousand. Not beyond first order, as in the paper; where the correction is large the method warns. The error shows the optimum; the change of the accuracy is a few digits of the test set, within its own error at quick size. No sampled points, as the paper has none.",
  async compute(size, lab) {
    const { train, test, side } = sizes[size];
    const [step] = await lab.experiment("first-order", {
      data: { dataset: "mnist", train, test, size: [side, side], labels: "one-hot", seed: 1 },
      network: { type: "fully-connected", widths: [width], activation: "quadratic" },
      likelihood: { temperature: 0.001 },
      methods: ["nngp", "perturbative"],
      seed: 1,
    });
    const { methods, test: tests } = step!;
    const targets = tests!.targets!;
    const [infinite, corrected] = [methods["nngp"]!, methods["perturbative"]!].map(({ predictive }) => predictive!.mean.data);
    const means = inverseWidths.map((x) => infinite!.map((value, k) => value + x * width * (corrected![k]! - value)));
    return {
      inverseWidths,
      accuracy: means.map((mean) => accuracyOf(mean, targets)),
      bias: means.map((mean) => mean.reduce((sum, value, k) => sum + (value - targets.data[k]!) ** 2, 0) / mean.length),
      tests: test,
    };
  },
  pictures: ({ inverseWidths, accuracy, bias, tests }) => [
    {
      caption: `Accuracy on ${tests} test digits against 1/N, to first order; at 0 the network of infinite width.`,
      figure: {
        kind: "lines",
        title: "accuracy",
        xLabel: "1/N",
        yLabel: "test accuracy",
        series: [curve("perturbative", inverseWidths, accuracy)],
      },
    },
    {
      caption: "Squared error of the predictive mean against 1/N, to first order.",
      figure: {
        kind: "lines",
        title: "error",
        xLabel: "1/N",
        yLabel: "squared error of the mean",
        series: [curve("perturbative", inverseWidths, bias)],
      },
    },
  ],
  checks({ inverseWidths, bias }) {
    const best = bias.indexOf(Math.min(...bias));
    return [
      atLeast("1/N of the smallest error", inverseWidths[best]!, 1 / 500),
      atMost("the same, from above: the optimum lies inside", inverseWidths[best]!, 1 / 36),
      atMost("smallest error over that of infinite width", bias[best]! / bias[0]!, 0.97),
    ];
  },
  faults: [
    {
      name: "corrections with the wrong sign",
      apply: (numbers) => ({
        ...numbers,
        bias: numbers.bias.map((value) => 2 * numbers.bias[0]! - value),
        accuracy: numbers.accuracy.map((value) => 2 * numbers.accuracy[0]! - value),
      }),
    },
    {
      name: "no correction",
      apply: (numbers) => ({
        ...numbers,
        bias: numbers.bias.map(() => numbers.bias[0]!),
        accuracy: numbers.accuracy.map(() => numbers.accuracy[0]!),
      }),
    },
    {
      name: "corrections without an optimum",
      apply: (numbers) => ({ ...numbers, bias: numbers.bias.map((_, i) => numbers.bias[0]! / (1 + numbers.inverseWidths[i]!)) }),
    },
  ],
};

/** Fraction of rows whose largest output is that of the target. */
function accuracyOf(mean: Float64Array, { data, shape: [count, outputs] }: Matrix): number {
  const largest = (values: Float64Array, row: number): number => {
    const part = values.subarray(row * outputs, (row + 1) * outputs);
    return part.indexOf(Math.max(...part));
  };
  let right = 0;
  for (let i = 0; i < count; i++) if (largest(mean, i) === largest(data, i)) right++;
  return right / count;
}
