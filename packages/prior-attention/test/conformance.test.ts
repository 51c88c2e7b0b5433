import { createRegistry, resolveNetworkInput, type Matrix } from "@finitewidth/core";
import { priorModelChecks } from "@finitewidth/kernels/conformance";
import { stream } from "@finitewidth/random";
import { it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { attention, attentionKernels, attentionModel, plugin, type AttentionNetwork } from "../src/index.js";

const registry = createRegistry([plugin]);
const rows = (size: number): Matrix => normalMatrix(stream(1, size), 4, size);
const matrices = [
  [
    [0.5, 0.5, 0],
    [0.2, 0.3, 0.5],
    [-0.3, 1, 0.8],
  ],
  [
    [1, 0, 0],
    [0, 0.4, 0.2],
    [0.1, 0.1, 0.7],
  ],
];
const cases = [
  {
    network: {
      type: "attention",
      tokens: 3,
      features: 2,
      layers: [{ width: 4 }, { width: 3, maps: { heads: 2, keys: 2 } }, { width: 5, maps: { heads: 2, keys: 3, seed: 7 } }],
      biasVariance: [0.2, 0.1, 0.3, 0.4],
      weightVariance: [1.1, 0.9, 1.2, 0.8],
    },
    inputs: rows(6),
  },
  {
    network: {
      type: "attention",
      tokens: 3,
      features: 2,
      layers: [
        { width: 3, maps: { matrices } },
        { width: 4, maps: { matrices } },
      ],
      readout: 1,
      biasVariance: [0.1, 0.2, 0],
    },
    inputs: rows(6),
  },
  {
    network: {
      type: "attention",
      tokens: 2,
      features: 1,
      layers: [
        { width: 4, maps: { heads: 1, from: "input" } },
        { width: 3, maps: { heads: 2, from: "input" } },
      ],
      readout: [0.3, -1],
    },
    inputs: rows(14),
  },
];
for (const check of priorModelChecks(attention, cases, registry, (seed) => stream(seed))) it(check.name, () => check.run());

it("kernels through features of all paths are those between all tokens", () => {
  const network = resolveNetworkInput(
    {
      type: "attention",
      tokens: 2,
      features: 2,
      layers: [1, 2, 3].map((seed) => ({ width: 3, maps: { heads: 4, keys: 2, seed } })),
      biasVariance: [0.1, 0, 0.2, 0.3],
      weightVariance: [1.1, 0.9, 1.2, 0.8],
    },
    registry,
  ) as AttentionNetwork;
  const model = attentionModel(network);
  const many: Matrix = normalMatrix(stream(2), 90, 4);
  const few: Matrix = { data: many.data.slice(0, 8), shape: [2, 4] };
  // 128 features and more: too many for two sequences, few enough for ninety
  const [own, all] = [attentionKernels(model, few), attentionKernels(model, many)];
  own.preactivation.forEach((kernel, l) =>
    expectClose(
      kernel,
      [0, 1].map((i) => [0, 1].map((k) => all.preactivation[l]!.data[i * 90 + k]!)),
      { relative: 1e-12, absolute: 1e-13 },
    ),
  );
  const cross = attentionKernels(model, many, few);
  expectClose(cross.othersDiagonal!, [own.preactivation.at(-1)!.data[0]!, own.preactivation.at(-1)!.data[3]!], { relative: 1e-12 });
});
