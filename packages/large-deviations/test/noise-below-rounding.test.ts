import { readFileSync } from "node:fs";
import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit, type Theory } from "@finitewidth/core";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { describe, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { plugin } from "../src/index.js";

interface Case {
  readonly id: string;
  readonly input: {
    readonly data: { readonly train: { inputs: number[][]; targets: number[][] }; readonly test: { inputs: number[][] } };
    readonly network: { type: string; widths: number[] };
    readonly likelihood: { temperature: number };
  };
}
const cases = new Map(
  readFileSync(new URL("../../../verification/fixtures/field/handed.jsonl", import.meta.url), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Case)
    .map((one) => [one.id, one]),
);
const registry = createRegistry([activations, priorFc, plugin]);
const theory = (name: string): Theory => plugin.theories!.find((one) => one.name === name) as Theory;

describe.each(["effective-action", "large-deviation", "forward-backward"])(
  "%s: noise that is lost in the rounding of a singular kernel",
  (name) => {
    // 60 to 80 digits, from the fixtures; the fourth variance of "fb-typ" is T x(XᵀX)⁻¹x, its limit for small T
    it.each([
      ["nngp-inputs-1e8", [0.589465707, 0.065577327], [0.608473233, 0.374798621], 1e-6],
      ["fb-inputs-1e6", [0.5894657, 0.0655773], [0.608473233, 0.374798621], 1e-6],
      ["ea-T1e-12", [0.58946571, 0.06557733], [6.0847e-12, 3.748e-12], 1e-5],
      ["fb-typ-T1e-6", undefined, [1.657e-7, 6.525e-7, 5.571e-7, 1.505e-7], 1e-3],
      ["fb-linear-T1e-6-deep", [0.58946, 0.06557], [6.085e-6, 3.748e-6], 2e-4],
    ])("%s", async (id, mean, variance, relative) => {
      const { data, network, likelihood } = cases.get(id)!.input;
      const { predict } = await fit(theory(name), { network, ...data.train, temperature: likelihood.temperature }, { registry });
      const found = await predict(data.test.inputs, { covariance: true });
      if (mean) expectClose(found.mean.data, mean, { relative });
      expectClose(found.variance.data, variance, { relative });
      if (found.covariance)
        expectClose(
          found.covariance.data.filter((_, i) => i % (variance.length + 1) === 0),
          found.variance.data,
          { relative: 1e-9 },
        );
    });
  },
);
