import { createRegistry, fit, matrixFromRows, rowsOf, zeros } from "@finitewidth/core";
import { cholesky, multiplyTransposedLeft, multiplyTransposedRight, solveCholesky, transpose } from "@finitewidth/linalg";
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

/** Every theory and regime, with several outputs and without, a readout bias and without: what the kernel and the noise are asked to be. */
interface Variant {
  readonly label: string;
  readonly name: string;
  readonly activation: string;
  readonly widths?: number[];
  readonly scaling?: "mean-field";
  readonly options?: object;
  readonly outputs?: readonly number[];
}
const variants: readonly Variant[] = [
  { label: "nngp", name: "nngp", activation: "erf" },
  { label: "exact", name: "exact", activation: "identity", outputs: [1] },
  { label: "effective-action", name: "effective-action", activation: "erf" },
  { label: "effective-action, saddle", name: "effective-action", activation: "erf", options: { mode: "saddle" }, outputs: [1] },
  { label: "effective-action, mean", name: "effective-action", activation: "relu" },
  { label: "effective-action, deep", name: "effective-action", activation: "erf", widths: [12, 10], outputs: [1] },
  {
    label: "effective-action, affine closure",
    name: "effective-action",
    activation: "erf",
    widths: [12, 10],
    options: { closure: "affine" },
    outputs: [1],
  },
  { label: "effective-action, chain", name: "effective-action", activation: "identity", widths: [12, 10] },
  { label: "perturbative", name: "perturbative", activation: "erf", options: { engine: "exact" } },
  { label: "perturbative, linear", name: "perturbative", activation: "identity" },
  { label: "large-deviation", name: "large-deviation", activation: "identity" },
  { label: "large-deviation, mean-field", name: "large-deviation", activation: "identity", scaling: "mean-field", outputs: [1] },
  { label: "forward-backward", name: "forward-backward", activation: "identity" },
];
const asked = variants.flatMap((variant) =>
  (variant.outputs ?? [1, 2]).flatMap((outputs) =>
    [0, 0.2].map((bias) => ({
      ...variant,
      outputs,
      bias,
      title: `${variant.label}, ${outputs} output${outputs > 1 ? "s" : ""}${bias > 0 ? ", readout bias" : ""}`,
    })),
  ),
);
const labels = [
  [1, 0.3],
  [-0.7, 0.5],
  [0.4, -1],
];
const columns = (rows: readonly number[][], count: number): number[][] => rows.map((row) => row.slice(0, count));

function solved({ name, activation, widths = [12], scaling, options = {}, bias }: (typeof asked)[number], data: Data) {
  const weightVariance = [1.3, 0.9, 1.1].slice(0, widths.length + 1);
  const network = { type: "fully-connected", widths, activation, weightVariance, biasVariance: [...widths.map(() => 0), bias] };
  return fit(registry.theory(name), { network, ...data, ...(scaling ? { scaling } : {}) }, { registry, options: { ...options } });
}

describe("one policy at T = 0 and just above", () => {
  it.each(asked)("$title: at T = 0 repeated points change nothing", async (one) => {
    const targets = columns(labels, one.outputs);
    const order = [0, 1, 0, 2, 2, 0];
    const rows = <Row>(values: readonly Row[]): Row[] => order.map((i) => values[i]!);
    const once = await solved(one, { inputs, targets, temperature: 0 });
    const often = await solved(one, { inputs: rows(inputs), targets: rows(targets), temperature: 0 });
    const [few, many] = [await once.predict(testInputs), await often.predict(testInputs)];
    expectClose(often.posterior.train!.mean, matrixFromRows(rows(targets)), { absolute: 1e-9 }, "train mean");
    expectClose(many.mean, few.mean, { relative: 1e-7, absolute: 1e-9 }, "mean");
    expectClose(many.variance, few.variance, { relative: 1e-7, absolute: 1e-9 }, "variance");
    if (once.posterior.logEvidence !== undefined)
      expect(often.posterior.logEvidence).toBeCloseTo(once.posterior.logEvidence - 0.5 * one.outputs * Math.log(6), 6);
  });

  // with a bias the sweeps of forward-backward stop before such strong data and say so, and the minimiser over matrices takes a minute
  const quick = asked.filter(
    ({ name, bias, outputs, scaling }) =>
      bias === 0 || !(name === "forward-backward" || (name === "large-deviation" && (outputs > 1 || scaling !== undefined))),
  );
  it.each(quick)("$title: noise below rounding, every point twice", async (one) => {
    const targets = columns(labels, one.outputs);
    for (const temperature of [1e-6, 1e-9, 1e-12]) {
      const split = Math.sqrt(temperature);
      const once = await solved(one, { inputs, targets, temperature: temperature / 2 });
      const twice = await solved(one, {
        inputs: inputs.flatMap((x) => [x, x]),
        targets: targets.flatMap((y) => [y.map((value) => value + split), y.map((value) => value - split)]),
        temperature,
      });
      const [few, many] = [await once.predict(testInputs), await twice.predict(testInputs)];
      expectClose(many.mean, few.mean, { relative: 1e-7, absolute: 1e-7 }, `mean at T = ${temperature}`);
      expectClose(many.variance, few.variance, { relative: 1e-7, absolute: 1e-7 }, `variance at T = ${temperature}`);
      expectClose(
        twice.posterior.train!.mean,
        matrixFromRows(rowsOf(once.posterior.train!.mean).flatMap((row) => [row, row])),
        { absolute: 1e-7 },
        `train mean at T = ${temperature}`,
      );
      // the difference of a pair is noise alone: a density of its own
      const pairs = 3 * one.outputs * (Math.log(2 * Math.PI * temperature) + Math.log(2) + (2 * split ** 2) / temperature);
      const [whole, half] = [twice.posterior.logEvidence, once.posterior.logEvidence];
      if (one.scaling === undefined && whole !== undefined && half !== undefined) expect(whole).toBeCloseTo(half - 0.5 * pairs, 5);
    }
  });

  it.each(asked.filter(({ activation, bias }) => activation === "identity" && bias > 0))(
    "$title: at T = 0 the data fix a bias that no linear map makes",
    async (one) => {
      const more = [...inputs, [0.5, 0.5, 1], [2, -1, 0.25]];
      const made = (x: readonly number[]): number[] =>
        columns([[0.4 + 0.7 * x[0]! - 0.2 * x[1]! + 1.1 * x[2]!, -0.3 + 0.5 * x[1]!]], one.outputs)[0]!;
      const { posterior, predict } = await solved(one, { inputs: more, targets: more.map(made), temperature: 0 });
      expectClose(posterior.train!.mean, matrixFromRows(more.map(made)), { absolute: 1e-8 }, "train mean");
      const { mean, variance } = await predict(testInputs);
      expectClose(mean, matrixFromRows(testInputs.map(made)), { absolute: 1e-8 }, "mean");
      expectClose(variance, zeros(2, one.outputs), { absolute: 1e-8 }, "variance");
      const none = await solved(
        { ...one, bias: 0 },
        { inputs: more, targets: more.map((x) => made(x).map((y, a) => y - [0.4, -0.3][a]!)), temperature: 0 },
      );
      if (posterior.logEvidence === undefined || one.scaling !== undefined) return;
      // along the unit vector that X does not span the density is that of b 1ᵀu
      const x = matrixFromRows(more);
      const hat = multiplyTransposedRight(transpose(solveCholesky(cholesky(multiplyTransposedLeft(x, x)), transpose(x))), x);
      const outside = hat.data.map((value, at) => (at % 6 === 0 ? 1 : 0) - value);
      const squared = outside.reduce((sum, value) => sum + value, 0);
      const ofBias = columns([[0.4, -0.3]], one.outputs)[0]!.reduce(
        (sum, b) => sum - 0.5 * (Math.log(2 * Math.PI * one.bias * squared) + b ** 2 / one.bias),
        0,
      );
      expect(posterior.logEvidence).toBeCloseTo(none.posterior.logEvidence! + ofBias, 6);
    },
  );
});
