import type { FigureMethod, PaperFigure, Tensor } from "@finitewidth/core";
import { agree, atLeast, near } from "../shared/checks.js";
import { fromRows, rows } from "../shared/numbers.js";
import { readoutOverSites, type SiteMatrix } from "../shared/site-kernels.js";

type Rows = readonly (readonly number[])[];
interface Numbers {
  readonly sites: number;
  readonly exact: Rows;
  readonly linear: SiteMatrix;
  readonly effectiveAction: Rows;
  readonly erf: SiteMatrix;
  readonly evidence: { readonly infinite: number; readonly exact: number };
}

const sizes = {
  quick: { train: 20, channels: 8, side: 8, kernelSize: 4, draws: 400 },
  paper: { train: 100, channels: 20, side: 12, kernelSize: 4, draws: 1500 },
};

/** What learning adds to the identity. */
const withoutIdentity = (matrix: Rows): number[][] => matrix.map((row, i) => row.map((value, j) => value - (i === j ? 1 : 0)));

/** Matrix over sites that renormalises the kernel of a convolutional layer. */
export const bassettiShape: PaperFigure<Numbers> = {
  name: "bassetti-shape",
  summary: "kernel shape renormalisation of a convolutional layer: the matrix over sites",
  paper:
    "Bassetti, Gherardi, Ingrosso, Pastore, Rotondo 2024, Feature learning in finite-width Bayesian deep linear networks with multiple outputs and convolutional layers, arXiv:2406.03260; Aiudi et al. 2025, Local kernel renormalization as a mechanism for feature learning in overparametrized convolutional neural networks, Nature Communications 16",
  statement:
    "Learning changes not the size but the shape of the kernel of a convolutional layer: patches are weighed against one another by a matrix over sites, which at infinite width is the identity.",
  differences:
    "Digits 0 and 1. Exact for linear units, effective action for erf units; the papers show no sampled matrices. Deep nonlinear convolutions have no such theory here.",
  async compute(size, lab) {
    const { train, channels, side, kernelSize, draws } = sizes[size];
    const sites = (side / kernelSize) ** 2;
    const experiment = (activation: string) => ({
      data: { dataset: "mnist", classes: [0, 1], train, test: 0, size: [side, side], labels: "sign", seed: 1 },
      network: {
        type: "convolutional",
        inputShape: [1, side, side],
        layers: [{ channels, kernelSize, stride: kernelSize }],
        readout: "flatten",
        activation,
      },
      likelihood: { temperature: 0.1 },
      seed: 1,
    });
    const sampler = { method: "monte-carlo", chains: 2, draws, warmup: 200 };
    const [linear] = await lab.experiment("linear", { ...experiment("identity"), methods: ["nngp", "exact", sampler] });
    const [erf] = await lab.experiment("erf", { ...experiment("erf"), methods: ["effective-action", sampler] });
    const matrix = ({ posterior }: FigureMethod, scale: number): number[][] =>
      rows(posterior.orderParameter as Tensor & { readonly shape: readonly [number, number] }).map((row) =>
        row.map((value) => scale * value),
      );
    const { registry } = lab.run;
    return {
      sites,
      exact: matrix(linear!.methods["exact"]!, sites),
      linear: readoutOverSites(linear!.methods["monte-carlo"]!, sites, registry),
      effectiveAction: matrix(erf!.methods["effective-action"]!, 1),
      erf: readoutOverSites(erf!.methods["monte-carlo"]!, sites, registry),
      evidence: { infinite: linear!.methods["nngp"]!.posterior.logEvidence!, exact: linear!.methods["exact"]!.posterior.logEvidence! },
    };
  },
  pictures: ({ exact, linear, effectiveAction, erf }) => {
    const panel = (label: string, matrix: Rows) => ({ label, diverging: true, values: fromRows(withoutIdentity(matrix)) });
    return [
      {
        caption:
          "The matrix over sites of a linear convolutional layer minus the identity, which it is at infinite width: exact, and of sampled networks.",
        figure: { kind: "heatmaps", title: "linear units", panels: [panel("linear, exact", exact), panel("linear, sampled", linear.mean)] },
      },
      {
        caption: "The same of erf units: effective action, and sampled networks.",
        figure: {
          kind: "heatmaps",
          title: "erf units",
          panels: [panel("erf, effective action", effectiveAction), panel("erf, sampled", erf.mean)],
        },
      },
    ];
  },
  checks({ exact, linear, effectiveAction, erf, evidence }) {
    const own = (matrix: Rows): number[] => matrix.map((row, i) => row[i]!);
    const [a, b] = [withoutIdentity(effectiveAction).flat(), withoutIdentity(erf.mean).flat()];
    const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, value, k) => sum + value * y[k]!, 0);
    return [
      atLeast("linear: weight of the strongest site over that of the weakest", Math.max(...own(exact)) / Math.min(...own(exact)), 1.15),
      agree(
        "linear: sampled networks have this matrix",
        exact.flat(),
        linear.mean.flat(),
        linear.standardError.flat(),
        0.01,
        linear.degreesOfFreedom,
      ),
      atLeast(
        "erf: cosine of the departures from the identity, effective action and sampled",
        dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)),
        0.7,
      ),
      near("erf: size of the departure, effective action over sampled", Math.sqrt(dot(a, a) / dot(b, b)), 1, 0.25),
      atLeast("linear: log evidence over infinite width", evidence.exact - evidence.infinite, 0.1),
    ];
  },
  faults: [
    {
      name: "a kernel that changes in size only",
      apply: (numbers) => {
        const scaled = (matrix: Rows): number[][] => matrix.map((row, i) => row.map((_, j) => (i === j ? 1.3 : 0)));
        return {
          ...numbers,
          exact: scaled(numbers.exact),
          effectiveAction: scaled(numbers.effectiveAction),
          evidence: { infinite: 0, exact: 0 },
        };
      },
    },
    {
      name: "three times the effect",
      apply: (numbers) => ({
        ...numbers,
        effectiveAction: numbers.effectiveAction.map((row, i) => row.map((value, j) => (i === j ? 1 + 3 * (value - 1) : 3 * value))),
      }),
    },
  ],
};
