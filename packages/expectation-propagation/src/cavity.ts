import { columnVector, zeros, type Matrix } from "@finitewidth/core";
import {
  combine,
  identity,
  lu,
  multiply,
  multiplyTransposedRight,
  multiplyVector,
  solve,
  solveLu,
  symmetricEigen,
  symmetrise,
  transpose,
} from "@finitewidth/linalg";
import type { Field, UnitMoments } from "./unit.js";

/** What surrounds the units: y = f + ε, ε ~ N(0, Σ), Σ = T·1 + σ_b²(2) 11ᵀ (a readout bias is noise that all rows share). */
export interface Surroundings {
  /** y: P numbers. */
  readonly targets: Float64Array;
  /** Σ: P × P. */
  readonly noise: Matrix;
}

type Averages = Pick<UnitMoments, "response" | "curvature">;

const minus = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value - b[i]!);

/** E = 1 − M R and G = E Σ + n M of n units that see `cavity`. O(P³). */
export function responseMatrices(
  count: number,
  { curvature }: Averages,
  { covariance }: Field,
  { noise }: Surroundings,
): { readonly E: Matrix; readonly G: Matrix } {
  const E = combine(1, identity(noise.shape[0]), -1, multiply(curvature, covariance));
  return { E, G: combine(1, multiply(E, noise), count, curvature) };
}

/**
 * Field of the noise and of n units that see `cavity`: R = G⁻¹E, r = G⁻¹[E y + n (M r − c)]. No inverse of E, which is singular where the
 * number of aligned units fluctuates. @throws FinitewidthError (code "input") where G is singular. O(P³).
 */
export function fieldOfUnits(count: number, unit: Averages, cavity: Field, surroundings: Surroundings): Field & { readonly E: Matrix } {
  const { targets } = surroundings;
  const P = targets.length;
  const { E, G } = responseMatrices(count, unit, cavity, surroundings);
  const Mr = multiplyVector(unit.curvature, cavity.mean);
  const Ey = multiplyVector(E, targets);
  const right = zeros(P, P + 1);
  for (let i = 0; i < P; i++) {
    right.data.set(E.data.subarray(i * P, (i + 1) * P), i * (P + 1));
    right.data[i * (P + 1) + P] = Ey[i]! + count * (Mr[i]! - unit.response[i]!);
  }
  const solved = solve(G, right);
  const covariance = zeros(P, P);
  const mean = new Float64Array(P);
  for (let i = 0; i < P; i++) {
    covariance.data.set(solved.data.subarray(i * (P + 1), i * (P + 1) + P), i * P);
    mean[i] = solved.data[i * (P + 1) + P]!;
  }
  return { mean, covariance: symmetrise(covariance), E };
}

/** Field after one unit has been added to its cavity: r − R c, R − R M R. O(P³). */
export function fieldWithUnit({ mean, covariance }: Field, unit: Averages): Field {
  return {
    mean: minus(mean, multiplyVector(covariance, unit.response)),
    covariance: symmetrise(combine(1, covariance, -1, multiply(multiply(covariance, unit.curvature), covariance))),
  };
}

/**
 * Cavity of a unit when the field with it is (r_q, R_q): R_q (E − M R_q)⁻¹ E and Eᵀ(Eᵀ − R_q M)⁻¹ r_q − R_q (E − M R_q)⁻¹ (M r − c), with
 * M, c, E at its present cavity; finite where its site (1 − M R)⁻¹M is not. O(P³).
 */
export function cavityFromWhole(whole: Field, unit: Averages, cavity: Field, E: Matrix): Field {
  const { curvature: M } = unit;
  const Rq = whole.covariance;
  const factor = lu(combine(1, E, -1, multiply(M, Rq)));
  const shift = multiplyVector(Rq, solveLu(factor, columnVector(minus(multiplyVector(M, cavity.mean), unit.response))).data);
  const Et = transpose(E);
  const lifted = multiplyVector(Et, solve(combine(1, Et, -1, multiply(Rq, M)), columnVector(whole.mean)).data);
  return { mean: minus(lifted, shift), covariance: symmetrise(multiply(Rq, solveLu(factor, E))) };
}

/** The field with the eigenvalues of R raised to `floor`: sampling noise makes the small ones negative, and then units run away. O(P³). */
export function flooredField(field: Field, floor: number): Field {
  const { values, vectors } = symmetricEigen(field.covariance);
  if (values[0]! >= floor) return field;
  const n = values.length;
  const scaled = vectors.data.map((value, k) => value * Math.max(values[k % n]!, floor));
  return { mean: field.mean, covariance: symmetrise(multiplyTransposedRight({ data: scaled, shape: [n, n] }, vectors)) };
}
