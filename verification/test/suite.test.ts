import { createRegistry, inlineRun, type Claim, type Theory } from "@finitewidth/core";
import { exact } from "@finitewidth/posterior";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import {
  criticalScore,
  family,
  fullyConnected,
  judge,
  runVerification,
  standardPlugins,
  verificationReports,
  type Comparison,
  type SuiteEvidence,
} from "../src/index.js";

const document = parseHTML("<!doctype html><html><body></body></html>").document as unknown as Document;
const linear = (theories: readonly { name: string }[]) =>
  family({
    name: "linear",
    theories,
    network: fullyConnected("identity", [4], [1.3, 0.7]),
    points: 4,
    features: 3,
    temperature: 0.3,
    sampling: { kind: "importance", samples: 50_000 },
    seed: 11,
  });
const exactly = (claimed: number[], value: number[], standardError: number[]): Comparison => ({
  factor: 1,
  claimed: Float64Array.from(claimed),
  sampled: { value: Float64Array.from(value), standardError: Float64Array.from(standardError), effectiveSamples: 100 },
});

/** The exact theory with one of its numbers off by a factor. */
function faulty(name: string, change: (claim: Claim) => Claim): Theory {
  return {
    ...(exact as Theory),
    name,
    *claims(fitted, registry) {
      for (const claim of (exact as Theory).claims(fitted, registry)) yield change(claim);
    },
  };
}
const scaled = (id: string, factor: number) => (claim: Claim) =>
  claim.id === id ? { ...claim, value: { ...claim.value, data: claim.value.data.map((value) => factor * value) } } : claim;

describe("judging", () => {
  it("counts comparisons: one in a hundred correct suites shows a false alarm", () => {
    expect(criticalScore(1)).toBeCloseTo(2.576, 3);
    expect(criticalScore(1000)).toBeGreaterThan(4.2);
  });

  it("accepts within the errors and rejects beyond, the claim's own error included", () => {
    expect(judge("exact", [exactly([1, 2], [1.02, 2], [0.01, 0.01])], 3).agrees).toBe(true);
    expect(judge("exact", [exactly([1, 2], [1.04, 2], [0.01, 0.01])], 3)).toMatchObject({ agrees: false, worst: 0 });
    expect(judge("exact", [{ ...exactly([1], [1.04], [0.01]), claimedError: Float64Array.of(0.01) }], 3).agrees).toBe(true);
    expect(judge({ relative: 0.05 }, [exactly([1], [1.04], [0.001])], 3).agrees).toBe(true);
    expect(judge("exact", [exactly([Number.NaN], [1], [0.01])], 3).agrees).toBe(false);
  });

  it("tells the order of a residual from its slope", () => {
    const residual = (order: number): Comparison[] =>
      [1, 2, 4].map((factor) => ({ ...exactly([1 + 0.3 * factor ** -order], [1], [1e-4]), factor }));
    expect(judge({ order: 2 }, residual(2), 4)).toMatchObject({ agrees: true });
    expect(judge({ order: 1 }, residual(2), 4).agrees).toBe(true);
    expect(judge({ order: 2 }, residual(1), 4).agrees).toBe(false);
    expect(judge({ order: 1 }, residual(0), 4).agrees).toBe(false);
  });
});

describe("the suite", () => {
  const wrongMean = faulty("wrong-mean", scaled("predictive-mean", 1.1));
  const wrongKernel = faulty("wrong-kernel", scaled("hidden-kernel-1", 0.9));
  const blind = faulty("blind", (claim) => ({ ...claim, error: { relative: 10 } }));
  const registry = createRegistry([...standardPlugins, { name: "faults", theories: [wrongMean, wrongKernel, blind] }]);
  const check = (name: string): Promise<SuiteEvidence> =>
    runVerification({ suite: "quick", families: [linear([{ name }])] }, inlineRun({ registry, seed: 2 }));

  it("passes the exact theory, with power against every fault", async () => {
    const evidence = await check("exact");
    expect(evidence.failures).toEqual([]);
    expect(evidence.claims.filter((claim) => !claim.passed)).toEqual([]);
    expect(evidence.claims.length).toBeGreaterThan(8);
    const reports = verificationReports(evidence, document);
    expect(reports["report.md"]).toContain("Verification: passed");
    expect(reports["junit.xml"]).toContain(`tests="${evidence.claims.length}" failures="0" errors="0"`);
    expect(reports["report.html"]).toContain("exact / linear / hidden-kernel-1");
    expect(JSON.parse(reports["report.json"]).passed).toBe(true);
  });

  it("names the claim that is wrong by a factor", async () => {
    for (const [name, id] of [
      ["wrong-mean", "predictive-mean"],
      ["wrong-kernel", "hidden-kernel-1"],
    ] as const) {
      const evidence = await check(name);
      expect(evidence.passed).toBe(false);
      expect(evidence.claims.filter((claim) => !claim.verdict.agrees).map((claim) => claim.id)).toEqual([id]);
      expect(verificationReports(evidence, document)["junit.xml"]).toContain('failures="1"');
    }
  });

  it("fails a claim that no sample could contradict", async () => {
    const evidence = await check("blind");
    expect(evidence.claims.every((claim) => claim.verdict.agrees)).toBe(true);
    expect(evidence.claims.some((claim) => !claim.powerful)).toBe(true);
    expect(evidence.passed).toBe(false);
  });

  it("reports a theory that refuses its scenario", async () => {
    const families = [
      family({
        name: "erf",
        theories: [{ name: "exact" }],
        network: fullyConnected("erf", [3], [1, 1]),
        points: 2,
        features: 2,
        temperature: 1,
        sampling: { kind: "importance", samples: 100 },
        seed: 1,
      }),
    ];
    const evidence = await runVerification({ suite: "quick", families }, inlineRun({ registry }));
    expect(evidence.failures).toMatchObject([{ theory: "exact", scenario: "erf" }]);
    expect(evidence.passed).toBe(false);
  });

  it("says when a filter matches nothing", async () => {
    await expect(
      runVerification({ suite: "quick", filter: "no such claim", families: [linear([{ name: "exact" }])] }, inlineRun({ registry })),
    ).rejects.toThrow("--filter: expected text contained in some claim's name");
  });
});
