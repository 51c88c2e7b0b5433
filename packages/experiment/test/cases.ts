import {
  createRegistry,
  matrixFromRows,
  type Plugin,
  type Posterior,
  type Problem,
  type Registry,
  type Run,
  type Theory,
} from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { plugin as posterior } from "@finitewidth/posterior";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { plugin as priorSequential } from "@finitewidth/prior-sequential";
import * as v from "valibot";

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

/** A theory that answers as it is told, of every problem the given parts: mean x₀ + d of output d at a test point x, variance x₁². */
export const told = (
  name: string,
  of: (problem: Problem, run: Run, options: Told) => Partial<Posterior<Told>> = () => ({}),
): Theory<Told> => ({
  name,
  summary: name,
  options: v.strictObject({ level: v.optional(v.number("a number"), 3) }),
  refuses: (problem) => (problem.temperature === 13 ? "not at 13" : undefined),
  fit: async (problem, options, run) => ({
    theory: name,
    problem,
    options,
    state: {},
    solver: { converged: true, iterations: 1, residual: 0, jitter: 0 },
    diagnostics: {},
    warnings: [],
    ...of(problem, run, options),
  }),
  predict: async ({ problem }, { data, shape: [rows, columns] }) => {
    const outputs = problem.targets.shape[1];
    const of = (value: (i: number, d: number) => number) => ({
      data: Float64Array.from({ length: rows * outputs }, (_, k) => value(Math.floor(k / outputs), k % outputs)),
      shape: [rows, outputs] as const,
    });
    return { mean: of((i, d) => data[i * columns]! + d), variance: of((i) => data[i * columns + 1]! ** 2) };
  },
  claims: () => [],
});
export interface Told {
  readonly level: number;
}
