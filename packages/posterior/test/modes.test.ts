import { fit } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { exact } from "../src/index.js";
import { posteriorModes } from "../src/scalar/posterior.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();

describe("modes of the mixing variable", () => {
  const density = (f: (u: number) => number) => {
    const logQ = Float64Array.from({ length: 400 }, (_, i) => -4 + i / 50);
    return posteriorModes({ logQ, logIntegrand: logQ.map(f) });
  };
  const two = (gap: number, second: number) => (u: number) =>
    Math.log(Math.exp(-8 * (u + gap) ** 2) + second * Math.exp(-8 * (u - gap) ** 2));

  it("counts maxima with a dip between, and drops those of no weight", () => {
    expect(density((u) => -u * u)).toEqual([1]);
    expect(density(two(1, 0.2)).map((q) => Math.log(q).toFixed(2))).toEqual(["-1.00", "1.00"]);
    expect(density(two(1, 1e-5))).toHaveLength(1);
    expect(density(two(0.2, 1))).toHaveLength(1);
    expect(density((u) => u)).toHaveLength(1);
    expect(density((u) => -u * u + 1e-6 * Math.sin(40 * u))).toHaveLength(1);
  });

  it("one point, widths 5, 5, 5, T = 30, y = 32.55: two modes, told and drawn", async () => {
    const network = { type: "fully-connected", widths: [5, 5, 5], activation: "identity" };
    const { posterior } = await fit(exact, { network, inputs: [[1]], targets: [32.55], temperature: 30 }, { registry });
    const { modes } = posterior.diagnostics as { modes: number[] };
    const figure = posterior.figures![0]! as { marks?: { label: string; x: number }[] };
    expect(modes).toHaveLength(2);
    expect(posterior.warnings.join()).toMatch(/2 modes, at q = /);
    // one hump beside another, not two separate ones: chains of the network cross
    expect(posterior.modes).toBeUndefined();
    expect(figure.marks!.filter(({ label }) => label.startsWith("mode")).map(({ x }) => x)).toEqual(modes);
    expect(modes[0]).toBeCloseTo(2.38, 1);
    expect(modes[1]).toBeCloseTo(8.73, 1);
  });
});
