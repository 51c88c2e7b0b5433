import type { Verdict, VerdictStatus } from "@finitewidth/core";
import type { MethodOutcome, Plan, ProblemOutcome, Verdicts } from "@finitewidth/experiment";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { createDocument } from "../src/report/html.js";
import { tellStory } from "../src/report/story.js";
import { summaryTable } from "../src/summary-table.js";
import { formatNumber, withError } from "../src/table.js";
import { verdictRows } from "../src/verdict-text.js";
import { runCommand } from "./command.js";

/** An outcome of which no two numbers are the same. */
const outcome = (label: string, more: object = {}): MethodOutcome =>
  ({
    label,
    method: label,
    status: "ok",
    seconds: 9,
    warnings: [],
    posterior: { logEvidence: -11, standardError: { logEvidence: 0.11, orderParameter: 0.55 }, orderParameter: 5 },
    generalizationError: { total: 2, bias: 3, variance: 4 },
    generalizationStandardError: { total: 0.22, bias: 0.33, variance: 0.44 },
    classification: { accuracy: 6, negativeLogLikelihood: 7, calibrationError: 8, standardError: {} },
    ...more,
  }) as unknown as MethodOutcome;
const byHeader = ({ header, rows }: { readonly header: readonly string[]; readonly rows: readonly (readonly string[])[] }) =>
  rows.map((row) => Object.fromEntries(header.map((name, j) => [name, row[j]])));

describe("a number with its error", () => {
  it.each([
    [1.23456, 0.0123, "1.235 ± 0.012"],
    [-20.5, 1.7, "-20.5 ± 1.7"],
    [1234.5, 25, "1235 ± 25"],
    [0.5, 0.00099, "0.50000 ± 0.00099"],
    [1.5, 3.4e-9, "1.5000000000 ± 0.0000000034"],
    [0.5, 0, "0.5"],
    // sums of equal numbers differ in their last bits
    [0.83642050369, 1e-17, "0.83642"],
    [-1385.2, 2e-13, "-1385.2"],
    [3.456e-15, 1.2e-17, "3.456e-15 ± 1.2e-17"],
    [1.2e-20, 3.4e-15, "1e-20 ± 3.4e-15"],
    [0, 2e-6, "0.0e+0 ± 2.0e-6"],
    [1.2345e30, 6.7e27, "1.2345e+30 ± 6.7e+27"],
    [-2345678, 120, "-2.34568e+6 ± 1.2e+2"],
    [0.5, undefined, "0.5"],
    [0.5, Number.NaN, "0.5"],
    [undefined, 0.1, "–"],
    [Number.NaN, 0.1, "–"],
  ])("%d, %d: two digits of the error", (value, error, text) => expect(withError(value, error)).toBe(text));
});

it.each([
  [0, "0"],
  [123456.7, "123460"],
  [-0.0012345678, "-0.0012346"],
  [1e6, "1.000e+6"],
  [-999999, "-1000000"],
  [0.00099, "9.900e-4"],
  [Number.NaN, "–"],
  [Infinity, "–"],
])("%d has five digits", (value, text) => expect(formatNumber(value)).toBe(text));

describe("the summary of methods", () => {
  it("has every number and its error below its name", () => {
    const plain = outcome("one", { classification: undefined });
    expect(byHeader(summaryTable([plain]))).toEqual([
      {
        method: "one",
        "log evidence": "-11.00 ± 0.11",
        "generalisation error": "2.00 ± 0.22",
        bias: "3.00 ± 0.33",
        variance: "4.00 ± 0.44",
        "order parameter": "5.00 ± 0.55",
        s: "9.00",
      },
    ]);
    const errors = { accuracy: 0.66, negativeLogLikelihood: 0.77, calibrationError: 0.88 };
    const scored = outcome("two", {
      classification: { accuracy: 6, negativeLogLikelihood: 7, calibrationError: 8, standardError: errors },
    });
    expect(byHeader(summaryTable([scored]))[0]).toMatchObject({
      accuracy: "6.00 ± 0.66",
      "negative log likelihood": "7.00 ± 0.77",
      "calibration error": "8.00 ± 0.88",
      "order parameter": "5.00 ± 0.55",
    });
  });

  it("says every verdict with its own error", () => {
    const verdict: Verdict = { status: "doubtful", error: 0.25, standardError: 0.125, how: "so" };
    const verdicts = { verdicts: { one: { logEvidence: verdict, predictive: { ...verdict, standardError: null } } } };
    expect(byHeader(verdictRows(verdicts as unknown as Verdicts))).toEqual([
      { method: "one", quantity: "log evidence", verdict: "doubtful", error: "0.25 ± 0.125", "how it is known": "so" },
      { method: "one", quantity: "predictions", verdict: "doubtful", error: "0.25", "how it is known": "so" },
    ]);
  });
});

describe("the method that a report opens with", () => {
  const judged = (status: VerdictStatus) => ({ predictive: { status, error: null, standardError: null, how: "" } });
  const best = (outcomes: readonly MethodOutcome[], own: Readonly<Record<string, VerdictStatus>> = {}) => {
    const verdicts = { verdicts: Object.fromEntries(Object.entries(own).map(([label, status]) => [label, judged(status)])) };
    const one = { problem: { problem: {} }, outcomes, verdicts } as unknown as ProblemOutcome;
    return tellStory({} as Plan, { data: {} } as Plan["steps"][number], one, createDocument()).best?.label;
  };
  const warns = (label: string, count: number, more = {}) => outcome(label, { warnings: Array<string>(count).fill("not here"), ...more });

  it("is the one that warns least, in whatever order they were asked", () => {
    const three = [warns("a", 2), warns("b", 0), warns("c", 1)];
    expect([three, three.toReversed()].map((order) => best(order))).toEqual(["b", "b"]);
  });

  it("is the one with the best verdict, though it warn", () => {
    const two = [warns("quiet", 0), warns("confirmed", 3)];
    expect(best(two, { quiet: "doubtful", confirmed: "confirmed" })).toBe("confirmed");
    expect(best(two, { quiet: "unchecked", confirmed: "confirmed" })).toBe("confirmed");
    expect(best(two, { quiet: "unchecked", confirmed: "contradicted" })).toBe("quiet");
  });

  it("is, of equals, the one that was nearest to the network by most quantities", () => {
    const three = ["a", "b", "c"].map((label) => outcome(label));
    const believe = { predictive: { method: "c" }, logEvidence: { method: "b" }, hiddenKernels: { method: "c" } };
    const own = Object.fromEntries(["a", "b", "c"].map((label) => [label, judged("confirmed")]));
    const one = { problem: { problem: {} }, outcomes: three, verdicts: { verdicts: own, believe } } as unknown as ProblemOutcome;
    expect(tellStory({} as Plan, { data: {} } as Plan["steps"][number], one, createDocument()).best?.label).toBe("c");
  });

  it("is, of equals, the one that has hidden kernels to show", () => {
    const two = [outcome("a"), outcome("b", { posterior: { hiddenKernels: [] } })];
    expect([two, two.toReversed()].map((order) => best(order))).toEqual(["b", "b"]);
  });

  it("is the one that states its errors, unless it sees one mode of several; none where none has an answer", () => {
    const sampled = outcome("sampled", { predictive: { standardError: {} } });
    expect(best([outcome("a"), sampled])).toBe("sampled");
    expect(best([outcome("modes", { posterior: { modes: 2 } }), sampled])).toBe("modes");
    expect(best([{ label: "a", status: "failed", error: new Error("no") } as unknown as MethodOutcome])).toBeUndefined();
  });
});

it("log densities of a prior stand beside their points and methods", async () => {
  const { result, report } = await runCommand("prior", {
    inputs: [
      [1, 0],
      [0.5, 1],
    ],
    network: { type: "fully-connected", widths: [3], activation: "identity" },
    methods: ["nngp", "exact"],
    evaluateAt: [
      [[0.1], [0.2]],
      [[3], [-1]],
      [[0.7], [5]],
    ],
  });
  const { document } = parseHTML(report!);
  const heading = [...document.querySelectorAll("h2")].find(({ textContent }) => textContent === "Log densities")!;
  const rows = [...heading.nextElementSibling!.querySelectorAll("tr")].map((row) =>
    [...row.querySelectorAll("th, td")].map(({ textContent }) => textContent),
  );
  expect(rows[0]).toEqual(["point", "nngp", "exact"]);
  const { nngp, exact } = result.results;
  expect(new Set([...nngp.logDensity, ...exact.logDensity]).size).toBe(6);
  rows.slice(1).forEach(([point, ...values], i) => {
    expect(point).toBe(String(i));
    [nngp, exact].forEach(({ logDensity }, k) => expect(Math.abs(Number(values[k]) / logDensity[i] - 1)).toBeLessThan(1e-4));
  });
  expect(rows).toHaveLength(4);
});
