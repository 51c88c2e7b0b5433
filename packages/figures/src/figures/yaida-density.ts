import { matrixFromRows, type PaperFigure } from "@finitewidth/core";
import { outputDensityFactor, pointFlow } from "@finitewidth/perturbation";
import { agree, atMost } from "../shared/checks.js";
import { average, drawParts, histogram, overParts } from "../shared/draws.js";
import { curve } from "../shared/series.js";

interface Panel {
  readonly activation: string;
  readonly centres: readonly number[];
  readonly density: readonly number[];
  readonly standardError: readonly number[];
  readonly gaussian: readonly number[];
  readonly firstOrder: readonly number[];
  /** E f⁴/K². */
  readonly kurtosis: { readonly exact: number; readonly firstOrder: number; readonly sampled: number; readonly standardError: number };
}
interface Numbers {
  readonly widths: readonly number[];
  readonly panels: readonly Panel[];
}

const draws = { quick: 60_000, paper: 4_000_000 };
const widths = [8, 16];
/** E φ⁴/(E φ²)² − 1 of one unit: what one layer adds to the relative variance of the kernel, times its width. */
const cases = [
  { activation: "identity", weightVariance: 1, spread: 2 },
  { activation: "relu", weightVariance: 2, spread: 5 },
];

/** Prior density of one output against the Gaussian and the first order. */
export const yaidaDensity: PaperFigure<Numbers> = {
  name: "yaida-density",
  summary: "prior density of one output of narrow networks against Gaussian and first order",
  paper: "Yaida 2019, Non-Gaussian processes and neural networks at finite widths, PMLR 107, arXiv:1910.00019",
  statement:
    "The output of a narrow network on one input is not Gaussian: heavier tails and a sharper peak, described by the first correction in 1/N where that is small.",
  differences:
    "An input with |x|² = N0 stands for the MNIST image, on which the density depends through |x|² only. First order, and no higher: for ReLU at widths 8 and 16 it takes the kurtosis too low, as in the paper.",
  async compute(size, lab) {
    const { registry } = lab.run;
    const panels: Panel[] = [];
    for (const [k, { activation, weightVariance, spread }] of cases.entries()) {
      const network = { type: "fully-connected", widths, activation, weightVariance };
      const drawn = await drawParts(lab, network, matrixFromRows([[1]]), draws[size], 100 * k);
      const flow = pointFlow(
        {
          activation: registry.activation(activation),
          weightVariance: widths.map(() => weightVariance),
          biasVariance: widths.map(() => 0),
        },
        weightVariance,
      );
      const kernel = flow.kernel.at(-1)!;
      const atWidths = (coefficients: Float64Array): number => coefficients.reduce((sum, value, l) => sum + value / widths[l]!, 0);
      const input = { kernel, variance: atWidths(flow.variance.at(-1)!), meanShift: atWidths(flow.meanShift.at(-1)!) };
      const reach = 5 * Math.sqrt(kernel);
      const { centres, density, standardError } = histogram(drawn, -reach, reach, 61);
      const gaussian = centres.map((f) => Math.exp((-f * f) / (2 * kernel)) / Math.sqrt(2 * Math.PI * kernel));
      const fourth = overParts(drawn.map(({ outputs }) => average(outputs, (f) => f ** 4) / kernel ** 2));
      panels.push({
        activation,
        centres,
        density,
        standardError,
        gaussian,
        firstOrder: centres.map((f, i) => gaussian[i]! * outputDensityFactor([f], input)),
        kurtosis: {
          exact: 3 * widths.reduce((product, width) => product * (1 + spread / width), 1),
          firstOrder: 3 * (1 + input.variance / kernel ** 2),
          sampled: fourth.mean,
          standardError: fourth.standardError,
        },
      });
    }
    return { widths, panels };
  },
  pictures: ({ panels }) =>
    panels.map(({ activation, centres, density, standardError, gaussian, firstOrder }) => ({
      caption: `Density of one output of ${activation} networks of widths ${widths.join(", ")}. Lines: infinite width and first order in 1/N; points: sampled networks.`,
      figure: {
        kind: "lines",
        title: `density, ${activation}`,
        xLabel: `f, ${activation}`,
        yLabel: "probability density",
        series: [
          curve("nngp", centres, gaussian, { dashed: true }),
          curve("perturbative", centres, firstOrder),
          curve("monte-carlo", centres, density, { points: true, error: Float64Array.from(standardError) }),
        ],
      },
    })),
  checks: ({ panels }) =>
    panels.flatMap(({ activation, density, gaussian, firstOrder, kurtosis }) => {
      const distance = (law: readonly number[]): number => law.reduce((sum, value, i) => sum + Math.abs(value - density[i]!), 0);
      return [
        atMost(
          `${activation}: distance of first order from the sampled density over that of the Gaussian`,
          distance(firstOrder) / distance(gaussian),
          0.8,
        ),
        agree(
          `${activation}: E f⁴/K² of sampled networks is the exact one`,
          [kurtosis.exact],
          [kurtosis.sampled],
          [kurtosis.standardError],
        ),
        atMost(`${activation}: first order of E f⁴/K² over the exact one`, kurtosis.firstOrder / kurtosis.exact, 0.99),
      ];
    }),
  faults: [
    {
      name: "infinite width",
      apply: (numbers) => ({
        ...numbers,
        panels: numbers.panels.map((panel) => ({ ...panel, firstOrder: panel.gaussian, kurtosis: { ...panel.kurtosis, exact: 3 } })),
      }),
    },
    {
      name: "a variance of the kernel that is too large",
      apply: (numbers) => ({
        ...numbers,
        panels: numbers.panels.map((panel) => ({ ...panel, kurtosis: { ...panel.kurtosis, firstOrder: 1.1 * panel.kurtosis.exact } })),
      }),
    },
  ],
};
