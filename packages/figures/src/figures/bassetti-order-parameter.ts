import type { PaperFigure, Tensor } from "@finitewidth/core";
import { agree, atMost, near } from "../shared/checks.js";
import { difference, fromRows, norm, rows, slope } from "../shared/numbers.js";
import { curve, sampledPoints } from "../shared/series.js";

interface Numbers {
  readonly widths: readonly number[];
  /** D × D by width. */
  readonly minimiser: readonly (readonly (readonly number[])[])[];
  readonly mean: readonly (readonly (readonly number[])[])[];
  readonly evidence: readonly { readonly exact: number; readonly largeDeviation: number }[];
  readonly sampled: {
    readonly width: number;
    readonly mean: readonly (readonly number[])[];
    readonly standardError: readonly (readonly number[])[];
  };
}

const sizes = {
  quick: { train: 20, widths: [20, 40, 80, 160], sampledWidth: 20, draws: 1000 },
  paper: { train: 200, widths: [50, 100, 200, 400, 800], sampledWidth: 50, draws: 1000 },
};

/** Posterior of the mixing matrix of two outputs in mean-field scaling, against its large-deviation minimiser. */
export const bassettiOrderParameter: PaperFigure<Numbers> = {
  name: "bassetti-order-parameter",
  summary: "posterior of the mixing matrix of two outputs against its large-deviation minimiser",
  paper:
    "Bassetti, Gherardi, Ingrosso, Pastore, Rotondo 2024, Feature learning in finite-width Bayesian deep linear networks with multiple outputs and convolutional layers, arXiv:2406.03260",
  statement:
    "In mean-field scaling the D × D matrix that mixes the outputs of a deep linear network concentrates on the minimiser of a rate function: what is left between the posterior mean and the minimiser falls as 1/N.",
  differences:
    "Digits 0 and 1 with one-hot labels; the paper proves the limit and shows no sampled networks. Points of the second picture are the readout norms of real networks.",
  async compute(size, lab) {
    const { train, widths, sampledWidth, draws } = sizes[size];
    const experiment = {
      data: { dataset: "mnist", classes: [0, 1], train, test: 0, size: [7, 7], labels: "one-hot", seed: 1 },
      network: { type: "fully-connected", widths: [1], activation: "identity" },
      scaling: "mean-field",
      likelihood: { temperature: 0.1 },
      seed: 1,
    };
    const steps = await lab.experiment("theory", {
      ...experiment,
      methods: ["exact", "large-deviation"],
      sweep: { widths: widths.map((width) => [width]) },
    });
    const [sampled] = await lab.experiment("sampled", {
      ...experiment,
      network: { ...experiment.network, widths: [sampledWidth] },
      methods: [{ method: "monte-carlo", chains: 2, draws, warmup: 300 }],
    });
    const matrix = (value: number | Tensor | undefined): number[][] =>
      rows(value as Tensor & { readonly shape: readonly [number, number] });
    const of = (label: string): number[][][] => steps.map(({ methods }) => matrix(methods[label]!.posterior.orderParameter));
    const { posterior } = sampled!.methods["monte-carlo"]!;
    return {
      widths,
      minimiser: of("large-deviation"),
      mean: of("exact"),
      evidence: steps.map(({ methods }) => ({
        exact: methods["exact"]!.posterior.logEvidence!,
        largeDeviation: methods["large-deviation"]!.posterior.logEvidence!,
      })),
      sampled: {
        width: sampledWidth,
        mean: matrix(posterior.orderParameter),
        standardError: matrix(posterior.standardError!.orderParameter),
      },
    };
  },
  pictures: ({ widths, minimiser, mean, sampled }) => [
    {
      caption: `The D × D mixing matrix: minimiser of the rate function, and posterior means at two widths.`,
      figure: {
        kind: "heatmaps",
        title: "mixing matrices",
        panels: [
          { label: "minimiser", values: fromRows(minimiser.at(-1)!) },
          ...[0, widths.length - 1].map((i) => ({ label: `N = ${widths[i]}`, values: fromRows(mean[i]!) })),
        ],
      },
    },
    {
      caption: "Entries of the matrix against the width: lines posterior means, dashed the minimiser, points sampled networks.",
      figure: {
        kind: "lines",
        title: "entries against width",
        xLabel: "width N",
        yLabel: "entry of the mixing matrix",
        logX: true,
        series: entries.flatMap(([i, j]) => {
          const group = `(${i + 1}, ${j + 1})`;
          const of = (list: Numbers["mean"]): number[] => list.map((one) => one[i]![j]!);
          return [
            curve(group, widths, of(mean)),
            curve(`${group}, minimiser`, widths, of(minimiser), { group, dashed: true }),
            sampledPoints(group, [sampled.width], [sampled.mean[i]![j]!], [sampled.standardError[i]![j]!]),
          ];
        }),
      },
    },
  ],
  checks({ widths, minimiser, mean, evidence, sampled }) {
    const distance = mean.map((one, i) => {
      const limit = fromRows(minimiser[i]!);
      return norm(difference(fromRows(one), limit).data) / norm(limit.data);
    });
    const exact = mean[widths.indexOf(sampled.width)]!;
    const of = (matrix: readonly (readonly number[])[]): number[] => entries.map(([i, j]) => matrix[i]![j]!);
    const wide = widths.length - 3;
    return [
      near("distance of posterior mean and minimiser falls as 1/N (slope)", slope(widths.slice(wide), distance.slice(wide)), -1, 0.15),
      atMost("distance in the widest network", distance.at(-1)!, 0.05),
      atMost(
        "log evidence per N: exact against the rate function, widest network",
        Math.abs(evidence.at(-1)!.exact - evidence.at(-1)!.largeDeviation) / widths.at(-1)!,
        0.01,
      ),
      agree("sampled networks have this matrix", of(exact), of(sampled.mean), of(sampled.standardError), 0.01),
    ];
  },
  faults: [
    {
      name: "no learning: the identity",
      apply: (numbers) => ({
        ...numbers,
        mean: numbers.mean.map(() => [
          [1, 0],
          [0, 1],
        ]),
      }),
    },
    {
      name: "a rate that is off by a tenth",
      apply: (numbers) => ({
        ...numbers,
        evidence: numbers.evidence.map((one, i) => ({ ...one, largeDeviation: one.largeDeviation - 0.1 * numbers.widths[i]! })),
      }),
    },
  ],
};

const entries = [
  [0, 0],
  [0, 1],
  [1, 1],
] as const;
