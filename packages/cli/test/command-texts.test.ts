import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { OptimiseResult } from "@finitewidth/experiment";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { PhaseResult } from "../src/report/phase-report.js";
import { capture } from "./command.js";
import { cardsOf, documentOf, tablesOf } from "./pages.js";

/** What is computed is made up here: what the commands ask for, and what they make of the answer, is what is tested. */
const made: { optimum?: OptimiseResult; phase?: PhaseResult; asked: Record<string, unknown>[]; chunks: number[] } = {
  asked: [],
  chunks: [],
};
const square = { module: "made up", name: "square", run: (chunk: number) => (made.chunks.push(chunk), chunk * chunk) };
vi.mock("@finitewidth/experiment", async (original) => {
  const real = await original<typeof import("@finitewidth/experiment")>();
  return {
    ...real,
    optimiseEvidence: async (raw: unknown, settings: Parameters<typeof real.optimiseEvidence>[1]) => {
      const run = await settings.openRun!();
      made.asked.push({ raw, seed: run.seed });
      const squares: number[] = [];
      for await (const one of run.map(square, [1, 2, 3])) squares.push(one);
      expect(squares).toEqual([1, 4, 9]);
      return made.optimum!;
    },
  };
});
vi.mock("@finitewidth/large-deviations", async (original) => ({
  ...(await original<typeof import("@finitewidth/large-deviations")>()),
  phaseDiagram: async (input: object, { seed }: { readonly seed: number }) => {
    made.asked.push({ ...input, seed });
    return made.phase!;
  },
}));

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "finitewidth-texts-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(() => void (made.asked = []));
const out = (): string => join(folder, "out");
const run = async (command: string, content: object, ...more: readonly string[]) => {
  await writeFile(join(folder, "case.json"), JSON.stringify(content));
  return capture([command, join(folder, "case.json"), "--out", out(), "--workers", "0", ...more]);
};
const json = async (name: string) => JSON.parse(await readFile(join(out(), name), "utf8"));
const report = async (): Promise<Document> => documentOf(await readFile(join(out(), "report.html"), "utf8"));
/** Lines of a text, with single spaces. */
const lines = (text: string): string[] => text.split("\n").map((line) => line.trim().replaceAll(/ {2,}/g, "  "));

const inputs = [
  [1, 0.5, 2],
  [0.2, -1, 0],
];
const experiment = {
  data: { train: { inputs, targets: [[1], [-1]] } },
  network: { type: "fully-connected", widths: [3], activation: "identity" },
  likelihood: { temperature: 0.1 },
  methods: ["nngp", "exact"],
  referee: false,
};

describe("optimise", () => {
  const optimum = {
    values: { temperature: 0.25, "network.weightVariance[0]": 3, depth: 2 },
    logEvidence: -7,
    standardError: 0.5,
    generalizationError: 0.125,
    logDeviations: { temperature: 0.0625 },
    atBounds: ["network.weightVariance[0]"],
    converged: true,
  };
  const trace = [0.5, 0.25, 2].map((temperature, i) => ({
    values: { temperature, "network.weightVariance[0]": 1 + i, depth: 1 + (i % 2) },
    logEvidence: -10 + i,
    ...(i === 1 ? { standardError: 0.75 } : {}),
    generalizationError: 0.5 - 0.1 * i,
  }));
  const found: OptimiseResult = {
    method: "exact",
    optimum,
    experiment: { ...experiment, data: { file: "data/x.csv" } } as unknown as OptimiseResult["experiment"],
    depths: [
      { values: { temperature: 0.5, depth: 1 }, logEvidence: -9, standardError: 0.25 },
      { values: { ...optimum.values }, logEvidence: -7, standardError: 0.5 },
    ],
    trace,
    infiniteWidth: { values: { temperature: 0.75, depth: 3 }, logEvidence: -8, generalizationError: 0.375 },
    warnings: ["not sure"],
  };

  it("prints the optimum, every depth and infinite width, each number in its column", async () => {
    made.optimum = found;
    const { status, stdout } = await run("optimise", { ...experiment, seed: 5 });
    expect(status).toBe(0);
    expect(made.asked).toMatchObject([{ seed: 5, raw: { seed: 5 } }]);
    expect(lines(stdout)).toEqual([
      "temperature  network.weightVariance[0]  depth  log evidence  generalisation error",
      expect.stringMatching(/^─/),
      "exact  0.25  3  2  -7.00 ± 0.50  0.125",
      "exact, depth 1  0.5  –  1  -9.00 ± 0.25  –",
      "exact, depth 2  0.25  3  2  -7.00 ± 0.50  –",
      "infinite width  0.75  –  3  -8  0.375",
      "3 evaluations; log temperature ± 0.0625",
      "! not sure",
      "",
      `Experiment: ${join(out(), "optimum.json")}`,
      `Report: ${join(out(), "report.html")}`,
      `Numbers: ${join(out(), "optimise.json")}`,
      "",
    ]);
    expect(await json("optimise.json")).toMatchObject({
      schemaVersion: 1,
      method: "exact",
      optimum,
      trace,
      evaluations: 3,
      warnings: ["not sure"],
    });
    expect((await json("optimum.json")).data.file).toBe(relative(out(), join(folder, "data", "x.csv")));
    expect((await run("optimise", experiment, "--quiet")).stdout).toBe("");
    expect(made.asked[1]).toMatchObject({ seed: 1 });
  });

  it("goes on from what an interrupted search has computed, of the same file only", async () => {
    const chunks = async (content: object, ...more: readonly string[]): Promise<[number[], string]> => {
      made.chunks = [];
      const { stderr } = await run("optimise", content, "--quiet", ...more);
      return [made.chunks, stderr.split("\n")[0]!];
    };
    delete made.optimum;
    const all = [1, 2, 3];
    expect((await chunks(experiment))[0]).toEqual(all);
    expect((await chunks(experiment, "--resume"))[0]).toEqual([]);
    expect(await chunks({ ...experiment, seed: 2 }, "--resume")).toEqual([
      all,
      "the experiment or its data have changed: what an earlier run has finished is computed again",
    ]);
    expect((await chunks({ ...experiment, seed: 2 }))[0]).toEqual(all);
    // nothing is kept of a search that has ended
    made.optimum = found;
    expect((await chunks({ ...experiment, seed: 2 }, "--resume"))[0]).toEqual([]);
    expect((await chunks({ ...experiment, seed: 2 }, "--resume"))[0]).toEqual(all);
    expect(await json("optimise.json").then(({ seconds }) => seconds)).toBeLessThan(performance.now() / 1000);
  });

  it("reports deviations and bounds, and draws evidence and error where the search has been, in the order of each value", async () => {
    made.optimum = found;
    await run("optimise", experiment, "--quiet");
    const page = await report();
    const infinite = "infinite width would choose";
    expect(tablesOf(page)).toEqual([
      [
        { "": "temperature", value: "0.25", "deviation of its logarithm": "0.0625", [infinite]: "0.75" },
        { "": "network.weightVariance[0]", value: "3", "deviation of its logarithm": "at its bound", [infinite]: "–" },
        { "": "depth", value: "2", "deviation of its logarithm": "–", [infinite]: "3" },
        { "": "log evidence", value: "-7.00 ± 0.50", "deviation of its logarithm": "", [infinite]: "-8" },
        { "": "generalisation error", value: "0.125", "deviation of its logarithm": "", [infinite]: "0.375" },
      ],
      [
        { "hidden layers": "1", "log evidence": "-9.00 ± 0.25" },
        { "hidden layers": "2", "log evidence": "-7.00 ± 0.50" },
      ],
    ]);
    expect(page.querySelector(".warning")!.textContent).toBe("Note: not sure");
    expect(page.querySelector(".lead")!.textContent).toContain("of exact at its maximum, after 3 evaluations.");
    const cards = cardsOf(page);
    expect(cards["log evidence against temperature"]!.rows.slice(1)).toEqual([
      ["exact", "0.25", "-9", "0.75"],
      ["exact", "0.5", "-10", "0"],
      ["exact", "2", "-8", "0"],
    ]);
    expect(cards["generalisation error against temperature"]!.rows.slice(1).map((row) => row.slice(1, 3))).toEqual([
      ["0.25", "0.4"],
      ["0.5", "0.5"],
      ["2", "0.3"],
    ]);
    expect(Object.keys(cards)).toHaveLength(6);
    // the optimum is marked where it is: at the dot of 0.25
    const { card } = cards["log evidence against temperature"]!;
    const [rule] = [...card.querySelectorAll(".wide [stroke-dasharray='4 3'] line, .wide line[stroke-dasharray='4 3']")];
    expect(Number(rule!.getAttribute("x1"))).toBeCloseTo(Number(card.querySelector(".wide circle")!.getAttribute("cx")), 6);
  });
});

describe("phase-diagram", () => {
  const grid = { weightVariance: [1, 1.5, 2], biasVariance: [0, 0.25] };
  const values = (from: number): number[][] => grid.weightVariance.map((_, i) => grid.biasVariance.map((_unused, j) => from + 10 * i + j));
  const phase: PhaseResult = {
    grid,
    variance: values(200),
    chiPerp: values(1),
    chiParallel: values(300),
    correlation: values(400),
    depthScaleCorrelation: [
      [10, 100],
      [1000, null as never],
      [-1, 10],
    ],
    criticalLine: [
      [1, 0],
      [1.4, 0.2],
    ],
    adaptation: { shift: values(500), alignmentGain: values(600), maximum: { weightVariance: 1.5, biasVariance: 0.25 } },
    warnings: ["careful"],
  };

  it("asks for the grid, and for the adaptation to the data with its own settings", async () => {
    made.phase = phase;
    const adaptation = {
      data: { inputs, targets: [[1], [-2]] },
      widths: [7, 5],
      likelihood: { temperature: 0.3 },
      order: "first",
      closure: "gaussian-variational",
    };
    const asked = { activation: "erf", weightVariance: { from: 1, to: 2, points: 3 }, biasVariance: [0, 0.25], adaptation, seed: 9 };
    const begun = performance.now();
    const { status, stdout } = await run("phase-diagram", asked);
    expect(status).toBe(0);
    expect(made.asked).toEqual([
      {
        activation: "erf",
        ...grid,
        seed: 9,
        adaptation: {
          inputs: { data: Float64Array.from(inputs.flat()), shape: [2, 3] },
          targets: { data: Float64Array.of(1, -2), shape: [2, 1] },
          widths: [7, 5],
          temperature: 0.3,
          order: "first",
          closure: "gaussian-variational",
        },
      },
    ]);
    const numbers = await json("phase.json");
    expect(numbers).toMatchObject({ schemaVersion: 1, phase: { activation: "erf", seed: 9 }, ...phase });
    expect(numbers.seconds).toBeLessThan((performance.now() - begun) / 1000);
    expect(numbers.provenance.dataHash).toMatch(/^[0-9a-f]{64}$/);
    expect(lines(stdout)[0]).toBe("! careful");
    expect(lines(stdout)[1]).toMatch(/^3 × 2 grid in \d+\.\d s$/);
    expect(stdout).toContain(`Report: ${join(out(), "report.html")}\nNumbers: ${join(out(), "phase.json")}\n`);
    await run("phase-diagram", { activation: "relu", weightVariance: [1], biasVariance: [0] }, "--quiet");
    expect(made.asked[1]).toEqual({ activation: "relu", weightVariance: [1], biasVariance: [0], seed: 1 });
    expect((await json("phase.json")).provenance).not.toHaveProperty("dataHash");
    for (const [change, field] of [
      [{ biasVariance: [0.1, -0.1] }, "biasVariance[1]: expected a number ≥ 0"],
      [{ weightVariance: [1, 0] }, "weightVariance[1]: expected a positive number"],
    ] as const)
      expect(await run("phase-diagram", { ...asked, ...change })).toMatchObject({ status: 2, stderr: expect.stringContaining(field) });
  });

  it("reports every grid under its own name, and marks the critical line everywhere, the measured maximum on the adaptation", async () => {
    made.phase = phase;
    await run("phase-diagram", { activation: "erf", weightVariance: grid.weightVariance, biasVariance: grid.biasVariance }, "--quiet");
    const page = await report();
    const cards = cardsOf(page);
    const wanted = {
      phases: phase.chiPerp,
      "depth scale of correlations": phase.depthScaleCorrelation,
      "fixed-point variance": phase.variance,
      adaptation: phase.adaptation!.shift,
      "alignment gain": phase.adaptation!.alignmentGain,
    };
    expect(Object.keys(cards)).toEqual(Object.keys(wanted));
    for (const [name, matrix] of Object.entries(wanted)) {
      expect(cards[name]!.rows, name).toEqual([
        ["weightVariance", "biasVariance", name],
        ...grid.weightVariance.flatMap((w, i) =>
          grid.biasVariance.map((b, j) => [`${w}`, `${b}`, matrix[i]![j] === null ? "" : `${matrix[i]![j]}`]),
        ),
      ]);
      const drawn = [...cards[name]!.card.querySelectorAll(".wide text")].map(({ textContent }) => textContent);
      expect(drawn.includes("χ⊥ = 1"), name).toBe(true);
      expect(drawn.includes("measured maximum"), name).toBe(name === "adaptation");
      expect(cards[name]!.card.querySelector(".narrow svg")!.getAttribute("width")).toBe("350");
    }
    const ends = (name: string): (string | null)[] =>
      [...cards[name]!.card.querySelectorAll(".wide text")].slice(-3).map(({ textContent }) => textContent);
    // χ⊥ is centred at 1, depth scales are logarithms of what is positive
    expect(ends("phases")).toEqual(["22", "1", "−20"]);
    expect(ends("depth scale of correlations")).toEqual(["3", "2", "1"]);
    expect(ends("adaptation")).toEqual(["521", "510.5", "500"]);
    expect(page.querySelector(".lead")!.textContent).toContain("erf networks over 3 × 2 values");
    expect(page.querySelector(".warning")!.textContent).toBe("Note: careful");
  });
});
