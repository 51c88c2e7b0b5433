import { fit, matrixFromRows, type Matrix } from "@finitewidth/core";
import { gram, multiply, solve, transpose } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { effectiveAction } from "../src/index.js";
import { inputs, network, registry, targets, two } from "./effective-action-problems.js";

const times = (rows: readonly (readonly number[])[], factor: number): number[][] => rows.map((row) => row.map((value) => factor * value));
const tests = [
  [0.4, -0.2, 1.1],
  [-0.9, 1.3, 0.2],
];
const one = targets.map((value) => [value]);

interface Case {
  readonly net: ReturnType<typeof network>;
  readonly y?: readonly (readonly number[])[];
  readonly scale?: { readonly inputs?: number; readonly targets?: number; readonly temperature?: number };
  readonly options?: Record<string, unknown>;
}

async function solved({ net, y = one, scale = {}, options = {} }: Case) {
  const factor = scale.inputs ?? 1;
  const { posterior, predict } = await fit(
    effectiveAction,
    { network: net, inputs: times(inputs, factor), targets: times(y, scale.targets ?? 1), temperature: 0.1 * (scale.temperature ?? 1) },
    { registry, options },
  );
  return { posterior, ...(await predict(times(tests, factor), { covariance: true })), alone: await predict(times(tests, factor)) };
}
const over = ({ data, shape }: Matrix, factor: number): Matrix => ({ data: data.map((value) => value / factor), shape });

describe("inputs, targets and variances of any size", () => {
  // f(sx) = s f(x) for φ of degree 1: with targets and noise rescaled alike, everything is
  it.each([
    { name: "relu", net: network("relu", [9]) },
    { name: "relu, two outputs", net: network("relu", [9]), y: two },
    { name: "relu, plain, two outputs", net: network("relu", [9]), y: two, options: { mean: "plain" } },
    { name: "relu, two layers, two outputs", net: network("relu", [9, 8]), y: two, options: { closure: "product" } },
    { name: "identity, two outputs", net: network("identity", [9]), y: two },
  ])("$name: a homogeneous network at 1e-30 and 1e100 of the scale", async (of) => {
    const plain = await solved(of);
    for (const s of [1e-30, 1e100]) {
      const scaled = await solved({ ...of, scale: { inputs: s, targets: s, temperature: s * s } });
      expectClose(over(scaled.mean, s), plain.mean, { relative: 1e-9 }, "mean");
      expectClose(over(scaled.variance, s * s), plain.variance, { relative: 1e-9 }, "variance");
      expectClose(over(scaled.alone.variance, s * s), plain.variance, { relative: 1e-9 }, "variance alone");
      expectClose(over(scaled.covariance!, s * s), plain.covariance!, { relative: 1e-9 }, "covariance");
    }
  });

  it.each(["relu", "gelu", "quadratic"])("%s: tiny targets have a mean that is linear in them", async (activation) => {
    const at = async (factor: number) => over((await solved({ net: network(activation, [9]), scale: { targets: factor } })).mean, factor);
    const little = await at(1e-5);
    for (const factor of [1e-30, 1e-100]) expectClose(await at(factor), little, { relative: 1e-7 }, `targets × ${factor}`);
  });

  // f ≈ Xβ with β known but for the noise: the variance is T x(XᵀX)⁻¹xᵀ, of which kernels of 1e60 have no digit
  it.each([[[9]], [[9, 8]]])("linear networks %j of two outputs know the directions of the inputs", async (widths) => {
    const [X, x] = [matrixFromRows(inputs), matrixFromRows(tests)];
    const known = multiply(x, solve(gram(transpose(X)), transpose(x)));
    const { variance, alone } = await solved({ net: network("identity", widths), y: two, scale: { inputs: 1e30 } });
    for (const found of [variance, alone.variance])
      for (const [at, value] of found.data.entries()) expect(value).toBeCloseTo(0.1 * known.data[3 * Math.floor(at / 2)]!, 9);
  });

  it("layers that saturate do not count their variance", async () => {
    const at = (hidden: number) => solved({ net: network("erf", [9, 8], { weightVariance: [hidden, hidden, 1e30] }) });
    const [large, larger] = [await at(1e12), await at(1e30)];
    expectClose(larger.posterior.orderParameter as Matrix, large.posterior.orderParameter as Matrix, { relative: 1e-5 }, "Q");
    expectClose(larger.mean, large.mean, { relative: 1e-4 }, "mean");
  });

  it.each([
    ["identity", [9, 8, 7]],
    ["relu", [9, 8, 7]],
    ["quadratic", [9, 8]],
  ] as const)("%s %j: kernels that overflow are refused by name", async (activation, widths) => {
    await expect(solved({ net: network(activation, widths, { weightVariance: 1e100 }) })).rejects.toThrow(
      "inputs: expected numbers, and variances of the layers, of a scale at which the kernels",
    );
  });

  it.each([
    ["erf", one, 1e30],
    ["identity", one, 1e30],
    ["gelu", one, 1e30],
    ["relu", two, 1e140],
  ] as const)("%s: targets out of reach, and that is said", async (activation, y, factor) => {
    const net = network(activation, [9]);
    const at = fit(
      effectiveAction,
      { network: net, inputs: inputs.slice(0, 3), targets: times(y, factor).slice(0, 3), temperature: 0 },
      { registry },
    );
    await expect(at).rejects.toThrow("the targets are so far from what the network can fit that their likelihood leaves double precision");
  });
});
