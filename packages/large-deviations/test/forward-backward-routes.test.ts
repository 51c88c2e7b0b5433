import { erf, identity, relu, tanh } from "@finitewidth/activations";
import { createProblem, matrixFromRows, type Activation, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  affine,
  block,
  combine,
  diagonalOf,
  frobenius,
  gram,
  identity as one,
  innerProduct,
  multiply,
  multiplyTransposedRight,
  solve,
} from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { adaptationByLayer, createClosure, kernelAlignment, quasiRandomNodes, quadratureClosure, sweepOnce } from "../src/index.js";
import { alignmentByLayer, forwardBackwardFigures } from "../src/forward-backward/diagnose.js";
import { settingOf } from "../src/forward-backward/setting.js";
import { expectNear, optionsFor } from "./forward-backward-cases.js";
import { draw, problem, registry, solve as fitted } from "./forward-backward-problems.js";
import { column, diagonal, firstCovariance, logDeterminant, outer, productMoments, regression, trainRegression } from "./naive-networks.js";

const rowsOf = ({ data, shape: [n, m] }: Matrix): number[][] => Array.from({ length: n }, (_, i) => [...data.subarray(i * m, (i + 1) * m)]);
/** A matrix with zeros below and on the right. */
const padded = (a: Matrix, size: number): Matrix =>
  matrixFromRows(
    Array.from({ length: size }, (_, i) =>
      Array.from({ length: size }, (__, j) => (i < a.shape[0] && j < a.shape[0] ? a.data[i * a.shape[0] + j]! : 0)),
    ),
  );
const averagesAt = (activation: Activation, kernel: Matrix, conjugate: Matrix, weightVariance: number, more = {}) =>
  createClosure(activation, optionsFor(kernel, more)).averages({ kernel, conjugate, weightVariance }, { gradient: false });

describe("test points carry no tilt: they are further points of the measure", () => {
  const whole = matrixFromRows([
    [1.4, 0.5, -0.3, 0.6],
    [0.5, 2.2, 0.4, -0.7],
    [-0.3, 0.4, 0.9, 0.2],
    [0.6, -0.7, 0.2, 1.7],
  ]);
  const conjugate = matrixFromRows([
    [0.12, -0.06],
    [-0.06, -0.1],
  ]);
  // at kinks the lattice is not refined
  it.each([
    ["erf, lattice", erf, {}, 2, 1e-6],
    ["erf, first order, exact", erf, { order: "first" }, 2, 1e-10],
    ["tanh, first order, lattice", tanh, { order: "first" }, 2, 1e-5],
    ["tanh, variational", tanh, { closure: "gaussian-variational" }, 2, 1e-9],
    ["erf, variational", erf, { closure: "gaussian-variational" }, 2, 1e-9],
    ["identity", identity, {}, 2, 1e-12],
    ["relu, one point, angles", relu, {}, 1, 1e-4],
    ["relu, one point, first order", relu, { order: "first" }, 1, 1e-10],
    ["erf, one point", erf, {}, 1, 1e-7],
  ] as const)("%s", (_, activation, more, size, tolerance) => {
    const kernel = block(whole, 0, size, 0, size);
    const tilt = block(conjugate, 0, size, 0, size);
    const test = { cross: block(whole, 2, 4, 0, size), variances: diagonalOf(block(whole, 2, 4, 2, 4)), joint: block(whole, 2, 4, 2, 4) };
    const found = createClosure(activation, optionsFor(kernel, more)).extend({ kernel, conjugate: tilt, weightVariance: 1.3 }, test);
    for (const t of [0, 1]) {
      const kept = [...Array.from({ length: size }, (__, i) => i), 2 + t];
      const together = matrixFromRows(kept.map((i) => kept.map((j) => whole.data[4 * i + j]!)));
      const { data } = averagesAt(activation, together, padded(tilt, size + 1), 1.3, more).secondMoment;
      const row = data.subarray(size * (size + 1));
      expectClose(
        [...found.cross.data.subarray(t * size, (t + 1) * size), found.variances[t]!],
        row,
        { absolute: tolerance },
        `point ${t}`,
      );
    }
    if (found.joint === undefined) return;
    const all = averagesAt(activation, whole, padded(tilt, 4), 1.3, more).secondMoment;
    expectClose(found.joint, block(all, 2, 4, 2, 4), { absolute: tolerance });
  });

  it.each([
    ["erf", {}, 2, 1e-6],
    ["relu", {}, 1, 1e-5],
    ["erf", { order: "first" }, 2, 1e-9],
  ] as const)("%s, %j: predictions of two layers, layer by layer", async (activation, options, P, tolerance) => {
    const [g, b] = [
      [0.8, 1.7],
      [0.3, 0.15],
    ];
    const [inputs, tests] = [draw(P, 3, 21), draw(2, 3, 22)];
    const targets = draw(P, 2, 23);
    const network = { type: "fully-connected", widths: [30, 20], activation, weightVariance: [1.4, ...g], biasVariance: [0.2, ...b] };
    const { posterior, predict } = await fitted({ network, inputs, targets, temperature: 0.4 }, options);
    const found = await predict(tests);
    const phi = { erf, relu }[activation];
    for (const t of [1]) {
      const points = [...rowsOf(inputs), rowsOf(tests)[t]!];
      let kernel = firstCovariance(points, points, 1.4, 0.2);
      for (const l of [0, 1]) {
        const { secondMoment } = averagesAt(phi, kernel, padded(posterior.state.conjugates[l]!, P + 1), g[l]!, options);
        kernel = affine(g[l]!, secondMoment, b[l]!);
        expectClose(block(kernel, 0, P, 0, P), posterior.state.kernels[l + 1]!, { absolute: tolerance }, `kernel of layer ${l + 2}`);
      }
      for (const d of [0, 1]) {
        const y = rowsOf(targets).map((row) => row[d]!);
        const { mean, covariance } = regression(kernel, y, 0.4);
        expectClose(found.mean.data[2 * t + d]!, mean.data[0]!, { absolute: 10 * tolerance }, "mean");
        expectClose(found.variance.data[2 * t + d]!, covariance.data[0]!, { absolute: 10 * tolerance }, "variance");
      }
    }
    const { kernels } = posterior.state;
    posterior.hiddenKernels!.forEach((kernel, l) => expectClose(affine(g[l]!, kernel, b[l]!), kernels[l + 1]!, { absolute: 1e-9 }));
  });
});

describe("order proportional: its equations and what it predicts, written out", () => {
  it("erf, two points, readout bias", async () => {
    const [N, T, g, b] = [3, 0.3, 0.8, 0.25];
    const [inputs, tests, targets] = [draw(2, 3, 31), draw(3, 3, 32), draw(2, 1, 33)];
    const network = { type: "fully-connected", widths: [N], activation: "erf", weightVariance: [1.4, g], biasVariance: [0.2, b] };
    const { posterior, predict } = await fitted({ network, inputs, targets, temperature: T }, { order: "proportional" });
    const Q = posterior.orderParameter as number;
    const points = [...rowsOf(inputs), ...rowsOf(tests)];
    const first = firstCovariance(points, points, 1.4, 0.2);
    const K = affine(g, productMoments("erf", first, diagonal(first), diagonal(first)), b);
    const own = (m: Matrix): Matrix => block(m, 0, 2, 0, 2);
    const R = solve(addDiagonal(affine(Q, own(K)), T), one(2));
    const tau = innerProduct(own(K), R) / N;
    const C = posterior.state.kernels[1]!;
    const V = solve(addDiagonal(affine(1 / (1 + tau), C), T), targets);
    const v = [...V.data];
    const A = combine(1 / (2 * N * (1 + tau)), outer(v, v), -Q / (2 * N), R);
    const near = { absolute: 1e-8 };
    expectClose(affine(g, averagesAt(erf, own(first), A, g).secondMoment, b), C, near, "C");
    expectClose(Q, (1 + innerProduct(V, multiply(C, V)) / (N * (1 + tau))) / (1 + tau), near, "Q");
    expectClose(posterior.diagnostics["tau"] as number, tau, near, "τ");
    expectClose(posterior.state.conjugates[0]!, A, near, "A");
    expectClose(affine(g, posterior.hiddenKernels![0]!, b), C, near, "hidden kernel");
    const change = frobenius(combine(1, C, -1, own(K))) / frobenius(own(K));
    expectClose(posterior.diagnostics["adaptation"] as number[], [0, change], near, "adaptation");
    expectClose(posterior.train!.mean, affine(1 / (1 + tau), multiply(C, V)), near, "train mean");
    const scaled = affine(Q, K);
    expectClose(posterior.train!.variance.data, diagonal(trainRegression(own(scaled), targets.data, T).covariance), near, "train variance");
    const { mean, variance, warnings } = await predict(tests);
    expect(warnings).toBeUndefined();
    expectClose(variance.data, diagonal(regression(scaled, targets.data, T).covariance), near, "variance");
    for (const t of [0, 1, 2]) {
      const three = firstCovariance([...rowsOf(inputs), points[2 + t]!], [...rowsOf(inputs), points[2 + t]!], 1.4, 0.2);
      const row = affine(g, averagesAt(erf, three, padded(A, 3), g).secondMoment, b).data.subarray(6, 8);
      expectClose(mean.data[t]!, (row[0]! * v[0]! + row[1]! * v[1]!) / (1 + tau), { absolute: 1e-6 }, "mean");
    }
    expect(posterior.warnings.join()).toContain("variances are those of the renormalised infinite-width kernel");
  });
});

it("the stated quadrature error is that of three other scrambles, made afresh", async () => {
  const input = problem({
    network: { type: "fully-connected", widths: [40, 25], activation: "erf", weightVariance: [1.2, 0.8, 1.5], biasVariance: 0.1 },
  });
  const { posterior } = await fitted(input, { nodes: 7 });
  const setting = settingOf(createProblem(input, registry), registry);
  const kernels = posterior.state.kernels.slice(1);
  const changes = [1, 2, 3].map((i) => {
    const closure = quadratureClosure(erf, quasiRandomNodes(4, 7, posterior.state.seed + i));
    const swept = sweepOnce(
      { ...setting, firstKernel: setting.infiniteWidth[0]!, infiniteWidth: setting.infiniteWidth.slice(1), closure },
      kernels,
    );
    const size = (m: Matrix): number => Math.hypot(...m.data);
    return Math.max(...swept.map((kernel, l) => size(combine(1, kernel, -1, kernels[l]!)) / size(kernels[l]!)));
  });
  const expected = Math.sqrt(changes.reduce((sum, change) => sum + change ** 2, 0) / 6);
  expectClose(posterior.diagnostics["quadratureError"] as number, expected, { relative: 1e-6 });
  expect(posterior.warnings.some((text) => text.includes(`quadrature error of ${(100 * expected).toPrecision(2)} %`))).toBe(
    expected > 0.01,
  );
});

it("the leading evidence, the force and the training error of a solution from its kernels alone", async () => {
  const targets = draw(2, 3, 52);
  const network = {
    type: "fully-connected",
    widths: [30, 20],
    activation: "erf",
    weightVariance: [1.4, 0.8, 1.7],
    biasVariance: [0.2, 0.3, 0.15],
  };
  for (const temperature of [0.1, 20]) {
    const { posterior } = await fitted({ network, inputs: draw(2, 3, 51), targets, temperature });
    const { kernels, conjugates } = posterior.state;
    const readout = kernels[2]!;
    const [g, b, N] = [[0.8, 1.7], [0.3, 0.15], [30, 20]]; // prettier-ignore
    const rate = [0, 1].reduce((sum, l) => {
      const { cumulant } = averagesAt(erf, kernels[l]!, conjugates[l]!, g[l]!);
      return sum + N[l]! * (innerProduct(conjugates[l]!, affine(1, kernels[l + 1]!, -b[l]!)) - cumulant!);
    }, 0);
    const a = addDiagonal(readout, temperature);
    const columns = [0, 1, 2].map((d) => rowsOf(targets).map((row) => row[d]!));
    const solved = columns.map((y) => [...solve(a, column(y)).data]);
    const quadratic = columns.reduce((sum, y, d) => sum + y.reduce((s, value, p) => s + value * solved[d]![p]!, 0), 0);
    const data = -0.5 * (quadratic + 3 * logDeterminant(a) + 6 * Math.log(2 * Math.PI));
    const near = { relative: 1e-7, absolute: 1e-8 };
    expectClose([posterior.diagnostics["rate"] as number, posterior.diagnostics["logDataTerm"] as number], [rate, data], near);
    expectClose(posterior.logEvidence!, data - rate, near);
    expect(posterior.evidenceIsLeadingOrder).toBe(true);
    const { sweeps, residual } = posterior.diagnostics as Record<string, number>;
    expect(posterior.solver).toEqual({ converged: true, iterations: sweeps, residual, jitter: 0 });
    const wide = settingOf(posterior.problem, registry).infiniteWidth;
    expect(posterior.figures).toEqual(forwardBackwardFigures(kernels, wide, targets));
    expect(posterior.diagnostics["alignment"]).toEqual(alignmentByLayer(kernels, wide, targets));
    expect(posterior.diagnostics["adaptation"]).toEqual(adaptationByLayer(kernels, wide));
    const own = columns.map((y) => trainRegression(readout, y, temperature));
    const missed = own.reduce(
      (sum, { mean, covariance }, d) => sum + diagonal(covariance).reduce((s, v, p) => s + v + (mean.data[p]! - columns[d]![p]!) ** 2, 0),
      0,
    );
    expectClose(posterior.diagnostics["discrepancySquared"] as number, missed, near);
    rowsOf(posterior.train!.mean).forEach((row, p) =>
      expectClose(
        row,
        own.map(({ mean }) => mean.data[p]!),
        near,
      ),
    );
    rowsOf(posterior.train!.variance).forEach((row, p) =>
      expectClose(
        row,
        own.map(({ covariance }) => covariance.data[3 * p]!),
        near,
      ),
    );
    // λ_max of C(VVᵀ − DR), two points: from trace and determinant
    const pull = multiply(
      readout,
      combine(
        1,
        solved.map((s) => outer(s, s)).reduce((sum, m) => combine(1, sum, 1, m)),
        -3,
        solve(a, one(2)),
      ),
    );
    const [trace, determinant] = [pull.data[0]! + pull.data[3]!, pull.data[0]! * pull.data[3]! - pull.data[1]! * pull.data[2]!];
    expectClose(posterior.diagnostics["forceNumber"] as number, 0.5 * trace + Math.sqrt(0.25 * trace ** 2 - determinant), {
      relative: 1e-6,
    });
  }
});

it("alignment is the cosine of the two matrices, of two outputs too, centred on both sides; figures draw it by layer", () => {
  const targets = matrixFromRows([
    [1, 0.4],
    [-2, 1.1],
    [0.5, -0.7],
    [0.3, 2],
  ]);
  const kernelOf = (seed: number): Matrix => gram({ data: draw(4, 3, 60 + seed).data, shape: [4, 3] });
  const h = matrixFromRows(Array.from({ length: 4 }, (_, i) => Array.from({ length: 4 }, (__, j) => (i === j ? 0.75 : -0.25))));
  const cosine = (kernel: Matrix, centred: boolean): number => {
    const [a, b] = [kernel, multiplyTransposedRight(targets, targets)].map((m) => (centred ? multiply(h, multiply(m, h)) : m)) as [
      Matrix,
      Matrix,
    ];
    return innerProduct(a, b) / Math.sqrt(innerProduct(a, a) * innerProduct(b, b));
  };
  const [adapted, wide] = [[1, 2, 3].map(kernelOf), [1, 4, 5].map(kernelOf)];
  for (const centred of [true, false]) expect(kernelAlignment(adapted[1]!, targets, centred)).toBeCloseTo(cosine(adapted[1]!, centred), 12);
  const of = (list: Matrix[], centred: boolean): number[] => list.map((kernel) => cosine(kernel, centred));
  const found = alignmentByLayer(adapted, wide, targets) as Record<string, number[]>;
  expectNear(found["centred"]!, of(adapted, true), 1e-12, "centred");
  expectNear(found["centredInfiniteWidth"]!, of(wide, true), 1e-12, "centred, infinite width");
  expectNear(found["uncentred"]!, of(adapted, false), 1e-12, "uncentred");
  expectNear(found["uncentredInfiniteWidth"]!, of(wide, false), 1e-12, "uncentred, infinite width");
  expectNear(
    adaptationByLayer(adapted, wide),
    adapted.map((kernel, l) => frobenius(combine(1, kernel, -1, wide[l]!)) / frobenius(wide[l]!)),
    1e-12,
    "adaptation",
  );
  type Panels = { title: string; panels: { label: string; values: Matrix; diverging?: boolean }[] };
  type Curves = { series: { label: string; x: Float64Array; y: Float64Array }[] };
  const figures = forwardBackwardFigures(adapted, wide, targets) as unknown as [Panels, Panels, Curves];
  expect(figures.map((figure) => "title" in figure && figure.title)).toEqual([
    "Kernel of layer 2",
    "Kernel of layer 3",
    "Alignment of the kernels with the targets",
  ]);
  for (const l of [1, 2]) {
    const { panels } = figures[l - 1] as Panels;
    expect(panels.map(({ label, diverging }) => [label, diverging])).toEqual([["infinite width", undefined], ["adapted", undefined], ["difference", true]]); // prettier-ignore
    expect(panels.slice(0, 2).map(({ values }) => values)).toEqual([wide[l], adapted[l]]);
    expectNear(panels[2]!.values, combine(1, adapted[l]!, -1, wide[l]!), 1e-14, "difference");
  }
  expect(figures[2].series.map(({ label, x }) => [label, ...x])).toEqual([["adapted", 1, 2, 3], ["infinite width", 1, 2, 3]]); // prettier-ignore
  expectNear(figures[2].series[0]!.y, of(adapted, true), 1e-12, "curve");
  expectNear(figures[2].series[1]!.y, of(wide, true), 1e-12, "curve of infinite width");
  // two points: nothing is left of a centred matrix but its sign
  const pair = (m: Matrix): Matrix => block(m, 0, 2, 0, 2);
  const two = forwardBackwardFigures(adapted.map(pair), wide.map(pair), block(targets, 0, 2, 0, 2)).at(-1) as unknown as Curves;
  expect(two.series[0]!.y[0]).toBeCloseTo(kernelAlignment(pair(adapted[0]!), block(targets, 0, 2, 0, 2), false)!, 12);
});
