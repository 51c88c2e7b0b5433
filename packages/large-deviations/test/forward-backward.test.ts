import { plugin as activations } from "@finitewidth/activations";
import {
  createRegistry,
  createProblem,
  fit,
  FinitewidthError,
  matrix,
  matrixFromRows,
  validate,
  type Matrix,
  type Theory,
} from "@finitewidth/core";
import { theoryChecks } from "@finitewidth/core/conformance";
import { combine, frobenius, innerProduct, multiply } from "@finitewidth/linalg";
import { plugin as convolutional } from "@finitewidth/prior-conv";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { flatten } from "../../../tools/testing.ts";
import { forwardBackward, gaussianVariationalClosure, solveSaddle } from "../src/index.js";
import { fitTask } from "../src/forward-backward/fit.js";
import { settingOf } from "../src/forward-backward/setting.js";
import { claimsAbout } from "./registry.ts";

const registry = createRegistry([activations, fullyConnected, convolutional]);
const draw = (rows: number, columns: number, index: number): Matrix =>
  matrix(rows, columns, stream(11, index).normals(new Float64Array(rows * columns)));
const X = draw(4, 3, 0);
const Y = draw(4, 2, 1);
const net = (more: Record<string, unknown> = {}) => ({
  type: "fully-connected",
  widths: [40, 30],
  activation: "erf",
  weightVariance: 1.5,
  biasVariance: 0.05,
  ...more,
});
const problem = (more: Record<string, unknown> = {}) => ({ network: net(), inputs: X, targets: Y, temperature: 0.1, ...more });
const solve = async (input: Parameters<typeof fit>[1], options: Record<string, unknown> = {}) =>
  fit(forwardBackward, input, { registry, options });
const near = (a: Matrix, b: Matrix, relative: number): void =>
  expect(frobenius(combine(1, a, -1, b))).toBeLessThan(relative * frobenius(b));
const variational = { closure: "gaussian-variational" };

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

describe("degenerate inputs", () => {
  it("duplicate inputs, P > N0 and narrow widths are ordinary at T > 0", async () => {
    const inputs = matrixFromRows([
      [1, 0.5],
      [1, 0.5],
      [-0.3, 1],
      [2, 0.1],
    ]);
    for (const [activation, options] of [
      ["identity", {}],
      ["erf", variational],
      ["relu", variational],
      ["erf", { nodes: 9 }],
      ["relu", { nodes: 9 }],
      ["sign", { nodes: 9 }],
    ] as const) {
      const { posterior, predict } = await solve(
        problem({
          network: net({ activation, widths: [9, 3] }),
          inputs,
          targets: matrixFromRows([[1], [0.8], [-1], [0.2]]),
          temperature: 0.5,
        }),
        options,
      );
      const prediction = await predict(inputs);
      for (const values of [prediction.mean, prediction.variance, ...posterior.hiddenKernels!])
        expect(flatten(values).every(Number.isFinite), activation).toBe(true);
      expect(prediction.mean.data[0]!).toBeCloseTo(prediction.mean.data[1]!, 6);
    }
  });

  it("equal inputs make kernels singular at every layer: the nodes do not see their rounding errors", async () => {
    const inputs = matrixFromRows([
      [1, 0.5],
      [1, 0.5],
      [-0.3, 1],
      [2, 0.1],
    ]);
    for (const activation of ["erf", "relu"]) {
      for (const first of [1, 1.01, 1.02, 1.03]) {
        const { posterior } = await solve(
          problem({
            network: net({ activation, widths: [9, 3] }),
            inputs,
            targets: matrixFromRows([[first], [0.8], [-1], [0.2]]),
            temperature: 0.5,
          }),
          { nodes: 9 },
        );
        const kernel = posterior.hiddenKernels![1]!;
        expect(Math.abs(kernel.data[0]! - kernel.data[1]!), `${activation}, ${first}`).toBeLessThan(1e-8);
      }
    }
  });

  it("T = 0 interpolates, and is rejected where the kernel cannot make the targets", async () => {
    const { posterior } = await solve(problem({ temperature: 0 }), variational);
    near(posterior.train!.mean, Y, 1e-12);
    await expect(solve(problem({ temperature: 0, network: net({ activation: "identity", biasVariance: 0 }) }))).rejects.toThrow(
      "targets: expected no component outside the range of the kernel",
    );
  });
});

describe("refusals and warnings", () => {
  const refuses = (input: Parameters<typeof createProblem>[0], options: Record<string, unknown>): string | undefined =>
    forwardBackward.refuses(createProblem(input, registry), validate(forwardBackward.options, options, "options"), registry);

  it("refuses what it cannot do, naming what can", () => {
    expect(refuses(problem(), { order: "proportional" })).toContain("one hidden layer");
    expect(refuses(problem({ network: net({ widths: [10] }) }), { order: "proportional" })).toContain("one output");
    expect(refuses(problem({ network: net({ activation: "quadratic" }) }), {})).toContain('order "first"');
    expect(refuses(problem({ network: net({ activation: "quadratic" }) }), { order: "first" })).toBeUndefined();
    expect(refuses(problem({ network: net({ activation: "sign" }) }), variational)).toContain("quadrature");
    for (const activation of ["identity", "erf", "relu", "tanh", "gelu", "sign"])
      expect(refuses(problem({ network: net({ activation }) }), {}), activation).toBeUndefined();
  });

  it("warns where its predictor is worse than infinite width, and names the better methods", async () => {
    const { posterior } = await solve(problem({ temperature: 10 }), variational);
    expect(posterior.diagnostics["forceNumber"] as number).toBeLessThan(5);
    expect(posterior.warnings.join(" ")).toMatch(/force number.*perturbative.*effective-action/);
    expect(posterior.warnings.join(" ")).toContain("10–35 %");
  });

  it("fails with the data strength reached when the equations cannot be solved", () => {
    const setting = settingOf(createProblem(problem(), registry), registry);
    const saddle = {
      ...setting,
      firstKernel: setting.infiniteWidth[0]!,
      infiniteWidth: setting.infiniteWidth.slice(1),
      closure: gaussianVariationalClosure(setting.activation),
    };
    expect(() => solveSaddle(saddle, { maximumSweeps: 0 })).toThrow(/solved only up to data strength \d\.\d+ of 1 \(residual/);
    // a closure whose measure never exists
    const k = matrixFromRows([[1]]);
    const one = {
      firstKernel: k,
      infiniteWidth: [k],
      targets: matrixFromRows([[1]]),
      temperature: 1e-3,
      widths: [1],
      weightVariance: [2],
      biasVariance: [0],
    };
    const none = {
      averages: () => {
        throw new FinitewidthError("W is infinite", { code: "not-positive-definite" });
      },
      extend: () => {
        throw new Error("unused");
      },
    };
    expect(() => solveSaddle({ ...one, closure: none })).toThrow(/data strength/);
  });

  it("stops at once where random nodes collapse, naming the variational closure, and when its budget of sweeps is used up", async () => {
    const many = problem({
      network: net({ widths: [15, 15], weightVariance: 1, biasVariance: 0 }),
      inputs: draw(30, 10, 0),
      targets: draw(30, 1, 1),
    });
    await expect(solve(many)).rejects.toThrow(/keeps only .* % of their effective sample .*"gaussian-variational"/);
    const { posterior } = await solve(many, variational);
    expect(posterior.solver.residual).toBeLessThan(1e-9);
    const setting = settingOf(createProblem(problem(), registry), registry);
    const saddle = {
      ...setting,
      firstKernel: setting.infiniteWidth[0]!,
      infiniteWidth: setting.infiniteWidth.slice(1),
      closure: gaussianVariationalClosure(setting.activation),
    };
    expect(() => solveSaddle(saddle, { totalSweeps: 3 })).toThrow("budget of 3 sweeps");
  });

  it("starts from the variational solution at many points and warns about the quadrature error", async () => {
    const { posterior } = await solve(
      problem({ network: net({ widths: [200], biasVariance: 0 }), inputs: draw(12, 10, 0), targets: draw(12, 1, 1), temperature: 0.01 }),
      { nodes: 6 },
    );
    expect(posterior.diagnostics["sweeps"] as number).toBeLessThan(40);
    expect(posterior.solver.residual).toBeLessThan(1e-9);
    expect(posterior.diagnostics["quadratureError"] as number).toBeGreaterThan(0.01);
    expect(posterior.warnings.join(" ")).toContain("quadrature error");
  });

  it("a fit can be followed and cancelled between sweeps", () => {
    const fractions: number[] = [];
    const chunk = {
      problem: createProblem(problem(), registry),
      options: validate(forwardBackward.options, variational, "options"),
      seed: 1,
    };
    fitTask.run(chunk, { registry, tick: (fraction) => fractions.push(fraction) });
    expect(fractions.length).toBeGreaterThan(5);
    expect(fractions.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true);
    const cancelled = new Error("cancelled");
    const tick = (fraction: number): void => {
      if (fraction > 0.05) throw cancelled;
    };
    expect(() => fitTask.run(chunk, { registry, tick })).toThrow(cancelled);
  });

  it("claims the first layer to O(1/N²) with weak data in standard scaling, and the predictor only with mean-field scaling", async () => {
    const of = async (scaling: "standard" | "mean-field") => {
      const input = { ...problem({ network: net({ activation: "identity" }), temperature: scaling === "standard" ? 10 : 0.1 }), scaling };
      return (await claimsAbout(forwardBackward, input, draw(2, 3, 4))).map(({ id, error }) => `${id}: ${JSON.stringify(error)}`);
    };
    expect(await of("standard")).toEqual(['hidden-kernel-1: {"order":2}', 'hidden-kernel-2: {"order":1}']);
    expect(await of("mean-field")).toEqual([
      'hidden-kernel-1: {"order":1}',
      'hidden-kernel-2: {"order":1}',
      'train-mean: {"order":1}',
      'predictive-mean: {"order":1}',
    ]);
  });
});
