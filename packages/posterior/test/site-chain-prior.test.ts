import { createRegistry, inlineRun, matrixFromRows, type Matrix } from "@finitewidth/core";
import { identity } from "@finitewidth/linalg";
import type { ConvolutionalNetwork } from "@finitewidth/prior-conv";
import type { FullyConnectedNetwork } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { convolutionOf, expectClose, readFixture, type ConvolutionFixture } from "../../../tools/testing.ts";
import { lawOf } from "./registry.js";
import { priorMoments } from "../src/exact/prior-moments.js";
import { isConfined } from "../src/site-chain/conditional.js";
import { fitSiteChain, siteChainPrior } from "../src/site-chain/index.js";
import { siteProblem } from "../src/site-chain/problem.js";

const run = inlineRun({ registry: createRegistry([]), seed: 1 });

interface Case extends ConvolutionFixture {
  readonly outputs: number;
  readonly points: [number, number][][];
}
const fixture = readFixture<{
  inputs: { cases: Case[] };
  expected: { cases: { infiniteWidthKernel: number[][]; fourthMoments: number[] }[] };
}>("deep-linear/conv-prior");

describe("prior over sites", () => {
  it.each(fixture.inputs.cases.map((input, i) => [i, input, fixture.expected.cases[i]!] as const))(
    "reproduces the moments of fixture case %i",
    async (_, input, expected) => {
      const network = convolutionOf(input);
      const inputs = matrixFromRows(input.X.map((image) => image.flat()));
      const { secondMoment, fourthCumulant } = await siteChainPrior(
        { network, inputs, outputs: 1, evaluateAt: [], samples: 1 },
        lawOf(network),
        {},
        run,
      );
      expectClose(secondMoment!, expected.infiniteWidthKernel, { relative: 1e-10, absolute: 1e-12 });
      const s = (i: number, j: number): number => secondMoment!.data[i * inputs.shape[0] + j]!;
      input.points.forEach((points, p) => {
        if (points.some(([output]) => output !== points[0]![0])) return;
        const [i, j, k, l] = points.map(([, point]) => point) as [number, number, number, number];
        const n = inputs.shape[0];
        const moment = fourthCumulant!.data[((i * n + j) * n + k) * n + l]! + s(i, j) * s(k, l) + s(i, k) * s(j, l) + s(i, l) * s(j, k);
        expect(moment).toBeCloseTo(expected.fourthMoments[p]!, 9);
      });
    },
  );

  it("is the prior of a fully connected network on one site, biases included", async () => {
    const network: FullyConnectedNetwork = {
      type: "fully-connected",
      widths: [3, 5],
      activation: "identity",
      weightVariance: [1, 0.8, 1.2],
      biasVariance: [0.1, 0.3, 0.2],
    };
    const law = lawOf(network);
    const inputs = matrixFromRows([
      [1, 0.3, -1],
      [0.2, 2, 0.4],
    ]);
    const sites = await siteChainPrior({ network, inputs, outputs: 2, evaluateAt: [], samples: 1 }, law, {}, run);
    const plain = priorMoments(law.chain, law.siteKernels(inputs)[0]!);
    for (const quantity of ["secondMoment", "fourthCumulant", "excessKurtosis", "kernelCovariance"] as const) {
      const [a, b] = [sites[quantity]!, plain[quantity]!];
      expectClose(a, b, { relative: 1e-12, absolute: 1e-14 }, quantity);
    }
  });

  it("gives log densities: averages of Gaussian densities over the mixing matrix", async () => {
    const network: ConvolutionalNetwork = {
      type: "convolutional",
      inputShape: [1, 4],
      layers: [{ channels: 3, kernelSize: [2], stride: [2], padding: "valid", dilation: [1] }],
      readout: "flatten",
      activation: "identity",
      weightVariance: [1, 1],
      biasVariance: [0, 0],
    };
    const law = lawOf(network);
    const inputs = matrixFromRows([[1, 0.4, -0.7, 0.3]]);
    const { logDensity } = await siteChainPrior(
      { network, inputs, outputs: 1, evaluateAt: [matrixFromRows([[1]])], samples: 1 },
      law,
      { draws: 2000 },
      run,
    );
    const density = Math.exp(logDensity![0]!);
    const random = stream(5);
    const draws = 40_000;
    const at = 1;
    let [sum, square] = [0, 0];
    for (let k = 0; k < draws; k++) {
      const variance = law.covariance(1, law.sample(1, random), inputs).data[0]!;
      const value = Math.exp((-0.5 * at * at) / variance) / Math.sqrt(2 * Math.PI * variance);
      sum += value;
      square += value * value;
    }
    const mean = sum / draws;
    expect(Math.abs(density - mean)).toBeLessThan(4.5 * Math.sqrt((square / draws - mean * mean) / draws));
  });

  it("says which moments do not fit, and refuses singular densities", async () => {
    const network: ConvolutionalNetwork = {
      type: "convolutional",
      inputShape: [1, 12, 12],
      layers: [{ channels: 4, kernelSize: [3, 3], stride: [1, 1], padding: "circular", dilation: [1, 1] }],
      readout: "flatten",
      activation: "identity",
      weightVariance: [1, 1],
      biasVariance: [0, 0],
    };
    const law = lawOf(network);
    const inputs: Matrix = { data: Float64Array.from({ length: 288 }, (_, k) => Math.sin(k * k)), shape: [2, 144] };
    const { secondMoment, excessKurtosis, warnings } = await siteChainPrior(
      { network, inputs, outputs: 1, evaluateAt: [], samples: 1 },
      law,
      {},
      run,
    );
    expect(excessKurtosis).toBeUndefined();
    expect(warnings.join(" ")).toContain("bytes");
    expectClose(secondMoment!, law.covariance(1, { data: identity(144).data.map((value) => value / 144), shape: [144, 144] }, inputs), {
      relative: 1e-10,
      absolute: 1e-12,
    });
    const twice = matrixFromRows([
      [1, 0, 2, 1],
      [1, 0, 2, 1],
    ]);
    const tiny: ConvolutionalNetwork = {
      ...network,
      inputShape: [1, 4],
      layers: [{ channels: 3, kernelSize: [2], stride: [2], padding: "valid", dilation: [1] }],
    };
    await expect(
      siteChainPrior(
        { network: tiny, inputs: twice, outputs: 1, evaluateAt: [matrixFromRows([[1], [2]])], samples: 1 },
        lawOf(tiny),
        {},
        run,
      ),
    ).rejects.toThrow("evaluateAt[0]");
  });

  it("has no density where a narrow layer confines the outputs, and says so; a wide one does not", async () => {
    const network = (channels: number): ConvolutionalNetwork => ({
      type: "convolutional",
      inputShape: [1, 3],
      layers: [2, channels].map((width) => ({ channels: width, kernelSize: [2], stride: [1], padding: "valid", dilation: [1] })),
      readout: "flatten",
      activation: "identity",
      weightVariance: [1, 1, 1],
      biasVariance: [0, 0, 0],
    });
    const inputs = matrixFromRows([[1, -0.4, 0.7]]);
    const value = matrixFromRows([[0.3, -0.8]]);
    const posed = (channels: number) => ({
      network: network(channels),
      inputs,
      targets: value,
      temperature: 0,
      scaling: "standard" as const,
    });
    expect(isConfined(siteProblem(posed(2), lawOf(network(2))))).toBe(false);
    const law = lawOf(network(1));
    const narrow = await siteChainPrior({ network: network(1), inputs, outputs: 2, evaluateAt: [value], samples: 1 }, law, {}, run);
    expect(narrow.secondMoment).toBeDefined();
    expect(narrow.logDensity).toBeUndefined();
    expect(narrow.warnings).toEqual([expect.stringMatching(/log densities are left out: a narrow layer confines the outputs/)]);
    await expect(fitSiteChain(posed(1), law, {}, run)).rejects.toThrow(
      /likelihood.temperature: expected a positive number: a narrow layer/,
    );
  });
});
