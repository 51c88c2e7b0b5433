import { createRegistry, matrixFromRows } from "@finitewidth/core";
import type { DenseChain } from "@finitewidth/kernels";
import { plugin as activations } from "@finitewidth/activations";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  createDeepProblem,
  deepAction,
  deepLogEvidence,
  deepMinima,
  fitDeep,
  predictDeep,
  predictDeepTrain,
  scalarMinima,
  createScalarProblem,
  type Closure,
} from "../src/index.js";

const { activation } = createRegistry([activations]);

interface Case {
  readonly case: string;
  readonly inputs: {
    readonly X: number[][];
    readonly XTest: number[][];
    readonly y: number[];
    readonly temperature: number;
    readonly widths: number[];
    readonly activation: string;
    readonly weightVariances: number[];
    readonly biasVariances: number[];
    readonly closure: Closure;
    readonly u: number[];
  };
  readonly expected: {
    readonly actionAtU: number;
    readonly gradientAtU: number[];
    readonly Q: number[];
    readonly action: number;
    readonly logEvidenceLaplace: number;
    readonly mean: number[];
    readonly variance: number[];
    readonly trainError: number;
    readonly infiniteWidth: {
      readonly mean: number[];
      readonly variance: number[];
      readonly trainError: number;
      readonly kernel: number[][];
    };
  };
  readonly tolerance: { readonly relative: number; readonly logEvidenceLaplace: number };
}
const cases = readFixture<{ cases: Case[] }>("effective-action/deep").cases;
const chainOf = ({ inputs }: Pick<Case, "inputs">): DenseChain => ({
  activation: activation(inputs.activation),
  widths: inputs.widths,
  weightVariance: inputs.weightVariances,
  biasVariance: inputs.biasVariances,
});
const problemOf = (
  fixture: Pick<Case, "inputs">,
  closure: Closure = fixture.inputs.closure,
  change: Partial<{ widths: number[]; targets: number[]; activation: string; biasVariance: number[] }> = {},
) => {
  const { inputs } = fixture;
  const chain = {
    ...chainOf(fixture),
    ...(change.widths ? { widths: change.widths } : {}),
    ...(change.activation ? { activation: activation(change.activation) } : {}),
    ...(change.biasVariance ? { biasVariance: change.biasVariance } : {}),
  };
  return createDeepProblem({
    chain,
    inputs: matrixFromRows(inputs.X),
    targets: Float64Array.from(change.targets ?? inputs.y),
    temperature: inputs.temperature,
    closure,
  });
};

describe.each(cases.map((c) => [c.case, c] as const))("fixture: %s", (_, fixture) => {
  const { inputs, expected, tolerance } = fixture;
  const within = { relative: tolerance.relative, absolute: tolerance.relative };
  const problem = problemOf(fixture);
  const predictAt = (Q: Float64Array) => {
    const fit = fitDeep(problem, Q);
    return {
      ...predictDeep(chainOf(fixture), fit, matrixFromRows(inputs.X), matrixFromRows(inputs.XTest), true),
      train: predictDeepTrain(problem, fit),
    };
  };
  it("action and gradient", () => {
    const { value, gradient } = deepAction(problem, Float64Array.from(inputs.u));
    expectClose(value, expected.actionAtU, within);
    expectClose(gradient, expected.gradientAtU, within);
  });
  it("minimum, evidence and predictions", () => {
    const found = deepMinima(problem);
    expect(found.converged).toBe(true);
    expect(found.residual).toBeLessThan(1e-10);
    expectClose(found.minima[0].orderParameters, expected.Q, within);
    expectClose(found.minima[0].action, expected.action, within);
    expectClose(deepLogEvidence(problem, found), expected.logEvidenceLaplace, { relative: tolerance.logEvidenceLaplace });
    const { mean, variance, covariance, train } = predictAt(found.minima[0].orderParameters);
    expectClose(mean, expected.mean, within);
    expectClose(variance, expected.variance, within);
    expectClose(
      variance.map((_, i) => covariance!.data[i * variance.length + i]!),
      variance,
      { absolute: 1e-10 },
    );
    expectClose(train.trainError, expected.trainError, within);
  });
  it("Q = 1 is the infinite-width process", () => {
    const { mean, variance, train } = predictAt(new Float64Array(inputs.widths.length).fill(1));
    expectClose(mean, expected.infiniteWidth.mean, within);
    expectClose(variance, expected.infiniteWidth.variance, within);
    expectClose(train.trainError, expected.infiniteWidth.trainError, within);
    expectClose(problem.kernels.at(-1)!, expected.infiniteWidth.kernel, within);
  });
});

describe("gradient", () => {
  it("agrees with differences for every activation and closure, with biases", () => {
    for (const name of ["identity", "erf", "relu", "gelu"]) {
      for (const closure of ["nested", "product", "affine"] as const) {
        const biasVariance = closure === "product" ? [0.2, 0, 0] : [0.2, 0.3, 0.1];
        const problem = problemOf(cases[0]!, closure, { activation: name, biasVariance });
        const u = Float64Array.of(0.3, -0.4);
        const { gradient } = deepAction(problem, u);
        const h = 1e-5;
        gradient.forEach((value, l) => {
          const at = (step: number): number =>
            deepAction(
              problem,
              u.map((x, k) => (k === l ? x + step : x)),
            ).value;
          expectClose(value, (at(h) - at(-h)) / (2 * h), { relative: 1e-7, absolute: 1e-7 }, `${name} ${closure} ${l}`);
        });
      }
    }
  });
});

describe("invariants", () => {
  const erf = cases.find((c) => c.case === "erf nested with biases")!;
  it("one hidden layer is the scalar theory", () => {
    const chain = { ...chainOf(erf), widths: [9], weightVariance: [1, 1.3], biasVariance: [0.2, 0.4] };
    const problem = createDeepProblem({
      chain,
      inputs: matrixFromRows(erf.inputs.X),
      targets: Float64Array.from(erf.inputs.y),
      temperature: 0.1,
    });
    const kernel = { data: problem.hidden[0]!.data.map((value) => 1.3 * value), shape: problem.hidden[0]!.shape };
    const scalar = scalarMinima(createScalarProblem({ kernel, targets: problem.targets, temperature: 0.1, width: 9, biasVariance: 0.4 }));
    expectClose(deepMinima(problem).minima[0].orderParameters, [scalar.minima[0].orderParameter], { relative: 1e-9 });
  });
  it("closures agree for the identity, also with biases where defined", () => {
    const nested = deepMinima(problemOf(cases[0]!, "nested"));
    for (const closure of ["product", "affine"] as const)
      expectClose(deepMinima(problemOf(cases[0]!, closure)).minima[0].orderParameters, nested.minima[0].orderParameters, {
        relative: 1e-7,
      });
    const biasVariance = [0.1, 0.2, 0.3];
    expectClose(
      deepMinima(problemOf(cases[0]!, "affine", { biasVariance })).minima[0].orderParameters,
      deepMinima(problemOf(cases[0]!, "nested", { biasVariance })).minima[0].orderParameters,
      { relative: 1e-7 },
    );
  });
  it("homogeneous networks: N_l(Q_l − 1) is the same in every layer", () => {
    const problem = problemOf(cases.find((c) => c.case === "relu nested")!);
    const { minima, method } = deepMinima(problem);
    expect(method).toBe("homogeneous");
    const [first, second] = minima[0].orderParameters;
    expectClose(problem.widths[0]! * (first! - 1), problem.widths[1]! * (second! - 1), { relative: 1e-10 });
  });
  it("wide networks approach Q = 1, vanishing targets give Q < 1", () => {
    deepMinima(problemOf(erf, "nested", { widths: [1e6, 2e6] })).minima[0].orderParameters.forEach((q) =>
      expect(Math.abs(q - 1)).toBeLessThan(1e-4),
    );
    deepMinima(problemOf(erf, "nested", { targets: erf.inputs.y.map(() => 0) })).minima[0].orderParameters.forEach((q) =>
      expect(q).toBeLessThan(1),
    );
  });
  it("narrow networks (width 1) converge", () => {
    for (const closure of ["nested", "affine"] as const) {
      const found = deepMinima(problemOf(erf, closure, { widths: [1, 1] }));
      expect(found.converged).toBe(true);
    }
  });
});

describe("a first-order transition of two layers", () => {
  it("Newton from three starts finds the minima of the one-factor recursion, as a hidden bias of 1e-12 makes it", () => {
    const k = Array.from({ length: 8 }, (_, i) => (i < 6 ? 100 : 0.01));
    const X = matrixFromRows(k.map((value, i) => k.map((_, j) => (i === j ? Math.sqrt(8 * value) : 0))));
    const targets = Float64Array.from(k, (value) => (value > 1 ? 0.3 : 7.7));
    const minimaOf = (bias: number, widths: number[]) => {
      const chain = { activation: activation("identity"), widths, weightVariance: [1, 1, 1], biasVariance: [0, bias, 0] };
      return deepMinima(createDeepProblem({ chain, inputs: X, targets, temperature: 0.5 }));
    };
    for (const widths of [
      [2, 40],
      [60, 2],
    ]) {
      // prettier-ignore
      const [factor, newton] = [minimaOf(0, widths), minimaOf(1e-12, widths)];
      expect([factor.method, newton.method, factor.minima.length]).toEqual(["homogeneous", "newton", 2]);
      expect(factor.minima[0].action).toBeLessThan(factor.minima[1]!.action);
      expectClose(
        newton.minima.map(({ action }) => action),
        factor.minima.map(({ action }) => action),
        { relative: 1e-8 },
      );
      newton.minima.forEach(({ orderParameters }, i) =>
        expectClose(orderParameters, factor.minima[i]!.orderParameters, { relative: 1e-5 }),
      );
      expectClose(newton.hessian, factor.hessian, { relative: 1e-4, absolute: 1e-4 });
    }
  });
});

describe("more than 250 points", () => {
  it("quasi-Newton steps end where the gradient vanishes, with the Hessian of the gradient", () => {
    const X = matrixFromRows(
      Array.from({ length: 252 }, (_, i) => Array.from({ length: 12 }, (__, j) => Math.sin((i + 1) * (j + 1.5) ** 1.3))),
    );
    const chain = { activation: activation("erf"), widths: [40, 25], weightVariance: [1.3, 1.7, 0.7], biasVariance: [0.2, 0.3, 0.4] };
    const targets = Float64Array.from({ length: 252 }, (_, i) => 2 * Math.cos(3 * i));
    const problem = createDeepProblem({ chain, inputs: X, targets, temperature: 0.3 });
    const found = deepMinima(problem);
    expect([found.method, found.converged]).toEqual(["quasi-newton", true]);
    expect(found.residual).toBeLessThan(1e-8);
    const u = found.minima[0].orderParameters.map(Math.log);
    const slopes = (l: number, h: number): Float64Array =>
      deepAction(
        problem,
        u.map((x, k) => (k === l ? x + h : x)),
      ).gradient;
    const { value, gradient } = deepAction(problem, u);
    expectClose(found.minima[0].action, value, { relative: 1e-12 });
    expectClose(gradient, [0, 0], { absolute: 1e-4 });
    for (const l of [0, 1]) {
      const [up, down] = [slopes(l, 1e-4), slopes(l, -1e-4)];
      expectClose(
        up.map((slope, k) => (slope - down[k]!) / 2e-4),
        [found.hessian.data[l]!, found.hessian.data[2 + l]!],
        { relative: 1e-4, absolute: 1e-3 },
      );
    }
  });
});

describe("rejections", () => {
  it("product closure with biases, wrong numbers of variances", () => {
    expect(() => problemOf(cases[0]!, "product", { biasVariance: [0, 0.1, 0] })).toThrow(/closure: expected "nested" or "affine"/);
    expect(() => problemOf(cases[0]!, "nested", { biasVariance: [0, 0] })).toThrow(/network.biasVariance: expected 3 numbers/);
    expect(() => problemOf(cases[0]!, "nested", { biasVariance: [0, -1, 0] })).toThrow(/variances ≥ 0/);
    expect(() => problemOf(cases[0]!, "nested", { targets: [1] })).toThrow(/targets/);
  });
});
