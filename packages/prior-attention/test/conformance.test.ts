import { createRegistry, type Matrix } from "@finitewidth/core";
import { priorModelChecks } from "@finitewidth/kernels/conformance";
import { stream } from "@finitewidth/random";
import { it } from "vitest";
import { attention, plugin } from "../src/index.js";

const registry = createRegistry([plugin]);
const rows = (size: number): Matrix => ({ data: stream(1, size).normals(new Float64Array(4 * size)), shape: [4, size] });
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
