import { identity } from "@finitewidth/activations";
import { matrix } from "@finitewidth/core";
import { affine, gram } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { linearClosure, solveDeepLinear, solveProportional } from "../src/index.js";

describe("the proportional equations stay inside the domain of the tilted measure", () => {
  // Linear networks have the closed equation Q = 1 + (Ω − d)/N, solved along the eigenvectors of K by another iteration; the tilted kernel
  // holds the fitted targets besides, a direction of weight 1/N.
  it.each([
    [16, 0.1, 1],
    [16, 1e-3, 1],
    [12, 0.5, 3],
    [24, 0.1, 1],
    [40, 0.1, 1],
  ])("linear, P = N0 = N = %i, T = %d, targets of size %d", (n, T, size) => {
    const random = stream(31, n + Math.round(size));
    const kernel = affine(1 / n, gram(normalMatrix(random, n, n)));
    const targets = matrix(
      n,
      1,
      random.normals(new Float64Array(n)).map((y) => size * y),
    );
    const expected = solveDeepLinear(kernel, targets, T, [n]);
    const found = solveProportional({
      activation: identity,
      firstKernel: kernel,
      targets,
      temperature: T,
      width: n,
      weightVariance: 1,
      biasVariance: 0,
      closure: linearClosure(identity),
    });
    expectClose(found.orderParameter, expected.orderParameter.data[0]!, { relative: 1 / n });
    expect(found.residual).toBeLessThan(1e-10);
    expectClose(found.trainMean.data, expected.trainMean.data, { absolute: size / n });
  });
});
