import { FinitewidthError } from "@finitewidth/core";
import { logGamma } from "@finitewidth/numerics";
import { biasAt, scalarAction } from "./scalar-action.js";
import { scalarMinima, type ScalarMinima } from "./scalar-minima.js";
import type { ScalarSpectrum } from "./scalar-problem.js";

/** Targets whose log likelihood overflows, or has no digit left. */
export const targetsOutOfReach = (): FinitewidthError =>
  new FinitewidthError(
    "the targets are so far from what the network can fit that their likelihood leaves double precision; raise the temperature, or rescale targets or inputs",
    { code: "not-converged" },
  );

/** Saddle point and the Gaussian approximation around it. */
export interface ScalarSaddle {
  /** Q*, at the global minimum. */
  readonly orderParameter: number;
  readonly action: number;
  /** S_uu and S_uuu at Q*. */
  readonly second: number;
  readonly third: number;
  /** Laplace: −(P/2) log 2π − (N/2)(S* − 1) − ½ log S_uu, exact for P = 0. */
  readonly logEvidence: number;
  /** E Q to order 1/N: Q*(1 + (1/S_uu − S_uuu/S_uu²)/N). */
  readonly meanOrderParameter: number;
  /** Var log Q ≈ 2/(N S_uu). */
  readonly varianceLogOrderParameter: number;
}

/**
 * Laplace approximation at the lowest minimum. O(P), and `scalarMinima` where they are not given. docs/theories/effective-action.md,
 * "Laplace and the exact integral".
 */
export function scalarSaddle(problem: ScalarSpectrum, minima: ScalarMinima = scalarMinima(problem)): ScalarSaddle {
  const { orderParameter, action } = minima.minima[0];
  const { second, third } = scalarAction(problem, orderParameter);
  const { width } = problem;
  return {
    orderParameter,
    action,
    second,
    third,
    logEvidence: -0.5 * problem.eigenvalues.length * Math.log(2 * Math.PI) - 0.5 * width * (action - 1) - 0.5 * Math.log(second),
    meanOrderParameter: orderParameter * (1 + (1 / second - third / (second * second)) / width),
    varianceLogOrderParameter: 2 / (width * second),
  };
}

/** Nodes and normalised weights of the posterior of Q. */
export interface OrderParameterNodes {
  readonly nodes: Float64Array;
  readonly weights: Float64Array;
}
export interface ScalarIntegral extends OrderParameterNodes {
  /** log p(y), exact within the Gaussian equivalence. */
  readonly logEvidence: number;
  readonly mean: number;
  readonly variance: number;
  /** |log p(y)| difference to the rule with every other node: what the trapezoid rule may be wrong by, and far more. */
  readonly error: number;
}

/** Rounding of a larger quadratic form would move the weights of the nodes by a tenth. */
const resolvedQuadratic = 0.1 / Number.EPSILON;

/** yᵀA⁻¹y of the directions that Q moves. */
function quadraticInRange(problem: ScalarSpectrum, orderParameter: number): number {
  const { eigenvalues: k, targets: z, ones: w, temperature } = problem;
  const { mean } = biasAt(problem, orderParameter, z);
  return z.reduce((sum, value, i) => (k[i]! > 0 ? sum + (value - mean * w[i]!) ** 2 / (temperature + orderParameter * k[i]!) : sum), 0);
}

/**
 * Posterior of Q by the trapezoid rule in u = log Q between the points where (N/2)(S − S_min) = 40: converges exponentially in the number
 * of nodes, which follows from the width of the minima. O(P) a node. Exact for φ = identity.
 * @throws FinitewidthError (code "not-converged"): see `targetsOutOfReach`.
 */
export function scalarIntegral(problem: ScalarSpectrum, minima: ScalarMinima = scalarMinima(problem)): ScalarIntegral {
  const { width } = problem;
  const lowest = minima.minima[0].action;
  if (!(quadraticInRange(problem, minima.minima[0].orderParameter) < resolvedQuadratic)) throw targetsOutOfReach();
  const excess = (u: number): number => 0.5 * width * (scalarAction(problem, Math.exp(u)).value - lowest);
  const logs = minima.minima.map(({ orderParameter }) => Math.log(orderParameter));
  const spread = (u: number): number => {
    const { second } = scalarAction(problem, Math.exp(u));
    return Math.sqrt(2 / (width * Math.max(second, 1e-3 * Math.exp(u))));
  };
  const step = Math.min(0.2, ...logs.map((u) => 0.2 * spread(u)));
  const edge = (from: number, direction: number): number => {
    let stride = direction * spread(from);
    let u = from + stride;
    for (let i = 0; i < 2000 && excess(u) < 40; i++) {
      if (i > 20) stride *= 1.2;
      u += stride;
    }
    return u;
  };
  const a = edge(Math.min(...logs), -1);
  const b = edge(Math.max(...logs), 1);
  const intervals = 2 * Math.ceil(Math.min(Math.max((b - a) / step, 60), 20000) / 2);
  const h = (b - a) / intervals;
  const nodes = Float64Array.from({ length: intervals + 1 }, (_, i) => Math.exp(a + i * h));
  const densities = nodes.map((Q) => Math.exp(-0.5 * width * (scalarAction(problem, Q).value - lowest)));
  let total = 0;
  let even = 0;
  densities.forEach((density, i) => {
    total += density;
    if (i % 2 === 0) even += density;
  });
  const weights = densities.map((density) => density / total);
  let mean = 0;
  nodes.forEach((Q, i) => (mean += weights[i]! * Q));
  let variance = 0;
  nodes.forEach((Q, i) => (variance += weights[i]! * (Q - mean) ** 2));
  const logNormalisation = 0.5 * width * Math.log(0.5 * width) - logGamma(0.5 * width);
  return {
    nodes,
    weights,
    mean,
    variance,
    logEvidence: -0.5 * problem.eigenvalues.length * Math.log(2 * Math.PI) + logNormalisation - 0.5 * width * lowest + Math.log(total * h),
    error: Math.abs(Math.log((2 * even) / total)),
  };
}

/** A posterior of Q that is a point: the saddle, or Q = 1 for infinite width. */
export const pointMass = (orderParameter: number): OrderParameterNodes => ({
  nodes: Float64Array.of(orderParameter),
  weights: Float64Array.of(1),
});

/** Nodes whose weight matters for a relative accuracy of 1e-15. */
export function* significantNodes({ nodes, weights }: OrderParameterNodes): Generator<readonly [orderParameter: number, weight: number]> {
  for (let i = 0; i < nodes.length; i++) if (weights[i]! > 1e-18) yield [nodes[i]!, weights[i]!];
}
