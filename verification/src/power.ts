import type { Claim } from "@finitewidth/core";
import { faults, infiniteWidth } from "./faults.js";
import { judge, type Comparison } from "./judge.js";

/** A deliberate mistake and whether the samples revealed it. */
export interface PowerCheck {
  readonly fault: string;
  /** False when the claim does not depend on what was changed. */
  readonly applicable: boolean;
  readonly caught: boolean;
  readonly score: number;
}

/** Numbers closer than this fraction of themselves are the same. */
const rounding = 1e-9;

/**
 * Whether a wrong version of a claim is rejected, by the very rule that judges the right one: `judge` with the same threshold and the same
 * errors, Student's t included. `wrong` undefined: the theory withdraws the claim under the fault, which nobody has caught then.
 */
export function checkPower(
  fault: string,
  error: Claim["error"],
  own: readonly Comparison[],
  wrong: readonly Comparison[] | undefined,
  threshold: number,
): PowerCheck {
  if (wrong === undefined) return { fault, applicable: true, caught: false, score: 0 };
  const applicable = wrong.some(({ claimed }, i) =>
    claimed.some((value, k) => Math.abs(value - own[i]!.claimed[k]!) > rounding * (Math.abs(value) + 1e-12)),
  );
  const outcome = judge(error, wrong, threshold);
  return { fault, applicable, caught: applicable && !outcome.agrees, score: outcome.score };
}

/**
 * Whether the samples reject what they should: infinite width where the claim depends on the width, and a change of the variances where it
 * depends on those. A claim to which no fault applies has no power.
 */
export function isPowerful(power: readonly PowerCheck[]): boolean {
  const applying = power.filter(({ applicable }) => applicable);
  const limit = applying.filter(({ fault }) => fault === infiniteWidth.name);
  const variances = applying.filter((check) => faults.some((fault) => fault.kind === "variance" && fault.name === check.fault));
  const required = [limit, variances].filter((checks) => checks.length > 0);
  return required.length > 0 && required.every((checks) => checks.some(({ caught }) => caught));
}
