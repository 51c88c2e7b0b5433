import type { PaperFigure } from "@finitewidth/core";
import { agree, near } from "../shared/checks.js";
import { slope } from "../shared/numbers.js";
import { curve, sampledPoints } from "../shared/series.js";
import { sampledShifts, shiftsOf, type Shift } from "../shared/shift.js";

interface Numbers {
  readonly widths: readonly number[];
  readonly firstOrder: readonly number[];
  readonly sampledWidths: readonly number[];
  readonly sampled: readonly Shift[];
}

const sizes = {
  quick: { train: 15, classes: [0, 1, 2], widths: [20, 40, 80, 160, 320], sampledWidths: [20, 40, 80, 160, 320], draws: 200 },
  paper: {
    train: 100,
    classes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    widths: [50, 100, 200, 400, 800],
    sampledWidths: [50, 100, 200, 400, 800],
    draws: 400,
  },
};

/** Hidden kernel of a network with one nonlinear layer against width. */
export const zavatoneVethOneLayer: PaperFigure<Numbers> = {
  name: "zavatone-veth-one-layer",
  summary: "hidden kernel of one erf layer against width",
  paper:
    "Zavatone-Veth, Canatar, Ruben, Pehlevan 2021, Asymptotics of representation learning in finite Bayesian neural networks, NeurIPS 34",
  statement:
    "With one nonlinear hidden layer the kernel shifts as 1/N too, by the first order of perturbation theory once the layer is wide.",
  differences:
    "Shifts are estimated by the Stein–Mehler identity: by subtraction of kernels the noise at N = 200 would be three times the signal. First order overshoots in narrow networks, by the next order in 1/N.",
  async compute(size, lab) {
    const { train, classes, widths, sampledWidths, draws } = sizes[size];
    const experiment = {
      data: { dataset: "mnist", train, test: 0, classes, size: [10, 10], seed: 1, labels: "one-hot" },
      network: { type: "fully-connected", widths: [1], activation: "erf" },
      likelihood: { temperature: 1 },
      seed: 1,
    };
    const theory = await lab.experiment("theory", {
      ...experiment,
      methods: ["nngp", "perturbative"],
      sweep: { widths: widths.map((width) => [width]) },
    });
    const samples = await lab.experiment("sampled", {
      ...experiment,
      methods: ["nngp", { method: "monte-carlo", chains: 2, draws, warmup: 100, shifts: true }],
      sweep: { widths: sampledWidths.map((width) => [width]) },
    });
    return {
      widths,
      firstOrder: theory.map(({ methods }) => shiftsOf(methods["perturbative"]!, methods["nngp"]!)[0]!),
      sampledWidths,
      sampled: samples.map(({ methods }) => sampledShifts(methods["monte-carlo"]!, methods["nngp"]!)[0]!),
    };
  },
  pictures: ({ widths, firstOrder, sampledWidths, sampled }) => [
    {
      caption: "Relative shift of the hidden kernel against the width. Line: first order in 1/N; points: sampled networks.",
      figure: {
        kind: "lines",
        title: "shift of the hidden kernel",
        xLabel: "width N",
        yLabel: "relative shift |ΔK|/|K|",
        logX: true,
        logY: true,
        series: [
          curve("perturbative", widths, firstOrder),
          sampledPoints(
            "monte-carlo",
            sampledWidths,
            sampled.map(({ value }) => value),
            sampled.map(({ standardError }) => standardError),
          ),
        ],
      },
    },
  ],
  checks({ widths, firstOrder, sampledWidths, sampled }) {
    const wide = sampledWidths.map((width, i) => ({ width, ...sampled[i]!, theory: firstOrder[widths.indexOf(width)]! })).slice(-3);
    return [
      near(
        "sampled shift falls as 1/N (slope over the three widest)",
        slope(
          wide.map(({ width }) => width),
          wide.map(({ value }) => value),
        ),
        -1,
        0.15,
      ),
      agree(
        "first order is right in wide networks",
        wide.map(({ theory }) => theory),
        wide.map(({ value }) => value),
        wide.map(({ standardError }) => standardError),
        0.08,
      ),
    ];
  },
  faults: [
    { name: "shifts twice as large", apply: (numbers) => ({ ...numbers, firstOrder: numbers.firstOrder.map((value) => 2 * value) }) },
    {
      name: "shifts that fall as 1/√N",
      apply: (numbers) => ({
        ...numbers,
        sampled: numbers.sampled.map((shift, i) => ({ ...shift, value: shift.value * Math.sqrt(numbers.sampledWidths[i]!) })),
      }),
    },
  ],
};
