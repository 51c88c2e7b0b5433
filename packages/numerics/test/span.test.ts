import { matrix, matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { gram, multiplyTransposedLeft, multiplyTransposedRight, symmetricEigen } from "@finitewidth/linalg";
import { splitBySpan } from "../src/index.js";

describe("splitBySpan", () => {
  const draw = (seed: number, n: number, m: number) =>
    matrix(
      n,
      m,
      Float64Array.from({ length: n * m }, (_, k) => Math.sin(997 * seed + 3.7 * k * k + k)),
    );

  it.each([
    [7, 3],
    [4, 9],
  ])("%i points of %i features: the posterior covariance of test points, as the difference has it", (points, features) => {
    const [x, test] = [draw(points, points, features), draw(50 + points, 3, features)];
    const { values, vectors } = symmetricEigen(gram(x));
    const projected = multiplyTransposedLeft(vectors, multiplyTransposedRight(x, test));
    const own = gram(test);
    const { inside, outside } = splitBySpan(projected, values, own.data);
    const diagonal = splitBySpan(projected, values, Float64Array.of(own.data[0]!, own.data[4]!, own.data[8]!)).outside;
    const [q, T] = [1.7, 0.3];
    for (let s = 0; s < 3; s++) {
      for (let t = 0; t < 3; t++) {
        let [difference, sum] = [q * own.data[3 * s + t]!, q * outside[3 * s + t]!];
        for (let i = 0; i < points; i++) {
          const kappa = Math.max(values[i]!, 0);
          difference -= (q * q * projected.data[3 * i + s]! * projected.data[3 * i + t]!) / (q * kappa + T);
          sum += (q * T * inside.data[3 * i + s]! * inside.data[3 * i + t]!) / (q * kappa + T);
        }
        expectClose(sum, difference, { absolute: 1e-12 });
      }
      expectClose(diagonal[s]!, outside[4 * s]!, { absolute: 1e-13 });
      if (features < points) expect(diagonal[s]).toBe(0);
    }
  });

  it("a point in the span has nothing outside it to share with another", () => {
    const x = draw(3, 4, 9);
    const test = matrix(2, 9, Float64Array.of(...x.data.subarray(0, 9), ...draw(9, 1, 9).data));
    const { values, vectors } = symmetricEigen(gram(x));
    const { outside } = splitBySpan(multiplyTransposedLeft(vectors, multiplyTransposedRight(x, test)), values, gram(test).data);
    expect([outside[0], outside[1], outside[2]]).toEqual([0, 0, 0]);
    expect(outside[3]).toBeGreaterThan(0.1);
  });

  it("nothing is explained by a kernel of zeros; shapes are checked", () => {
    const none = splitBySpan(matrix(2, 1, new Float64Array(2)), new Float64Array(2), Float64Array.of(3));
    expect([...none.outside, ...none.inside.data]).toEqual([3, 0, 0]);
    expect(() => splitBySpan(matrixFromRows([[1]]), new Float64Array(2), Float64Array.of(3))).toThrow(/^eigenvalues/);
    expect(() => splitBySpan(matrixFromRows([[1, 2]]), Float64Array.of(1), Float64Array.of(3))).toThrow(/^own/);
  });
});
