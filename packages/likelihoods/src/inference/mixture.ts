import { FinitewidthError, zeros, type Matrix, type Observation } from "@finitewidth/core";
import { cholesky, solveCholesky } from "@finitewidth/linalg";
import { digamma, logDensityLogGammaProduct, logSumExp, trigamma } from "@finitewidth/numerics";
import { expectationPropagation, type ExpectationPropagation } from "./expectation-propagation.js";

/** Law of q = Π g_l with independent g_l ~ Gamma(shape a_l, rate b_l): the mixing variable of one output. */
export interface GammaProduct {
  readonly shapes: readonly number[];
  readonly rates: readonly number[];
}

/** Mixing variable of widths N_l and weight variances s_l = σ_w²(l + 1): shapes N_l/2, rates N_l/(2 s_l). */
export const mixingVariable = (widths: readonly number[], variances: readonly number[] = widths.map(() => 1)): GammaProduct => ({
  shapes: widths.map((n) => n / 2),
  rates: widths.map((n, l) => n / (2 * variances[l]!)),
});

/** Posterior of u = log q as a quadrature rule, with what was computed at every node. */
export interface ScaleMixture<Inner> {
  readonly logQ: Float64Array;
  /** Sum to 1. */
  readonly weights: Float64Array;
  readonly logPrior: Float64Array;
  readonly nodes: readonly Inner[];
  readonly logEvidence: number;
  readonly meanQ: number;
  readonly meanLogQ: number;
  readonly deviationLogQ: number;
  /** Change of log Z when every second node is left out. */
  readonly residual: number;
}

export interface ScaleMixtureOptions {
  /** Step in u. @defaultValue min(0.25, prior standard deviation of u / 4) */
  readonly step?: number;
  /** Nodes this far below the maximum in log density are left out. @defaultValue 30 */
  readonly drop?: number;
  /** Called before each node; throw to cancel. */
  readonly tick?: () => void;
}

const mostNodes = 5000;

/**
 * log ∫ p(u) Z(eᵘ) du by the trapezoidal rule, outwards from E u under the prior until p(u) Z(eᵘ) has fallen by `drop`; `inner` gives log Z
 * and whatever else at one q, warm-started from the (up to two) nodes next to it, nearest first. For probabilities Z ≤ 1 that never vanish
 * only p(u) closes the tails. 50–150 nodes. @throws FinitewidthError (code "not-converged") when the integrand does not decay.
 * Source: docs/theories/classification.md.
 */
export function scaleMixture<Inner extends { readonly logEvidence: number }>(
  law: GammaProduct,
  inner: (q: number, nearest: readonly Inner[]) => Inner,
  options: ScaleMixtureOptions = {},
): ScaleMixture<Inner> {
  let [centre, variance] = [0, 0];
  for (const [l, a] of law.shapes.entries()) {
    centre += digamma(a) - Math.log(law.rates[l]!);
    variance += trigamma(a);
  }
  const { step = Math.min(0.25, Math.sqrt(variance) / 4), drop = 30, tick } = options;
  interface Node {
    readonly u: number;
    readonly prior: number;
    readonly value: number;
    readonly inner: Inner;
  }
  const node = (k: number, nearest: readonly Node[]): Node => {
    tick?.();
    const u = centre + k * step;
    const prior = logDensityLogGammaProduct(u, law.shapes, law.rates);
    const at = inner(
      Math.exp(u),
      nearest.map((other) => other.inner),
    );
    return { u, prior, value: prior + at.logEvidence, inner: at };
  };
  const first = node(0, []);
  let best = first.value;
  const march = (sign: number, behind: readonly Node[]): Node[] => {
    const out: Node[] = [];
    let nearest = behind;
    for (let k = sign; Math.abs(k) <= mostNodes; k += sign) {
      const next = node(k, nearest);
      out.push(next);
      best = Math.max(best, next.value);
      if (next.value < best - drop && next.value < nearest[0]!.value) return out;
      nearest = [next, nearest[0]!];
    }
    throw new FinitewidthError(`the posterior of log q does not decay within ${mostNodes} steps of ${step}`, { code: "not-converged" });
  };
  const right = march(1, [first]);
  const left = march(-1, [first, right[0]!]);
  const nodes = [...left.toReversed(), first, ...right];
  const values = nodes.map(({ value }) => value);
  const total = logSumExp(values);
  const coarse = logSumExp(values.filter((_, k) => k % 2 === left.length % 2));
  const weights = Float64Array.from(values, (value) => Math.exp(value - total));
  const logQ = Float64Array.from(nodes, ({ u }) => u);
  let [meanQ, meanLogQ, second] = [0, 0, 0];
  for (let k = 0; k < logQ.length; k++) {
    meanQ += weights[k]! * Math.exp(logQ[k]!);
    meanLogQ += weights[k]! * logQ[k]!;
  }
  for (let k = 0; k < logQ.length; k++) second += weights[k]! * (logQ[k]! - meanLogQ) ** 2;
  return {
    logQ,
    weights,
    logPrior: Float64Array.from(nodes, ({ prior }) => prior),
    nodes: nodes.map(({ inner: at }) => at),
    logEvidence: total + Math.log(step),
    meanQ,
    meanLogQ,
    deviationLogQ: Math.sqrt(second),
    residual: Math.abs(coarse + Math.log(2) - total),
  };
}

/**
 * Mixture over log q with expectation propagation inside, under the covariance `kernelAt(q)`: sites of a node start from those of its two
 * neighbours, extrapolated in log q. `predictMixture` and `meanOuterOverScale` read it. O(P³) per sweep, 8–15 sweeps a node.
 */
export function expectationPropagationMixture(
  law: GammaProduct,
  kernelAt: (q: number) => Matrix,
  observation: Observation,
  options: ScaleMixtureOptions & { readonly scale?: number } = {},
): ScaleMixture<ExpectationPropagation> {
  const inner = (q: number, nearest: readonly ExpectationPropagation[]): ExpectationPropagation => {
    const [one, two] = nearest;
    const extrapolate = (of: (node: ExpectationPropagation) => Float64Array, least: number): Float64Array =>
      of(one!).map((value, i) => Math.max(two ? 2 * value - of(two)[i]! : value, least));
    return expectationPropagation(kernelAt(q), observation, {
      tolerance: 1e-8,
      ...(options.scale === undefined ? {} : { scale: options.scale }),
      ...(one
        ? {
            start: { precision: extrapolate(({ sites }) => sites.precision, 0), shift: extrapolate(({ sites }) => sites.shift, -Infinity) },
          }
        : {}),
    });
  };
  return scaleMixture(law, inner, options);
}

/** A correction c(u) = exact − approximate log Z, measured at some nodes with standard errors. */
export interface MeasuredCorrection {
  readonly value: number;
  readonly standardError: number;
}

/** Nodes at `count` posterior quantiles of u between 0.003 and 0.997, without repetition: where to measure a correction. */
export function quantileNodes({ weights }: Pick<ScaleMixture<unknown>, "weights">, count = 12): number[] {
  const out = new Set<number>();
  for (let k = 0; k < count; k++) {
    const level = 0.003 + (0.994 * k) / (count - 1);
    let [at, cumulative] = [0, weights[0]!];
    while (cumulative < level && at + 1 < weights.length) cumulative += weights[++at]!;
    out.add(at);
  }
  return [...out];
}

/** Corrections count as no better known than this part of the worst known: beyond, their weights leave the others no digits. */
const finestError = 1e-4;

/**
 * log Z corrected for the error of the inner evidence: log Z + log Σ_k w_k e^{c(u_k)} with a weighted quadratic through corrections
 * measured at `nodes`, constant beyond them. c is smooth in u. The standard error is that of a weighted mean, times 1.3 for the fit.
 */
export function correctMixture(
  mixture: ScaleMixture<unknown>,
  nodes: readonly number[],
  corrections: readonly MeasuredCorrection[],
): { readonly logEvidence: number; readonly standardError: number } {
  const { logQ, weights } = mixture;
  const degree = Math.min(2, nodes.length - 1);
  const centre = mixture.meanLogQ;
  const scale = Math.max(mixture.deviationLogQ, 1e-6);
  const finest = Math.max(1e-12, finestError * Math.max(...corrections.map(({ standardError }) => standardError)));
  const fit = weightedPolynomial(
    nodes.map((k) => (logQ[k]! - centre) / scale),
    corrections.map(({ value }) => value),
    corrections.map(({ standardError }) => 1 / Math.max(standardError, finest) ** 2),
    degree,
  );
  const [least, most] = [Math.min(...nodes.map((k) => logQ[k]!)), Math.max(...nodes.map((k) => logQ[k]!))];
  const terms = Array.from(logQ, (u, k) => {
    const x = (Math.min(Math.max(u, least), most) - centre) / scale;
    return Math.log(weights[k]!) + fit.reduceRight((sum, coefficient) => sum * x + coefficient, 0);
  });
  const meanSquare = corrections.reduce((sum, { standardError }) => sum + standardError ** 2, 0) / corrections.length;
  return { logEvidence: mixture.logEvidence + logSumExp(terms), standardError: 1.3 * Math.sqrt(meanSquare / corrections.length) };
}

/** Coefficients, lowest first, of the least-squares polynomial by normal equations: x of order 1, degree ≤ 2. */
function weightedPolynomial(x: readonly number[], y: readonly number[], w: readonly number[], degree: number): number[] {
  const size = degree + 1;
  const normal = zeros(size, size);
  const right = zeros(size, 1);
  for (let k = 0; k < x.length; k++) {
    for (let i = 0; i < size; i++) {
      right.data[i]! += w[k]! * x[k]! ** i * y[k]!;
      for (let j = 0; j < size; j++) normal.data[i * size + j]! += w[k]! * x[k]! ** (i + j);
    }
  }
  return Array.from(solveCholesky(cholesky(normal), right).data);
}
