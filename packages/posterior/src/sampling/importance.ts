import type { RandomStream } from "@finitewidth/core";
import { logGamma, paretoSmoothedWeights } from "@finitewidth/numerics";
import type { LaplaceFit, PosteriorSample, PosteriorTarget } from "./target.js";
import { inverseFactor, unwhiten, whiten } from "./whitened.js";

const degrees = 8;
const inflation = 1.3;
const priorFraction = 0.2;
/** Batches for standard errors. */
const batchCount = 64;

/** Which part of a set of importance draws to make: batches `from` … `to` − 1, each of so many antithetic pairs and prior draws. */
export interface DrawPlan {
  readonly from: number;
  readonly to: number;
  readonly pairs: number;
  readonly fromPrior: number;
}

/** Importance draws with their batches. */
export interface WeightedDraws {
  /** n × d. */
  readonly points: Float64Array;
  readonly logWeights: Float64Array;
  readonly batches: Int32Array;
}

/** The parts that `draws` draws are made in: `parts` plans of as many batches each. */
export function drawPlans(draws: number, parts: number): DrawPlan[] {
  const pairs = Math.ceil((draws * (1 - priorFraction)) / 2 / batchCount);
  const fromPrior = Math.ceil((draws * priorFraction) / batchCount);
  const size = batchCount / parts;
  return Array.from({ length: parts }, (_, part) => ({ from: part * size, to: (part + 1) * size, pairs, fromPrior }));
}

/**
 * Draws 80 % from a multivariate t₈ around the mode (covariance × 1.3, antithetic pairs), 20 % from the prior, weighted by the mixture of
 * both, so that no weight exceeds 5 sup(likelihood). One evaluation a draw. Source: docs/theories/exact.md, "Several outputs".
 */
export function weightedDraws(
  target: PosteriorTarget,
  fit: LaplaceFit,
  plan: DrawPlan,
  random: RandomStream,
  tick?: (fraction: number) => void,
): WeightedDraws {
  const d = target.dimension;
  const scale = Math.sqrt(inflation);
  const wide = { mode: fit.mode, factor: fit.factor.map((value) => value * scale) };
  const perBatch = 2 * plan.pairs + plan.fromPrior;
  const logT =
    logGamma((degrees + d) / 2) -
    logGamma(degrees / 2) -
    0.5 * d * Math.log(degrees * Math.PI) -
    fit.logDeterminant -
    d * Math.log(scale) +
    Math.log((2 * plan.pairs) / perBatch);
  const logPriorShare = Math.log(plan.fromPrior / perBatch);
  const inverse = inverseFactor(wide.factor, d);
  const total = perBatch * (plan.to - plan.from);
  const points = new Float64Array(total * d);
  const logWeights = new Float64Array(total);
  const batches = new Int32Array(total);
  const offset = new Float64Array(d);
  let at = 0;
  /** The point whose coordinates are in `x`, a row of `points`. */
  const add = (x: Float64Array, batch: number): void => {
    const { logPrior, logLikelihood } = target.evaluate(x);
    let square = 0;
    whiten(wide.mode, inverse, x, offset);
    for (let i = 0; i < d; i++) square += offset[i]! ** 2;
    const logProposal = logAdd(logT - 0.5 * (degrees + d) * Math.log1p(square / degrees), logPriorShare + logPrior);
    logWeights[at] = logPrior + logLikelihood === -Infinity ? -Infinity : logPrior + logLikelihood - logProposal;
    batches[at] = batch;
    at++;
    if (at % 16 === 0) tick?.(at / total);
  };
  const row = (): Float64Array => points.subarray(at * d, (at + 1) * d);
  const z = new Float64Array(d);
  for (let batch = plan.from; batch < plan.to; batch++) {
    for (let k = 0; k < plan.pairs; k++) {
      random.normals(z);
      const radius = Math.sqrt((2 * random.gamma(degrees / 2)) / degrees);
      for (const sign of [1, -1]) {
        const x = row();
        unwhiten(
          wide,
          z.map((value) => (sign * value) / radius),
          x,
        );
        add(x, batch);
      }
    }
    for (let k = 0; k < plan.fromPrior; k++) {
      const x = row();
      target.samplePrior(random, x);
      add(x, batch);
    }
  }
  return { points, logWeights, batches };
}

/** Self-normalised importance sampling of a posterior in few dimensions in this thread, see `weightedDraws`. One evaluation a draw. */
export function importanceSample(target: PosteriorTarget, fit: LaplaceFit, draws: number, random: RandomStream): PosteriorSample {
  return importanceSummary(
    target.dimension,
    drawPlans(draws, 1).map((plan) => weightedDraws(target, fit, plan, random)),
  );
}

/** Evidence, weights and diagnostics of importance draws. Two halves of the batches give two independent estimates of the evidence. */
export function importanceSummary(dimension: number, parts: readonly WeightedDraws[]): PosteriorSample {
  const points = parts.flatMap((part) => Array.from(part.batches, (_, k) => part.points.subarray(k * dimension, (k + 1) * dimension)));
  const logWeights = Float64Array.from(parts.flatMap((part) => Array.from(part.logWeights)));
  return summarise(points, logWeights, Int32Array.from(parts.flatMap((part) => Array.from(part.batches))));
}

function summarise(points: readonly Float64Array[], logWeights: Float64Array, batches: Int32Array): PosteriorSample {
  const n = points.length;
  const top = logWeights.reduce((most, value) => Math.max(most, value), -Infinity);
  const raw = logWeights.map((value) => Math.exp(value - top));
  const sum = raw.reduce((total, value) => total + value, 0);
  const squares = raw.reduce((total, value) => total + value * value, 0);
  const largest = raw.reduce((most, value) => Math.max(most, value), 0);
  const byBatch = new Float64Array(batchCount);
  for (let i = 0; i < n; i++) byBatch[batches[i]!]! += raw[i]!;
  const mean = sum / batchCount;
  const variance = byBatch.reduce((total, value) => total + (value - mean) ** 2, 0) / (batchCount - 1) / batchCount;
  const halves = [0, 1].map((half) => byBatch.reduce((total, value, b) => total + (b % 2 === half ? value : 0), 0));
  return {
    points,
    weights: raw.map((value) => value / sum),
    batches,
    batchCount,
    logEvidence: top + Math.log(sum / n),
    logEvidenceStandardError: Math.sqrt(variance) / mean,
    diagnostics: {
      method: "importance",
      draws: n,
      effectiveSampleSize: (sum * sum) / squares,
      paretoShape: finite(paretoSmoothedWeights(logWeights).paretoShape),
      largestWeight: largest / sum,
      logEvidenceSpread: Math.abs(Math.log(halves[0]! / halves[1]!)),
    },
    warnings: [],
  };
}

/** ±Infinity (no tail to fit) as a number that JSON can hold. */
const finite = (shape: number): number => Math.min(Math.max(shape, -10), 10);

/** log(e^a + e^b). */
export function logAdd(a: number, b: number): number {
  const most = Math.max(a, b);
  return most === -Infinity ? -Infinity : most + Math.log(Math.exp(a - most) + Math.exp(b - most));
}
