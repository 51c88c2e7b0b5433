import type { Problem } from "@finitewidth/core";
import { trustedForce } from "./diagnose.js";
import { isLinear } from "./linear-closure.js";
import type { ForwardBackwardOptions } from "./options.js";
import type { Setting } from "./setting.js";

/** Limits on the effective sample fraction. */
export const fraction = { refused: 0.05, warned: 0.2 } as const;

/** Warnings about the regime (docs/theories/forward-backward.md, "When to trust it"). */
export function regimeWarnings(
  problem: Problem,
  { widths, activation, targets }: Setting,
  options: ForwardBackwardOptions,
  force: number,
  effectiveFraction: number,
): string[] {
  const [points, outputs] = targets.shape;
  const warnings: string[] = [];
  if (effectiveFraction < fraction.warned)
    warnings.push(
      `the importance nodes keep only ${(100 * effectiveFraction).toFixed(0)} % of their effective sample: kernels are less accurate than usual, and predictions at test inputs scatter more than they; raise "nodes" or use the closure "gaussian-variational"`,
    );
  if (options.closure === "gaussian-variational" && options.order !== "first" && !isLinear(activation))
    warnings.push("the Gaussian variational closure misses 10–35 % of the shift of the kernels (measured for erf)");
  if (options.order !== "proportional") {
    if (force < trustedForce) {
      warnings.push(
        `force number ${Math.floor(100 * force) / 100} is below ${trustedForce}: the data pull too weakly for the kernels to stop fluctuating, and predictive and logEvidence are less accurate here than the infinite-width ones; for them use "perturbative", "effective-action"${widths.length === 1 && outputs === 1 ? ' or order "proportional"' : ""}. The hidden kernels are still better than at infinite width`,
      );
    } else if (problem.scaling === "standard") {
      warnings.push(
        "standard scaling: kernels, predictor and evidence are exact as N → ∞ only when the targets grow like √N or the outputs like N; at fixed targets the predictor misses kernel fluctuations of the same order as its correction",
      );
    }
    const narrow = widths.findIndex((width) => width < (points * outputs) / 2);
    if (narrow >= 0)
      warnings.push(
        `layer ${narrow + 1} has width ${widths[narrow]}, less than P·D/2 = ${(points * outputs) / 2}: relative errors of order ${Math.min((points * outputs) / widths[narrow]!, 9.9).toPrecision(2)} are possible${widths.length === 1 && outputs === 1 ? '; order "proportional" is made for this' : ""}`,
      );
  }
  return warnings;
}
