import { matrixFromRows, type Activation, type Architecture, type Matrix, type Registry } from "@finitewidth/core";
import { convolutionGeometry, type ConvolutionChain } from "@finitewidth/kernels";
import { convolutional, type ConvolutionalLayer, type ConvolutionalNetwork } from "../src/index.js";
import type { FixtureGeometry } from "../../../tools/testing.ts";

export const layerOf = (geometry: FixtureGeometry, channels = 1): ConvolutionalLayer => ({
  channels,
  kernelSize: geometry.kernel,
  stride: geometry.stride,
  // circular fixtures pad by ⌊(k−1)/2⌋, which is what centred filters do
  padding: geometry.mode === "circular" ? "circular" : geometry.padding,
  dilation: geometry.dilation,
});

export interface FixtureNetwork {
  readonly readout: "dense" | "gap";
  readonly layers: FixtureGeometry[];
  readonly channels: number[];
  readonly outputs: number;
  readonly variances: number[];
  /** P × C_0 × S_0. */
  readonly X: number[][][];
}

export const networkOf = (input: FixtureNetwork): ConvolutionalNetwork => ({
  type: "convolutional",
  inputShape: [input.X[0]!.length, ...input.layers[0]!.size],
  layers: input.layers.map((geometry, l) => layerOf(geometry, input.channels[l]!)),
  readout: input.readout === "gap" ? "global-average" : "flatten",
  activation: "identity",
  weightVariance: input.variances,
  biasVariance: input.variances.map(() => 0),
});

/** The layers of a network with an activation of the tests. */
export const architectureOf = (network: ConvolutionalNetwork, activation: Activation): Architecture =>
  convolutional.architecture(network, { activation: () => activation } as unknown as Registry);

export const inputsOf = (input: FixtureNetwork): Matrix => matrixFromRows(input.X.map((image) => image.flat()));

/** Positive definite n × n matrix without structure, the same every time. */
export function spread(n: number, seed: number): Matrix {
  const entry = (i: number, j: number): number => Math.sin(12.9898 * (i + 1) + 78.233 * (j + 1) + 3.7 * seed);
  const rows = Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (__, j) => Array.from({ length: n + 2 }, (___, k) => entry(i, k) * entry(j, k)).reduce((a, b) => a + b)),
  );
  return matrixFromRows(rows);
}

const notNeeded = (): never => {
  throw new Error("moments of the identity are not needed here");
};
/** φ(h) = h with the moments that the kernels use. */
export const identityActivation: Activation = {
  ...activationOf(
    "identity",
    (h) => h,
    () => 1,
    (_a, c) => c,
    (k) => k,
  ),
  linear: true,
};
/** The same function without the mark that the linear short cut goes by, to test one against the other. */
export const plainIdentity: Activation = { ...identityActivation, name: "plain", linear: false };
/** The chain of a network's filters with the given activation. */
export const filtersOf = (network: ConvolutionalNetwork, activation = identityActivation): ConvolutionChain => ({
  geometry: convolutionGeometry(network),
  channels: network.layers.map(({ channels }) => channels),
  readout: network.readout,
  weightVariance: network.weightVariance,
  biasVariance: network.biasVariance,
  activation,
});
/** φ(h) = h². */
export const quadraticActivation: Activation = activationOf(
  "quadratic",
  (h) => h * h,
  (h) => 2 * h,
  (a, c, b) => a * b + 2 * c * c,
  (k) => 3 * k * k,
);

function activationOf(
  name: string,
  value: (h: number) => number,
  derivative: (h: number) => number,
  kernel: (a: number, c: number, b: number) => number,
  diagonal: (k: number) => number,
): Activation {
  return {
    name,
    summary: name,
    odd: name !== "quadratic",
    smooth: true,
    bounded: false,
    value,
    derivative,
    moments: {
      kernel,
      diagonal,
      kernelSlope: notNeeded,
      kernelCurvature: notNeeded,
      diagonalSlope: notNeeded,
      diagonalCurvature: notNeeded,
      mean: notNeeded,
      slope: notNeeded,
      fourth: notNeeded,
      fourthOrder: notNeeded,
      fourPoint: notNeeded,
    },
  };
}

/** Numbers of order one without structure, the same every time. */
export const values = (count: number, seed: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => 1.5 * Math.sin(91.7 * (i + 1) * seed + 0.37 * (i + 1) ** 2));
