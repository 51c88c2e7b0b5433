import type { PaperFigure } from "@finitewidth/core";
import { atLeast, rising } from "../shared/checks.js";
import { curve, sampledPoints } from "../shared/series.js";
import { sampledShifts, shiftsOf, type Shift } from "../shared/shift.js";

interface Numbers {
  readonly widths: readonly number[];
  readonly firstOrder: readonly number[];
  readonly sampled: readonly Shift[];
}

const sizes = {
  quick: { train: 12, classes: [0, 1, 2], widths: [60, 20, 60], draws: 300 },
  paper: { train: 50, classes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], widths: [200, 50, 200], draws: 300 },
};
const layers = [1, 2, 3];

/** Kernels of a ReLU network with a narrow layer. */
export const zavatoneVethBottleneck: PaperFigure<Numbers> = {
  name: "zavatone-veth-bottleneck",
  summary: "hidden kernels of a ReLU network with a bottleneck jump there",
  paper:
    "Zavatone-Veth, Canatar, Ruben, Pehlevan 2021, Asymptotics of representation learning in finite Bayesian neural networks, NeurIPS 34",
  statement:
    "In a ReLU network with a narrow layer between wide ones, the shift of the kernels jumps at the narrow layer and stays large behind it.",
  differences:
    "Quick size: widths 60, 20, 60 and 12 digits. First order has the right layers but overshoots: at N = 20 the next order in 1/N is not small, and the method says so.",
  async compute(size, lab) {
    const { train, classes, widths, draws } = sizes[size];
    const [step] = await lab.experiment("bottleneck", {
      data: { dataset: "mnist", train, test: 0, classes, size: [10, 10], seed: 1, labels: "one-hot" },
      network: { type: "fully-connected", widths, activation: "relu", weightVariance: 2 },
      likelihood: { temperature: 1 },
      methods: ["nngp", "perturbative", { method: "monte-carlo", chains: 2, draws, warmup: 120 }],
      seed: 1,
    });
    const { nngp, perturbative, "monte-carlo": sampled } = step!.methods;
    return { widths, firstOrder: shiftsOf(perturbative!, nngp!), sampled: sampledShifts(sampled!, nngp!) };
  },
  pictures: ({ widths, firstOrder, sampled }) => [
    {
      caption: `Relative shift of the kernels of the three hidden layers of widths ${widths.join(", ")}. Line: first order in 1/N; points: sampled networks.`,
      figure: {
        kind: "lines",
        title: "a bottleneck",
        xLabel: "hidden layer",
        yLabel: "relative shift |ΔK|/|K|",
        series: [
          curve("perturbative", layers, firstOrder),
          sampledPoints(
            "monte-carlo",
            layers,
            sampled.map(({ value }) => value),
            sampled.map(({ standardError }) => standardError),
          ),
        ],
      },
    },
  ],
  checks({ firstOrder, sampled }) {
    const measured = sampled.map(({ value }) => value);
    const jump = ([a, b, c]: readonly number[]): number => (b! - a!) / Math.abs(c! - b!);
    return [
      atLeast("sampled: behind the bottleneck over at the bottleneck", measured[2]! / measured[1]!, 0.9),
      rising("first-order shifts by layer", firstOrder),
      atLeast("sampled: the step to the bottleneck over the step behind it", jump(measured), 1.5),
      atLeast("first order: the same", jump(firstOrder), 1.5),
    ];
  },
  faults: [
    {
      name: "no bottleneck: shifts linear in the layer",
      apply: (numbers) => ({
        ...numbers,
        firstOrder: layers.map((layer) => layer / 3),
        sampled: numbers.sampled.map((shift, l) => ({ ...shift, value: layers[l]! / 3 })),
      }),
    },
    {
      name: "layers in reverse",
      apply: (numbers) => ({ ...numbers, firstOrder: numbers.firstOrder.slice().reverse(), sampled: numbers.sampled.slice().reverse() }),
    },
  ],
};
