import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit } from "@finitewidth/core";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { requireSettled } from "../src/fit.js";
import { expectationPropagation, plugin } from "../src/index.js";

const registry = createRegistry([activations, fullyConnected, plugin]);
const normals = (rows: number, columns: number, seed: number, scale = 1) => {
  const random = stream(seed);
  return { data: Float64Array.from({ length: rows * columns }, () => scale * random.normal()), shape: [rows, columns] as const };
};
const strong = (activation: string, temperature: number, [first, second, scale] = [1, 2, 12]) => ({
  network: { type: "fully-connected", widths: [7], activation },
  inputs: normals(4, 4, first),
  targets: normals(4, 1, second, scale),
  temperature,
});

describe("equations that are not solved", () => {
  it.each([
    [0, 'moved the field by .* %, as labels .*; use "monte-carlo" with a temperature > 0, more units'],
    [1e-4, 'moved the field by .* %, as labels .*; use "monte-carlo", more units'],
  ])("are refused with the alternative, T = %d", async (temperature, message) => {
    const options = { particles: 200, sweeps: 20 };
    await expect(fit(expectationPropagation, strong("erf", temperature), { registry, options })).rejects.toMatchObject({
      message: expect.stringMatching(message) as string,
      code: "not-converged",
    });
  });

  it("are told of as such where the field runs away", async () => {
    const options = { particles: 200, sweeps: 20 };
    await expect(fit(expectationPropagation, strong("gelu", 0, [5, 55, 30]), { registry, options })).rejects.toThrow(
      "[expectation-propagation] the equations are not solved: the field ran away, as labels too strong",
    );
  });

  it("count where their branch does", () => {
    const check = (...of: (readonly [probability: number, residual: number])[]) =>
      requireSettled(
        of.map(([probability, residual]) => ({ probability, residual })),
        { temperature: 1 },
      );
    check([0.6, 0.19], [0.4, 0.01]);
    check([0.95, 0.01], [0.05, 20]);
    expect(() => check([0.6, 0.21], [0.4, 0.01])).toThrow("moved the field by 21 %");
    expect(() => check([0.6, 0.01], [0.4, 20])).toThrow("moved the field by 2000 %");
    expect(() => check([1, Number.NaN])).toThrow("not solved");
  });
});

it("where every unit would align a solution, however settled, is said to be a guess", async () => {
  const problem = { ...strong("erf", 0.5), inputs: normals(8, 7, 1), targets: normals(8, 1, 2, 6) };
  const { posterior } = await fit(expectationPropagation, problem, { registry, options: { particles: 200, sweeps: 20 } });
  expect(posterior.solver.residual).toBeLessThan(0.08);
  expect(posterior.warnings).toEqual([expect.stringMatching(/^every unit would align with the labels.* no more than a guess/)]);
});
