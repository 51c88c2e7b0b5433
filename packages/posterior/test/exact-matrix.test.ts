import { fit, inlineRun, matrixFromRows } from "@finitewidth/core";
import { logGamma } from "@finitewidth/numerics";
import { describe, expect, it } from "vitest";
import { exact, nngp } from "../src/index.js";
import { expectClose, expectWithinStandardErrors } from "../../../tools/testing.ts";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const linear = (widths: number[], extra: object = {}) => ({ type: "fully-connected", activation: "identity", widths, ...extra });
const inputs = [
  [1, 0.2, -0.5],
  [0.3, -1, 0.4],
  [-0.7, 0.8, 0.1],
  [0.1, 0.9, 1.2],
];
const targets = [
  [1.3, 0.1],
  [-0.4, 0.7],
  [0.2, -0.9],
  [0.9, 0.3],
];

describe("theory exact, several outputs", () => {
  it("rotating the outputs rotates the predictions; duplicating the first output's role changes nothing", async () => {
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
    const turned = targets.map(([a, b]) => [c * a! - s * b!, s * a! + c * b!]);
    const network = linear([4]);
    const [plain, rotated] = await Promise.all(
      [targets, turned].map((y) => fit(exact, { network, inputs, targets: y, temperature: 0.2 }, { registry })),
    );
    expectClose(plain!.posterior.logEvidence!, rotated!.posterior.logEvidence!, { absolute: 1e-8 });
    const [p, r] = [await plain!.predict([[1, 1, 1]]), await rotated!.predict([[1, 1, 1]])];
    const [a, b] = p.mean.data;
    expectClose(r.mean, [c * a! - s * b!, s * a! + c * b!], { absolute: 1e-8 });
    expect(plain!.posterior.standardError).toBeUndefined();
    expect(plain!.posterior.diagnostics["method"]).toBe("quadrature");
  });

  it("one output with hidden biases switched almost off agrees with the quadrature", async () => {
    const y = targets.map((row) => row[0]!);
    const exactFit = await fit(
      exact,
      { network: linear([4, 3], { biasVariance: [0.1, 0, 0.3] }), inputs, targets: y, temperature: 0.2 },
      { registry },
    );
    const sampled = await fit(
      exact,
      { network: linear([4, 3], { biasVariance: [0.1, 1e-9, 0.3] }), inputs, targets: y, temperature: 0.2 },
      { registry },
    );
    const [e, s] = [exactFit.posterior, sampled.posterior];
    expectClose([s.logEvidence!, s.orderParameter as number], [e.logEvidence!, e.orderParameter as number], { relative: 1e-7 });
    for (const l of [0, 1])
      expectClose(s.hiddenKernels![l]!, e.hiddenKernels![l]!, { relative: 1e-7, absolute: 1e-7 }, `hidden kernel ${l + 1}`);
    expectClose(s.train!.mean, e.train!.mean, { relative: 1e-7, absolute: 1e-7 }, "train mean");
    const [pe, ps] = [await exactFit.predict([[2, 0, 1]]), await sampled.predict([[2, 0, 1]], { covariance: true })];
    expectClose([ps.mean.data[0]!, ps.variance.data[0]!], [pe.mean.data[0]!, pe.variance.data[0]!], { relative: 1e-7 }, "prediction");
    expectClose(ps.covariance!.data[0]!, ps.variance.data[0]!, { relative: 1e-10 });
  });

  it("infinite width with biases in all layers and two outputs tends to independent Gaussian processes", async () => {
    const network = linear([2e5, 3e5], { weightVariance: [1.2, 0.7, 1.5], biasVariance: [0.1, 0.2, 0.4] });
    const wide = await fit(exact, { network, inputs, targets, temperature: 0.1 }, { registry });
    const limit = await fit(nngp, { network, inputs, targets, temperature: 0.1 }, { registry });
    expectWithinStandardErrors(wide.posterior.logEvidence!, limit.posterior.logEvidence!, wide.posterior.standardError!.logEvidence!, 4);
    const [p, q] = [
      await wide.predict(
        [
          [0.4, 0.4, 1],
          [1, -1, 0],
        ],
        { covariance: true },
      ),
      await limit.predict(
        [
          [0.4, 0.4, 1],
          [1, -1, 0],
        ],
        { covariance: true },
      ),
    ];
    expectClose(p.mean, q.mean, { relative: 1e-3, absolute: 1e-3 });
    expectClose(p.covariance!, q.covariance!, { relative: 2e-3, absolute: 1e-3 });
    for (const l of [0, 1])
      expectClose(
        wide.posterior.hiddenKernels![l]!,
        limit.posterior.hiddenKernels![l]!,
        { relative: 2e-3, absolute: 1e-3 },
        `hidden kernel ${l + 1}`,
      );
  });

  it("T = 0: interpolates with the predictive mean of the kernel; narrow layers and dependent targets are rejected", async () => {
    const x = inputs.slice(0, 3);
    const y = targets.slice(0, 3);
    const { posterior, predict } = await fit(exact, { network: linear([4]), inputs: x, targets: y, temperature: 0 }, { registry });
    expectClose(posterior.train!.mean, y, { relative: 1e-9, absolute: 1e-9 });
    const limit = await fit(nngp, { network: linear([4]), inputs: x, targets: y, temperature: 0 }, { registry });
    expectClose((await predict([[2, 1, 0.3]])).mean, (await limit.predict([[2, 1, 0.3]])).mean, { relative: 1e-9 });
    const attempt = (widths: number[], values: number[][]) =>
      fit(exact, { network: linear(widths), inputs: x, targets: values, temperature: 0 }, { registry });
    await expect(attempt([4, 1], y)).rejects.toThrow("network.widths[1]: expected at least 2");
    await expect(
      attempt(
        [4, 4],
        y.map(([a]) => [a!, 2 * a!]),
      ),
    ).rejects.toThrow("targets: expected 2 linearly independent columns when the temperature is 0, got 1");
  });

  it("same seed, same answer; another seed, another", async () => {
    const at = (seed: number) =>
      fit(exact, { network: linear([3, 4]), inputs, targets, temperature: 0.3 }, { registry, seed, options: { draws: 2000 } });
    const [a, b, c] = [await at(1), await at(1), await at(2)];
    expect(a.posterior.logEvidence).toBe(b.posterior.logEvidence);
    expect(a.posterior.logEvidence).not.toBe(c.posterior.logEvidence);
    expect(a.posterior.diagnostics["method"]).toBe("importance");
  });

  it("prior density of two outputs, one layer: invariant under rotations, known at 0", async () => {
    const run = inlineRun({ registry });
    const network = { type: "fully-connected", activation: "identity", widths: [5], weightVariance: [1, 1], biasVariance: [0, 0] };
    const x = matrixFromRows([
      [1, 0],
      [0, 1],
    ]);
    const value = (angle: number) =>
      matrixFromRows([
        [Math.cos(angle), Math.sin(angle)],
        [-0.5 * Math.sin(angle), 0.5 * Math.cos(angle)],
      ]);
    const answer = await exact.prior!({ network, inputs: x, outputs: 2, evaluateAt: [value(0), value(1)], samples: 1 }, {}, run);
    expectClose(answer.logDensity![0]!, answer.logDensity![1]!, { absolute: 1e-8 });
    // at 0 the density is E|Q|^{−1} (2π)^{−2}|K|^{−1}: finite for wide layers only
    const atZero = (widths: number[]) =>
      exact.prior!(
        {
          network: Object.assign({}, network, { widths }),
          inputs: x,
          outputs: 2,
          evaluateAt: [
            matrixFromRows([
              [0, 0],
              [0, 0],
            ]),
          ],
          samples: 1,
        },
        { draws: 2000 },
        run,
      );
    const n = 9;
    const logInverse = 2 * Math.log(n / 2) + [0, 1].reduce((sum, i) => sum + logGamma((n - i) / 2 - 1) - logGamma((n - i) / 2), 0);
    expectClose((await atZero([n])).logDensity![0]!, logInverse - 2 * Math.log(2 * Math.PI) + 2 * Math.log(2), { absolute: 1e-6 });
    await expect(atZero([3])).rejects.toThrow("evaluateAt[0]: expected 2 linearly independent columns");
  });
});
