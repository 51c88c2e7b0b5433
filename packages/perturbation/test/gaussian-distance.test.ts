import { createRegistry, inlineRun, matrixFromRows, resolveArchitecture, resolveNetworkInput, zeros, type Matrix } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { addDiagonal, gram } from "@finitewidth/linalg";
import { leadingDistance, sampledDistance, wassersteinBound } from "@finitewidth/numerics";
import { infiniteWidthKernels, realise } from "@finitewidth/kernels";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { describe, expect, test } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { perturbative, plugin } from "../src/index.js";

const registry = createRegistry([activations, fullyConnected, plugin]);
interface Fixture {
  readonly cases: readonly {
    readonly inputs: {
      readonly X: number[][];
      readonly activation: string;
      readonly widths: number[];
      readonly D: number;
      readonly T: number;
    };
    readonly expected: {
      readonly chi2Leading: number;
      readonly klLeading: number;
      readonly kernelFluctuation2: number;
      readonly wasserstein: number;
    };
  }[];
}
const { cases } = readFixture<Fixture>("evidence-trust/prior-distance");

async function lawOf({ X, activation, widths }: Fixture["cases"][number]["inputs"]) {
  const network = resolveNetworkInput({ type: "fully-connected", widths, activation } as { type: string }, registry);
  const inputs = matrixFromRows(X);
  const options = { engine: "auto" } as never;
  const law = await perturbative.prior!({ network, inputs, outputs: 1, evaluateAt: [], samples: 1 }, options, inlineRun({ registry }));
  const kernel = infiniteWidthKernels(resolveArchitecture(registry, network), inputs).preactivation.at(-1)!;
  return { kernel, shift: law.kernelMeanShift!, covariance: law.kernelCovariance! };
}

describe("distance of the prior to the Gaussian process", () => {
  test.each(cases.map((each, i) => [i, each] as const))("fixture prior-distance, case %d", async (_, { inputs, expected }) => {
    const { kernel, shift, covariance } = await lawOf(inputs);
    const total = addDiagonal(kernel, inputs.T);
    const found = leadingDistance(covariance, shift, total, inputs.D);
    expectClose([found.chiSquare, found.relativeEntropy], [expected.chi2Leading, expected.klLeading], { relative: 1e-7, absolute: 1e-14 });
    const points = kernel.shape[0];
    let fluctuation = 0;
    for (let ab = 0; ab < points * points; ab++) fluctuation += covariance.data[ab * (points * points + 1)]! + shift.data[ab]! ** 2;
    expectClose(fluctuation, expected.kernelFluctuation2, { relative: 1e-7 }, "E|K̂ − K|²");
    expectClose(wassersteinBound(fluctuation, total, inputs.T, inputs.D), expected.wasserstein, { relative: 1e-7 }, "Wasserstein");
  });

  test("doubling the width divides it by four (one hidden layer)", async () => {
    const [{ inputs }] = [cases[0]!];
    const at = async (width: number): Promise<number> => {
      const { kernel, shift, covariance } = await lawOf({ ...inputs, widths: [width] });
      return leadingDistance(covariance, shift, addDiagonal(kernel, 0.2), 1).chiSquare;
    };
    expectClose((await at(20)) / (await at(40)), 4, { relative: 1e-10 });
  });

  test("draws of the kernel give the same within their error; a shifted mean is seen", async () => {
    const [{ inputs }] = [cases[0]!];
    const { kernel, shift, covariance } = await lawOf(inputs);
    const exact = leadingDistance(covariance, shift, addDiagonal(kernel, inputs.T), inputs.D).chiSquare;
    const network = resolveNetworkInput(
      { type: "fully-connected", widths: inputs.widths, activation: inputs.activation } as { type: string },
      registry,
    );
    const realised = realise(resolveArchitecture(registry, network), matrixFromRows(inputs.X), 1);
    const random = stream(3);
    const draws = Array.from({ length: 300 }, (): Matrix => {
      const { features } = realised.forward(random.normals(new Float64Array(realised.parameters)));
      return gram(features);
    });
    const found = sampledDistance(draws, kernel, inputs.T, inputs.D, { meanKnown: true });
    expect(Math.abs(found.chiSquare - exact)).toBeLessThan(4 * found.standardError);
    expect(found.standardError).toBeLessThan(0.3 * exact);
    const moved = draws.map((draw) => ({ ...draw, data: draw.data.map((value) => value + 0.1) }));
    const far = sampledDistance(moved, kernel, inputs.T, inputs.D);
    expect(far.chiSquare - exact).toBeGreaterThan(4 * far.standardError);
    expect(leadingDistance({ ...covariance, data: covariance.data.map(() => 0) }, zeros(...shift.shape), kernel, 1).chiSquare).toBe(0);
  });
});
