import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit, type Matrix } from "@finitewidth/core";
import { combine, frobenius } from "@finitewidth/linalg";
import { plugin as convolutional } from "@finitewidth/prior-conv";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { expect } from "vitest";
import { forwardBackward } from "../src/index.js";
import { normalMatrix } from "../../../tools/testing.ts";

export const registry = createRegistry([activations, fullyConnected, convolutional]);

export const draw = (rows: number, columns: number, index: number): Matrix => normalMatrix(stream(11, index), rows, columns);

export const X = draw(4, 3, 0);

export const Y = draw(4, 2, 1);

export const net = (more: Record<string, unknown> = {}) => ({
  type: "fully-connected",
  widths: [40, 30],
  activation: "erf",
  weightVariance: 1.5,
  biasVariance: 0.05,
  ...more,
});

export const problem = (more: Record<string, unknown> = {}) => ({ network: net(), inputs: X, targets: Y, temperature: 0.1, ...more });

export const solve = async (input: Parameters<typeof fit>[1], options: Record<string, unknown> = {}) =>
  fit(forwardBackward, input, { registry, options });

export const near = (a: Matrix, b: Matrix, relative: number): void =>
  expect(frobenius(combine(1, a, -1, b))).toBeLessThan(relative * frobenius(b));

export const variational = { closure: "gaussian-variational" };
