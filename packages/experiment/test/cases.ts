import { createRegistry, matrixFromRows, type Plugin, type Registry } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { plugin as posterior } from "@finitewidth/posterior";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { plugin as priorSequential } from "@finitewidth/prior-sequential";

/** A data set whose rows say which request they came from. */
export const counted: { loads: number } = { loads: 0 };
const numbers: Plugin = {
  name: "numbers",
  datasets: [
    {
      name: "numbers",
      summary: "rows that depend on the request",
      load: async (request) => {
        counted.loads += 1;
        const { train, seed } = request as { train: number; seed: number };
        const rows = Array.from({ length: train }, (_, i) => [Math.cos(i + seed), Math.sin(2 * i)]);
        return { train: { inputs: matrixFromRows(rows), targets: matrixFromRows(rows.map(([x]) => [x! * seed])) } };
      },
    },
  ],
};

export const registryWith = (...more: readonly Plugin[]): Registry =>
  createRegistry([activations, priorFc, priorConv, priorSequential, posterior, numbers, ...more]);
export const registry = registryWith();

/** Two outputs, five points, four features: no two sizes are equal. */
export const rows = [
  [1, 2, 0, 1],
  [0, 1, -1, 0.5],
  [2, -1, 1, 0],
  [0.3, 0.2, -0.4, 1],
  [-1, 0.5, 0.7, -0.2],
];
export const targets = [
  [1, -0.5],
  [0.5, 2],
  [-1, 0.3],
  [0.2, 0.1],
  [0.7, -1],
];
export const base = {
  data: {
    train: { inputs: rows, targets },
    test: {
      inputs: [
        [0.5, -1, 0.2, 0.3],
        [1, 1, 1, 1],
        [-0.3, 0.8, 0, -1],
      ],
      targets: [
        [0.4, 0.1],
        [-0.2, 1],
        [0.6, -0.7],
      ],
    },
  },
  network: { type: "fully-connected", widths: [5], activation: "identity" },
  likelihood: { temperature: 0.3 },
  methods: ["nngp", { method: "exact", draws: 1000 }] as unknown,
};
