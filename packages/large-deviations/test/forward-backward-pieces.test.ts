import { respondToTargets } from "@finitewidth/numerics";
import {
  applyAdjointJacobian,
  applyJacobian,
  erf,
  identity,
  infiniteWidthRecursion,
  kernelMap,
  kernelSlopes,
  relu,
  sign,
  tanh,
} from "@finitewidth/activations";
import { matrixFromRows, type Activation, type Matrix } from "@finitewidth/core";
import { combine, innerProduct, multiply, symmetrise } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { flatten, readFixture } from "../../../tools/testing.ts";
import {
  contractedPriorCovariance,
  createClosure,
  dataForce,
  fourPointContraction,
  gaussianNodes,
  interpolationOrderParameter,
  isLinear,
  kernelAlignment,
  kernelCumulantGenerator,
  kernelCumulants,
  kernelRate,
  latticeNodes,
  linearClosure,
  priorVariance,
  quadratureClosure,
  sampleKernelChain,
  sampleKernelStep,
  solveDeepLinear,
  solveProportional,
  solveSaddle,
  type ClosureOptions,
} from "../src/index.js";

type Rows = number[][];
const byName: Record<string, Activation> = { erf, tanh, relu, linear: identity };
const cases = <T>(name: string): (readonly [string, T])[] =>
  readFixture<{ cases: (T & { readonly case: string })[] }>(`forward-backward/${name}`).cases.map((c) => [c.case, c]);

/** Entry by entry, relative to the largest entry. */
function expectNear(actual: Parameters<typeof flatten>[0], expected: Parameters<typeof flatten>[0], relative: number, what: string): void {
  const [a, e] = [flatten(actual), flatten(expected)];
  expect(a.length, what).toBe(e.length);
  const scale = Math.max(...e.map(Math.abs));
  expect(Math.max(...a.map((value, i) => Math.abs(value - e[i]!))), `${what}: worst difference over ${scale}`).toBeLessThanOrEqual(
    relative * scale + 1e-13,
  );
}
/**
 * The reference's tanh moments, 101 nested Gauss–Hermite nodes, are off by up to 8e-6 (checked against a two-dimensional trapezoidal rule:
 * ours to 5e-13).
 */
const momentTolerance = (activation: string, stated: number): number => (activation === "tanh" ? Math.max(stated, 1e-4) : stated);
const optionsFor = (kernel: Matrix, more: Partial<ClosureOptions> = {}): ClosureOptions => ({
  order: "full",
  closure: "quadrature",
  dimensions: kernel.shape[0],
  largestVariance: Math.max(...kernel.data),
  log2Count: 13,
  seed: 1,
  ...more,
});
const nodesFor = (activation: Activation, kernel: Matrix) =>
  gaussianNodes({ ...optionsFor(kernel), smooth: activation.smooth, odd: activation.odd });

describe.each(
  cases<{
    inputs: { activation: string; kernel: Rows; dK: Rows; A: Rows };
    expected: Record<"G" | "Gdot" | "X" | "response" | "responseAdjoint", Rows>;
    tolerance: { relative: number };
  }>("gaussian-moments"),
)("fixture gaussian-moments: %s", (_, { inputs, expected, tolerance }) => {
  it("the maps that the equations are built from", () => {
    const activation = byName[inputs.activation]!;
    const [kernel, change, conjugate] = [inputs.kernel, inputs.dK, inputs.A].map((rows) => matrixFromRows(rows)) as [
      Matrix,
      Matrix,
      Matrix,
    ];
    const slopes = kernelSlopes(activation, kernel);
    const relative = momentTolerance(inputs.activation, tolerance.relative);
    expectNear(kernelMap(activation, kernel), expected.G, relative, "G");
    if (activation.smooth) expectNear(slopes.slope, expected.Gdot, relative, "Ġ");
    if (activation.smooth) expectNear(slopes.curvature, expected.X, relative, "X");
    expectNear(applyJacobian(activation, kernel, change), expected.response, relative, "J[dK]");
    expectNear(applyAdjointJacobian(activation, kernel, conjugate), expected.responseAdjoint, relative, "Jᵀ[A]");
  });
});

interface TiltedCase {
  readonly inputs: { readonly activation: string; readonly C: Rows; readonly A: Rows; readonly weightVariance: number };
  readonly expected: {
    readonly exact: { readonly W: number; readonly M: Rows; readonly dW: Rows };
    readonly gaussianVariational: { readonly S: Rows; readonly W: number; readonly M: Rows; readonly dW: Rows };
  };
  readonly tolerance: { readonly exactRelative: number; readonly gaussianVariationalRelative: number };
}
describe.each(cases<TiltedCase>("tilted-measure"))("fixture tilted-measure: %s", (_, { inputs, expected, tolerance }) => {
  const activation = byName[inputs.activation]!;
  const measure = { kernel: matrixFromRows(inputs.C), conjugate: matrixFromRows(inputs.A), weightVariance: inputs.weightVariance };
  it("quadrature (linear: closed form; relu: angles)", () => {
    const { secondMoment, gradient, cumulant } = createClosure(activation, optionsFor(measure.kernel)).averages(measure, {
      gradient: true,
    });
    expectNear(cumulant!, expected.exact.W, tolerance.exactRelative, "W");
    expectNear(secondMoment, expected.exact.M, tolerance.exactRelative, "⟨φφᵀ⟩");
    // at P = 3 the reference's nodes leave 1.85e-6 here: lattices of spacing 0.4, 0.35 and 0.3 agree with each other to 3e-9
    expectNear(
      gradient!,
      expected.exact.dW,
      measure.kernel.shape[0] === 3 && activation.smooth && !isLinear(activation) ? 5e-6 : tolerance.exactRelative,
      "∂W/∂C",
    );
  });
  it("Gaussian variational, a lower bound", () => {
    const { secondMoment, gradient, cumulant, proposal } = createClosure(
      activation,
      optionsFor(measure.kernel, { closure: "gaussian-variational" }),
    ).averages(measure, { gradient: true });
    const relative = momentTolerance(inputs.activation, tolerance.gaussianVariationalRelative);
    expectNear(cumulant!, expected.gaussianVariational.W, relative, "W");
    expectNear(secondMoment, expected.gaussianVariational.M, relative, "⟨φφᵀ⟩");
    expectNear(gradient!, expected.gaussianVariational.dW, relative, "∂W/∂C");
    if (proposal) expectNear(proposal, expected.gaussianVariational.S, relative, "S");
    expect(cumulant!).toBeLessThanOrEqual(expected.exact.W + 1e-9);
  });
  it("∂W/∂C and ∂W/∂A are the derivatives of W", () => {
    const closure = createClosure(activation, optionsFor(measure.kernel));
    const at = (kernel: Matrix, conjugate: Matrix): number =>
      closure.averages({ ...measure, kernel, conjugate }, { gradient: false }).cumulant!;
    const { gradient, secondMoment } = closure.averages(measure, { gradient: true });
    const direction = symmetrise({ data: measure.kernel.data.map((_, i) => Math.cos(i)), shape: measure.kernel.shape });
    const h = 1e-4;
    const alongKernel =
      (at(combine(1, measure.kernel, h, direction), measure.conjugate) - at(combine(1, measure.kernel, -h, direction), measure.conjugate)) /
      (2 * h);
    const alongConjugate =
      (at(measure.kernel, combine(1, measure.conjugate, h, direction)) - at(measure.kernel, combine(1, measure.conjugate, -h, direction))) /
      (2 * h);
    expect(alongKernel).toBeCloseTo(innerProduct(gradient!, direction), 5);
    expect(alongConjugate).toBeCloseTo(measure.weightVariance * innerProduct(secondMoment, direction), 5);
  });
});

describe.each(
  cases<{
    inputs: { activation: string; C: Rows; A: Rows };
    expected: { secondChaos: Rows; full: Rows };
    tolerance: { secondChaosRelative: number; fullRelative: number };
  }>("four-point-contraction"),
)("fixture four-point-contraction: %s", (_, { inputs, expected, tolerance }) => {
  it("second chaos and the whole", () => {
    const activation = byName[inputs.activation]!;
    const kernel = matrixFromRows(inputs.C);
    const { full, secondChaos } = fourPointContraction(activation, kernel, matrixFromRows(inputs.A), nodesFor(activation, kernel));
    expectNear(secondChaos, expected.secondChaos, momentTolerance(inputs.activation, tolerance.secondChaosRelative), "second chaos");
    expectNear(full, expected.full, tolerance.fullRelative, "full");
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
    expected: { infiniteWidthKernels: Rows[]; dataForce: Rows; shifts: Rows[]; varianceOfContraction: number };
    tolerance: { relative: number };
  }>("kernel-response"),
)("fixture kernel-response: %s", (_, { inputs, expected, tolerance }) => {
  it("data-induced shift of every kernel", () => {
    const activation = byName[inputs.activation]!;
    const chain = {
      activation,
      firstKernel: matrixFromRows(inputs.K1),
      widths: inputs.widths,
      weightVariance: inputs.weightVariances,
      biasVariance: inputs.biasVariances,
    };
    const kernels = infiniteWidthRecursion(activation, chain.firstKernel, chain.weightVariance, chain.biasVariance).preactivation;
    kernels.forEach((kernel, l) => expectNear(kernel, expected.infiniteWidthKernels[l]!, tolerance.relative, `K of layer ${l + 1}`));
    const force = dataForce(respondToTargets(kernels.at(-1)!, matrixFromRows(inputs.Y), inputs.temperature));
    expectNear(force, expected.dataForce, tolerance.relative, "force");
    const nodes = gaussianNodes({ ...optionsFor(chain.firstKernel), smooth: activation.smooth, odd: activation.odd });
    contractedPriorCovariance(chain, force, nodes).forEach((shift, l) =>
      expectNear(shift, expected.shifts[l]!, tolerance.relative, `shift of layer ${l + 2}`),
    );
    expectNear(priorVariance(chain, force, nodes), expected.varianceOfContraction, tolerance.relative, "variance");
  });
});

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

describe("averages", () => {
  const kernel = matrixFromRows([
    [1.4, 0.5, -0.3],
    [0.5, 3.2, 0.4],
    [-0.3, 0.4, 0.9],
  ]);
  const conjugate = matrixFromRows([
    [0.2, -0.1, 0.05],
    [-0.1, -0.15, 0.1],
    [0.05, 0.1, 0.3],
  ]);
  it("the lattice at P = 3 is converged, half of it is enough for odd φ, and Sobol nodes agree within their error", () => {
    const of = (spacing: number, half: boolean) =>
      quadratureClosure(erf, latticeNodes(3, spacing, 6.2, half)).averages({ kernel, conjugate, weightVariance: 1.5 }, { gradient: true });
    const [coarse, fine, halved] = [of(0.36, false), of(0.28, false), of(0.36, true)];
    expectNear(coarse.secondMoment, fine.secondMoment, 1e-6, "spacing");
    expectNear(coarse.gradient!, fine.gradient!, 1e-4, "spacing, gradient");
    expectNear(halved.secondMoment, coarse.secondMoment, 1e-12, "half");
    const large = Array.from({ length: 4 }, (_, i) =>
      Array.from({ length: 4 }, (_, j) => (i < 3 && j < 3 ? kernel.data[3 * i + j]! : i === j ? 1 : 0)),
    );
    const padded = Array.from({ length: 4 }, (_, i) =>
      Array.from({ length: 4 }, (_, j) => (i < 3 && j < 3 ? conjugate.data[3 * i + j]! : 0)),
    );
    const sampled = createClosure(erf, optionsFor(matrixFromRows(large))).averages(
      { kernel: matrixFromRows(large), conjugate: matrixFromRows(padded), weightVariance: 1.5 },
      { gradient: true },
    );
    expect(sampled.cumulant!).toBeCloseTo(fine.cumulant!, 4);
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < 3; j++) expect(sampled.secondMoment.data[4 * i + j]!).toBeCloseTo(fine.secondMoment.data[3 * i + j]!, 3);
  });

  it("sign at two points: exact from the four quadrants", () => {
    const c = 0.6;
    const k = matrixFromRows([
      [1, c],
      [c, 2],
    ]);
    const a = matrixFromRows([
      [0.3, 0.4],
      [0.4, -0.2],
    ]);
    const same = 0.5 + Math.asin(c / Math.SQRT2) / Math.PI;
    const weight = [same * Math.exp(2 * 0.4), (1 - same) * Math.exp(-2 * 0.4)] as const;
    const { secondMoment, cumulant } = createClosure(sign, optionsFor(k)).averages(
      { kernel: k, conjugate: a, weightVariance: 1 },
      { gradient: true },
    );
    expect(secondMoment.data[1]).toBeCloseTo((weight[0] - weight[1]) / (weight[0] + weight[1]), 10);
    expect(cumulant).toBeCloseTo(Math.log(weight[0] + weight[1]) + 0.1, 10);
  });

  it("relu at one point, and a tilt that does not exist", () => {
    const k = matrixFromRows([[1.5]]);
    const closure = createClosure(relu, optionsFor(k));
    const x = 1 - 2 * 0.2 * 1.5;
    expect(
      closure.averages({ kernel: k, conjugate: matrixFromRows([[0.2]]), weightVariance: 1 }, { gradient: false }).cumulant,
    ).toBeCloseTo(Math.log(0.5 + 0.5 / Math.sqrt(x)), 12);
    expect(() => closure.averages({ kernel: k, conjugate: matrixFromRows([[0.5]]), weightVariance: 1 }, { gradient: false })).toThrow(
      "W is infinite",
    );
  });

  it("test points: a training point as test point gets the training point's row, whatever the closure", () => {
    const test = { cross: matrixFromRows([kernel.data.slice(3, 6)]), variances: Float64Array.of(kernel.data[4]!) };
    for (const [activation, options] of [
      [erf, {}],
      [erf, { closure: "gaussian-variational" }],
      [erf, { order: "first" }],
      [relu, {}],
      [identity, {}],
    ] as const) {
      const closure = createClosure(activation, optionsFor(kernel, options));
      const measure = { kernel, conjugate: combine(0.5, conjugate, 0, conjugate), weightVariance: 1.2 };
      const { secondMoment } = closure.averages(measure, { gradient: false });
      const { cross, variances } = closure.extend(measure, test);
      expectNear(cross, secondMoment.data.slice(3, 6), 1e-5, `${activation.name} cross`);
      expectNear(variances, [secondMoment.data[4]!], 1e-5, `${activation.name} variance`);
    }
  });
});

describe("the prior as a Markov chain of kernels", () => {
  const step = {
    activation: erf,
    kernel: matrixFromRows([
      [1.2, 0.4],
      [0.4, 0.8],
    ]),
    width: 40,
    weightVariance: 1.5,
    biasVariance: 0.1,
  };
  it("sampled kernels have the conditional mean and covariance", () => {
    const { mean, covariance } = kernelCumulants(step);
    const draws = 4000;
    const source = stream(3);
    let [sum, square] = [0, 0];
    for (let i = 0; i < draws; i++) {
      const value = sampleKernelStep(step, source).data[1]! - mean.data[1]!;
      sum += value / draws;
      square += (value * value) / draws;
    }
    const variance = covariance.data[0b0101]!;
    expect(Math.abs(sum)).toBeLessThan(4 * Math.sqrt(variance / draws));
    expect(Math.abs(square / variance - 1)).toBeLessThan(4 * Math.sqrt(2.5 / draws));
    expect(
      sampleKernelChain(
        { activation: erf, firstKernel: step.kernel, widths: [5, 7], weightVariance: [1, 2], biasVariance: [0, 0.1] },
        source,
      ),
    ).toHaveLength(2);
  });

  it("the generating function has those cumulants, and the rate is their Legendre transform", () => {
    const closure = quadratureClosure(erf, latticeNodes(2, 0.3, 6.5, true));
    const { mean, covariance } = kernelCumulants(step);
    const h = 1e-3;
    const at = (s: number): number =>
      kernelCumulantGenerator(
        step,
        matrixFromRows([
          [0, s / 2],
          [s / 2, 0],
        ]),
        closure,
      ) / step.width;
    expect((at(h) - at(-h)) / (2 * h)).toBeCloseTo(mean.data[1]!, 6);
    expect((at(h) + at(-h)) / (h * h)).toBeCloseTo(step.width * covariance.data[0b0101]!, 4);
    expect(kernelRate(step, mean, closure).rate).toBeLessThan(1e-12);
    const away = combine(
      1,
      mean,
      0.01,
      matrixFromRows([
        [1, 0.5],
        [0.5, -1],
      ]),
    );
    const { rate, conjugate } = kernelRate(step, away, closure);
    expect(rate).toBeGreaterThan(0);
    const tilted = closure.averages(
      { kernel: step.kernel, conjugate, weightVariance: step.weightVariance },
      { gradient: false },
    ).secondMoment;
    expectNear(
      tilted.data.map((value) => step.weightVariance * value + step.biasVariance),
      away,
      1e-7,
      "kernel of the tilted measure",
    );
    expect(() =>
      kernelRate(
        step,
        matrixFromRows([
          [9, 0],
          [0, 9],
        ]),
        quadratureClosure(erf, latticeNodes(2, 0.7, 4, true)),
      ),
    ).toThrow("out of reach");
  });

  it("fluctuations of the readout kernel grow linearly with depth at criticality", () => {
    const point = 1.7;
    const depth = (L: number): number => {
      const layers = Array.from({ length: L }, () => 2);
      const k = matrixFromRows([[point]]);
      return (
        priorVariance(
          { activation: relu, firstKernel: k, widths: layers.map(() => 100), weightVariance: layers, biasVariance: layers.map(() => 0) },
          matrixFromRows([[1]]),
          nodesFor(relu, k),
        ) /
        point ** 2
      );
    };
    expect(depth(2)).toBeCloseTo(2 * 0.05, 10);
    expect(depth(7)).toBeCloseTo(7 * 0.05, 10);
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
