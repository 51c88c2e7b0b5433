import { expect, test } from "vitest";
import { erf } from "@finitewidth/activations";
import type { Matrix } from "@finitewidth/core";
import { finiteFullyConnected } from "../src/index.js";

const chain = { activation: erf, widths: [4, 3], weightVariance: [1.3, 0.8, 1.1], biasVariance: [0.2, 0, 0.4] };
const rows = 5;
const full: Matrix = {
  data: Float64Array.from({ length: rows * 6 }, (_, i) => ([0, 3, 4].includes(i % 6) ? 0 : Math.sin(3 * i + 1))),
  shape: [rows, 6],
};
const cotangent: Matrix = { data: Float64Array.from({ length: rows * 2 }, (_, i) => Math.cos(i)), shape: [rows, 2] };

function run(inputs: Matrix, theta: Float64Array) {
  const network = finiteFullyConnected(chain, inputs, 2);
  const state = network.forward(theta);
  const outputs = state.outputs.data.slice();
  const gradient = new Float64Array(network.parameters).fill(7);
  network.pullback(theta, state, cotangent, gradient);
  return { network, outputs, gradient, value: outputs.reduce((sum, f, i) => sum + f * cotangent.data[i]!, 0) };
}
const parameters = (count: number): Float64Array => Float64Array.from({ length: count }, (_, i) => Math.sin(5 * i + 2));

test("weights of inputs that are zero at every point move nothing: gradients by differences", () => {
  const theta = parameters(finiteFullyConnected(chain, full, 2).parameters);
  const { gradient } = run(full, theta);
  for (const i of theta.keys()) {
    const at = (step: number): number =>
      run(
        full,
        theta.map((value, k) => (k === i ? value + step : value)),
      ).value;
    expect(gradient[i]).toBeCloseTo((at(1e-4) - at(-1e-4)) / 2e-4, 6);
  }
  for (let unit = 0; unit < 4; unit++) for (const k of [0, 3, 4]) expect(gradient[6 * unit + k]).toBe(0);
});

test("a little of every input gives the same network", () => {
  const theta = parameters(finiteFullyConnected(chain, full, 2).parameters);
  const [left, kept] = [run(full, theta), run({ ...full, data: full.data.map((x) => x || 1e-300) }, theta)];
  left.outputs.forEach((f, i) => expect(f).toBeCloseTo(kept.outputs[i]!, 14));
  left.gradient.forEach((g, i) => expect(g).toBeCloseTo(kept.gradient[i]!, 14));
});

test("inputs that are zero altogether leave the biases", () => {
  const nothing: Matrix = { data: new Float64Array(rows * 6), shape: [rows, 6] };
  const theta = parameters(finiteFullyConnected(chain, nothing, 2).parameters);
  const { network, outputs, gradient } = run(nothing, theta);
  for (let i = 1; i < rows; i++) expect(outputs[2 * i]).toBe(outputs[0]);
  expect(gradient.subarray(0, 24).every((g) => g === 0)).toBe(true);
  expect(network.forward(theta).outputs.data).toEqual(outputs);
});
