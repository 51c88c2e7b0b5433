import { createRegistry, fit, inlineRun, matrixFromRows, resolveArchitecture, type Matrix } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { gram, multiplyTransposedRight, transpose } from "@finitewidth/linalg";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import {
  completeScalarProblem,
  createDeepProblem,
  createMultiOutputProblem,
  createScalarProblem,
  deepAction,
  deepMinima,
  effectiveAction,
  learnedKernel,
  meanIntegral,
  meanSaddle,
  pointMass,
  predictReduced,
  predictScalar,
  reduceMeanProblems,
  reduceScalarProblem,
  reduceScalarProblems,
  resolveEffectiveActionOptions,
  scalarIntegral,
  scalarMinima,
  scalarSaddle,
  trainError,
  type ScalarInput,
} from "../src/index.js";

const registry = createRegistry([activations, priorFc]);
const normals = (rows: number, columns: number, index: number): Matrix => normalMatrix(stream(11, index), rows, columns);
const covariance = (x: Matrix, z: Matrix = x): Matrix => {
  const g = x === z ? gram(x) : multiplyTransposedRight(x, z);
  return { data: g.data.map((value) => value / x.shape[1]), shape: g.shape };
};
const stacked = (x: Matrix): Matrix => ({ data: Float64Array.of(...x.data, ...x.data), shape: [2 * x.shape[0], x.shape[1]] });
const kernels: Record<string, { x: Matrix; temperatures: number[]; singular?: boolean }> = {
  "full rank": { x: normals(40, 60, 1), temperatures: [0, 1e-5, 0.1, 5] },
  "repeated points": { x: stacked(normals(20, 60, 2)), temperatures: [1e-3, 0.1], singular: true },
  "fewer features than points": { x: normals(40, 7, 3), temperatures: [1e-3, 0.1], singular: true },
};
const y = normals(40, 1, 4).data;
const close = { relative: 1e-10, absolute: 1e-10 };

describe("scalar problems without eigenvectors", () => {
  for (const [name, { x, temperatures, singular }] of Object.entries(kernels)) {
    it.each(
      temperatures.flatMap((temperature) =>
        [0, 0.6].flatMap((biasVariance) => [15, 100].map((width) => ({ temperature, biasVariance, width }))),
      ),
    )(`${name}: minima, saddle, integral and predictions as with them, %j`, (settings) => {
      const input: ScalarInput = { kernel: covariance(x), targets: y, ...settings };
      // a null eigenvalue is known to some ε, and moves the slope of the action by (its share of |y|²)/T² times that
      const noise = singular ? (10 * Number.EPSILON * y.length) / settings.temperature ** 2 / settings.width : 0;
      const close = { relative: 1e-10 + noise, absolute: 1e-10 + noise };
      const [full, reduced] = [createScalarProblem(input), reduceScalarProblem(input)];
      expect(reduced.rank).toBe(full.rank);
      const minima = [scalarMinima(full), scalarMinima(reduced)].map((found) =>
        found.minima.flatMap(({ orderParameter, action }) => [orderParameter, action]),
      );
      expectClose(minima[1]!, minima[0]!, close, "minima");
      const saddles = [scalarSaddle(full), scalarSaddle(reduced)] as const;
      expectClose(
        [saddles[1].logEvidence, saddles[1].second, saddles[1].third],
        [saddles[0].logEvidence, saddles[0].second, saddles[0].third],
        close,
        "saddle",
      );
      const integrals = [scalarIntegral(full), scalarIntegral(reduced)] as const;
      expectClose(
        [integrals[1].logEvidence, integrals[1].mean, integrals[1].variance],
        [integrals[0].logEvidence, integrals[0].mean, integrals[0].variance],
        close,
        "integral",
      );
      expectClose(trainError(reduced, integrals[1]).total, trainError(full, integrals[0]).total, close, "training error");
      const other = normals(3, x.shape[1], 5);
      const cross = covariance(other, x);
      const variances = covariance(other).data.filter((_, at) => at % 4 === 0);
      for (const nodes of [integrals[0], pointMass(saddles[0].orderParameter)]) {
        const [expected, found] = [predictScalar(full, nodes, cross, variances), predictReduced(reduced, nodes, cross, variances)];
        expectClose(found.mean, expected.mean, { relative: 1e-8, absolute: 1e-8 }, "means");
        expectClose(found.variance, expected.variance, { relative: 1e-8, absolute: 1e-8 }, "variances");
      }
    });
  }

  it("complete to the same problem, from a structured clone too", () => {
    const input = { kernel: covariance(kernels["full rank"]!.x), targets: y, temperature: 0.1, width: 30, biasVariance: 0.4 };
    const completed = completeScalarProblem(structuredClone(reduceScalarProblem(input)));
    const nodes = pointMass(0.9);
    expectClose(learnedKernel(completed, nodes), learnedKernel(createScalarProblem(input), nodes), close);
  });

  it("tridiagonal predictions at 150 points feel the tridiagonal form", () => {
    const [x, other] = [normals(150, 220, 6), normals(4, 220, 7)];
    const input = { kernel: covariance(x), targets: normals(150, 1, 8).data, temperature: 0.1, width: 90, biasVariance: 0.3 };
    const reduced = reduceScalarProblem(input);
    const nodes = scalarIntegral(reduced);
    const [cross, variances] = [covariance(other, x), Float64Array.of(1, 1, 1, 1)];
    const expected = predictScalar(createScalarProblem(input), nodes, cross, variances);
    const found = predictReduced(reduced, nodes, cross, variances);
    expectClose(found.mean, expected.mean, { relative: 1e-11, absolute: 1e-12 });
    expectClose(found.variance, expected.variance, { relative: 1e-11 });
    const broken = { ...reduced, form: { ...reduced.form, diagonal: reduced.form.diagonal.map((value) => 1.01 * value) } };
    expect(Math.abs(predictReduced(broken, nodes, cross, variances).variance[0]! / expected.variance[0]! - 1)).toBeGreaterThan(1e-5);
  });

  it("rejections name what is wrong like those of the full problem", () => {
    const input = {
      kernel: matrixFromRows([
        [1, 0],
        [0, 1],
      ]),
      targets: Float64Array.of(1, 2),
      temperature: 0.1,
      width: 3,
    };
    const changes: Partial<ScalarInput>[] = [
      { targets: Float64Array.of(1) },
      { targets: Float64Array.of(1, Number.NaN) },
      { temperature: -1 },
      { width: 0 },
      { biasVariance: -1 },
      {
        kernel: matrixFromRows([
          [1, 2],
          [2, 1],
        ]),
      },
      {
        kernel: matrixFromRows([
          [1, 1],
          [1, 1],
        ]),
        temperature: 0,
      },
      {
        kernel: matrixFromRows([
          [1, 1],
          [0, 1],
        ]),
      },
    ];
    const messageOf = (compute: () => unknown): string => {
      try {
        compute();
      } catch (error) {
        return (error as Error).message;
      }
      return "none";
    };
    for (const change of changes) {
      const message = messageOf(() => createScalarProblem({ ...input, ...change }));
      expect(message).not.toBe("none");
      expect(messageOf(() => reduceScalarProblem({ ...input, ...change })).replace(/[-\d.e]+/g, "#")).toBe(
        message.replace(/[-\d.e]+/g, "#"),
      );
    }
  });

  it("several targets at once are those one by one", () => {
    const kernel = covariance(kernels["full rank"]!.x);
    const targets = normals(40, 5, 9);
    const settings = { kernel, temperature: 0, width: 60, biasVariance: 0.2 };
    reduceScalarProblems(settings, targets).forEach((problem, j) => {
      const one = Float64Array.from({ length: 40 }, (_, i) => targets.data[5 * i + j]!);
      expectClose(
        scalarIntegral(problem).logEvidence,
        scalarIntegral(createScalarProblem({ ...settings, targets: one })).logEvidence,
        close,
      );
    });
  });
});

describe("problems with a mean without eigenvectors", () => {
  it.each([
    { temperature: 0, biasVariance: 0 },
    { temperature: 0.1, biasVariance: 0.5 },
  ])("saddle and integral as with them, %j", (settings) => {
    const x = kernels["full rank"]!.x;
    const mean = normals(40, 1, 10).data.map((value) => 0.3 + 0.1 * value);
    const targets = normals(40, 2, 12);
    const input = { kernel: covariance(x), width: 60, mean, ...settings };
    reduceMeanProblems(input, targets).forEach((problem, j) => {
      const one: Matrix = { data: Float64Array.from({ length: 40 }, (_, i) => targets.data[2 * i + j]!), shape: [40, 1] };
      const full = createMultiOutputProblem({ ...input, targets: one });
      expectClose(meanIntegral(problem, [1]).logEvidence, meanIntegral(full, [1]).logEvidence, close);
      const [found, expected] = [meanSaddle(problem), meanSaddle(full)];
      expectClose(
        [found.orderParameter.data[0]!, found.zeta.data[0]!, found.xi[0]!],
        [expected.orderParameter.data[0]!, expected.zeta.data[0]!, expected.xi[0]!],
        { relative: 1e-9, absolute: 1e-9 },
      );
    });
  });
});

describe("deep networks whose recursion is one factor", () => {
  it.each([
    ["relu", "nested", 0.1, 0.3],
    ["identity", "nested", 0, 0.3],
    ["relu", "product", 0.1, 0],
    ["erf", "product", 0.02, 0],
  ] as const)("%s, %s: the adjoint gradient vanishes at the minima, T = %f", (name, closure, temperature, readoutBias) => {
    const x = normals(12, 20, 13);
    const chain = {
      activation: registry.activation(name),
      widths: [9, 14],
      weightVariance: [1, 1.4, 0.8],
      biasVariance: [0.1, 0, readoutBias],
    };
    const problem = createDeepProblem({ chain, inputs: x, targets: normals(12, 1, 14).data, temperature, closure });
    const found = deepMinima(problem);
    expect([found.method, found.converged]).toEqual(["homogeneous", true]);
    expect(found.residual).toBeLessThan(1e-10);
    for (const { orderParameters, action } of found.minima) {
      const { value, gradient } = deepAction(problem, orderParameters.map(Math.log));
      expectClose(action, value, { relative: 1e-10 });
      gradient.forEach((slope) => expect(Math.abs(slope)).toBeLessThan(1e-8));
    }
  });
});

describe("log densities of the prior", () => {
  const run = inlineRun({ registry });
  it.each(["erf", "relu"])("of several values as of each alone, %s", async (name) => {
    const network = {
      type: "fully-connected",
      activation: name,
      widths: [50],
      weightVariance: [1, 1.2],
      biasVariance: [0.1, 0.2],
    } as const;
    const values = [20, 21, 22].map((index) => normals(8, 1, index));
    const at = async (evaluateAt: readonly Matrix[]) =>
      (
        await effectiveAction.prior!(
          { network, inputs: normals(8, 12, 15), outputs: 1, evaluateAt, samples: 1 },
          resolveEffectiveActionOptions(),
          run,
        )
      ).logDensity!;
    const together = await at(values);
    for (const [i, value] of values.entries()) expectClose(together[i]!, (await at([value]))[0]!, { relative: 1e-11 });
    expect(new Set(together).size).toBe(3);
    await expect(at([values[0]!, transpose(values[1]!)])).rejects.toThrow(/evaluateAt\[1\]/);
  });
});

describe("kernels at infinite width that a fit hands on", () => {
  it("are those of the network", async () => {
    const inputs = normals(30, 12, 21);
    const network = { type: "fully-connected", widths: [25], activation: "erf", weightVariance: [1.3, 0.7], biasVariance: [0.2, 0.1] };
    const problem = { network, inputs, targets: normals(30, 1, 22), temperature: 0.1 };
    const { posterior } = await fit(effectiveAction, problem, { registry });
    const [handed] = effectiveAction.infiniteKernels!(posterior)!;
    const [expected] = infiniteWidthKernels(resolveArchitecture(registry, posterior.problem.network), inputs).hidden;
    expectClose(handed!.data, expected!.data, { relative: 1e-15, absolute: 0 }, "first hidden layer");
  });
});
