import { createProblem, FinitewidthError, matrixFromRows, validate } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { flatten } from "../../../tools/testing.ts";
import { forwardBackward, gaussianVariationalClosure, solveSaddle } from "../src/index.js";
import { fitTask } from "../src/forward-backward/fit.js";
import { settingOf } from "../src/forward-backward/setting.js";
import { claimsAbout } from "./registry.ts";
import { registry, draw, Y, net, problem, solve, near, variational } from "./forward-backward-problems.js";

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

  it("nodes reach 1024 points, and are 2^6 to 2^18", () => {
    const many = (count: number, activation: string) =>
      problem({ network: net({ activation }), inputs: draw(count, 3, 0), targets: draw(count, 1, 1) });
    expect(refuses(many(1024, "erf"), {})).toBeUndefined();
    expect(refuses(many(1025, "erf"), {})).toMatch(/the nodes reach 1024 training points, got 1025; use order "full" with the closure/);
    expect(refuses(many(1025, "erf"), { order: "first", ...variational })).toMatch(/the nodes reach/);
    for (const [activation, options] of [
      ["erf", variational],
      ["identity", {}],
      ["identity", { order: "first" }],
    ] as const)
      // prettier-ignore
      expect(refuses(many(1025, activation), options), activation).toBeUndefined();
    const nodes = (value: unknown) => () => validate(forwardBackward.options, { nodes: value }, "options");
    for (const good of [6, 18]) expect(nodes(good)()).toMatchObject({ nodes: good });
    for (const bad of [5, 19, 7.5]) expect(nodes(bad)).toThrow(/options\.nodes: expected/);
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
