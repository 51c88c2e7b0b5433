import { diverging, sequential } from "@finitewidth/plots";
import { expect, it } from "vitest";
import type { ChartSpec } from "../src/view/chart.js";
import "./page.js";
import { rendered, type Read } from "./template.js";

const { Chart } = await import("../src/view/chart.js");
const { MatrixMap } = await import("../src/view/matrix-map.js");
const { ReceptiveFields } = await import("../src/view/receptive-fields.js");

const chart = (spec: Partial<ChartSpec>): Read =>
  rendered(Object.assign(new Chart(), { spec: { summary: "s", xLabel: "the x", yLabel: "the y", layers: [], ...spec } }));
/** The frame of a chart of 420 by 328 pixels: x from 46 to 408, y from 288 up to 22. */
const px = (t: number): string => (46 + 362 * t).toFixed(1);
const py = (t: number): string => (288 - 266 * t).toFixed(1);
const at = (t: number, u: number): string => `${px(t)},${py(u)}`;
const base = { label: "l", colour: "red" };
const domain = { xDomain: [0, 10], yDomain: [-1, 1] } as const;

it("a line runs through its points with its band around it, from the left below to the right above", () => {
  const layers = [{ ...base, kind: "line" as const, x: [0, 5, 10], y: [-1, 0, 1], spread: [0.5, 0, 0.25], dashed: true }];
  const read = chart({ ...domain, layers });
  const [band, curve] = read.elements("path");
  expect(curve).toMatchObject({ class: "curve", stroke: "red", "stroke-dasharray": "5 4", d: `M${at(0, 0)}L${at(0.5, 0.5)}L${at(1, 1)}` });
  expect(band).toMatchObject({
    class: "band",
    fill: "red",
    d: `M${at(0, 0.25)}L${at(0.5, 0.5)}L${at(1, 1.125)}L${at(1, 0.875)}L${at(0.5, 0.5)}L${at(0, -0.25)}Z`,
  });
  expect(read.elements("title")).toEqual([{ text: "l" }]);
  const bare = chart({ ...domain, layers: [{ ...layers[0]!, dashed: false, faint: true }] });
  expect(bare.elements("path")[1]).toMatchObject({ class: "curve faint", "stroke-dasharray": "none" });
  expect(read.elements("svg")[0]).toMatchObject({ "aria-label": "s", viewBox: "0 0 420 328" });
  expect(read.elements("rect")[0]).toEqual({ x: "46", y: "22", width: "362", height: "266", text: "" });
});

it("an area goes down to the axis, points have bars of their spread, targets are short lines", () => {
  const points = { ...base, x: [0, 5, 10], y: [0, 0.5, Number.NaN], spread: [0.5, 0, 1] };
  const area = chart({ ...domain, layers: [{ ...base, kind: "area", x: [0, 5], y: [0, 0.5] }] });
  expect(area.elements("path")[0]).toMatchObject({ class: "band", d: `M${at(0, 0.5)}L${at(0.5, 0.75)}V288H${px(0)}Z` });
  const read = chart({ ...domain, layers: [{ ...points, kind: "points" }] });
  expect(read.elements("path")).toEqual([{ class: "bar", stroke: "red", d: `M${px(0)},${py(0.25)}V${py(0.75)}`, text: "" }]);
  expect(read.elements("circle").map(({ cx, cy, r }) => [cx, cy, r])).toEqual([
    [px(0), py(0.5), "3.4"],
    [px(0.5), py(0.75), "3.4"],
  ]);
  expect(read.elements("title").map(({ text }) => text)).toEqual(["l: 0 ± 0.5", "l: 0.5"]);
  expect(chart({ ...domain, layers: [{ ...points, kind: "points", faint: true }] }).elements("circle")[0]!.r).toBe("2");
  const ticks = chart({ ...domain, layers: [{ ...base, kind: "ticks", x: [0, 5], y: [0, 0.5] }] });
  expect(ticks.elements("path")[1]).toMatchObject({
    class: "target",
    stroke: "red",
    d: `M${(46 - 5).toFixed(1)},${py(0.5)}h10M${(227 - 5).toFixed(1)},${py(0.75)}h10`,
  });
});

it("logarithmic axes have equal steps for equal ratios and leave out what has no logarithm", () => {
  const layers = [{ ...base, kind: "line" as const, x: [0, 1, 10, 100], y: [5, 1, 100, -1] }];
  const read = chart({ logX: true, logY: true, layers, xDomain: [1, 100], yDomain: [0.1, 1000] });
  expect(read.elements("path")[0]!.d).toBe(`M${at(0, 0.25)}L${at(0.5, 0.75)}`);
  expect(
    read
      .elements("text")
      .filter((one) => one["text-anchor"] === "middle")
      .map(({ x, text }) => [Number(x), text]),
  ).toEqual([
    [46, "1"],
    [227, "10"],
    [408, "100"],
  ]);
  // bars that reach below zero end within the picture
  const bars = chart({
    logY: true,
    xDomain: [0, 1],
    yDomain: [1e-3, 1],
    layers: [{ ...base, kind: "points", x: [0], y: [1], spread: [2] }],
  });
  expect(bars.elements("path")[0]!.d).toMatch(new RegExp(`^M46\\.0,${py(0)}V`));
});

it("ranges follow the data and their bands, six hundredths wider above and below", () => {
  const tick = (spec: Partial<ChartSpec>): (string | undefined)[] =>
    chart(spec)
      .elements("circle")
      .flatMap(({ cx, cy }) => [cx, cy]);
  const points = { ...base, kind: "points" as const, x: [2, 4], y: [1, 3], spread: [0, 1] };
  expect(tick({ layers: [points] })).toEqual([px(0), py(0.18 / 3.36), px(1), py(2.18 / 3.36)]);
  expect(tick({ layers: [{ ...points, x: [7], y: [4], spread: [0] }] })).toEqual([px(0.5), py(0.5)]);
  expect(tick({ logX: true, logY: true, layers: [{ ...points, x: [2], y: [2], spread: [0] }] })).toEqual([px(0.5), py(0.5)]);
  // without points there are axes nevertheless
  const ends = (spec: Partial<ChartSpec>): (string | undefined)[] =>
    chart(spec)
      .elements("text")
      .filter((one) => one.class === "tick")
      .map(({ text }) => text);
  expect(ends({})).toEqual(["0", "0.2", "0.4", "0.6", "0.8", "1", "0", "0.2", "0.4", "0.6", "0.8", "1"]);
  expect(ends({ logX: true, logY: true })).toEqual(expect.arrayContaining(["0.1", "1"]));
});

it("axes are named, their numbers stand where they are, and marks have their names inside", () => {
  const layers = [{ ...base, kind: "line" as const, x: [0, 10], y: [0, 1] }];
  const read = chart({
    ...domain,
    layers,
    marks: [
      { x: 2.5, label: "here" },
      { x: 9, label: "there" },
    ],
  });
  const texts = read.elements("text");
  const of = (name: string) => texts.filter((one) => one.class === name);
  expect(of("label").map(({ text, x, y }) => [text, x, y])).toEqual([
    ["the x", "408", "323"],
    ["the y", "2", "12"],
  ]);
  expect(
    of("tick")
      .filter((one) => one["text-anchor"] === "end")
      .map(({ text, y }) => [text, Number(y) - 4]),
  ).toEqual(["−1", "−0.5", "0", "0.5", "1"].map((text, i) => [text, 288 - 66.5 * i]));
  expect(
    of("tick")
      .filter((one) => one["text-anchor"] === "middle")
      .map(({ text, x }) => [text, Number(x)]),
  ).toEqual([0, 2, 4, 6, 8, 10].map((tick) => [String(tick), expect.closeTo(46 + 36.2 * tick, 9)]));
  expect(of("marked").map(({ text, x, y, "text-anchor": anchor }) => [text, Number(x), y, anchor])).toEqual([
    ["here", 46 + 90.5 + 5, "35", "start"],
    ["there", expect.closeTo(46 + 325.8 - 5, 9), "49", "end"],
  ]);
  expect(
    read
      .elements("line")
      .filter((one) => one.class === "mark")
      .map(({ x1, y1, y2 }) => [Number(x1), y1, y2]),
  ).toEqual([
    [136.5, "22", "288"],
    [expect.closeTo(371.8, 9), "22", "288"],
  ]);
  const bare = chart({ ...domain, layers, bare: true });
  expect(bare.elements("text").some((one) => one["text-anchor"] === "middle")).toBe(false);
  expect(bare.elements("rect")[0]!.height).toBe("286");
  const whole = chart({ xDomain: [0.5, 2.5], yDomain: [0, 1], layers, whole: true });
  expect(
    whole
      .elements("text")
      .filter((one) => one["text-anchor"] === "middle")
      .map(({ text }) => text),
  ).toEqual(["1", "2"]);
  // the label of a line stands away from the next one
  const close = [
    { x: 4, label: "posterior mean" },
    { x: 5, label: "infinite width" },
  ];
  const anchors = chart({ ...domain, layers, marks: close })
    .elements("text")
    .filter((one) => one.class === "marked");
  expect(anchors.map((one) => one["text-anchor"])).toEqual(["end", "start"]);
});

/** The pixels that a map puts on its canvas. */
function pixels(properties: Partial<InstanceType<typeof MatrixMap>>): { shape: number[]; colours: number[][] } {
  const canvas = { width: 0, height: 0, getContext: () => context };
  let image: { data: Uint8ClampedArray } | undefined;
  const context = {
    createImageData: (width: number, height: number) => ({ width, height, data: new Uint8ClampedArray(4 * width * height) }),
    putImageData: (given: typeof image) => (image = given),
    clearRect: () => (image = undefined),
  };
  const map = Object.assign(new MatrixMap(), properties, { querySelector: () => canvas });
  (map as unknown as { updated(): void }).updated();
  const bytes = [...(image?.data ?? [])];
  return {
    shape: [canvas.height, canvas.width],
    colours: Array.from({ length: bytes.length / 4 }, (_, i) => bytes.slice(4 * i, 4 * i + 4)),
  };
}

it("a matrix is a pixel an entry, row after row, between its limits; NaN is nothing", () => {
  const values = { data: Float64Array.of(-1, 0, 1, 3, Number.NaN, 9), shape: [2, 3] } as const;
  const of = (map: (t: number) => readonly number[], ...ts: number[]) => ts.map((t) => [...map(t), 255].map(Math.round));
  const plain = pixels({ values, limits: [-1, 3] });
  expect(plain.shape).toEqual([2, 3]);
  expect(plain.colours).toEqual([...of(sequential, 0, 64 / 255, 128 / 255, 1), [0, 0, 0, 0], ...of(sequential, 1)]);
  expect(pixels({ values, limits: [-3, 3], centred: true }).colours[1]).toEqual(of(diverging, 128 / 255)[0]);
  // on the way to another one
  const other = { ...values, data: Float64Array.of(3, 3, 3, 3, 3, 3) };
  expect(pixels({ values, other, mix: 0.25, limits: [-1, 3] }).colours.slice(0, 3)).toEqual(of(sequential, 64 / 255, 112 / 255, 159 / 255));
  expect(pixels({ values, other: { data: Float64Array.of(3), shape: [1, 1] }, mix: 1, limits: [-1, 3] }).colours[0]).toEqual(
    of(sequential, 0)[0],
  );
});

it("hidden units are pictures side by side, eight in a row, where inputs are images, else rows", () => {
  const [units, side] = [9, 2];
  const fields = { data: Float64Array.from({ length: units * 4 }, (_, k) => (k === 30 ? -100 : k)), shape: [units, 4] } as const;
  const read = rendered(Object.assign(new ReceptiveFields(), { fields, side }));
  const { data, shape } = read.one<typeof fields>(".values");
  expect(shape).toEqual([5, 23]);
  for (let u = 0; u < units; u++)
    for (let p = 0; p < 4; p++)
      expect(data[(3 * Math.floor(u / 8) + Math.floor(p / 2)) * 23 + 3 * (u % 8) + (p % 2)]).toBe(fields.data[4 * u + p]);
  expect(data.filter((value) => !Number.isNaN(value))).toHaveLength(36);
  expect(read.one(".limits")).toEqual([-100, 100]);
  expect(rendered(Object.assign(new ReceptiveFields(), { fields, side: 0 })).one(".values")).toBe(fields);
  expect(rendered(Object.assign(new ReceptiveFields(), { fields, side: 3 })).one(".values")).toBe(fields);
  expect(rendered(new ReceptiveFields()).text).toContain("warming up");
});
