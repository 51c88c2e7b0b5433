import { createRegistry } from "@finitewidth/core";
import { planExperiment, type MethodOutcome, type Plan, type StepOutcome } from "@finitewidth/experiment";
import { standardPlugins } from "@finitewidth/verification";

export const registry = createRegistry(standardPlugins);

const points = [
  [1, 0.5, 0],
  [-0.3, 2, 1],
  [0.4, -1, 3],
  [2, 0.1, -1],
];
const network = { type: "fully-connected", widths: [4, 3], activation: "identity" };

/** A plan of an experiment on four points with two outputs, and what is changed in it. */
export const planned = (change: object): Promise<Plan> =>
  planExperiment(
    {
      data: {
        train: { inputs: points, targets: points.map(([x, y]) => [x, y]) },
        test: { inputs: points, targets: points.map(([x, , z]) => [z, x]) },
      },
      ...("networks" in change ? {} : { network }),
      likelihood: { temperature: 0.3 },
      methods: ["nngp", "exact"],
      referee: false,
      ...change,
    },
    { registry },
  );

/** An outcome of which no two numbers are the same, all about `size`. */
export const outcomeOf = (label: string, size: number, more: object = {}): MethodOutcome =>
  ({
    label,
    method: label,
    named: true,
    status: "ok",
    seconds: size + 0.25,
    warnings: [],
    posterior: {
      logEvidence: -size,
      orderParameter: 5 * size,
      standardError: { logEvidence: size / 8, orderParameter: size / 3 },
      diagnostics: {},
      solver: {},
    },
    generalizationError: { total: 2 * size, bias: 3 * size, variance: 4 * size },
    generalizationStandardError: { total: size / 7, bias: size / 6, variance: size / 5 },
    ...more,
  }) as unknown as MethodOutcome;

/** Results of a plan, every outcome from where it belongs. */
export const resultsOf = (plan: Plan, of: (step: number, network: number, method: number, label: string) => MethodOutcome): StepOutcome[] =>
  plan.steps.map((step, s) => ({
    step,
    problems: step.problems.map((problem, n) => ({ problem, outcomes: problem.methods.map(({ label }, m) => of(s, n, m, label)) })),
  }));
