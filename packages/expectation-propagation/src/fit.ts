import { FinitewidthError, refusal, type Json, type Matrix, type Prediction, type Problem, type Run } from "@finitewidth/core";
import { requireMemory } from "@finitewidth/linalg";
import { testRowsOf } from "./features.js";
import { alignmentFigure } from "./figures.js";
import { solveFixed } from "./fixed-nodes.js";
import { mixPredictions, predictMixture, summariseBranch, type BranchDraws, type BranchSummary } from "./mixture.js";
import type { ExpectationPropagationOptions } from "./options.js";
import { newKernels, refusalOf, settingDataOf, strongLabelsOf } from "./problem.js";
import { poisson, settingFrom, solveStrongLabels, unsettled, type AlignmentOdds } from "./solution.js";
import { branchState, weightedBranches, type ExpectationPropagationPosterior, type ExpectationPropagationState } from "./state.js";

export const theoryName = "expectation-propagation";

/** Above these a result is warned of; docs/theories/expectation-propagation.md, "When to trust it". */
const limits = { residual: 0.08, several: 0.1, minority: 0.1, negligible: 0.02, oddsRatio: 50, pressed: 0.25 } as const;

const percent = (p: number): string => `${p < 0.995 ? (100 * p).toPrecision(2) : (100 * p).toFixed(0)} %`;

/** A branch as the result reports it. */
interface Reported extends BranchDraws {
  readonly probability: number;
  readonly summary: BranchSummary;
  readonly residual: number;
  readonly sweeps: number;
}

interface Solved {
  readonly branches: readonly Reported[];
  readonly method: "nodes" | "sampling";
  readonly probabilities: readonly [number, number, number];
  readonly odds?: AlignmentOdds;
  /** All units are described by one measure. */
  readonly oneMeasure: boolean;
}

/** @throws FinitewidthError (code "refused"), (code "input") for nodes asked for that will not do. */
export async function fitExpectationPropagation(
  problem: Problem,
  options: ExpectationPropagationOptions,
  run: Run,
): Promise<ExpectationPropagationPosterior> {
  run.signal?.throwIfAborted();
  const reason = refusalOf(problem, run.registry);
  if (reason !== undefined) throw refusal(theoryName, reason);
  // counted at P = 1000 beside P = 300; units are moved by three arrays at once
  requireMemory({ method: theoryName, points: problem.inputs.shape[0], arrays: 31, together: 3.2, instead: '"effective-action"' });
  const labels = strongLabelsOf(problem, run.registry);
  const { data, coordinates } = settingDataOf(labels);
  const setting = settingFrom(data, run.registry);
  const wall = options.branches === "both" ? options.wall : Infinity;
  let solved: Solved | undefined;
  if (options.averages !== "sampling") {
    const fixed = solveFixed(setting, options.wall, run.seed);
    if (typeof fixed === "string") {
      if (options.averages === "nodes") throw refusal(theoryName, `${fixed}; use "averages": "sampling".`);
    } else {
      const { nodes, solution, aligned } = fixed;
      const draws: BranchDraws = { bulk: { field: solution.cavity, units: nodes.units, weights: solution.weights } };
      const { iterations: sweeps, residual } = solution;
      solved = {
        branches: [{ ...draws, probability: 1, summary: summariseBranch(setting, draws), residual, sweeps }],
        method: "nodes",
        probabilities: poisson(aligned),
        oneMeasure: true,
      };
    }
  }
  if (solved === undefined) {
    const { branches, odds, probabilities, oneMeasure } = await solveStrongLabels(
      data,
      { particles: options.particles, sweeps: options.sweeps, wall, seed: run.seed },
      run,
    ).catch((error: unknown) => {
      // the field of a sweep that ran away: not finite, or singular
      if (error instanceof FinitewidthError && error.code === "input") throw unsolved("the field ran away", problem, { cause: error });
      throw error;
    });
    const reported = branches.map(({ branch, ...rest }) => ({ ...rest, residual: branch.residual, sweeps: branch.sweeps }));
    solved = { branches: reported, method: "sampling", probabilities, odds, oneMeasure };
  }
  const { branches, method, probabilities, odds } = solved;
  requireSettled(branches, problem);
  const state: ExpectationPropagationState = {
    features: coordinates.features,
    projection: coordinates.projection,
    seed: run.seed,
    branches: branches.map((branch) => branchState(branch, coordinates.features.shape[1])),
  };
  const residual = Math.max(...branches.map((branch) => branch.residual));
  const evidence = evidenceOf(solved);
  return {
    theory: theoryName,
    problem,
    options,
    state,
    solver: {
      converged: residual < limits.residual,
      iterations: branches.reduce((sum, { sweeps }) => sum + sweeps, 0),
      residual,
      jitter: 0,
    },
    ...(evidence === undefined ? {} : { logEvidence: evidence.value }),
    ...(evidence === undefined || method === "nodes" ? {} : { standardError: { logEvidence: evidence.standardError } }),
    train: trainPrediction(labels.problem, branches),
    hiddenKernels: [mixedKernel(branches)],
    diagnostics: {
      averages: method,
      alignedUnits: { none: probabilities[0], one: probabilities[1], two: probabilities[2] },
      ...(odds === undefined ? {} : { oddsOfOne: finiteOdds(odds) }),
      branches: branches.map(describeBranch),
    },
    warnings: warningsOf(
      { ...solved, pressed: pressedAt(branches, wall) },
      residual,
      !setting.prior.activation.smooth && 2 * data.width < problem.inputs.shape[0],
    ),
    figures: [
      alignmentFigure(
        branches.map(({ probability, summary, bulk }) => ({
          probability,
          summary,
          ...(bulk.weights ? { bulkWeights: bulk.weights } : {}),
        })),
        data.width,
        options.wall,
      ),
    ],
  };
}

const unsolved = (why: string, { temperature }: Pick<Problem, "temperature">, options?: ErrorOptions): FinitewidthError =>
  new FinitewidthError(
    `[${theoryName}] the equations are not solved: ${why}, as labels too strong for them do; use "monte-carlo"${temperature === 0 ? " with a temperature > 0" : ""}, more units, or more "particles" and "sweeps"`,
    { code: "not-converged" },
    options,
  );

/**
 * @throws FinitewidthError (code "not-converged") where a branch that counts has not settled: of twelve such answers all were
 * bad, means by a third of the targets at the median (docs/theories/expectation-propagation.md, "When it holds").
 */
export function requireSettled(
  branches: readonly Pick<Reported, "probability" | "residual">[],
  problem: Pick<Problem, "temperature">,
): void {
  const residual = Math.max(...branches.map((branch) => (branch.probability < limits.minority ? 0 : branch.residual)));
  if (!(residual < unsettled)) throw unsolved(`the last sweep still moved the field by ${percent(residual)}`, problem);
}

/** Latent outputs at new inputs. */
export function predictExpectationPropagation(
  { problem, state }: ExpectationPropagationPosterior,
  inputs: Matrix,
  want: { readonly covariance: boolean },
  run: Run,
): Prediction {
  run.signal?.throwIfAborted();
  const labels = strongLabelsOf(problem, run.registry);
  const { data } = settingDataOf(labels);
  const setting = settingFrom({ ...data, features: state.features }, run.registry);
  const rows = testRowsOf(labels.chain.activation, labels.kernel, state, newKernels(labels, inputs, want.covariance));
  const { mean, variance } = predictMixture(setting, weightedBranches(state), rows, labels.chain.biasVariance[1]!, state.seed);
  const S = inputs.shape[0];
  const marginal = "shape" in variance ? Float64Array.from({ length: S }, (_, a) => variance.data[a * S + a]!) : variance;
  const negative = marginal.filter((value) => value < 0).length;
  return {
    mean: { data: mean, shape: [S, 1] },
    variance: { data: marginal.map((value) => Math.max(value, 0)), shape: [S, 1] },
    ...("shape" in variance ? { covariance: variance } : {}),
    ...(negative > 0
      ? {
          warnings: [`${negative} of ${S} predictive variances came out negative and are 0 here: the equations are not solved well enough`],
        }
      : {}),
  };
}

/** ⟨f⟩ = y − T r_q, Cov f = T − T² R_q in every branch. */
function trainPrediction({ targets, temperature: T }: Problem, branches: readonly Reported[]): Prediction {
  const P = targets.shape[0];
  const { mean, variance } = mixPredictions(
    branches.map(({ summary: { whole } }) => ({
      mean: whole.mean.map((r, i) => targets.data[i]! - T * r),
      variance: Float64Array.from({ length: P }, (_, i) => Math.max(T - T * T * whole.covariance.data[i * (P + 1)]!, 0)),
    })),
    branches.map(({ probability }) => probability),
  );
  return { mean: { data: mean, shape: [P, 1] }, variance: { data: variance as Float64Array, shape: [P, 1] } };
}

function mixedKernel(branches: readonly Reported[]): Matrix {
  const [first] = branches;
  const data = new Float64Array(first!.summary.hiddenKernel.data.length);
  for (const { probability, summary } of branches)
    for (let k = 0; k < data.length; k++) data[k]! += probability * summary.hiddenKernel.data[k]!;
  return { data, shape: first!.summary.hiddenKernel.shape };
}

/** From the branch without aligned units, where it is not a small minority: log p = log p₀ − log P(none). */
export function evidenceOf({ branches, probabilities, oneMeasure }: Solved) {
  const symmetric = branches.find(({ block }) => block === undefined);
  const evidence = symmetric?.summary.logEvidence;
  if (evidence === undefined || symmetric!.probability < limits.minority) return undefined;
  const shift = oneMeasure ? 0 : Math.log(probabilities[0]);
  return { value: evidence.value - shift, standardError: evidence.standardError };
}

const finiteOdds = (odds: AlignmentOdds): { readonly [key: string]: Json } =>
  Object.fromEntries(Object.entries(odds).map(([key, value]) => [key, Number.isFinite(value) ? (value as number) : null]));

function describeBranch({ probability, summary, residual, sweeps, bulk }: Reported): Json {
  const quantiles = (values: Float64Array, weights?: Float64Array): Json => {
    const order = [...values.keys()].sort((a, b) => values[a]! - values[b]!);
    const at = (share: number): number => {
      if (weights === undefined) return values[order[Math.floor(share * (order.length - 1))]!]!;
      let sum = 0;
      return values[order.find((i) => (sum += weights[i]!) >= share) ?? order.at(-1)!]!;
    };
    return { q05: at(0.05), median: at(0.5), q95: at(0.95) };
  };
  return {
    alignedUnits: summary.blockAlignments ? 1 : 0,
    probability,
    residual,
    sweeps,
    bulkAlignment: quantiles(summary.bulkAlignments, bulk.weights),
    ...(summary.blockAlignments ? { alignedUnit: quantiles(summary.blockAlignments) } : {}),
    ...(summary.logEvidence ? { logEvidence: summary.logEvidence.value } : {}),
  };
}

/** Whether the alignments of the aligned unit begin at the wall instead of standing apart: their 5 % quantile beside their median. */
export function pressedAt(branches: readonly Reported[], wall: number): boolean {
  const { probability, summary } = branches.find(({ block }) => block !== undefined) ?? {};
  const alignments = summary?.blockAlignments?.slice().sort();
  if (alignments === undefined || probability! < limits.negligible) return false;
  const at = (share: number): number => alignments[Math.floor(share * (alignments.length - 1))]! - wall;
  return at(0.05) < limits.pressed * at(0.5);
}

/** What is to be said about a solution; docs/theories/expectation-propagation.md, "When it holds". */
export function warningsOf(
  { method, probabilities, odds, oneMeasure, pressed = false }: Omit<Solved, "branches"> & { readonly pressed?: boolean },
  residual: number,
  rareUnits: boolean,
): string[] {
  const [none, one, two] = probabilities;
  const warnings: string[] = [];
  if (residual >= limits.residual) warnings.push(`the equations are solved to ${percent(residual)} only; raise "particles" and "sweeps"`);
  if (method === "nodes") return warnings;
  if (rareUnits)
    warnings.push(
      "an activation with a kink and fewer than P/2 units: rare units of large norm count, and the variance may be off by 5–10 %",
    );
  if (oneMeasure) {
    if (none < 1 - limits.minority)
      warnings.push(
        `units cross the border of alignment freely (none is beyond with probability ${percent(none)}): all are treated alike, and errors of 5–10 % are possible`,
      );
    return warnings;
  }
  // in the field of either branch none would stay on this side of the wall
  if (odds?.fromNone === Infinity && odds.fromOne === Infinity)
    warnings.push(
      'every unit would align with the labels, which is not described here: the numbers are no more than a guess, means off by a quarter of the targets at the median; use "monte-carlo"',
    );
  else if (two > 0.5)
    warnings.push(
      `several units are aligned with the labels (probability ${percent(two)}), which is not described here: errors of 10 % of the targets are possible; use "monte-carlo"`,
    );
  else if (two > limits.several)
    warnings.push(`two aligned units at once have a probability of ${percent(two)} and are left out: errors of 5–10 % are possible`);
  const seen = [odds?.fromNone, odds?.fromOne, odds?.fromEvidence].filter((value) => value !== undefined);
  // every estimate of the odds is noisy: neither branch may be a small minority only because the one in use says so
  const minorities = [Math.min(none, one), ...seen.map((value) => Math.min(value, 1 / value) / (1 + Math.min(value, 1 / value)))];
  if (pressed)
    warnings.push(
      'the aligned unit presses against the border of alignment, which cuts through its measure: errors of 10–15 % are possible; compare with "wall": 2',
    );
  const doubtful = Math.min(none, one) > limits.negligible;
  if (doubtful && Math.max(...minorities) > limits.minority)
    warnings.push(
      `the number of aligned units fluctuates (none ${percent(none)}, one ${percent(one)}): the answer averages both, and errors up to 7 % of bias or variance are possible`,
    );
  if (doubtful && Math.max(...seen) > limits.oddsRatio * Math.min(...seen))
    warnings.push(
      `estimates of the odds of an aligned unit disagree (${seen.map((value) => value.toPrecision(2)).join(", ")}): errors of 5–10 % are possible`,
    );
  return warnings;
}
