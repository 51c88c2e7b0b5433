import { expect, it } from "vitest";
import { optimiseEvidence, runExperiment } from "../src/index.js";
import { registry } from "./cases.js";

it("the variances of single layers: where the evidence falls to both sides, by gradients of these layers", async () => {
  const random = (i: number): number => Math.sin(12.9898 * (i + 1)) * 1.3;
  const inputs = Array.from({ length: 10 }, (_, i) => [random(2 * i), random(2 * i + 1)]);
  const experiment = {
    data: { train: { inputs, targets: inputs.map(([x, y], i) => [Math.sin(2 * x!) + 0.5 * y! + 1 + 0.3 * random(50 + i)]) } },
    network: { type: "fully-connected", widths: [5], activation: "erf", weightVariance: [1, 1], biasVariance: [0.5, 0.2] },
    likelihood: { temperature: 0.1 },
    methods: ["nngp"],
    referee: false,
    seed: 1,
  };
  const keys = ["network.weightVariance[0]", "network.weightVariance[1]"] as const;
  const over = Object.fromEntries(keys.map((key) => [key, [0.01, 100]]));
  const { optimum } = await optimiseEvidence({ ...experiment, optimise: { over, method: "nngp", starts: 1 } }, { registry });
  expect(optimum.converged).toBe(true);
  expect(optimum.atBounds).toEqual([]);
  const at = async (factors: readonly [number, number]): Promise<number> => {
    const weightVariance = keys.map((key, i) => optimum.values[key]! * factors[i]!);
    const network = { ...experiment.network, weightVariance };
    const { steps } = await runExperiment({ ...experiment, network }, { registry });
    const [outcome] = steps[0]!.problems[0]!.outcomes;
    return outcome!.status === "ok" ? outcome!.posterior.logEvidence! : Number.NaN;
  };
  expect(await at([1, 1])).toBeCloseTo(optimum.logEvidence, 8);
  for (const factor of [0.9, 1.1])
    for (const factors of [
      [factor, 1],
      [1, factor],
    ] as const)
      expect(optimum.logEvidence).toBeGreaterThan(await at(factors));
  // curvatures by differences of values, to the accuracy of gradients that are those of these very layers
  const h = 0.02;
  const second = async (i: number): Promise<number> => {
    const moved = (by: number): readonly [number, number] => (i === 0 ? [Math.exp(by), 1] : [1, Math.exp(by)]);
    return ((await at(moved(h))) - 2 * (await at([1, 1])) + (await at(moved(-h)))) / h ** 2;
  };
  const mixed =
    ((await at([Math.exp(h), Math.exp(h)])) -
      (await at([Math.exp(h), Math.exp(-h)])) -
      (await at([Math.exp(-h), Math.exp(h)])) +
      (await at([Math.exp(-h), Math.exp(-h)]))) /
    (4 * h * h);
  const [a, b] = [-(await second(0)), -(await second(1))];
  const determinant = a * b - mixed ** 2;
  expect(optimum.logDeviations[keys[0]]).toBeCloseTo(Math.sqrt(b / determinant), 1);
  expect(optimum.logDeviations[keys[1]]).toBeCloseTo(Math.sqrt(a / determinant), 1);
});
