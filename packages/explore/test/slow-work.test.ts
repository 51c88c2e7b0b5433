import { matrixFromRows, resolveArchitecture } from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { describe, expect, it, vi } from "vitest";
import type { ChainRequest } from "../src/compute/messages.js";

const planned: unknown[] = [];
let verdicts: unknown;
vi.mock("@finitewidth/experiment", async (original) => ({
  ...(await original<object>()),
  planExperiment: async (...given: unknown[]) => (planned.push(given), "the plan"),
  runPlan: async (plan: unknown, run: { seed?: number }) => (planned.push([plan, run]), [{ problems: [{ verdicts: { verdicts } }] }]),
}));
const { drawPriorFunctions, judge, registry, runChain } = await import("../src/compute/slow-work.js");

const tick = (): void => undefined;
const network = { type: "fully-connected", widths: [3, 2], activation: "erf", weightVariance: [1, 2, 3], biasVariance: [0.1, 0.2, 0.3] };
const line: ChainRequest = {
  network,
  data: {
    id: 1,
    train: { inputs: matrixFromRows([[-1], [0.5], [2]]), targets: matrixFromRows([[1], [-1], [0.5]]) },
    test: { inputs: matrixFromRows([[-2], [0], [1], [3]]) },
  },
  temperature: 0.2,
  seed: 5,
  index: 0,
};
const architecture = resolveArchitecture(registry, network);
const plane: ChainRequest = {
  ...line,
  network: { ...network, widths: [30], weightVariance: 1, biasVariance: 0 },
  data: {
    id: 2,
    train: {
      inputs: matrixFromRows([
        [1, 2],
        [3, -1],
      ]),
      targets: matrixFromRows([
        [1, 0],
        [0, 1],
      ]),
    },
    test: { inputs: matrixFromRows([[1, 1]]) },
  },
};

describe("functions of the prior", () => {
  it("are twelve networks of their seed and index, at the test inputs", () => {
    const drawn = drawPriorFunctions(line);
    const random = stream(5, 27, 0);
    const real = realise(architecture, matrixFromRows([[-2], [0], [1], [3]]), 1);
    const expected = Array.from({ length: 12 }, () => real.forward(random.normals(new Float64Array(real.parameters))).outputs.data.slice());
    expect(drawn).toEqual(expected);
    expect(drawPriorFunctions({ ...line, seed: 6 })).not.toEqual(drawn);
    expect(drawPriorFunctions({ ...line, index: 1 })).not.toEqual(drawn);
  });
});

describe("the chain", () => {
  it("starts with a warm-up and goes on from where it ended, with its step and without another", () => {
    const first = runChain(line, tick);
    // 3 + 3 weights and biases, 6 + 2, 2 + 1
    expect(first.theta).toHaveLength(17);
    expect(first.functions).toHaveLength(4);
    const real = realise(architecture, matrixFromRows([[-2], [0], [1], [3]]), 1);
    expect(first.functions.at(-1)).toEqual(real.forward(first.theta).outputs.data.slice());
    expect(first.receptiveFields).toEqual({ data: first.theta.slice(0, 3), shape: [3, 1] });
    const { theta, stepSize } = first;
    expect(runChain(line, tick)).toEqual(first);
    const next = runChain({ ...line, index: 1, from: { theta, stepSize } }, tick);
    expect(next.stepSize).toBe(stepSize);
    expect(next.theta).not.toEqual(theta);
    expect(runChain({ ...line, index: 2, from: { theta, stepSize } }, tick).theta).not.toEqual(next.theta);
    // a step of next to nothing stays where the last stretch ended
    const still = runChain({ ...line, index: 1, from: { theta, stepSize: 1e-12 } }, tick).theta;
    still.forEach((value, i) => expect(value).toBeCloseTo(theta[i]!, 8));
    expect(runChain({ ...line, seed: 6 }, tick).theta).not.toEqual(theta);
  });

  it("samples the posterior: the colder, the closer to the targets", () => {
    const misfit = (temperature: number): number => {
      const data = { ...line.data, test: { inputs: matrixFromRows([[-1], [0.5], [2]]) } } as ChainRequest["data"];
      const { functions } = runChain({ ...line, data, temperature }, tick);
      return functions.reduce((sum, f) => sum + (f[0]! - 1) ** 2 + (f[1]! + 1) ** 2 + (f[2]! - 0.5) ** 2, 0);
    };
    expect(misfit(0.01)).toBeLessThan(0.5 * misfit(10));
  });

  it("of several inputs draws no functions, and shows 24 units at most", () => {
    const { functions, receptiveFields, theta } = runChain(plane, tick);
    expect(functions).toEqual([]);
    expect(receptiveFields).toEqual({ data: theta.slice(0, 48), shape: [24, 2] });
  });
});

it("the verdict on a method is that on its worst quantity, the first of several", async () => {
  const on = (status: string, how: string) => ({ status, how, error: 1 });
  verdicts = {
    exact: { evidence: on("confirmed", "a"), kernels: on("contradicted", "b"), outputs: on("doubtful", "c") },
    nngp: { evidence: on("doubtful", "d"), kernels: on("unchecked", "e"), outputs: on("doubtful", "f") },
    other: { evidence: on("confirmed", "g"), outputs: on("unchecked", "h") },
    good: { evidence: on("confirmed", "i"), outputs: on("confirmed", "j") },
  };
  const experiment = { network, methods: ["exact"] };
  expect(await judge({ experiment, data: line.data, seed: 8 })).toEqual({
    exact: { status: "contradicted", how: "kernels: b" },
    nngp: { status: "doubtful", how: "evidence: d" },
    other: { status: "unchecked", how: "outputs: h" },
    good: { status: "confirmed", how: "evidence: i" },
  });
  expect(planned).toEqual([
    [experiment, { registry, data: line.data }],
    ["the plan", expect.objectContaining({ seed: 8 })],
  ]);
  verdicts = undefined;
  expect(await judge({ experiment, data: { id: 1 }, seed: 8 })).toEqual({});
});
