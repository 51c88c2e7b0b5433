import { columnVector } from "@finitewidth/core";
import { lu, multiply, multiplyVector, solveLu } from "@finitewidth/linalg";
import { responseMatrices, type Surroundings } from "./cavity.js";
import type { Field, UnitMoments } from "./unit.js";

/**
 * log E exp ℓ over the prior, from draws of the tilted measure: −log E exp(−ℓ) with its standard error. The weights exp(−ℓ) ≤ √(1+s) are
 * bounded, so that no annealing is needed. Draws are taken as independent.
 */
export function logNormaliserFromTilts(
  tilts: Float64Array,
  weights?: Float64Array,
): { readonly value: number; readonly standardError: number } {
  const count = tilts.length;
  let mean = 0;
  for (let i = 0; i < count; i++) mean += Math.exp(-tilts[i]!) * (weights ? weights[i]! : 1 / count);
  let scatter = 0;
  for (let i = 0; i < count; i++) scatter += (Math.exp(-tilts[i]!) / mean - 1) ** 2 * (weights ? weights[i]! : 1 / count);
  return { value: -Math.log(mean), standardError: Math.sqrt(scatter / count) };
}

/**
 * Log evidence of noise and n units of a bulk in `cavity`, with one more unit of log normaliser z_A in the field (r_A, R_A) that they
 * leave: z_A + n (z + Δ) + ½ log det R_A − ½ r_AᵀR_A⁻¹r_A − (P/2) log 2π, where Δ = −½ log det E + ½ [(r − Rc)ᵀE⁻¹M(r − Rc) − 2 r·c + cᵀRc]
 * is what a site adds, all in terms without R⁻¹. For n = N − 1 and z_A = z it is the evidence of expectation propagation,
 * N [z + ½ log det(R R_q⁻¹) + ½ r_qᵀR_q⁻¹r_q − ½ rᵀR⁻¹r] − (P/2) log 2π + ½ log det R_q − ½ r_qᵀR_q⁻¹r_q. Undefined where a determinant is
 * not positive. Errors of the fields enter squared. O(P³).
 */
export function logEvidenceOfUnits(
  n: number,
  unit: UnitMoments,
  cavity: Field,
  logNormalisers: { readonly bulk: number; readonly last: number },
  surroundings: Surroundings,
): number | undefined {
  const { targets } = surroundings;
  const P = targets.length;
  const { response: c, curvature: M } = unit;
  const { mean: r, covariance: R } = cavity;
  const { E, G } = responseMatrices(n, unit, cavity, surroundings);
  const factorE = lu(E);
  const factorG = lu(G);
  if (factorE.determinantSign <= 0 || factorG.determinantSign <= 0) return undefined;
  const Rc = multiplyVector(R, c);
  const shifted = r.map((value, i) => value - Rc[i]!);
  const pulled = solveLu(factorE, columnVector(multiplyVector(M, shifted))).data;
  let quadratic = 0;
  for (let i = 0; i < P; i++) quadratic += shifted[i]! * pulled[i]! - 2 * r[i]! * c[i]! + c[i]! * Rc[i]!;
  const site = -0.5 * factorE.logAbsoluteDeterminant + 0.5 * quadratic;
  // R_A⁻¹ = E⁻¹G and R_A⁻¹r_A = y + n E⁻¹(M r − c)
  const Mr = multiplyVector(M, r);
  const source = solveLu(factorE, columnVector(Mr.map((value, i) => value - c[i]!))).data.map((value, i) => targets[i]! + n * value);
  const rA = solveLu(factorG, { data: multiply(E, columnVector(source)).data, shape: [P, 1] }).data;
  const exponent = rA.reduce((sum, value, i) => sum + value * source[i]!, 0);
  return (
    logNormalisers.last +
    n * (logNormalisers.bulk + site) +
    0.5 * (factorE.logAbsoluteDeterminant - factorG.logAbsoluteDeterminant) -
    0.5 * exponent -
    0.5 * P * Math.log(2 * Math.PI)
  );
}
