import { FinitewidthError, inputError } from "@finitewidth/core";
import { conditionalValues, leastLogDeterminant, type ScalarData } from "./likelihood.js";
import { logMoments, logPriorDensity, type ScalarLaw } from "./law.js";

/** Posterior of u = log q as a quadrature rule: nodes, weights that sum to 1, log p(u) and log p(u) + log g(u) there. */
export interface ScalarPosterior {
  readonly logQ: Float64Array;
  readonly weights: Float64Array;
  readonly logPrior: Float64Array;
  readonly logIntegrand: Float64Array;
  /** log ∫ p(u) g(u) du, with what lies outside the range of K. */
  readonly logEvidence: number;
  /** Change of (log evidence, E u) when the step was last halved. */
  readonly residual: number;
  readonly converged: boolean;
}

/** Where the integrand has fallen by e^−cut it is left out. */
const cut = 45;
const tolerance = 1e-13;
const largestGrid = 2 ** 14;

/**
 * ∫ p(u) N(y | 0, e^u K + b 11ᵀ + T) du by the trapezoidal rule, which converges geometrically. The range is found by marching from E[u]
 * until a bound on the rest of the integrand is negligible (the posterior can have two far modes, so no hill climbing), then shrunk to
 * where the integrand lives; the step is halved until log Z and E[u] settle to 1e-13. O(r) per node, 100–2000 nodes.
 * @throws FinitewidthError (code "input") at T = 0 for y = 0, "not-converged" when the integrand does not decay or
 * is not resolved by Float64.
 * Source: docs/theories/exact.md, "One output".
 */
export function integrateScalarPosterior(law: ScalarLaw, data: ScalarData): ScalarPosterior {
  if (data.temperature === 0 && data.targets.every((value) => value === 0)) {
    throw inputError(
      "targets",
      "values that are not all zero when the temperature is 0 (the posterior of the mixing variable would not be normalisable)",
      0,
    );
  }
  const evaluate = (u: number): Sample => {
    const prior = logPriorDensity(law, u);
    const { logDeterminant, quadratic } = conditionalValues(data, Math.exp(u));
    return { u, prior, value: prior - 0.5 * (logDeterminant + quadratic), logDeterminant, quadratic };
  };
  const [lower, upper] = activeRange(law, data, evaluate);
  const outside = data.temperature > 0 ? data.residualSquare / data.temperature : 0;
  let grid = Array.from({ length: 65 }, (_, i) => evaluate(lower + ((upper - lower) * i) / 64));
  let previous: readonly [number, number] | undefined;
  for (;;) {
    const summary = summarise(grid);
    const residual =
      previous === undefined ? Infinity : Math.max(...summary.map((value, i) => Math.abs(value - previous![i]!) / (1 + Math.abs(value))));
    if (residual < tolerance || grid.length > largestGrid) return finish(grid, summary[0], residual, 0.5 * outside);
    previous = summary;
    const finer: Sample[] = [];
    for (let i = 0; i + 1 < grid.length; i++) finer.push(grid[i]!, evaluate(0.5 * (grid[i]!.u + grid[i + 1]!.u)));
    finer.push(grid.at(-1)!);
    grid = finer;
  }
}

interface Sample {
  readonly u: number;
  readonly prior: number;
  readonly value: number;
  readonly logDeterminant: number;
  readonly quadratic: number;
}

const largestValue = (samples: readonly Sample[]): number => samples.reduce((most, sample) => Math.max(most, sample.value), -Infinity);

/** [log Z, E u] of the trapezoidal rule. */
function summarise(grid: readonly Sample[]): readonly [number, number] {
  const top = largestValue(grid);
  let mass = 0;
  let first = 0;
  for (const { u, value } of grid) {
    const weight = Math.exp(value - top);
    mass += weight;
    first += weight * u;
  }
  return [top + Math.log((grid[1]!.u - grid[0]!.u) * mass), first / mass];
}

function activeRange(law: ScalarLaw, data: ScalarData, evaluate: (u: number) => Sample): readonly [number, number] {
  const { mean, deviation } = logMoments(law);
  const least = data.temperature > 0 ? leastLogDeterminant(data) : 0;
  let best = evaluate(mean).value;
  const march = (side: 1 | -1): number => {
    let u = mean;
    let step = 0.25 * Math.min(deviation, 1);
    for (let count = 0; count < 20000; count++) {
      u += side * step;
      step = Math.min(step * 1.05, 0.5);
      const sample = evaluate(u);
      best = Math.max(best, sample.value);
      // Beyond u to the right log det only grows and the quadratic form is ≥ 0; to the left log det is at least its value at q = 0 and
      // the quadratic form only grows. At T = 0 the integrand is log-concave.
      let bound = sample.value;
      if (data.temperature > 0) bound = sample.prior - 0.5 * (side > 0 ? sample.logDeterminant : least + sample.quadratic);
      if (bound < best - cut && (data.temperature === 0 || (u - mean) * side > 3 * deviation)) return u;
    }
    throw new FinitewidthError("[exact] the posterior of the mixing variable does not decay; check the targets and the temperature", {
      code: "not-converged",
    });
  };
  let lower = march(-1);
  let upper = march(1);
  if (Math.abs(best) * Number.EPSILON > 1)
    throw new FinitewidthError(
      `[exact] the targets are so far from what the network can fit that Float64 resolves their log likelihood, ${best.toExponential(1)}, to whole numbers at best: raise the temperature, or rescale targets or inputs`,
      { code: "not-converged" },
    );
  for (;;) {
    const grid = Array.from({ length: 65 }, (_, i) => evaluate(lower + ((upper - lower) * i) / 64));
    const floor = largestValue(grid) - cut;
    const first = grid.findIndex((sample) => sample.value > floor);
    const last = grid.findLastIndex((sample) => sample.value > floor);
    const [from, to] = [grid[Math.max(first - 1, 0)]!.u, grid[Math.min(last + 1, 64)]!.u];
    if (to - from > 0.75 * (upper - lower)) return [from, to];
    [lower, upper] = [from, to];
  }
}

/** @param outside what log g(u) lacks at every node: |y_⊥|²/2T of the targets outside the range of K */
function finish(grid: readonly Sample[], logMass: number, residual: number, outside: number): ScalarPosterior {
  const top = largestValue(grid);
  const kept = grid.filter((sample) => sample.value > top - cut);
  const weights = Float64Array.from(kept, (sample) => Math.exp(sample.value - top));
  const mass = weights.reduce((sum, weight) => sum + weight, 0);
  return {
    logQ: Float64Array.from(kept, (sample) => sample.u),
    weights: weights.map((weight) => weight / mass),
    logPrior: Float64Array.from(kept, (sample) => sample.prior),
    logIntegrand: Float64Array.from(kept, (sample) => sample.value - outside),
    logEvidence: logMass - outside,
    residual,
    converged: residual < tolerance,
  };
}

/** E f(u) under the posterior. */
export function posteriorMean(posterior: ScalarPosterior, f: (u: number) => number): number {
  let sum = 0;
  for (let i = 0; i < posterior.logQ.length; i++) sum += posterior.weights[i]! * f(posterior.logQ[i]!);
  return sum;
}

/** Modes below the highest by more than this in the log density do not count; between two of them it falls by `dip` or more. */
const modes = { depth: 7, dip: 1e-4 } as const;

/**
 * Maxima of the density of log q, as values of q, ascending: those within a factor e^−7 of the highest, with dips far above rounding
 * between.
 */
export function posteriorModes({ logQ, logIntegrand }: Pick<ScalarPosterior, "logQ" | "logIntegrand">): number[] {
  const found: number[] = [];
  let [rising, extreme] = [true, 0];
  for (let i = 1; i < logQ.length; i++) {
    const gain = logIntegrand[i]! - logIntegrand[extreme]!;
    if (rising ? gain > 0 : gain < 0) extreme = i;
    else if (Math.abs(gain) > modes.dip) {
      if (rising) found.push(extreme);
      [rising, extreme] = [!rising, i];
    }
  }
  if (rising) found.push(extreme);
  const highest = found.reduce((most, i) => Math.max(most, logIntegrand[i]!), Number.NEGATIVE_INFINITY);
  return found.filter((i) => logIntegrand[i]! >= highest - modes.depth).map((i) => Math.exp(logQ[i]!));
}

/** Quantiles of q at the given levels, by linear interpolation of the cumulative weights in u. */
export function posteriorQuantiles(posterior: ScalarPosterior, levels: readonly number[]): number[] {
  const { logQ, weights } = posterior;
  return levels.map((level) => {
    let below = 0;
    for (let i = 0; i < logQ.length; i++) {
      // Half of a node's weight lies on either side of it.
      const middle = below + 0.5 * weights[i]!;
      if (middle >= level) {
        if (i === 0) return Math.exp(logQ[0]!);
        const before = below - 0.5 * weights[i - 1]!;
        return Math.exp(logQ[i - 1]! + ((logQ[i]! - logQ[i - 1]!) * (level - before)) / (middle - before));
      }
      below += weights[i]!;
    }
    return Math.exp(logQ.at(-1)!);
  });
}
