import { createRegistry, fit, matrixFromRows, zeros } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../tools/testing.ts";
import { standardPlugins } from "../src/index.js";

const registry = createRegistry(standardPlugins);
const inputs = [
  [1, 0.2, -0.5],
  [-0.4, 1.1, 0.6],
  [0.8, -0.3, 0.2],
];
const targets = [[1], [-0.7], [0.4]];
const testInputs = [
  [0.1, 0.9, -0.7],
  [1.2, -0.6, 0.3],
];
const network = (activation: string) => ({ type: "fully-connected", widths: [12], activation, weightVariance: [1.3, 0.9] });
interface Data {
  readonly inputs: number[][];
  readonly targets: number[][];
  readonly temperature: number;
}

/** Deterministic theories that answer a one-layer network of one output, with an activation and a scaling that suit them. */
const theories: readonly {
  readonly name: string;
  readonly activation: string;
  readonly scaling?: "mean-field";
  readonly options?: object;
}[] = [
  { name: "nngp", activation: "erf" },
  { name: "exact", activation: "identity" },
  { name: "effective-action", activation: "erf" },
  { name: "perturbative", activation: "erf", options: { engine: "exact" } },
  { name: "large-deviation", activation: "identity", scaling: "mean-field" },
  { name: "large-deviation", activation: "identity" },
  { name: "forward-backward", activation: "identity" },
];

function fitted({ name, activation, scaling, options = {} }: (typeof theories)[number], data: Data) {
  const problem = { network: network(activation), ...data, ...(scaling ? { scaling } : {}) };
  return fit(registry.theory(name), problem, { registry, options: { ...options } });
}

const answer = async (theory: (typeof theories)[number], data: Data) => (await fitted(theory, data)).predict(testInputs);

describe("one policy of all theories", () => {
  it.each(theories)("$name: every point twice is every point once at half the noise", async (theory) => {
    const twice = await answer(theory, {
      inputs: inputs.flatMap((x) => [x, x]),
      targets: targets.flatMap(([y]) => [[y! + 0.2], [y! - 0.2]]),
      temperature: 0.3,
    });
    const once = await answer(theory, { inputs, targets, temperature: 0.15 });
    expectClose(twice.mean, once.mean, { relative: 1e-6, absolute: 1e-9 }, "mean");
    expectClose(twice.variance, once.variance, { relative: 1e-6, absolute: 1e-9 }, "variance");
  });

  it.each(theories)("$name: at T = 0 three points of three features are interpolated", async (theory) => {
    const { posterior } = await fitted(theory, { inputs, targets, temperature: 0 });
    expectClose(posterior.train!.mean, matrixFromRows(targets), { relative: 1e-9, absolute: 1e-9 }, "train mean");
    expectClose(posterior.train!.variance, zeros(3, 1), { absolute: 1e-9 }, "train variance");
  });

  it.each(theories)("$name: at T = 0 points that repeat, with the same labels, change nothing", async (theory) => {
    const order = [0, 1, 0, 2, 2, 0];
    const rows = <Row>(values: readonly Row[]): Row[] => order.map((i) => values[i]!);
    const once = await fitted(theory, { inputs, targets, temperature: 0 });
    const often = await fitted(theory, { inputs: rows(inputs), targets: rows(targets), temperature: 0 });
    expectClose(often.posterior.train!.mean, matrixFromRows(rows(targets)), { relative: 1e-9, absolute: 1e-9 }, "train mean");
    const [one, six] = [await once.predict(testInputs, { covariance: true }), await often.predict(testInputs, { covariance: true })];
    expectClose(six.mean, one.mean, { relative: 1e-6, absolute: 1e-9 }, "mean");
    expectClose(six.variance, one.variance, { relative: 1e-6, absolute: 1e-9 }, "variance");
    if (one.covariance) expectClose(six.covariance!, one.covariance, { relative: 1e-6, absolute: 1e-9 }, "covariance");
    for (const [l, kernel] of (once.posterior.hiddenKernels ?? []).entries()) {
      const repeated = matrixFromRows(order.map((i) => order.map((j) => kernel.data[3 * i + j]!)));
      expectClose(often.posterior.hiddenKernels![l]!, repeated, { relative: 1e-6, absolute: 1e-9 }, `kernel of layer ${l + 1}`);
    }
    // orthonormal coordinates on the range stretch a point that is there n times by √n
    if (once.posterior.logEvidence !== undefined)
      expectClose(often.posterior.logEvidence!, once.posterior.logEvidence - 0.5 * Math.log(3 * 1 * 2), { absolute: 1e-6 }, "evidence");
    expect(often.posterior.warnings.join("\n")).toContain("kernel has rank 3 of 6: the log evidence is the density on its range");
  });

  it.each(theories)("$name: at T = 0 labels that contradict each other are refused in the same words", async (theory) => {
    const data = { inputs: [...inputs, inputs[0]!], targets: [...targets, [0.3]], temperature: 0 };
    await expect(fitted(theory, data)).rejects.toMatchObject({
      code: "input",
      path: "targets",
      message: expect.stringMatching(
        /^targets: expected no component outside the range of the kernel when the temperature is 0 \(.*\), got 0\.35/,
      ),
    });
  });

  const linear = theories.map((theory) => ({ ...theory, activation: "identity" }));
  it.each(linear)("$name: at T = 0 more points than features, with labels that a linear map makes, are no obstacle", async (theory) => {
    const more = [...inputs, [0.5, 0.5, 1], [2, -1, 0.25]];
    const labels = more.map(([a, b, c]) => [0.7 * a! - 0.2 * b! + 1.1 * c!]);
    const { posterior, predict } = await fitted(theory, { inputs: more, targets: labels, temperature: 0 });
    expectClose(posterior.train!.mean, matrixFromRows(labels), { relative: 1e-8, absolute: 1e-8 }, "train mean");
    const { mean, variance } = await predict(testInputs);
    expectClose(mean, matrixFromRows(testInputs.map(([a, b, c]) => [0.7 * a! - 0.2 * b! + 1.1 * c!])), { absolute: 1e-8 }, "mean");
    expectClose(variance, zeros(2, 1), { absolute: 1e-8 }, "variance");
    const [first, second] = (posterior.hiddenKernels ?? []).map(({ shape }) => shape);
    for (const shape of [first, second]) if (shape) expect(shape).toEqual([5, 5]);
  });
});
