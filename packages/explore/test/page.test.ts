import { colourOf } from "@finitewidth/plots";
import { describe, expect, it } from "vitest";
import { nothing, type Answers } from "../src/compute/answers.js";
import type { Solved } from "../src/compute/messages.js";
import { initialState } from "../src/index.js";
import { event, state, type Listener } from "./page.js";
import { Read, rendered, told } from "./template.js";

const { TheoryTable } = await import("../src/view/theory-table.js");
const { PhaseMap } = await import("../src/view/phase-map.js");
const { KernelPanel } = await import("../src/view/kernel-panel.js");
const { panels } = await import("../src/view/panels.js");

describe("the table of theories", () => {
  const exact: Solved = {
    method: "exact",
    status: "ok",
    milliseconds: 1,
    logEvidence: -12.345,
    error: { bias: 1, variance: 2, total: 0.45678 },
  };
  const answers: Answers = {
    ...nothing,
    solved: new Map<string, Solved>([
      ["nngp", { ...exact, method: "nngp", error: undefined, logEvidence: undefined } as unknown as Solved],
      ["exact", exact],
      ["effective-action", { method: "effective-action", status: "failed", reason: "[input] needs erf", milliseconds: 1 }],
      ["perturbative", { method: "perturbative", status: "not asked", reason: "takes too long", milliseconds: 1 }],
    ]),
    current: new Set(["exact", "nngp"]),
    verdicts: { exact: { status: "doubtful", how: "evidence: off by 2" } },
  };
  const table = () => Object.assign(new TheoryTable(), { answers, off: new Set(["nngp"]) });
  const rows = (read: Read) =>
    read.text
      .split("<tr")
      .slice(2)
      .map((row) =>
        row
          .slice(row.indexOf(">") + 1)
          .replaceAll(/<[^>]*>/g, " ")
          .replaceAll(/\s+/g, " ")
          .trim(),
      );

  it("has a row for each with its error, evidence and verdict, in the order of the page", () => {
    const read = rendered(table());
    expect(rows(read)).toEqual([
      "infinite width – – …",
      "exact 0.457 −12.3 doubtful",
      "effective action does not apply",
      "perturbative not asked",
      "large deviation – – …",
      "expectation propagation – – …",
      "forward–backward – – …",
      "Monte Carlo when nothing moves",
    ]);
    expect(read.elements("i").map(({ style }) => style)).toEqual(
      [
        "nngp",
        "exact",
        "effective-action",
        "perturbative",
        "large-deviation",
        "expectation-propagation",
        "forward-backward",
        "monte-carlo",
      ].map((method) => `background:${colourOf(method)}`),
    );
    expect(read.all(".checked")).toEqual([false, true, true, true, true, true, true, true]);
    expect([...read.text.matchAll(/<tr class="(old|)"/g)].map(([, old]) => old)).toEqual(["", "", "old", "old", "", "", ""]);
    expect(read.elements("button").map((one) => one.class)).toEqual(["verdict doubtful", "verdict unchecked", "verdict unchecked"]);
    const sampled = Object.assign(table(), { answers: { ...answers, sampled: new Map([[3, {}]]) } });
    expect(rows(rendered(sampled)).at(-1)).toBe("Monte Carlo points, thin lines");
  });

  it("opens what is behind a verdict, and tells which theory was switched", () => {
    const own = table();
    const reasons = ["evidence: off by 2", "needs erf", "takes too long"];
    reasons.forEach((reason, i) => {
      (rendered(own).all("@click")[i] as Listener)({});
      const cells = rendered(own)
        .elements("td")
        .filter((cell) => cell.class === "told");
      expect(cells.map(({ text, id }) => [text, id])).toEqual([[reason, `told-${["exact", "effective-action", "perturbative"][i]!}`]]);
      expect(
        rendered(own)
          .elements("button")
          .map((one) => one["aria-expanded"]),
      ).toEqual([0, 1, 2].map((k) => String(k === i)));
    });
    (rendered(own).all("@click")[2] as Listener)({});
    expect(rendered(own).text).not.toContain("told");
    expect(
      told(own, ["toggle-theory"], () =>
        rendered(own)
          .all("@change")
          .forEach((toggle) => (toggle as Listener)({})),
      ).map(([, one]) => one),
    ).toEqual([
      "nngp",
      "exact",
      "effective-action",
      "perturbative",
      "large-deviation",
      "expectation-propagation",
      "forward-backward",
      "monte-carlo",
    ]);
  });
});

describe("the phase plane", () => {
  const phase = {
    weightVariance: [1, 2, 3],
    biasVariance: [0, 0.5],
    chi: Float64Array.of(10, 11, 20, 21, 30, 31),
    line: [
      [1, 0],
      [2, 0.25],
      [2.5, 0.7],
    ] as const,
  };
  const map = () => Object.assign(new PhaseMap(), { phase, weight: 2.5, bias: 0.125 });

  it("has weights to the right and biases upwards, its line and its cursor in the same place", () => {
    const read = rendered(map());
    expect(read.one<{ data: Float64Array; shape: number[] }>(".values")).toEqual({
      data: Float64Array.of(11, 21, 31, 10, 20, 30),
      shape: [2, 3],
    });
    expect(read.one(".limits")).toEqual([0, 2]);
    expect(read.elements("path")[0]!.d).toBe("M0,200L100,100");
    expect(read.elements("circle").map(({ cx, cy }) => [cx, cy])).toEqual([
      ["150", "150"],
      ["150", "150"],
    ]);
    expect(read.text.replaceAll(/<[^>]*>|\s+/g, " ")).toMatch(/up to 0\.5 .* 1 {2}σ w ² {2}3/);
    expect(read.text).toContain("weight variance 2.5, bias variance 0.125");
    expect(rendered(Object.assign(map(), { weight: 9, bias: 9 })).elements("circle")[0]).toMatchObject({ cx: "200", cy: "0" });
    expect(rendered(Object.assign(map(), { phase: undefined })).text).toContain("computing the plane");
  });

  it("tells where the cursor goes, within the plane", () => {
    const own = map();
    const read = rendered(own);
    const at = (clientX: number, clientY: number, buttons = 1) => ({
      clientX,
      clientY,
      buttons,
      pointerId: 1,
      currentTarget: { getBoundingClientRect: () => ({ left: 10, top: 20, width: 100, height: 50 }), setPointerCapture: () => undefined },
    });
    const heard = (action: () => unknown) => told(own, ["variances"], action).map(([, detail]) => detail);
    expect(heard(() => read.one<Listener>("@pointerdown")(at(35, 60)))).toEqual([{ weight: 1.5, bias: 0.1 }]);
    expect(heard(() => read.one<Listener>("@pointermove")(at(500, -100)))).toEqual([{ weight: 3, bias: 0.5 }]);
    expect(heard(() => read.one<Listener>("@pointermove")(at(500, -100, 0)))).toEqual([]);
    const press = (key: string) => heard(() => read.one<Listener>("@keydown")({ key, preventDefault: () => undefined }))[0];
    expect(["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "x"].map(press)).toEqual([
      { weight: 2.55, bias: 0.125 },
      { weight: 2.45, bias: 0.125 },
      { weight: 2.5, bias: 0.145 },
      { weight: 2.5, bias: 0.105 },
      undefined,
    ]);
  });
});

describe("the kernel", () => {
  const matrix = (...values: number[]) => ({ data: Float64Array.from(values), shape: [2, 2] as const });
  const pair = { before: matrix(3, 0, 0, 4), after: matrix(3, -1, 2, 9), by: "perturbative" };
  const panel = (change: object = {}) => Object.assign(new KernelPanel(), { pair, ...change });

  it("goes from infinite width to learned on one scale, beside the difference on its own", () => {
    const read = rendered(panel());
    expect(read.all(".values")).toEqual([pair.before, matrix(0, -1, 2, 5)]);
    expect(read.all(".other")).toEqual([pair.after]);
    expect(read.all(".limits")).toEqual([
      [-1, 9],
      [-5, 5],
    ]);
    expect(read.elements("figcaption").map(({ text }) => text)).toEqual(["learned (perturbative)", "difference ≤ 5"]);
    // √30 over 5
    expect(read.elements("output")[0]!.text).toBe("shift 110 %");
    expect(read.text).toContain("Kernel over 2 training points, from −1 to 9");
    expect([0, 0.5].map((mix) => rendered(panel({ mix })).elements("figcaption")[0]!.text)).toEqual(["infinite width", "in between"]);
    const own = panel();
    rendered(own).one<Listener>("@input")(event(25));
    expect([own.mix, rendered(own).one(".mix"), rendered(own).one(".value")]).toEqual([0.25, 0.25, "25"]);
    // without motion it is one or the other
    rendered(own).one<Listener>("@click")({});
    expect(own.mix).toBe(1);
    rendered(own).one<Listener>("@click")({});
    expect(own.mix).toBe(0);
  });

  it("says so where nothing was learned", () => {
    const read = rendered(panel({ pair: { before: pair.before, after: pair.before } }));
    expect(read.elements("figcaption").map(({ text }) => text)).toEqual(["infinite width", "difference: not known"]);
    expect(read.all(".values")[1]).toBeUndefined();
    expect(read.text).toContain("No theory asked here knows the learned kernel");
    expect(rendered(panel({ pair: undefined })).elements("figcaption")[0]!.text).toBe("computing …");
  });
});

it("every panel gets what it is about", () => {
  const rows = { train: { inputs: [[1, 2, 3]], targets: [[1, 2]] }, test: { inputs: [[1, 2, 3]], targets: [[1, 2]] } };
  const calls: unknown[] = [];
  const answers = {
    ...nothing,
    stretches: 5,
    phase: {} as never,
    receptiveFields: {} as never,
    sampled: new Map([
      [3, { runs: 2, mean: 1, error: 1 }],
      [5, { runs: 1, mean: 1, error: 1 }],
    ]),
  };
  const page = {
    state,
    answers,
    rows,
    hidden: new Set<string>(),
    kernels: {} as never,
    running: true,
    side: 10,
    pause: (paused: boolean) => calls.push(paused),
    onChange: (change: object) => calls.push(change),
  };
  const read = new Read(panels(page as never));
  const texts = read.text.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
  for (const said of [
    "Kernel of layer 2",
    "sampled, step 20",
    "pause sampling",
    "Generalisation against width",
    "Monte Carlo: 2 runs a point",
  ])
    expect(texts).toContain(said);
  expect([read.one(".inputs"), read.one(".outputs"), read.one(".side"), read.one(".weight"), read.one(".bias")]).toEqual([3, 2, 0, 1.5, 0]);
  expect([read.one(".fields"), read.one(".phase"), read.one(".pair"), read.one(".answers")]).toEqual([
    answers.receptiveFields,
    answers.phase,
    page.kernels,
    answers,
  ]);
  expect((read.one(".spec") as { xLabel: string; summary: string }).summary).toContain("width of layer 2; it is 80 now");
  const named = [...new Set([...read.text.matchAll(/<(fw-[\w-]+)/g)].map(([, tag]) => tag!))];
  expect(named).toHaveLength(7);
  for (const tag of named) expect(customElements.get(tag), tag).toBeDefined();
  read.one<Listener>("@click", /button/)({});
  read.one<Listener>("@change-state")({ detail: { seed: 9 } });
  expect(calls).toEqual([true, { seed: 9 }]);
  const other = new Read(
    panels({ ...page, running: false, state: { ...initialState }, rows: { ...rows, test: { inputs: [[1]] } } } as never),
  );
  expect(other.one(".side")).toBe(10);
  expect(other.text).toContain("run sampling");
  expect(other.text.replaceAll(/\s+/g, " ")).toContain("Evidence against width");
});
