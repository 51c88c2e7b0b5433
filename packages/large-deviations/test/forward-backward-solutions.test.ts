import { respondToTargets } from "@finitewidth/numerics";
import { erf, identity, kernelMap } from "@finitewidth/activations";
import { FinitewidthError, matrixFromRows } from "@finitewidth/core";
import { affine, combine, gram, identity as eye, innerProduct, multiply } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import {
  createClosure,
  createMultiOutputProblem,
  interpolationOrderParameter,
  kernelAlignment,
  linearClosure,
  matrixChainSaddle,
  multiOutputLearnedKernel,
  multiOutputState,
  predictMultiOutputTrain,
  solveDeepLinear,
  solveProportional,
  solveSaddle,
} from "../src/index.js";
import type { TiltClosure } from "../src/forward-backward/closure.js";
import type { SaddleProblem } from "../src/forward-backward/saddle-problem.js";
import { guidedStart } from "../src/forward-backward/starts.js";
import { solveVariationalSaddle } from "../src/forward-backward/variational-saddle.js";
import { type Rows, byName, cases, expectNear, optionsFor } from "./forward-backward-cases.js";
import { draw } from "./forward-backward-problems.js";

interface LinearCase {
  readonly inputs: { readonly K0: Rows; readonly Y: Rows; readonly temperature: number; readonly widths: number[] };
  readonly expected: {
    readonly kernels: Rows[];
    readonly conjugateKernels: Rows[];
    readonly conservedMatrix: Rows;
    readonly weights: Rows;
    readonly trainMean: Rows;
    readonly logEvidence: number;
    readonly Q?: number;
    readonly proportionalLimit: { readonly Q: Rows; readonly weights: Rows; readonly trainMean: Rows; readonly kernels: Rows[] };
  };
  readonly tolerance: { readonly relative: number };
}

describe.each(cases<LinearCase>("linear-network"))("fixture linear-network: %s", (_, { inputs, expected, tolerance }) => {
  const K0 = matrixFromRows(inputs.K0);
  const targets = matrixFromRows(inputs.Y);
  const ones = inputs.widths.map(() => 1);
  it("solution, conserved along depth", () => {
    const saddle = solveSaddle({
      firstKernel: K0,
      infiniteWidth: ones.map(() => K0),
      targets,
      temperature: inputs.temperature,
      widths: inputs.widths,
      weightVariance: ones,
      biasVariance: ones.map(() => 0),
      closure: linearClosure(identity),
    });
    saddle.kernels.forEach((kernel, l) => expectNear(kernel, expected.kernels[l]!, tolerance.relative, `C of layer ${l + 1}`));
    saddle.conjugates.forEach((conjugate, l) => {
      expectNear(conjugate, expected.conjugateKernels[l]!, tolerance.relative, `A of layer ${l + 2}`);
      const product = multiply(saddle.kernels[l + 1]!, conjugate);
      expectNear(
        combine(2 * inputs.widths[l]!, product, 0, product),
        expected.conservedMatrix,
        tolerance.relative,
        `2N C A of layer ${l + 2}`,
      );
    });
    expectNear(saddle.data.weights, expected.weights, tolerance.relative, "V");
    expectNear(saddle.action!, expected.logEvidence, tolerance.relative, "log evidence");
    if (expected.Q !== undefined)
      expectNear(
        interpolationOrderParameter(innerProduct(targets, respondToTargets(K0, targets, 0).weights), inputs.widths),
        expected.Q,
        tolerance.relative,
        "Q at T = 0",
      );
  });
  it("proportional limit", () => {
    const { proportionalLimit } = expected;
    const saddle = solveDeepLinear(K0, targets, inputs.temperature, inputs.widths);
    expectNear(saddle.orderParameter, proportionalLimit.Q, tolerance.relative, "Q");
    expectNear(saddle.weights, proportionalLimit.weights, tolerance.relative, "V");
    expectNear(saddle.trainMean, proportionalLimit.trainMean, tolerance.relative, "train mean");
    saddle.kernels.forEach((kernel, l) => expectNear(kernel, proportionalLimit.kernels[l]!, tolerance.relative, `C of layer ${l + 1}`));
  });
});

describe("the proportional limit of deep linear networks is the chain of matrix order parameters", () => {
  it.each([[[7]], [[7, 12, 5]], [[4, 9]]])("widths %j, two outputs", (widths) => {
    const [kernel, targets, temperature] = [affine(0.25, gram(draw(5, 4, 71))), draw(5, 2, 72), 0.3];
    const found = solveDeepLinear(kernel, targets, temperature, widths);
    const problem = createMultiOutputProblem({ kernel, targets, temperature, width: widths.at(-1)! });
    const { matrices } = matrixChainSaddle(problem, widths);
    expectNear(found.orderParameter, matrices[0]!, 1e-8, "Q");
    // M_l = Q_l … Q_L
    matrices.forEach((m, l) =>
      expectNear(
        found.layers.slice(l).reduce((product, q) => multiply(product, q)),
        m,
        1e-8,
        `M of layer ${l + 1}`,
      ),
    );
    const state = multiOutputState(problem, matrices[0]!);
    const train = predictMultiOutputTrain(problem, state);
    expectNear(found.trainMean, train.mean, 1e-8, "train mean");
    expectNear(affine(temperature, found.weights), combine(1, targets, -1, train.mean), 1e-8, "weights");
    expect(found.kernels).toHaveLength(widths.length + 1);
    if (widths.length === 1) expectNear(found.kernels[1]!, multiOutputLearnedKernel(problem, state), 1e-8, "kernel");
  });
});

describe.each(
  cases<{
    inputs: { K1: Rows; Y: Rows; temperature: number; width: number; activation: string; weightVariance: number; biasVariance: number };
    expected: { kernel: Rows; Q: number; tau: number; weights: Rows; trainMean: Rows; conjugateKernel: Rows };
    tolerance: { relative: number };
  }>("proportional"),
)("fixture proportional: %s", (_, { inputs, expected, tolerance }) => {
  it("Onsager-corrected solution", () => {
    const activation = byName[inputs.activation]!;
    const firstKernel = matrixFromRows(inputs.K1);
    const saddle = solveProportional({
      ...inputs,
      activation,
      firstKernel,
      targets: matrixFromRows(inputs.Y),
      closure: createClosure(activation, optionsFor(firstKernel)),
    });
    expectNear(saddle.kernel, expected.kernel, tolerance.relative, "C");
    expectNear(saddle.conjugate, expected.conjugateKernel, tolerance.relative, "A");
    expectNear(saddle.orderParameter, expected.Q, tolerance.relative, "Q");
    expectNear(saddle.tau, expected.tau, tolerance.relative, "τ");
    expectNear(saddle.weights, expected.weights, tolerance.relative, "V");
    expectNear(saddle.trainMean, expected.trainMean, tolerance.relative, "train mean");
  });
});

describe.each(
  cases<{
    inputs: {
      K1: Rows;
      Y: Rows;
      temperature: number;
      widths: number[];
      activation: string;
      weightVariances: number[];
      biasVariances: number[];
    };
  }>("invalid-inputs"),
)("fixture invalid-inputs: %s", (_, { inputs }) => {
  it("is rejected, naming the field", () => {
    const firstKernel = matrixFromRows(inputs.K1);
    const solve = () =>
      solveSaddle({
        firstKernel,
        infiniteWidth: [firstKernel],
        targets: matrixFromRows(inputs.Y),
        temperature: inputs.temperature,
        widths: inputs.widths,
        weightVariance: inputs.weightVariances,
        biasVariance: inputs.biasVariances,
        closure: linearClosure(identity),
      });
    expect(solve).toThrow(/^(temperature|widths\[0\]|firstKernel|targets|weightVariance\[0\]): expected/);
  });
});

describe("alignment", () => {
  it("is 1 for YYᵀ itself, and undefined where it does not exist", () => {
    const y = matrixFromRows([[1], [-2], [0.5]]);
    const square = matrixFromRows([
      [1, -2, 0.5],
      [-2, 4, -1],
      [0.5, -1, 0.25],
    ]);
    expect(kernelAlignment(square, y, false)).toBeCloseTo(1, 14);
    expect(kernelAlignment(square, y, true)).toBeCloseTo(1, 14);
    expect(kernelAlignment(square, matrixFromRows([[1], [1], [1]]), true)).toBeUndefined();
  });
});

describe("a start from the Gaussian variational solution", () => {
  const problemOf = (points: number, averages: () => { effectiveFraction: number }): SaddleProblem => {
    const firstKernel = affine(0.5, eye(points), 0.3);
    return {
      firstKernel,
      infiniteWidth: [kernelMap(erf, firstKernel)],
      targets: { data: Float64Array.from({ length: points }, (_, i) => Math.cos(i)), shape: [points, 1] },
      temperature: 0.2,
      widths: [30],
      weightVariance: [1],
      biasVariance: [0],
      closure: { averages } as unknown as TiltClosure,
    };
  };
  const startOf = (points: number, averages: () => { effectiveFraction: number }) =>
    guidedStart(erf, problemOf(points, averages), () => undefined);
  const collapse = (): never => {
    throw new FinitewidthError("no node keeps any weight", { code: "not-converged" });
  };

  it("is taken where the nodes keep a hundredth of their sample there; nothing is begun at many points where they do not", () => {
    const problem = problemOf(4, () => ({ effectiveFraction: 1 }));
    const guide = solveVariationalSaddle(erf, problem, { tolerance: 1e-6 });
    expect(startOf(4, () => ({ effectiveFraction: 0.011 }))).toEqual(guide.kernels.slice(1));
    expect(startOf(4, () => ({ effectiveFraction: 0.009 }))).toBeUndefined();
    expect(startOf(4, collapse)).toBeUndefined();
    expect(startOf(16, collapse)).toBeUndefined();
    expect(() => startOf(17, collapse)).toThrow("layer 1 keeps only 0.0 % of their effective sample (17 points, widths 30)");
    expect(() =>
      startOf(4, () => {
        throw new Error("something else");
      }),
    ).toThrow("something else");
  });
});
