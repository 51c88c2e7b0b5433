import { fit, matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { effectiveAction } from "../src/index.js";
import { image, inputs, network, registry, targets, two } from "./effective-action-problems.js";

const testInputs = matrixFromRows([inputs[0]!.map((x) => 0.3 * x + 0.2), inputs[1]!.map((x) => 0.5 - x)]);

it.each([
  { title: "sites", net: image, y: targets.map((value) => [value]) },
  { title: "sites and outputs", net: image, y: two },
  { title: "outputs", net: network("erf", [9]), y: two },
  { title: "chain of outputs", net: network("erf", [9, 8]), y: two, options: { closure: "product" } },
])("matrix order parameters at T = 0 are the limit of little noise: $title", async ({ net, y, options = {} }) => {
  const few = { inputs: inputs.slice(0, 3), targets: y.slice(0, 3) };
  const at = (temperature: number) => fit(effectiveAction, { network: net, ...few, temperature }, { registry, options: { ...options } });
  const [none, little] = [await at(0), await at(1e-9)];
  expectClose(none.posterior.train!.mean, matrixFromRows(few.targets), { absolute: 1e-9 }, "train mean");
  const [a, b] = [await none.predict(testInputs, { covariance: true }), await little.predict(testInputs, { covariance: true })];
  expectClose(a.mean, b.mean, { absolute: 1e-5 }, "mean");
  expectClose(a.variance, b.variance, { absolute: 1e-5 }, "variance");
  expectClose(a.covariance!, b.covariance!, { absolute: 1e-5 }, "covariance");
  expect(none.posterior.logEvidence === undefined).toBe(little.posterior.logEvidence === undefined);
  if (none.posterior.logEvidence !== undefined) expect(none.posterior.logEvidence).toBeCloseTo(little.posterior.logEvidence!, 4);
});

describe("matrix order parameters", () => {
  it("a silent second output leaves the first with both of its minima, and itself with one", async () => {
    const k = Array.from({ length: 8 }, (_, i) => (i < 6 ? 100 : 0.01));
    const rows = k.map((value, i) => k.map((_, j) => (i === j ? Math.sqrt(8 * value) : 0)));
    const y = k.map((value) => (value > 1 ? 0.3 : 7.7));
    const of = async (given: number[] | number[][]) =>
      (await fit(effectiveAction, { network: network("identity", [2]), inputs: rows, targets: given, temperature: 0.5 }, { registry }))
        .posterior;
    const [one, none, both] = [await of(y), await of(y.map(() => 0)), await of(y.map((value) => [value, 0]))];
    const minimaOf = (posterior: typeof one) =>
      posterior.diagnostics["minima"] as { orderParameter: number | number[][]; action: number }[];
    const silent = minimaOf(none)[0]!;
    expect(both.warnings.join()).toMatch(/the action has 2 minima/);
    expectClose(
      minimaOf(both).map(({ action }) => action),
      minimaOf(one).map(({ action }) => action + silent.action),
      { relative: 1e-8 },
    );
    minimaOf(both).forEach(
      ({ orderParameter }, i) =>
      expectClose(orderParameter as number[][], [[minimaOf(one)[i]!.orderParameter as number, 0], [0, silent.orderParameter as number]], { relative: 1e-5, absolute: 1e-6 }), // prettier-ignore
    );
    expectClose(both.orderParameter as never, minimaOf(both)[0]!.orderParameter as number[][], {});
  });
  it("fewer units than outputs, or than sites times outputs: a saddle without an evidence, and why", async () => {
    const three = two.map(([a, b], i) => [a!, b!, Math.cos(2 * i)]);
    const filters = (channels: number) => ({ ...image, layers: [{ ...image.layers[0]!, channels }] });
    for (const [net, y, text] of [
      [network("erf", [2]), three, "the width 2 is smaller than the number of outputs (3)"],
      [network("erf", [3]), three, undefined],
      [network("identity", [9, 2]), three, "the width 2 is smaller than the number of outputs (3)"],
      [filters(3), two, "the width 3 is smaller than the number of sites × outputs (4)"],
      [filters(4), two, undefined],
      [filters(1), targets, "the width 1 is smaller than the number of sites (2)"],
    ] as const) {
      const { posterior } = await fit(effectiveAction, { network: net, inputs, targets: y as number[][], temperature: 0.2 }, { registry });
      expect(posterior.warnings.find((warning) => warning.startsWith("the width"))?.slice(0, text?.length)).toBe(text);
      if (!("widths" in net) || (net.widths as number[]).length === 1) expect(posterior.logEvidence === undefined).toBe(text !== undefined);
      expect(posterior.solver).toMatchObject({ converged: true, jitter: 0 });
      expect(posterior.solver.residual).toBeLessThan(1e-6);
    }
  });
});

it("targets whose likelihood leaves double precision are told of as such, by an activation with a mean", async () => {
  const problem = { network: network("relu", [9]), inputs: [inputs[0]!.map((x) => 1e-20 * x)], targets: [[1]], temperature: 0 };
  await expect(fit(effectiveAction, problem, { registry })).rejects.toThrow(
    "the targets are so far from what the network can fit that their likelihood leaves double precision",
  );
});
