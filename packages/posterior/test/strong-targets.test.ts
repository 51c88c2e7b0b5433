import { readFileSync } from "node:fs";
import { fit } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { flatten } from "../../../tools/testing.ts";
import { exact } from "../src/index.js";
import { testRegistry } from "./registry.ts";

interface Estimate<T> {
  readonly value: T;
  readonly standardError: T;
}

interface Case {
  readonly name: string;
  readonly network: { readonly widths: readonly number[]; readonly biasVariance: number };
  readonly temperature: number;
  readonly inputs: number[][];
  readonly targets: number[][];
  readonly testInputs: number[][];
  readonly expected: {
    readonly logEvidence: Estimate<number>;
    readonly mixing: Estimate<number[]>;
    readonly mean: Estimate<number[][]>;
    readonly variance: Estimate<number[][]>;
  };
}

const { cases } = JSON.parse(readFileSync(new URL("goldens/strong-targets.json", import.meta.url), "utf8")) as {
  readonly cases: readonly Case[];
};
const registry = testRegistry();
const linear = (network: object) => ({ type: "fully-connected", activation: "identity", ...network });

/** Every |difference| within five standard errors of both estimates, and `rounding`. */
function agree(actual: number[], own: number[], { value, standardError }: Estimate<unknown>, rounding: number): void {
  const [expected, error] = [flatten(value as number[]), flatten(standardError as number[])];
  actual.forEach((entry, i) => expect(Math.abs(entry - expected[i]!)).toBeLessThan(5 * Math.hypot(error[i]!, own[i] ?? 0) + rounding));
}

const largest = (values: readonly number[]): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe("targets far beyond the prior, little noise, biases", () => {
  it.each(cases.map((one) => [one.name, one] as const))("%s: like importance sampling of the Wishart matrices", async (_, one) => {
    const { network, temperature, inputs, targets, expected } = one;
    const problem = { network: linear(network), inputs, targets, temperature };
    const { posterior, predict } = await fit(exact, problem, { registry, seed: 5 });
    expect(posterior.warnings.filter((warning) => !warning.includes("rank"))).toEqual([]);
    // the constant of targets outside the range of the kernel is known to its own rounding only
    const { logEvidence, orderParameter, standardError } = posterior;
    agree([logEvidence!], [standardError?.logEvidence as number], expected.logEvidence, 1e-14 * Math.abs(logEvidence!));
    const errors = standardError?.orderParameter;
    agree(flatten(orderParameter!), errors === undefined ? [] : flatten(errors), expected.mixing, 0);
    // the reference takes variances as differences of numbers of the size of the prior's
    const prior = largest(expected.mixing.value) * largest(one.testInputs.map((x) => x.reduce((sum, v) => sum + v * v, 1)));
    const { mean, variance, standardError: spread } = await predict(one.testInputs);
    agree([...mean.data], spread ? [...spread.mean.data] : [], expected.mean, 1e-12 * largest(flatten(targets)));
    agree([...variance.data], spread ? [...spread.variance.data] : [], expected.variance, 1e-14 * prior);
  });

  it("a layer narrower than the outputs: the same whatever the axes of the targets", async () => {
    const { inputs, targets } = cases[1]!;
    const evidence = async (turned: number[][]): Promise<number> =>
      (await fit(exact, { network: linear({ widths: [1] }), inputs, targets: turned, temperature: 1e-4 }, { registry })).posterior
        .logEvidence!;
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
    const [one, other] = [await evidence(targets), await evidence(targets.map(([a, b]) => [c * a! - s * b!, s * a! + c * b!]))];
    expect(one).toBeLessThan(-1e8);
    expect(Math.abs(one - other)).toBeLessThan(1e-14 * Math.abs(one) + 1e-6);
  });

  it("refuses in a sentence where Float64 does not resolve the likelihood", async () => {
    const { inputs, targets } = cases[1]!;
    const problem = { network: linear({ widths: [1] }), inputs, targets, temperature: 1e-9 };
    await expect(fit(exact, problem, { registry })).rejects.toThrow(/Float64 resolves .* raise the temperature/);
  });
});

it.each([1e16, 1e18, 1e33])(
  "one output: a likelihood that Float64 does not resolve is refused, targets %d",
  async (size) => {
    const problem = { network: linear({ widths: [2] }), inputs: [[1]], targets: [size], temperature: 0 };
    await expect(fit(exact, problem, { registry })).rejects.toThrow(
      "[exact] the targets are so far from what the network can fit that Float64 resolves their log likelihood",
    );
  },
  5000,
);
