import { fit, type Matrix, type MixingLaw, type Theory } from "@finitewidth/core";
import { symmetricEigenvalues } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { largeDeviation } from "../src/index.js";
import { warningsOf } from "../src/rate-function/report.js";
import { claimsAbout, testRegistry } from "./registry.ts";

const registry = testRegistry();
const rows = (points: number, columns: number): number[][] =>
  Array.from({ length: points }, (_, i) => Array.from({ length: columns }, (__, j) => Math.sin(3 * i + 5 * j + 1) * (1 + j)));
const input = (outputs: number, scaling: "standard" | "mean-field" = "standard") => ({
  network: { type: "fully-connected", widths: [5, 9], activation: "identity", weightVariance: [1.3, 0.7, 1.6] },
  inputs: rows(4, 3),
  targets: rows(4, outputs),
  temperature: 0.3,
  scaling,
});
interface Lines {
  readonly title: string;
  readonly series: { readonly label: string; readonly x: Float64Array; readonly y: Float64Array }[];
  readonly marks?: { readonly label: string; readonly x: number }[];
}

describe("what large deviations draw and claim", () => {
  it.each(["standard", "mean-field"] as const)(
    "the action of one output has its minimum at the order parameter, %s scaling",
    async (scaling) => {
      const { posterior } = await fit(largeDeviation as Theory, input(1, scaling), { registry });
      const action = posterior.figures!.find((figure) => "title" in figure && figure.title.startsWith("Action")) as unknown as Lines;
      const q = posterior.orderParameter as number;
      expect(action.marks!.map(({ label }) => label)).toEqual(["q*", "infinite width"]);
      expectClose(
        action.marks!.map(({ x }) => x),
        [q, 0.7 * 1.6],
        { relative: 1e-10 },
      );
      const [{ x, y }] = action.series as [Lines["series"][number]];
      expect(Math.min(...y)).toBeGreaterThan(-1e-12);
      const least = y.indexOf(Math.min(...y));
      expect(x[least - 1]! < q && q < x[least + 1]!).toBe(true);
      // a parabola through the three lowest points in log q stands at 0 there
      const [a, b, c] = [y[least - 1]!, y[least]!, y[least + 1]!];
      expect(Math.abs(b - (a - c) ** 2 / (8 * (a - 2 * b + c)))).toBeLessThan(1e-3 * Math.max(a, c));
    },
  );

  it("eigenvalues of the mixing matrix of three outputs beside those of infinite width", async () => {
    const { posterior } = await fit(largeDeviation as Theory, input(3), { registry });
    const figure = posterior.figures!.find((one) => "title" in one && one.title.startsWith("Eigenvalues")) as unknown as Lines;
    const values = symmetricEigenvalues(posterior.orderParameter as Matrix);
    expect(figure.series.map(({ x }) => [...x])).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expectClose(figure.series[0]!.y, values, { relative: 1e-9 });
    expectClose(figure.series[1]!.y, [1.12, 1.12, 1.12], { relative: 1e-12 });
    expect(posterior.diagnostics["referenceWidth"]).toBe(9);
  });

  it("claims variances and kernels with mean-field scaling only, the evidence in standard scaling only", async () => {
    const ids = async (scaling: "standard" | "mean-field") =>
      (await claimsAbout(largeDeviation, input(2, scaling), rows(2, 3))).map(({ id, error, estimand }) => [id, error, estimand.quantity, estimand.layer]); // prettier-ignore
    expect(await ids("standard")).toEqual([
      ["predictive-mean", { order: 0.5 }, "predictive.mean", undefined],
      ["log-evidence", { order: 1 }, "logEvidence", undefined],
    ]);
    expect(await ids("mean-field")).toEqual([
      ["predictive-mean", { order: 1 }, "predictive.mean", undefined],
      ["predictive-variance", { order: 2 }, "predictive.variance", undefined],
      ["hidden-kernel-1", { order: 1 }, "hiddenKernel", 1],
      ["hidden-kernel-2", { order: 1 }, "hiddenKernel", 2],
    ]);
  });
});

describe("two minima", () => {
  // one output has them at log q = 10.4889 and 0.0769; an output without targets has q = 1, and outputs may be turned
  const [y, angle] = [Math.sqrt(800 * Math.exp(10)), 0.4];
  const solve = (targets: number[][], biasVariance: number[]) =>
    fit(
      largeDeviation as Theory,
      {
        network: { type: "fully-connected", widths: [400, 400], activation: "identity", biasVariance },
        inputs: [[1]],
        targets,
        temperature: Math.exp(10),
        scaling: "mean-field",
      },
      { registry },
    );
  const actions = [335.3281987004208, 399.98113815588044];
  it.each([
    ["several outputs", [[y * Math.cos(angle), y * Math.sin(angle)]], [0, 0, 0], 1e-9],
    ["biases above the first layer", [[y]], [0, 1e-9, 0], 1e-7],
  ])("%s: both, the lower one first, and a warning with their difference", async (_, targets, biasVariance, relative) => {
    const { posterior } = await solve(targets, biasVariance);
    const minima = posterior.diagnostics["minima"] as { action: number; q: number | number[][] }[];
    expectClose(
      minima.map(({ action }) => action),
      actions,
      { relative },
    );
    expect(posterior.diagnostics["action"]).toBe(minima[0]!.action);
    expect(posterior.warnings).toEqual([
      "2 minima: different starts disagree; the second lies 64.7 higher in action, 2.59e+4 in log evidence",
    ]);
    minima.forEach(({ q }, k) => {
      const large = Math.exp([10.488883928864698, 0.07694274047919185][k]!);
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      const expected =
        targets[0]!.length === 1 ? large : [large * c * c + s * s, (large - 1) * c * s, (large - 1) * c * s, large * s * s + c * c];
      expectClose(q, expected, { relative: 1e-6 });
    });
  });
});

describe("warnings", () => {
  const layer = (width: number, sites: number) => ({ width, sites });
  const said = (layers: object[], solver: object, minima: object[], outputs: number) =>
    warningsOf(
      { chain: { layers } } as unknown as MixingLaw,
      { solver, minima } as unknown as Parameters<typeof warningsOf>[1],
      outputs,
      40,
    );
  const [solved, one] = [{ converged: true, residual: 1e-9 }, [{ action: 1.25 }]];
  it.each([
    ["nothing", [layer(6, 3), layer(2, 1)], solved, one, []],
    ["no convergence", [layer(6, 3)], { converged: false, residual: 0.01234 }, one, [/^the minimiser did not converge: largest gradient 0\.012$/]],
    ["a layer narrower than outputs × sites", [layer(6, 3), layer(1, 1), layer(5, 3)], solved, one, [/^a layer of 1 units is narrower than its mixing matrix \(2\)/]],
    ["three minima", [layer(9, 1)], solved, [{ action: 1.25 }, { action: 1.375 }, { action: 9 }], [/^3 minima: .* the second lies 0\.125 higher in action, 5\.00 in log evidence$/]],
  ] as const)("%s", (_, layers, solver, minima, expected) => {
    const found = said([...layers], solver, [...minima], 2);
    expect(found).toHaveLength(expected.length);
    expected.forEach((pattern, k) => expect(found[k]).toMatch(pattern));
  }); // prettier-ignore
});
