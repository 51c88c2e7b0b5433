import type { PaperFigure, Tensor } from "@finitewidth/core";
import { agree, atMost, near } from "../shared/checks.js";
import { curve, sampledPoints } from "../shared/series.js";

interface Numbers {
  readonly depths: readonly number[];
  readonly infinite: readonly number[];
  readonly theory: readonly number[];
  readonly sampledDepths: readonly number[];
  readonly sampled: readonly { readonly value: number; readonly standardError: number }[];
  /** Q_1 … Q_L of the deepest network. */
  readonly orderParameters: readonly number[];
}

const sizes = {
  quick: { train: 40, test: 200, side: 14, width: 100, sampledDepths: [1, 2, 3], draws: 60 },
  paper: { train: 100, test: 1000, side: 28, width: 200, sampledDepths: [1, 2, 3, 5, 8], draws: 200 },
};
const depths = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** Generalisation loss against depth. */
export const pacelliDepth: PaperFigure<Numbers> = {
  name: "pacelli-depth",
  summary: "generalisation loss and order parameters against depth, up to ten layers",
  paper:
    "Pacelli, Ariosto, Pastore, Ginelli, Gherardi, Rotondo 2023, A statistical mechanics framework for Bayesian deep neural networks beyond the infinite-width limit, Nature Machine Intelligence 5",
  statement:
    "The effective action describes networks of any depth by one order parameter per layer; its loss departs from infinite width with depth.",
  differences:
    "Digits 0 and 1 and equal widths. Sampled networks up to three layers (quick); deeper ones mix slowly. At strong labels real networks do a little better than the effective action.",
  async compute(size, lab) {
    const { train, test, side, width, sampledDepths, draws } = sizes[size];
    const experiment = {
      data: { dataset: "mnist", classes: [0, 1], train, test, size: [side, side], labels: "sign", seed: 1 },
      network: { type: "fully-connected", widths: [width], activation: "erf" },
      likelihood: { temperature: 0.05 },
      seed: 1,
    };
    const steps = await lab.experiment("depth", { ...experiment, methods: ["nngp", "effective-action"], sweep: { depth: depths } });
    const samples = await lab.experiment("sampled", {
      ...experiment,
      methods: [{ method: "monte-carlo", chains: 2, draws, warmup: 80 }],
      sweep: { depth: sampledDepths },
    });
    const last = steps.at(-1)!.methods["effective-action"]!.posterior.orderParameter as Tensor;
    return {
      depths,
      infinite: steps.map(({ methods }) => methods["nngp"]!.generalizationError!.total),
      theory: steps.map(({ methods }) => methods["effective-action"]!.generalizationError!.total),
      sampledDepths,
      sampled: samples.map(({ methods }) => ({
        value: methods["monte-carlo"]!.generalizationError!.total,
        standardError: methods["monte-carlo"]!.generalizationStandardError!.total,
      })),
      orderParameters: [...last.data],
    };
  },
  pictures: ({ infinite, theory, sampledDepths, sampled, orderParameters }) => [
    {
      caption:
        "Generalisation loss against the number of hidden layers. Dashed: infinite width; line: effective action; points: sampled networks.",
      figure: {
        kind: "lines",
        title: "loss against depth",
        xLabel: "hidden layers L",
        yLabel: "generalisation loss",
        series: [
          curve("nngp", depths, infinite, { dashed: true }),
          curve("effective-action", depths, theory),
          sampledPoints(
            "monte-carlo",
            sampledDepths,
            sampled.map(({ value }) => value),
            sampled.map(({ standardError }) => standardError),
          ),
        ],
      },
    },
    {
      caption: "Order parameters of the ten layers; at infinite width all are 1.",
      figure: {
        kind: "lines",
        title: "order parameters",
        xLabel: "layer l",
        yLabel: "order parameter Q_l, L = 10",
        series: [curve("effective-action", depths, orderParameters)],
      },
    },
  ],
  checks({ infinite, theory, sampledDepths, sampled, orderParameters }) {
    const gap = theory.map((value, i) => 1 - value / infinite[i]!);
    return [
      atMost("one layer: departure from infinite width over that of ten layers", Math.abs(gap[0]! / gap.at(-1)!), 0.8),
      near("one order parameter per layer", orderParameters.length, 10, 0),
      atMost("all of them on one side of infinite width", Math.max(...orderParameters), 1),
      agree(
        "sampled networks have the loss of the theory",
        sampledDepths.map((depth) => theory[depth - 1]!),
        sampled.map(({ value }) => value),
        sampled.map(({ standardError }) => standardError),
        0.1,
      ),
    ];
  },
  faults: [
    { name: "infinite width", apply: (numbers) => ({ ...numbers, theory: numbers.infinite, orderParameters: [1] }) },
    {
      name: "order parameters inverted",
      apply: (numbers) => ({
        ...numbers,
        orderParameters: numbers.orderParameters.map((value) => 1 / value),
        theory: numbers.theory.map((value) => 2 * value),
      }),
    },
  ],
};
