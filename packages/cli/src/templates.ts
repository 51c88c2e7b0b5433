import type { FileKind } from "@finitewidth/experiment";

/** A file to start from. */
export interface Template {
  readonly name: string;
  /** The question it answers. */
  readonly question: string;
  readonly kind: FileKind;
  readonly content: { readonly [key: string]: unknown };
  /** What has to be there before it runs. */
  readonly first?: string;
}

const digits = { dataset: "mnist", classes: [0, 1], train: 60, test: 500, size: [10, 10] };
const linear = { type: "fully-connected", widths: [8, 8], activation: "identity" };

/** One for each kind of question. */
export const templates: readonly Template[] = [
  {
    name: "digits",
    question: "Does finite width matter, and what do the hidden layers learn?",
    kind: "run",
    content: {
      data: digits,
      network: linear,
      likelihood: { temperature: 0.05 },
      methods: ["nngp", "exact", { method: "monte-carlo", draws: 500 }],
      seed: 1,
    },
  },
  {
    name: "own-data",
    question: "The same for a table of my own (columns y… are targets, a column split marks test rows)",
    kind: "run",
    first: "put your table beside it as data.csv, with a first line such as x1,x2,y,split and a row for every point (split: train or test)",
    content: {
      data: { file: "data.csv" },
      network: { type: "fully-connected", widths: [50], activation: "erf" },
      likelihood: { temperature: 0.1 },
      methods: "applicable",
      seed: 1,
    },
  },
  {
    name: "width-sweep",
    question: "Which width and noise do the data prefer?",
    kind: "run",
    content: {
      data: digits,
      network: linear,
      likelihood: { temperature: 0.05 },
      methods: ["nngp", "exact"],
      sweep: { widths: [2, 4, 8, 16, 32, 64, 128], temperature: [0.01, 0.05, 0.25] },
      seed: 1,
    },
  },
  {
    name: "depth-sweep",
    question: "How do kernels and errors change with depth?",
    kind: "run",
    content: {
      data: digits,
      network: { type: "fully-connected", widths: [20], activation: "identity" },
      likelihood: { temperature: 0.05 },
      methods: ["nngp", "exact"],
      sweep: { depth: [1, 2, 3, 4, 6] },
      seed: 1,
    },
  },
  {
    name: "load-sweep",
    question: "How does the error fall with the number of points, theory beside sampled networks?",
    kind: "run",
    content: {
      data: { ...digits, train: 80 },
      network: { type: "fully-connected", widths: [40], activation: "erf" },
      likelihood: { temperature: 0.05 },
      methods: ["nngp", "effective-action", { method: "monte-carlo", chains: 4, draws: 400, warmup: 200 }],
      sweep: { train: [10, 20, 40, 80] },
      seed: 1,
    },
  },
  {
    name: "convolution",
    question: "Convolutional against fully connected on the same data",
    kind: "run",
    content: {
      data: digits,
      networks: [
        { label: "fully connected", ...linear, widths: [16] },
        {
          label: "convolutional",
          type: "convolutional",
          inputShape: [1, 10, 10],
          layers: [{ channels: 16, kernelSize: [5, 5], stride: [5, 5], padding: "valid" }],
          readout: "flatten",
          activation: "identity",
        },
      ],
      likelihood: { temperature: 0.05 },
      methods: ["nngp", "exact"],
      seed: 1,
    },
  },
  {
    name: "seeds",
    question: "How much does the choice of training points matter?",
    kind: "run",
    content: {
      data: digits,
      network: linear,
      likelihood: { temperature: 0.05 },
      methods: ["nngp", "exact"],
      sweep: { "data.seed": [1, 2, 3, 4, 5] },
      seed: 1,
    },
  },
  {
    name: "prior",
    question: "How far from Gaussian is the prior?",
    kind: "prior",
    content: {
      inputs: [
        [1, 0, 0],
        [0.5, 0.5, 0],
        [0, 0, 1],
      ],
      network: { type: "fully-connected", widths: [10, 10], activation: "relu", weightVariance: 2 },
      methods: "applicable",
      samples: 100_000,
      seed: 1,
    },
  },
  {
    name: "phase",
    question: "Where is the critical line of an activation?",
    kind: "phase",
    content: { activation: "tanh", weightVariance: { from: 0.5, to: 3, points: 41 }, biasVariance: { from: 0, to: 0.3, points: 25 } },
  },
];
