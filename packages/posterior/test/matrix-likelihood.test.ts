import { matrixFromRows, type Matrix } from "@finitewidth/core";
import { multiply, symmetricEigenvalues, transpose } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { matrixTarget, spectralProblem, type PlainChain } from "../src/index.js";
import { choleskySemidefinite } from "../src/matrix/predict.js";
import { columnProducts, smallEigen, smallMultiply, smallMultiplyLeft, smallMultiplyRight, smallSolve } from "../src/matrix/small.js";
import { farthestCoordinate } from "../src/sampling/target.js";
import { expectClose, readFixture } from "../../../tools/testing.ts";

interface LikelihoodFixture {
  readonly inputs: {
    readonly K: number[][];
    readonly Y: number[][];
    readonly temperature: number;
    readonly widths: number[];
    readonly variances: number[];
    readonly coordinates: number[];
    readonly biasVariances: number[];
  };
  readonly expected: {
    readonly chain: number[][][];
    readonly logLikelihood: number;
    readonly gradientQ: number[][];
    readonly logPrior: number;
    readonly logPosteriorGradient: number[];
    readonly biasLogLikelihood: number;
    readonly biasGradients: number[][][];
  };
  readonly tolerance: { readonly relative: number; readonly absolute: number };
}

describe("likelihood of a mixing matrix", () => {
  const { inputs, expected, tolerance } = readFixture<LikelihoodFixture>("deep-linear/likelihood-matrix");
  const x = Float64Array.from(inputs.coordinates);
  const gradients = () => ({ prior: new Float64Array(x.length), likelihood: new Float64Array(x.length) });
  const plain: PlainChain = { widths: inputs.widths, variances: inputs.variances, hiddenBias: [0, 0], readoutBias: 0 };
  const biased: PlainChain = { ...plain, hiddenBias: [0, inputs.biasVariances[0]!], readoutBias: inputs.biasVariances[1]! };

  it("fixture likelihood-matrix: values and gradients", () => {
    const target = matrixTarget(plain, spectralProblem(matrixFromRows(inputs.K), matrixFromRows(inputs.Y), inputs.temperature));
    const g = gradients();
    const value = target.evaluate(x, g);
    expectClose([value.logPrior, value.logLikelihood + target.logConstant!], [expected.logPrior, expected.logLikelihood], tolerance);
    expectClose(target.likelihood.gradientQ, expected.gradientQ, tolerance);
    expectClose(
      g.prior.map((p, i) => p + g.likelihood[i]!),
      expected.logPosteriorGradient,
      tolerance,
    );
  });

  it("fixture likelihood-matrix: biases in all layers", () => {
    const target = matrixTarget(
      biased,
      spectralProblem(matrixFromRows(inputs.K), matrixFromRows(inputs.Y), inputs.temperature, {
        readout: biased.readoutBias,
        hidden: true,
      }),
    );
    const g = gradients();
    expectClose(target.evaluate(x, g).logLikelihood + target.logConstant!, expected.biasLogLikelihood, tolerance);
    expectClose(target.likelihood.gradientQ, expected.biasGradients[0]!, tolerance);
    expectClose(
      target.likelihood.gradientB.map((value) => value * inputs.biasVariances[0]!),
      expected.biasGradients[1]!,
      tolerance,
    );
    const numeric = Array.from(x, (_, i) => {
      const at = (h: number) => target.evaluate(x.map((entry, k) => (k === i ? entry + h : entry))).logLikelihood;
      return (at(1e-5) - at(-1e-5)) / 2e-5;
    });
    expectClose(g.likelihood, numeric, { relative: 1e-6, absolute: 1e-7 });
  });

  it("points beyond the bound have density 0", () => {
    const target = matrixTarget(plain, spectralProblem(matrixFromRows(inputs.K), matrixFromRows(inputs.Y), inputs.temperature));
    expect(target.evaluate(x.map(() => 2 * farthestCoordinate)).logPrior).toBe(-Infinity);
    expect(target.evaluate(x.map(() => Number.NaN)).logLikelihood).toBe(-Infinity);
  });
});

describe("small dense operations", () => {
  const random = stream(71);
  const draw = (n: number): Float64Array => random.normals(new Float64Array(n));
  const matrix = (data: Float64Array, rows: number): Matrix => ({ data, shape: [rows, data.length / rows] });

  it("products, and products of columns", () => {
    const [a, b, c] = [draw(6), draw(12), draw(8)];
    const out = new Float64Array(8);
    smallMultiply(a, b, 2, 3, 4, out);
    expectClose(out, multiply(matrix(a, 2), matrix(b, 3)), { relative: 1e-13, absolute: 1e-14 });
    const [left, right] = [new Float64Array(20), new Float64Array(6)];
    const x = draw(10);
    smallMultiplyLeft(c, x, 2, 4, 5, left);
    expectClose(left, multiply(transpose(matrix(c, 2)), matrix(x, 2)), { relative: 1e-13, absolute: 1e-14 });
    smallMultiplyRight(a, b.subarray(0, 9), 2, 3, 3, right);
    expectClose(right, multiply(matrix(a, 2), transpose(matrix(b.slice(0, 9), 3))), { relative: 1e-13, absolute: 1e-14 });
    const y = draw(10);
    const expected = [0, 1, 2, 3, 4].map((k) => x[k]! * y[k]! + x[5 + k]! * y[5 + k]!);
    expectClose(columnProducts(x, y, 2, 5), expected, { relative: 1e-13, absolute: 1e-14 });
  });

  it("eigenvectors, and solutions by pivots in any order", () => {
    const g = matrix(draw(16), 4);
    const symmetric = multiply(g, transpose(g));
    const [values, vectors] = [new Float64Array(4), new Float64Array(16)];
    smallEigen(symmetric.data.slice(), 4, values, vectors);
    const scaled = matrix(vectors.map((v, k) => v * values[k % 4]!), 4); // prettier-ignore
    expectClose(multiply(scaled, transpose(matrix(vectors, 4))), symmetric, { relative: 1e-12, absolute: 1e-13 });
    expectClose(
      [...values].sort((p, q) => p - q),
      symmetricEigenvalues(symmetric),
      { relative: 1e-11 },
    );
    // zeros on the diagonal: every column needs another row
    const a = matrix(Float64Array.of(0, 2, 0, 0, 0, -3, 4, 0.5, 1), 3);
    const b = matrix(draw(6), 3);
    const x = b.data.slice();
    expect(smallSolve(a.data.slice(), x, 3, 2)).toBeCloseTo(Math.log(24), 12);
    expectClose(multiply(a, matrix(x, 3)), b, { relative: 1e-12, absolute: 1e-13 });
    expect(smallSolve(Float64Array.of(1, 2, 2, 4), Float64Array.of(1, 1), 2, 1)).toBe(-Infinity);
  });

  it("a root of a semidefinite matrix", () => {
    const g = Float64Array.of(1, 2, 0.5, -1, 2, 0);
    const singular = multiply(matrix(g, 3), transpose(matrix(g, 3)));
    const root = matrix(choleskySemidefinite(singular.data, 3), 3);
    expectClose(multiply(root, transpose(root)), singular, { relative: 1e-12, absolute: 1e-12 });
    expect([root.data[1], root.data[2], root.data[5]]).toEqual([0, 0, 0]);
  });
});
