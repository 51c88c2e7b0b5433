import { colourOf } from "@finitewidth/plots";
import { describe, expect, it } from "vitest";
import type { Solved } from "../src/compute/messages.js";
import { linearTicks, three, titleOf } from "../src/view/format.js";
import { kernelPair, orderParameterPicture, predictionPicture, sweepPicture } from "../src/view/pictures.js";

const none: ReadonlySet<string> = new Set();
const ok = (method: string, more: Partial<Solved> = {}): Solved => ({ method, status: "ok", milliseconds: 1, ...more });
const byMethod = (...list: Solved[]) => new Map(list.map((one) => [one.method, one]));
const matrix = (size: number, value = 0) => ({ data: new Float64Array(size * size).fill(value), shape: [size, size] as const });

describe("the order parameter", () => {
  const densities = {
    kind: "density" as const,
    name: "n",
    label: "mixing variable q",
    logX: true,
    series: [
      { label: "prior", x: [1, 2], y: [3, 4] },
      { label: "posterior", x: [5, 6], y: [7, 8] },
    ],
    marks: [{ label: "mean", x: 1.23456 }],
  };
  const action = ok("effective-action", { orderParameter: [1.5, 2.25, 3] });

  it("is the density of exact theories before and after the data, the prior in grey and dashed", () => {
    const spec = orderParameterPicture(ok("exact", { densities } as never), action, 2, none)!;
    expect(spec.layers).toEqual([
      { label: "prior", colour: "var(--soft)", x: [1, 2], y: [3, 4], kind: "area", dashed: true },
      { label: "posterior", colour: colourOf("exact"), x: [5, 6], y: [7, 8], kind: "area" },
    ]);
    expect(spec).toMatchObject({ xLabel: "mixing variable q", yLabel: "density", bare: false, logX: true, marks: densities.marks });
    expect(spec.summary).toContain("mean at 1.23");
    expect(
      orderParameterPicture(ok("exact", { densities: { ...densities, logX: false } } as never), undefined, 2, none),
    ).not.toHaveProperty("logX");
  });

  it("is that of the effective action by layer, else by component, against one at infinite width", () => {
    const spec = orderParameterPicture(ok("exact"), action, 3, none)!;
    expect(spec).toMatchObject({ xLabel: "layer", whole: true, xDomain: [0.5, 3.5] });
    expect(spec.layers.map(({ x, y, colour, kind }) => [x, y, colour, kind])).toEqual([
      [[0.5, 3.5], [1, 1], colourOf("nngp"), "line"],
      [[1, 2, 3], [1.5, 2.25, 3], colourOf("effective-action"), "line"],
      [[1, 2, 3], [1.5, 2.25, 3], colourOf("effective-action"), "points"],
    ]);
    expect(spec.layers.map(({ dashed, faint }) => [dashed, faint])).toEqual([
      [true, undefined],
      [undefined, true],
      [undefined, undefined],
    ]);
    expect(spec.summary).toContain("1.5, 2.25, 3");
    expect(orderParameterPicture(undefined, action, 2, none)!.xLabel).toBe("component");
    expect(orderParameterPicture(undefined, action, 3, new Set(["effective-action"]))).toBeUndefined();
    expect(orderParameterPicture(undefined, undefined, 3, none)).toBeUndefined();
  });
});

describe("predictions", () => {
  const curve = { train: { inputs: [[0.5], [1.5]], targets: [[-3], [2]] }, test: { inputs: [[-1], [0], [1]] } };
  const drawn = {
    priorFunctions: Array.from({ length: 10 }, (_, i) => Float64Array.of(i, i, i)),
    posteriorFunctions: [Float64Array.of(20, 21, 22)],
  };
  const one = (method: string, shift: number) =>
    ok(method, { mean: Float64Array.of(1, 2, 3).map((value) => value + shift), variance: Float64Array.of(4, 9, -1e-20) });

  it("over a line are curves with bands of one standard deviation, over networks of prior and posterior, under the data", () => {
    const failed: Solved = { ...one("exact", 0), status: "failed" };
    const solved = byMethod(one("nngp", 0), failed, ok("perturbative"), one("effective-action", 10));
    const spec = predictionPicture(solved, drawn, curve, none)!;
    expect(spec).toMatchObject({ xLabel: "x", yDomain: [-6.6000000000000005, 6.6000000000000005] });
    expect(spec.layers.slice(0, 8).map(({ y, colour, faint }) => [y[0], colour, faint])).toEqual(
      Array.from({ length: 8 }, (_, i) => [i, "var(--soft)", true]),
    );
    expect(
      spec.layers
        .slice(8)
        .map(({ label, colour, x, y, spread, kind }) => [label, colour, x, Array.from(y), spread && Array.from(spread), kind]),
    ).toEqual([
      ["a network of the posterior", colourOf("monte-carlo"), [-1, 0, 1], [20, 21, 22], undefined, "line"],
      ["infinite width", colourOf("nngp"), [-1, 0, 1], [1, 2, 3], [2, 3, 0], "line"],
      ["effective action", colourOf("effective-action"), [-1, 0, 1], [11, 12, 13], [2, 3, 0], "line"],
      ["data", "var(--ink)", [0.5, 1.5], [-3, 2], undefined, "points"],
    ]);
    const fewer = predictionPicture(solved, drawn, curve, new Set(["nngp", "monte-carlo"]))!;
    expect(fewer.layers.slice(8).map(({ label }) => label)).toEqual(["effective action", "data"]);
    expect(predictionPicture(byMethod(failed, ok("perturbative")), drawn, curve, none)).toBeUndefined();
    expect(predictionPicture(solved, drawn, { train: curve.train }, none)).toBeUndefined();
  });

  it("of several inputs and outputs are 24 points at most, of the first output, the methods side by side", () => {
    const count = 50;
    const rows = {
      train: { inputs: [[1, 2]], targets: [[1, 0]] },
      test: { inputs: Array.from({ length: count }, (_, i) => [i, i]), targets: Array.from({ length: count }, (_, i) => [i / 2, -7]) },
    };
    const of = (method: string, scale: number) =>
      ok(method, {
        mean: Float64Array.from({ length: 2 * count }, (_, k) => (k % 2 === 0 ? (scale * k) / 2 : -99)),
        variance: Float64Array.from({ length: 2 * count }, (_, k) => (k % 2 === 0 ? k ** 2 : -99)),
      });
    const spec = predictionPicture(byMethod(of("nngp", 1), of("exact", 3)), drawn, rows, none)!;
    // every third point
    const at = Array.from({ length: 17 }, (_, k) => 3 * k);
    expect(spec).toMatchObject({ bare: true, xDomain: [-0.7, 16.7] });
    expect(spec.layers[0]).toMatchObject({ kind: "ticks", x: at.map((_, k) => k), y: at.map((i) => i / 2) });
    spec.layers.slice(1).forEach((layer, m) => {
      expect(Array.from(layer.x)).toEqual(at.map((_, k) => k + (m === 0 ? -0.11 : 0.11)));
      expect(Array.from(layer.y)).toEqual(at.map((i) => (m === 0 ? 1 : 3) * i));
      expect(Array.from(layer.spread!)).toEqual(at.map((i) => 2 * i));
    });
    expect(spec.layers.slice(1).map(({ colour, kind }) => [colour, kind])).toEqual([
      [colourOf("nngp"), "points"],
      [colourOf("exact"), "points"],
    ]);
    const { targets: _, ...unlabelled } = rows.test;
    expect(predictionPicture(byMethod(of("nngp", 1)), drawn, { ...rows, test: unlabelled }, none)!.layers.map(({ kind }) => kind)).toEqual([
      "points",
    ]);
  });
});

describe("against the width of the touched layer", () => {
  const width = (total: number, logEvidence: number) => ok("m", { error: { bias: 0, variance: 0, total }, logEvidence });
  const sweep = new Map([
    [
      "exact",
      new Map([
        [5, width(0.3, -3)],
        [2, width(0.5, -5)],
        [12, ok("m")],
      ]),
    ],
    [
      "nngp",
      new Map([
        [2, width(0.25, -1)],
        [5, width(0.25, -1)],
      ]),
    ],
  ]);
  const sampled = new Map([
    [12, { runs: 4, mean: 0.7, error: 0.1 }],
    [3, { runs: 1, mean: 0.9, error: Number.NaN }],
  ]);
  const labelled = { train: { inputs: [[1]], targets: [[1]] }, test: { inputs: [[1]], targets: [[1]] } };

  it("is the generalisation error of theories and of sampled networks with their standard errors", () => {
    const spec = sweepPicture(sweep, sampled, 2, 17, labelled, none);
    expect(spec).toMatchObject({
      xLabel: "width of layer 2",
      yLabel: "generalisation error: bias² + variance",
      logX: true,
      xDomain: [2, 500],
    });
    expect(spec.layers).toEqual([
      { label: "exact", colour: colourOf("exact"), x: [2, 5, 12], y: [0.5, 0.3, Number.NaN], kind: "line" },
      { label: "infinite width", colour: colourOf("nngp"), x: [2, 5], y: [0.25, 0.25], kind: "line", dashed: true },
      { label: "Monte Carlo", colour: colourOf("monte-carlo"), x: [12, 3], y: [0.7, 0.9], spread: [0.1, 0], kind: "points" },
    ]);
    expect(spec.marks).toEqual([{ x: 17, label: "now" }]);
    expect(spec.summary).toBe(
      "Generalisation error against the width of layer 2; it is 17 now. Sampled at width 12: 0.7 ± 0.1 from 4 runs; Sampled at width 3: 0.9 ± 0 from 1 runs",
    );
    expect([1, 2, 500, 501].map((now) => sweepPicture(sweep, sampled, 2, now, labelled, none).marks?.length)).toEqual([
      undefined,
      1,
      1,
      undefined,
    ]);
    expect(sweepPicture(sweep, sampled, 2, 17, labelled, new Set(["exact", "monte-carlo"])).layers.map(({ label }) => label)).toEqual([
      "infinite width",
    ]);
  });

  it("is the log evidence where the truth is not known", () => {
    const spec = sweepPicture(sweep, sampled, 1, 17, { ...labelled, test: { inputs: [[1]] } }, none);
    expect([spec.yLabel, spec.summary.slice(0, 12)]).toEqual(["log evidence", "Log evidence"]);
    expect(spec.layers.map(({ label, y }) => [label, y])).toEqual([
      ["exact", [-5, -3, Number.NaN]],
      ["infinite width", [-1, -1]],
    ]);
  });
});

describe("kernels", () => {
  it("are those of the touched layer, learned by the best theory that knows it", () => {
    const nngp = ok("nngp", { layer: 2, kernel: matrix(3, 1), isInfinite: true });
    const of = (method: string, value: number, layer = 2, size = 3) => ok(method, { layer, kernel: matrix(size, value) });
    const all = [of("effective-action", 5), of("perturbative", 4), of("forward-backward", 3), of("exact", 2), nngp];
    ["exact", "forward-backward", "perturbative", "effective-action"].forEach((by, i) =>
      expect(kernelPair(byMethod(...all.slice(0, 4 - i), nngp), 2)).toEqual({ before: matrix(3, 1), after: matrix(3, i + 2), by }),
    );
    expect(kernelPair(byMethod(nngp, of("exact", 2, 1), of("perturbative", 4)), 2)).toMatchObject({ by: "perturbative" });
    expect(kernelPair(byMethod(nngp, of("exact", 2, 2, 4)), 2)).toEqual({ before: matrix(3, 1), after: matrix(3, 1) });
    const other = ok("other", { layer: 2, kernel: matrix(3, 1), isInfinite: true });
    expect(kernelPair(byMethod(other, of("exact", 2)), 2)).toEqual({ before: matrix(3, 1), after: matrix(3, 2), by: "exact" });
    expect(kernelPair(byMethod(of("exact", 2)), 2)).toBeUndefined();
    expect(kernelPair(byMethod(nngp, of("exact", 2, 1)), 1)).toBeUndefined();
  });
});

it("numbers have three digits, ticks are round", () => {
  expect([1234.5, 0.00123456, -2.5].map(three)).toEqual(["1230", "0.00123", "−2.5"]);
  expect(linearTicks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(linearTicks(-0.35, 0.7).map(three)).toEqual(["0", "0.5"]);
  expect(linearTicks(-7, 13, 2)).toEqual([0, 10]);
  expect(linearTicks(3, 3)).toEqual([3]);
  expect(titleOf("large-deviation")).toBe("large deviation");
  expect(titleOf("mine")).toBe("mine");
});
