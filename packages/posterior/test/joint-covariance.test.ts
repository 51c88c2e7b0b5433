import { fit, type Theory } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { exact, nngp } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const rows = (seed: number, n: number, m: number): number[][] => {
  const random = stream(51, seed);
  return Array.from({ length: n }, () => [...random.normals(new Float64Array(m))]);
};

describe("joint covariances", () => {
  it.each([
    ["exact, one output, biases of the first layer and the readout", exact, 1, [6], [0.3, 0.7]],
    ["exact, one output, two layers, readout bias", exact, 1, [6, 9], [0, 0, 0.9]],
    ["exact, two outputs", exact, 2, [7], [0, 0]],
    ["exact, two outputs, bias of the first layer", exact, 2, [5], [0.4, 0]],
    // rotations of two outputs can be symmetric, those of three cannot
    ["exact, three outputs", exact, 3, [9], [0, 0]],
    ["nngp, two outputs, biases", nngp, 2, [6, 9], [0.3, 0.2, 0.5]],
  ] as const)(
    "%s: their diagonal is the variance, their blocks are symmetric and positive",
    async (_, theory, outputs, widths, biasVariance) => {
      const network = {
        type: "fully-connected",
        widths,
        activation: "identity",
        biasVariance,
        weightVariance: biasVariance.map((_b, l) => 0.8 + 0.5 * l),
      };
      const problem = {
        network,
        inputs: rows(1, 4, 3),
        targets: rows(2, 4, outputs).map((row) => row.map((y, a) => (1 + 3 * a) * y)),
        temperature: 0.2,
      };
      const { predict } = await fit(theory as Theory, problem, { registry, seed: 3 });
      const { variance, covariance } = await predict(rows(3, 3, 3), { covariance: true });
      const n = 3 * outputs;
      expect(covariance!.shape).toEqual([n, n]);
      const at = (i: number, j: number): number => covariance!.data[i * n + j]!;
      expectClose(
        Array.from({ length: n }, (_entry, i) => at(i, i)),
        variance.data,
        { relative: 1e-9 },
      );
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < i; j++) {
          expectClose(at(i, j), at(j, i), { absolute: 1e-12 });
          expect(at(i, j) ** 2).toBeLessThanOrEqual(at(i, i) * at(j, j) * (1 + 1e-9));
        }
      }
    },
  );

  it("a readout bias that the data fix leaves the differences of points their variance: Var(f₁ − f₂) does not grow with σ_b²", async () => {
    const spread = async (bias: number): Promise<number> => {
      const network = { type: "fully-connected", widths: [8], activation: "identity", biasVariance: [0, bias] };
      const { predict } = await fit(exact, { network, inputs: rows(4, 6, 2), targets: rows(5, 6, 1), temperature: 0.3 }, { registry });
      const { covariance } = await predict(rows(6, 2, 2), { covariance: true });
      const [a, b, , d] = covariance!.data as unknown as [number, number, number, number];
      return a + d - 2 * b;
    };
    const [some, more] = [await spread(1e3), await spread(1e5)];
    expectClose(some, more, { relative: 1e-2 });
  });
});
