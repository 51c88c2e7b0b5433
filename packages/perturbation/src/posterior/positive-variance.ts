import type { Matrix } from "@finitewidth/core";

/**
 * v + δ where that is not negative, else v e^{δ/v}, which is the same to first order and cannot be; 0 where v is.
 * `leading`: v; `total`: v + δ, of equal shapes.
 */
export function positiveVariance(leading: Matrix, total: Matrix): { readonly variance: Matrix; readonly replaced: number } {
  let replaced = 0;
  const data = total.data.map((value, i) => {
    if (value >= 0) return value;
    replaced++;
    const v = leading.data[i]!;
    return v > 0 ? v * Math.exp((value - v) / v) : 0;
  });
  return { variance: { data, shape: total.shape }, replaced };
}
