import { erf, relu, tanh } from "@finitewidth/activations";
import { fit, matrixFromRows, type Activation, type Matrix } from "@finitewidth/core";
import { cholesky, identity, multiplyTransposedRight } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  createUnitEvaluator,
  expectationPropagation,
  logNormaliserFromTilts,
  momentCoefficients,
  predictBranch,
  summariseBranch,
  testRowsOf,
  unitFeatures,
  unitStates,
  type Field,
  type Setting,
  type TestRows,
} from "../src/index.js";
import { alignmentsOf } from "../src/unit.js";
import { registry } from "./importance-sampling.ts";

const kernel = matrixFromRows([[1.3, 0.4, -0.2], [0.4, 0.8, 0.1], [-0.2, 0.1, 1.1]]); // prettier-ignore
const features = cholesky(kernel).factor;
const targets = Float64Array.of(1.2, -0.7, 2);
const [T, bias, width, weightVariance] = [0.2, 0.3, 5, 1.4];
const alpha = weightVariance / width;
const noise: Matrix = { data: Float64Array.from({ length: 9 }, (_, k) => bias + (k % 4 === 0 ? T : 0)), shape: [3, 3] };
const secondMoment = matrixFromRows([[0.5, 0.1, -0.05], [0.1, 0.4, 0.02], [-0.05, 0.02, 0.45]]); // prettier-ignore
const setting = (activation: Activation): Setting => ({
  prior: { features, activation },
  width,
  weightVariance,
  surroundings: { targets, noise },
  secondMoment,
});
const field = (scale: number, shift: number): Field => ({
  mean: Float64Array.of(0.7 * scale, -1.1 * scale, 0.4 + shift),
  covariance: matrixFromRows([[1.4, 0.3, 0.1], [0.3, 2.2, -0.2], [0.1, -0.2, 0.9 + shift]]), // prettier-ignore
});
const draws = (count: number, seed: number): Float64Array => stream(31, seed).normals(new Float64Array(3 * count));
const bulk = { field: field(1, 0), units: draws(40, 1) };
const block = { field: field(1.6, 0.5), units: draws(20, 2), odds: { odds: 0.4, logNormaliser: 0.25 } };
/** φ of every unit on the training rows, by loops. */
const activities = (activation: Activation, units: Float64Array): number[][] =>
  Array.from({ length: units.length / 3 }, (_, s) =>
    [0, 1, 2].map((a) => activation.value([0, 1, 2].reduce((sum, k) => sum + features.data[3 * a + k]! * units[3 * s + k]!, 0))),
  );

describe("averages of units", () => {
  it.each([erf, tanh, relu])("$name: states and moments by loops over units and rows, with weights", (activation) => {
    const unit = createUnitEvaluator({ features, activation });
    const { units } = bulk;
    const count = units.length / 3;
    const states = unitStates(count);
    unit.setField(bulk.field, alpha);
    unit.evaluate(units, count, states);
    const weights = Float64Array.from({ length: count }, (_, i) => (1 + (i % 3)) / (count * 2));
    const total = weights.reduce((sum, w) => sum + w, 0);
    const phi = activities(activation, units);
    const R = bulk.field.covariance.data;
    const v = phi.map((row, i) => {
      const s = alpha * row.reduce((sum, p, a) => sum + row.reduce((inner, q, b) => inner + p * R[3 * a + b]! * q, 0), 0);
      const u = row.reduce((sum, p, a) => sum + p * bulk.field.mean[a]!, 0);
      expectClose([states.scales[i]!, states.overlaps[i]!], [1 + s, u], { relative: 1e-12, absolute: 1e-14 });
      expectClose(states.tilts[i]!, -0.5 * Math.log(1 + s) + (0.5 * alpha * u * u) / (1 + s), { relative: 1e-11, absolute: 1e-13 });
      expectClose(alignmentsOf(states, alpha)[i]!, (Math.sqrt(alpha) * Math.abs(u)) / (1 + s), { relative: 1e-12, absolute: 1e-14 });
      return [(alpha * u) / (1 + s), 1 + s] as const;
    });
    const normalised = weights.map((w) => w / total);
    const found = unit.moments(units, count, momentCoefficients(states, alpha, bulk.field.mean, { weights: normalised }), true);
    const average = (of: (i: number) => number): number => phi.reduce((sum, _, i) => sum + normalised[i]! * of(i), 0);
    const c = [0, 1, 2].map((a) => average((i) => v[i]![0] * phi[i]![a]!));
    expectClose(found.response, c, { relative: 1e-11, absolute: 1e-13 });
    for (const a of [0, 1, 2])
      for (const b of [0, 1, 2]) {
        const M = average((i) => (alpha / v[i]![1] + v[i]![0] ** 2) * phi[i]![a]! * phi[i]![b]!) - c[a]! * c[b]!;
        expectClose(found.curvature.data[3 * a + b]!, M, { relative: 1e-11, absolute: 1e-13 });
        expectClose(found.kernel.data[3 * a + b]!, average((i) => phi[i]![a]! * phi[i]![b]!), { relative: 1e-11, absolute: 1e-13 }); // prettier-ignore
      }
  });

  it("the control variate takes the noise away from the response too, at once for draws that no field tilts", () => {
    const unit = createUnitEvaluator({ features, activation: erf });
    const count = 40;
    const states = unitStates(count);
    const small = 1e-6;
    unit.setField(bulk.field, small);
    unit.evaluate(bulk.units, count, states);
    const found = unit.moments(bulk.units, count, momentCoefficients(states, small, bulk.field.mean, { secondMoment }), true);
    const expected = [0, 1, 2].map((a) => [0, 1, 2].reduce((sum, b) => sum + secondMoment.data[3 * a + b]! * bulk.field.mean[b]!, 0));
    expectClose(found.response.map((value) => value / small), expected, { relative: 1e-4 }); // prettier-ignore
    expectClose(found.curvature.data.map((value) => value / small), secondMoment, { relative: 1e-4, absolute: 1e-5 }); // prettier-ignore
    expectClose(found.kernel, secondMoment, { relative: 1e-4, absolute: 1e-5 });
  });

  it("log E exp ℓ from tilted draws has the error of their mean", () => {
    const [tilts, weights] = [Float64Array.of(0.3, -0.2, 1.1), Float64Array.of(0.5, 0.2, 0.3)];
    for (const given of [undefined, weights]) {
      const w = given ?? Float64Array.of(1 / 3, 1 / 3, 1 / 3);
      const mean = tilts.reduce((sum, t, i) => sum + w[i]! * Math.exp(-t), 0);
      const scatter = tilts.reduce((sum, t, i) => sum + w[i]! * (Math.exp(-t) / mean - 1) ** 2, 0);
      const { value, standardError } = logNormaliserFromTilts(tilts, given);
      expectClose([value, standardError], [-Math.log(mean), Math.sqrt(scatter / 3)], { relative: 1e-13 });
    }
  });
});

describe("a branch", () => {
  const rowsOf = (full: boolean): TestRows => ({
    features,
    residual: full ? { data: new Float64Array(0), shape: [3, 0] } : new Float64Array(3),
    cross: secondMoment,
    own: full ? secondMoment : Float64Array.of(0.5, 0.4, 0.45),
  });
  // whatever the draws and the fields are: both say what the same Gaussian sites leave at the same rows
  it.each([
    ["the others alone", { bulk }],
    ["the others and an aligned unit", { bulk, block }],
    ["weighted draws", { bulk: { ...bulk, weights: Float64Array.from({ length: 40 }, (_, i) => (i + 1) / 820) } }],
  ] as const)("%s: predictions at the training rows are y − T r_q and T − T² R_q, for %#", (_, groups) => {
    const { whole } = summariseBranch(setting(erf), groups);
    const covariance = whole.covariance.data.map((value, k) => (k % 4 === 0 ? T : 0) - T * T * value);
    const joint = predictBranch(setting(erf), groups, rowsOf(true), bias, 7);
    const marginal = predictBranch(setting(erf), groups, rowsOf(false), bias, 7);
    const mean = targets.map((y, a) => y - T * whole.mean[a]!);
    expectClose(joint.mean, mean, { relative: 1e-9, absolute: 1e-10 });
    expectClose(marginal.mean, mean, { relative: 1e-9, absolute: 1e-10 });
    expectClose(joint.variance as Matrix, covariance, { relative: 1e-9, absolute: 1e-10 });
    expectClose(marginal.variance as Float64Array, [0, 4, 8].map((k) => covariance[k]!), { relative: 1e-9, absolute: 1e-10 }); // prettier-ignore
  });

  it("with an aligned unit has its evidence, one Nth of its kernel, and its alignments", () => {
    const alone = summariseBranch(setting(erf), { bulk });
    const both = summariseBranch(setting(erf), { bulk, block });
    const unit = createUnitEvaluator({ features, activation: erf });
    const statesOf = (group: { field: Field; units: Float64Array }) => {
      const states = unitStates(group.units.length / 3);
      unit.setField(group.field, alpha);
      unit.evaluate(group.units, group.units.length / 3, states);
      return states;
    };
    const z = logNormaliserFromTilts(statesOf(bulk).tilts);
    // the last unit is the aligned one: any of N, its weight that beyond the wall
    expectClose(both.logEvidence!.value, alone.logEvidence!.value - z.value + Math.log(5) + Math.log(0.4) + 0.25, { relative: 1e-11 });
    expectClose([alone.logEvidence!.standardError, both.logEvidence!.standardError], [5 * z.standardError, 5 * z.standardError], { relative: 1e-12 }); // prettier-ignore
    const phi = activities(erf, block.units);
    const own = [0, 1, 2].flatMap((a) => [0, 1, 2].map((b) => phi.reduce((sum, row) => sum + (row[a]! * row[b]!) / 20, 0)));
    expectClose(both.hiddenKernel, own.map((value, k) => value / 5 + 0.8 * alone.hiddenKernel.data[k]!), { relative: 1e-11, absolute: 1e-13 }); // prettier-ignore
    expect([...both.bulkAlignments]).toEqual([...alignmentsOf(statesOf(bulk), alpha)]);
    expect([...both.blockAlignments!]).toEqual([...alignmentsOf(statesOf(block), alpha)]);
    expect(alone.blockAlignments).toBeUndefined();
  });
});

describe("coordinates of a unit", () => {
  it("span the kernel, and new rows have the rest as noise of their own", () => {
    // rank 2: the third row is the sum of the others
    const rows = [[1, 0.5, 0.2], [-0.4, 1.1, 0.7], [0.6, 1.6, 0.9]]; // prettier-ignore
    const fresh = [[0.3, -1, 0.8], [1.4, 1.6, 1.1]]; // prettier-ignore
    const gramOf = (a: number[][], b: number[][]): Matrix => matrixFromRows(a.map((x) => b.map((z) => x.reduce((sum, value, k) => sum + value * z[k]!, 0)))); // prettier-ignore
    const K = gramOf(rows, rows);
    const coordinates = unitFeatures(K, targets);
    expect(coordinates.features.shape).toEqual([3, 2]);
    expectClose(multiplyTransposedRight(coordinates.features, coordinates.features), K, { relative: 1e-12, absolute: 1e-13 });
    for (const k of [0, 1])
      expect([0, 1, 2].reduce((sum, a) => sum + targets[a]! * coordinates.features.data[2 * a + k]!, 0)).toBeGreaterThan(0);
    const [cross, own] = [gramOf(fresh, rows), gramOf(fresh, fresh)];
    const joint = testRowsOf(erf, K, coordinates, { cross, own });
    const single = testRowsOf(erf, K, coordinates, { cross, own: Float64Array.of(own.data[0]!, own.data[3]!) });
    expectClose(multiplyTransposedRight(joint.features, coordinates.features), cross, { relative: 1e-11, absolute: 1e-12 });
    const rest = multiplyTransposedRight(joint.residual as Matrix, joint.residual as Matrix).data;
    const explained = multiplyTransposedRight(joint.features, joint.features).data;
    expectClose(rest, own.data.map((value, k) => value - explained[k]!), { absolute: 1e-9 }); // prettier-ignore
    expectClose(single.residual as Float64Array, [Math.sqrt(rest[0]!), Math.sqrt(Math.max(rest[3]!, 0))], { absolute: 1e-8 });
    expect(Math.max(...(single.residual as Float64Array))).toBeGreaterThan(0.3);
    // E erf(h) erf(h′) of two Gaussians
    const pair = (q: number, c: number, r: number) => (2 / Math.PI) * Math.asin((2 * c) / Math.sqrt((1 + 2 * q) * (1 + 2 * r)));
    const variance = [0, 1].map((a) => own.data[3 * a]!);
    expectClose(joint.cross, [0, 1].flatMap((a) => [0, 1, 2].map((b) => pair(variance[a]!, cross.data[3 * a + b]!, K.data[4 * b]!))), { relative: 1e-9 }); // prettier-ignore
    expectClose(joint.own as Matrix, [0, 1].flatMap((a) => [0, 1].map((b) => pair(variance[a]!, own.data[2 * a + b]!, variance[b]!))), { relative: 1e-9 }); // prettier-ignore
    expectClose(single.own as Float64Array, [pair(variance[0]!, variance[0]!, variance[0]!), pair(variance[1]!, variance[1]!, variance[1]!)], { relative: 1e-9 }); // prettier-ignore
  });
});

describe("on fixed nodes", () => {
  const problem = {
    network: { type: "fully-connected", widths: [6], activation: "erf", weightVariance: [1.2, 1.4], biasVariance: [0.2, 0.3] },
    inputs: [[1, 0.5], [-0.4, 1.1], [0.9, -1.2]], // prettier-ignore
    targets: [2, -1.7, 1.1],
    temperature: 0.1,
  };
  const solve = (change: object, options: object = {}) =>
    fit(expectationPropagation, { ...problem, ...change }, { registry, options: { averages: "nodes", ...options }, seed: 5 });

  it("predicts at the training rows what the fit has there, and expects as many aligned units as the nodes beyond the wall weigh", async () => {
    for (const wall of [0.8, 2.5]) {
      const { posterior, predict } = await solve({}, { wall });
      const { mean, variance } = await predict(problem.inputs);
      expectClose(mean, posterior.train!.mean, { relative: 1e-7, absolute: 1e-8 });
      expectClose(variance, posterior.train!.variance, { relative: 1e-6, absolute: 1e-8 });
      const { bulk: state } = posterior.state.branches[0]!;
      const count = state.units.shape[0];
      const unit = createUnitEvaluator({ features: posterior.state.features, activation: erf });
      const states = unitStates(count);
      unit.setField({ mean: state.fieldMean.data, covariance: state.fieldCovariance }, 1.4 / 6);
      unit.evaluate(state.units.data, count, states);
      const alignments = alignmentsOf(states, 1.4 / 6);
      const weights = state.weights!.data;
      const beyond = 6 * alignments.reduce((sum, value, i) => sum + (value > wall ? weights[i]! : 0), 0);
      const aligned = posterior.diagnostics["alignedUnits"] as { none: number; one: number; two: number };
      expectClose([aligned.none, aligned.one, aligned.two], [Math.exp(-beyond), beyond * Math.exp(-beyond), (beyond ** 2 / 2) * Math.exp(-beyond)], { relative: 1e-9 }); // prettier-ignore
      expect(beyond > 1e-3).toBe(wall < 1);
      const [branch] = posterior.diagnostics["branches"] as [{ bulkAlignment: { q05: number; median: number; q95: number } }];
      const below = (q: number): number => alignments.reduce((sum, value, i) => sum + (value < q ? weights[i]! : 0), 0);
      const upTo = (q: number): number => alignments.reduce((sum, value, i) => sum + (value <= q ? weights[i]! : 0), 0);
      for (const [share, q] of [
        [0.05, branch.bulkAlignment.q05],
        [0.5, branch.bulkAlignment.median],
        [0.95, branch.bulkAlignment.q95],
      ] as const) {
        // prettier-ignore
        expect(below(q)).toBeLessThan(share + 1e-12);
        expect(upTo(q)).toBeGreaterThan(share - 1e-12);
      }
    }
  });

  it("mean-field scaling divides the outputs by √N and the noise by N", async () => {
    const one = await solve({ scaling: "mean-field", temperature: 0.6 });
    const other = await solve({ temperature: 0.1, network: { ...problem.network, weightVariance: [1.2, 1.4 / 6], biasVariance: [0.2, 0.3 / 6] } }); // prettier-ignore
    const at = [[0.3, 0.8], [2, -0.1]]; // prettier-ignore
    const [a, b] = [await one.predict(at, { covariance: true }), await other.predict(at, { covariance: true })];
    for (const key of ["mean", "variance", "covariance"] as const) expectClose(a[key]!, b[key]!, { relative: 1e-12 });
    expectClose(one.posterior.train!.mean, other.posterior.train!.mean, { relative: 1e-12 });
    expect(one.posterior.logEvidence).toBeCloseTo(other.posterior.logEvidence!, 10);
  });

  it.each([
    ["relu", 1, true],
    ["relu", 2, false],
    ["erf", 1, false],
  ])("an activation with a kink and fewer units than half the points is warned of: %s, %d units", async (activation, width, expected) => {
    const { posterior } = await fit(
      expectationPropagation,
      { network: { type: "fully-connected", widths: [width], activation }, inputs: [[1, 0.5], [-0.4, 1.1], [0.9, -1.2], [0.3, 0.2]], targets: [0.5, -0.2, 0.1, 0.3], temperature: 0.5 }, // prettier-ignore
      { registry, options: { averages: "sampling", branches: "symmetric", particles: 100, sweeps: 10 } },
    );
    expect(posterior.warnings.some((text) => text.startsWith("an activation with a kink"))).toBe(expected);
    expect(posterior.solver.iterations).toBe(15);
  });

  it("says why they will not do, and takes samples where that was left open", async () => {
    const many = { inputs: identity(7), targets: [1, -1, 1, -1, 1, -1, 1] };
    await expect(solve(many)).rejects.toThrow(/fixed nodes reach kernels of rank 6, this one has rank 7; use "averages": "sampling"/);
    const { posterior } = await solve(many, { averages: "auto", particles: 100, sweeps: 10 });
    expect(posterior.diagnostics["averages"]).toBe("sampling");
    expect((await solve({}, { averages: "auto" })).posterior.diagnostics["averages"]).toBe("nodes");
  });
});
