import { createRegistry } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { plugin as convolution } from "@finitewidth/prior-conv";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";

export const registry = createRegistry([activations, fullyConnected, convolution]);

export const inputs = [
  [0.3, -1.2, 0.8],
  [1.1, 0.4, -0.5],
  [-0.7, 0.9, 1.3],
  [0.2, 0.1, -1.6],
  [-1.4, -0.3, 0.6],
];

export const targets = [0.9, -0.4, 1.7, -1.1, 0.3];

export const two = targets.map((y, i) => [y, Math.sin(3 * i)]);

export const network = (activation: string, widths: readonly number[], change: Record<string, unknown> = {}) => ({
  type: "fully-connected",
  activation,
  widths: [...widths],
  ...change,
});

export const image = {
  type: "convolutional",
  inputShape: [1, 3],
  layers: [{ channels: 6, kernelSize: [2], padding: "valid" }],
  readout: "flatten",
  activation: "erf",
};
