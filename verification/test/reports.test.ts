import { normalDistribution, normalQuantile } from "@finitewidth/numerics";
import { parseHTML } from "linkedom";
import { expect, it } from "vitest";
import { verificationReports, type Evidence, type SuiteEvidence } from "../src/index.js";

/** A claim whose scores are quantiles of the normal law, its number 12.5 sampled as 12 ± 0.25. */
const claim = (id: string, passed: boolean, count = 20): Evidence => {
  const scores = Array.from({ length: count }, (_, i) => normalQuantile((i + 0.5) / count));
  return {
    theory: "mine",
    scenario: "two | points",
    id,
    statement: "it is so",
    source: "by hand",
    error: "exact",
    quantity: "predictive-mean",
    comparisons: [
      {
        factor: 1,
        claimed: [12.5, ...scores],
        sampled: [12, ...scores.map(() => 0)],
        standardError: [0.25, ...scores.map(() => 1)],
        effectiveSamples: 100,
      },
    ],
    shape: [count + 1],
    threshold: 4,
    verdict: { agrees: passed, score: 2, worst: 0 },
    power: [],
    powerful: true,
    passed,
  };
};
const evidence: SuiteEvidence = {
  suite: "quick",
  passed: false,
  claims: [claim("good", true), claim("bad", false)],
  failures: [],
  seconds: 1,
};
const page = parseHTML("<!doctype html><html><body></body></html>").document as unknown as Document;
const reports = verificationReports(evidence, page);
const { document } = parseHTML(reports["report.html"]);

it("every report says of each claim whether it holds, with its worst number", () => {
  const rows = reports["report.md"].split("\n").filter((line) => line.includes("mine"));
  expect(rows.map((line) => [line.slice(0, 3), /good|bad/.exec(line)![0]])).toEqual([
    ["| ✓", "good"],
    ["| ✗", "bad"],
  ]);
  for (const line of rows) expect(line).toContain("| 12.5 | 12 ± 2.5e-1 | z 2.00 |");
  const cases = reports["junit.xml"].match(/<testcase.*<\/testcase>/g)!;
  expect(cases.map((text) => [/good|bad/.exec(text)![0], text.includes("<failure")])).toEqual([
    ["good", false],
    ["bad", true],
  ]);
  expect(reports["junit.xml"]).toContain('tests="2" failures="1" errors="0"');
  const sections = [...document.querySelectorAll(".claim")];
  expect(sections.map((one) => [one.getAttribute("data-passed"), one.querySelector("h2 span")!.className])).toEqual([
    ["true", "pass"],
    ["false", "fail"],
  ]);
});

it("the scores are drawn as their distribution, beside that of the normal law", () => {
  const figure = [...document.querySelectorAll("figure")].find((one) => one.textContent?.includes("Distribution of the z-scores"))!;
  const points = [...figure.querySelectorAll("circle")].flatMap((circle) => {
    const [label, numbers] = (circle.querySelector("title")?.textContent ?? "").split("\n");
    const [z, p] = (numbers ?? "").replaceAll("−", "-").split(": ").map(Number);
    return p === undefined ? [] : [{ label: label!, z: z!, p, y: Number(circle.getAttribute("cy")) }];
  });
  const [normal, own] = ["standard normal", "z-scores of exact claims"].map((name) => points.filter(({ label }) => label === name));
  expect([normal!.length, own!.length]).toEqual([42, 42]);
  for (const { z, p } of normal!) expect(p).toBeCloseTo(normalDistribution(z), 3);
  // quantiles twice each, and two scores of 2: the fractions are those of the normal law but for what these two add
  for (const { z, p } of own!) expect(Math.abs(p - normalDistribution(z))).toBeLessThan(1.5 / 42 + 2 / 42);
  for (const { p, y } of [...normal!, ...own!])
    expect(y).toBeCloseTo(own![0]!.y + (own!.at(-1)!.y - own![0]!.y) * ((p - own![0]!.p) / (own!.at(-1)!.p - own![0]!.p)), 0);
});
