import type { PaperFigure, Tensor } from "@finitewidth/core";
import { agree, atLeast } from "../shared/checks.js";
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
  quick: { train: 30, test: 100, side: 10, width: 60, sampledDepths: [1, 2], draws: 60 },
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
    "Digits 0 and 1 and equal widths. P = 30, N = 60 and sampled networks of one and two layers (quick); deeper ones mix slowly. On these data one layer does better than infinite width and ten do worse; at strong labels real networks do a little better than the effective action.",
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
      atLeast("departure from infinite width: ten layers over one", Math.abs(gap.at(-1)! / gap[0]!), 1.25),
      atLeast(
        "order parameters of the ten layers: largest over smallest",
        Math.max(...orderParameters) / Math.min(...orderParameters),
        1.05,
      ),
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
    { name: "infinite width", apply: (numbers) => ({ ...numbers, theory: numbers.infinite, orderParameters: depths.map(() => 1) }) },
    {
      name: "the same departure at every depth",
      apply: (numbers) => ({ ...numbers, theory: numbers.infinite.map((value) => 1.5 * value) }),
    },
  ],
};
