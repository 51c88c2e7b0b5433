import type { PaperFigure } from "@finitewidth/core";
import { phaseDiagram } from "@finitewidth/large-deviations";
import { agree, atMost } from "../shared/checks.js";
import { linear } from "../shared/numbers.js";
import { curve, sampledPoints } from "../shared/series.js";
import { sampledShifts, shiftsOf, type Shift } from "../shared/shift.js";

interface Numbers {
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
  /** Relative shift of the last hidden kernel to first order in the forces, by bias variance and weight variance. */
  readonly response: readonly (readonly number[])[];
  /** Where χ⊥ passes 1, by bias variance; null: nowhere on the axis. */
  readonly critical: readonly (number | null)[];
  readonly sampledAt: readonly number[];
  readonly sampled: readonly Shift[];
}

const sizes = {
  quick: { points: 14, sampledAt: [0.8, 1.5, 2.4], widths: [100, 100, 100, 100], train: 6, draws: 150 },
  paper: { points: 27, sampledAt: [0.6, 1, 1.4, 1.8, 2.4], widths: [200, 200, 200, 200], train: 20, draws: 300 },
};

/** Feature learning against the variances of weights and biases. */
export const fischerCriticality: PaperFigure<Numbers> = {
  name: "fischer-criticality",
  summary: "feature learning against weight variance peaks near the edge of chaos",
  paper: "Fischer, Lindner, Dahmen, Ringel, Krämer, Helias 2024, Critical feature learning in deep neural networks, ICML, arXiv:2405.10761",
  statement:
    "How much the data move the kernels of a deep network depends on how near its variances are to criticality: small in the ordered phase, where signals die out, with a peak at weight variances near the edge of chaos.",
  differences:
    "Theory to first order in the forces on digits 0 and 1, where the paper solves the full equations on other tasks; finite depth and data put the peak beside χ⊥ = 1, not on it. Points are shifts of sampled networks by the Stein–Mehler identity.",
  async compute(size, lab) {
    const { points, sampledAt, widths, train, draws } = sizes[size];
    const weightVariance = linear(0.4, 3, points);
    const biasVariance = [0, 0.05];
    const experiment = (bias: number) => ({
      data: { dataset: "mnist", classes: [0, 1], train, test: 0, size: [7, 7], labels: "sign", seed: 1 },
      network: { type: "fully-connected", widths, activation: "erf", biasVariance: bias, weightVariance: 1 },
      likelihood: { temperature: 0.5 },
      seed: 1,
    });
    const response: number[][] = [];
    for (const bias of biasVariance) {
      const steps = await lab.experiment(`bias-${bias}`, {
        ...experiment(bias),
        methods: ["nngp", { method: "forward-backward", order: "first" }],
        sweep: { weightVariance },
      });
      response.push(steps.map(({ methods }) => shiftsOf(methods["forward-backward"]!, methods["nngp"]!).at(-1)!));
    }
    const samples = await lab.experiment("sampled", {
      ...experiment(0.05),
      methods: ["nngp", { method: "monte-carlo", chains: 2, draws, warmup: 100, shifts: true }],
      sweep: { weightVariance: sampledAt },
    });
    const phases = await phaseDiagram({ activation: "erf", weightVariance: linear(0.4, 3, 261), biasVariance }, lab.run);
    const critical = biasVariance.map((bias) => {
      const found = phases.criticalLine.filter(([, b]) => Math.abs(b - bias) < 1e-3).map(([w]) => w);
      return found.length > 0 ? Math.min(...found) : null;
    });
    return {
      weightVariance,
      biasVariance,
      response,
      critical,
      sampledAt,
      sampled: samples.map(({ methods }) => sampledShifts(methods["monte-carlo"]!, methods["nngp"]!).at(-1)!),
    };
  },
  pictures: ({ weightVariance, biasVariance, response, critical, sampledAt, sampled }) => [
    {
      caption:
        "Relative shift of the last hidden kernel of four erf layers against the weight variance, for two bias variances. Lines: theory; points: sampled networks; vertical: the edge of chaos, χ⊥ = 1.",
      figure: {
        kind: "lines",
        title: "response against weight variance",
        xLabel: "weight variance σ_w²",
        yLabel: "relative shift |ΔK|/|K|",
        series: [
          ...biasVariance.map((bias, i) => curve(`σ_b² = ${bias}`, weightVariance, response[i]!)),
          sampledPoints(
            "σ_b² = 0.05",
            sampledAt,
            sampled.map(({ value }) => value),
            sampled.map(({ standardError }) => standardError),
          ),
        ],
        marks: critical.flatMap((x, i) => (x === null ? [] : [{ label: `χ⊥ = 1 at σ_b² = ${biasVariance[i]}`, x }])),
      },
    },
  ],
  checks({ weightVariance, response, sampledAt, sampled }) {
    const [, withBias] = response;
    const at = (x: number): number => {
      const i = Math.min(weightVariance.length - 2, Math.max(0, weightVariance.findIndex((value) => value > x) - 1));
      const t = (x - weightVariance[i]!) / (weightVariance[i + 1]! - weightVariance[i]!);
      return withBias![i]! + t * (withBias![i + 1]! - withBias![i]!);
    };
    const peak = Math.max(...withBias!);
    return [
      atMost("response at the ordered end over its peak", withBias![0]! / peak, 0.5),
      atMost("response at the chaotic end over its peak", withBias!.at(-1)! / peak, 0.9),
      agree(
        "sampled networks respond like this",
        sampledAt.map(at),
        sampled.map(({ value }) => value),
        sampled.map(({ standardError }) => standardError),
        0.15,
      ),
    ];
  },
  faults: [
    {
      name: "no dependence on the variance",
      apply: (numbers) => ({ ...numbers, response: numbers.response.map((row) => row.map(() => row[3]!)) }),
    },
    {
      name: "twice the response",
      apply: (numbers) => ({ ...numbers, response: numbers.response.map((row) => row.map((value) => 2 * value)) }),
    },
  ],
};
