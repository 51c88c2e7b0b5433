import { FinitewidthError } from "@finitewidth/core";
import { gaussHermite, logSumExp, normalPoints } from "@finitewidth/numerics";
import { fieldOfUnits, fieldWithUnit, type Surroundings } from "./cavity.js";
import { between } from "./population.js";
import { createUnitEvaluator, momentCoefficients, unitStates, type Field, type UnitMoments, type UnitPrior } from "./unit.js";

/** Fixed units z with weights: Σ w f(z) ≈ E f(z), z ~ N(0, 1_d). */
export interface UnitNodes {
  /** S × d. */
  readonly units: Float64Array;
  /** S numbers. */
  readonly logWeights: Float64Array;
}

/** Gauss–Hermite product rule of n^d nodes. O(d n^d). */
export function productNodes(dimension: number, n: number): UnitNodes {
  const { nodes, weights } = gaussHermite(n);
  const count = n ** dimension;
  const units = new Float64Array(count * dimension);
  const logWeights = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    for (let k = 0, rest = i; k < dimension; k++, rest = Math.floor(rest / n)) {
      units[i * dimension + k] = nodes[rest % n]!;
      logWeights[i]! += Math.log(weights[rest % n]!);
    }
  }
  return { units, logWeights };
}

/** 2^log2Count quasi-random normal points of equal weight. */
export function quasiRandomNodes(dimensions: number, log2Count: number, seed: number): UnitNodes {
  const { data } = normalPoints({ dimensions, log2Count, seed });
  const count = 2 ** log2Count;
  return { units: data, logWeights: new Float64Array(count).fill(-Math.log(count)) };
}

/** A fixed point of the symmetric equations on nodes. */
export interface NodeSolution {
  /** (r, R) of a unit's cavity. */
  readonly cavity: Field;
  /** (r_q, R_q): r_q = (y − ⟨f⟩)/T, R_q = −∂² log p/∂y². */
  readonly whole: Field;
  readonly moments: UnitMoments;
  /** log E exp ℓ at the cavity. */
  readonly logNormaliser: number;
  /** Normalised weights of the nodes under the tilted measure. */
  readonly weights: Float64Array;
  /** (Σ w)²/(S Σ w²) against the weights of the rule: 1 for the prior. */
  readonly effectiveFraction: number;
  readonly iterations: number;
  readonly residual: number;
}

/**
 * Symmetric expectation propagation with the averages over a unit taken on fixed nodes: the map (r, R) ↦ (E Σ + (N−1) M)⁻¹ (…) iterated
 * with a step that halves when the residual grows, to `tolerance` relative to the field. Deterministic; cost one evaluation of all nodes
 * and O(P³) an iteration.
 * @throws FinitewidthError (code "not-converged").
 */
export function solveOnNodes(
  prior: UnitPrior,
  nodes: UnitNodes,
  settings: {
    readonly width: number;
    readonly weightVariance: number;
    readonly surroundings: Surroundings;
    readonly start: Field;
    /** @defaultValue 1e-12 */
    readonly tolerance?: number;
    /** @defaultValue 500 */
    readonly maximumIterations?: number;
  },
): NodeSolution {
  const { width, surroundings, start, tolerance = 1e-12, maximumIterations = 500 } = settings;
  const alpha = settings.weightVariance / width;
  const unit = createUnitEvaluator(prior);
  const count = nodes.logWeights.length;
  const states = unitStates(count);
  const average = (field: Field): Pick<NodeSolution, "moments" | "logNormaliser" | "weights"> => {
    unit.setField(field, alpha);
    unit.evaluate(nodes.units, count, states);
    const logs = states.tilts.map((tilt, i) => tilt + nodes.logWeights[i]!);
    const logNormaliser = logSumExp(logs);
    const weights = logs.map((value) => Math.exp(value - logNormaliser));
    const moments = unit.moments(nodes.units, count, momentCoefficients(states, alpha, field.mean, { weights }), true);
    return { moments, logNormaliser, weights };
  };
  let cavity = start;
  let step = 0.7;
  let previous = Infinity;
  for (let iterations = 1; iterations <= maximumIterations; iterations++) {
    const averages = average(cavity);
    if (!Number.isFinite(averages.logNormaliser)) break;
    const { mean, covariance } = fieldOfUnits(width - 1, averages.moments, cavity, surroundings);
    const residual = Math.hypot(relativeChange(mean, cavity.mean), relativeChange(covariance.data, cavity.covariance.data));
    if (!Number.isFinite(residual)) break;
    if (residual < tolerance) {
      let squares = 0;
      for (const [i, weight] of averages.weights.entries()) squares += weight * weight * Math.exp(-nodes.logWeights[i]!);
      return { cavity, whole: fieldWithUnit(cavity, averages.moments), ...averages, effectiveFraction: 1 / squares, iterations, residual };
    }
    if (residual > 1.5 * previous && step > 0.05) step *= 0.5;
    previous = residual;
    cavity = between(cavity, { mean, covariance }, step, step);
  }
  throw new FinitewidthError(
    `[expectation-propagation] the equations on fixed nodes did not converge: residual ${previous.toPrecision(2)} after ${maximumIterations} iterations at most`,
    { code: "not-converged" },
  );
}

function relativeChange(a: Float64Array, b: Float64Array): number {
  let [change, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    change += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  // all targets 0: the mean of the field is 0 and stays so
  return Math.sqrt(change / (size || 1));
}
