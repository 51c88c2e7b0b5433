import { randomLayers, resolveArchitecture, type EvidenceGradient, type Problem, type Run } from "@finitewidth/core";
import { denseChain } from "@finitewidth/kernels";
import { symmetricEigen } from "@finitewidth/linalg";
import { evidenceOfIslands, jackknifeError, logSumExp } from "@finitewidth/numerics";
import type { IslandResult } from "./island.js";
import { runIslands, type EvidenceRun } from "./island-runs.js";

interface Estimate {
  readonly value: number;
  readonly standardError: number;
}

/** Draws of every particle whose scores are averaged; shared with the width ratios. */
export const gradientDraws = 4;

/** Widths below which the deletion of units has tails too heavy for its error. */
const narrow = 5;

/** Σ_g w_g x_g with weights log w, and the jackknife error over islands. */
function weightedMean(values: Float64Array, logWeights: Float64Array): Estimate {
  const mean = (skip?: number): number => {
    const kept = [...values.keys()].filter((g) => g !== skip);
    const total = logSumExp(kept.map((g) => logWeights[g]!));
    return kept.reduce((sum, g) => sum + Math.exp(logWeights[g]! - total) * values[g]!, 0);
  };
  return { value: mean(), standardError: jackknifeError(Float64Array.from(values.keys(), (g) => mean(g))) };
}

/**
 * Regression coefficients of every score on the controls, over the particles of all islands: β = S_cc⁻¹ S_cv with the eigenvalues of S_cc
 * below 1e-10 of the largest left out (controls that are equal draw by draw).
 */
function regression(scores: readonly Float64Array[], controls: readonly Float64Array[]): Float64Array[] {
  const [n, c] = [scores.length, controls[0]!.length];
  const centred = (rows: readonly Float64Array[]): Float64Array[] => {
    const mean = new Float64Array(rows[0]!.length);
    for (const row of rows) row.forEach((value, i) => (mean[i]! += value / n));
    return rows.map((row) => row.map((value, i) => value - mean[i]!));
  };
  const [v, x] = [centred(scores), centred(controls)];
  const square = new Float64Array(c * c);
  for (const row of x) for (let i = 0; i < c; i++) for (let j = 0; j < c; j++) square[i * c + j]! += row[i]! * row[j]!;
  const { values, vectors } = symmetricEigen({ data: square, shape: [c, c] });
  return Array.from(scores[0]!, (_, k) => {
    const beta = new Float64Array(c);
    for (let e = 0; e < c; e++) {
      if (!(values[e]! > 1e-10 * values[c - 1]!)) continue;
      let projection = 0;
      for (let m = 0; m < n; m++) {
        let along = 0;
        for (let i = 0; i < c; i++) along += vectors.data[i * c + e]! * x[m]![i]!;
        projection += along * v[m]![k]!;
      }
      for (let i = 0; i < c; i++) beta[i]! += (vectors.data[i * c + e]! * projection) / values[e]!;
    }
    return beta;
  });
}

/** Posterior means of the scores, with their controls, over islands weighted by their evidence. */
function averageScores(islands: readonly IslandResult[], islandWeights: Float64Array): Estimate[] {
  const betas = regression(
    islands.flatMap(({ scores }) => scores),
    islands.flatMap(({ controls }) => controls),
  );
  const logWeights = islandWeights.map(Math.log);
  return betas.map((beta, k) => {
    const perIsland = Float64Array.from(islands, ({ scores, controls }) => {
      let sum = 0;
      scores.forEach((score, m) => {
        sum += score[k]! / scores.length;
        beta.forEach((b, i) => (sum -= (b * controls[m]![i]!) / scores.length));
      });
      return sum;
    });
    return weightedMean(perIsland, logWeights);
  });
}

/** log Z_{N+1}/Z_N of one hidden layer, from draws of the network with one unit more. */
async function widthRatio(problem: Problem, evidence: EvidenceRun, layer: number, run: Run): Promise<Estimate> {
  const { network } = problem;
  const chain = denseChain(resolveArchitecture(run.registry, network));
  if (chain === undefined) throw new TypeError("width ratios are for fully connected networks");
  const oneMore = { width: (width: number, l: number): number => (l === layer ? width + 1 : width) };
  const wider = { ...problem, network: run.registry.priorModel(network.type).vary(network, oneMore, run.registry) };
  const by = layer === chain.widths.length - 1 && chain.widths[layer]! >= narrow ? "deletion" : "fading";
  const settings = { ...evidence, count: evidence.islands.length, draws: gradientDraws, narrower: { layer, by } } as const;
  const islands = await runIslands(wider, settings, [evidence.attempt, layer + 1], run);
  const { islandWeights } = evidenceOfIslands(islands.map(({ levels }) => levels));
  const { value, standardError } = weightedMean(
    Float64Array.from(islands, (island) => Math.exp(island.narrower!)),
    islandWeights.map(Math.log),
  );
  return { value: -Math.log(value), standardError: standardError / value };
}

/**
 * Gradient of the log evidence from one posterior run: posterior means of the scores, regressed on their controls; for widths of fully
 * connected networks the removal of a unit from the network with one more, at once or by fading it out. Errors: jackknife over islands.
 * Source: docs/theories/evidence.md, "Gradients".
 */
export async function sampledGradient(
  problem: Problem,
  evidence: EvidenceRun,
  scaling: Problem["scaling"],
  run: Run,
): Promise<EvidenceGradient> {
  const architecture = resolveArchitecture(run.registry, problem.network);
  const random = randomLayers(architecture.layers);
  const layers = random.length;
  const means = averageScores(evidence.islands, evidence.found.islandWeights);
  const widths: (Estimate | null)[] = [];
  for (let l = 0; l + 1 < layers; l++) {
    // in mean-field scaling the noise changes with the width: no ratio of the same kind
    const possible = denseChain(architecture) !== undefined && scaling === "standard";
    widths.push(possible ? await widthRatio(problem, evidence, l, run) : null);
  }
  const of = (key: keyof Estimate): Omit<EvidenceGradient, "standardError"> => ({
    logWeightVariance: means.slice(0, layers).map((mean) => mean[key]),
    logBiasVariance: means.slice(layers, 2 * layers).map((mean, l) => (random[l]!.biasVariance > 0 ? mean[key] : null)),
    logTemperature: means[2 * layers]![key],
    widths: widths.map((width) => width?.[key] ?? null),
  });
  return { ...of("value"), standardError: of("standardError") };
}
