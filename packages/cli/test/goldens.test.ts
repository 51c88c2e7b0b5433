// Numbers of results and of every figure of a report, as they were when somebody looked at them. What is added to a report later is no
// difference; whoever changes a number on purpose writes the file again: vitest run test/goldens.test.ts with GOLDENS=write.
import { readFileSync, writeFileSync } from "node:fs";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { runCommand } from "./command.js";

const wave = (rows: number, columns: number, phase: number): number[][] =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_unused, j) => Math.sin(1.7 * i + 2.3 * j * j + phase + i * j)));
const inputs = wave(6, 3, 0.3);
const testInputs = wave(4, 3, 1.1);
/** Two outputs of different sizes, so that none is taken for the other. */
const labels = (rows: number[][]): number[][] => rows.map(([a, b, c]) => [a! - 0.4 * b!, 2 * b! + 1.5 * c!]);
const linear = {
  data: { train: { inputs, targets: labels(inputs) }, test: { inputs: testInputs, targets: labels(testInputs) } },
  network: { type: "fully-connected", widths: [5, 4], activation: "identity", weightVariance: [1.2, 0.9, 1.1] },
  likelihood: { temperature: 0.2 },
  methods: ["nngp", { method: "exact", draws: 1000, chainDraws: 50, warmup: 50 }],
};
const one = (rows: number[][]): number[][] => labels(rows).map(([a]) => [a!]);
const scalar = {
  data: { train: { inputs, targets: one(inputs) }, test: { inputs: testInputs, targets: one(testInputs) } },
  network: { type: "fully-connected", widths: [6], activation: "erf", weightVariance: [1.2, 0.9], biasVariance: [0.1, 0.2] },
  likelihood: { temperature: 0.2 },
};
const signs = (rows: number[][]): number[][] => rows.map(([a]) => [a! > 0 ? 1 : -1]);

const cases = {
  "two outputs": ["run", linear],
  "theories of one output": ["run", { ...scalar, methods: ["nngp", "effective-action", { method: "perturbative", engine: "exact" }] }],
  "sweep of two keys": ["run", { ...scalar, methods: ["nngp", "effective-action"], sweep: { widths: [3, 9], temperature: [0.1, 1] } }],
  "sweep of training points": ["run", { ...linear, methods: ["nngp"], sweep: { train: [2, 4, 6] } }],
  "networks beside each other": [
    "run",
    {
      data: linear.data,
      likelihood: linear.likelihood,
      methods: ["nngp"],
      networks: [
        { label: "narrow", ...linear.network },
        { label: "nonlinear", ...scalar.network },
      ],
    },
  ],
  classes: [
    "run",
    {
      ...scalar,
      data: { train: { inputs, targets: signs(inputs) }, test: { inputs: testInputs, targets: signs(testInputs) } },
      likelihood: { type: "logistic" },
      methods: ["nngp"],
    },
  ],
  prior: ["prior", { network: linear.network, inputs: inputs.slice(0, 2), outputs: 2, methods: ["nngp", "exact"] }],
  "phase diagram": ["phase-diagram", { activation: "erf", weightVariance: [1, 2, 3], biasVariance: [0, 0.2] }],
} as const;

const file = new URL("goldens/reports.json", import.meta.url);
const writing = process.env["GOLDENS"] === "write";
const known = (writing ? {} : JSON.parse(readFileSync(file, "utf8"))) as Record<string, unknown>;

/** Times, versions and hashes are of the machine and the day. */
const passing = new Set(["provenance", "seconds", "referee", "date"]);
/** Five digits of every number, nothing of the day. */
function steady(value: unknown): unknown {
  if (typeof value === "number") return Math.abs(value) < 1e-9 ? 0 : Number(value.toPrecision(5));
  if (Array.isArray(value)) return value.map(steady);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !passing.has(key))
      .map(([key, inner]) => [key, steady(inner)]),
  );
}
const cell = (text: string): string | number => (text !== "" && Number.isFinite(Number(text)) ? (steady(Number(text)) as number) : text);
/** The tables behind the figures of a report, by name. */
function figures(report: string): Record<string, (string | number)[][]> {
  const { document } = parseHTML(report);
  const cards = [...document.querySelectorAll(".card")].flatMap((card) => {
    const csv = card.querySelector("script[type='text/csv']")?.textContent?.trim();
    return csv ? [[card.getAttribute("data-name") ?? "", csv.split("\n").map((line) => line.split(",").map(cell))] as const] : [];
  });
  return Object.fromEntries(cards);
}

describe("numbers of", () => {
  it.each(Object.entries(cases))("%s", async (name, [command, experiment]) => {
    const { status, result, report, stderr } = await runCommand(command, experiment);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const found = { result: steady(result), figures: figures(report!) };
    if (writing) {
      known[name] = found;
      writeFileSync(file, `${JSON.stringify(known)}\n`);
    }
    if (command === "run") expect(Object.keys(found.figures).length).toBeGreaterThan(0);
    expect(found).toMatchObject(known[name] as object);
  });
});
