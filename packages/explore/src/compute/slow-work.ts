import { plugin as activations } from "@finitewidth/activations";
import { createProblem, createRegistry, inlineRun, resolveArchitecture, type Matrix, type TaskContext } from "@finitewidth/core";
import { plugin as expectationPropagation } from "@finitewidth/expectation-propagation";
import { planExperiment, runPlan } from "@finitewidth/experiment";
import { realise } from "@finitewidth/kernels";
import { plugin as largeDeviations } from "@finitewidth/large-deviations";
import { plugin as likelihoods } from "@finitewidth/likelihoods";
import { fullDensity, plugin as monteCarlo } from "@finitewidth/monte-carlo";
import { hamiltonianChain } from "@finitewidth/numerics";
import { plugin as perturbation } from "@finitewidth/perturbation";
import { plugin as posterior } from "@finitewidth/posterior";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { held } from "./held-data.js";
import type { ChainAnswer, ChainRequest, VerdictAnswer, VerdictRequest } from "./messages.js";

/** Everything that the page can ask for, loaded when it is first asked for. */
export const registry = createRegistry([
  activations,
  likelihoods,
  priorFc,
  posterior,
  largeDeviations,
  expectationPropagation,
  perturbation,
  monteCarlo,
]);

/** Functions of networks drawn from the prior, at the test inputs. */
export function drawPriorFunctions({ network, data, temperature, seed, index }: ChainRequest): readonly Float64Array[] {
  const { train, test } = held(data);
  const problem = createProblem({ network, ...train, temperature, scaling: "standard" }, registry);
  const drawn = realise(resolveArchitecture(registry, problem.network), test!.inputs, 1);
  const random = stream(seed, 27, index);
  const theta = new Float64Array(drawn.parameters);
  return Array.from({ length: priorDraws }, () => {
    random.normals(theta);
    return drawn.forward(theta).outputs.data.slice();
  });
}

const priorDraws = 12;
const warmup = 60;
const stretch = 4;

/** A stretch of Hamiltonian Monte Carlo in all weights: what the hidden units look at, and functions of the posterior. */
export function runChain({ network, data, temperature, seed, index, from }: ChainRequest, tick: TaskContext["tick"]): ChainAnswer {
  const { train, test } = held(data);
  const { inputs, targets } = train;
  const problem = createProblem({ network, inputs, targets, temperature, scaling: "standard" }, registry);
  const architecture = resolveArchitecture(registry, problem.network);
  const real = realise(architecture, inputs, targets.shape[1]);
  const density = fullDensity({ network: real, targets, temperature, readoutBias: 0 });
  const options = { draws: stretch, warmup: from ? 0 : warmup, adapt: "none" as const, pathLength: 1.1, maxSteps: 64 };
  const chain = hamiltonianChain(
    density,
    from ? { ...options, stepSize: from.stepSize } : options,
    (random, out) => void (from ? out.set(from.theta) : random.normals(out)),
    stream(seed, 28, index),
    tick,
  );
  const shown = test && inputs.shape[1] === 1 ? realise(architecture, test.inputs, targets.shape[1]) : undefined;
  const functions: Float64Array[] = [];
  let theta = new Float64Array(real.parameters);
  for (;;) {
    const next = chain.next();
    if (next.done) {
      const { stepSize, acceptance } = next.value;
      return { theta, stepSize, receptiveFields: firstWeights(theta, network, inputs.shape[1]), functions, acceptance };
    }
    if (next.value.warmup) continue;
    theta = next.value.position.slice();
    if (shown) functions.push(shown.forward(theta).outputs.data.slice());
  }
}

/** Units of the first layer whose weights are shown. */
const shownUnits = 24;

function firstWeights(theta: Float64Array, network: ChainRequest["network"], features: number): Matrix {
  const units = Math.min(shownUnits, (network.widths as readonly number[])[0]!);
  return { data: theta.slice(0, units * features), shape: [units, features] };
}

const severity = ["confirmed", "unchecked", "doubtful", "contradicted"];

/** What the referee says about the predictions of every method, and about the quantity that is worst. */
export async function judge({ experiment, data, seed }: VerdictRequest): Promise<VerdictAnswer> {
  const plan = await planExperiment(experiment, { registry, data: held(data) });
  const [step] = await runPlan(plan, inlineRun({ registry, seed }));
  const verdicts = step?.problems[0]?.verdicts?.verdicts ?? {};
  return Object.fromEntries(
    Object.entries(verdicts).map(([method, quantities]) => {
      const all = Object.entries(quantities).map(([quantity, verdict]) => ({ quantity, ...verdict }));
      const worst = all.reduce((a, b) => (severity.indexOf(b.status) > severity.indexOf(a.status) ? b : a), all[0]!);
      return [method, { status: worst.status, how: `${worst.quantity}: ${worst.how}` }];
    }),
  );
}
