import { inputError } from "@finitewidth/core";
import { digamma, logDensityLogGammaProduct, trigamma } from "@finitewidth/numerics";

/**
 * Law of the mixing variable of a deep linear network with one output: q = Π_l s_l χ²_{N_l}/N_l, a product of Gamma variables with shapes
 * a_l = N_l/2 and rates b_l = N_l/(2 s_l), s_l = σ_w²(l+1).
 */
export interface ScalarLaw {
  readonly widths: readonly number[];
  readonly variances: readonly number[];
  readonly shapes: readonly number[];
  readonly rates: readonly number[];
}

/**
 * @throws FinitewidthError (code "input") without a hidden layer, for widths that are not integers ≥ 1, or variances that are not positive
 * or not one per layer.
 */
export function scalarLaw(widths: readonly number[], variances: readonly number[] = widths.map(() => 1)): ScalarLaw {
  requireChain(widths, variances);
  return { widths, variances, shapes: widths.map((n) => n / 2), rates: widths.map((n, l) => n / (2 * variances[l]!)) };
}

/** Checks widths N_1 … N_L and variances s_1 … s_L of a chain. @throws FinitewidthError (code "input"). */
export function requireChain(widths: readonly number[], variances: readonly number[]): void {
  if (widths.length === 0) throw inputError("widths", "at least one hidden layer", []);
  for (const [l, n] of widths.entries()) if (!(Number.isInteger(n) && n >= 1)) throw inputError(`widths[${l}]`, "a positive integer", n);
  if (variances.length !== widths.length) throw inputError("variances", `${widths.length} numbers, σ_w² of layers 2 … L+1`, variances);
  for (const [l, s] of variances.entries()) if (!(s > 0 && Number.isFinite(s))) throw inputError(`variances[${l}]`, "a positive number", s);
}

/** log density of u = log q. */
export const logPriorDensity = (law: ScalarLaw, u: number): number => logDensityLogGammaProduct(u, law.shapes, law.rates);

/** Mean and standard deviation of u = log q under the prior. */
export function logMoments(law: ScalarLaw): { readonly mean: number; readonly deviation: number } {
  let mean = 0;
  let variance = 0;
  for (const [l, a] of law.shapes.entries()) {
    mean += digamma(a) - Math.log(law.rates[l]!);
    variance += trigamma(a);
  }
  return { mean, deviation: Math.sqrt(variance) };
}

/** E[Π_{k<l} q_k | u] for a 0-based layer l: Π s_k · p(u; a_k + 1 for k < l)/p(u; a), given log p(u). */
export function meanPartialProduct(law: ScalarLaw, layer: number, u: number, logPrior: number): number {
  if (layer === 0) return 1;
  const shifted = law.shapes.map((a, k) => (k < layer ? a + 1 : a));
  const scale = law.variances.slice(0, layer).reduce((product, s) => product * s, 1);
  return scale * Math.exp(logDensityLogGammaProduct(u, shifted, law.rates) - logPrior);
}
