import type { Activation } from "@finitewidth/core";
import { correlationSlope, fixedPointCorrelation } from "./correlation-map.js";
import { depthScale, fixedPointVariance, susceptibilities, type PhasePoint } from "./variance-map.js";

/** "unbounded": the variance grows without limit. */
export type Regime = "ordered" | "critical" | "chaotic" | "unbounded";

/**
 * Fixed points and depth scales of deep networks with given prior variances; Infinity and NaN where a number is infinite or does not exist.
 */
export interface Criticality {
  /** q*. */
  readonly variance: number;
  readonly chiPerp: number;
  readonly chiParallel: number;
  /** c*. */
  readonly correlation: number;
  /** Slope of the correlation map at c*. */
  readonly correlationSlope: number;
  /** −1/ln χ∥. */
  readonly depthScaleVariance: number;
  /** −1/ln of the correlation slope. */
  readonly depthScaleCorrelation: number;
  readonly regime: Regime;
}

/** |χ⊥ − 1| within which a network counts as critical. */
const criticalWindow = 1e-9;

/**
 * Variance fixed point, susceptibilities, correlation fixed point, depth scales and phase: ordered (χ⊥ < 1), critical, chaotic (> 1), or
 * unbounded (no finite variance). Some ten to a hundred one- and two-point functions. Source: docs/theories/criticality.md; Schoenholz et
 * al. (2017).
 */
export function criticalityAt(activation: Activation, point: PhasePoint): Criticality {
  const variance = fixedPointVariance(activation, point);
  const { perpendicular, parallel } = susceptibilities(activation, variance, point.weightVariance);
  if (variance === Number.POSITIVE_INFINITY) {
    const none = Number.NaN;
    return {
      variance,
      chiPerp: perpendicular,
      chiParallel: parallel,
      correlation: none,
      correlationSlope: none,
      depthScaleVariance: none,
      depthScaleCorrelation: none,
      regime: "unbounded",
    };
  }
  const correlation = fixedPointCorrelation(activation, variance, point);
  const slope = correlation === 1 ? perpendicular : correlationSlope(activation, correlation, variance, point.weightVariance);
  const regime = Math.abs(perpendicular - 1) <= criticalWindow ? "critical" : perpendicular < 1 ? "ordered" : "chaotic";
  return {
    variance,
    chiPerp: perpendicular,
    chiParallel: parallel,
    correlation,
    correlationSlope: slope,
    depthScaleVariance: depthScale(parallel),
    depthScaleCorrelation: regime === "critical" ? Number.POSITIVE_INFINITY : depthScale(slope),
    regime,
  };
}
