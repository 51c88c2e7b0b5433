import { createPause, zeros, type Matrix, type RandomStream } from "@finitewidth/core";
import { multiply, multiplyTransposedLeft, multiplyTransposedRight, symmetricEigen, symmetrise } from "@finitewidth/linalg";
import { bulkEss, hamiltonianChain, rHat as splitRHat } from "@finitewidth/numerics";
import type { LaplaceFit, PosteriorTarget } from "./target.js";
import { inverseFactor, unwhiten, whiten, whitenedPosterior, type LogDensity } from "./whitened.js";

/** Settings of Hamiltonian Monte Carlo in coordinates whitened by a Gaussian fit. */
export interface MarkovOptions {
  readonly chains: number;
  readonly draws: number;
  readonly warmup: number;
}

/** Draws of one chain. */
export interface ChainRun {
  /** In whitened coordinates, draws × d. */
  readonly positions: Float64Array;
  /** log prior + log likelihood at every draw. */
  readonly logDensity: Float64Array;
  readonly acceptance: number;
}

/** Draws of all chains, one after the other, equal weights. */
export interface MarkovSample {
  readonly points: Float64Array[];
  /** log prior + log likelihood of every point. */
  readonly logDensity: Float64Array;
  readonly batches: Int32Array;
  readonly batchCount: number;
  readonly chains: number;
  readonly acceptance: number;
  readonly rHat: number;
  readonly effectiveSampleSize: number;
}

/** Stretches of one chain that count as independent batches. */
const stretches = 8;

/** First step size in d whitened dimensions. */
export const firstStep = (dimension: number): number => 0.9 / dimension ** 0.25;
/** Length of a trajectory in whitened units. */
export const trajectory = 1.6;

/**
 * One chain from a point scattered 1.5 standard deviations around the fit. Source: docs/theories/exact.md, "Several outputs".
 * Cost: about 2 d^¼ gradients a draw.
 */
export async function hamiltonianRun(
  target: PosteriorTarget,
  fit: Pick<LaplaceFit, "mode" | "factor">,
  { draws, warmup }: Omit<MarkovOptions, "chains">,
  random: RandomStream,
  tick?: (fraction: number) => void,
): Promise<ChainRun> {
  const d = target.dimension;
  const density = whitenedPosterior(target, fit);
  const scratch = new Float64Array(d);
  const start = (_: RandomStream, out: Float64Array): void => {
    // closer to the centre when the first tries fall outside the domain
    for (let scale = 1.5; scale > 0.01; scale *= 0.5) {
      random.normals(out);
      for (let i = 0; i < d; i++) out[i]! *= scale;
      if (density(out, scratch) > -Infinity) return;
    }
    out.fill(0);
  };
  const chain = hamiltonianChain(
    { dimension: d, evaluate: density },
    { draws, warmup, pathLength: trajectory, adapt: "none", stepSize: firstStep(d) },
    start,
    random,
    tick,
  );
  const positions = new Float64Array(draws * d);
  const logDensity = new Float64Array(draws);
  const pause = createPause();
  let next = chain.next();
  for (; !next.done; next = chain.next()) {
    const draw = next.value.iteration - warmup;
    if (draw >= 0) {
      positions.set(next.value.position, draw * d);
      logDensity[draw] = next.value.logDensity;
    }
    await pause();
  }
  return { positions, logDensity, acceptance: next.value.acceptance };
}

/**
 * Puts chains of equal length together. Diagnostics: split R̂ and effective sample size, the worst over coordinates. O(n d² + d n log n)
 * for n draws in all.
 */
export function joinChains(runs: readonly ChainRun[], fit: Pick<LaplaceFit, "mode" | "factor">): MarkovSample {
  const d = fit.mode.length;
  const draws = runs[0]!.logDensity.length;
  const batches = new Int32Array(runs.length * draws);
  const points: Float64Array[] = [];
  runs.forEach(({ positions }, c) => {
    for (let t = 0; t < draws; t++) {
      const x = new Float64Array(d);
      unwhiten(fit, positions.subarray(t * d, (t + 1) * d), x);
      batches[points.length] = c * stretches + Math.floor((t * stretches) / draws);
      points.push(x);
    }
  });
  let rHat = 1;
  let effectiveSampleSize = points.length;
  for (let i = 0; i < d; i++) {
    const chains = runs.map(({ positions }) => Float64Array.from({ length: draws }, (_, t) => positions[t * d + i]!));
    rHat = Math.max(rHat, splitRHat(chains));
    effectiveSampleSize = Math.min(effectiveSampleSize, bulkEss(chains));
  }
  return {
    points,
    logDensity: Float64Array.from(runs.flatMap((run) => Array.from(run.logDensity))),
    batches,
    batchCount: runs.length * stretches,
    chains: runs.length,
    acceptance: runs.reduce((sum, { acceptance }) => sum + acceptance / runs.length, 0),
    rHat,
    effectiveSampleSize,
  };
}

/** Mean and (inflated) covariance factor of a set of draws, as a Gaussian fit. O(n d² + d³). */
export function gaussianOf(points: readonly Float64Array[], inflation: number): LaplaceFit {
  const { mean, covariance } = momentsOf(points);
  return gaussianWith(mean, { data: covariance.data.map((value) => inflation * value), shape: covariance.shape });
}

/**
 * The same with a covariance shrunk towards its diagonal in the coordinates that `frame` whitens, by the intensity that minimises the
 * expected squared error when the draws count for `independent` ones (O. Ledoit, M. Wolf; J. Schäfer, K. Strimmer 2005). Without it d²/4n
 * nats of the overlap with the posterior are lost to the noise of the estimate. O(n d² + d³).
 */
export function shrunkGaussian(
  points: readonly Float64Array[],
  frame: Pick<LaplaceFit, "mode" | "factor">,
  independent: number,
): LaplaceFit {
  const d = frame.mode.length;
  const inverse = inverseFactor(frame.factor, d);
  const whitened = points.map((x) => {
    const z = new Float64Array(d);
    whiten(frame.mode, inverse, x, z);
    return z;
  });
  const { mean, covariance } = momentsOf(whitened);
  const c = covariance.data;
  const fourth = new Float64Array(d * d);
  for (const z of whitened) {
    for (let i = 0; i < d; i++) {
      const zi = z[i]! - mean[i]!;
      for (let j = 0; j < i; j++) fourth[i * d + j]! += (zi * (z[j]! - mean[j]!)) ** 2 / whitened.length;
    }
  }
  let [noise, total] = [0, 0];
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < i; j++) {
      noise += Math.max(0, fourth[i * d + j]! - c[i * d + j]! ** 2) / independent;
      total += c[i * d + j]! ** 2;
    }
  }
  const keep = total > 0 ? Math.max(0, 1 - noise / total) : 0;
  for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) if (i !== j) c[i * d + j]! *= keep;
  const factor: Matrix = { data: frame.factor, shape: [d, d] };
  const centre = new Float64Array(d);
  unwhiten(frame, mean, centre);
  return gaussianWith(centre, multiplyTransposedRight(multiply(factor, covariance), factor));
}

function momentsOf(points: readonly Float64Array[]): { readonly mean: Float64Array; readonly covariance: Matrix } {
  const n = points.length;
  const d = points[0]!.length;
  const mean = new Float64Array(d);
  for (const x of points) for (let i = 0; i < d; i++) mean[i]! += x[i]! / n;
  const centred = zeros(n, d);
  points.forEach((x, k) => {
    for (let i = 0; i < d; i++) centred.data[k * d + i] = (x[i]! - mean[i]!) / Math.sqrt(n - 1);
  });
  return { mean, covariance: multiplyTransposedLeft(centred, centred) };
}

function gaussianWith(mode: Float64Array, covariance: Matrix): LaplaceFit {
  const d = mode.length;
  const { values, vectors } = symmetricEigen(symmetrise(covariance));
  const largest = values.at(-1)!;
  const factor = new Float64Array(d * d);
  let logDeterminant = 0;
  for (let j = 0; j < d; j++) {
    const scale = Math.sqrt(Math.max(values[j]!, 1e-10 * largest));
    logDeterminant += Math.log(scale);
    for (let i = 0; i < d; i++) factor[i * d + j] = vectors.data[i * d + j]! * scale;
  }
  return { mode, factor, logDeterminant, logDensity: Number.NaN, converged: true };
}

/**
 * Posterior along the path (Gaussian fit)^{1−b} × (prior × likelihood)^b in whitened coordinates: b log p(x) |det S| − (1 − b)|z|²/2. One
 * gradient of the target and O(d²).
 */
export function bridgeDensity(target: PosteriorTarget, fit: LaplaceFit, exponent: number): LogDensity {
  const density = whitenedPosterior(target, fit);
  return (z, gradient) => {
    const logPosterior = density(z, gradient) + fit.logDeterminant;
    let square = 0;
    for (let i = 0; i < z.length; i++) {
      gradient[i] = exponent * gradient[i]! - (1 - exponent) * z[i]!;
      square += z[i]! * z[i]!;
    }
    return exponent * logPosterior - 0.5 * (1 - exponent) * square;
  };
}
