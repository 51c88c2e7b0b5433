import { inputError } from "@finitewidth/core";
import {
  gammaFactor,
  logDensityLogGammaProduct,
  logDensityOfLogProduct,
  logMomentsOf,
  logNormalFactor,
  noncentralFactor,
  type ProductLaw,
} from "@finitewidth/numerics";

/**
 * Law of the mixing variable of a linear network with one output, a product of independent factors, one per layer: s_l χ²_{N_l}/N_l, and
 * for a layer that skips with coefficient α the noncentral (α + √(s_l/N_l) g)² + s_l χ²_{N_l−1}/N_l; s_l = σ_w²(l+1), or β² of a residual
 * layer.
 */
export interface ScalarLaw {
  readonly widths: readonly number[];
  readonly variances: readonly number[];
  /** α, where the layer's units are carried to the layer above. */
  readonly skips: readonly (number | undefined)[];
  readonly product: ProductLaw;
}

/**
 * @throws FinitewidthError (code "input") without a hidden layer, for widths that are not integers ≥ 1, variances that are not positive
 * (≥ 0 beside a skip that is not 0) or not one per layer, a skip of the last layer or between different widths.
 */
export function scalarLaw(
  widths: readonly number[],
  variances: readonly number[] = widths.map(() => 1),
  skips: readonly (number | undefined)[] = [],
): ScalarLaw {
  requireChain(widths, variances, skips);
  const counted = new Map<string, { factor: ProductLaw["factors"][number]["factor"]; count: number }>();
  let shift = 0;
  for (const [l, n] of widths.entries()) {
    const [s, skip] = [variances[l]!, skips[l]];
    if (skip === undefined || skip === 0) shift += Math.log(s);
    else if (s === 0) {
      shift += 2 * Math.log(Math.abs(skip));
      continue;
    }
    const key = skip === undefined || skip === 0 ? `${n}` : `${n} ${Math.abs(skip)} ${s}`;
    const known = counted.get(key);
    if (known) known.count++;
    else counted.set(key, { factor: key === `${n}` ? gammaFactor(n / 2, 1) : noncentralFactor(n, skip!, Math.sqrt(s)), count: 1 });
  }
  return { widths, variances, skips: widths.map((_, l) => skips[l]), product: { factors: [...counted.values()], shift } };
}

/** Checks widths N_1 … N_L, variances s_1 … s_L and skips of a chain. @throws FinitewidthError (code "input"). */
export function requireChain(widths: readonly number[], variances: readonly number[], skips: readonly (number | undefined)[] = []): void {
  if (widths.length === 0) throw inputError("widths", "at least one hidden layer", []);
  for (const [l, n] of widths.entries()) if (!(Number.isInteger(n) && n >= 1)) throw inputError(`widths[${l}]`, "a positive integer", n);
  if (variances.length !== widths.length) throw inputError("variances", `${widths.length} numbers, σ_w² of layers 2 … L+1`, variances);
  for (const [l, s] of variances.entries()) {
    const skip = skips[l];
    if (skip !== undefined && !Number.isFinite(skip)) throw inputError(`skips[${l}]`, "a finite number", skip);
    if (skip !== undefined && widths[l + 1] !== widths[l])
      throw inputError(`skips[${l}]`, "a layer above of the same width", widths[l + 1]);
    if (skip !== undefined && skip !== 0 && s === 0) continue;
    if (!(s > 0 && Number.isFinite(s)))
      throw inputError(
        `variances[${l}]`,
        skip === 0 ? "a positive number beside a skip of 0 (the outputs would vanish)" : "a positive number",
        s,
      );
  }
}

/** log density of u = log q; a closed form for one dense layer. Cost of `logDensityOfLogProduct` otherwise. */
export function logPriorDensity(law: ScalarLaw, u: number): number {
  const { widths, variances, product } = law;
  if (widths.length === 1) return logDensityLogGammaProduct(u, [widths[0]! / 2], [widths[0]! / (2 * variances[0]!)]);
  return logDensityOfLogProduct(product, u);
}

/**
 * The same law with all layers that skip replaced by one log-normal factor of their mean and variance of log x: what the trunk tends to
 * when it is deep and its branches are weak, α = 1 + δ/L and β² = t/L (geometric Brownian motion). Undefined for fewer than two such
 * layers.
 */
export function logNormalTrunk({ widths, variances, skips }: ScalarLaw): ProductLaw | undefined {
  const carried = widths.map((_, l) => l).filter((l) => skips[l] !== undefined && skips[l] !== 0 && variances[l]! > 0);
  if (carried.length < 2) return undefined;
  const trunk = logMomentsOf({
    factors: carried.map((l) => ({ factor: noncentralFactor(widths[l]!, skips[l]!, Math.sqrt(variances[l]!)), count: 1 })),
    shift: 0,
  });
  const dense = widths.map((_, l) => l).filter((l) => skips[l] === undefined || skips[l] === 0);
  return {
    factors: [
      ...dense.map((l) => ({ factor: gammaFactor(widths[l]! / 2, variances[l]!), count: 1 })),
      { factor: logNormalFactor(trunk.mean, trunk.variance), count: 1 },
    ],
    shift: widths.reduce((sum, _, l) => (skips[l] && variances[l] === 0 ? sum + 2 * Math.log(Math.abs(skips[l]!)) : sum), 0),
  };
}

/** Mean and standard deviation of u = log q under the prior. */
export function logMoments(law: ScalarLaw): { readonly mean: number; readonly deviation: number } {
  const { mean, variance } = logMomentsOf(law.product);
  return { mean, deviation: Math.sqrt(variance) };
}
