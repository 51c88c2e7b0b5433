import type { MethodVerdict } from "@finitewidth/core";
import type { Plan, SolvedOutcome, StepOutcome } from "@finitewidth/experiment";
import { beforeAll, describe, expect, it } from "vitest";
import { experimentReport } from "../src/report/experiment-report.js";
import { sweepCsv } from "../src/sweep-table.js";
import { printResults, sweepText } from "../src/terminal.js";
import { outcomeOf, planned, resultsOf } from "./outcomes.js";
import { cardsOf, csvRows, documentOf, tablesOf } from "./pages.js";

const network = { type: "fully-connected", widths: [4, 3], activation: "identity" };
/** Size of an outcome: its step, network and method. The exact method is best at width 32 in the network "b", at the second temperature. */
const sizeOf = (s: number, n: number, m: number): number => (m === 0 ? 50 + n : 40 - 6 * s + n);

let plan: Plan;
let results: readonly StepOutcome[];
beforeAll(async () => {
  plan = await planned({
    networks: [
      { label: "a", ...network },
      { label: "b", ...network, activation: "erf" },
    ],
    methods: ["nngp", { method: "monte-carlo", label: "mc" }],
    sweep: { widths: [2, 8, 32], temperature: [0.1, 1] },
  });
  const scores = { accuracy: 0.5, negativeLogLikelihood: 0.6, calibrationError: 0.7 };
  const errors = { accuracy: 0.05, negativeLogLikelihood: 0.06, calibrationError: 0.07 };
  results = resultsOf(plan, (s, n, m, label) => {
    if (s === 1 && n === 0 && m === 1)
      return { label, method: "monte-carlo", named: true, status: "failed", seconds: 7, error: new Error('no, "really"') };
    return outcomeOf(label, sizeOf(s, n, m), {
      method: ["nngp", "monte-carlo"][m],
      ...(s === 2 ? { classification: { ...scores, standardError: errors } } : {}),
      warnings: m === 1 ? (s === 3 ? ["slow, very", "late"] : n === 1 ? ["everywhere"] : []) : [],
    });
  });
});

const steps = [0, 1, 2, 3, 4, 5].map((step) => ({ step, widths: [2, 8, 32][Math.floor(step / 2)]!, temperature: [0.1, 1][step % 2]! }));

describe("sweep.csv", () => {
  it("has a row for every method of every network at every step, every number and its error below its name", () => {
    const [header, ...rows] = csvRows(sweepCsv(plan, results));
    expect(header!.slice(0, 7)).toEqual(["step", "widths", "temperature", "network", "method", "status", "logEvidence"]);
    expect(rows).toHaveLength(6 * 2 * 2);
    const found = rows.map((row) => Object.fromEntries(header!.map((name, j) => [name, row[j]])));
    let at = 0;
    for (const { step, widths, temperature } of steps)
      for (const [n, name] of ["a", "b"].entries())
        for (const [m, method] of ["nngp", "mc"].entries()) {
          const row = found[at++]!;
          expect(row).toMatchObject({
            step: `${step}`,
            widths: `${widths}`,
            temperature: `${temperature}`,
            network: name,
            method,
            verdict: "",
          });
          if (step === 1 && n === 0 && m === 1) {
            expect(row).toMatchObject({ status: "failed", seconds: "7", warnings: 'no, "really"', logEvidence: "", orderParameter: "" });
            continue;
          }
          const size = sizeOf(step, n, m);
          expect(row).toMatchObject({
            status: "ok",
            logEvidence: `${-size}`,
            "logEvidence.standardError": `${size / 8}`,
            "generalizationError.total": `${2 * size}`,
            "generalizationError.total.standardError": `${size / 7}`,
            "generalizationError.bias": `${3 * size}`,
            "generalizationError.bias.standardError": `${size / 6}`,
            "generalizationError.variance": `${4 * size}`,
            "generalizationError.variance.standardError": `${size / 5}`,
            "classification.accuracy": step === 2 ? "0.5" : "",
            "classification.accuracy.standardError": step === 2 ? "0.05" : "",
            "classification.negativeLogLikelihood": step === 2 ? "0.6" : "",
            "classification.negativeLogLikelihood.standardError": step === 2 ? "0.06" : "",
            "classification.calibrationError": step === 2 ? "0.7" : "",
            "classification.calibrationError.standardError": step === 2 ? "0.07" : "",
            orderParameter: `${5 * size}`,
            "orderParameter.standardError": `${size / 3}`,
            seconds: `${size + 0.25}`,
            warnings: m === 0 ? "" : step === 3 ? "slow, very | late" : n === 1 ? "everywhere" : "",
          });
        }
  });

  it("says one word of the referee's about each method where there was one, and names no network where there is one", async () => {
    const one = await planned({ sweep: { temperature: [0.1, 1] } });
    const judged = resultsOf(one, (s, _n, m, label) => outcomeOf(label, 1 + s + m)).map((step, s) => ({
      ...step,
      problems: step.problems.map((problem) =>
        s === 0
          ? problem
          : { ...problem, verdicts: { verdicts: { exact: { logEvidence: { status: "doubtful" } } as MethodVerdict }, referee: {} } },
      ),
    })) as StepOutcome[];
    const [header, ...rows] = csvRows(sweepCsv(one, judged));
    expect(header).not.toContain("network");
    expect(rows.map((row) => row[header!.indexOf("verdict")])).toEqual(["", "", "", "doubtful"]);
    const printed: string[] = [];
    printResults(one, judged, "there", { write: (text) => printed.push(text) });
    // the marks of verdicts are explained where there are any
    expect(printed[0]!.split("\n").slice(0, 5)).toEqual([
      "generalisation error",
      "temperature         nngp        exact",
      "───────────  ───────────  ───────────",
      "0.1          2.00 ± 0.14  4.00 ± 0.29",
      "1            4.00 ± 0.29  6.00 ± 0.43",
    ]);
    expect(printed.join("")).toContain("✓ confirmed");
    expect(printed.at(-2)).toBe("\nReport: there/report.html\nNumbers: there/result.json\n");
    expect(printed.at(-1)).toBe("Table: there/sweep.csv\n");
  });
});

describe("a sweep in the terminal", () => {
  it("of classes shows what most methods have: the log evidence, or the negative log likelihood", async () => {
    const one = await planned({ sweep: { temperature: [0.1, 1] }, methods: ["nngp", "exact"] });
    const shown = (evidences: number): string =>
      sweepText(
        one,
        resultsOf(one, (_s, _n, m, label) => {
          const { posterior } = outcomeOf(label, 2) as SolvedOutcome;
          const { logEvidence, ...rest } = posterior;
          const classification = { negativeLogLikelihood: 0.3, standardError: {} };
          const more = { generalizationError: undefined, classification, posterior: m < evidences ? { ...rest, logEvidence } : rest };
          return outcomeOf(label, 2, more);
        }),
      ).split("\n")[0]!;
    expect([2, 1].map(shown)).toEqual(["log evidence", "negative log likelihood"]);
  });

  it("has a column for every method of every network, marks for warnings, and the best of each", () => {
    const lines = sweepText(plan, results).split("\n");
    expect(lines[0]).toBe("generalisation error");
    expect(lines[1]!.split(/\s{2,}/)).toEqual(["widths", "temperature", "a: nngp", "a: mc", "b: nngp", "b: mc"]);
    const cells = lines.slice(3, 9).map((line) => line.split(/\s{2,}/));
    const text = (size: number): string => {
      const decimals = Math.max(0, 1 - Math.floor(Math.log10(size / 7)));
      return `${(2 * size).toFixed(decimals)} ± ${(size / 7).toFixed(decimals)}`;
    };
    for (const { step, widths, temperature } of steps)
      expect(cells[step]).toEqual([
        `${widths}`,
        `${temperature}`,
        text(sizeOf(step, 0, 0)),
        step === 1 ? "failed" : `${text(sizeOf(step, 0, 1))}${step === 3 ? " !" : ""}`,
        text(sizeOf(step, 1, 0)),
        `${text(sizeOf(step, 1, 1))} !`,
      ]);
    // the smallest size is at the last step; infinite width does not depend on the sweep
    expect(lines.slice(9)).toEqual(
      ["a", "b"].flatMap((name, n) => {
        const at = "at widths 32, temperature 1";
        const warns = n === 1 ? ", it warns" : "";
        return [
          `best log evidence of ${name}: mc: ${-(10 + n)}${warns} ${at}`,
          `best generalisation error of ${name}: mc: ${20 + 2 * n}${warns} ${at}`,
        ];
      }),
    );
  });

  it("says every warning once, with where it is or how often", () => {
    const printed: string[] = [];
    printResults(plan, results, "x", { write: (text) => printed.push(text) });
    expect(new Set(printed.filter((line) => line.startsWith("  !")))).toEqual(
      new Set([
        "  ! b: mc: everywhere (5 times)\n",
        "  ! a: mc: slow, very (at widths 8, temperature 1)\n",
        "  ! a: mc: late (at widths 8, temperature 1)\n",
        "  ! b: mc: slow, very (at widths 8, temperature 1)\n",
        "  ! b: mc: late (at widths 8, temperature 1)\n",
      ]),
    );
  });
});

describe("the report of a sweep over two keys", () => {
  let page: Document;
  beforeAll(() => void (page = documentOf(experimentReport(plan, results, "two keys"))));

  it("has every step in its table, the best in its headline, remarks with their counts", () => {
    const [table] = tablesOf(page);
    expect(table).toHaveLength(24);
    const scores = ["accuracy", "negative log likelihood", "calibration error"];
    const measured = ["log evidence", "generalisation error", "bias", "variance", ...scores, "order parameter"];
    expect(Object.keys(table![0]!)).toEqual(["widths", "temperature", "method", ...measured, "seconds", "remarks"]);
    table!.forEach((row, k) => {
      const [s, n, m] = [Math.floor(k / 4), Math.floor(k / 2) % 2, k % 2];
      expect(row).toMatchObject({
        widths: `${steps[s]!.widths}`,
        temperature: `${steps[s]!.temperature}`,
        method: `${["a", "b"][n]}: ${["nngp", "mc"][m]}`,
        seconds: s === 1 && n === 0 && m === 1 ? "7.00" : (sizeOf(s, n, m) + 0.25).toFixed(2),
        remarks: s === 1 && n === 0 && m === 1 ? "failed" : m === 0 ? "" : s === 3 ? "2" : n === 1 ? "1" : "",
      });
    });
    expect(table![3 * 4 + 3]!["log evidence"]).toBe(`${-sizeOf(3, 1, 1)}.0 ± ${(sizeOf(3, 1, 1) / 8).toFixed(1)}`);
    expect(table![3 * 4 + 3]!["variance"]).toBe(`${4 * sizeOf(3, 1, 1)}.0 ± ${(sizeOf(3, 1, 1) / 5).toFixed(1)}`);
    const headline = page.querySelector("p.headline")!.textContent;
    expect(headline).toMatch(/^6 of 6 steps over widths, temperature\.\nLargest log evidence: at widths 32, temperature 1 by a: mc \(-10/);
    expect(headline).toContain("Smallest generalisation error: at widths 32, temperature 1 by a: mc (20");
    expect([...page.querySelectorAll(".warning, .failed")].map(({ className, textContent }) => `${className} ${textContent}`)).toEqual([
      "warning b: mc: everywhere (5 steps)",
      'failed a: mc failed: no, "really"',
      "warning a: mc: slow, very",
      "warning a: mc: late",
      "warning b: mc: slow, very",
      "warning b: mc: late",
    ]);
  });

  it("has a plane of every quantity that has a better end, first key along x, and curves at every value of the second", () => {
    const cards = cardsOf(page);
    const planes = Object.keys(cards).filter((name) => name.includes(", "));
    expect(planes).toEqual(["log evidence, a: mc", "log evidence, b: mc", "generalisation error, a: mc", "generalisation error, b: mc"]);
    expect(cards["generalisation error, b: mc"]!.rows).toEqual([
      ["widths", "temperature", "generalizationError.total"],
      ...steps.map(({ step, widths, temperature }) => [`${widths}`, `${temperature}`, `${2 * sizeOf(step, 1, 1)}`]),
    ]);
    expect(cards["log evidence, a: mc"]!.rows[2]).toEqual(["2", "1", ""]);
    for (const [j, temperature] of [0.1, 1].entries()) {
      const { rows, tips } = cards[`log evidence at temperature ${temperature} against widths`]!;
      expect(rows[0]).toEqual(["widths", "method", "logEvidence", "standardError"]);
      const wanted = steps
        .filter(({ step }) => step % 2 === j)
        .flatMap(({ step, widths }) =>
          ["a", "b"].flatMap((name, n) =>
            ["nngp", "mc"].flatMap((method, m) =>
              step === 1 && n === 0 && m === 1
                ? []
                : [[`${widths}`, `${name}: ${method}`, `${-sizeOf(step, n, m)}`, `${sizeOf(step, n, m) / 8}`]],
            ),
          ),
        );
      expect(rows.slice(1)).toEqual(wanted);
      expect(tips.filter((tip) => tip.startsWith("b: mc"))[0]).toMatch(
        new RegExp(`^b: mc\nwidths 2, temperature ${temperature}\nlog evidence -\\d+\\.\\d ± \\d\\.\\d\nwarns: everywhere$`),
      );
    }
  });
});
