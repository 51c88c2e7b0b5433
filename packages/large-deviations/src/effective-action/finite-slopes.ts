import type { Activation } from "@finitewidth/core";

/** E φ′ at some variances; 0 where it diverges (discontinuous activations at zero variance, where the unit is silent). */
export function finiteSlopes(activation: Activation, variances: Float64Array): Float64Array {
  return variances.map((value) => {
    const slope = activation.moments.slope(value);
    return Number.isFinite(slope) ? slope : 0;
  });
}
