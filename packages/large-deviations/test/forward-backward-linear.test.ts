import { respondToTargets } from "@finitewidth/numerics";
import { erf, identity, plugin as activations } from "@finitewidth/activations";
import { createProblem, createRegistry, fit, matrix, matrixFromRows, type Matrix } from "@finitewidth/core";
import { addDiagonal, affine, combine, frobenius, gram, innerProduct, multiply } from "@finitewidth/linalg";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import {
  dataForce,
  forwardBackward,
  interpolationOrderParameter,
  isLinear,
  linearClosure,
  solveLinearSaddle,
  solveSaddle,
  sweepOnce,
  type SaddleProblem,
} from "../src/index.js";
import { settingOf } from "../src/forward-backward/setting.js";
import { normalMatrix } from "../../../tools/testing.ts";

const registry = createRegistry([activations, fullyConnected]);
const draw = (rows: number, columns: number, index: number): Matrix => normalMatrix(stream(5, index), rows, columns);
const distance = (a: Matrix, b: Matrix): number => frobenius(combine(1, a, -1, b)) / frobenius(b);

/** A linear network with σ_w² = 1.2 above the first layer. */
function linearProblem(points: number, features: number, outputs: number, widths: readonly number[], temperature: number): SaddleProblem {
  const firstKernel = affine(1.3 / features, gram(draw(points, features, 1)));
  const infiniteWidth = widths.map((_, l) => affine(1.2 ** (l + 1), firstKernel));
  return {
    firstKernel,
    infiniteWidth,
    targets: draw(points, outputs, 2),
    temperature,
    widths,
    weightVariance: widths.map(() => 1.2),
    biasVariance: widths.map(() => 0),
    closure: linearClosure(identity),
  };
}

describe("linear networks without biases: one matrix equation", () => {
  const cases = [
    ["generic", 4, 6, 1, [12, 30, 7], 0.3],
    ["P > N0, low temperature", 9, 3, 1, [5, 4], 0.01],
    ["more outputs than a width", 6, 4, 3, [5, 2], 0.1],
    ["a layer of one unit", 5, 4, 3, [1, 2], 0.3],
    ["T = 0", 5, 7, 3, [5, 4], 0],
  ] as const;
  it.each(cases)(
    "%s: C = Π_l(1 + M/N_l)K0, M = C(VVᵀ − DR) conserved along depth, stationary under a sweep",
    (_, points, features, outputs, widths, temperature) => {
      const problem = linearProblem(points, features, outputs, widths, temperature);
      const saddle = solveLinearSaddle(identity, problem);
      const readout = saddle.kernels.at(-1)!;
      const overlap = multiply(readout, affine(2, dataForce(saddle.data)));
      const product = widths.reduce((c, width) => multiply(addDiagonal(affine(1.2 / width, overlap), 1.2), c), problem.firstKernel);
      expect(distance(readout, product)).toBeLessThan(1e-8);
      for (const [l, width] of widths.entries())
        expect(distance(affine(2 * width, multiply(saddle.kernels[l + 1]!, saddle.conjugates[l]!)), overlap)).toBeLessThan(1e-8);
      for (const [l, kernel] of sweepOnce(problem, saddle.kernels.slice(1)).entries())
        expect(distance(kernel, saddle.kernels[l + 1]!)).toBeLessThan(1e-8);
    },
  );

  it("agrees with the general solver, action included", () => {
    const problem = linearProblem(5, 6, 2, [12, 9], 0.2);
    const [direct, general] = [solveLinearSaddle(identity, problem), solveSaddle(problem)];
    expect(distance(direct.kernels[2]!, general.kernels[2]!)).toBeLessThan(1e-9);
    expect(direct.action!).toBeCloseTo(general.action!, 9);
    expect(direct.rate!).toBeCloseTo(general.rate!, 9);
  });

  it("the solution is a maximum of the action written out for one hidden layer", () => {
    const problem = linearProblem(4, 6, 2, [6], 0.1);
    const { kernels, action } = solveLinearSaddle(identity, problem);
    // N Γ(C) = ½N[tr(gK)⁻¹C − ln det (gK)⁻¹C − P]; ln det and the trace from densities of the columns of C^½ would hide the formula: use
    // respondToTargets of no noise
    const prior = affine(1.2, problem.firstKernel);
    const logDeterminant = (m: Matrix): number =>
      -2 * respondToTargets(m, matrix(4, 1, new Float64Array(4)), 0).logDensity - 4 * Math.log(2 * Math.PI);
    const actionAt = (c: Matrix): number =>
      respondToTargets(c, problem.targets, 0.1).logDensity -
      3 *
        (innerProduct(respondToTargets(prior, c, 0).weights, addDiagonal(affine(0, c), 1)) - logDeterminant(c) + logDeterminant(prior) - 4);
    expect(actionAt(kernels[1]!)).toBeCloseTo(action!, 9);
    for (let i = 0; i < 6; i++) {
      const direction = gram(draw(4, 4, 10 + i));
      for (const step of [-1e-2, 1e-2])
        expect(actionAt(combine(1, kernels[1]!, step, multiply(kernels[1]!, multiply(direction, kernels[1]!))))).toBeLessThan(action!);
    }
  });

  it("T = 0, D = 1: the scalar order parameter", () => {
    const problem = linearProblem(4, 6, 1, [5, 3], 0);
    const q = interpolationOrderParameter(
      innerProduct(problem.targets, respondToTargets(problem.infiniteWidth[1]!, problem.targets, 0).weights),
      [5, 3],
    );
    const { data } = solveLinearSaddle(identity, problem);
    expect(distance(data.weights, affine(1 / q, respondToTargets(problem.infiniteWidth[1]!, problem.targets, 0).weights))).toBeLessThan(
      1e-10,
    );
  });

  it("T = 0 with D at least the smallest width has no solution: each eigenvalue would need σ = Π(1 − D/N_l) > 0", () => {
    expect(() => solveLinearSaddle(identity, linearProblem(5, 7, 3, [5, 3], 0))).toThrow(/no solution.*temperature/);
  });

  it("can be cancelled between steps", () =>
    expect(() =>
      solveLinearSaddle(identity, linearProblem(3, 4, 1, [4], 0.1), {
        beforeSweep: () => {
          throw new Error("cancelled");
        },
      }),
    ).toThrow("cancelled"));
});

describe("linear networks with biases", () => {
  it.each([
    ["P > N0, narrow, low temperature", 9, 3, [5, 4], 0.01, "standard"],
    ["three layers, mean-field", 8, 4, [20, 20, 20], 0.1, "mean-field"],
  ] as const)("%s: stationary under a sweep of the closed form", async (_, points, features, widths, temperature, scaling) => {
    const network = { type: "fully-connected", widths: [...widths], activation: "identity", biasVariance: 0.1 };
    const input = { network, inputs: draw(points, features, 3), targets: draw(points, 1, 4), temperature, scaling };
    const { posterior } = await fit(forwardBackward, input, { registry });
    const setting = settingOf(createProblem(input, registry), registry);
    const problem = {
      ...setting,
      firstKernel: setting.infiniteWidth[0]!,
      infiniteWidth: setting.infiniteWidth.slice(1),
      widths,
      closure: linearClosure(identity),
    };
    const kernels = posterior.state.kernels.slice(1);
    for (const [l, kernel] of sweepOnce(problem, kernels).entries()) expect(distance(kernel, kernels[l]!)).toBeLessThan(1e-6);
  });
});

describe("degenerate kernels", () => {
  const zeros = {
    inputs: matrixFromRows([
      [0, 0],
      [0, 0],
    ]),
    targets: matrixFromRows([[1], [-0.5]]),
    temperature: 1,
  };
  const closures = [{}, { closure: "gaussian-variational" }, { order: "first" }, { order: "proportional" }];
  it.each(["erf", "identity", "relu"])("zero inputs without biases predict zero: %s", async (activation) => {
    for (const options of closures) {
      const { posterior, predict } = await fit(
        forwardBackward,
        { network: { type: "fully-connected", widths: [3], activation }, ...zeros },
        { registry, options },
      );
      expect(Math.max(...posterior.hiddenKernels![0]!.data.map(Math.abs)), JSON.stringify(options)).toBe(0);
      const { mean, variance } = await predict(
        matrixFromRows([
          [0, 0],
          [1, 2],
        ]),
      );
      expect([...mean.data, variance.data[0]!].map(Math.abs)).toEqual([0, 0, 0]);
      expect(variance.data[1]!).toBeGreaterThan(0);
      if (posterior.logEvidence !== undefined) expect(posterior.logEvidence).toBeCloseTo(-0.5 * 1.25 - Math.log(2 * Math.PI), 12);
    }
  });

  it.each(["erf", "identity", "relu"])("a zero row, duplicates and multiples of a row: %s", async (activation) => {
    const inputs = matrixFromRows([
      [0, 0],
      [1, 0.5],
      [1, 0.5],
      [2, 1],
      [-1, -0.5],
    ]);
    for (const options of [
      { nodes: 8 },
      { closure: "gaussian-variational" },
      { order: "first", nodes: 8 },
      { order: "proportional", nodes: 8 },
    ]) {
      const { posterior } = await fit(
        forwardBackward,
        {
          network: { type: "fully-connected", widths: [8], activation },
          inputs,
          targets: matrixFromRows([[0.1], [1], [0.8], [1.5], [-1]]),
          temperature: 0.3,
        },
        { registry, options },
      );
      const { data } = posterior.hiddenKernels![0]!;
      expect(data.every(Number.isFinite), JSON.stringify(options)).toBe(true);
      expect(data[6]!, JSON.stringify(options)).toBeCloseTo(data[7]!, 8);
    }
  });

  it("T = 0 with one input twice and two labels names the targets", async () => {
    const inputs = matrixFromRows([
      [1, 0.5],
      [1, 0.5],
    ]);
    for (const activation of ["erf", "identity"]) {
      for (const options of closures) {
        await expect(
          fit(
            forwardBackward,
            { network: { type: "fully-connected", widths: [5], activation }, inputs, targets: matrixFromRows([[1], [2]]), temperature: 0 },
            { registry, options },
          ),
        ).rejects.toThrow(/^targets: expected no component outside the range of the kernel/);
      }
    }
  });

  it.each([
    [6, 3, [9, 8], 10],
    [6, 3, [9], 1],
    [4, 2, [9, 8], 1000],
    [4, 2, [40, 40], 1],
  ])("order first of a linear network at %i points in %i dimensions, widths %j, T = %d", async (points, features, widths, temperature) => {
    const input = {
      network: { type: "fully-connected", widths, activation: "identity" },
      inputs: draw(points, features, 3),
      targets: draw(points, 1, 4),
      temperature,
    };
    const { posterior } = await fit(forwardBackward, input, { registry, options: { order: "first" } });
    expect(posterior.solver.residual).toBeLessThan(1e-8);
    // C^{l+1} = C^l + 2 C^l A^{l+1} C^l, the readout's force from the data, A^l = (N_l/N_{l−1}) A^{l+1}
    const { kernels, conjugates } = posterior.state;
    conjugates.forEach((a, l) => {
      const below = kernels[l]!;
      expect(distance(kernels[l + 1]!, combine(1, below, 2, multiply(below, multiply(a, below))))).toBeLessThan(1e-6);
    });
    const force = affine(1 / widths.at(-1)!, dataForce(respondToTargets(kernels.at(-1)!, input.targets, temperature)));
    expect(distance(conjugates.at(-1)!, force)).toBeLessThan(1e-6);
    if (widths.length > 1) expect(distance(conjugates[0]!, affine(widths[1]! / widths[0]!, conjugates[1]!))).toBeLessThan(1e-6);
  });

  it("only identity is linear here", () => expect([isLinear(identity), isLinear(erf)]).toEqual([true, false]));
});
