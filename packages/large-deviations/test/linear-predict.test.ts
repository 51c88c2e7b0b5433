import { identity } from "@finitewidth/activations";
import { matrix, matrixFromRows, type Activation, type Matrix } from "@finitewidth/core";
import { addDiagonal, affine, combine, diagonalOf, gram, multiply, multiplyTransposedRight, solve, transpose } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { linearClosure, solveLinearSaddle, solveSaddle } from "../src/index.js";
import { predictLinear } from "../src/forward-backward/linear-predict.js";
import { draw as drawn, solve as fitted } from "./forward-backward-problems.js";
import { firstCovariance } from "./naive-networks.js";

const draw = (index: number, n: number, m: number): Matrix => normalMatrix(stream(21, index), n, m);

it.each([
  [0.3, 2],
  [1e-4, 0.5],
  [40, 1.7],
])("full-rank kernels, T = %d, gain %d: the formulas with inverses", (temperature, gain) => {
  const [P, N0] = [4, 9];
  const [x, test, targets] = [draw(1, P, N0), draw(2, 3, N0), draw(3, P, 2)];
  const firstKernel = gram(x);
  const [cross, joint] = [multiplyTransposedRight(test, x), gram(test)];
  // any readout kernel in the range of K¹
  const readoutKernel = combine(1, affine(gain, firstKernel), 0.7, gram(draw(4, P, P)));
  const found = predictLinear({ firstKernel, readoutKernel, targets, temperature, gain }, { cross, variances: diagonalOf(joint), joint });
  const pull = transpose(solve(firstKernel, transpose(cross)));
  const above = multiply(pull, readoutKernel);
  const outside = combine(gain, joint, -gain, multiplyTransposedRight(pull, cross));
  const prior = combine(1, outside, 1, multiplyTransposedRight(above, pull));
  const shifted = addDiagonal(readoutKernel, temperature);
  expectClose(found.mean.data, multiply(above, solve(shifted, targets)).data, { relative: 1e-9, absolute: 1e-10 });
  const covariance = combine(1, prior, -1, multiply(above, solve(shifted, transpose(above))));
  expectClose(found.joint!.data, covariance.data, { relative: 1e-8, absolute: 1e-9 });
  expectClose(found.variance, diagonalOf(covariance), { relative: 1e-8, absolute: 1e-9 });
  const alone = predictLinear({ firstKernel, readoutKernel, targets, temperature, gain }, { cross, variances: diagonalOf(joint) });
  expectClose(alone.variance, found.variance, { relative: 1e-12 });
  expect(alone.joint).toBeUndefined();
});

it("a first kernel of zeros explains nothing", () => {
  const none = matrix(2, 2, new Float64Array(4));
  const { mean, variance } = predictLinear(
    { firstKernel: none, readoutKernel: none, targets: draw(5, 2, 1), temperature: 0.1, gain: 3 },
    { cross: matrix(1, 2, new Float64Array(2)), variances: Float64Array.of(2) },
  );
  expect([...mean.data, ...variance]).toEqual([0, 6]);
});

describe("linear networks: the range of the first kernel against everything by kernels", () => {
  const weightVariance = [1.4, 0.6, 1.9, 0.8];
  const widths = [7, 12, 5];
  it("a bias of 1e-9 takes the other solver and the other prediction, and changes nothing", async () => {
    const [inputs, tests] = [drawn(4, 7, 41), drawn(3, 7, 42)];
    const at = async (bias: number, temperature: number) => {
      const network = { type: "fully-connected", activation: "identity", widths, weightVariance, biasVariance: [0.2, bias, 0, bias] };
      const { posterior, predict } = await fitted({ network, inputs, targets: drawn(4, 2, 43), temperature });
      return { posterior, alone: await predict(tests), joint: await predict(tests, { covariance: true }) };
    };
    for (const temperature of [0.1, 30]) {
      const [range, kernels] = [await at(0, temperature), await at(1e-9, temperature)];
      const near = { relative: 1e-6, absolute: 1e-7 };
      expectClose(range.posterior.logEvidence!, kernels.posterior.logEvidence!, near, "evidence");
      for (const [a, b] of [
        [range.alone, kernels.alone],
        [range.joint, kernels.joint],
        [range.posterior.train!, kernels.posterior.train!],
      ] as const) {
        expectClose(a.mean, b.mean, near, "mean");
        expectClose(a.variance, b.variance, near, "variance");
      }
      expectClose(range.joint.covariance!, kernels.joint.covariance!, near, "covariance");
      range.posterior.hiddenKernels!.forEach((kernel, l) =>
        expectClose(kernel, kernels.posterior.hiddenKernels![l]!, near, `kernel ${l + 1}`),
      );
      range.posterior.state.conjugates.forEach((a, l) => expectClose(a, kernels.posterior.state.conjugates[l]!, near, `A of ${l + 2}`));
      for (const key of ["rate", "logDataTerm", "discrepancySquared", "forceNumber"])
        expectClose(range.posterior.diagnostics[key] as number, kernels.posterior.diagnostics[key] as number, near, key);
      for (const key of ["adaptation"])
        expectClose(range.posterior.diagnostics[key] as number[], kernels.posterior.diagnostics[key] as number[], near);
    }
  });

  it("both solvers at other data strengths and from a far start, where the layers' variances differ", () => {
    const first = affine(1.3 / 6, multiply(drawn(5, 6, 44), transpose(drawn(5, 6, 44))));
    const gains = weightVariance.slice(1);
    const infiniteWidth = gains.map((_, l) =>
      affine(
        gains.slice(0, l + 1).reduce((product, g) => product * g, 1),
        first,
      ),
    );
    const common = {
      firstKernel: first,
      infiniteWidth,
      targets: drawn(5, 2, 45),
      temperature: 0.2,
      widths,
      weightVariance: gains,
      biasVariance: [0, 0, 0],
    };
    for (const strength of [0.4, 2]) {
      const general = solveSaddle({ ...common, closure: linearClosure(identity) }, { strength });
      const start = infiniteWidth.map((kernel) => affine(3, kernel));
      for (const direct of [solveLinearSaddle(identity, common, { strength }), solveLinearSaddle(identity, common, { strength, start })]) {
        direct.kernels.forEach((kernel, l) =>
          expectClose(kernel, general.kernels[l]!, { relative: 1e-6, absolute: 1e-7 }, `C of ${l + 1}`),
        );
        direct.conjugates.forEach((a, l) => expectClose(a, general.conjugates[l]!, { relative: 1e-6, absolute: 1e-7 }, `A of ${l + 2}`));
        expectClose([direct.action!, direct.rate!], [general.action!, general.rate!], { relative: 1e-7 });
      }
    }
  });

  it("φ(h) = −2h with g is φ(h) = h with 4g, its features four times as large", () => {
    const twice = { ...identity, value: (h: number) => -2 * h } as Activation;
    const kernel = firstCovariance(
      [
        [1, 2],
        [0.3, -1],
      ],
      [
        [1, 2],
        [0.3, -1],
      ],
      1,
      0.1,
    );
    const conjugate = matrixFromRows([
      [0.03, 0.01],
      [0.01, -0.02],
    ]);
    const test = { cross: matrixFromRows([[0.2, 0.3]]), variances: Float64Array.of(1.5), joint: matrixFromRows([[1.5]]) };
    const [a, b] = [linearClosure(twice), linearClosure(identity)];
    const [m, n] = [
      { kernel, conjugate, weightVariance: 0.7 },
      { kernel, conjugate, weightVariance: 2.8 },
    ];
    const [found, expected] = [a.averages(m, { gradient: true }), b.averages(n, { gradient: true })];
    expectClose([found.cumulant!, ...found.gradient!.data], [expected.cumulant!, ...expected.gradient!.data], { relative: 1e-13 });
    expectClose(found.secondMoment, affine(4, expected.secondMoment), { relative: 1e-13 });
    const [x, z] = [a.extend(m, test), b.extend(n, test)];
    expectClose(
      [...x.cross.data, ...x.variances, ...x.joint!.data],
      [...z.cross.data, ...z.variances, ...z.joint!.data].map((value) => 4 * value),
      { relative: 1e-13 },
    );
  });
});
