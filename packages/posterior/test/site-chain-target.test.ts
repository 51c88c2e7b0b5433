import { type Matrix, type Problem } from "@finitewidth/core";
import type { ConvolutionalNetwork } from "@finitewidth/prior-conv";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { lawOf } from "./registry.js";
import { farthestCoordinate, type TargetGradients } from "../src/sampling/target.js";
import { siteProblem } from "../src/site-chain/problem.js";
import { siteTarget } from "../src/site-chain/target.js";

const wave = (rows: number, columns: number, phase: number): Matrix => ({
  data: Float64Array.from({ length: rows * columns }, (_, k) => Math.sin(1.3 * k * k + phase)),
  shape: [rows, columns],
});
const networks: readonly (readonly [string, ConvolutionalNetwork, number])[] = [
  [
    "three layers, biases, channels fewer than sites",
    {
      type: "convolutional",
      inputShape: [2, 6],
      layers: [3, 2, 5].map((channels) => ({ channels, kernelSize: [3], stride: [1], padding: "zero", dilation: [1] })),
      readout: "flatten",
      activation: "identity",
      weightVariance: [1.2, 0.8, 1.1, 0.9],
      biasVariance: [0.2, 0.3, 0, 0.4],
    },
    1,
  ],
  [
    "2-D, pooled, two outputs",
    {
      type: "convolutional",
      inputShape: [1, 3, 4],
      layers: [4, 3].map((channels) => ({ channels, kernelSize: [2, 2], stride: [1, 1], padding: "zero", dilation: [1, 1] })),
      readout: "global-average",
      activation: "identity",
      weightVariance: [1, 1, 1],
      biasVariance: [0, 0.5, 0],
    },
    2,
  ],
];

describe.each(networks)("posterior of a chain over sites: %s", (_, network, outputs) => {
  const size = network.inputShape.reduce((product, extent) => product * extent, 1);
  const problem: Problem = { network, inputs: wave(4, size, 1), targets: wave(4, outputs, 2), temperature: 0.3, scaling: "standard" };
  const law = lawOf(network);
  const target = siteTarget(siteProblem(problem, law));

  it("has the gradient that differences have", () => {
    const random = stream(3, 1);
    const x = random.normals(new Float64Array(target.dimension));
    const gradients = { prior: new Float64Array(x.length), likelihood: new Float64Array(x.length) };
    target.evaluate(x, gradients);
    const differences = Array.from(x, (__, k) => {
      const [up, down] = [x.slice(), x.slice()];
      up[k]! += 1e-5;
      down[k]! -= 1e-5;
      const [a, b] = [target.evaluate(up), target.evaluate(down)];
      return [(a.logPrior - b.logPrior) / 2e-5, (a.logLikelihood - b.logLikelihood) / 2e-5];
    });
    expectClose(
      gradients.prior,
      differences.map(([prior]) => prior!),
      { relative: 1e-6, absolute: 1e-7 },
      "prior",
    );
    expectClose(
      gradients.likelihood,
      differences.map(([, likelihood]) => likelihood!),
      { relative: 1e-6, absolute: 1e-7 },
      "likelihood",
    );
  });

  it("is the same from kernels between sites, for laws that know no features", () => {
    const { sites, chain, sample, siteKernels, covariance } = law;
    const bare = siteTarget(siteProblem(problem, { sites, chain, sample, siteKernels, covariance }));
    const x = stream(3, 2).normals(new Float64Array(target.dimension));
    const [a, b] = [0, 1].map(() => ({ prior: new Float64Array(x.length), likelihood: new Float64Array(x.length) })) as [
      TargetGradients,
      TargetGradients,
    ];
    const [from, to] = [target.evaluate(x, a), bare.evaluate(x, b)];
    expectClose([to.logPrior, to.logLikelihood], [from.logPrior, from.logLikelihood], { relative: 1e-10 });
    expectClose(b.likelihood, a.likelihood, { relative: 1e-8, absolute: 1e-9 });
  });

  it("has density 0 far outside, never NaN", () => {
    expect(target.evaluate(new Float64Array(target.dimension).fill(2 * farthestCoordinate)).logPrior).toBe(-Infinity);
    expect(target.evaluate(new Float64Array(target.dimension).fill(Number.NaN)).logLikelihood).toBe(-Infinity);
    const extreme = new Float64Array(target.dimension).fill(-farthestCoordinate * 0.99);
    const { logPrior, logLikelihood } = target.evaluate(extreme);
    expect(Number.isNaN(logPrior) || Number.isNaN(logLikelihood)).toBe(false);
  });

  it("rotates the outputs by an orthogonal matrix", () => {
    const { rotation } = siteProblem(problem, law);
    for (let a = 0; a < outputs; a++) {
      for (let b = 0; b < outputs; b++) {
        let sum = 0;
        for (let k = 0; k < outputs; k++) sum += rotation.data[a * outputs + k]! * rotation.data[b * outputs + k]!;
        expect(sum).toBeCloseTo(a === b ? 1 : 0, 12);
      }
    }
  });
});
