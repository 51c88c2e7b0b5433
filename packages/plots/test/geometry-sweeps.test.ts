import { describe, expect, it } from "vitest";
import { parallelCoordinates, reportColours, robustRange, sequential, spansDecade, sweepPanel, sweepPlane } from "../src/index.js";
import { document, number, dots } from "./geometry-marks.js";

describe("sweeps", () => {
  const point = (x: number, y: number, more = {}) => ({ x, y, error: 0, label: "a", tip: `${x}: ${y}`, ...more });

  it("use a logarithmic axis over a decade, hollow points for warnings, and triangles beyond a robust scale", () => {
    const points = [
      point(10, 1),
      point(100, 2, { warned: true }),
      point(1000, 1.5, { error: 0.1 }),
      ...[1, 2, 3, 4, 5, 6, 7].map((k) => point(10 + k, 1.2)),
      point(500, 1e6),
    ];
    const element = sweepPanel({ title: "error", xLabel: "N", points, labels: ["a"] }, document, { colours: () => "red" });
    const found = dots(element);
    const at = (x: number) => found.find(({ tip }) => tip.startsWith(`${x}:`))!;
    expect(at(100).x - at(10).x).toBeCloseTo(at(1000).x - at(100).x, 6);
    expect(at(100).y).toBeLessThan(at(1000).y);
    expect(at(10).y - at(100).y).toBeGreaterThan(60);
    expect(at(500)).toBeUndefined();
    expect([...element.querySelectorAll("path title")].map((node) => node.textContent)).toEqual(["500: 1000000"]);
    const circles = [...element.querySelectorAll("circle")];
    expect(circles.filter((circle) => circle.getAttribute("fill") === "red").length).toBe(points.length - 2);
  });

  it("show bars whole, as long above as below, unless one would flatten the values", () => {
    const bar = (errors: readonly [number, number, number]) => {
      const points = [point(1, 3, { error: errors[0] }), point(2, 2, { error: errors[1] }), point(3, 1, { error: errors[2] })];
      const element = sweepPanel({ title: "error", xLabel: "N", points, labels: ["a"] }, document);
      const rules = [...element.querySelectorAll('[aria-label="rule"] line')];
      return dots(element).map(({ y }, k) => ({ y, above: y - number(rules[k]!, "y2"), below: number(rules[k]!, "y1") - y }));
    };
    for (const { above, below } of bar([0.5, 0.7, 0.2])) {
      expect(above).toBeGreaterThan(5);
      expect(Math.abs(above - below)).toBeLessThan(0.1);
    }
    const [first, , last] = bar([100, 0.7, 0.2]);
    expect(last!.y - first!.y).toBeGreaterThan(60);
    expect(last!.above).toBeGreaterThan(5);
  });

  it("triangles point to where the values are, from the edges of the scale", () => {
    const points = [...Array.from({ length: 12 }, (_, k) => point(k, 1 + 0.1 * (k % 3))), point(3.5, 1e6), point(7.5, -1e6)];
    const element = sweepPanel({ title: "error", xLabel: "N", points, labels: ["a"] }, document);
    const heights = dots(element).map(({ y }) => y);
    const triangle = (tip: string) => {
      const node = [...element.querySelectorAll("path")].find((path) => path.querySelector("title")?.textContent === tip)!;
      const [, y] = /translate\([^,]*,([^)]*)\)/.exec(node.getAttribute("transform")!)!;
      return { y: Number(y), turned: node.getAttribute("transform")!.includes("rotate(180)") };
    };
    const [above, below] = [triangle("3.5: 1000000"), triangle("7.5: -1000000")];
    expect([above.turned, below.turned]).toEqual([false, true]);
    expect(above.y).toBeLessThan(Math.min(...heights));
    expect(below.y).toBeGreaterThan(Math.max(...heights));
  });

  it("name positions that are no numbers", () => {
    const element = sweepPanel(
      { title: "error", xLabel: "activation", points: [point(0, 1), point(1, 2)], categories: ["erf", "relu"], labels: ["a"] },
      document,
    );
    expect([...element.querySelectorAll('[aria-label="x-axis tick label"] text')].map((node) => node.textContent)).toEqual(["erf", "relu"]);
  });

  it("planes have the first key along x, the second upwards, and a frame around the best", () => {
    const plane = {
      title: "t",
      xLabel: "N",
      yLabel: "T",
      xs: ["10", "20", "30"],
      ys: ["0.1", "1"],
      values: [
        [0, 1],
        [2, 3],
        [4, null],
      ],
      best: [1, 1] as const,
    };
    const element = sweepPlane(plane, document, sequential);
    const cells = [...element.querySelectorAll('[aria-label="cell"] rect')];
    const at = (tip: string) => cells.find((cell) => cell.querySelector("title")?.textContent === tip)!;
    expect(number(at("N 10, T 0.1: 0"), "x")).toBeLessThan(number(at("N 20, T 0.1: 2"), "x"));
    expect(number(at("N 10, T 1: 1"), "y")).toBeLessThan(number(at("N 10, T 0.1: 0"), "y"));
    expect(at("N 30, T 1: none")).toBeDefined();
    const frame = cells.at(-1)!;
    expect([number(frame, "x"), number(frame, "y")]).toEqual([number(at("N 20, T 1: 3"), "x"), number(at("N 20, T 1: 3"), "y")]);
  });

  it("parallel axes put larger values higher", () => {
    const element = parallelCoordinates(
      [
        { name: "N", values: [1, 2] },
        { name: "error", values: [5, 3] },
      ],
      document,
      sequential,
      { best: 1 },
    );
    const tips = dots(element);
    expect(tips.map(({ tip }) => tip)).toEqual(["N: 1\nerror: 5", "N: 2\nerror: 3"]);
    expect(tips[0]!.y).toBeLessThan(tips[1]!.y);
    const red = [...element.querySelectorAll("path")].filter(
      (path) => path.getAttribute("stroke") === "#d6204e" || path.parentElement?.getAttribute("stroke") === "#d6204e",
    );
    expect(red).toHaveLength(1);
  });

  it("robust ranges keep the middle and leave the far away out", () => {
    expect(robustRange([1, 2, 3, 4, 5])).toEqual([1, 5]);
    const [low, high] = robustRange([...Array.from({ length: 20 }, (_, i) => i), 1e9]);
    expect(low).toBe(0);
    expect(high).toBeLessThan(60);
    expect(robustRange([2, 2])[0]).toBeLessThan(2);
    expect([spansDecade([1, 10]), spansDecade([1, 9]), spansDecade([0, 10])]).toEqual([true, false, false]);
  });
});

describe("colours", () => {
  it("mean one thing in a report: a label keeps its hue, no two share one while there are free ones", () => {
    const colour = reportColours([
      { label: "exact", method: "exact" },
      { label: "again", method: "exact" },
      { label: "nngp", method: "nngp" },
      { label: "other", method: "plug-in" },
    ]);
    const given = ["exact", "again", "nngp", "other"].map(colour);
    expect(new Set(given).size).toBe(4);
    expect(given[0]).toContain("--hue-blue");
  });
});

describe("planes of a sweep", () => {
  const values = [[-0.882], [-0.512], [-0.266], [-0.163], [-0.221], [-0.408], [-0.633]];
  const plane = { title: "t", xLabel: "N", yLabel: "T", xs: values.map((_, i) => String(i)), ys: ["1"], values };
  const grey = (t: number) => [255 * t, 255 * t, 255 * t].map(Math.round) as unknown as readonly [number, number, number];
  const texts = (width: number, own = values): (string | null)[] =>
    [...sweepPlane({ ...plane, values: own }, document, grey, { width }).querySelectorAll('[aria-label="text"] text')].map(
      (one) => one.textContent,
    );

  it("write as many digits as cells have room for, and none where they would run into each other", () => {
    expect(texts(540)).toEqual(values.map(([value]) => String(value).replace("-", "−")));
    expect(texts(350)).toEqual(["−0.88", "−0.51", "−0.27", "−0.16", "−0.22", "−0.41", "−0.63"]);
    expect(texts(200)).toEqual([]);
    expect(texts(350, [[-36.52], ...values.slice(1)]).slice(0, 2)).toEqual(["−36.5", "−0.51"]);
  });

  it("share the scale of their colours with others", () => {
    const fills = (scaled?: number[]): (string | null)[] =>
      [...sweepPlane({ ...plane, ...(scaled ? { scaled } : {}) }, document, grey).querySelectorAll('[aria-label="cell"] rect')].map((one) =>
        one.getAttribute("fill"),
      );
    expect(fills()[0]).toBe("rgb(0,0,0)");
    // half-way up a scale that reaches as far again below
    expect(fills([-1.601, -0.882, -0.163])[0]).toBe("rgb(128,128,128)");
  });

  it("leave no room beyond what there can be", () => {
    const points = [1, 2, 3].map((x) => ({ x, y: 1, error: 0, label: "a", tip: "" }));
    const top = (bounds?: readonly [number, number]): number => {
      const element = sweepPanel({ title: "accuracy", xLabel: "N", points, labels: ["a"], ...(bounds ? { bounds } : {}) }, document);
      return Math.max(...[...element.querySelectorAll('[aria-label="y-axis tick label"] text')].map((one) => Number(one.textContent)));
    };
    expect(top()).toBeGreaterThan(1.2);
    expect(top([0, 1])).toBe(1);
  });
});
