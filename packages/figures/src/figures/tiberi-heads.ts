import type { PaperFigure } from "@finitewidth/core";
import { agree, atLeast, atMost } from "../shared/checks.js";
import { fromRows, rows } from "../shared/numbers.js";
import { curve, sampledPoints } from "../shared/series.js";

interface Numbers {
  /** Learned weights of pairs of paths; the identity before learning. */
  readonly weights: readonly (readonly number[])[];
  readonly names: readonly string[];
  /** Test accuracy and squared error of the mean after the removal of 0, 1, … heads, lowest score first. */
  readonly accuracy: readonly number[];
  readonly error: readonly number[];
  /** Log evidence minus that of infinite width. */
  readonly gain: number;
  /** Squared error plus variance. */
  readonly loss: number;
  readonly infiniteLoss: number;
  readonly sampled: { readonly bias: number; readonly biasError: number; readonly loss: number; readonly standardError: number };
}

const sizes = {
  quick: { train: 100, test: 500, heads: 8, width: 10, draws: 60 },
  paper: { train: 300, test: 4000, heads: 8, width: 20, draws: 300 },
};

/** Which attention heads the posterior uses, and what is lost without them. */
export const tiberiHeads: PaperFigure<Numbers> = {
  name: "tiberi-heads",
  summary: "learned weights of attention paths, and pruning of heads against accuracy",
  paper:
    "Tiberi, Mignacco, Irie, Sompolinsky 2024, Dissecting the interplay of attention paths in a statistical mechanics theory of transformers, NeurIPS 37, arXiv:2405.15926",
  statement:
    "At finite width the posterior weighs and combines attention paths according to the task: some heads matter more than others, and those of low score can be removed at little loss.",
  differences:
    "Sequences of hidden Markov chains with frozen random queries and keys, where the paper takes maps trained on hidden Markov chains and images; the posterior is exact here, where the paper has the saddle point of the proportional limit.",
  async compute(size, lab) {
    const { train, test, heads, width, draws } = sizes[size];
    const [step] = await lab.experiment("heads", {
      data: { dataset: "hidden-markov", train, test, tokens: 6, features: 2, noise: 0.3, seed: 3 },
      network: {
        type: "attention",
        tokens: 6,
        features: 8,
        layers: [{ width }, { width, maps: { heads, keys: 8, scale: 8, seed: 1 } }],
        readout: "mean",
      },
      likelihood: { temperature: 0.1 },
      methods: ["nngp", "exact", { method: "monte-carlo", chains: 2, draws, warmup: 100 }],
      seed: 1,
    });
    const { methods, test: tests } = step!;
    const { posterior, predictive, generalizationError } = methods["exact"]!;
    const panels = posterior.figures!.flatMap((figure) => (figure.kind === "heatmaps" ? figure.panels : []));
    const pruned = (predictive!.diagnostics!["pruning"] as { readonly mean: readonly (readonly number[])[] }).mean;
    const targets = tests!.targets!.data;
    const average = (of: (i: number) => number): number => targets.reduce((sum, _, i) => sum + of(i), 0) / targets.length;
    const means = pruned;
    const sampled = methods["monte-carlo"]!;
    return {
      weights: rows(panels[0]!.values),
      names: [...(panels[0]!.names ?? [])],
      accuracy: means.map((mean) => average((i) => (mean[i]! * targets[i]! > 0 ? 1 : mean[i] === 0 ? 0.5 : 0))),
      error: means.map((mean) => average((i) => (mean[i]! - targets[i]!) ** 2)),
      gain: posterior.logEvidence! - methods["nngp"]!.posterior.logEvidence!,
      loss: generalizationError!.total,
      infiniteLoss: methods["nngp"]!.generalizationError!.total,
      sampled: {
        bias: sampled.generalizationError!.bias,
        biasError: sampled.generalizationStandardError!.bias,
        loss: sampled.generalizationError!.total,
        standardError: sampled.generalizationStandardError!.total,
      },
    };
  },
  pictures: ({ weights, names, accuracy, error, sampled }) => {
    const removed = accuracy.map((_, i) => i);
    return [
      {
        caption: "Weights of pairs of attention paths that the posterior has learned; at infinite width this is the identity.",
        figure: {
          kind: "heatmaps",
          title: "weights of paths",
          panels: [{ label: "weights of paths", values: fromRows(weights), ...(names.length > 0 ? { names } : {}) }],
        },
      },
      {
        caption: "Accuracy on the test sequences after heads were removed without retraining, lowest score first.",
        figure: {
          kind: "lines",
          title: "pruning",
          xLabel: "heads removed",
          yLabel: "test accuracy",
          series: [curve("exact", removed, accuracy)],
        },
      },
      {
        caption: "Squared error of the predictive mean after the same removals; point: the sampled network with all heads.",
        figure: {
          kind: "lines",
          title: "pruning, error",
          xLabel: "heads removed",
          yLabel: "squared error of the mean",
          series: [curve("exact", removed, error), sampledPoints("monte-carlo", [0], [sampled.bias], [sampled.biasError])],
        },
      },
    ];
  },
  checks({ weights, accuracy, error, gain, loss, infiniteLoss, sampled }) {
    const own = weights.map((row, i) => row[i]!);
    const heads = weights.length;
    return [
      atLeast("weight of the strongest path over that of the weakest", Math.max(...own) / Math.min(...own), 1.25),
      atLeast("accuracy with all heads", accuracy[0]!, 0.55),
      atMost(
        "error added without the head of lowest score, in shares of removing all: less than the average head",
        (error[1]! - error[0]!) / (error[heads]! - error[0]!),
        1 / heads,
      ),
      atLeast("log evidence over infinite width", gain, 0),
      atMost("loss over that of infinite width", loss / infiniteLoss, 1),
      agree("sampled networks have this loss", [loss], [sampled.loss], [sampled.standardError], 0.01),
    ];
  },
  faults: [
    {
      name: "all heads alike, no learning",
      apply: (numbers) => ({
        ...numbers,
        weights: numbers.weights.map((row, i) => row.map((_, j) => (i === j ? 1 : 0))),
        gain: -numbers.gain,
        loss: numbers.infiniteLoss * 1.02,
      }),
    },
    {
      name: "the strongest head removed first",
      apply: (numbers) => ({ ...numbers, error: numbers.error.map((value, i) => (i === 0 ? value : 1)) }),
    },
    {
      name: "chance",
      apply: (numbers) => ({ ...numbers, accuracy: numbers.accuracy.map(() => 0.5), sampled: { ...numbers.sampled, loss: 1.5 } }),
    },
  ],
};
