import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { figuresPass, verificationReports, type Evidence, type FigureEvidence, type SuiteEvidence } from "../src/index.js";

const check = (holds: boolean) => ({ name: "slope", expected: "−1 ± 0.1", found: holds ? "−1.02" : "−0.5", holds });
const figures: FigureEvidence[] = [
  { figure: "mine-a", checks: [check(true)], seconds: 1 },
  { figure: "mine-b", checks: [check(false)], seconds: 1 },
  { figure: "mine-c", checks: [], reason: "no <data>", seconds: 1 },
];

it("reports show the worst entry of a claim: what was claimed, sampled and its own standard error", () => {
  const claim: Evidence = {
    theory: "exact",
    scenario: "linear",
    id: "predictive-mean",
    statement: "The mean.",
    source: "by hand",
    error: "exact",
    quantity: "predictive.mean",
    comparisons: [
      { factor: 1, claimed: [1.25, 2.5, 3.75], sampled: [1, 2, 3.5], standardError: [0.125, 0.25, 0.5], effectiveSamples: 100 },
    ],
    shape: [3, 1],
    threshold: 4,
    verdict: { agrees: true, score: 2, worst: 1 },
    power: [],
    powerful: true,
    passed: true,
  };
  const evidence: SuiteEvidence = { suite: "quick", passed: true, claims: [claim], failures: [], seconds: 1 };
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const reports = verificationReports(evidence, document as unknown as Document);
  expect(reports["report.md"]).toContain("| exact | 2.5 | 2 ± 2.5e-1 | z 2.00 |");
  expect(reports["report.html"]).toContain("2 ± 2.5e-1");
});

describe("figures in the reports of the suite", () => {
  it("pass when every check holds and all were computed", () => {
    expect(figuresPass(figures.slice(0, 1))).toBe(true);
    expect(figuresPass(figures.slice(0, 2))).toBe(false);
    expect(figuresPass(figures.slice(2))).toBe(false);
  });

  it("stand in all four of them", () => {
    const evidence: SuiteEvidence = { suite: "full", passed: false, claims: [], failures: [], figures, seconds: 3 };
    const { document } = parseHTML("<!doctype html><html><body></body></html>");
    const reports = verificationReports(evidence, document as unknown as Document);
    expect(reports["report.md"]).toContain("| ✗ | mine-b | slope | −1 ± 0.1 | −0.5 |");
    expect(reports["junit.xml"]).toMatch(/tests="3" failures="2" errors="0"/);
    expect(reports["junit.xml"]).toContain('<failure message="expected −1 ± 0.1, found −0.5"/>');
    expect(reports["report.html"]).toContain("no &lt;data&gt;");
    const found = parseHTML(reports["report.html"]).document;
    const rows = [...found.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent));
    expect(rows).toEqual([
      ["✓", "mine-a", "slope", "−1 ± 0.1", "−1.02"],
      ["✗", "mine-b", "slope", "−1 ± 0.1", "−0.5"],
      ["✗", "mine-c", "could not be computed", "", "no <data>"],
    ]);
    expect([...found.querySelectorAll("td span")].map(({ className }) => className)).toEqual(["pass", "fail", "fail"]);
    expect(reports["junit.xml"]).toContain('<testcase classname="figure mine-a" name="slope"></testcase>');
    expect(JSON.parse(reports["report.json"])).toMatchObject({
      figures: [{ figure: "mine-a" }, { figure: "mine-b" }, { figure: "mine-c" }],
    });
  });
});
