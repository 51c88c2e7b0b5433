import type { RandomStream } from "@finitewidth/core";
import { symmetricEigen } from "@finitewidth/linalg";
import { bulkEss, hamiltonianChain, rHat as splitRHat } from "@finitewidth/numerics";
import type { LaplaceFit, PosteriorTarget } from "./target.js";
import { unwhiten, whitenedPosterior, whitenGradient, type LogDensity } from "./whitened.js";

/** Settings of Hamiltonian Monte Carlo in coordinates whitened by a Gaussian fit. */
export interface MarkovOptions {
  readonly chains: number;
  readonly draws: number;
  readonly warmup: number;
  /** Called now and then with the chain and the fraction of it that is done; reject to cancel. */
  readonly pause?: (chain: number, fraction: number) => Promise<void>;
}

/** Draws of all chains, one after the other, equal weights. */
export interface MarkovSample {
  readonly points: Float64Array[];
  readonly batches: Int32Array;
  readonly batchCount: number;
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
 * Runs independent chains from points scattered 1.5 standard deviations around the fit, each with its own stream. Diagnostics: split R̂ and
 * effective sample size, the worst over coordinates. Source: docs/theories/exact.md, "Several outputs".
 */
export async function hamiltonianSample(target: PosteriorTarget, fit: Pick<LaplaceFit, "mode" | "factor">, options: MarkovOptions, randomOf: (chain: number) => RandomStream): Promise<MarkovSample> {
  const d = target.dimension;
  const density = whitenedPosterior(target, fit);
  const scratch = new Float64Array(d);
  const start = (random: RandomStream, out: Float64Array): void => {
    // closer to the centre when the first tries fall outside the domain
    for (let scale = 1.5; scale > 0.01; scale *= 0.5) {
      random.normals(out);
      for (let i = 0; i < d; i++) out[i]! *= scale;
      if (density(out, scratch) > -Infinity) return;
    }
    out.fill(0);
  };
  const points: Float64Array[] = [];
  let acceptance = 0;
  const runs: Float64Array[][] = [];
  for (let c = 0; c < options.chains; c++) {
    const chain = hamiltonianChain({ dimension: d, evaluate: density }, { draws: options.draws, warmup: options.warmup, pathLength: trajectory, adapt: "none", stepSize: firstStep(d) }, start, randomOf(c));
    const draws: Float64Array[] = [];
    let next = chain.next();
    for (; !next.done; next = chain.next()) {
      if (!next.value.warmup) draws.push(next.value.position.slice());
      if (next.value.iteration % 50 === 49) await options.pause?.(c, next.value.iteration / (options.draws + options.warmup));
    }
    acceptance += next.value.acceptance / options.chains;
    runs.push(draws);
  }
  const batches = new Int32Array(options.chains * options.draws);
  runs.forEach((draws, c) => {
    draws.forEach((z, t) => {
      const x = new Float64Array(d);
      unwhiten(fit, z, x);
      batches[points.length] = c * stretches + Math.floor((t * stretches) / options.draws);
      points.push(x);
    });
  });
  let rHat = 1;
  let effectiveSampleSize = points.length;
  for (let i = 0; i < d; i++) {
    const chains = runs.map((draws) => Float64Array.from(draws, (z) => z[i]!));
    rHat = Math.max(rHat, splitRHat(chains));
    effectiveSampleSize = Math.min(effectiveSampleSize, bulkEss(chains));
  }
  return {
    points,
    batches,
    batchCount: options.chains * stretches,
    acceptance,
    rHat,
    effectiveSampleSize,
  };
}

/** Mean and (inflated) covariance factor of a set of draws, as a Gaussian fit. */
export function gaussianOf(points: readonly Float64Array[], inflation: number): LaplaceFit {
  const n = points.length;
  const d = points[0]!.length;
  const mode = new Float64Array(d);
  for (const x of points) for (let i = 0; i < d; i++) mode[i]! += x[i]! / n;
  const covariance = new Float64Array(d * d);
  for (const x of points) {
    for (let i = 0; i < d; i++) {
      const value = (x[i]! - mode[i]!) / (n - 1);
      for (let j = 0; j <= i; j++) covariance[i * d + j]! += value * (x[j]! - mode[j]!);
    }
  }
  for (let i = 0; i < d; i++) for (let j = 0; j < i; j++) covariance[j * d + i] = covariance[i * d + j]!;
  const { values, vectors } = symmetricEigen({ data: covariance, shape: [d, d] });
  const largest = values.at(-1)!;
  const factor = new Float64Array(d * d);
  let logDeterminant = 0;
  for (let j = 0; j < d; j++) {
    const scale = Math.sqrt(inflation * Math.max(values[j]!, 1e-10 * largest));
    logDeterminant += Math.log(scale);
    for (let i = 0; i < d; i++) factor[i * d + j] = vectors.data[i * d + j]! * scale;
  }
  return { mode, factor, logDeterminant, logDensity: Number.NaN, converged: true };
}

/** Posterior along the path (Gaussian fit)^{1−b} × (prior × likelihood)^b in whitened coordinates, Jacobian included. */
export interface BridgeDensity {
  /** log[prior × likelihood × |det S|] of the last evaluation. */
  logPosterior(): number;
  at(exponent: number): LogDensity;
}

/** The density of `bridgeDensity(...).at(b)` is b log p(x) |det S| − (1 − b)|z|²/2. */
export function bridgeDensity(target: PosteriorTarget, fit: LaplaceFit): BridgeDensity {
  const d = target.dimension;
  const x = new Float64Array(d);
  const raw = { prior: new Float64Array(d), likelihood: new Float64Array(d) };
  let last = -Infinity;
  return {
    logPosterior: () => last,
    at: (exponent) => (z, gradient) => {
      unwhiten(fit, z, x);
      const { logPrior, logLikelihood } = target.evaluate(x, raw);
      last = logPrior + logLikelihood + fit.logDeterminant;
      for (let i = 0; i < d; i++) raw.prior[i]! += raw.likelihood[i]!;
      whitenGradient(fit.factor, raw.prior, gradient);
      let square = 0;
      for (let i = 0; i < d; i++) {
        gradient[i] = exponent * gradient[i]! - (1 - exponent) * z[i]!;
        square += z[i]! * z[i]!;
      }
      return exponent === 0 ? -0.5 * square : exponent * last - 0.5 * (1 - exponent) * square;
    },
  };
}

