import { infiniteWidthKernels, linearSteps, mixingLaw } from "@finitewidth/kernels";
import { mixingMoments } from "@finitewidth/numerics";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { built, someInputs } from "./helpers.js";

const dense = (width?: number, weightVariance = 1, biasVariance = 0) => ({
  layer: "dense",
  ...(width ? { width } : {}),
  weightVariance,
  biasVariance,
});
const residual = (body: object[], skip = 1, branch = 1) => ({ layer: "residual", body, skip, branch });

describe("skips over single layers of weights have an exact law", () => {
  const cases: Record<string, readonly [number[], object[]]> = {
    "a trunk": [[3], [dense(4, 1.2, 0.1), residual([dense(4, 0.8)], 0.9, 0.5), residual([dense(4)], 1, 0), dense(undefined, 1.3)]],
    "biases in branches": [
      [3],
      [dense(4, 1.2, 0.3), residual([dense(4, 0.8, 0.2)], -0.7, 1.5), dense(2, 1.1, 0.1), dense(undefined, 1.3, 0.4)],
    ],
    "two branches and a skip": [
      [2],
      [dense(3), { layer: "sum", branches: [[dense(3, 0.5)], [], [dense(3, 2)], []], coefficients: [0.7, 0.3, 1.2, 0.5] }, dense()],
    ],
    "filters with a skip": [
      [2, 4],
      [
        { layer: "convolution", channels: 3, kernelSize: [3] },
        residual([{ layer: "convolution", channels: 3, kernelSize: [3], weightVariance: 1.4, biasVariance: 0.2 }], 0.8, 0.6),
        { layer: "global-average-pooling" },
        dense(),
      ],
    ],
    "attention with a skip": [
      [2, 2],
      [
        dense(3),
        residual(
          [
            {
              layer: "attention",
              width: 3,
              matrices: [
                [
                  [0.5, 0.5],
                  [1, 0],
                ],
                [
                  [0, 1],
                  [0.3, 0.7],
                ],
              ],
            },
          ],
          1,
          0.8,
        ),
        { layer: "flatten" },
        dense(),
      ],
    ],
  };

  it.each(Object.entries(cases))("%s: its mean is the infinite-width kernel", (_, [shape, layers]) => {
    const architecture = built(shape, layers);
    const law = mixingLaw(architecture)!;
    const inputs = someInputs(
      3,
      shape.reduce((product, extent) => product * extent, 1),
    );
    const { mean, biasMean } = mixingMoments(law.chain, 1);
    const covariance = law.covariance(1, mean, inputs).data.map((value) => value + biasMean.data[0]!);
    expectClose(covariance, infiniteWidthKernels(architecture, inputs).preactivation.at(-1)!, { relative: 1e-12, absolute: 1e-12 });
    expect(law.chain.layers.some(({ skip }) => skip !== undefined)).toBe(true);
  });

  it("branches of several layers of weights, and nonlinear ones, have none", () => {
    for (const body of [
      [dense(5), dense(4)],
      [{ layer: "activation", name: "erf" }, dense(4)],
    ])
      expect(linearSteps(built([3], [dense(4), residual(body), dense()]))).toBeUndefined();
  });
});
