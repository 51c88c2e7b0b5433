import type { PaperFigure } from "@finitewidth/core";
import { agree, near, rising } from "../shared/checks.js";
import { slope } from "../shared/numbers.js";
import { curve, sampledPoints } from "../shared/series.js";

interface Numbers {
  /** Effective depths λ = Σ 1/N_l. */
  readonly effectiveDepth: readonly number[];
  readonly depths: readonly number[];
  /** Log evidence minus that of infinite width, by depth and effective depth. */
  readonly gain: readonly (readonly number[])[];
  /** The evidence of two real networks by annealing. */
  readonly sampled: readonly {
    readonly depth: number;
    readonly effectiveDepth: number;
    readonly gain: number;
    readonly standardError: number;
  }[];
}

const sizes = { quick: { points: 40, widths: [2, 4, 8, 16, 32] }, paper: { points: 100, widths: [2, 4, 8, 16, 32, 64, 128] } };
const depths = [1, 2, 4, 8, 16];

/** Evidence of deep linear networks over effective depth. */
export const haninDepth: PaperFigure<Numbers> = {
  name: "hanin-depth",
  summary: "evidence of deep linear networks: one curve over the effective depth",
  paper: "Hanin, Zlokapa 2022, Bayesian interpolation with deep linear networks, arXiv:2212.14457",
  statement:
    "Depth and width enter the evidence of a deep linear network through the effective depth λ = Σ 1/N_l: networks of the same λ have nearly the same evidence, the deeper the more so, and the labels prefer a finite λ to infinite width.",
  differences:
    "Digits in place of a power-law spectrum, T = 0.1 in place of exact interpolation; points are the evidence of real networks by annealing, which the paper does not have.",
  async compute(size, lab) {
    const { points, widths } = sizes[size];
    const experiment = {
      data: { dataset: "mnist", classes: [0, 1], train: points, test: 0, size: [10, 10], seed: 1 },
      network: { type: "fully-connected", widths: [1], activation: "identity" },
      likelihood: { temperature: 0.1 },
      seed: 1,
    };
    const layers = (depth: number, width: number): number[] => Array.from({ length: depth }, () => depth * width);
    const [infinite] = await lab.experiment("infinite-width", { ...experiment, methods: ["nngp"] });
    const reference = infinite!.methods["nngp"]!.posterior.logEvidence!;
    const gain: number[][] = [];
    for (const depth of depths) {
      const steps = await lab.experiment(`depth-${depth}`, {
        ...experiment,
        methods: ["exact"],
        sweep: { widths: widths.map((width) => layers(depth, width)) },
      });
      gain.push(steps.map((step) => step.methods["exact"]!.posterior.logEvidence! - reference));
    }
    const sampled: Numbers["sampled"][number][] = [];
    for (const depth of [1, 2]) {
      const width = 8;
      const [step] = await lab.experiment(`sampled-depth-${depth}`, {
        ...experiment,
        network: { ...experiment.network, widths: layers(depth, width) },
        methods: [{ method: "monte-carlo", evidence: true, chains: 1, draws: 8, warmup: 8 }],
      });
      const { logEvidence, standardError } = step!.methods["monte-carlo"]!.posterior;
      sampled.push({ depth, effectiveDepth: 1 / width, gain: logEvidence! - reference, standardError: standardError!.logEvidence! });
    }
    return { effectiveDepth: widths.map((width) => 1 / width), depths, gain, sampled };
  },
  pictures: ({ effectiveDepth, gain, sampled }) => [
    {
      caption:
        "Log evidence minus that of the network of infinite width against the effective depth λ = Σ 1/N_l, by number of hidden layers. Lines: exact; points: real networks, annealed.",
      figure: {
        kind: "lines",
        title: "evidence over effective depth",
        xLabel: "effective depth λ = Σ 1/N_l",
        yLabel: "log evidence − infinite width",
        logX: true,
        series: [
          ...depths.map((depth, i) => curve(layersLabel(depth), effectiveDepth, gain[i]!)),
          ...sampled.map((one) => sampledPoints(layersLabel(one.depth), [one.effectiveDepth], [one.gain], [one.standardError])),
        ],
      },
    },
  ],
  checks({ effectiveDepth, gain, sampled }) {
    const last = gain.at(-1)!;
    const spread = depths.slice(0, -1).map((_, i) => Math.max(...effectiveDepth.map((_, k) => Math.abs(gain[i]![k]! - gain[i + 1]![k]!))));
    return [
      near("distance between depths L and 2L at the same λ falls like 1/L (slope)", slope(depths.slice(0, -1), spread), -1, 0.35),
      rising("the labels prefer finite networks: evidence over λ, shallow end first", [0, ...last.slice().reverse()].slice(0, 4)),
      agree(
        "real networks have this evidence (jackknife over eight islands)",
        sampled.map((one) => gain[depths.indexOf(one.depth)]![effectiveDepth.indexOf(one.effectiveDepth)]!),
        sampled.map((one) => one.gain),
        sampled.map((one) => one.standardError),
        0,
        7,
      ),
    ];
  },
  faults: [
    {
      name: "depth does not matter at all",
      apply: (numbers) => ({ ...numbers, gain: numbers.gain.map((row, i) => (i === 0 ? row : numbers.gain[1]!)) }),
    },
    { name: "infinite width", apply: (numbers) => ({ ...numbers, gain: numbers.gain.map((row) => row.map(() => 0)) }) },
  ],
};

const layersLabel = (depth: number): string => (depth === 1 ? "1 hidden layer" : `${depth} hidden layers`);
