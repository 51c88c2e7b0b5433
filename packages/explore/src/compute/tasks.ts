import { createRegistry, inlineRun, type Task } from "@finitewidth/core";
import { planExperiment, runMethod, type MethodOutcome } from "@finitewidth/experiment";
import { criticalityAt, criticalLine } from "@finitewidth/large-deviations";
import { quickMethods } from "../model/experiment.js";
import type { ChainAnswer, ChainRequest, PhaseAnswer, Solved, SolveRequest, VerdictAnswer } from "./messages.js";
import { quickPlugins } from "./quick-plugins.js";

/** Given to workers by name; the address is never asked for. */
const module = import.meta.url;

/** Registries of the workers: their pools have none, so that the page need not know what its workers do. */
const quick = createRegistry(quickPlugins);
const slowWork = () => import("./slow-work.js");

const listOf = (parameter: number | { readonly data: Float64Array }): number[] =>
  typeof parameter === "number" ? [parameter] : Array.from(parameter.data);

function solvedOf(outcome: MethodOutcome, brief: boolean): Omit<Solved, "milliseconds"> {
  if (outcome.status === "failed") return { method: outcome.method, status: "failed", reason: outcome.error.message, warnings: [] };
  const { posterior, predictive, generalizationError: error, method, warnings } = outcome;
  const { logEvidence } = posterior;
  const numbers = {
    method,
    status: "ok" as const,
    warnings,
    ...(error ? { error } : {}),
    ...(logEvidence === undefined ? {} : { logEvidence }),
  };
  if (brief) return numbers;
  const densities = posterior.figures?.find((figure) => figure.kind === "density");
  return {
    ...numbers,
    ...(predictive ? { mean: predictive.mean.data, variance: predictive.variance.data } : {}),
    ...(posterior.orderParameter === undefined ? {} : { orderParameter: listOf(posterior.orderParameter) }),
    ...(posterior.hiddenKernels ? { kernels: posterior.hiddenKernels } : {}),
    ...(densities ? { densities } : {}),
  };
}

/** Solves one method. Mistakes and refusals are answers. */
export const solveTask: Task<SolveRequest, Solved> = {
  module,
  name: "solveTask",
  async run({ experiment, data, brief = false, seed }) {
    const started = performance.now();
    const [method] = experiment.methods as [string | { method: string }];
    const name = typeof method === "string" ? method : method.method;
    const registry = quickMethods.some((one) => one === name) ? quick : (await slowWork()).registry;
    try {
      const plan = await planExperiment(experiment, { registry, data });
      const [step] = plan.steps;
      const [problem] = step!.problems;
      const outcome = await runMethod(problem!.methods[0]!, problem!, step!, inlineRun({ registry, seed }));
      return { ...solvedOf(outcome, brief), milliseconds: performance.now() - started };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { method: name, status: "failed", reason, warnings: [], milliseconds: performance.now() - started };
    }
  },
};

/** χ⊥ over a grid, for the picture of the phase plane. */
export const phaseTask: Task<
  { readonly activation: string; readonly weight: readonly number[]; readonly bias: readonly number[] },
  PhaseAnswer
> = {
  module,
  name: "phaseTask",
  run({ activation: name, weight, bias }, { tick }) {
    const activation = quick.activation(name);
    const chi = new Float64Array(weight.length * bias.length);
    weight.forEach((weightVariance, i) => {
      tick(i / weight.length);
      bias.forEach((biasVariance, j) => (chi[i * bias.length + j] = criticalityAt(activation, { weightVariance, biasVariance }).chiPerp));
    });
    return { weightVariance: weight, biasVariance: bias, chi, line: criticalLine(activation, weight[0]!, weight.at(-1)!, 61) };
  },
};

/** Functions of networks drawn from the prior, at the test inputs. */
export const priorDrawsTask: Task<ChainRequest, readonly Float64Array[]> = {
  module,
  name: "priorDrawsTask",
  run: async (chunk) => (await slowWork()).drawPriorFunctions(chunk),
};

/** A stretch of a chain in all weights of the real network. */
export const chainTask: Task<ChainRequest, ChainAnswer> = {
  module,
  name: "chainTask",
  run: async (chunk, { tick }) => (await slowWork()).runChain(chunk, tick),
};

/** What the referee says about every method. */
export const verdictTask: Task<SolveRequest, VerdictAnswer> = {
  module,
  name: "verdictTask",
  run: async (chunk) => (await slowWork()).judge(chunk),
};

/** Tasks of the page. */
export const tasks = [solveTask, phaseTask, priorDrawsTask, chainTask, verdictTask] as readonly Task<never, unknown>[];
