import { createRegistry, fit, requireFinite, type Matrix, type Task, type Tensor } from "@finitewidth/core";
import { generalizationError } from "@finitewidth/experiment";
import { criticalityAt, criticalLine } from "@finitewidth/large-deviations";
import { quickMethods } from "../model/experiment.js";
import { held, MissingData } from "./held-data.js";
import type { ChainAnswer, ChainRequest, PhaseAnswer, Solved, SolveRequest, VerdictAnswer, VerdictRequest } from "./messages.js";
import { quickPlugins } from "./quick-plugins.js";

/** Given to workers by name; the address is never asked for. */
const module = import.meta.url;

/** Registries of the workers: their pools have none, so that the page need not know what its workers do. */
const quick = createRegistry(quickPlugins);
const slowWork = () => import("./slow-work.js");

const listOf = (parameter: number | Tensor): number[] => (typeof parameter === "number" ? [parameter] : Array.from(parameter.data));

async function solve({ method, options = {}, network, temperature, data, layer, seed }: SolveRequest): Promise<Partial<Solved>> {
  const registry = quickMethods.some((one) => one === method) ? quick : (await slowWork()).registry;
  const { train, test } = held(data);
  const theory = registry.theory(method);
  const { posterior, predict } = await fit(theory, { network, ...train, temperature, scaling: "standard" }, { registry, options, seed });
  const predictive = test && (await predict(test.inputs));
  const { logEvidence } = posterior;
  const targets: Matrix | undefined = test?.targets;
  const numbers: Partial<Solved> = {
    ...(predictive ? { mean: predictive.mean.data, variance: predictive.variance.data } : {}),
    ...(predictive && targets ? { error: generalizationError(predictive, targets) } : {}),
    ...(logEvidence === undefined ? {} : { logEvidence }),
  };
  // What is not shown is not read: hidden kernels and figures are made when they are.
  const kernel = layer === undefined ? undefined : posterior.hiddenKernels?.[layer - 1];
  const isInfinite = kernel !== undefined && theory.infiniteKernels?.(posterior) === posterior.hiddenKernels;
  const densities = layer === undefined ? undefined : posterior.figures?.find((figure) => figure.kind === "density");
  const orderParameter = posterior.orderParameter === undefined ? undefined : listOf(posterior.orderParameter);
  if (layer === undefined) return numbers;
  // `fit` withholds an evidence and predictions that are not finite
  requireFinite(method, {
    ...(posterior.orderParameter === undefined ? {} : { orderParameter: posterior.orderParameter }),
    ...(posterior.hiddenKernels ? { hiddenKernels: posterior.hiddenKernels } : {}),
  });
  return {
    ...numbers,
    layer,
    ...(orderParameter ? { orderParameter } : {}),
    ...(kernel ? { kernel } : {}),
    ...(isInfinite ? { isInfinite } : {}),
    ...(densities ? { densities } : {}),
  };
}

/** Solves one method. Mistakes and refusals are answers. */
export const solveTask: Task<SolveRequest, Solved> = {
  module,
  name: "solveTask",
  async run(request) {
    const started = performance.now();
    const own = (): Pick<Solved, "method" | "milliseconds"> => ({ method: request.method, milliseconds: performance.now() - started });
    try {
      return { ...(await solve(request)), status: "ok", ...own() };
    } catch (error) {
      if (error instanceof MissingData) throw error;
      return { status: "failed", reason: error instanceof Error ? error.message : String(error), ...own() };
    }
  },
};

/** Whether an activation is linear, which makes every theory quick. */
export const linearTask: Task<string, boolean> = {
  module,
  name: "linearTask",
  run: (activation) => quick.activation(activation).linear === true,
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
export const verdictTask: Task<VerdictRequest, VerdictAnswer> = {
  module,
  name: "verdictTask",
  run: async (chunk) => (await slowWork()).judge(chunk),
};

/** Tasks of the page. */
export const tasks = [solveTask, linearTask, phaseTask, priorDrawsTask, chainTask, verdictTask] as readonly Task<never, unknown>[];
