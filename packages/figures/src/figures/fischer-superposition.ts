import { matrixFromRows, resolveArchitecture, resolveNetworkInput, type PaperFigure } from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { agree, near, reject } from "../shared/checks.js";
import { average, drawParts, histogram, overParts } from "../shared/draws.js";
import { fromRows, rows, slope } from "../shared/numbers.js";
import { curve } from "../shared/series.js";

interface Numbers {
  readonly width: number;
  readonly infinite: readonly (readonly number[])[];
  readonly drawn: readonly (readonly (readonly number[])[])[];
  /** Mean of K̂ at the first input over draws, and relative variance of K̂ there by width. */
  readonly mean: { readonly mean: number; readonly standardError: number };
  readonly widths: readonly number[];
  readonly variance: readonly number[];
  readonly centres: readonly number[];
  readonly sampled: readonly { readonly density: number; readonly standardError: number }[];
  readonly mixture: readonly number[];
  readonly gaussian: readonly number[];
  readonly components: readonly (readonly number[])[];
}

const sizes = { quick: { draws: 8000, points: 24 }, paper: { draws: 400_000, points: 48 } };
const width = 8;
/** N(f | 0, variance); a network whose units are all off has its mass at 0. */
const normal = (f: number, variance: number): number =>
  variance > 0 ? Math.exp((-f * f) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance) : 0;

/** The prior as a superposition of Gaussian processes. */
export const fischerSuperposition: PaperFigure<Numbers> = {
  name: "fischer-superposition",
  summary: "the prior as a superposition of Gaussian processes, one for each kernel drawn",
  paper: "Fischer, Lindner, Dahmen, Ringel, Krämer, Helias 2024, Critical feature learning in deep neural networks, ICML, arXiv:2405.10761",
  statement:
    "Given its hidden layers a network is a Gaussian process, and the prior is a superposition of such processes over random kernels, which scatter about the kernel of infinite width with a variance of order 1/N.",
  differences:
    "The paper draws this as a sketch; here the kernels are those of networks of eight ReLU units on inputs along a circle. One network in 256 has all of them off at a given input: the point of the sampled density at 0.",
  async compute(size, lab) {
    const { draws, points } = sizes[size];
    const { registry } = lab.run;
    const angles = Array.from({ length: points }, (_, i) => (2 * Math.PI * i) / points);
    const circle = matrixFromRows(angles.map((angle) => [Math.SQRT2 * Math.cos(angle), Math.SQRT2 * Math.sin(angle)]));
    const network = { type: "fully-connected", widths: [width], activation: "relu", weightVariance: 2 };
    const infinite = infiniteWidthKernels(resolveArchitecture(registry, resolveNetworkInput(network, registry)), circle).preactivation.at(
      -1,
    )!;
    const few = await drawParts(lab, network, circle, 32);
    const one = matrixFromRows([[Math.SQRT2, 0]]);
    const widths = [width, 2 * width, 4 * width];
    const many = [];
    for (const [k, N] of widths.entries()) many.push(await drawParts(lab, { ...network, widths: [N] }, one, draws, 100 * (k + 1)));
    // Other draws than those whose kernels make the mixture.
    const outputs = await drawParts(lab, network, one, 4 * draws, 1000);
    const K = infinite.data[0]!;
    const reach = 4 * Math.sqrt(K);
    const { centres, density, standardError } = histogram(outputs, -reach, reach, 41);
    const kernels = many[0]!.flatMap((part) => [...part.kernels]);
    const drawn = few.slice(0, 3).map((part) => rows({ data: part.kernels.slice(0, points * points), shape: [points, points] }));
    return {
      width,
      infinite: rows(infinite),
      drawn,
      mean: overParts(many[0]!.map((part) => average(part.kernels, (value) => value))),
      widths,
      variance: many.map((list) => overParts(list.map((part) => average(part.kernels, (value) => (value / K - 1) ** 2))).mean),
      centres,
      sampled: density.map((value, i) => ({ density: value, standardError: standardError[i]! })),
      mixture: centres.map((f) => kernels.reduce((sum, kernel) => sum + normal(f, kernel), 0) / kernels.length),
      gaussian: centres.map((f) => normal(f, K)),
      components: drawn.map((kernel) => centres.map((f) => normal(f, kernel[0]![0]!))),
    };
  },
  pictures: ({ infinite, drawn, centres, sampled, mixture, gaussian, components }) => [
    {
      caption: "Kernel of infinite width between inputs along a circle, and kernels of two networks of eight units drawn from the prior.",
      figure: {
        kind: "heatmaps",
        title: "kernels",
        panels: [
          { label: "infinite width", values: fromRows(infinite) },
          ...drawn.slice(0, 2).map((kernel, i) => ({ label: `draw ${i + 1}`, values: fromRows(kernel) })),
        ],
      },
    },
    {
      caption:
        "Density of the output at one input: Gaussian of infinite width, the Gaussians of three draws, their superposition over all draws, and outputs of other networks.",
      figure: {
        kind: "lines",
        title: "superposition",
        xLabel: "output f",
        yLabel: "probability density",
        series: [
          curve("infinite width", centres, gaussian, { dashed: true }),
          ...components.map((density, i) => curve(`draw ${i + 1}`, centres, density, { group: "single draws", dashed: true })),
          curve("superposition", centres, mixture),
          curve(
            "sampled outputs",
            centres,
            sampled.map(({ density }) => density),
            { points: true, error: Float64Array.from(sampled, ({ standardError }) => standardError) },
          ),
        ],
      },
    },
  ],
  checks({ infinite, mean, widths, variance, centres, sampled, mixture, gaussian }) {
    const inner = centres.flatMap((f, i) => (Math.abs(f) > 0.2 && Math.abs(f) < 3 ? [i] : []));
    const densities = inner.map((i) => sampled[i]!.density);
    const errors = inner.map((i) => sampled[i]!.standardError);
    return [
      agree("mean of the drawn kernels is that of infinite width", [infinite[0]![0]!], [mean.mean], [mean.standardError]),
      near("variance of the kernel falls as 1/N (slope)", slope(widths, variance), -1, 0.1),
      near("its size: N Var K̂/K², ReLU", widths[0]! * variance[0]!, 5, 0.7),
      agree(
        "outputs follow the superposition (to 3 % for the width of the bins)",
        inner.map((i) => mixture[i]!),
        densities,
        errors,
        0.03,
      ),
      reject(
        "and not the Gaussian of infinite width",
        inner.map((i) => gaussian[i]!),
        densities,
        errors,
      ),
    ];
  },
  faults: [
    {
      name: "a kernel that does not fluctuate",
      apply: (numbers) => ({
        ...numbers,
        variance: numbers.variance.map(() => 0.01),
        mixture: numbers.gaussian,
        sampled: numbers.sampled.map((one, i) => ({ ...one, density: numbers.gaussian[i]! })),
      }),
    },
    {
      name: "a superposition of the wrong mean",
      apply: (numbers) => ({
        ...numbers,
        mean: { ...numbers.mean, mean: 1.2 * numbers.mean.mean },
        mixture: numbers.centres.map((f) => normal(f, 1.5 * numbers.infinite[0]![0]!)),
      }),
    },
  ],
};
