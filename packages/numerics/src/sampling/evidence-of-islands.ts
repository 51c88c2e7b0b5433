import { brentRoot } from "../roots/brent.js";
import { studentQuantile } from "../special/student.js";
import type { AnnealedLevel } from "./annealing.js";
import { logMean } from "./annealing.js";
import { logSumExp } from "./importance.js";
import { regressed } from "./regressed.js";

/** Four estimates of log Z from the levels of one or several annealed runs. */
export interface EvidenceEstimates {
  /** log of the mean of Π mean e^{Δbℓ}: its exponential is unbiased when the ladder was fixed in advance. */
  readonly forward: number;
  /** The same from above, −Σ log mean e^{−Δbℓ}. */
  readonly backward: number;
  /** Bennett's acceptance ratio between neighbouring levels. */
  readonly bennett: number;
  /** Thermodynamic integration, trapezoid with its curvature term −Δb²/12 (Var₁ − Var₀). */
  readonly thermodynamic: number;
}

/** log Z of several independent annealed runs on one ladder, with what convicts a bad run. Plain data. */
export interface IslandEvidence {
  /** Bennett's estimate on all islands, each weighted by its running evidence. */
  readonly logEvidence: number;
  /**
   * The larger of the jackknife errors of `bennett` and `forward` over the islands, both less what control variates explain, a factor
   * √((G − 1)/(G − 2)) for the coefficient that was fitted.
   */
  readonly standardError: number;
  /** Without control variates. */
  readonly estimates: EvidenceEstimates;
  readonly standardErrors: { readonly forward: number; readonly bennett: number };
  /** Sample standard deviation of log Ẑ over the islands. */
  readonly islandSpread: number;
  /** Effective number of islands, (Σ Ẑ)²/Σ Ẑ². */
  readonly effectiveIslands: number;
  /** Forward minus backward per level, averaged over islands. */
  readonly gapPerLevel: number;
  /** Stein residual of every level after the first, in standard errors over islands. */
  readonly steinScores: readonly number[];
  /** Acceptance of every level. */
  readonly acceptance: readonly number[];
  /** Ẑ_g/Σ Ẑ: how much the particles of island g count for averages over the posterior. */
  readonly islandWeights: Float64Array;
  /** What is wrong, one sentence each; empty for a run to be believed. */
  readonly objections: readonly string[];
}

/** log σ(x), σ the logistic function. */
const logSigmoid = (x: number): number => (x < 0 ? x - Math.log1p(Math.exp(x)) : -Math.log1p(Math.exp(-x)));

/**
 * Bennett's acceptance ratio of log Z₁/Z₀ from equally many draws x⁰ = Δbℓ at b₀ and x¹ at b₁, with weights that sum to 1 on either side:
 * the root c of log Σ w⁰σ(x⁰ − c) = log Σ w¹σ(c − x¹). O(n) per step of a root search. Source: C. Bennett, J. Comput. Phys. 22 (1976) 245.
 */
export function bennettRatio(x0: Float64Array, logWeights0: Float64Array, x1: Float64Array, logWeights1: Float64Array): number {
  const gap = (c: number): number =>
    logSumExp(x0.map((x, i) => logWeights0[i]! + logSigmoid(x - c))) - logSumExp(x1.map((x, i) => logWeights1[i]! + logSigmoid(c - x)));
  // at the least of all x the first sum is at least ½ and the second at most ½; the other way round at the largest
  const [low, high] = [x0, x1].reduce(
    ([least, most], x) => [x.reduce((a, b) => Math.min(a, b), least), x.reduce((a, b) => Math.max(a, b), most)],
    [Infinity, -Infinity] as [number, number],
  );
  return low === high ? low : brentRoot(gap, low, high, { tolerance: 1e-13 }).root;
}

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: Float64Array): number => {
  const centre = mean(values);
  return values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / values.length;
};
const joined = (parts: readonly Float64Array[]): Float64Array => {
  const out = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};
const scaled = (values: Float64Array, factor: number): Float64Array => values.map((value) => factor * value);

/**
 * Estimates of islands with equally many particles; islands are weighted level by level by their running evidence. O(values) a step of
 * Bennett's root search, levels × particles × islands values.
 */
export function evidenceEstimates(islands: readonly (readonly AnnealedLevel[])[]): EvidenceEstimates {
  const count = islands.length;
  const running = new Float64Array(count);
  let [backward, bennett, thermodynamic] = [0, 0, 0];
  for (let k = 0; k + 1 < islands[0]!.length; k++) {
    const [from, to] = [islands.map((levels) => levels[k]!.logLikelihoods), islands.map((levels) => levels[k + 1]!.logLikelihoods)];
    const rise = islands[0]![k + 1]!.exponent - islands[0]![k]!.exponent;
    const weights0 = logNormalised(running);
    from.forEach((values, g) => (running[g]! += logMean(scaled(values, rise))));
    const weights1 = logNormalised(running);
    const [all0, all1] = [joined(from), joined(to)];
    const spread = (weights: Float64Array, parts: readonly Float64Array[]): Float64Array =>
      joined(parts.map((values, g) => new Float64Array(values.length).fill(weights[g]! - Math.log(values.length))));
    bennett += bennettRatio(scaled(all0, rise), spread(weights0, from), scaled(all1, rise), spread(weights1, to));
    backward -= logSumExp(to.map((values, g) => weights1[g]! + logMean(scaled(values, -rise))));
    const average = (weights: Float64Array, parts: readonly Float64Array[]): number =>
      parts.reduce((sum, values, g) => sum + Math.exp(weights[g]!) * mean(values), 0);
    thermodynamic +=
      0.5 * rise * (average(weights0, from) + average(weights1, to)) - (rise * rise * (variance(all1) - variance(all0))) / 12;
  }
  return { forward: logMean(running), backward, bennett, thermodynamic };
}

/**
 * What control variates of ℓ, of mean zero at every level, say that the estimates are off, to first order: Σ Δb c_k of `forward`,
 * Σ ½Δb(c_k + c_{k+1}) of `bennett`. Islands weighted by their running evidence. Undefined where a level has none.
 */
function explainedBy(islands: readonly (readonly AnnealedLevel[])[]): { readonly forward: number; readonly bennett: number } | undefined {
  const running = new Float64Array(islands.length);
  let [forward, bennett] = [0, 0];
  for (let k = 0; k + 1 < islands[0]!.length; k++) {
    const rise = islands[0]![k + 1]!.exponent - islands[0]![k]!.exponent;
    const average = (level: number): number => {
      const weights = logNormalised(running);
      return islands.reduce((sum, levels, g) => sum + Math.exp(weights[g]!) * (levels[level]!.control ?? Number.NaN), 0);
    };
    const below = average(k);
    islands.forEach((levels, g) => (running[g]! += logMean(scaled(levels[k]!.logLikelihoods, rise))));
    forward += rise * below;
    bennett += 0.5 * rise * (below + average(k + 1));
  }
  return Number.isFinite(forward + bennett) ? { forward, bennett } : undefined;
}

const logNormalised = (logWeights: Float64Array): Float64Array => {
  const total = logSumExp(logWeights);
  return logWeights.map((value) => value - total);
};

/** √((G − 1)/G Σ (x_g − x̄)²) of leave-one-out values. */
export function jackknifeError(values: ArrayLike<number>): number {
  const all = Float64Array.from(values);
  return Math.sqrt((all.length - 1) * variance(all));
}

/**
 * Evidence of G ≥ 3 independent islands on one ladder fixed in advance, its jackknife error, and objections: islands disagree (spread above
 * 1), a Stein residual off by more than the 0.25 % bound of Student's t over all levels, acceptance below 0.35, forward and Bennett apart,
 * forward and backward apart by more than 0.25 per level. Intervals: Student's t with G − 1 degrees of freedom. 2G + 1 estimates: O(G² ×
 * levels × particles). Source: docs/theories/evidence.md, "Ladder and islands".
 */
export function evidenceOfIslands(islands: readonly (readonly AnnealedLevel[])[]): IslandEvidence {
  const count = islands.length;
  const levels = islands[0]!.length;
  const estimates = evidenceEstimates(islands);
  const without = islands.map((_, g) => islands.filter((_, other) => other !== g));
  const left = without.map(evidenceEstimates);
  const explained = explainedBy(islands);
  const explainedLeft = explained && without.map((some) => explainedBy(some)!);
  const helped = (kind: "forward" | "bennett") =>
    regressed(
      { value: estimates[kind], left: left.map((each) => each[kind]) },
      explained && { value: estimates[kind] - explained[kind], left: left.map((each, g) => each[kind] - explainedLeft![g]![kind]) },
    );
  const [forwardHelped, bennettHelped] = [helped("forward"), helped("bennett")];
  const fitted = explained ? Math.sqrt((count - 1) / (count - 2)) : 1;
  const standardErrors = { forward: fitted * jackknifeError(forwardHelped.left), bennett: fitted * jackknifeError(bennettHelped.left) };
  const single = islands.map((island) => evidenceEstimates([island]));
  const forward = Float64Array.from(single, (each) => each.forward);
  const islandSpread = Math.sqrt((variance(forward) * count) / (count - 1));
  const gapPerLevel = mean(Float64Array.from(single, (each) => each.forward - each.backward)) / (levels - 1);
  const steinScores = Array.from({ length: levels - 1 }, (_, k) => {
    const residuals = Float64Array.from(islands, (island) => island[k + 1]!.stein);
    return mean(residuals) / Math.max(Math.sqrt(variance(residuals) / (count - 1)), Number.MIN_VALUE);
  });
  const acceptance = Array.from({ length: levels }, (_, k) => mean(Float64Array.from(islands, (island) => island[k]!.acceptance)));
  const steinBound = studentQuantile(1 - 0.005 / (levels - 1), count - 1);
  const objections: string[] = [];
  if (islandSpread > 1) objections.push(`independent runs disagree: their log evidences spread by ${islandSpread.toPrecision(3)}`);
  if (steinScores.some((score) => Math.abs(score) > steinBound))
    objections.push("Stein's identity is violated: the moves did not equilibrate");
  if (acceptance.some((value) => value < 0.35))
    objections.push(`only ${Math.min(...acceptance).toPrecision(2)} of the moves were accepted`);
  if (Math.abs(bennettHelped.value - forwardHelped.value) > 4 * Math.hypot(standardErrors.forward, standardErrors.bennett) + 0.05)
    objections.push(`forward estimate ${forwardHelped.value.toPrecision(6)} and Bennett's ${bennettHelped.value.toPrecision(6)} differ`);
  if (Math.abs(gapPerLevel) > 0.25) objections.push(`forward and backward estimates differ by ${gapPerLevel.toPrecision(2)} per level`);
  return {
    logEvidence: bennettHelped.value,
    standardError: Math.max(standardErrors.forward, standardErrors.bennett),
    estimates,
    standardErrors,
    islandSpread,
    effectiveIslands: Math.exp(2 * logSumExp(forward) - logSumExp(scaled(forward, 2))),
    gapPerLevel,
    steinScores,
    acceptance,
    islandWeights: logNormalised(forward).map(Math.exp),
    objections,
  };
}
