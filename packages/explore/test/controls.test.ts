import { describe, expect, it } from "vitest";
import type { ExploreState } from "../src/index.js";
import { event, state, type Listener } from "./page.js";
import { rendered, told } from "./template.js";

const { Controls } = await import("../src/view/controls.js");
const { NetworkDrawing } = await import("../src/view/network-drawing.js");
const { CurvePad } = await import("../src/view/curve-pad.js");

describe("the controls", () => {
  const controls = (change: Partial<ExploreState> = {}) => Object.assign(new Controls(), { state: { ...state, ...change } });
  const changed = (own: InstanceType<typeof Controls>, name: string, index: number, value: string | number): unknown =>
    told(own, ["change-state"], () => (rendered(own).all(name)[index] as Listener)(event(value)))[0]![1];

  it("show the state: three sliders, one of them logarithmic, and the choices", () => {
    const read = rendered(controls());
    expect(read.elements("output").map(({ text }) => text)).toEqual(["1.5", "0", "0.1"]);
    // σ_w² from 0.1 to 4, σ_b² from 0 to 2, T from 0.001 to 1 by its logarithm
    expect(read.all(".value", /type="range"/)).toEqual([String(Math.round((1000 * 1.4) / 3.9)), "0", String(Math.round(2000 / 3))]);
    expect([...read.text.matchAll(/aria-label="?([^"\n]*)"\s*aria-valuetext="([^"]*)"/g)].map(([, label, text]) => [label, text])).toEqual([
      ["weight variance σ_w²", "1.5"],
      ["bias variance σ_b²", "0"],
      ["noise T", "0.1"],
    ]);
    const selected = read.bound.filter(({ name }) => name === "?selected");
    expect(selected.map(({ value }) => value)).toEqual([false, false, true, false, false, false, false, false, true]);
    expect(read.all(".value", /type="number"/)).toEqual(["40", "7"]);
    expect([...read.text.matchAll(/type="number"\s+min="(\d+)"\s+max="(\d+)"/g)].map(([, low, high]) => [low, high])).toEqual([
      ["2", "200"],
      ["2", "50"],
    ]);
  });

  it("tell what they change: variances of all layers, noise, activation", () => {
    expect(changed(controls(), "@input", 0, 1000)).toEqual({ weightVariance: [4, 4, 4, 4] });
    expect(changed(controls(), "@input", 0, 260)).toEqual({ weightVariance: [1.11, 1.11, 1.11, 1.11] });
    expect(changed(controls(), "@input", 1, 500)).toEqual({ biasVariance: [1, 1, 1, 1] });
    expect(changed(controls(), "@input", 2, 500)).toEqual({ temperature: 0.0316 });
    expect(changed(controls(), "@input", 2, 0)).toEqual({ temperature: 0.001 });
    expect(changed(controls(), "@change", 0, "tanh")).toEqual({ activation: "tanh" });
  });

  it("change data within their limits; a curve needs biases", () => {
    const data = (own: InstanceType<typeof Controls>, index: number, value: string | number) => changed(own, "@change", index, value);
    expect(data(controls(), 1, "digits")).toEqual({ data: { kind: "digits", classes: [0, 1], train: 60 } });
    expect(data(controls(), 1, "curve")).toMatchObject({ data: { kind: "curve" }, biasVariance: [0.3, 0.3, 0.3, 0.3] });
    expect(data(controls({ biasVariance: [0, 0.1, 0, 0] }), 1, "curve")).not.toHaveProperty("biasVariance");
    expect([55.4, 900, 1, "x"].map((value) => data(controls(), 2, value))).toEqual(
      [55, 200, 2, 2].map((train) => ({ data: { ...state.data, train } })),
    );
    expect([12, 99].map((value) => data(controls(), 3, value))).toEqual(
      [12, 50].map((dimension) => ({ data: { ...state.data, dimension } })),
    );
    const digits = () => controls({ data: { kind: "digits", classes: [5, 6, 7], train: 30 } });
    expect(data(digits(), 2, "3 8")).toEqual({ data: { kind: "digits", classes: [3, 8], train: 30 } });
    expect([170, 300].map((value) => data(digits(), 3, value))).toEqual(
      [170, 180].map((train) => ({ data: { kind: "digits", classes: [5, 6, 7], train } })),
    );
    const classes = rendered(digits());
    const options = classes.elements("option").map(({ text }) => text);
    expect(options.slice(-6)).toEqual(["5 6 7", "0 1", "3 8", "4 9", "1 7", "0 1 2"]);
    expect(classes.all("?selected").slice(-6)).toEqual([true, false, false, false, false, false]);
    const own = rendered(controls({ data: { kind: "own", name: "n", train: { inputs: [], targets: [] } } }));
    expect(own.elements("option").at(-1)!.text).toBe("own");
    const pad = controls({ data: { kind: "curve", points: [[1, 2]] } });
    const listener = rendered(pad).one<Listener>("@curve");
    expect(told(pad, ["change-state"], () => listener({ detail: [[0, 1]] }))).toEqual([
      ["change-state", { data: { kind: "curve", points: [[0, 1]] }, biasVariance: [0.3, 0.3, 0.3, 0.3] }],
    ]);
  });
});

describe("the drawn network", () => {
  const drawing = (widths = state.widths) => Object.assign(new NetworkDrawing(), { state: { ...state, widths }, inputs: 7, outputs: 2 });
  const heard = (own: EventTarget, action: () => unknown) => told(own, ["network"], action).map(([, detail]) => detail);

  it("has a column for each layer with its width, more units where there are more, wired to the next", () => {
    const read = rendered(drawing());
    expect(read.elements("text").map(({ text }) => text)).toEqual([
      "7",
      "inputs",
      "5",
      "layer 1",
      "80",
      "layer 2",
      "1",
      "layer 3",
      "2",
      "outputs",
    ]);
    const counts = [7, 5, 80, 1, 2].map((units) => Math.round(1 + 2.9 * Math.log10(units)));
    const circles = read.elements("circle").map(({ cx, cy }) => [Number(cx), Number(cy)]);
    expect(circles).toEqual(
      counts.flatMap((count, i) => Array.from({ length: count }, (_, k) => [26 + 77 * i, 92 + 15 * (k - (count - 1) / 2)])),
    );
    const wires = counts.slice(1).reduce((sum, count, i) => sum + count * counts[i]!, 0);
    expect(read.elements("path")[0]!.d!.split("M")).toHaveLength(wires + 1);
    expect(read.elements("path")[0]!.d).toContain(`M26 ${92 - 7.5 * (counts[0]! - 1)}L103 ${92 - 7.5 * (counts[1]! - 1)}`);
    expect([...read.text.matchAll(/class="(column[^"]*)"/g)].map(([, name]) => name)).toEqual([
      "column",
      "column layer",
      "column layer touched",
      "column layer",
      "column",
    ]);
    expect(
      read
        .elements("g")
        .slice(1, 4)
        .map((one) => one["aria-valuenow"]),
    ).toEqual(["5", "80", "1"]);
    expect(read.all(".value")).toEqual([String(Math.round((1000 * Math.log(80)) / Math.log(1000))), "80"]);
    expect(rendered(drawing([5])).all("?disabled")).toEqual([false, true]);
    expect(rendered(drawing([5, 5, 5, 5, 5, 5])).all("?disabled")).toEqual([true, false]);
  });

  it("tells which layer is to be changed how: buttons, sliders, keys, and a drag upwards that widens", () => {
    const own = drawing();
    const read = rendered(own);
    const [add, remove] = read.all("@click", /button/) as Listener[];
    const [slide] = read.all("@input") as Listener[];
    expect(heard(own, () => [add!({}), remove!({})])).toEqual([
      { kind: "add", layer: 2, value: 0 },
      { kind: "remove", layer: 2, value: 0 },
    ]);
    const sent = heard(own, () => [
      slide!(event(500)),
      read.one<Listener>("@change")(event(33)),
      read.one<Listener>("@change")(event("x")),
    ]);
    expect(sent).toEqual([Math.sqrt(1000), 33, 1].map((value) => ({ kind: "width", layer: 2, value: expect.closeTo(value, 9) })));
    const keys = read.all("@keydown") as Listener[];
    const pressed = (layer: number, key: string) => heard(own, () => keys[layer - 1]!({ key, preventDefault: () => undefined }));
    expect(["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"].map((key) => pressed(2, key)[0])).toEqual(
      [88, 72, 160, 40, 1, 1000].map((value) => ({ kind: "width", layer: 2, value })),
    );
    expect(pressed(1, "ArrowUp")).toEqual([{ kind: "width", layer: 1, value: 6 }]);
    expect(pressed(1, "x")).toEqual([]);
    const [begin] = (read.all("@pointerdown") as Listener[]).slice(2);
    const [move, end] = [read.one<Listener>("@pointermove"), read.one<Listener>("@pointerup")];
    const drag = heard(own, () => {
      move({ clientY: 1 });
      begin!({ clientY: 100, pointerId: 1, currentTarget: { setPointerCapture: () => undefined } });
      move({ clientY: 55 });
      end({});
      move({ clientY: 1 });
    });
    expect(drag).toEqual([
      { kind: "touch", layer: 3, value: 0 },
      { kind: "width", layer: 3, value: expect.closeTo(Math.E, 12) },
    ]);
    expect(heard(own, () => (read.all("@focus")[0] as Listener)({}))).toEqual([{ kind: "touch", layer: 1, value: 0 }]);
  });
});

it("a curve is drawn by hand, point by point, or written", () => {
  const pad = Object.assign(new CurvePad(), {
    points: [
      [1, -1],
      [-2, 2],
    ] as const,
  });
  const read = rendered(pad);
  expect(read.elements("circle").map(({ cx, cy }) => [cx, cy])).toEqual([
    ["255", "127.5"],
    ["0", "0"],
  ]);
  expect(read.one(".value")).toBe("1,-1  -2,2");
  const at = (clientX: number, clientY: number) => ({
    clientX,
    clientY,
    pointerId: 1,
    currentTarget: { getBoundingClientRect: () => ({ left: 0, top: 0, width: 400, height: 400 }), setPointerCapture: () => undefined },
  });
  const [begin, move, end] = ["@pointerdown", "@pointermove", "@pointerup"].map((name) => read.one<Listener>(name));
  const heard = (action: () => unknown) => told(pad, ["curve", "mistake"], action);
  expect(heard(() => (begin!(at(300, 100)), end!({})))).toEqual([
    [
      "curve",
      [
        [1, -1],
        [-2, 2],
        [1, 1],
      ],
    ],
  ]);
  expect(heard(() => (begin!(at(0, 200)), move!(at(10, 0)), move!(at(50, 100)), move!(at(15, 100)), end!({}), end!({})))).toEqual([
    [
      "curve",
      [
        [-2, 0],
        [-1.5, 1],
      ],
    ],
  ]);
  expect(heard(() => read.one<Listener>("@change")(event("1,2  3,-4 ")))).toEqual([
    [
      "curve",
      [
        [1, 2],
        [3, -4],
      ],
    ],
  ]);
  expect(heard(() => read.one<Listener>("@change")(event("1,2 3")))).toEqual([["mistake", expect.stringContaining("got 1,2 3")]]);
  expect(heard(() => read.one<Listener>("@change")(event("1,a")))).toEqual([["mistake", expect.anything()]]);
});
