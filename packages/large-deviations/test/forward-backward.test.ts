import { createProblem, matrix, matrixFromRows, type Theory } from "@finitewidth/core";
import { theoryChecks } from "@finitewidth/core/conformance";
import { innerProduct, multiply } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { forwardBackward, gaussianVariationalClosure, solveSaddle } from "../src/index.js";
import { settingOf } from "../src/forward-backward/setting.js";
import { registry, draw, X, Y, net, problem, solve, near, variational } from "./forward-backward-problems.js";

describe("conformance", () => {
  const cases = [
    { problem: problem(), testInputs: draw(3, 3, 2), options: variational },
    { problem: problem({ network: net({ activation: "identity" }), scaling: "mean-field" }), testInputs: draw(3, 3, 2) },
    { problem: problem({ inputs: draw(2, 3, 5), targets: draw(2, 1, 6) }), testInputs: draw(3, 3, 2), options: { order: "first" } },
    {
      problem: problem({ network: net({ widths: [6] }), inputs: draw(2, 3, 5), targets: draw(2, 1, 6) }),
      testInputs: draw(3, 3, 2),
      options: { order: "proportional" },
    },
  ];
  const refused = problem({
    network: {
      type: "convolutional",
      inputShape: [1, 3],
      layers: [{ channels: 4, kernelSize: [3] }],
      readout: "flatten",
      activation: "erf",
    },
  });
  for (const check of theoryChecks(forwardBackward as Theory, { registry, cases, refused })) it(check.name, () => check.run());
});

describe("invariants", () => {
  it("rotating the outputs leaves the kernels unchanged", async () => {
    const rotation = matrixFromRows([
      [Math.cos(1), Math.sin(1)],
      [-Math.sin(1), Math.cos(1)],
    ]);
    for (const activation of ["identity", "erf"]) {
      const input = problem({ network: net({ activation }) });
      const [a, b] = [await solve(input, variational), await solve({ ...input, targets: multiply(Y, rotation) }, variational)];
      near(b.posterior.hiddenKernels![1]!, a.posterior.hiddenKernels![1]!, 1e-8);
    }
  });

  it("infinite width gives the infinite-width kernels, and Y = 0 shrinks those of linear networks", async () => {
    const wide = await solve(problem({ network: net({ widths: [1e7, 1e7] }) }), variational);
    for (const value of wide.posterior.diagnostics["adaptation"] as number[]) expect(value).toBeLessThan(1e-5);
    const { posterior } = await solve(
      problem({ network: net({ activation: "identity" }), targets: matrixFromRows(Array.from({ length: 4 }, () => [0])) }),
    );
    const prior = await solve(
      problem({
        network: net({ activation: "identity", widths: [1e7, 1e7] }),
        targets: matrixFromRows(Array.from({ length: 4 }, () => [0])),
      }),
    );
    for (let i = 0; i < 4; i++)
      expect(posterior.hiddenKernels![1]!.data[5 * i]!).toBeLessThan(prior.posterior.hiddenKernels![1]!.data[5 * i]!);
  });

  it("N_l tr A^{l+1}C^{l+1} is the same for every layer of a linear network without biases", async () => {
    const { posterior } = await solve(
      problem({ network: net({ activation: "identity", biasVariance: 0, widths: [12, 30, 7] }), temperature: 0.3 }),
    );
    const { kernels, conjugates } = posterior.state;
    const traces = conjugates.map((conjugate, l) => [12, 30, 7][l]! * innerProduct(conjugate, kernels[l + 1]!));
    expect(traces[1]! / traces[0]!).toBeCloseTo(1, 9);
    expect(traces[2]! / traces[0]!).toBeCloseTo(1, 9);
  });

  it("multiplying the widths by 3 and repeating the outputs 3 times changes nothing", async () => {
    const one = draw(4, 1, 3);
    const thrice = matrix(
      4,
      3,
      Float64Array.from({ length: 12 }, (_, i) => one.data[Math.floor(i / 3)]!),
    );
    const [a, b] = [
      await solve(problem({ targets: one }), variational),
      await solve(problem({ network: net({ widths: [120, 90] }), targets: thrice }), variational),
    ];
    near(b.posterior.hiddenKernels![1]!, a.posterior.hiddenKernels![1]!, 1e-8);
  });

  it("mean-field scaling is standard scaling with readout variances and temperature divided by the last width", async () => {
    const a = await solve(problem({ scaling: "mean-field" }), variational);
    const b = await solve(
      problem({ network: net({ weightVariance: [1.5, 1.5, 1.5 / 30], biasVariance: [0.05, 0.05, 0.05 / 30] }), temperature: 0.1 / 30 }),
      variational,
    );
    near(a.posterior.train!.mean, b.posterior.train!.mean, 1e-12);
    expect(a.posterior.diagnostics["forceNumber"] as number).toBeGreaterThan(5);
  });

  it("the variational solver of all layers at once agrees with the sweeps over kernels", async () => {
    const setting = settingOf(createProblem(problem(), registry), registry);
    const direct = solveSaddle({
      ...setting,
      firstKernel: setting.infiniteWidth[0]!,
      infiniteWidth: setting.infiniteWidth.slice(1),
      closure: gaussianVariationalClosure(setting.activation),
    });
    const { posterior } = await solve(problem(), variational);
    near(posterior.hiddenKernels![1]!, direct.hidden[1]!, 1e-8);
    expect(posterior.logEvidence!).toBeCloseTo(direct.action!, 8);
  });
});

describe("joint covariance of test points", () => {
  it("training points as test points get T(1 − TR); the diagonal is the variance; outputs are independent", async () => {
    for (const [activation, options] of [
      ["identity", {}],
      ["erf", variational],
    ] as const) {
      const { posterior, predict } = await solve(problem({ network: net({ activation }), temperature: 0.3 }), options);
      const { covariance, variance } = await predict(X, { covariance: true });
      const { resolvent } = posterior.state;
      for (let s = 0; s < 4; s++) {
        for (let t = 0; t < 4; t++) {
          const expected = 0.3 * ((s === t ? 1 : 0) - 0.3 * resolvent.data[4 * s + t]!);
          for (let d = 0; d < 2; d++) expect(covariance!.data[(2 * s + d) * 8 + 2 * t + d]!).toBeCloseTo(expected, 8);
          expect(covariance!.data[2 * s * 8 + 2 * t + 1]!).toBe(0);
        }
        expect(covariance!.data[2 * s * 9]!).toBe(variance.data[2 * s]!);
      }
    }
  });

  it("a warning says where there is none", async () => {
    const { predict } = await solve(problem(), { nodes: 7 });
    const { covariance, warnings } = await predict(X, { covariance: true });
    expect(covariance).toBeUndefined();
    expect(warnings!.join(" ")).toContain("joint covariances");
  });
});
