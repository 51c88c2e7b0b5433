import { identity } from "@finitewidth/activations";
import { matrixFromRows, type Matrix, type WishartChain } from "@finitewidth/core";
import { fullyConnectedChain, mixingLaw, type ConvolutionalMixingLaw } from "@finitewidth/kernels";
import { gram, multiplyTransposedRight } from "@finitewidth/linalg";
import { reduceSites, stackFeatures, stackSiteKernels } from "@finitewidth/numerics";
import { describe, expect, it } from "vitest";
import { convolutionOf, expectClose, readFixture, type ConvolutionFixture } from "../../../tools/testing.ts";
import {
  chainFluctuations,
  chainRateMinima,
  dataCovariance,
  kroneckerChainData,
  matrixRateMinima,
  scalarRateCorrections,
  scalarRateMinima,
  siteChainData,
  spectralData,
} from "../src/rate-function/index.js";
import { layersOf } from "./registry.ts";

interface ConvolutionalCase extends ConvolutionFixture {
  readonly scaling: "mean-field" | "proportional";
  readonly referenceWidth: number;
  readonly Y: number[][];
  readonly temperature: number;
}
interface Fixture {
  readonly inputs: { readonly cases: ConvolutionalCase[] };
  readonly expected: {
    readonly cases: { readonly action: number; readonly mixingMatrixLayer1: number[][]; readonly renormalisedKernel: number[][][][] }[];
  };
}
const fixture = readFixture<Fixture>("deep-linear/ldp-conv");

describe("convolutional chains", () => {
  it.each(fixture.inputs.cases.map((entry, i) => [i, entry, fixture.expected.cases[i]!] as const))(
    "match fixture case %i",
    (_, entry, expected) => {
      const law = mixingLaw(layersOf(convolutionOf(entry))) as ConvolutionalMixingLaw;
      const kernels = stackSiteKernels(law.siteKernels(matrixFromRows(entry.X.map((image) => image.flat()))), law.sites);
      const targets = matrixFromRows(entry.Y);
      const features = stackFeatures(
        reduceSites(law.siteFeatures(matrixFromRows(entry.X.map((image) => image.flat()))), law.siteBases[0]!),
      );
      const scaling = entry.scaling === "proportional" ? "standard" : "mean-field";
      const [best, ...others] = chainRateMinima({
        chain: law.chain,
        data: siteChainData(law.chain, kernels, targets, entry.temperature),
        referenceWidth: entry.referenceWidth,
        scaling,
      });
      expect(best.converged).toBe(true);
      expect(others).toEqual([]);
      // features give the same covariances and gradients as kernels between sites
      const weight = { weight: 1, logDeterminant: 0.3 };
      const [one, two] = [kernels, features].map((source) =>
        siteChainData(law.chain, source, targets, entry.temperature).evaluate(best.mixing, weight)!,
      );
      expectClose([two!.logDeterminant, two!.quadratic], [one!.logDeterminant, one!.quadratic], { relative: 1e-10 });
      expectClose(two!.gradients[0]!, one!.gradients[0]!, { relative: 1e-9, absolute: 1e-10 });
      const tolerance = { relative: 1e-7, absolute: 1e-8 };
      expectClose([best.action], [expected.action], tolerance, "action");
      expectClose(
        dataCovariance(law.chain, kernels, best.mixing, targets.shape[1]),
        expected.renormalisedKernel,
        tolerance,
        "renormalised kernel",
      );
      expectClose(overSites(best.mixing[0]!, law.siteBases[0]!, targets.shape[1]), expected.mixingMatrixLayer1, tolerance, "mixing matrix");
    },
  );
});

const network = { widths: [30, 50], activation: identity, weightVariance: [1, 0.8, 1.3], biasVariance: [0, 0, 0] };
const inputs = matrixFromRows([
  [1, 0.4, -0.2],
  [-0.3, 1.2, 0.5],
  [0.8, -0.9, 1],
  [0.1, 0.2, -1.4],
]);
const kernel: Matrix = { data: gram(inputs).data.map((value) => value / 3), shape: [4, 4] };
const targets = matrixFromRows([
  [1.1, 0.2],
  [-0.7, 1],
  [0.4, -1.3],
  [0.9, 0.6],
]);
const scaled = (variance: number): Matrix => ({ data: kernel.data.map((value) => variance * value), shape: kernel.shape });

describe.each(["standard", "mean-field"] as const)("fully connected chains in %s scaling", (scaling) => {
  const referenceWidth = 50;
  const chain = fullyConnectedChain(network);

  it("have the minimum of the spectral reduction", () => {
    const data = kroneckerChainData(spectralData(kernel, targets, 0.2));
    const [best] = chainRateMinima({ chain, data, referenceWidth, scaling });
    const [spectral] = matrixRateMinima({
      data: spectralData(scaled(0.8 * 1.3), targets, 0.2),
      widths: network.widths,
      referenceWidth,
      scaling,
    });
    expectClose([best.action], [spectral.action], { relative: 1e-11 });
    expectClose(
      best.mixing[0]!,
      spectral.q.data.map((value) => 0.8 * 1.3 * value),
      { relative: 1e-7, absolute: 1e-9 },
    );
    const dense = chainRateMinima({
      chain,
      data: siteChainData(chain, stackSiteKernels([kernel], 1), targets, 0.2),
      referenceWidth,
      scaling,
    });
    expectClose(dense[0].mixing[1]!, best.mixing[1]!, { relative: 1e-7, absolute: 1e-9 });
  });

  it("have the fluctuations of one output: variance of q and Laplace evidence", () => {
    const one: Matrix = { data: targets.data.filter((_, k) => k % 2 === 0), shape: [4, 1] };
    const { eigenvalues, targets: rotated } = spectralData(scaled(0.8 * 1.3), one, 0.2);
    const difference = [1, 16].map((factor) => {
      const widths = network.widths.map((width) => factor * width);
      const problem = {
        eigenvalues,
        squares: rotated.data.map((value) => value * value),
        temperature: 0.2,
        widths,
        referenceWidth: factor * referenceWidth,
        scaling,
      };
      const [minimum] = scalarRateMinima(problem);
      const chainProblem = {
        chain: fullyConnectedChain({ ...network, widths }),
        data: kroneckerChainData(spectralData(kernel, one, 0.2)),
        referenceWidth: factor * referenceWidth,
        scaling,
      };
      const [best] = chainRateMinima(chainProblem);
      const { spread, logEvidence } = chainFluctuations(chainProblem, best.mixing)!;
      const variance = spread.reduce((sum, direction) => sum + direction[0]!.data[0]! ** 2, 0);
      expectClose([variance], [best.mixing[0]!.data[0]! ** 2 / minimum.curvature], { relative: 1e-5 });
      return logEvidence! - scalarRateCorrections(problem, minimum).logEvidence;
    });
    // both have errors of order 1/N: around the minimum of J, around the mode at finite N
    expect(Math.abs(difference[0]!)).toBeLessThan(0.1);
    expect((difference[1]! * 16) / difference[0]!).toBeCloseTo(1, 0);
  });

  it("take biases into account", () => {
    const biased = fullyConnectedChain({ ...network, biasVariance: [0, 0.7, 0.4] });
    const data = siteChainData(biased, stackSiteKernels([kernel], 1), targets, 0.2);
    const [best] = chainRateMinima({ chain: biased, data, referenceWidth, scaling });
    const [plain] = chainRateMinima({
      chain,
      data: siteChainData(chain, stackSiteKernels([kernel], 1), targets, 0.2),
      referenceWidth,
      scaling,
    });
    expect(best.converged).toBe(true);
    expect(best.action).not.toBeCloseTo(plain.action, 3);
    // differences of the action in the upper matrix vanish at the minimum: its gradient through the bias is there
    const weight =
      scaling === "standard" ? { weight: 1 / referenceWidth, logDeterminant: 1 as const } : { weight: 1, logDeterminant: 0 as const };
    const { gradients } = data.evaluate(best.mixing, weight)!;
    const value = (m: readonly Matrix[]): number => {
      const part = data.evaluate(m, weight)!;
      return 0.5 * weight.weight * (weight.logDeterminant * part.logDeterminant + part.quadratic);
    };
    for (const l of [0, 1]) {
      const at = (step: number): number =>
        value(best.mixing.map((m, k) => (k === l ? { data: m.data.map((entry, e) => entry + (e === 0 ? step : 0)), shape: m.shape } : m)));
      expectClose([gradients[l]!.data[0]!], [(at(1e-5) - at(-1e-5)) / 2e-5], { relative: 1e-6, absolute: 1e-9 });
    }
  });
});

/** (I⊗U) M (I⊗U)ᵀ. */
function overSites(m: Matrix, basis: Matrix, outputs: number): Matrix {
  const [sites, rank] = basis.shape;
  const wide: Matrix = { data: new Float64Array(outputs * sites * outputs * rank), shape: [outputs * sites, outputs * rank] };
  for (let a = 0; a < outputs; a++)
    for (let i = 0; i < sites; i++)
      for (let r = 0; r < rank; r++) wide.data[(a * sites + i) * outputs * rank + a * rank + r] = basis.data[i * rank + r]!;
  const half = multiplyTransposedRight(wide, m);
  return multiplyTransposedRight(half, wide);
}

it("points where a start got stuck are no further minima", () => {
  // ½(q − log q − 1) and data with a kink at 20, above the minimum at 1
  const height = (q: number): number => (q < 2 ? 4 : q < 20 ? 0.5 * (20 - q) : 0);
  const slope = (q: number): number => (q < 2 || q >= 20 ? 0 : -0.5);
  const chain: WishartChain = {
    layers: [{ width: 1, sites: 1, variance: 1, taps: [], biasVariance: 0, biasWeights: Float64Array.of(1) }],
    readoutBiasVariance: 0,
  };
  const stuck: number[] = [];
  const minima = chainRateMinima({
    chain,
    data: {
      outputs: 1,
      count: 1,
      evaluate([m], { weight }) {
        const q = m!.data[0]!;
        stuck.push(q);
        return { logDeterminant: 0, quadratic: 2 * height(q), gradients: [{ data: Float64Array.of(weight * slope(q)), shape: [1, 1] }] };
      },
    },
    referenceWidth: 1,
    scaling: "standard",
  });
  expect(stuck.some((q) => Math.abs(q - 20) < 1e-9)).toBe(true);
  expect(minima.map(({ mixing, action, converged }) => [mixing[0]!.data[0], action, converged])).toEqual([
    [expect.closeTo(1, 6), expect.closeTo(4, 9), true],
  ]);
});
