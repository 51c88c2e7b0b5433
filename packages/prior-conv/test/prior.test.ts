import { matrixFromRows, type Matrix, type MixingLaw } from "@finitewidth/core";
import { mixingMoments } from "@finitewidth/numerics";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { convolutionalKernels, convolutionalMixing } from "@finitewidth/kernels";
import type { ConvolutionalNetwork } from "../src/index.js";
import { filtersOf, inputsOf, networkOf, type FixtureNetwork } from "./helpers.js";

interface PriorFixture {
  readonly inputs: {
    readonly cases: (FixtureNetwork & { readonly points: [number, number][][]; readonly mixingMatrixLayer1: number[][] })[];
  };
  readonly expected: {
    readonly cases: {
      readonly infiniteWidthKernel: number[][];
      readonly siteRanks: number[];
      readonly fourthMoments: number[];
      readonly conditionalCovariance: number[][][][];
      readonly firstLayerSiteKernelTrace: number;
    }[];
  };
}
const fixture = readFixture<PriorFixture>("deep-linear/conv-prior");
const cases = fixture.inputs.cases.map((input, i) => ({ input, expected: fixture.expected.cases[i]!, network: networkOf(input) }));
const tolerance = { relative: 1e-10, absolute: 1e-12 };

/** Site kernels as K[i·S + j](μ, ν), and E Πf over four (output, input) pairs from the moments of the mixing matrix. */
function fourthMoment(law: MixingLaw, outputs: number, inputs: Matrix, points: readonly (readonly [number, number])[]): number {
  const { mean, covariance } = mixingMoments(law.chain, outputs);
  const kernels = law.siteKernels(inputs);
  const [s, p] = [law.sites, inputs.shape[0]];
  const d = outputs * s;
  const pair = (x: readonly [number, number], y: readonly [number, number]): Float64Array => {
    const weights = new Float64Array(d * d);
    for (let i = 0; i < s; i++)
      for (let j = 0; j < s; j++) weights[(x[0] * s + i) * d + y[0] * s + j] = kernels[i * s + j]!.data[x[1] * p + y[1]]!;
    return weights;
  };
  const expectation = (u: Float64Array, w: Float64Array): number => {
    let sum = 0;
    for (let a = 0; a < d * d; a++)
      for (let b = 0; b < d * d; b++) sum += u[a]! * w[b]! * (covariance.data[a * d * d + b]! + mean.data[a]! * mean.data[b]!);
    return sum;
  };
  const [w, x, y, z] = points as [
    readonly [number, number],
    readonly [number, number],
    readonly [number, number],
    readonly [number, number],
  ];
  return expectation(pair(w, x), pair(y, z)) + expectation(pair(w, y), pair(x, z)) + expectation(pair(w, z), pair(x, y));
}

describe("prior of deep linear convolutional networks", () => {
  it.each(cases)("reproduces fixture case %#", ({ input, expected, network }) => {
    const inputs = inputsOf(input);
    const law = convolutionalMixing(filtersOf(network));
    const bases = law.siteBases;
    expect(bases.map((basis) => basis.shape[1])).toEqual(expected.siteRanks);
    expectClose(convolutionalKernels(filtersOf(network), inputs).preactivation.at(-1)!, expected.infiniteWidthKernel, tolerance, "kernel");
    input.points.forEach((points, i) =>
      expect(fourthMoment(law, input.outputs, inputs, points)).toBeCloseTo(expected.fourthMoments[i]!, 9),
    );
    // the fixture's mixing matrix is over all sites: bring it into the site subspace
    const reduced = project(matrixFromRows(input.mixingMatrixLayer1), bases[0]!, input.outputs);
    const covariance = law.covariance(input.outputs, reduced, inputs);
    expectClose(covariance, expected.conditionalCovariance, tolerance, "covariance");
    const kernels = law.siteKernels(inputs);
    expectClose(assemble(law.sites, input.outputs, reduced, kernels), covariance, tolerance, "covariance from site kernels");
    const full = law.siteFeatures(inputs).reduce((sum, features) => sum + features.data.reduce((all, value) => all + value * value, 0), 0);
    expect(full).toBeCloseTo(expected.firstLayerSiteKernelTrace, 10);
  });

  it("is a fully connected network on one site", () => {
    const network: ConvolutionalNetwork = {
      type: "convolutional",
      inputShape: [3, 1],
      layers: [5, 4].map((channels) => ({ channels, kernelSize: [1], stride: [1], padding: "valid", dilation: [1] })),
      readout: "flatten",
      activation: "identity",
      weightVariance: [1.2, 0.7, 1.4],
      biasVariance: [0.3, 0.2, 0.1],
    };
    const { chain, siteKernels } = convolutionalMixing(filtersOf(network));
    expect(chain.layers.map(({ sites, variance, biasVariance }) => [sites, variance, biasVariance])).toEqual([
      [1, 0.7, 0],
      [1, 1.4, 0.2],
    ]);
    expect(chain.readoutBiasVariance).toBe(0.1);
    const x = matrixFromRows([
      [1, 2, -1],
      [0.5, 0, 3],
    ]);
    expectClose(siteKernels(x)[0]!, [(1.2 * 6) / 3 + 0.3, (1.2 * -2.5) / 3 + 0.3, (1.2 * -2.5) / 3 + 0.3, (1.2 * 9.25) / 3 + 0.3], {
      relative: 1e-14,
    });
  });

  it("is a fully connected network on site averages for circular padding, stride 1 and pooling", () => {
    const network: ConvolutionalNetwork = {
      type: "convolutional",
      inputShape: [2, 3, 4],
      layers: [3, 6].map((channels) => ({ channels, kernelSize: [2, 3], stride: [1, 1], padding: "circular", dilation: [1, 1] })),
      readout: "global-average",
      activation: "identity",
      weightVariance: [1, 0.8, 1.5],
      biasVariance: [0, 0, 0],
    };
    const law = convolutionalMixing(filtersOf(network));
    expect(law.chain.layers.map(({ sites }) => sites)).toEqual([1, 1]);
    expectClose(
      law.chain.layers.map(({ variance }) => variance),
      [0.8, 1.5 / 12],
      { relative: 1e-12 },
    );
    const x = matrixFromRows([Array.from({ length: 24 }, (_, i) => Math.sin(i)), Array.from({ length: 24 }, (_, i) => Math.cos(2 * i))]);
    // mean over both sites of K¹ is the kernel of the patch means, times S for the unit vector 1/√S
    const average = [0, 1].map((mu) =>
      [0, 1].map((c) => Array.from(x.data.subarray(mu * 24 + c * 12, mu * 24 + (c + 1) * 12)).reduce((a, b) => a + b) / 12),
    );
    const expected = average.map((a) => average.map((b) => 12 * ((a[0]! * b[0]! + a[1]! * b[1]!) / 2)));
    expectClose(law.siteKernels(x)[0]!, expected, { relative: 1e-11 });
  });

  it("refuses kernels between sites that would not fit, with the number of bytes, and still gives covariances", () => {
    const network = mnistNetwork(3, 1);
    const law = convolutionalMixing(filtersOf(network));
    const inputs: Matrix = { data: Float64Array.from({ length: 20 * 784 }, (_, i) => Math.sin(i)), shape: [20, 784] };
    expect(() => law.siteKernels({ data: new Float64Array(100 * 784), shape: [100, 784] })).toThrow(/49172480000 bytes/);
    const q = matrixFromRows(Array.from({ length: 784 }, (_, i) => Array.from({ length: 784 }, (__, j) => (i === j ? 1 / 784 : 0))));
    expectClose(law.covariance(1, q, inputs), convolutionalKernels(filtersOf(network), inputs).preactivation.at(-1)!, { absolute: 1e-12 });
  });
});

/** 28 × 28 images, one circular layer. */
const mnistNetwork = (kernel: number, stride: number): ConvolutionalNetwork => ({
  type: "convolutional",
  inputShape: [1, 28, 28],
  layers: [{ channels: 20, kernelSize: [kernel, kernel], stride: [stride, stride], padding: "circular", dilation: [1, 1] }],
  readout: "flatten",
  activation: "identity",
  weightVariance: [1, 1],
  biasVariance: [0, 0],
});

function project(full: Matrix, basis: Matrix, outputs: number): Matrix {
  const [sites, rank] = basis.shape;
  const rows: number[][] = [];
  for (let a = 0; a < outputs; a++) {
    for (let r = 0; r < rank; r++) {
      const row: number[] = [];
      for (let b = 0; b < outputs; b++) {
        for (let s = 0; s < rank; s++) {
          let sum = 0;
          for (let i = 0; i < sites; i++) {
            for (let j = 0; j < sites; j++)
              sum += basis.data[i * rank + r]! * full.data[(a * sites + i) * outputs * sites + b * sites + j]! * basis.data[j * rank + s]!;
          }
          row.push(sum);
        }
      }
      rows.push(row);
    }
  }
  return matrixFromRows(rows);
}

function assemble(sites: number, outputs: number, q: Matrix, kernels: readonly Matrix[]): Matrix {
  const [rows] = kernels[0]!.shape;
  const out = new Float64Array((outputs * rows) ** 2);
  for (let a = 0; a < outputs; a++) {
    for (let b = 0; b < outputs; b++) {
      for (let i = 0; i < sites; i++) {
        for (let j = 0; j < sites; j++) {
          const weight = q.data[(a * sites + i) * outputs * sites + b * sites + j]!;
          const k = kernels[i * sites + j]!;
          for (let mu = 0; mu < rows; mu++)
            for (let nu = 0; nu < rows; nu++) out[(a * rows + mu) * outputs * rows + b * rows + nu]! += weight * k.data[mu * rows + nu]!;
        }
      }
    }
  }
  return { data: out, shape: [outputs * rows, outputs * rows] };
}
