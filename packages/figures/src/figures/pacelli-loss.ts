import type { FigureMethod, FigureSize, PaperFigure } from "@finitewidth/core";
import { agree, near, rising } from "../shared/checks.js";
import { curve, sampledPoints } from "../shared/series.js";

interface Loss {
  readonly bias: number;
  readonly variance: number;
  readonly total: number;
}
interface Panel {
  readonly label: string;
  readonly infinite: Loss;
  readonly theory: readonly Loss[];
  /** Unit by unit, for labels this strong; at the sampled widths. */
  readonly unitwise: readonly Loss[];
  readonly sampled: readonly (Loss & { readonly standardError: number })[];
}
interface Numbers {
  readonly widths: readonly number[];
  readonly sampledWidths: readonly number[];
  readonly panels: readonly Panel[];
}

const digits = (train: number, test: number, side: number) => ({
  dataset: "mnist",
  classes: [0, 1],
  train,
  test,
  size: [side, side],
  labels: "sign",
  seed: 1,
});
const sizes: Record<FigureSize, { train: number; test: number; side: number; widths: number[]; sampledWidths: number[]; draws: number }> = {
  quick: { train: 60, test: 200, side: 14, widths: [10, 20, 40, 80, 160, 320, 640], sampledWidths: [20, 80, 160], draws: 100 },
  paper: { train: 200, test: 1000, side: 28, widths: [20, 50, 100, 200, 400, 800, 1600], sampledWidths: [50, 100, 200, 400], draws: 300 },
};

/** Generalisation loss of one hidden layer against its width. */
export const pacelliLoss: PaperFigure<Numbers> = {
  name: "pacelli-loss",
  summary: "generalisation loss of one hidden layer against its width, erf and ReLU",
  paper:
    "Pacelli, Ariosto, Pastore, Ginelli, Gherardi, Rotondo 2023, A statistical mechanics framework for Bayesian deep neural networks beyond the infinite-width limit, Nature Machine Intelligence 5",
  statement:
    "With as many data as units, the loss depends on the width through one order parameter; narrow networks do better than infinite ones here, and the loss tends to that of infinite width as N grows.",
  differences:
    'Digits 0 and 1; the second task of the paper is a pair of CIFAR-10 classes, which "dataset": "cifar10" reads from a file of yours. At labels this strong the effective action finds the variance but leaves the bias where it is at infinite width, and real networks of N < P do better than it says: a few units specialise. The theory that treats units one by one (not in the paper) has them.',
  async compute(size, lab) {
    const { train, test, side, widths, sampledWidths, draws } = sizes[size];
    const panels: Panel[] = [];
    for (const activation of ["erf", "relu"]) {
      const experiment = {
        data: digits(train, test, side),
        network: { type: "fully-connected", widths: [1], activation },
        likelihood: { temperature: 0.05 },
        seed: 1,
      };
      const sweep = (values: readonly number[]) => ({ widths: values.map((width) => [width]) });
      const theory = await lab.experiment(activation, { ...experiment, methods: ["nngp", "effective-action"], sweep: sweep(widths) });
      const samples = await lab.experiment(`${activation}-sampled`, {
        ...experiment,
        methods: ["expectation-propagation", { method: "monte-carlo", chains: 2, draws, warmup: 100 }],
        sweep: sweep(sampledWidths),
      });
      const loss = ({ generalizationError }: FigureMethod): Loss => generalizationError!;
      panels.push({
        label: activation,
        infinite: loss(theory[0]!.methods["nngp"]!),
        theory: theory.map(({ methods }) => loss(methods["effective-action"]!)),
        unitwise: samples.map(({ methods }) => loss(methods["expectation-propagation"]!)),
        sampled: samples.map(({ methods }) => ({
          ...loss(methods["monte-carlo"]!),
          standardError: methods["monte-carlo"]!.generalizationStandardError!.total,
        })),
      });
    }
    return { widths, sampledWidths, panels };
  },
  pictures: ({ widths, sampledWidths, panels }) =>
    panels.map(({ label, infinite, theory, unitwise, sampled }) => {
      const totals = (losses: readonly Loss[]): number[] => losses.map(({ total }) => total);
      return {
        caption: `Generalisation loss (squared bias plus variance on the test set) of ${label} networks against the width of the hidden layer. Dashed: infinite width; points: sampled networks.`,
        figure: {
          kind: "lines",
          title: `loss against width, ${label}`,
          xLabel: "width N",
          yLabel: `generalisation loss, ${label}`,
          logX: true,
          series: [
            curve(
              "nngp",
              widths,
              widths.map(() => infinite.total),
              { dashed: true },
            ),
            curve("effective-action", widths, totals(theory)),
            curve("expectation-propagation", sampledWidths, totals(unitwise)),
            sampledPoints(
              "monte-carlo",
              sampledWidths,
              totals(sampled),
              sampled.map(({ standardError }) => standardError),
            ),
          ],
        },
      };
    }),
  checks: ({ widths, sampledWidths, panels }) =>
    panels.flatMap(({ label, infinite, theory, unitwise, sampled }) => {
      const at = (losses: readonly Loss[], which: readonly number[]): number[] =>
        which.map((width) => losses[widths.indexOf(width)]!.total);
      const measured = sampled.map(({ total }) => total);
      const errors = sampled.map(({ standardError }) => standardError);
      const widest = sampledWidths.slice(-1);
      return [
        rising(`${label}: the loss of the effective action grows with the width, up to infinite width`, [
          ...theory.map(({ total }) => total),
          infinite.total,
        ]),
        rising(`${label}: so does that of sampled networks`, [...measured, infinite.total]),
        near(`${label}: effective action of the widest network over infinite width`, theory.at(-1)!.total / infinite.total, 1, 0.02),
        agree(`${label}: the effective action is right for N > P`, at(theory, widest), measured.slice(-1), errors.slice(-1), 0.05),
        agree(
          `${label}: unit by unit, theory is right at every width`,
          unitwise.map(({ total }) => total),
          measured,
          errors,
          0.05,
        ),
      ];
    }),
  faults: [
    {
      name: "no dependence on the width",
      apply: (numbers) => ({
        ...numbers,
        panels: numbers.panels.map((panel) => ({
          ...panel,
          theory: panel.theory.map(() => panel.infinite),
          unitwise: panel.unitwise.map(() => panel.infinite),
          sampled: panel.sampled.map((one) => ({ ...one, total: panel.infinite.total })),
        })),
      }),
    },
    {
      name: "the order parameter inverted",
      apply: (numbers) => ({
        ...numbers,
        panels: numbers.panels.map((panel) => ({
          ...panel,
          theory: panel.theory.map((loss) => ({ ...loss, total: panel.infinite.total ** 2 / loss.total + 0.1 })),
          unitwise: panel.unitwise.map((loss) => ({ ...loss, total: panel.infinite.total ** 2 / loss.total })),
        })),
      }),
    },
  ],
};
