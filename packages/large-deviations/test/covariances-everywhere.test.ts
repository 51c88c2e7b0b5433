import { fit, validate, type Scaling, type Theory } from "@finitewidth/core";
import { symmetricEigenvalues } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it, test } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { effectiveAction, forwardBackward, largeDeviation } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const rows = (seed: number, n: number, m: number, scale = 1): number[][] => {
  const random = stream(81, seed);
  return Array.from({ length: n }, () => [...random.normals(new Float64Array(m))].map((x) => scale * x));
};
const dense = (activation: string, widths: readonly number[], biasVariance?: readonly number[]) => ({
  type: "fully-connected",
  activation,
  widths,
  weightVariance: [1.3, ...widths.map((_, l) => 0.8 + 0.3 * l)],
  ...(biasVariance ? { biasVariance } : {}),
});
const filters = (activation: string, more: object = {}) => ({
  type: "convolutional",
  inputShape: [1, 3],
  layers: [{ channels: 7, kernelSize: 2 }],
  activation,
  weightVariance: [1.2, 0.7],
  ...more,
});
const [ea, fb, ld] = [effectiveAction as Theory, forwardBackward as Theory, largeDeviation as Theory];
interface Case {
  readonly theory: Theory;
  readonly network: { readonly type: string };
  readonly outputs: number;
  readonly options?: Record<string, unknown>;
  readonly scaling?: Scaling;
}
const cases: Record<string, Case> = {
  "scalar, integral, biases": { theory: ea, network: dense("erf", [6], [0.2, 0.5]), outputs: 1 },
  "scalar, saddle, mean-field": {
    theory: ea,
    network: dense("erf", [6], [0.2, 0]),
    outputs: 1,
    options: { mode: "saddle" },
    scaling: "mean-field",
  },
  "mean of the activation, biases": { theory: ea, network: dense("relu", [6], [0.1, 0.3]), outputs: 1 },
  "mean of the activation, saddle": { theory: ea, network: dense("relu", [6]), outputs: 1, options: { mode: "saddle" } },
  "mean left out": { theory: ea, network: dense("relu", [6]), outputs: 1, options: { mean: "plain" } },
  "three outputs, biases": { theory: ea, network: dense("erf", [9], [0.2, 0.4]), outputs: 3 },
  "two outputs, mean and bias": { theory: ea, network: dense("relu", [9], [0.2, 0.4]), outputs: 2 },
  "deep, nested, biases": { theory: ea, network: dense("erf", [6, 9], [0.2, 0.3, 0.4]), outputs: 1 },
  "deep, affine, biases": { theory: ea, network: dense("erf", [6, 9], [0.2, 0.3, 0.4]), outputs: 1, options: { closure: "affine" } },
  "deep, product": { theory: ea, network: dense("tanh", [6, 9]), outputs: 1, options: { closure: "product" } },
  "deep, two outputs": { theory: ea, network: dense("identity", [6, 9], [0.2, 0, 0]), outputs: 2, options: { closure: "product" } },
  "filters, bias": { theory: ea, network: filters("erf", { biasVariance: [0.1, 0.3] }), outputs: 1 },
  "filters, two outputs, mean": { theory: ea, network: filters("relu", { biasVariance: [0.1, 0.3] }), outputs: 2 },
  "pooled filters, two outputs": { theory: ea, network: filters("erf", { readout: "global-average" }), outputs: 2 },
  "large deviations, two outputs": { theory: ld, network: dense("identity", [6, 9]), outputs: 2 },
  "large deviations, mean-field, two outputs": { theory: ld, network: dense("identity", [6, 9]), outputs: 2, scaling: "mean-field" },
  "large deviations, biases of all layers": {
    theory: ld,
    network: dense("identity", [6, 9], [0.2, 0.3, 0.4]),
    outputs: 2,
    scaling: "mean-field",
  },
  "large deviations, filters": { theory: ld, network: filters("identity"), outputs: 2, scaling: "mean-field" },
  "forward–backward, linear": { theory: fb, network: dense("identity", [6, 9], [0.2, 0, 0]), outputs: 2 },
  "forward–backward, variational": {
    theory: fb,
    network: dense("erf", [30, 20], [0.2, 0.3, 0.4]),
    outputs: 2,
    options: { closure: "gaussian-variational" },
  },
};

describe.each(Object.entries(cases))("%s", (_, { theory, network, outputs, options = {}, scaling = "standard" }: Case) => {
  const [inputs, at] = [rows(1, 4, 3), rows(3, 3, 3, 1.4)];
  const targets = rows(2, 4, outputs).map((row) => row.map((y, d) => (1 + d) * y));
  const problem = { network, inputs, targets, temperature: 0.2, scaling };
  const run = fit(theory, problem, { registry, options, seed: 2 });

  it("the joint covariance has the variances on its diagonal, the blocks of fewer points, and is positive", async () => {
    const { predict } = await run;
    const [single, joint] = [await predict(at), await predict(at, { covariance: true })];
    const n = 3 * outputs;
    const covariance = joint.covariance!;
    expect(covariance.shape).toEqual([n, n]);
    const size = Math.max(...single.variance.data);
    const near = { relative: 1e-7, absolute: 1e-9 * size };
    expectClose(joint.mean, single.mean.data, { relative: 1e-9, absolute: 1e-12 });
    expectClose(joint.variance, single.variance.data, near);
    expectClose(
      Array.from({ length: n }, (_entry, i) => covariance.data[i * (n + 1)]!),
      single.variance.data,
      near,
    );
    // points 2 and 0: rows and columns of the whole, in their order
    const some = (await predict([at[2]!, at[0]!], { covariance: true })).covariance!;
    const place = (k: number) => (k < outputs ? 2 * outputs + k : k - outputs);
    const m = 2 * outputs;
    expectClose(
      some,
      Array.from({ length: m * m }, (_entry, k) => covariance.data[place(Math.floor(k / m)) * n + place(k % m)]!),
      near,
    );
    expect(symmetricEigenvalues(covariance)[0]).toBeGreaterThan(-1e-9 * size);
    // a point asked for twice is one number twice
    const twice = (await predict([at[1]!, at[1]!], { covariance: true })).covariance!;
    for (let d = 0; d < outputs; d++) expectClose(twice.data[d * m + outputs + d]!, twice.data[d * (m + 1)]!, near);
  });

  it("outputs at the training inputs are those of the fit, and make its training error", async () => {
    const { posterior, predict } = await run;
    const { mean, variance } = await predict(inputs);
    const size = Math.max(...variance.data);
    expectClose(posterior.train!.mean, mean.data, { relative: 1e-6, absolute: 1e-8 });
    expectClose(posterior.train!.variance, variance.data, { relative: 1e-5, absolute: 1e-7 * size });
    const stated = posterior.diagnostics["trainError"];
    if (typeof stated !== "number") return;
    // per point, summed over outputs or averaged over them
    const total = mean.data.reduce((sum, m, i) => sum + (m - targets.flat()[i]!) ** 2 + variance.data[i]!, 0) / 4;
    expect(Math.min(Math.abs(stated / total - 1), Math.abs((stated * outputs) / total - 1))).toBeLessThan(1e-5);
  });
});

test("options have the documented defaults", () => {
  expect([ea, fb, ld].map(({ options }) => validate(options, {}, "options"))).toMatchInlineSnapshot(`
    [
      {
        "closure": "nested",
        "correction": "none",
        "draws": 4000,
        "mean": "two-parameter",
        "mode": "integral",
      },
      {
        "closure": "quadrature",
        "order": "full",
      },
      {},
    ]
  `);
});

it("large deviations over sites predict in blocks what they predict at once: seventy points, two outputs", async () => {
  const { predict } = await fit(
    ld,
    { network: filters("identity"), inputs: rows(1, 4, 3), targets: rows(2, 4, 2), temperature: 0.2, scaling: "mean-field" },
    { registry },
  );
  const at = rows(9, 70, 3);
  const [all, last, joint] = [await predict(at), await predict(at.slice(61)), await predict(at, { covariance: true })];
  for (const part of ["mean", "variance"] as const) {
    expectClose(all[part].data.subarray(122), last[part].data, { relative: 1e-10 });
    expectClose(joint[part].data, all[part].data, { relative: 1e-9 });
  }
});
