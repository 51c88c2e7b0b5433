import { inputError, type RandomStream } from "@finitewidth/core";

/**
 * Gamma variable of the given shape and unit scale, by Marsaglia and Tsang (2000); shapes below 1 by Γ(a) = Γ(a + 1) U^{1/a}, which may
 * underflow to 0 for shapes below about 10⁻². @throws FinitewidthError (code "input") for a shape that is not positive and finite.
 */
export function gamma(random: Pick<RandomStream, "uniform" | "normal">, shape: number): number {
  if (!(shape > 0 && Number.isFinite(shape))) throw inputError("shape", "a positive number", shape);
  if (shape < 1) return gamma(random, shape + 1) * (1 - random.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const root = 1 + c * x;
    if (root <= 0) continue;
    const v = root * root * root;
    // log(1 − U): U itself can be 0
    if (Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Chi-squared variable with ν > 0 degrees of freedom (any real number): mean ν, variance 2ν. @throws FinitewidthError (code "input"). */
export function chiSquared(random: RandomStream, degreesOfFreedom: number): number {
  return 2 * random.gamma(0.5 * degreesOfFreedom);
}
