import { fit } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors } from "../../../tools/testing.ts";
import { exact } from "../src/index.js";
import { byNetworks, fewer, points, problemOf, registry, rows, type NetworkInput } from "./by-networks.js";

const dense = (width: number, weightVariance: number, biasVariance = 0) => ({ layer: "dense", width, weightVariance, biasVariance });
const skipping = (body: object) => ({ layer: "residual", body: [body], skip: 0.7, branch: 0.9 });
/** Networks with skips, outputs, and how many of their hidden kernels are known. */
const residuals: readonly (readonly [name: string, network: NetworkInput, outputs: number, kernels: number])[] = [
  [
    "biases above the first layer",
    {
      type: "sequential",
      inputShape: [2],
      layers: [
        dense(3, 1.2),
        skipping(dense(3, 1.6, 0.5)),
        dense(3, 0.9),
        skipping(dense(3, 1.4)),
        { layer: "dense", weightVariance: 1.3 },
      ],
    },
    1,
    0,
  ],
  [
    "over two sites",
    {
      type: "sequential",
      inputShape: [1, 2],
      layers: [
        dense(2, 1.2),
        skipping({ layer: "convolution", channels: 2, kernelSize: [2], padding: "circular", weightVariance: 1.7 }),
        { layer: "flatten" },
        { layer: "dense", weightVariance: 1.3 },
      ],
    },
    1,
    1,
  ],
  [
    "over two sites that are pooled",
    {
      type: "sequential",
      inputShape: [1, 2],
      layers: [
        dense(2, 1.2),
        skipping({ layer: "convolution", channels: 2, kernelSize: [2], padding: "circular", weightVariance: 1.7 }),
        { layer: "global-average-pooling" },
        { layer: "dense", weightVariance: 1.3, biasVariance: 0.2 },
      ],
    },
    2,
    0,
  ],
];

describe("hidden kernels beside skips", () => {
  it.each(residuals)(
    "%s: what hidden kernels are given are those of networks, the others are said to be left out",
    async (_, network, outputs, known) => {
      const problem = problemOf(network, 2, outputs, 0.4);
      const testInputs = rows(3, 2, 2);
      const reference = byNetworks(problem, testInputs, 8000);
      const { posterior } = await fit(exact, problem, { registry, seed: 5, options: fewer });
      const { hiddenKernels = [], standardError, logEvidence, warnings } = posterior;
      const from = 2 * (points + 2) * outputs;
      expect(hiddenKernels).toHaveLength(known);
      expect(warnings).toContainEqual(expect.stringMatching(/hidden kernels (above the first layer )?are left out/));
      const own = hiddenKernels.flatMap((kernel, l) => [...(standardError?.hiddenKernels?.[l]?.data ?? kernel.data.map(() => 0))]);
      const size = own.length;
      expectWithinStandardErrors(
        [...hiddenKernels.flatMap((kernel) => [...kernel.data]), logEvidence!],
        [...reference.value.slice(from, from + size), reference.value.at(-1)!],
        [
          ...own.map((error, i) => Math.hypot(error, reference.standardError[from + i]!)),
          Math.hypot(standardError?.logEvidence ?? 0, reference.standardError.at(-1)!),
        ],
        5,
        "hidden kernels, log evidence",
      );
    },
  );
});

it("hidden kernels of one token are those of its units, whatever the weight that reads it", async () => {
  const at = async (readout: number[], last: number) => {
    const network = { type: "attention", tokens: 1, features: 2, layers: [{ width: 3 }], readout, weightVariance: [1.4, last] };
    const problem = problemOf(network, 2, 1, 0.4);
    problem.inputs.data.fill(0, 0, 2);
    const { posterior } = await fit(exact, problem, { registry });
    return { logEvidence: posterior.logEvidence!, kernel: posterior.hiddenKernels![0]! };
  };
  const [weighed, plain] = [await at([1.9], 1.1), await at([1], 1.1 * 1.9 ** 2)];
  expect(weighed.logEvidence).toBeCloseTo(plain.logEvidence, 9);
  expectClose(weighed.kernel, plain.kernel, { relative: 1e-7 });
});
