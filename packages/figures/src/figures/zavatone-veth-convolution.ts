import type { PaperFigure } from "@finitewidth/core";
import { agree, falling, near, rising } from "../shared/checks.js";
import { fromRows, rows, slope, trace } from "../shared/numbers.js";
import { curve, sampledPoints } from "../shared/series.js";
import { sampledShifts, shiftsOf, type Shift } from "../shared/shift.js";
import { kernelOverSites } from "../shared/site-kernels.js";

interface Numbers {
  readonly channels: readonly number[];
  /** Relative shift of layers 1, 2 (averaged over sites) by channels. */
  readonly firstOrder: readonly (readonly number[])[];
  readonly sampled: readonly { readonly channels: number; readonly shifts: readonly Shift[] }[];
  /** Learned kernel between sites, averaged over the points, of layers 1, 2. */
  readonly sites: readonly (readonly (readonly number[])[])[];
  /** Mean over the points of the diagonal of the same layers' kernels between points, averaged over sites. */
  readonly sizeOfKernels: readonly number[];
}

const sizes = {
  quick: { train: 6, classes: [0, 1, 2], side: 5, channels: [20, 40, 80], sampledChannels: [40], draws: 80 },
  paper: {
    train: 50,
    classes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    side: 6,
    channels: [50, 100, 200, 400, 750],
    sampledChannels: [50, 100],
    draws: 100,
  },
};
const layers = [1, 2];

/** Kernels of linear convolutional networks against the number of channels. */
export const zavatoneVethConvolution: PaperFigure<Numbers> = {
  name: "zavatone-veth-convolution",
  summary: "hidden kernels of a linear convolutional network against channels, and between sites",
  paper:
    "Zavatone-Veth, Canatar, Ruben, Pehlevan 2021, Asymptotics of representation learning in finite Bayesian neural networks, NeurIPS 34",
  statement: "The kernels of a linear convolutional network shift as one over the number of channels, the more the deeper the layer.",
  differences:
    "Equation 14 of the paper exchanges the average over patches with a product of kernels and is off by 6 to 18 % at any width behind the first layer; the line is first order with that put right (theory page on perturbative, §8). Quick size: six digits at 5 × 5, two dimensions.",
  async compute(size, lab) {
    const { train, classes, side, channels, sampledChannels, draws } = sizes[size];
    const layer = { channels: 1, kernelSize: [3, 3], padding: "circular" };
    const network = (count: number, depth = layers.length) => ({
      type: "convolutional",
      inputShape: [1, side, side],
      layers: Array.from({ length: depth }, () => ({ ...layer, channels: count })),
      readout: "flatten",
      activation: "identity",
    });
    const experiment = {
      data: { dataset: "mnist", train, test: 0, classes, size: [side, side], labels: "one-hot", seed: 1 },
      likelihood: { temperature: 1 },
      seed: 1,
    };
    const firstOrder: number[][] = [];
    for (const count of channels) {
      const [step] = await lab.experiment(`theory-${count}`, { ...experiment, network: network(count), methods: ["nngp", "perturbative"] });
      firstOrder.push(shiftsOf(step!.methods["perturbative"]!, step!.methods["nngp"]!));
    }
    const sampled: Numbers["sampled"][number][] = [];
    let sites: Numbers["sites"] = [];
    let sizeOfKernels: Numbers["sizeOfKernels"] = [];
    for (const count of sampledChannels) {
      const sampler = { method: "monte-carlo", chains: 2, draws, warmup: 100, shifts: true };
      const [step] = await lab.experiment(`sampled-${count}`, { ...experiment, network: network(count), methods: ["nngp", sampler] });
      const method = step!.methods["monte-carlo"]!;
      sampled.push({ channels: count, shifts: sampledShifts(method, step!.methods["nngp"]!) });
      if (sites.length === 0) {
        sites = layers.map((depth) => kernelOverSites(method, network(count, depth), side * side, lab.run.registry).mean);
        sizeOfKernels = method.posterior.hiddenKernels!.map((kernel) => trace(rows(kernel)) / train);
      }
    }
    return { channels, firstOrder, sampled, sites, sizeOfKernels };
  },
  pictures: ({ channels, firstOrder, sampled, sites }) => [
    {
      caption:
        "Relative shift of the hidden kernels (averaged over sites) against the number of channels. Lines: first order; points: sampled networks.",
      figure: {
        kind: "lines",
        title: "shift against channels",
        xLabel: "channels",
        yLabel: "relative shift |ΔK|/|K|",
        logX: true,
        logY: true,
        series: layers.flatMap((layer, l) => [
          curve(
            `layer ${layer}`,
            channels,
            firstOrder.map((row) => row[l]!),
          ),
          sampledPoints(
            `layer ${layer}`,
            sampled.map((one) => one.channels),
            sampled.map(({ shifts }) => shifts[l]!.value),
            sampled.map(({ shifts }) => shifts[l]!.standardError),
          ),
        ]),
      },
    },
    {
      caption: "Learned kernels between sites, averaged over the points, of both hidden layers of sampled networks.",
      figure: {
        kind: "heatmaps",
        title: "between sites",
        panels: layers.map((layer, l) => ({ label: `layer ${layer}, sites`, values: fromRows(sites[l]!) })),
      },
    },
  ],
  checks({ channels, firstOrder, sampled, sites, sizeOfKernels }) {
    const last = firstOrder.map((row) => row.at(-1)!);
    const all = sampled.flatMap(({ channels: count, shifts }) =>
      shifts.map((shift, l) => ({ ...shift, theory: firstOrder[channels.indexOf(count)]![l]! })),
    );
    // A filter averages over neighbours: the sizes of sites become more alike with every layer.
    const spread = sites.map((matrix) => {
      const own = matrix.map((row, i) => row[i]!);
      const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
      return Math.sqrt(own.reduce((sum, value) => sum + (value / mean - 1) ** 2, 0) / own.length);
    });
    return [
      near("shift of the last layer falls as one over the channels (slope)", slope(channels, last), -1, 0.05),
      rising("deeper layers shift more, widest network", firstOrder.at(-1)!),
      agree(
        "sampled networks have these shifts (to 12 %: the next order)",
        all.map(({ theory }) => theory),
        all.map(({ value }) => value),
        all.map(({ standardError }) => standardError),
        0.12,
      ),
      falling("relative spread of the kernel over sites, by layer", spread),
      ...sites.map((matrix, l) =>
        near(
          `mean over sites of the kernel between sites over the mean over points of that between points, layer ${l + 1}`,
          trace(matrix) / matrix.length / sizeOfKernels[l]!,
          1,
          1e-9,
        ),
      ),
    ];
  },
  faults: [
    {
      name: "a sum over sites in place of the mean",
      apply: (numbers) => ({
        ...numbers,
        sites: numbers.sites.map((matrix) => matrix.map((row) => row.map((value) => value * row.length))),
      }),
    },
    {
      name: "half the shift",
      apply: (numbers) => ({ ...numbers, firstOrder: numbers.firstOrder.map((row) => row.map((value) => value / 2)) }),
    },
    {
      name: "layers exchanged, as one over the square root of the channels",
      apply: (numbers) => ({
        ...numbers,
        firstOrder: numbers.firstOrder.map((row, i) => row.map((value) => value * Math.sqrt(numbers.channels[i]!)).reverse()),
        sites: numbers.sites.slice().reverse(),
      }),
    },
  ],
};
