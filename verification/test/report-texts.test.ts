import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { infiniteWidth } from "../src/faults.js";
import { verificationReports } from "../src/reports.js";
import type { Evidence, SuiteEvidence } from "../src/suite.js";

const page = parseHTML("<!doctype html><html><body></body></html>").document as unknown as Document;
const claim = (id: string, more: Partial<Evidence> = {}): Evidence => ({
  theory: "mine",
  scenario: "two | points",
  id,
  statement: "it is <so>",
  source: "by hand",
  error: "exact",
  quantity: "predictive.mean",
  comparisons: [{ factor: 1, claimed: [12.5, 3], sampled: [12, 3.5], standardError: [0.25, 0.5], effectiveSamples: 100 }],
  shape: [2, 1],
  threshold: 4.25,
  verdict: { agrees: true, score: 2, worst: 0 },
  power: [],
  powerful: true,
  passed: true,
  ...more,
});
const reports = (claims: readonly Evidence[], more: Partial<SuiteEvidence> = {}) => {
  const texts = verificationReports({ suite: "quick", passed: true, claims, failures: [], seconds: 7.6, ...more }, page);
  const rows = texts["report.md"].split("\n").filter((line) => /^\| [✓✗] \|/.test(line));
  return { ...texts, rows, document: parseHTML(texts["report.html"]).document };
};

describe("texts of the reports", () => {
  it.each<[Evidence["error"], string]>([
    ["exact", "exact"],
    [{ order: 0 }, "O(1)"],
    [{ order: 0.5 }, "O(1/N^½)"],
    [{ order: 1 }, "O(1/N)"],
    [{ order: 2 }, "O(1/N²)"],
    [{ order: 3 }, "O(1/N³)"],
    [{ order: 4 }, "O(1/N^4)"],
    [{ relative: 0.05 }, "within 5 %"],
  ])("the error %j is %s", (error, text) => {
    const { rows, document } = reports([claim("one", { error })]);
    expect(rows[0]!.split(" | ").slice(-6)[0]).toBe(text);
    expect(document.querySelector("em")!.textContent).toBe(`Source: by hand. Error: ${text}.`);
  });

  it("the verdict is a score or a slope with its error, the worst entry with its own noise, what is caught in per cent", () => {
    const slope = { agrees: true, score: 1, worst: 1, slope: { value: 0.9, standardError: 0.0512 } };
    const { rows, document } = reports([
      claim("score", { relativeError: 0.0123 }),
      claim("slope", { verdict: slope }),
      claim("none", { verdict: { agrees: true, score: 1.234, worst: 1 } }),
    ]);
    const cells = (row: string): string[] => row.split(" | ").slice(-5, -1);
    expect(rows.map(cells)).toEqual([
      ["12.5", "12 ± 2.5e-1", "z 2.00", "1.23 %"],
      ["3", "3.5 ± 5.0e-1", "slope 0.90 ± 0.05", "–"],
      ["3", "3.5 ± 5.0e-1", "z 1.23", "–"],
    ]);
    const [table] = [...document.querySelectorAll(".claim table")];
    const text = (tag: string) => [...table!.querySelectorAll(tag)].map((cell) => cell.textContent);
    expect(text("th")).toEqual(["quantity", "entries", "claimed (worst entry)", "sampled", "verdict", "threshold", "catches"]);
    expect(text("td")).toEqual(["predictive.mean", "2", "12.5", "12 ± 2.5e-1", "z 2.00", "4.25", "1.23 %"]);
  });

  it("power is what was caught and missed of what applies, and whether the width matters", () => {
    const check = (fault: string, applicable: boolean, caught: boolean, score: number) => ({ fault, applicable, caught, score });
    const power = [check("a", true, true, 12.34), check(infiniteWidth.name, true, false, 1), check("b", false, false, 0)];
    const { rows, document } = reports([claim("width", { power }), claim("none", { power: [power[0]!, power[2]!] })]);
    const last = (row: string): string => row.split(" | ").at(-1)!.replace(/ \|$/, "");
    expect(rows.map(last)).toEqual(["a: caught (12.34); N → ∞: missed", "independent of the width; a: caught (12.34)"]);
    expect([...document.querySelectorAll(".claim p:last-of-type")].map((one) => one.textContent)).toEqual(
      rows.map((row) => `Power: ${last(row)}.`),
    );
  });

  it("the summary counts claims, numbers and what could not be checked; every report has the failures", () => {
    const failures = [
      { scenario: "s|1", theory: "t<", reason: 'it\'s | "so"' },
      { scenario: "s2", theory: "t2", reason: "no" },
    ];
    const wrong = { passed: false, verdict: { agrees: false, score: 9, worst: 1 } };
    const powerless = { passed: false, powerful: false, power: [{ fault: "a", applicable: true, caught: false, score: 0 }] };
    const { rows, document, ...texts } = reports([claim("good"), claim("wrong", wrong), claim("weak", powerless)], {
      suite: "full",
      passed: false,
      failures,
    });
    const summary = "full suite: 1 of 3 claims hold (6 numbers compared), 2 scenarios could not be checked, 8 s.";
    expect(texts["report.md"].split("\n").slice(0, 3)).toEqual(["# Verification: FAILED", "", summary]);
    expect(document.querySelector(".lead")!.textContent).toContain(summary);
    expect(document.querySelector("h1 span")).toMatchObject({ className: "fail", textContent: "failed" });
    expect(rows.slice(3)).toEqual([
      '| ✗ | t< | s|1 | could not be checked: it\'s \\| "so" | | | | | | |',
      "| ✗ | t2 | s2 | could not be checked: no | | | | | | |",
    ]);
    expect([...document.querySelectorAll(".failed")].map((one) => one.textContent)).toEqual(['t< / s|1 it\'s | "so"', "t2 / s2 no"]);
    const junit = texts["junit.xml"];
    expect(junit).toContain('<testsuite name="verification full" tests="5" failures="2" errors="2" time="7.6">');
    expect(junit).toContain('<testcase classname="t&lt;" name="s|1"><error message="it&apos;s | &quot;so&quot;"/></testcase>');
    expect(junit).toContain('name="two | points / wrong"><failure message="z 9.00">');
    expect(junit).toContain('name="two | points / weak"><failure message="no power: independent of the width; a: missed">');
    expect(junit).toContain('<testcase classname="mine" name="two | points / good"></testcase>');
    expect(JSON.parse(texts["report.json"])).toMatchObject({ schemaVersion: 1, suite: "full", failures, claims: [{ id: "good" }, {}, {}] });
    expect([...document.querySelectorAll(".claim")].map((one) => one.getAttribute("data-name"))).toEqual([
      "mine / two | points / good",
      "mine / two | points / wrong",
      "mine / two | points / weak",
    ]);
    expect(document.querySelector(".claim p")!.textContent).toContain("it is <so>");
    const passed = reports([claim("good")]);
    expect(passed["report.md"]).toMatch(/^# Verification: passed\n\nquick suite: 1 of 1 claims hold \(2 numbers compared\), 8 s\.\n/);
    expect(passed["report.md"]).toContain("A claim holds when |z| ≤ 4.25 (1 % false alarms");
    expect(passed.document.querySelector("h1 span")).toMatchObject({ className: "pass", textContent: "passed" });
  });
});

describe("pictures of the reports", () => {
  /** Label and numbers of every point or cell that tells its own. */
  const titles = (one: Element): string[] => [...one.querySelectorAll("title")].map((title) => title.textContent!.replaceAll("−", "-"));

  it("a kernel is shown as claimed, sampled, and their difference in standard errors", () => {
    const kernel = { factor: 1, claimed: [4, 1, 2, 5], sampled: [3, 1.5, 2, 4], standardError: [0.5, 0.25, 1, 2], effectiveSamples: 9 };
    const { document } = reports([claim("kernel", { quantity: "hiddenKernel 1", comparisons: [kernel], shape: [2, 2] })]);
    const details = document.querySelector("details")!;
    expect(details.querySelector("summary")!.textContent).toBe("kernels");
    // distances 1, −0.5, 0, 1 of errors 0.5, 0.25, 1, 2; the kernels share a scale
    expect(titles(details)).toEqual(["claimed: 2 × 2, from 1 to 5", "sampled: 2 × 2, from 1 to 5", "z-score: 2 × 2, from -2 to 2"]);
    const none = reports([claim("kernel", { quantity: "predictive.covariance", comparisons: [kernel], shape: [2, 2] })]);
    expect(none.document.querySelector("details")).toBeNull();
  });

  it("residuals of several widths are shown with the noise, as norms", () => {
    const at = (factor: number, off: number, noise: number) => ({
      factor,
      claimed: [1 + 3 * off, 2 + 4 * off],
      sampled: [1, 2],
      standardError: [0.6 * noise, 0.8 * noise],
      effectiveSamples: 9,
    });
    const { document } = reports([claim("order", { error: { order: 1 }, comparisons: [at(1, 0.1, 0.01), at(2, 0.05, 0.02)] })]);
    const details = document.querySelector("details")!;
    expect(details.querySelector("summary")!.textContent).toBe("residual against width");
    // 5 times the factor of the offsets, and the noise itself
    expect(titles(details)).toEqual(["residual\n1: 0.5", "residual\n2: 0.25", "sampling error\n1: 0.01", "sampling error\n2: 0.02"]);
    expect(reports([claim("order", { error: { order: 1 } })]).document.querySelector("details")).toBeNull();
  });
});
