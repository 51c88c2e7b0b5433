import { FinitewidthError, validate, type Activation, type Matrix } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { convolutionalKernels, memoryLimit, realise } from "@finitewidth/kernels";
import { convolutionalSchema, type ConvolutionalNetwork } from "../src/index.js";
import { architectureOf, filtersOf, identityActivation, plainIdentity, quadraticActivation, values } from "./helpers.js";

const networks: readonly { readonly name: string; readonly network: ConvolutionalNetwork }[] = [
  {
    name: "1-D, strides, biases, flattened",
    network: {
      type: "convolutional",
      inputShape: [2, 7],
      layers: [
        { channels: 3, kernelSize: [3], stride: [2], padding: "zero", dilation: [1] },
        { channels: 2, kernelSize: [2], stride: [1], padding: "valid", dilation: [2] },
      ],
      readout: "flatten",
      activation: "identity",
      weightVariance: [1.1, 0.9, 1.3],
      biasVariance: [0.2, 0.1, 0.3],
    },
  },
  {
    name: "2-D, explicit padding, pooled",
    network: {
      type: "convolutional",
      inputShape: [1, 4, 3],
      layers: [
        { channels: 2, kernelSize: [2, 2], stride: [1, 1], padding: [1, 0], dilation: [1, 1] },
        { channels: 3, kernelSize: [3, 1], stride: [2, 1], padding: "circular", dilation: [1, 1] },
      ],
      readout: "global-average",
      activation: "identity",
      weightVariance: [1.4, 0.8, 1],
      biasVariance: [0.3, 0, 0],
    },
  },
];
const inputsFor = (network: ConvolutionalNetwork, rows: number, seed: number): Matrix => {
  const size = network.inputShape.reduce((all, extent) => all * extent, 1);
  return { data: values(rows * size, seed), shape: [rows, size] };
};

describe.each(networks)("$name", ({ network }) => {
  const inputs = inputsFor(network, 3, 1);
  const others = inputsFor(network, 2, 2);

  it("contracts sites first for the identity and gets what the recursion over site pairs gets", () => {
    const fast = convolutionalKernels(filtersOf(network, identityActivation), inputs, others);
    const slow = convolutionalKernels(filtersOf(network, plainIdentity), inputs, others);
    fast.preactivation.forEach((kernel, l) =>
      expectClose(kernel, slow.preactivation[l]!, { relative: 1e-12, absolute: 1e-13 }, `K${l + 1}`),
    );
    fast.hidden.forEach((kernel, l) => expectClose(kernel, slow.hidden[l]!, { relative: 1e-12, absolute: 1e-13 }, `G${l + 1}`));
    expectClose(fast.othersDiagonal!, slow.othersDiagonal!, { relative: 1e-12 });
    const square = convolutionalKernels(filtersOf(network, plainIdentity), others);
    expectClose(slow.othersDiagonal!, [square.preactivation[2]!.data[0]!, square.preactivation[2]!.data[3]!], { relative: 1e-12 });
  });

  it.each([identityActivation, quadraticActivation])(
    "has the gradient that differences of its outputs have ($name)",
    (activation: Activation) => {
      const net = realise(architectureOf(network, activation), inputs, 2);
      const theta = values(net.parameters, 3);
      const cotangent: Matrix = { data: values(6, 4), shape: [3, 2] };
      const gradient = new Float64Array(net.parameters);
      net.pullback(theta, net.forward(theta), cotangent, gradient);
      const loss = (at: Float64Array): number => net.forward(at).outputs.data.reduce((sum, f, i) => sum + f * cotangent.data[i]!, 0);
      expectClose(gradient, differences(loss, theta, net.parameters), { relative: 1e-6, absolute: 1e-8 });

      const state = net.forward(theta);
      const featureCotangent: Matrix = { data: values(state.features.data.length, 5), shape: state.features.shape };
      const hidden = new Float64Array(net.parameters);
      net.pullbackFeatures(theta, state, featureCotangent, hidden);
      const featureLoss = (at: Float64Array): number =>
        net.forward(at).features.data.reduce((sum, phi, i) => sum + phi * featureCotangent.data[i]!, 0);
      const hiddenCount = net.parameters - net.readoutParameters;
      expect(net.offsets.at(-1)).toBe(hiddenCount);
      expectClose(hidden.subarray(0, hiddenCount), differences(featureLoss, theta, hiddenCount), { relative: 1e-6, absolute: 1e-8 });
    },
  );

  it("has outputs linear in its readout features, and hidden kernels that are the features' for a flattened readout", () => {
    const net = realise(architectureOf(network, quadraticActivation), inputs, 2);
    const theta = values(net.parameters, 6);
    const { outputs, features, hiddenKernels } = net.forward(theta);
    const start = net.offsets.at(-1)!;
    const count = features.shape[1];
    for (let mu = 0; mu < 3; mu++) {
      for (let a = 0; a < 2; a++) {
        let f = Math.sqrt(network.biasVariance[2]!) * (theta[start + 2 * count + a] ?? 0);
        for (let k = 0; k < count; k++) f += features.data[mu * count + k]! * theta[start + a * count + k]!;
        expect(outputs.data[mu * 2 + a]).toBeCloseTo(f, 12);
      }
    }
    const kernels = hiddenKernels();
    expect(kernels.length).toBe(2);
    if (network.readout === "flatten") {
      const gram = Array.from({ length: 9 }, (_, p) => {
        let sum = 0;
        for (let k = 0; k < count; k++) sum += features.data[Math.floor(p / 3) * count + k]! * features.data[(p % 3) * count + k]!;
        return sum / network.weightVariance[2]!;
      });
      expectClose(kernels[1]!, gram, { relative: 1e-12, absolute: 1e-14 });
    }
  });

  it.each([identityActivation, quadraticActivation])(
    "approaches its infinite-width kernels: averages over many networks ($name)",
    (activation: Activation) => {
      const net = realise(architectureOf(network, activation), inputs, 1);
      const draws = 6000;
      const exact = convolutionalKernels(filtersOf(network, activation), inputs);
      // the first layer's empirical kernel has the infinite-width mean at any width, and so has the last one for a linear network
      const targets = activation.name === "identity" ? [exact.hidden[0]!, exact.hidden[1]!, exact.preactivation[2]!] : [exact.hidden[0]!];
      const [sum, square] = [targets.map(() => new Float64Array(9)), targets.map(() => new Float64Array(9))];
      const normal = boxMuller(7);
      const theta = new Float64Array(net.parameters);
      for (let n = 0; n < draws; n++) {
        for (let i = 0; i < theta.length; i++) theta[i] = normal();
        const state = net.forward(theta);
        const drawn = [...state.hiddenKernels()].slice(0, activation.name === "identity" ? 2 : 1).map((k) => k.data);
        if (activation.name === "identity")
          drawn.push(Float64Array.from({ length: 9 }, (_, p) => state.outputs.data[Math.floor(p / 3)]! * state.outputs.data[p % 3]!));
        drawn.forEach((k, t) => k.forEach((value, p) => ((sum[t]![p]! += value), (square[t]![p]! += value * value))));
      }
      targets.forEach((target, t) => {
        target.data.forEach((value, p) => {
          const mean = sum[t]![p]! / draws;
          const error = Math.sqrt((square[t]![p]! / draws - mean * mean) / draws);
          expect(Math.abs(mean - value), `kernel ${t}, entry ${p}`).toBeLessThan(4.5 * error);
        });
      });
    },
  );
});

describe("schema", () => {
  const good = {
    type: "convolutional",
    inputShape: [1, 5, 4],
    layers: [
      { channels: 3, kernelSize: 3 },
      { channels: 2, kernelSize: [2, 1], padding: 1, stride: [2, 1] },
    ],
    activation: "relu",
  };

  it("fills in defaults, one entry per axis and per layer", () => {
    expect(validate(convolutionalSchema, good)).toEqual({
      type: "convolutional",
      inputShape: [1, 5, 4],
      layers: [
        { channels: 3, kernelSize: [3, 3], stride: [1, 1], padding: "valid", dilation: [1, 1] },
        { channels: 2, kernelSize: [2, 1], stride: [2, 1], padding: [1, 1], dilation: [1, 1] },
      ],
      readout: "flatten",
      activation: "relu",
      weightVariance: [1, 1, 1],
      biasVariance: [0, 0, 0],
    });
  });

  it.each([
    [{ ...good, inputShape: [5] }, /^network\.inputShape: expected \[channels, length\]/],
    [{ ...good, inputShape: [1, 5, 4, 3] }, /^network\.inputShape: expected \[channels, length\] or \[channels, height, width\]/],
    [{ ...good, inputShape: [1, 0] }, "network.inputShape[1]: expected a positive integer, got 0"],
    [{ ...good, layers: [] }, "network.layers: expected at least one layer, got an empty array"],
    [{ ...good, layers: [{ channels: 2.5, kernelSize: 3 }] }, "network.layers[0].channels: expected a positive integer, got 2.5"],
    [{ ...good, layers: [{ channels: 2, kernelSize: [3, 0] }] }, "network.layers[0].kernelSize[1]: expected a positive integer, got 0"],
    [
      { ...good, layers: [{ channels: 2, kernelSize: [3] }] },
      "network.layers[0].kernelSize: expected one number or 2 of them (one per spatial axis), got an array of 1",
    ],
    [
      { ...good, layers: [{ channels: 2, kernelSize: 6 }] },
      "network.layers[0].kernelSize: expected a filter that fits the 5 × 4 sites of its padded input, got 6",
    ],
    [
      { ...good, layers: [{ channels: 2, kernelSize: 1, stride: 9, padding: 2 }] },
      /^network\.layers\[0\]\.padding: expected padding that leaves at least one site/,
    ],
    [
      { ...good, layers: [{ channels: 2, kernelSize: 3, padding: "same" }] },
      'network.layers[0].padding: expected one of "circular", "zero", "valid", got "same"',
    ],
    [{ ...good, layers: [{ channels: 2, kernelSize: 3, pad: 1 }] }, /^network\.layers\[0\]\.pad: unknown key/],
    [{ ...good, readout: "max" }, 'network.readout: expected one of "flatten", "global-average", got "max"'],
    [
      { ...good, weightVariance: [1, 1] },
      "network.weightVariance: expected one number or 3 of them (one per weight layer), got an array of 2",
    ],
    [{ ...good, weightVariance: 0 }, /^network\.weightVariance: expected a positive number/],
    [{ ...good, biasVariance: [0, -1, 0] }, /^network\.biasVariance/],
  ])("names what is wrong (%#)", (network, message) => {
    expect(() => validate(convolutionalSchema, network, "network")).toThrow(message);
  });
});

it("refuses a pooled kernel whose site pairs do not fit, before allocating", () => {
  const network: ConvolutionalNetwork = { ...networks[1]!.network, inputShape: [1, 200, 200], activation: "quadratic" };
  const inputs: Matrix = { data: new Float64Array(40_000), shape: [1, 40_000] };
  let error: unknown;
  try {
    convolutionalKernels(filtersOf(network, quadraticActivation), inputs);
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(FinitewidthError);
  expect((error as FinitewidthError).code).toBe("memory");
  expect((error as Error).message).toContain(`${memoryLimit} bytes`);
});

function differences(loss: (at: Float64Array) => number, theta: Float64Array, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => {
    const [plus, minus] = [theta.slice(), theta.slice()];
    plus[i]! += 1e-5;
    minus[i]! -= 1e-5;
    return (loss(plus) - loss(minus)) / 2e-5;
  });
}

/** Standard normals from a small congruential generator: enough to average networks in a test. */
function boxMuller(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
