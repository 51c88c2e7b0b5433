import type { Figure, Json, Matrix, MixingLaw } from "@finitewidth/core";
import { multiply, multiplyTransposedLeft } from "@finitewidth/linalg";
import { hasUpperBiases, outputDesign, siteMap, type SiteGeometry, type SitePart, type StackedFeatures } from "@finitewidth/numerics";
import { eachConditional, type SiteDraws } from "./predict.js";
import { meanMixing, type SiteProblem } from "./problem.js";

/** What the posterior says about the parts (heads) that the sites (paths) pass through. */
export interface PartReport {
  readonly diagnostics: { readonly [key: string]: Json };
  readonly figures: readonly Figure[];
  /** Parts in the order in which pruning removes them, lowest score first, where it can be told. */
  readonly order?: readonly SitePart[];
}

/** w_ππ' = mean over outputs of E[M_1]_(aπ)(aπ'), in units of its prior mean: the identity before learning. */
export function siteWeights(law: MixingLaw, mean: Matrix, outputs: number): Matrix {
  const prior = meanMixing(law, 1)[0]!;
  const weights = siteMap(mean, outputs);
  const n = weights.shape[0];
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) weights.data[i * n + j]! /= Math.sqrt(prior.data[i * n + i]! * prior.data[j * n + j]!);
  return weights;
}

/** Σ |w_ππ'| over pairs of sites of which at least one passes through the part (Tiberi et al. 2024). */
export function partScores(weights: Matrix, parts: readonly SitePart[]): number[] {
  const n = weights.shape[0];
  return parts.map(({ sites }) => {
    const inside = new Set(sites);
    let sum = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (inside.has(i) || inside.has(j)) sum += Math.abs(weights.data[i * n + j]!);
    return sum;
  });
}

/** Factors of M_1 with the rows of some sites set to zero. */
function withoutSites(factor: Matrix, sites: number, removed: ReadonlySet<number>): Matrix {
  const columns = factor.shape[1];
  const data = factor.data.slice();
  for (let row = 0; row < factor.shape[0]; row++) if (removed.has(row % sites)) data.fill(0, row * columns, (row + 1) * columns);
  return { data, shape: factor.shape };
}

/**
 * Posterior means at the points of `features` of the network whose parts were removed one after the other *after* training, the other
 * weights keeping their posterior: E[Ψ_pruned θ] with cov(f_pruned(x*), f(x)) = Σ_{π kept, π'} M_ππ' K_ππ'(x*, x). One (P D) vector for
 * each number of parts removed, 0 first, index (point, output). Cost: a design per draw and step.
 */
export function prunedMeans(problem: SiteProblem, draws: SiteDraws, order: readonly SitePart[], features: StackedFeatures): Float64Array[] {
  const { outputs, rotation, law } = problem;
  const { points } = features;
  const sites = law.sites;
  const sums = [undefined, ...order].map(() => new Float64Array(points * outputs));
  let total = 0;
  eachConditional(problem, draws, (conditional, k) => {
    const weight = draws.weights[k]!;
    total += weight;
    const factor = conditional.factors[0]!.f;
    // E[θ | Y, chain]
    const theta =
      "weights" in conditional
        ? conditional.weights
        : multiplyTransposedLeft(conditional.design!, { data: conditional.alpha, shape: [conditional.alpha.length, 1] }).data;
    const removed = new Set<number>();
    sums.forEach((sum, step) => {
      if (step > 0) order[step - 1]!.sites.forEach((site) => removed.add(site));
      const design = outputDesign(features, withoutSites(factor, sites, removed));
      const { data } = multiply(design, { data: theta, shape: [theta.length, 1] });
      for (let a = 0; a < outputs; a++)
        for (let mu = 0; mu < points; mu++)
          for (let b = 0; b < outputs; b++) sum[mu * outputs + b]! += weight * rotation.data[b * outputs + a]! * data[a * points + mu]!;
    });
  });
  return sums.map((sum) => sum.map((value) => value / total));
}

/** Draws that the pruning curve averages over at most. */
const pruningDraws = 200;

/** An evenly spaced part of the draws. */
export function someDraws(draws: SiteDraws, most = pruningDraws): SiteDraws {
  const stride = Math.ceil(draws.points.length / most);
  const kept = draws.points.map((_, k) => k).filter((k) => k % stride === 0);
  return {
    ...draws,
    points: kept.map((k) => draws.points[k]!),
    weights: Float64Array.from(kept, (k) => draws.weights[k]!),
    batches: Int32Array.from(kept, (k) => draws.batches[k]!),
  };
}

/**
 * Scores of the parts, and the mean squared error on the training targets as they are removed, lowest score first; without the latter for
 * laws whose outputs carry biases of layers above the first or come from kernels alone. Undefined for laws without parts.
 */
export function partReport(
  problem: SiteProblem,
  draws: SiteDraws,
  mixing: Matrix,
  targets: Matrix,
  geometry: SiteGeometry | undefined,
): PartReport | undefined {
  const { covariance, law, outputs } = problem;
  const parts = geometry?.parts;
  if (parts === undefined) return undefined;
  const weights = siteWeights(law, mixing, outputs);
  const scores = partScores(weights, parts);
  const order = [...parts.keys()].sort((a, b) => scores[a]! - scores[b]!).map((k) => parts[k]!);
  const prunable = !hasUpperBiases(law.chain);
  const means =
    prunable && covariance.kind === "features" && covariance.features.points === targets.shape[0]
      ? prunedMeans(problem, someDraws(draws), order, covariance.features)
      : undefined;
  const errors = means?.map((mean) => mean.reduce((sum, value, i) => sum + (value - targets.data[i]!) ** 2, 0) / mean.length);
  const kept = Float64Array.from([undefined, ...order], (_, step) => order.length - step);
  const figures: Figure[] = [
    {
      kind: "heatmaps",
      title: "Weights of pairs of paths (prior: 1 on the diagonal)",
      panels: [
        {
          label: "posterior",
          values: weights,
          diverging: true,
          ...(geometry?.siteNames === undefined ? {} : { names: geometry.siteNames }),
        },
      ],
    },
  ];
  if (errors !== undefined)
    figures.push({
      kind: "lines",
      title: "Pruning: heads removed after training, lowest score first",
      xLabel: "heads kept",
      yLabel: "mean squared error on the training inputs",
      series: [{ label: "exact posterior mean", x: kept, y: Float64Array.from(errors) }],
    });
  return {
    ...(prunable ? { order } : {}),
    diagnostics: {
      heads: parts.map(({ label }, k) => ({ head: label, score: scores[k]! })),
      ...(geometry?.siteNames === undefined ? {} : { paths: geometry.siteNames }),
      ...(errors === undefined ? {} : { pruning: { removed: order.map(({ label }) => label), trainError: errors } }),
    },
    figures,
  };
}
