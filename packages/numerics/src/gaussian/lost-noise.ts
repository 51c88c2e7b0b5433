import type { Matrix } from "@finitewidth/core";
import { diagonalOf } from "@finitewidth/linalg";

/** T above this share of the largest variance keeps nine digits beside a singular kernel. */
const leastShare = 1e-7;

/**
 * Whether K may be singular beside so small a T > 0 (at most `share` of the `largest` variance) that null directions, with weights of size
 * Y/T, would cost digits: a pivot of K + T (lower Cholesky factor `factor`) that holds hardly more than T and rounding.
 */
export function mayLoseNoise(factor: Matrix, largest: number, temperature: number, share = leastShare): boolean {
  if (temperature > share * largest) return false;
  const least = 10 * (temperature + factor.shape[0] * Number.EPSILON * largest);
  return diagonalOf(factor).some((pivot) => pivot * pivot <= least);
}
