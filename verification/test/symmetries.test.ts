import { createRegistry, fit } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../tools/testing.ts";
import { standardPlugins } from "../src/index.js";

const registry = createRegistry(standardPlugins);
const inputs = [[1, 0.2, -0.5], [-0.4, 1.1, 0.6], [0.8, -0.3, 0.2], [0.3, 0.7, -1.2]]; // prettier-ignore
const targets = [[1, -0.3, 0.6], [-0.7, 0.9, 0.1], [0.4, 0.5, -0.8], [-0.2, -1.1, 0.3]]; // prettier-ignore
const tests = [[0.1, 0.9, -0.7], [1.2, -0.6, 0.3]]; // prettier-ignore

interface Case {
  readonly name: string;
  readonly activation?: string;
  readonly widths?: readonly number[];
  readonly outputs?: number;
  readonly scaling?: "mean-field";
  readonly options?: object;
  /** Hidden biases where the theory takes them. */
  readonly biased?: boolean;
  /** Laplace's approximation in Cholesky coordinates: another order of the outputs changes the evidence by its own error, O(1/N). */
  readonly ordered?: boolean;
}
/** Theories whose draws, if any, do not depend on coordinates, with as much as each can take: several outputs, two layers, biases. */
const cases: readonly Case[] = [
  { name: "nngp", outputs: 3, widths: [12, 9], biased: true },
  { name: "exact", widths: [12, 9], biased: true },
  { name: "effective-action", biased: true },
  { name: "effective-action", outputs: 3 },
  { name: "effective-action", widths: [12, 9], options: { draws: 0 } },
  { name: "effective-action", activation: "relu", options: { draws: 0 }, biased: true },
  { name: "large-deviation", activation: "identity", outputs: 3, widths: [12, 9], ordered: true },
  { name: "large-deviation", activation: "identity", widths: [12, 9], scaling: "mean-field" },
  { name: "forward-backward", activation: "identity", outputs: 3, widths: [12, 9] },
  { name: "perturbative", outputs: 3, widths: [12, 9], biased: true },
];

interface Data {
  readonly inputs: readonly (readonly number[])[];
  readonly targets: readonly (readonly number[])[];
  readonly tests: readonly (readonly number[])[];
  readonly temperature: number;
  /** Factors of the variances of the first weights, the readout weights and the readout biases. */
  readonly first?: number;
  readonly readout?: number;
}
const data: Data = { inputs, targets, tests, temperature: 0.3 };

async function answer(one: Case, { first = 1, readout = 1, ...data }: Data) {
  const { name, widths = [12], outputs = 1, scaling, options = {}, biased } = one;
  const activation = one.activation ?? (name === "exact" ? "identity" : "erf");
  const fitted = await fit(
    registry.theory(name),
    {
      network: {
        type: "fully-connected",
        widths,
        activation,
        weightVariance: [1.3 * first, ...widths.slice(1).map(() => 0.8), 1.7 * readout],
        biasVariance: [biased ? 0.2 : 0, ...widths.slice(1).map(() => 0), biased ? 0.4 * readout : 0],
      },
      inputs: data.inputs,
      targets: data.targets.map((row) => row.slice(0, outputs)),
      temperature: data.temperature,
      ...(scaling ? { scaling } : {}),
    },
    { registry, options: { ...options } },
  );
  const { mean, variance } = await fitted.predict(data.tests);
  return { mean: mean.data, variance: variance.data, evidence: fitted.posterior.logEvidence, kernels: fitted.posterior.hiddenKernels };
}
type Answer = Awaited<ReturnType<typeof answer>>;

const close = { relative: 1e-6, absolute: 1e-8 };
function expectAnswer(found: Answer, mean: ArrayLike<number>, variance: ArrayLike<number>, evidence: number | undefined): void {
  expectClose(found.mean, mean, close, "mean");
  expectClose(found.variance, variance, close, "variance");
  expect(found.evidence === undefined).toBe(evidence === undefined);
  if (evidence !== undefined) expectClose(found.evidence!, evidence, close, "log evidence");
}
const order = [2, 0, 3, 1];
const permuted = <T>(rows: readonly T[]): T[] => order.map((i) => rows[i]!);
/** Rotation about an axis that is none of the coordinates. */
const rotated = (rows: readonly (readonly number[])[]): number[][] => {
  const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
  return rows.map(([x, y, z]) => [c * x! - s * y!, c * (s * x! + c * y!) - s * z!, s * (s * x! + c * y!) + c * z!]);
};

describe.each(cases)("symmetries: $name, $activation, $widths, $outputs outputs, $scaling", (one) => {
  const { outputs = 1 } = one;
  const asked = answer(one, data);

  it("points in another order, inputs rotated", async () => {
    const { mean, variance, evidence, kernels } = await asked;
    const found = await answer(one, { ...data, inputs: permuted(rotated(inputs)), targets: permuted(targets), tests: rotated(tests) });
    expectAnswer(found, mean, variance, evidence);
    kernels?.forEach(
      ({ data: kernel }, l) =>
      expectClose(found.kernels![l]!.data, order.flatMap((i) => order.map((j) => kernel[i * 4 + j]!)), close, `kernel ${l + 1}`), // prettier-ignore
    );
  });

  it("test points alone and the other way round", async () => {
    const { mean, variance, evidence } = await asked;
    const reversed = await answer(one, { ...data, tests: tests.toReversed() });
    const turned = (values: Float64Array): number[] => [...values.subarray(outputs), ...values.subarray(0, outputs)];
    expectAnswer(reversed, turned(mean), turned(variance), evidence);
    const alone = await answer(one, { ...data, tests: [tests[1]!] });
    expectAnswer(alone, mean.subarray(outputs), variance.subarray(outputs), evidence);
  });

  it("outputs in units of their own: targets, noise and readout; inputs in those of the first weights", async () => {
    const { mean, variance, evidence } = await asked;
    const c = 2.5;
    const scale = (rows: Data["inputs"], by: number): number[][] => rows.map((row) => row.map((x) => by * x));
    const found = await answer(one, { ...data, targets: scale(targets, c), temperature: c * c * data.temperature, readout: c * c });
    expectAnswer(
      found,
      mean.map((m) => c * m),
      variance.map((v) => c * c * v),
      evidence === undefined ? undefined : evidence - outputs * targets.length * Math.log(c),
    );
    const moved = await answer(one, { ...data, inputs: scale(inputs, c), tests: scale(tests, c), first: 1 / (c * c) });
    expectAnswer(moved, mean, variance, evidence);
  });

  it("outputs turned round, several of them in another order", async () => {
    const { mean, variance, evidence } = await asked;
    const found = await answer(one, { ...data, targets: targets.map(([a, b, c]) => (outputs > 1 ? [-c!, a!, b!] : [-a!])) });
    const turn = (values: Float64Array, sign: number): number[] =>
      outputs > 1
        ? [0, 1].flatMap((t) => [sign * values[3 * t + 2]!, values[3 * t]!, values[3 * t + 1]!])
        : Array.from(values, (value) => sign * value);
    expectAnswer(found, turn(mean, -1), turn(variance, 1), one.ordered ? found.evidence : evidence);
  });
});
