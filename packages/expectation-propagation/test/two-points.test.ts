import { erf, kernelMap } from "@finitewidth/activations";
import { matrixFromRows, type Matrix } from "@finitewidth/core";
import { affine, cholesky, combine, frobenius, identity, lu, multiply, solve, solveCholesky } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { readFixture } from "../../../tools/testing.ts";
import {
  cavityFromWhole,
  fieldOfUnits,
  logEvidenceOfUnits,
  productNodes,
  quasiRandomNodes,
  solveOnNodes,
  type Field,
  type UnitNodes,
} from "../src/index.js";

interface Case {
  readonly K1: number[][];
  readonly T: number;
  readonly y: number[];
  readonly N: number;
  readonly ep: {
    readonly r: number[];
    readonly R: number[][];
    readonly trainMean: number[];
    readonly cavity_r: number[];
    readonly cavity_R: number[][];
    readonly hiddenKernel: number[][];
    readonly nodeError: number;
  };
  readonly exact: { readonly r: number[]; readonly R: number[][] };
}
const cases = readFixture<Case[]>("strong-labels/two-points");

const settingOf = ({ K1, T, y, N }: Case) => {
  const kernel = matrixFromRows(K1);
  const total = affine(1, kernelMap(erf, kernel));
  for (let i = 0; i < 2; i++) total.data[3 * i]! += T;
  const targets = Float64Array.from(y);
  const factor = cholesky(total);
  const start: Field = {
    mean: solveCholesky(factor, { data: targets, shape: [2, 1] }).data,
    covariance: solveCholesky(factor, identity(2)),
  };
  const surroundings = { targets, noise: affine(T, identity(2)) };
  return { prior: { features: cholesky(kernel).factor, activation: erf }, settings: { width: N, weightVariance: 1, surroundings, start } };
};
const solveCase = (c: Case, nodes: UnitNodes) => {
  const { prior, settings } = settingOf(c);
  return { ...solveOnNodes(prior, nodes, settings), surroundings: settings.surroundings, start: settings.start };
};
const largest = (a: ArrayLike<number>, b: readonly (number | number[])[]): number => {
  const flat = b.flat();
  return Math.max(...flat.map((value, i) => Math.abs(value - a[i]!)));
};

/** log ∫ dt (2π)^−P exp(i t·y − T|t|²/2) ψ(t)^N by the trapezoid rule, ψ(t) = E exp(−(α/2)(t·φ)²) on the nodes. */
function exactLogEvidence({ T, y, N }: Case, features: Matrix, nodes: UnitNodes): number {
  const count = nodes.logWeights.length;
  const phi = new Float64Array(2 * count);
  for (let i = 0; i < count; i++)
    for (let a = 0; a < 2; a++)
      phi[2 * i + a] = erf.value(features.data[2 * a]! * nodes.units[2 * i]! + features.data[2 * a + 1]! * nodes.units[2 * i + 1]!);
  const weights = nodes.logWeights.map((value) => Math.exp(value));
  const reach = 8 / Math.sqrt(T);
  const points = 160;
  const h = (2 * reach) / points;
  let sum = 0;
  for (let a = 0; a <= points; a++) {
    for (let b = 0; b <= points / 2; b++) {
      const [s, t] = [-reach + a * h, -reach + b * h];
      let psi = 0;
      for (let i = 0; i < count; i++) psi += weights[i]! * Math.exp((-0.5 / N) * (s * phi[2 * i]! + t * phi[2 * i + 1]!) ** 2);
      // the integrand is even under t → −t
      sum += (b === points / 2 ? 1 : 2) * Math.cos(s * y[0]! + t * y[1]!) * Math.exp(-0.5 * T * (s * s + t * t)) * psi ** N;
    }
  }
  return Math.log((sum * h * h) / (2 * Math.PI) ** 2);
}

describe("two points, erf, averages on fixed nodes", () => {
  it.each(cases.map((c) => [`y = ${c.y}, N = ${c.N}`, c] as const))("solves the reference's equations: %s", (_, c) => {
    const [fine, coarse] = [productNodes(2, 80), productNodes(2, 70)].map((nodes) => solveCase(c, nodes));
    // nodes of either side: theirs as given, ours by comparison
    const ours = Math.max(
      largest(fine!.cavity.mean, [...coarse!.cavity.mean]),
      largest(fine!.cavity.covariance.data, [...coarse!.cavity.covariance.data]),
    );
    const tolerance = 3 * (c.ep.nodeError + ours) + 1e-9;
    expect(tolerance).toBeLessThan(2e-4);
    expect(largest(fine!.cavity.mean, c.ep.cavity_r)).toBeLessThan(tolerance);
    expect(largest(fine!.cavity.covariance.data, c.ep.cavity_R)).toBeLessThan(tolerance);
    expect(largest(fine!.whole.mean, c.ep.r)).toBeLessThan(tolerance);
    expect(largest(fine!.whole.covariance.data, c.ep.R)).toBeLessThan(tolerance);
    expect(largest(fine!.moments.kernel.data, c.ep.hiddenKernel)).toBeLessThan(tolerance);
    expect(
      largest(
        fine!.whole.mean.map((r, i) => c.y[i]! - c.T * r),
        c.ep.trainMean,
      ),
    ).toBeLessThan(tolerance);
  });

  it("approaches the exact posterior as 1/N², far closer than infinite width", () => {
    for (const y of [cases[0]!.y, cases[3]!.y]) {
      const errors = cases
        .filter((c) => `${c.y}` === `${y}`)
        .map((c) => {
          const solved = solveCase(c, productNodes(2, 80));
          return [c.N, largest(solved.whole.mean, c.exact.r), largest(solved.start.mean, c.exact.r)] as const;
        });
      for (const [N, expectation, infinite] of errors) expect(expectation, `N = ${N}`).toBeLessThan(0.25 * infinite);
      const [, middle, wide] = errors;
      const slope = Math.log(middle![1] / wide![1]) / Math.log(wide![0] / middle![0]);
      if (y === cases[0]!.y) expect(slope).toBeGreaterThan(1.5);
      else expect(middle![1]).toBeLessThan(5e-4 * y[0]! * 2);
    }
  });

  it("gives the evidence, whose error falls as 1/N²", () => {
    const strong = cases.slice(3, 5);
    const errors = strong.map((c) => {
      const nodes = productNodes(2, 80);
      const { prior } = settingOf(c);
      const { logNormaliser: z, moments, cavity, surroundings } = solveCase(c, nodes);
      const value = logEvidenceOfUnits(c.N - 1, moments, cavity, { bulk: z, last: z }, surroundings)!;
      return Math.abs(value - exactLogEvidence(c, prior.features, productNodes(2, 24)));
    });
    // page: 0.024 and 0.009 at N = 5 and 20, infinite width 3.05 and 1.44
    expect(errors[0]).toBeLessThan(0.03);
    expect(errors[1]).toBeLessThan(0.012);
  });

  it("equals the evidence written with inverses of the fields", () => {
    const { logNormaliser: z, moments, cavity, whole, surroundings } = solveCase(cases[0]!, productNodes(2, 40));
    const part = ({ mean, covariance }: Field): number =>
      0.5 * lu(covariance).logAbsoluteDeterminant -
      0.5 * mean.reduce((sum, r, i) => sum + r * solve(covariance, { data: mean, shape: [2, 1] }).data[i]!, 0);
    const direct = 5 * (z + part(cavity) - part(whole)) + part(whole) - Math.log(2 * Math.PI);
    expect(logEvidenceOfUnits(4, moments, cavity, { bulk: z, last: z }, surroundings)).toBeCloseTo(direct, 9);
  });

  it("has one field seen from the whole and from a unit", () => {
    const { cavity, whole, moments, surroundings } = solveCase(cases[4]!, productNodes(2, 40));
    const { E } = fieldOfUnits(19, moments, cavity, surroundings);
    const back = cavityFromWhole(whole, moments, cavity, E);
    expect(largest(back.mean, [...cavity.mean])).toBeLessThan(1e-9);
    expect(frobenius(combine(1, back.covariance, -1, cavity.covariance))).toBeLessThan(1e-9);
    expect(frobenius(multiply(E, identity(2)))).toBeGreaterThan(0);
  });

  it("agrees with quasi-random nodes to their error", () => {
    const c = cases[1]!;
    const product = solveCase(c, productNodes(2, 60));
    const errors = [1, 2, 3, 4, 5, 6].map((seed) => solveCase(c, quasiRandomNodes(2, 12, seed)).whole.mean[0]! - product.whole.mean[0]!);
    const mean = errors.reduce((sum, error) => sum + error / 6, 0);
    const deviation = Math.sqrt(errors.reduce((sum, error) => sum + (error - mean) ** 2 / 5, 0));
    expect(deviation).toBeLessThan(5e-3);
    // 99.9 % of Student's t with five degrees of freedom
    expect(Math.abs(mean)).toBeLessThan((6.9 * deviation) / Math.sqrt(6));
  });
});
