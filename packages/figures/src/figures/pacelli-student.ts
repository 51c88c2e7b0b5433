import { matrixFromRows, type PaperFigure } from "@finitewidth/core";
import { agree, atLeast, near, reject } from "../shared/checks.js";
import { average, drawParts, histogram, overParts } from "../shared/draws.js";
import { linear } from "../shared/numbers.js";
import { curve } from "../shared/series.js";

interface Numbers {
  readonly width: number;
  readonly centres: readonly number[];
  readonly sampled: readonly { readonly density: number; readonly standardError: number }[];
  readonly varianceGamma: readonly number[];
  readonly gaussian: readonly number[];
  /** E cos(s f) = the law of the conjugate field up to its norm, at s. */
  readonly fields: readonly number[];
  readonly student: readonly number[];
  readonly gaussianField: readonly number[];
  readonly characteristic: readonly { readonly mean: number; readonly standardError: number }[];
  /** The same for erf units, whose kernel fluctuates less. */
  readonly erf: readonly { readonly mean: number; readonly standardError: number }[];
}

const draws = { quick: 60_000, paper: 4_000_000 };
const width = 6;

/** Density of f = √Q z, Q ~ Gamma(N/2, 2/N), by the trapezoidal rule in log Q, which converges geometrically. */
function varianceGamma(f: number, N: number): number {
  const step = 0.01;
  let [density, mass] = [0, 0];
  for (let u = -40 / N - 3; u < 3; u += step) {
    const Q = Math.exp(u);
    const weight = Math.exp((N / 2) * (u - Q + 1));
    mass += weight;
    density += (weight * Math.exp((-f * f) / (2 * Q))) / Math.sqrt(2 * Math.PI * Q);
  }
  return density / mass;
}

/** Law of the conjugate field of one hidden layer, and of the outputs. */
export const pacelliStudent: PaperFigure<Numbers> = {
  name: "pacelli-student",
  summary: "Student's t law of the conjugate field and variance-gamma law of the outputs",
  paper:
    "Pacelli, Ariosto, Pastore, Ginelli, Gherardi, Rotondo 2023, A statistical mechanics framework for Bayesian deep neural networks beyond the infinite-width limit, Nature Machine Intelligence 5",
  statement:
    "Where infinite width has Gaussians, a hidden layer of N units gives the fields conjugate to the outputs of P points a Student t law of N − P degrees of freedom, (1 + sᵀKs/N)^(−N/2), and the outputs its Fourier transform.",
  differences:
    "One input and N = 6, where the law differs from the Gaussian most. It is exact for linear units; for erf units the fluctuations of the kernel are not those of one gamma variable, and at one input the t law is too heavy: in the paper it is a statement about N and P large.",
  async compute(size, lab) {
    const input = matrixFromRows([[1]]);
    const drawn = await drawParts(lab, { type: "fully-connected", widths: [width], activation: "identity" }, input, draws[size]);
    const erfDrawn = await drawParts(lab, { type: "fully-connected", widths: [width], activation: "erf" }, input, draws[size], 100);
    // E erf(z)² of a unit of variance 1.
    const erfKernel = (2 / Math.PI) * Math.asin(2 / 3);
    const { centres, density, standardError } = histogram(drawn, -5, 5, 51);
    const fields = linear(0, 5, 26);
    return {
      width,
      centres,
      sampled: density.map((value, i) => ({ density: value, standardError: standardError[i]! })),
      varianceGamma: centres.map((f) => varianceGamma(f, width)),
      gaussian: centres.map((f) => Math.exp(-0.5 * f * f) / Math.sqrt(2 * Math.PI)),
      fields,
      student: fields.map((s) => (1 + (s * s) / width) ** (-width / 2)),
      gaussianField: fields.map((s) => Math.exp(-0.5 * s * s)),
      characteristic: fields.map((s) => overParts(drawn.map(({ outputs }) => average(outputs, (f) => Math.cos(s * f))))),
      erf: fields.map((s) => overParts(erfDrawn.map(({ outputs }) => average(outputs, (f) => Math.cos((s * f) / Math.sqrt(erfKernel)))))),
    };
  },
  pictures: ({ centres, sampled, varianceGamma, gaussian, fields, student, gaussianField, characteristic, erf }) => [
    {
      caption: `Law of the conjugate field s up to its norm, which is the characteristic function of the output: Student t and Gaussian, and sampled networks of ${width} linear and erf units.`,
      figure: {
        kind: "lines",
        title: "conjugate field",
        xLabel: "conjugate field s (units of 1/√K)",
        yLabel: "law of s, 1 at s = 0",
        series: [
          curve("Student t", fields, student),
          curve("Gaussian", fields, gaussianField, { dashed: true }),
          ...(
            [
              ["sampled, linear units", characteristic],
              ["sampled, erf units", erf],
            ] as const
          ).map(([label, law]) =>
            curve(
              label,
              fields,
              law.map(({ mean }) => mean),
              { points: true, error: Float64Array.from(law, ({ standardError }) => standardError) },
            ),
          ),
        ],
      },
    },
    {
      caption: "Density of the output: variance-gamma and Gaussian, and sampled networks of linear units.",
      figure: {
        kind: "lines",
        title: "output",
        xLabel: "output f (units of √K)",
        yLabel: "probability density",
        series: [
          curve("variance-gamma", centres, varianceGamma),
          curve("Gaussian", centres, gaussian, { dashed: true }),
          curve(
            "sampled, linear units",
            centres,
            sampled.map(({ density }) => density),
            { points: true, error: Float64Array.from(sampled, ({ standardError }) => standardError) },
          ),
        ],
      },
    },
  ],
  checks({ centres, sampled, varianceGamma, gaussian, fields, student, gaussianField, characteristic, erf }) {
    // s = 0 has no error: the law is 1 there.
    const law = <T>(values: readonly T[]): T[] => values.slice(1);
    const means = law(characteristic).map(({ mean }) => mean);
    const errors = law(characteristic).map(({ standardError }) => standardError);
    const inner = centres.flatMap((f, i) => (Math.abs(f) < 3 ? [i] : []));
    const step = centres[1]! - centres[0]!;
    const last = fields.length - 1;
    return [
      agree("the sampled conjugate field is Student t", law(student), means, errors),
      reject("and not Gaussian", law(gaussianField), means, errors),
      agree(
        "the sampled outputs are variance-gamma (bins of the histogram, to 1 % for their width)",
        inner.map((i) => varianceGamma[i]!),
        inner.map((i) => sampled[i]!.density),
        inner.map((i) => sampled[i]!.standardError),
        0.01,
      ),
      reject(
        "and not Gaussian either",
        inner.map((i) => gaussian[i]!),
        inner.map((i) => sampled[i]!.density),
        inner.map((i) => sampled[i]!.standardError),
      ),
      near(
        "norm of the variance-gamma density",
        varianceGamma.reduce((sum, value) => sum + value * step, 0),
        1,
        0.01,
      ),
      atLeast("erf units lie between the two laws, s = 2: Student t minus erf", student[10]! - erf[10]!.mean, 3 * erf[10]!.standardError),
      atLeast("and erf minus Gaussian", erf[10]!.mean - gaussianField[10]!, 3 * erf[10]!.standardError),
      atLeast("tail of the field at s = 5 over that of the Gaussian", student[last]! / gaussianField[last]!, 10),
    ];
  },
  faults: [
    {
      name: "infinite width",
      apply: (numbers) => ({
        ...numbers,
        student: numbers.gaussianField,
        characteristic: numbers.characteristic.map((one, i) => ({ ...one, mean: numbers.gaussianField[i]! })),
        varianceGamma: numbers.gaussian,
        sampled: numbers.sampled.map((one, i) => ({ ...one, density: numbers.gaussian[i]! })),
        erf: numbers.erf.map((one, i) => ({ ...one, mean: numbers.gaussianField[i]! })),
      }),
    },
    {
      name: "half the width",
      apply: (numbers) => ({
        ...numbers,
        student: numbers.fields.map((s) => (1 + (2 * s * s) / numbers.width) ** (-numbers.width / 4)),
        varianceGamma: numbers.centres.map((f) => 1.1 * varianceGamma(f, numbers.width / 2)),
      }),
    },
  ],
};
