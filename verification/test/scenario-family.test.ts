import { readFileSync } from "node:fs";
import { createRegistry, inputSize, resolveArchitecture, type Network } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../tools/testing.ts";
import { convolutional, family, fullyConnected, pluginFamilies, scenarios, sequential, standardPlugins } from "../src/index.js";

const fields = {
  name: "some",
  theories: [],
  network: fullyConnected("erf", [3], [1, 1]),
  points: 4,
  features: 2,
  temperature: 0.7,
  sampling: { kind: "importance", samples: 1 },
  seed: 5,
} as const;

describe("data of a scenario", () => {
  it("are Gaussian inputs and targets 0.9 x + ½ sin(2x + d) + noise of 0.4, output d on input d, from the seed", () => {
    const { problem, testInputs, name } = family({ ...fields, outputs: 3, tests: 1, targetScale: (factor) => 10 * factor }).build(2);
    const random = stream(5, 0);
    const inputs = random.normals(new Float64Array(8));
    expectClose(testInputs, random.normals(new Float64Array(2)), {});
    expectClose(problem.inputs, inputs, {});
    const targets = [0, 1, 2, 3].flatMap((i) =>
      [0, 1, 2].map((d) => {
        const x = inputs[2 * i + (d % 2)]!;
        return 20 * (0.9 * x + 0.5 * Math.sin(2 * x + d) + 0.4 * random.normal());
      }),
    );
    expectClose(problem.targets, targets, { relative: 1e-12 });
    expect([name, problem.temperature, problem.scaling, problem.targets.shape, testInputs.shape]).toEqual([
      "some ×2",
      0.7,
      "standard",
      [4, 3],
      [1, 2],
    ]);
    expect(problem).not.toHaveProperty("likelihood");
  });

  it("have test targets without noise where the generalisation error is asked for, and the same data otherwise", () => {
    const asked = { ...fields, outputs: 3, tests: 1, targetScale: (factor: number) => 10 * factor };
    const [plain, own] = [family(asked).build(2), family({ ...asked, generalization: true }).build(2)];
    expect(plain).not.toHaveProperty("testTargets");
    expect(own.problem.targets).toEqual(plain.problem.targets);
    const expected = [0, 1, 0].map((from, d) => {
      const x = own.testInputs.data[from]!;
      return 20 * (0.9 * x + 0.5 * Math.sin(2 * x + d));
    });
    expectClose(own.testTargets!, expected, { relative: 1e-12 });
    expect(own.testTargets!.shape).toEqual([1, 3]);
  });

  it("have one output, two tests, one width and the quick suite where nothing is said", () => {
    const plain = family(fields);
    expect(plain).toMatchObject({ factors: [1], suite: "quick", covariance: false });
    const { problem, testInputs, name } = plain.build(1);
    expect([name, problem.targets.shape, testInputs.shape]).toEqual(["some", [4, 1], [2, 2]]);
    const own = family({ ...fields, factors: [1, 3], suite: "full", covariance: true, scaling: "mean-field" });
    expect(own).toMatchObject({ factors: [1, 3], suite: "full", covariance: true });
    expect(own.build(3).problem.scaling).toBe("mean-field");
    expect(own.build(3).problem.network).toMatchObject({ widths: [9], biasVariance: [0, 0] });
  });

  it("may be inputs of their own, labels are signs, or one-hot at the largest entry", () => {
    const inputs = [[1, 2], [3, 4], [5, 6], [7, 8]]; // prettier-ignore
    const own = family({ ...fields, inputs, testInputs: [[9, 10]] }).build(1); // prettier-ignore
    expect([...own.problem.inputs.data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...own.testInputs.data]).toEqual([9, 10]);
    const numbers = (outputs: number): Float64Array => family({ ...fields, outputs }).build(1).problem.targets.data;
    const labels = (outputs: number) => family({ ...fields, outputs, likelihood: { type: "logistic" } }).build(1).problem;
    expect(labels(1).likelihood).toEqual({ type: "logistic" });
    expect([...labels(1).targets.data]).toEqual(Array.from(numbers(1), (value) => (value > 0 ? 1 : -1)));
    const rows = Array.from({ length: 4 }, (_, i) => [...numbers(3).subarray(3 * i, 3 * i + 3)]);
    expect([...labels(3).targets.data]).toEqual(rows.flatMap((row) => row.map((value) => (value === Math.max(...row) ? 1 : 0))));
  });
});

describe("networks of scenarios", () => {
  it("grow with the factor and have the defaults of their kind", () => {
    expect(fullyConnected("relu", [2, 3], [1, 2, 3], [0.1, 0.2, 0.3])(4)).toEqual({
      type: "fully-connected",
      activation: "relu",
      widths: [8, 12],
      weightVariance: [1, 2, 3],
      biasVariance: [0.1, 0.2, 0.3],
    });
    const layers = [
      { channels: 2, kernelSize: [3, 2] },
      { channels: 5, kernelSize: [1, 1], stride: [2, 1], padding: "zero", dilation: [1, 2] },
    ] as const;
    const conv = { inputShape: [1, 4, 4], layers, readout: "flatten", activation: "erf", weightVariance: [1, 2, 3] } as const;
    expect(convolutional(conv)(3)).toEqual({
      type: "convolutional",
      ...conv,
      layers: [
        { channels: 6, kernelSize: [3, 2], stride: [1, 1], padding: "circular", dilation: [1, 1] },
        { ...layers[1], channels: 15 },
      ],
      biasVariance: [0, 0, 0],
    });
    expect(convolutional({ ...conv, biasVariance: [1, 0, 2] })(1)).toMatchObject({ biasVariance: [1, 0, 2] });
    expect(sequential([3], (factor) => [{ layer: "dense", width: 2 * factor }])(5)).toEqual({
      type: "sequential",
      inputShape: [3],
      layers: [{ layer: "dense", width: 10 }],
    });
  });

  it("of plug-ins are checked by the registry, built-in ones have names of their own and data that fit their networks", () => {
    const network = (factor: number) => ({ type: "fully-connected", widths: [2 * factor], activation: "erf" }) as unknown as Network;
    const registry = createRegistry([...standardPlugins, { name: "mine", scenarios: [{ ...fields, name: "mine", network }] }]);
    const [mine] = pluginFamilies(registry);
    expect(mine!.build(3).problem.network).toMatchObject({ widths: [6], weightVariance: [1, 1], biasVariance: [0, 0] });
    expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
    for (const { name, factors, build, theories } of scenarios) {
      for (const { name: theory } of theories) expect(() => registry.theory(theory), name).not.toThrow();
      for (const factor of factors) {
        const { problem, testInputs } = build(factor);
        const size = inputSize(resolveArchitecture(registry, problem.network)) ?? problem.inputs.shape[1];
        expect([problem.inputs.shape[1], testInputs.shape[1]], name).toEqual([size, size]);
        expect(problem.targets.shape[0], name).toBe(problem.inputs.shape[0]);
      }
    }
  });

  it("are those of the table in the documentation, in its order; every theory of finite width has some", () => {
    const table = readFileSync(new URL("../../docs/verification.md", import.meta.url), "utf8");
    const listed = [...table.matchAll(/^\| [✓✗] \| ([^|]+) \| ([^|]+) \|/gm)].map(([, theory, name]) => `${theory} / ${name}`);
    const quick = scenarios.filter(({ suite }) => suite === "quick");
    expect([...new Set(listed)]).toEqual(quick.flatMap(({ name, theories }) => theories.map((one) => `${one.name} / ${name}`)));
    const checked = new Set(quick.flatMap(({ theories }) => theories.map(({ name }) => name)));
    const all = createRegistry(standardPlugins).theories.map(({ name }) => name);
    expect(all.filter((name) => !checked.has(name))).toEqual(["nngp"]);
  });
});
