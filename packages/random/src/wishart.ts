import { inputError, zeros, type Matrix, type RandomStream } from "@finitewidth/core";
import { chiSquared } from "./gamma.js";

/**
 * Bartlett factor A of a Wishart matrix: A Aᵀ ~ W_d(ν, I), d × min(d, ν), zeros above the diagonal, A_ii² ~ χ²_{ν−i} (i = 0 …),
 * A_ij ~ N(0, 1) below. For an integer ν < d the matrix is singular, of rank ν. With V = L Lᵀ, (L A)(L A)ᵀ ~ W_d(ν, V).
 * @throws FinitewidthError (code "input") when ν ≤ d − 1 is not an integer, or not positive. O(d²) draws.
 */
export function wishartFactor(random: RandomStream, dimension: number, degreesOfFreedom: number): Matrix {
  if (!(degreesOfFreedom > 0)) throw inputError("degreesOfFreedom", "a positive number", degreesOfFreedom);
  if (degreesOfFreedom <= dimension - 1 && !Number.isInteger(degreesOfFreedom)) {
    throw inputError("degreesOfFreedom", `an integer, or a number above ${dimension - 1}`, degreesOfFreedom);
  }
  const rank = Math.min(dimension, Math.ceil(degreesOfFreedom));
  const out = zeros(dimension, rank);
  for (let i = 0; i < dimension; i++) {
    for (let j = 0; j < Math.min(i, rank); j++) out.data[i * rank + j] = random.normal();
    if (i < rank) out.data[i * rank + i] = Math.sqrt(chiSquared(random, degreesOfFreedom - i));
  }
  return out;
}
