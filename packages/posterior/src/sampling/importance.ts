import type { RandomStream } from "@finitewidth/core";
import { logGamma, paretoSmoothedWeights } from "@finitewidth/numerics";
import type { LaplaceFit, PosteriorSample, PosteriorTarget } from "./target.js";
import { inverseFactor, unwhiten, whiten } from "./whitened.js";

const degrees = 8;
const inflation = 1.3;
const priorFraction = 0.2;
/** Batches for standard errors. */
const batchCount = 64;

/**
 * Self-normalised importance sampling of a posterior in few dimensions: 80 % multivariate t₈ around the mode (covariance × 1.3, antithetic
 * pairs), 20 % prior, weighted by the mixture of both, so that no weight exceeds 5 sup(likelihood). Two halves of the draws give two
 * independent estimates of the evidence. O(n) evaluations. Source: docs/theories/exact.md, "Several outputs".
 */
export function importanceSample(target: PosteriorTarget, fit: LaplaceFit, draws: number, random: RandomStream, onDraw?: () => void): PosteriorSample {
  const d = target.dimension;
  const scale = Math.sqrt(inflation);
  const wide = { mode: fit.mode, factor: fit.factor.map((value) => value * scale) };
  const pairs = Math.ceil((draws * (1 - priorFraction)) / 2 / batchCount) * batchCount;
  const fromPrior = Math.ceil((draws * priorFraction) / batchCount) * batchCount;
  const total = 2 * pairs + fromPrior;
  const logT = logGamma((degrees + d) / 2) - logGamma(degrees / 2) - 0.5 * d * Math.log(degrees * Math.PI) - fit.logDeterminant - d * Math.log(scale) + Math.log((2 * pairs) / total);
  const logPriorShare = Math.log(fromPrior / total);
  const inverse = inverseFactor(wide.factor, d);
  const points: Float64Array[] = [];
  const logWeights = new Float64Array(total);
  const batches = new Int32Array(total);
  const offset = new Float64Array(d);
  const add = (x: Float64Array, batch: number): void => {
    const { logPrior, logLikelihood } = target.evaluate(x);
    let square = 0;
    whiten(wide.mode, inverse, x, offset);
    for (let i = 0; i < d; i++) square += offset[i]! ** 2;
    const logProposal = logAdd(logT - 0.5 * (degrees + d) * Math.log1p(square / degrees), logPriorShare + logPrior);
    logWeights[points.length] = logPrior + logLikelihood === -Infinity ? -Infinity : logPrior + logLikelihood - logProposal;
    batches[points.length] = batch;
    points.push(x);
    onDraw?.();
  };
  const z = new Float64Array(d);
  for (let k = 0; k < pairs; k++) {
    random.normals(z);
    const radius = Math.sqrt((2 * random.gamma(degrees / 2)) / degrees);
    for (const sign of [1, -1]) {
      const x = new Float64Array(d);
      unwhiten(wide, z.map((value) => (sign * value) / radius), x);
      add(x, k % batchCount);
    }
  }
  for (let k = 0; k < fromPrior; k++) {
    const x = new Float64Array(d);
    target.samplePrior(random, x);
    add(x, k % batchCount);
  }
  return summarise(points, logWeights, batches);
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
