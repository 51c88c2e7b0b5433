import type { Activation, Matrix } from "@finitewidth/core";
import { matrixFromRows, validate } from "@finitewidth/core";
import { erf, gelu, identity, quadratic, relu, tanh } from "@finitewidth/activations";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { finiteFullyConnected, fullyConnectedKernels } from "@finitewidth/kernels";
import { type FullyConnectedNetwork, fullyConnectedSchema } from "../src/index.js";

const parse = (fields: object): FullyConnectedNetwork =>
  validate(fullyConnectedSchema, { type: "fully-connected", activation: "erf", ...fields }, "network");
const inputs = matrixFromRows([
  [0.3, -1.2, 0.7],
  [1.5, 0.2, -0.4],
  [0.3, -1.2, 0.7],
  [0, 0, 0],
  [-0.6, 0.9, 2.1],
]);
const P = 5;
const D = 2;
const networks: readonly [string, object, Activation][] = [
  ["erf, one layer", { widths: [6] }, erf],
  ["identity, biases", { widths: [4, 3], biasVariance: [0.3, 0.2, 0.5], weightVariance: [1.5, 2, 0.7] }, identity],
  ["tanh, three layers, some biases", { widths: [4, 1, 5], biasVariance: [0, 0.2, 0, 0.5], weightVariance: [1.5, 2, 0.7, 1.1] }, tanh],
  ["erf, wide enough for the vectorised products", { widths: [40, 30], biasVariance: 0.1 }, erf],
  ["gelu", { widths: [5, 5] }, gelu],
  ["relu", { widths: [5, 5], biasVariance: 0.4 }, relu],
  ["quadratic", { widths: [5] }, quadratic],
];

/** The definition of 00-conventions, one input at a time. */
function plainForward(
  network: FullyConnectedNetwork,
  activation: Activation,
  theta: Float64Array,
  x: Float64Array,
  hidden: number[][] = [],
): number[] {
  let at = 0;
  let read = Array.from(x);
  const layers = [...network.widths, D];
  layers.forEach((width, l) => {
    const sw = Math.sqrt(network.weightVariance[l]!);
    const weights = Array.from({ length: width }, () => read.map(() => sw * theta[at++]!));
    const biases =
      network.biasVariance[l]! > 0 ? weights.map(() => Math.sqrt(network.biasVariance[l]!) * theta[at++]!) : weights.map(() => 0);
    const h = weights.map((row, i) => row.reduce((sum, w, j) => sum + w * read[j]!, 0) / Math.sqrt(read.length) + biases[i]!);
    read = l < network.widths.length ? h.map((value) => activation.value(value)) : h;
    if (l < network.widths.length) hidden.push(read);
  });
  expect(at).toBe(theta.length);
  return read;
}

describe.each(networks)("finite network: %s", (_name, fields, activation) => {
  const network = parse(fields);
  const realised = finiteFullyConnected({ ...network, activation }, inputs, D);
  const theta = stream(1).normals(new Float64Array(realised.parameters));
  const state = realised.forward(theta);

  it("gives the outputs of the definition, and the Gram matrices of the hidden units in units of their number", () => {
    const hidden = Array.from({ length: P }, (): number[][] => []);
    const expected = hidden.map((into, i) => plainForward(network, activation, theta, inputs.data.subarray(3 * i, 3 * i + 3), into));
    expectClose(state.outputs.data, expected, { relative: 1e-12, absolute: 1e-13 });
    const kernels = realised.forward(theta).hiddenKernels();
    expect(kernels).toHaveLength(network.widths.length);
    kernels.forEach((kernel, l) =>
      expectClose(
        kernel,
        hidden.map((x) => hidden.map((z) => x[l]!.reduce((sum, value, k) => sum + (value * z[l]![k]!) / network.widths[l]!, 0))),
        { relative: 1e-11, absolute: 1e-13 },
      ),
    );
  });

  it("a gradient belongs to the forward run before it, however many there were", () => {
    const cotangent = normalMatrix(stream(4), P, D);
    const gradientOf = (one: typeof realised, parameters: Float64Array): Float64Array => {
      const gradient = new Float64Array(one.parameters);
      one.pullback(parameters, one.forward(parameters), cotangent, gradient);
      return gradient;
    };
    const [used, other] = [finiteFullyConnected({ ...network, activation }, inputs, D), stream(3).normals(new Float64Array(theta.length))];
    gradientOf(used, theta);
    const fresh = (parameters: Float64Array) => gradientOf(finiteFullyConnected({ ...network, activation }, inputs, D), parameters);
    expect(gradientOf(used, other)).toEqual(fresh(other));
    used.forward(theta);
    expect(gradientOf(used, theta)).toEqual(fresh(theta));
  });

  it("outputs are linear in the features, with the readout's parameters", () => {
    const F = state.features.shape[1];
    const start = realised.parameters - realised.readoutParameters;
    expect(start).toBe(realised.offsets.at(-1));
    for (let i = 0; i < P; i++) {
      for (let d = 0; d < D; d++) {
        let sum = network.biasVariance.at(-1)! > 0 ? Math.sqrt(network.biasVariance.at(-1)!) * theta[start + D * F + d]! : 0;
        for (let j = 0; j < F; j++) sum += state.features.data[i * F + j]! * theta[start + d * F + j]!;
        expectClose(state.outputs.data[i * D + d]!, sum, { relative: 1e-12, absolute: 1e-13 });
      }
    }
  });

  it("gradients are those of finite differences", () => {
    const weights: Matrix = normalMatrix(stream(2), P, D);
    const featureWeights: Matrix = { data: stream(3).normals(new Float64Array(state.features.data.length)), shape: state.features.shape };
    const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    const gradient = new Float64Array(realised.parameters).fill(Number.NaN);
    const fresh = realised.forward(theta);
    realised.pullback(theta, fresh, weights, gradient);
    const featureGradient = new Float64Array(realised.parameters - realised.readoutParameters).fill(Number.NaN);
    realised.pullbackFeatures(theta, fresh, featureWeights, featureGradient);
    const step = 1e-5;
    const stride = Math.max(1, Math.floor(realised.parameters / 60));
    for (let k = 0; k < realised.parameters; k += stride) {
      const at = (sign: number) => {
        // the next run overwrites the arrays
        const { outputs, features } = realised.forward(theta.map((value, i) => (i === k ? value + sign * step : value)));
        return { outputs: { data: outputs.data.slice() }, features: { data: features.data.slice() } };
      };
      const [plus, minus] = [at(1), at(-1)];
      expectClose(
        gradient[k]!,
        (dot(plus.outputs.data, weights.data) - dot(minus.outputs.data, weights.data)) / (2 * step),
        { relative: 1e-7, absolute: 1e-7 },
        `θ[${k}]`,
      );
      if (k < featureGradient.length) {
        expectClose(
          featureGradient[k]!,
          (dot(plus.features.data, featureWeights.data) - dot(minus.features.data, featureWeights.data)) / (2 * step),
          { relative: 1e-7, absolute: 1e-7 },
          `hidden θ[${k}]`,
        );
      }
    }
  });
});

describe("statistics of finite networks", () => {
  it("mean kernels are the infinite-width ones where they must be: layer 1, and every layer of a linear net", () => {
    for (const [fields, activation] of [
      [{ widths: [3], weightVariance: [2, 0.5], biasVariance: [0.1, 0.3] }, relu],
      [{ widths: [3, 2], weightVariance: [2, 0.5, 3], biasVariance: [0.1, 0.3, 0] }, identity],
    ] as const) {
      const network = parse(fields);
      const realised = finiteFullyConnected({ ...network, activation }, inputs, 1);
      const { hidden } = fullyConnectedKernels({ ...network, activation }, inputs);
      const samples = 20_000;
      const random = stream(4);
      const theta = new Float64Array(realised.parameters);
      const sums = hidden.map(() => new Float64Array(P * P));
      const squares = hidden.map(() => new Float64Array(P * P));
      for (let s = 0; s < samples; s++) {
        random.normals(theta);
        realised
          .forward(theta)
          .hiddenKernels()
          .forEach((kernel, l) =>
            kernel.data.forEach((value, i) => {
              sums[l]![i]! += value / samples;
              squares[l]![i]! += (value * value) / samples;
            }),
          );
      }
      hidden.forEach((kernel, l) =>
        kernel.data.forEach((value, i) => {
          const error = Math.sqrt((squares[l]![i]! - sums[l]![i]! ** 2) / samples);
          expect(Math.abs(sums[l]![i]! - value), `layer ${l + 1}, entry ${i}`).toBeLessThan(5 * error + 1e-12);
        }),
      );
    }
  });

  it("refuses parameters of the wrong length", () => {
    expect(() => finiteFullyConnected({ ...parse({ widths: [2] }), activation: erf }, inputs, 1).forward(new Float64Array(3))).toThrow(
      /theta/,
    );
  });
});
